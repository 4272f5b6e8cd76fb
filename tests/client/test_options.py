"""mist get: what is shown of an address, plans without a directory, and outputs of one name; no judge is needed."""
import base64
import functools
import http.server
import json
import os
import pathlib
import shutil
import struct
import subprocess
import tempfile
import threading
import unittest
import zlib

from servers import free_port

MIST = os.environ["MIST_PROGRAM"]


def mist(*arguments, check=0, **options):
    result = subprocess.run([MIST, *map(str, arguments)], capture_output=True, text=True, timeout=60, **options)
    if result.returncode != check:
        raise AssertionError(f"mist {arguments} gave {result.returncode}, not {check}:\n{result.stdout}{result.stderr}")
    return result


def png(path, size=64, sample=lambda x, y: x * y & 255):
    rows = b"".join(b"\0" + bytes(sample(x, y) for x in range(size)) for y in range(size))
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", size, size, 8, 0, 0, 0, 0)), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks))


class Guarded(http.server.SimpleHTTPRequestHandler):
    """Files for those who say who they are; `secret` is what they must say."""
    secret = base64.b64encode(b"user's:p@ss/word:1").decode()
    asked = []

    def do_GET(self):
        self.asked.append(self.headers.get("Authorization"))
        if self.headers.get("Authorization") != "Basic " + self.secret:
            self.send_error(401)
        else:
            super().do_GET()

    def log_message(self, *_):
        pass


class Options(unittest.TestCase):
    def setUp(self):
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="mist-options-"))
        self.source, self.store, self.out = self.work / "source", self.work / "store", self.work / "out"
        self.source.mkdir()
        png(self.source / "a.png")
        (self.source / "t.csv").write_text("1,2\n")

    def tearDown(self):
        shutil.rmtree(self.work)

    def encode(self, check=0):
        return mist("encode", self.source, "-o", self.store, "--dataset", "d", check=check)

    # ---- passwords ----

    def test_a_password_is_used_and_never_shown(self):
        self.encode()
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Guarded, directory=self.store))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        host = f"127.0.0.1:{server.server_address[1]}"
        result = mist("get", f"http://user's:p%40ss%2Fword:1@{host}/d", "-o", self.out, "--json")
        self.assertEqual((self.out / "t.csv").read_bytes(), (self.source / "t.csv").read_bytes())
        self.assertTrue((self.out / "a.png").exists())
        self.assertEqual(json.loads(result.stdout)["url"], f"http://{host}/d")
        self.assertEqual(set(Guarded.asked), {"Basic " + Guarded.secret})
        kept = b"".join(p.read_bytes() for p in self.out.rglob("*") if p.is_file())
        outputs = [result]
        for url, status, says in [(f"http://user:wr%40ng-p4ss@{host}/d", 1, "401"), (f"http://u:wr%40ng-p4ss@{host}/d?x", 2, "query"),
                                  (f"http://u:wr%40ng-p4ss@127.0.0.1:{free_port()}/d", 1, "127.0.0.1"),
                                  (f"ftp://u:wr%40ng-p4ss@{host}/d", 2, "http, https"), (f"http://u:wr%40ng-p4ss@/d", 2, "no host"),
                                  (f"http://u:wr%40ng-p4ss%@{host}/d", 2, "percent-encoding"),
                                  (f"http://u:wr%40ng-p4ss@{host}/{'x' * 4096}", 2, "characters")]:
            outputs.append(mist("get", url, "-o", self.work / "none", "--retries", "0", check=status))
            self.assertIn(says, outputs[-1].stderr)
        shown = kept.decode("latin-1") + "".join(result.stdout + result.stderr for result in outputs)
        for secret in ["p@ss", "p%40ss", "wr%40ng", "wr@ng", "p4ss", Guarded.secret]:
            self.assertNotIn(secret, shown)

    # ---- plans ----

    def test_a_plan_needs_no_directory(self):
        self.encode()
        empty = self.work / "empty"
        empty.mkdir()
        plans = [json.loads(mist("get", self.store / "d", "--dry-run", "--json", *options, cwd=empty).stdout)
                 for options in [(), ("-o", self.out), ("--prune",)]]
        plans[2].pop("removed_files", None)
        self.assertGreater(plans[0]["planned_bytes"], 0)
        self.assertEqual(plans[0]["planned_bytes"], plans[0]["selected_bytes"])
        self.assertEqual((plans[1], plans[2]), (plans[0], plans[0]))
        self.assertEqual((list(empty.iterdir()), self.out.exists()), ([], False))
        self.assertIn("-o DIR", mist("get", self.store / "d", cwd=empty, check=2).stderr)
        self.assertIn("-o DIR", mist("get", self.store / "d", "--dry-run", "-o", "", cwd=empty, check=2).stderr)

    # ---- paths that look like addresses ----

    def test_label_maps_that_come_smaller_are_told(self):
        """How many of the selection are sampled: of what comes smaller, not of what comes whole."""
        for name in ("labels/b.png", "labels/c.png"):
            (self.source / name).parent.mkdir(exist_ok=True)
            png(self.source / name, 140, lambda x, y: 3 * (x // 9 + y // 7) % 6)
        png(self.source / "d.png", 140)
        mist("encode", self.source, "-o", self.store, "--dataset", "d")
        line = "label maps, sampled and never averaged: "
        for how, count in ((("--reduce", 1), 2), (("--reduce", 1, "--include", "labels/b.png"), 1), (("--size", "70x70", "--exact"), 2),
                           (("--reduce", 1, "--include", "d.png"), 0), ((), 0)):
            shutil.rmtree(self.out, ignore_errors=True)
            plan = mist("get", self.store / "d", "-o", self.out, "--dry-run", *how).stdout
            told = mist("get", self.store / "d", "-o", self.out, *how).stdout
            report = json.loads(mist("get", self.store / "d", "-o", self.out, "--json", *how).stdout)
            self.assertEqual(report["labels_sampled"], count, how)
            for text in (plan, told):
                self.assertEqual([one for one in text.splitlines() if one.startswith("label")], [line + str(count)] * (count > 0))

    def test_a_letter_and_a_colon_are_no_scheme(self):
        self.encode()
        (self.store / "d").rename(self.store / "x:d")
        mist("get", "x:d", "-o", self.out, cwd=self.store)
        self.assertTrue((self.out / "a.png").exists())

    def test_a_cache_that_is_inside_stays_inside(self):
        """As a run left it that could make nothing beside the output."""
        self.encode()
        (self.out / ".mist").mkdir(parents=True)
        mist("get", self.store / "d", "-o", self.out)
        self.assertTrue(any((self.out / ".mist").rglob("*")))
        self.assertFalse(self.out.with_name("out.mist").exists())
        # A file of that name is no cache.
        other = self.work / "other"
        other.mkdir()
        (other / ".mist").write_text("notes")
        mist("get", self.store / "d", "-o", other)
        self.assertEqual((other / ".mist").read_text(), "notes")
        self.assertTrue(other.with_name("other.mist").is_dir())

    # ---- outputs of one name ----

    def test_an_item_and_an_attachment_of_one_name(self):
        """Refused with both named, whichever comes first, and each time."""
        (self.source / "a.npy").write_text("an attachment that is called as the picture is when it is written as NPY")
        self.assertIn("a.npy: it is named like an image", self.encode(check=1).stderr)
        for again in range(3):
            result = mist("get", self.store / "d", "-o", self.out, "--format", "npy", check=1)
            self.assertRegex(result.stderr, r"its file a\.npy is written by (a\.npy|a\.png) as well; it was not written")
        # Without one of the two nothing is in the way of the other; as they are both can be had.
        mist("get", self.store / "d", "-o", self.work / "item", "--format", "npy", "--exclude", "a.npy")
        self.assertEqual((self.work / "item/a.npy").read_bytes()[:6], b"\x93NUMPY")
        for directory in [self.out, self.work / "new"]:
            mist("get", self.store / "d", "-o", directory)
            self.assertTrue((directory / "a.png").exists())
            for name in ["a.npy", "t.csv"]:
                self.assertEqual((directory / name).read_bytes(), (self.source / name).read_bytes())


if __name__ == "__main__":
    unittest.main()
