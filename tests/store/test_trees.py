# SPDX-License-Identifier: BSD-2-Clause
"""Trees come back exactly: links, empty directories, modes, times, names of any bytes; and archives as sources. What `find`
and Python's tarfile and zipfile say is compared."""
import io
import json
import os
import pathlib
import random
import shutil
import stat
import subprocess
import sys
import tarfile
import unittest
import zipfile

from test_encode import EXAMPLES, MIST, Case, catalog, mist, png

sys.path.insert(0, os.path.join(os.environ["MIST_SOURCE"], "tests", "client"))


def outline(root, times=True):
    """path -> (kind, target, mode, time) of everything below a directory but itself."""
    found = {}
    for directory, names, files in os.walk(root):
        for name in names + files:
            path = os.path.join(directory, name)
            about = os.lstat(path)
            kind = stat.S_IFMT(about.st_mode)
            target = os.readlink(path) if kind == stat.S_IFLNK else None
            found[os.path.relpath(path, root)] = (kind, target) + ((stat.S_IMODE(about.st_mode), about.st_mtime_ns) if times else ())
    return found


class Trees(Case):
    def setUp(self):
        super().setUp()
        self.out = self.work / "out"

    def get(self, *arguments, check=0, url=None, out=None):
        done = mist("get", url or self.store / "d", "-o", out or self.out, "--json", *arguments, check=check)
        return json.loads(done.stdout), done.stderr

    def tree(self):
        """One of everything."""
        source = self.source
        png(source / "a/b/1.png", 1)
        png(source / "a/2.png", 2, bits=16)
        png(source / os.fsdecode(b"lat\xefn/n\xe4me.png"), 3)
        for name in ("notes.txt", ".hidden", "back\\slash", "new\nline", "a/b/.also", "\x7f", "-x"):
            (source / name).write_text(name)
        shutil.copytree(EXAMPLES / "ct-head", source / "ct")
        for name in ("empty/deep/er", "a/none", os.fsdecode(b"\xfe")):
            (source / name).mkdir(parents=True)
        (source / "link.png").symlink_to("a/2.png")
        (source / "a/b/up").symlink_to("../../notes.txt")
        (source / "dir").symlink_to("a/b")
        (source / "around").symlink_to("./a/../a/none")
        (source / os.fsdecode(b"l\xefnk")).symlink_to(os.fsdecode(b"lat\xefn/n\xe4me.png"))
        (source / "ct" / "first").symlink_to(sorted(os.listdir(EXAMPLES / "ct-head"))[0])
        chosen = random.Random(4)
        for path in sorted(source.rglob("*"), reverse=True):
            when = chosen.randrange(10 ** 18, 2 * 10 ** 18)
            if not path.is_symlink():
                path.chmod(0o700 | chosen.randrange(0o100) if path.is_dir() else 0o400 | chosen.randrange(0o400))
            os.utime(path, ns=(when, when), follow_symlinks=False)

    def test_everything_comes_back(self):
        self.tree()
        wanted = outline(self.source)
        report, errors = self.encode()
        self.assertEqual((report["failed"], errors.count("\n")), (0, 1), errors)  # the CT is tilted
        self.assertIn("0 not restored, 0 missing in the dataset, 0 not in the sources",
                      mist("verify", self.store / "d", "--against", self.source, check=0).stdout)
        report, errors = self.get("--times")
        self.assertEqual((report["links"], report["links_left_out"], report["failed"], errors), (6, 0, 0, ""))
        self.assertEqual(outline(self.out), wanted)
        # Again: nothing is done, and all stays.
        report, _ = self.get("--times")
        self.assertEqual((report["files"], report["links"], report["fetched_bytes"]), (0, 0, 0))
        self.assertEqual(outline(self.out), wanted)
        # Without --times: the same but for modes and times; smaller: too.
        other = self.work / "other"
        self.get("--reduce", 1, out=other)
        self.assertEqual(outline(other, False), outline(self.source, False))
        mist("verify", self.store, check=0)
        # An index made anew knows all of it.
        (self.store / "mist.sqlite").unlink()
        mist("index", self.store, check=0)
        third = self.work / "third"
        self.get("--times", out=third)
        self.assertEqual(outline(third), wanted)

    def test_over_http(self):
        from servers import Serve
        self.tree()
        self.encode()
        server = Serve(self.store)
        self.addCleanup(server.stop)
        self.get("--times", url=server.url + "/d")
        self.assertEqual(outline(self.out), outline(self.source))

    def test_what_is_not_here_is_not_linked_to(self):
        self.tree()
        self.encode()
        report, errors = self.get("--include", "a", "--include", "link.png", "--include", "dir")
        self.assertEqual((report["links"], report["links_left_out"]), (2, 1))
        self.assertIn("1 link was not made, since what it leads to is not here under its name: a/b/up", errors)
        self.assertTrue((self.out / "a/none").is_dir())
        self.assertFalse((self.out / "empty").exists())
        npy = self.work / "npy"
        report, errors = self.get("--format", "npy", out=npy)
        self.assertEqual({str(p.relative_to(npy)) for p in npy.rglob("*") if p.is_symlink()}, {"a/b/up", "dir", "around"})
        self.assertIn("3 links were not made", errors)

    def test_links_that_change_and_go(self):
        self.tree()
        self.encode()
        self.get()
        (self.source / "link.png").unlink()
        (self.source / "link.png").symlink_to("a/b/1.png")
        (self.source / "dir").unlink()
        (self.out / "around").unlink()
        (self.out / "around").write_text("mine")
        self.encode("--prune")
        report, errors = self.get(check=1)
        self.assertEqual((report["links"], report["vanished"], report["removed"]), (1, 1, 0))
        self.assertIn("around: the link could not be made: something else is there", errors)
        self.assertEqual(os.readlink(self.out / "link.png"), "a/b/1.png")
        self.assertEqual((self.out / "around").read_text(), "mine")
        (self.out / "around").unlink()
        report, _ = self.get("--prune")
        self.assertEqual((report["links"], report["removed"], report["removed_files"]), (1, 1, ["dir"]))
        self.assertEqual(outline(self.out, False), outline(self.source, False))
        # One that somebody made otherwise is left alone.
        (self.out / "link.png").unlink()
        (self.out / "link.png").symlink_to("notes.txt")
        (self.source / "link.png").unlink()
        self.encode("--prune")
        report, _ = self.get("--prune")
        self.assertEqual(os.readlink(self.out / "link.png"), "notes.txt")

    def test_what_is_withdrawn_leaves_no_trace(self):
        png(self.source / "patient7/scan.png")
        png(self.source / "patient8/scan.png", 1)
        (self.source / "patient7/again.png").symlink_to("scan.png")
        (self.source / "seven.png").symlink_to("patient7/scan.png")
        (self.source / "eight.png").symlink_to("patient8/scan.png")
        self.encode()
        mist("remove", self.store / "d", "patient7", check=0)
        for again in False, True:
            listed = subprocess.run(["zstd", "-dc", self.store / "d/tree.jsonl.zst"], capture_output=True, check=True).stdout
            self.assertIn(b"patient8", listed)
            self.assertNotIn(b"patient7", listed)
            mist("verify", self.store, check=0)
            out = self.work / f"out{again}"
            self.get(out=out)
            self.assertEqual(set(outline(out, False)), {"patient8", "patient8/scan.png", "eight.png"})
            self.encode()

    def test_links_to_elsewhere_are_followed(self):
        png(self.work / "elsewhere/x.png")
        png(self.source / ".git/annex/objects/K.png", 1)
        (self.source / "out.png").symlink_to(self.work / "elsewhere/x.png")
        (self.source / "outdir").symlink_to(self.work / "elsewhere")
        (self.source / "annexed.png").symlink_to(".git/annex/objects/K.png")
        (self.source / "inside.png").symlink_to(self.source / ".git/../annexed.png")
        (self.source / "gone.png").symlink_to("nowhere")
        report, errors = self.encode(check=1)
        self.assertEqual(set(catalog(self.store, "d")[1]), {".git/annex/objects/K.png", "out.png", "outdir/x.png", "annexed.png", "inside.png"})
        self.assertIn("gone.png: No such file", errors)

    def test_a_damaged_list_is_named(self):
        self.tree()
        self.encode()
        path = self.store / "d/tree.jsonl.zst"
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
        self.assertIn("tree.jsonl.zst: not the one that the catalog names", mist("verify", self.store, check=1).stderr)
        report, errors = self.get(check=1)
        self.assertEqual((report["failed"], report["links"]), (1, 0))
        self.assertIn("d: the tree list is not the one that the catalog promises", errors)
        self.assertTrue((self.out / "a/2.png").exists())
        path.unlink()
        self.assertIn("tree.jsonl.zst", self.get(check=1)[1])
        self.encode()
        self.get("--times")
        self.assertEqual(outline(self.out), outline(self.source))

    def test_lists_that_lie(self):
        """A host's list must lead to nothing outside the output, and overwrite nothing there."""
        import ctypes
        png(self.source / "a.png")
        (self.source / "sub").mkdir()
        png(self.source / "sub/b.png")
        self.encode()
        xxhash = ctypes.CDLL("libxxhash.so.0")
        xxhash.XXH3_64bits.restype = ctypes.c_uint64
        xxhash.XXH3_64bits.argtypes = [ctypes.c_char_p, ctypes.c_size_t]

        def publish(lines):
            head = {"format": "mist-tree", "version": 1, "files": 0, "directories": 1, "empty": 1, "links": 1}
            text = "".join(json.dumps(line) + "\n" for line in [head, *lines]).encode()
            packed = subprocess.run(["zstd", "-qc"], input=text, capture_output=True, check=True).stdout
            (self.store / "d/tree.jsonl.zst").write_bytes(packed)
            catalog_path = self.store / "d/catalog.jsonl.zst"
            rows = subprocess.run(["zstd", "-dcq", catalog_path], capture_output=True, check=True).stdout.split(b"\n")
            first = json.loads(rows[0])
            first["tree"] = {"size": len(packed), "checksum": f"{xxhash.XXH3_64bits(packed, len(packed)):016x}", "files": 0,
                             "directories": 1, "empty": 1, "links": 1}
            rows[0] = json.dumps(first).encode()
            catalog_path.write_bytes(subprocess.run(["zstd", "-qc"], input=b"\n".join(rows), capture_output=True, check=True).stdout)

        if not shutil.which("zstd"):
            self.skipTest("zstd is not installed")
        outside = self.work / "outside"
        outside.mkdir()
        link, place = {"mode": 0o777, "mtime": 0}, {"directory": True, "empty": True, "mode": 0o755, "mtime": 0}
        lies = [[{"path": "x", "target": "../outside", **link}], [{"path": "x", "target": "/etc/passwd", **link}],
                [{"path": "sub/x", "target": "../../outside", **link}], [{"path": "../x", **place}], [{"path": "/x", **place}],
                [{"path": "b", **place}, {"path": "a", **place}], [{"path": "x", "target": "a\0b", **link}],
                [{"path": "x", "target": "sub/\uf02e\uf02e/\uf02e\uf02e/outside", **link}],
                [{"path": ".mist/x", "target": "../a.png", **link}], [{"path": "a.png", "target": "sub/b.png", **link}],
                [{"path": "sub", "target": "a.png", **link}], [{"path": "a.png", **place}], [{"path": "a.png/x", **place}],
                [{"path": "x", "target": "sub", **link}, {"path": "x/y", **place}], [{"path": "\uf02e\uf02e", **place}],
                [{"path": "x\uf02fy", **place}]]
        for lines in lies:
            with self.subTest(lines=lines):
                shutil.rmtree(self.out, ignore_errors=True)
                shutil.rmtree(str(self.out) + ".mist", ignore_errors=True)
                publish(lines)
                mist("get", self.store / "d", "-o", self.out, "--times", check=None)
                self.assertEqual((self.out / "a.png").read_bytes()[:4], b"\x89PNG")
                self.assertFalse((self.out / "a.png").is_symlink() or (self.out / "sub").is_symlink())
                self.assertEqual(list(outside.iterdir()), [])
                for path in self.out.rglob("*"):
                    self.assertIn(self.out, [path.resolve(), *path.resolve().parents])

    def test_verify_against_names_what_differs(self):
        self.tree()
        self.encode()
        (self.source / "link.png").unlink()
        (self.source / "new").symlink_to("notes.txt")
        (self.source / "a/none").rmdir()
        (self.source / "a/some").mkdir()
        (self.source / "dir").unlink()
        (self.source / "dir").symlink_to("a")
        done = mist("verify", self.store / "d", "--against", self.source, "--json", check=1)
        said = json.loads(done.stdout)
        found = {kind: {one["path"] for one in said[kind]} for kind in ("not", "missing", "extra")}
        # What leads to the directory that is gone is a failure of the sources now: named, and in the dataset only.
        self.assertEqual(found, {"not": {"dir"}, "missing": {"new", "a/some", str(self.source / "around")},
                                 "extra": {"link.png", "a/none", "around"}})


class Archives(Trees):
    """The same trees out of archives."""

    def pack(self, kind):
        path = self.work / f"d.{kind}"
        if kind == "zip":
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
                for one in sorted(self.source.rglob("*")):
                    name = str(one.relative_to(self.source))
                    if one.is_symlink():
                        info = zipfile.ZipInfo(name)
                        info.create_system, info.external_attr = 3, 0o120777 << 16
                        out.writestr(info, os.readlink(one))
                    else:
                        out.write(one, name)
        else:
            mode = {"tar": "w", "tar.gz": "w:gz", "tgz": "w:gz", "tar.bz2": "w:bz2", "tar.xz": "w:xz"}[kind]
            with tarfile.open(path, mode, format=tarfile.PAX_FORMAT) as out:
                out.add(self.source, ".")
        return path

    test_over_http = test_links_that_change_and_go = test_what_is_withdrawn_leaves_no_trace = None
    test_links_to_elsewhere_are_followed = test_a_damaged_list_is_named = test_lists_that_lie = None
    test_what_is_not_here_is_not_linked_to = test_verify_against_names_what_differs = None

    def test_everything_comes_back(self):
        self.tree()
        wanted = outline(self.source)
        for kind in ("tar", "tar.gz", "tgz", "tar.bz2", "tar.xz"):
            with self.subTest(kind=kind):
                archive = self.pack(kind)
                store = self.work / f"store-{kind}"
                said = mist("encode", archive, "-o", store, check=0).stdout
                self.assertIn("4 items encoded, 7 other files kept", said)
                self.assertEqual(sorted(p.name for p in store.iterdir() if p.is_dir()), ["d"])
                self.assertEqual({p.name for p in (store / "d").iterdir()}, {".lock", "catalog.jsonl.zst", "files", "items", "tree.jsonl.zst"})
                self.assertIn("0 not restored, 0 missing in the dataset, 0 not in the sources",
                              mist("verify", store / "d", "--against", archive, check=0).stdout)
                self.assertIn("0 not restored, 0 missing in the dataset, 0 not in the sources",
                              mist("verify", store / "d", "--against", self.source, check=0).stdout)
                out = self.work / f"out-{kind}"
                self.get("--times", url=store / "d", out=out)
                got = outline(out)
                # tarfile writes times as decimal numbers that are not quite those of the file system.
                self.assertEqual({p: about[:3] for p, about in got.items()}, {p: about[:3] for p, about in wanted.items()})
                self.assertLess(max(abs(about[3] - wanted[p][3]) for p, about in got.items()), 1000)
                self.assertIn("0 items encoded, 0 other files kept; 16 source files unchanged", mist("encode", archive, "-o", store, check=0).stdout)

    def test_zip(self):
        png(self.source / "a/b/1.png", 1)
        png(self.source / "ä/2.png", 2, bits=16)
        shutil.copytree(EXAMPLES / "ct-head", self.source / "ct")
        (self.source / "empty").mkdir()
        (self.source / "link.png").symlink_to("a/b/1.png")
        (self.source / "notes.txt").write_text("x" * 100000)
        archive = self.pack("zip")
        mist("encode", archive, "-o", self.store, check=0)
        self.assertIn("0 not restored, 0 missing in the dataset, 0 not in the sources",
                      mist("verify", self.store / "d", "--against", archive, check=0).stdout)
        self.get()
        self.assertEqual(outline(self.out, False), outline(self.source, False))

    def test_with_other_sources(self):
        png(self.source / "1.png")
        archive = self.pack("tar")
        second = self.work / "more"
        png(second / "2.png")
        mist("encode", archive, second, second / "2.png", "-o", self.store, "--dataset", "d", check=0)
        self.assertEqual(set(catalog(self.store, "d")[1]), {"d/1.png", "more/2.png", "2.png"})
        (self.work / "d").mkdir()
        self.assertIn("same base name", mist("encode", archive, self.work / "d", "-o", self.store, "--dataset", "e", check=1).stderr)

    def test_series_that_lie_among_one_another(self):
        files = sorted((EXAMPLES / "ct-head").iterdir())
        archive = self.work / "d.tar.gz"
        with tarfile.open(archive, "w:gz") as out:
            for i, path in enumerate(files):
                for series in range(3):
                    out.add(path, f"s{(series + i) % 3}/{path.name}")
                out.add(path, f"late/{len(files) - i}.dcm")
        said = mist("encode", archive, "-o", self.store, check=0).stdout
        self.assertIn("4 items encoded, 0 other files kept", said)
        self.assertIn("0 not restored, 0 missing", mist("verify", self.store / "d", "--against", archive, check=0).stdout)

    def test_labels_that_dataset_json_lists(self):
        png(self.source / "im/1.png", regions=True)
        png(self.source / "la/1.png", regions=True)
        (self.source / "dataset.json").write_text(json.dumps({"training": [{"image": "./im/1.png", "label": "./la/1.png"}]}))
        mist("encode", self.pack("tar.xz"), "-o", self.store, check=0)
        self.assertEqual({p: row.get("label") for p, row in catalog(self.store, "d")[1].items()}, {"im/1.png": None, "la/1.png": "dataset.json"})

    def test_what_changed_is_done_again(self):
        for i in range(4):
            png(self.source / f"{i}.png", i)
        mist("encode", self.pack("tar.gz"), "-o", self.store, check=0)
        png(self.source / "2.png", 9)
        (self.source / "3.png").unlink()
        png(self.source / "4.png", 4)
        said = mist("encode", self.pack("tar.gz"), "-o", self.store, "--prune", check=0).stdout
        self.assertIn("2 items encoded, 0 other files kept", said)
        self.assertIn("1 removed", said)
        self.assertIn("0 not restored, 0 missing", mist("verify", self.store / "d", "--against", self.source, check=0).stdout)

    def test_the_last_one_of_a_name_counts(self):
        png(self.source / "a.png", 1)
        archive = self.pack("tar")
        png(self.source / "a.png", 2)
        with tarfile.open(archive, "a") as out:
            out.add(self.source / "a.png", "a.png")
        mist("encode", archive, "-o", self.store, check=0)
        self.assertIn("0 not restored, 0 missing", mist("verify", self.store / "d", "--against", self.source, check=0).stdout)

    def test_hostile_entries(self):
        data = io.BytesIO()
        archive = self.work / "d.tar"
        png(self.source / "good.png")
        with tarfile.open(archive, "w") as out:
            def add(name, kind=tarfile.REGTYPE, link="", body=b"x"):
                info = tarfile.TarInfo(name)
                info.type, info.linkname, info.size = kind, link, len(body) if kind == tarfile.REGTYPE else 0
                out.addfile(info, io.BytesIO(body))
            add("../up.txt"), add("/absolute.txt"), add("a/../../b.txt"), add("dev", tarfile.CHRTYPE), add("pipe", tarfile.FIFOTYPE)
            add("out", tarfile.SYMTYPE, "../../etc"), add("abs", tarfile.SYMTYPE, "/etc/passwd"), add("hard", tarfile.LNKTYPE, "../x")
            add("n" * 300), add("sub/", tarfile.DIRTYPE), add("./.mist/x"), add("sub/hard.png", tarfile.LNKTYPE, "good.png")
            out.add(self.source / "good.png", "good.png")
        done = mist("encode", archive, "-o", self.store, "--json", check=1)
        _, items, files = catalog(self.store, "d")
        self.assertEqual((set(items), set(files)), ({"good.png"}, {"absolute.txt", ".mist/x"}))
        said = done.stderr.splitlines()
        self.assertEqual(sum("left out" in line for line in said), 8, done.stderr)
        for name in ("dev", "pipe", "out", "abs", "hard"):
            self.assertEqual(sum(f"/d.tar/{name}: " in line and "left out" in line for line in said), 1, name)
        self.assertEqual(sum("its name leads out of the archive, or is too long" in line for line in said), 3)
        report, _ = self.get(check=None)
        self.assertEqual(os.readlink(self.out / "sub/hard.png"), "../good.png")

    def test_damaged_archives(self):
        for i in range(6):
            png(self.source / f"{i}.png", i, size=300)
        whole = self.pack("tar").read_bytes()
        packed = self.pack("tar.gz").read_bytes()
        zipped = self.pack("zip").read_bytes()
        bad = {"cut.tar": whole[:len(whole) // 2], "cut.tar.gz": packed[:len(packed) // 2], "cut.zip": zipped[:len(zipped) // 2],
               "empty.tar": b"", "text.zip": b"no archive", "wrong.tar.xz": packed[:100]}
        flipped = bytearray(zipped)
        flipped[len(flipped) // 3] ^= 0x55
        bad["flipped.zip"] = bytes(flipped)
        for name, content in bad.items():
            with self.subTest(name=name):
                path = self.work / name
                path.write_bytes(content)
                store = self.work / f"store-{name}"
                done = mist("encode", path, "-o", store, "--dataset", "d", "--prune", check=None)
                self.assertIn(done.returncode, (0, 1) if name == "empty.tar" else (1,), done.stderr)
                self.assertLess(len(done.stderr.splitlines()), 12)
                if (store / "d" / "catalog.jsonl.zst").exists():
                    mist("verify", store, check=0)
                    self.assertFalse([p for p in (store / "d").iterdir() if p.name.startswith((".unpacked", ".look", ".tree"))])
        # What was there before stays when an archive is damaged later.
        path = self.pack("tar.gz")
        mist("encode", path, "-o", self.store, check=0)
        path.write_bytes(packed[:len(packed) // 2])
        done = mist("encode", path, "-o", self.store, "--prune", check=1)
        self.assertIn("nothing was removed", done.stderr)
        self.assertEqual(len(catalog(self.store, "d")[1]), 6)

    def test_killed(self):
        """What was unpacked when the process was killed goes with the next run."""
        for i in range(30):
            png(self.source / f"{i}.png", i, size=700)
        archive = self.pack("tar")

        def left():
            return [p.name for p in (self.store / "d").iterdir() if p.name.startswith((".unpacked", ".look", ".tree"))] if (self.store / "d").exists() else []

        for place in (".look", ".unpacked"):
            shutil.rmtree(self.store, ignore_errors=True)
            process = subprocess.Popen([MIST, "encode", archive, "-o", self.store, "-q", "-j", "1"])
            while process.poll() is None and not any(name.startswith(place) for name in left()):
                pass
            process.kill()
            process.wait()
            mist("encode", archive, "-o", self.store, check=0)
            self.assertEqual(left(), [])
            mist("verify", self.store, check=0)
            self.assertIn("0 not restored, 0 missing", mist("verify", self.store / "d", "--against", archive, check=0).stdout)

    def test_a_bomb(self):
        """An entry far larger than any archive of its size holds: named before anything is written; the rest comes."""
        png(self.source / "a.png")
        archive = self.pack("tar.bz2")
        size = 1 << 29
        with tarfile.open(archive, "w:bz2") as out:
            info = tarfile.TarInfo("zeros.bin")
            info.size = size
            with open("/dev/zero", "rb") as zeros:
                out.addfile(info, zeros)
            out.add(self.source / "a.png", "a.png")
        done = mist("encode", archive, "-o", self.store, check=1)
        self.assertIn("zeros.bin: ", done.stderr)
        self.assertIn("more than 1200 times the size of the archive", done.stderr)
        self.assertEqual(set(catalog(self.store, "d")[1]), {"a.png"})

    def test_encrypted(self):
        if not shutil.which("zip"):
            self.skipTest("zip is not installed")
        png(self.source / "a.png")
        subprocess.run(["zip", "-q", "-P", "secret", self.work / "d.zip", "a.png"], cwd=self.source, check=True)
        self.assertIn("it is encrypted; left out", mist("encode", self.work / "d.zip", "-o", self.store, check=1).stderr)


if __name__ == "__main__":
    unittest.main()
