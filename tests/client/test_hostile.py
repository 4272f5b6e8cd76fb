"""mist get against servers that lie, fail, stop half-way, and against what is in the way on this machine."""
import contextlib
import gzip
import hashlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import threading
import time
import unittest

from datasets import Served, cache_of, clear, held, kept_bytes, read_catalog, tree, write_catalog
from servers import EXAMPLES, MIST, Counting, mist

ITEM = "cxr/00000061_012.png"
OTHERS = {f"cxr/{n}.png" for n in ("00000150_002", "00000165_001", "00001326_002")} | {"cxr/labels.csv"}


class Case(Served):
    def cached(self, path):
        return cache_of(self.out) / "ex" / "items" / (path + ".mist-part")

    def assert_whole(self, path):
        whole = (self.store / f"ex/items/{path}.mist").read_bytes()
        self.assertEqual(kept_bytes(self.cached(path), len(whole)), whole)


class Lies(Case):
    """Whatever is sent for one item: a sentence that names it, no wrong file, the rest is done, status 1."""

    def lie_about(self, answer, said, lasting=True, path=f"/items/{ITEM}.mist"):
        def lie(handler, asked, data, first, end):
            if not asked.endswith(path):
                return False
            try:
                answer(handler, asked, data, first, end)
            except (BrokenPipeError, ConnectionResetError):
                pass
            return True

        name = path.split("/", 2)[2].removesuffix(".mist")
        self.server.lie = lie
        report, stderr = self.get("--size", "256", check=1)
        self.assertEqual(report["failed"], 1)
        lines = stderr.splitlines()
        self.assertEqual(len(lines), 1, stderr)
        self.assertTrue(lines[0].startswith(f"mist get: {name}: "), stderr)
        self.assertRegex(lines[0], said)
        self.assertEqual(tree(self.out), {p: d for p, d in self.right.items() if p != name})
        # The host mends its ways: what is missing comes, and all is right.
        self.server.lie = None
        report, _ = self.get("--size", "256")
        self.assertEqual(report["files"], 1)
        self.assertEqual(tree(self.out), self.right)
        clear(self.out)

    def send(self, status, headers, body, length=None):
        return lambda handler, path, *_: self.server.send(handler, path, status, headers, body, length)

    def ranged(self, change):
        """A 206 whose body is changed(data, first, end), with a Content-Range as it should be."""
        def answer(handler, path, data, first, end):
            headers = {"Content-Range": f"bytes {first}-{end - 1}/{len(data)}"}
            self.server.send(handler, path, 206, headers, change(data, first, end))
        return answer

    def test_wrong_bytes(self):
        def flip(at):
            def change(data, first, end):
                body = bytearray(data[first:end])
                body[at] ^= 1
                return bytes(body)
            return change
        self.lie_about(self.ranged(flip(-1)), "not those that were stored")
        self.lie_about(self.ranged(flip(9)), "checksum differs|changed")
        self.lie_about(self.ranged(flip(60)), "checksum differs|changed")
        self.lie_about(self.ranged(lambda data, first, end: b"<html>" * 9999), "not a MIST item|more bytes")
        self.lie_about(self.ranged(lambda data, first, end: b"\0" * (end - first)), "not a MIST item")

    def test_another_item(self):
        """What is there has another id than the catalog says: exchanged meanwhile."""
        other = (self.store / "ex/items/cxr/00000150_002.png.mist").read_bytes()
        size = (self.store / f"ex/items/{ITEM}.mist").stat().st_size
        padded = (other + b"\0" * size)[:size]
        self.lie_about(lambda handler, path, data, first, end: self.server.send(
            handler, path, 206, {"Content-Range": f"bytes {first}-{end - 1}/{len(data)}"}, padded[first:end]),
            "checksum differs|changed|not what the catalog")
        self.lie_about(lambda handler, path, data, first, end: self.server.send(
            handler, path, 206, {"Content-Range": f"bytes {first}-{end - 1}/{len(other)}"}, other[first:end]), "changed")
        self.lie_about(lambda handler, path, data, first, end: self.server.send(
            handler, path, 200, {}, other), "changed")

    def test_wrong_once(self):
        """A chunk that was damaged on the way comes once more, and nobody is bothered."""
        for place in 9, 60, -1:
            seen = []
            def lie(handler, path, data, first, end):
                if not path.endswith(".png.mist") or path in seen:
                    return False
                seen.append(path)
                wrong = bytearray(data[first:end])
                wrong[place] ^= 1
                self.server.send(handler, path, 206, {"Content-Range": f"bytes {first}-{end - 1}/{len(data)}"}, bytes(wrong))
                return True
            self.server.lie = lie
            report, stderr = self.get("--size", "256")
            self.server.lie = None
            self.assertEqual((len(seen), report["failed"], stderr), (4, 0, ""))
            self.assertEqual(tree(self.out), self.right)
            clear(self.out)

    def test_an_answer_that_is_compressed_all_the_same(self):
        def answer(handler, path, data, first, end):
            self.server.send(handler, path, 200, {"Content-Encoding": "gzip"}, gzip.compress(data))
        self.lie_about(answer, "compressed its answer")
        self.assertEqual({headers.get("Accept-Encoding") for _, headers in self.server.headers}, {"identity"})

    def test_wrong_ranges(self):
        def shifted(handler, path, data, first, end):
            self.server.send(handler, path, 206, {"Content-Range": f"bytes {first + 1}-{end}/{len(data)}"},
                             data[first + 1:end + 1])
        self.lie_about(shifted, "asked for bytes from 0 and sent others")
        self.lie_about(lambda handler, path, data, first, end: self.server.send(
            handler, path, 206, {"Content-Range": f"bytes {first + 1}-{end - 1}/{len(data)}"}, data[first + 1:end]),
            "asked for bytes from 0 and sent others")
        self.lie_about(lambda handler, path, data, first, end: self.server.send(
            handler, path, 206, {"Content-Range": f"bytes {first}-{end - 1}/{len(data) + 1}"}, data[first:end]),
            r"has \d+ bytes on the host where the catalog says \d+")
        for value in ["bytes */12", "garbage", "bytes 9-1/5"]:
            self.lie_about(lambda handler, path, data, first, end, value=value: self.server.send(
                handler, path, 206, {"Content-Range": value}, data[first:end]), "makes no sense")
        self.lie_about(lambda handler, path, data, first, end: self.server.send(
            handler, path, 206, {}, data[first:end]), "without saying which")

    def test_too_much(self):
        self.lie_about(self.ranged(lambda data, first, end: data[first:end] + b"more"), "more bytes than it was asked")

        def endless(handler, path, data, first, end):
            handler.close_connection = True
            handler.send_response(206)
            handler.send_header("Content-Range", f"bytes {first}-{end - 1}/{len(data)}")
            handler.send_header("Connection", "close")
            handler.end_headers()
            handler.wfile.write(data[first:end])
            while True:
                handler.wfile.write(b"\0" * 65536)
        self.lie_about(endless, "more bytes than it was asked")

        def endless_headers(handler, path, data, first, end):
            handler.close_connection = True
            handler.wfile.write(b"HTTP/1.1 206 Partial Content\r\n")
            while True:
                handler.wfile.write(b"X-Endless: " + b"x" * 1000 + b"\r\n")
        self.lie_about(endless_headers, "endless headers|[Hh]eader")

    def test_statuses(self):
        self.lie_about(self.send(404, {}, b"gone"), "no such file")
        self.lie_about(self.send(403, {}, b"no"), "refuses access.*MIST_TOKEN is not set")
        self.lie_about(self.send(416, {}, b""), "shorter on the host")
        self.lie_about(self.send(418, {}, b"x" * 300000), "answered 418")
        self.lie_about(self.send(302, {"Location": "file:///etc/passwd"}, b""), "[Pp]rotocol")
        self.lie_about(self.send(302, {"Location": f"/ex/items/{ITEM}.mist"}, b""), "redirect")
        self.lie_about(self.send(503, {"Retry-After": "86400"}, b"busy"), "asked again in 86400 seconds")

    def test_attachments(self):
        path = "/files/cxr/labels.csv"
        self.lie_about(self.ranged(lambda data, first, end: b"x" * (end - first)), "not the bytes that the catalog",
                       path=path)
        self.lie_about(self.ranged(lambda data, first, end: data[first:end] + b"x"), "more bytes than", path=path)
        self.lie_about(self.send(404, {}, b"gone"), "no such file", path=path)

    def test_an_attachment_that_came_whole(self):
        """All its bytes are here, but not yet in its place: as after a kill before the renaming. It is not fetched again."""
        asked = []
        def count(handler, path, data, first, end):
            asked.append(path)
            return False
        self.server.lie = count
        self.get("--size", "256")
        whole = (self.out / "cxr/labels.csv").read_bytes()
        names = {p.name for p in cache_of(self.out).rglob("*")}
        self.addCleanup(clear, self.out)
        def stop(handler, path, data, first, end):
            if not path.endswith("/files/cxr/labels.csv"):
                return False
            handler.close_connection = True
            handler.send_response(206 if first else 200)
            handler.send_header("Content-Length", str(end - first))
            if first:
                handler.send_header("Content-Range", f"bytes {first}-{end - 1}/{len(data)}")
            handler.end_headers()
            handler.wfile.write(data[first:end - 1])  # all but one byte, each time
            return True
        clear(self.out)
        self.server.lie = stop
        self.get("--size", "256", "--retries", "0", check=1)
        parts = [p for p in [*cache_of(self.out).rglob("*"), *self.out.rglob("*")] if p.is_file() and p.stat().st_size == len(whole) - 1
                 and whole.startswith(p.read_bytes())]
        self.assertEqual(len(parts), 1, names)
        parts[0].write_bytes(whole)
        asked.clear()
        self.server.lie = count
        self.get("--size", "256")
        self.assertEqual([path for path in asked if path.endswith("labels.csv")], [])
        self.assertEqual(tree(self.out), self.right)

    def test_catalog(self):
        good = (self.store / "ex/catalog.jsonl.zst").read_bytes()
        for body, said in [(b"", "empty"), (b"<html>login</html>", "damaged"), (good[:-9], "early|complete"),
                           (good[:20] + bytes([good[20] ^ 1]) + good[21:], "catalog|line")]:
            self.server.lie = lambda handler, path, *_, body=body: bool(
                path.endswith(".zst") and (self.server.send(handler, path, 200, {}, body) or True))
            _, stderr = self.get(check=1)
            self.assertRegex(stderr, said)
            self.assertIn(self.url, stderr)
            self.assertFalse(self.out.exists())

    def test_a_server_without_ranges(self):
        """200 with everything: what is wanted is taken of it, and the connection closed."""
        def whole(handler, path, data, first, end):
            if data is None:
                return False
            try:
                self.server.send(handler, path, 200, {}, data)
            except (BrokenPipeError, ConnectionResetError):
                pass
            return True
        self.server.lie = whole
        report, stderr = self.get("--size", "256")
        self.assertEqual((report["failed"], stderr), (0, ""))
        self.assertEqual(tree(self.out), self.right)
        self.assertEqual(self.get()[0]["failed"], 0)
        for path in OTHERS | {ITEM}:
            if path.endswith(".png"):
                self.assert_whole(path)

    def test_what_passes_is_tried_again(self):
        """Errors that go away, bodies that break off: all is well at last, and no byte is asked for twice."""
        tries = {}

        def shaky(handler, path, data, first, end):
            if data is None or path.endswith(".zst"):
                return False
            tries[path] = tries.get(path, 0) + 1
            if tries[path] == 1:
                self.server.send(handler, path, 503, {"Retry-After": "0"}, b"")
            elif tries[path] == 2:
                half = data[first:first + (end - first) // 2]
                handler.close_connection = True
                self.server.send(handler, path, 206, {"Content-Range": f"bytes {first}-{end - 1}/{len(data)}"}, half,
                                 length=end - first)
            else:
                return False
            return True
        self.server.lie = shaky
        report, stderr = self.get("--size", "256")
        self.assertEqual((report["failed"], stderr), (0, ""))
        self.assertEqual(tree(self.out), self.right)
        self.assertEqual(report["fetched_bytes"], report["planned_bytes"])
        self.assertEqual(self.server.body_bytes(), report["planned_bytes"])
        self.assertEqual(set(tries.values()), {3})

    def test_the_token_stays_with_its_host(self):
        other = Counting(self.store)
        self.addCleanup(other.stop)

        def away(handler, path, *_):
            if not path.endswith(".mist"):
                return False
            self.server.send(handler, path, 302, {"Location": f"{other.url}{path}"}, b"")
            return True
        self.server.lie = away
        self.get("--size", "256", env={"MIST_TOKEN": "secret"})
        self.assertEqual(tree(self.out), self.right)
        self.assertEqual({h.get("Authorization") for _, h in self.server.headers}, {"Bearer secret"})
        self.assertGreater(len(other.headers), 3)
        self.assertEqual({h.get("Authorization") for _, h in other.headers}, {None})


class Interrupted(Case):
    """A download that is killed half-way; the next run fetches the rest and only that."""

    def slow(self, handler, path, data, first, end):
        """Sends half of each item, then waits until the client is gone."""
        if not path.endswith(".mist"):
            return False
        handler.send_response(206)
        handler.send_header("Content-Range", f"bytes {first}-{end - 1}/{len(data)}")
        handler.send_header("Content-Length", str(end - first))
        handler.end_headers()
        handler.close_connection = True
        half = (end - first) // 2
        try:
            handler.wfile.write(data[first:first + half])
            with self.server.lock:
                self.server.log.append((path, handler.headers.get("Range"), half))
            self.halves.release()
            self.gone.wait(60)
        except OSError:
            pass
        return True

    def interrupt(self, number):
        self.halves, self.gone = threading.Semaphore(0), threading.Event()
        self.server.lie = self.slow
        process = subprocess.Popen([MIST, "get", self.url, "-o", str(self.out)], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        for _ in range(4):
            self.assertTrue(self.halves.acquire(timeout=60))
        # What has been sent must have been written: wait until it is there.
        table = self.out / "cxr/labels.csv"
        for _ in range(1200):
            here = 0
            for path in OTHERS | {ITEM}:
                if path.endswith(".png") and self.cached(path).exists():
                    size = (self.store / f"ex/items/{path}.mist").stat().st_size
                    here += sum(end - start for start, end in held(self.cached(path), size))
            if table.exists() and here + table.stat().st_size == self.server.body_bytes():
                break
            time.sleep(0.05)
        else:
            self.fail("what was sent was not written")
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=60)
        self.gone.set()
        self.server.lie = None
        return process.returncode, stderr

    def resume(self):
        first = self.server.body_bytes()
        self.server.reset()
        plan, _ = self.get("--dry-run")
        report, _ = self.get()
        self.assertEqual(report["failed"], 0)
        self.assertEqual(self.server.body_bytes(), plan["planned_bytes"])
        self.assertEqual(first + self.server.body_bytes(), plan["selected_bytes"], "each byte once")
        for path in OTHERS | {ITEM}:
            if path.endswith(".png"):
                self.assert_whole(path)
        self.assertEqual(set(tree(self.out)), OTHERS | {ITEM})
        self.assertEqual(list(self.out.rglob("*.part")), [])

    def test_killed(self):
        status, _ = self.interrupt(signal.SIGKILL)
        self.assertEqual(status, -signal.SIGKILL)
        self.assertFalse(any(p.endswith(".png") for p in tree(self.out)))
        self.resume()

    def test_interrupted(self):
        status, stderr = self.interrupt(signal.SIGINT)
        self.assertEqual(status, 1)
        self.assertEqual(stderr, "mist get: stopped; run it again to go on where it stopped\n")
        self.resume()

    def test_what_a_power_cut_may_leave(self):
        """Bytes of the part file that are not what was sent: found, and fetched again."""
        self.interrupt(signal.SIGKILL)
        part = self.cached(ITEM)
        size = held(part, (self.store / f"ex/items/{ITEM}.mist").stat().st_size)[-1][1]
        with open(part, "r+b") as file:
            file.seek(size - 5000)
            file.write(b"\0" * 5000)
        report, stderr = self.get()
        self.assertEqual((report["failed"], stderr), (0, ""))
        self.assert_whole(ITEM)

    def test_damage_in_what_is_kept(self):
        """A byte of a kept item goes wrong: no picture is made of it, the chunk is fetched again."""
        self.get("--size", "256")
        whole = (self.store / f"ex/items/{ITEM}.mist").read_bytes()
        (_, end), = held(self.cached(ITEM), len(whole))
        data = bytearray(self.cached(ITEM).read_bytes())
        data[end - 7] ^= 4
        self.cached(ITEM).write_bytes(data)
        report, _ = self.get("--size", "128")
        self.assertEqual(report["failed"], 0)
        report, _ = self.get("--size", "256")
        self.assertEqual(report["failed"], 0)
        self.assertEqual(tree(self.out), self.right)
        self.assertGreater(report["fetched_bytes"], 0)
        self.assertEqual(self.cached(ITEM).read_bytes()[:end], whole[:end])

    def test_what_changed_on_the_host(self):
        store, source = self.base / "changing", self.base / "changing-source"
        shutil.copytree(EXAMPLES / "cxr", source / "cxr")
        mist("encode", source, "-o", store, "--dataset", "ex")
        self.get("--size", "256", url=f"{store}/ex")
        shutil.copy(source / "cxr/00000150_002.png", source / ITEM)
        (source / "cxr/labels.csv").write_text("new\n")
        mist("encode", source, "-o", store, "--dataset", "ex")
        report, _ = self.get("--size", "256", url=f"{store}/ex")
        self.assertEqual((report["files"], report["unchanged"]), (2, 3))
        got = tree(self.out)
        self.assertEqual(got["cxr/labels.csv"], b"new\n")
        self.assertEqual(got[ITEM], got["cxr/00000150_002.png"])
        shutil.rmtree(store)
        shutil.rmtree(source)

    def test_a_series_that_lost_a_slice(self):
        """The file of a slice that is gone goes too, unless it was changed here; in other formats nothing goes."""
        store, source = self.base / "series", self.base / "series-source"
        shutil.copytree(EXAMPLES / "ct-head", source / "ct-head")
        mist("encode", source, "-o", store, "--dataset", "ex")
        self.get("--size", "64", "--format", "npy", url=f"{store}/ex")
        self.get("--size", "64", url=f"{store}/ex")
        for name in ["I210", "I230"]:
            (source / "ct-head" / name).unlink()
        (self.out / "ct-head/I230").write_text("mine")
        mist("encode", source, "-o", store, "--dataset", "ex", "--prune")
        self.get("--size", "128", url=f"{store}/ex")
        self.assertEqual(set(tree(self.out)), {f"ct-head/{n}" for n in ["I200", "I220", "I230", "I240", "I250",
                                                                       "I200.npy", "I200.json"]})
        self.assertEqual((self.out / "ct-head/I230").read_text(), "mine")
        shutil.rmtree(store)
        shutil.rmtree(source)

    def test_what_changed_here(self):
        """A file that was touched or removed is written again, without fetching; the others are left alone."""
        self.get("--size", "256")
        stamps = {p: (self.out / p).stat().st_mtime_ns for p in tree(self.out)}
        (self.out / ITEM).write_bytes(b"scribbled")
        (self.out / "cxr/00000150_002.png").unlink()
        self.server.reset()
        report, _ = self.get("--size", "256")
        self.assertEqual((report["files"], report["fetched_bytes"], self.server.body_bytes()), (2, 0, 0))
        self.assertEqual(tree(self.out), self.right)
        for path in ["cxr/00001326_002.png", "cxr/labels.csv"]:
            self.assertEqual((self.out / path).stat().st_mtime_ns, stamps[path])

    def test_no_cache(self):
        self.get("--size", "256", "--no-cache")
        self.assertEqual(tree(self.out), self.right)
        self.assertEqual(list(cache_of(self.out).rglob("*.mist*")), [])
        report, _ = self.get("--size", "256", "--no-cache")
        self.assertEqual((report["fetched_bytes"], report["files"]), (0, 0))


class Here(Case):
    """What is in the way on this machine, and what a catalog must not reach."""

    def test_nothing_is_written_through_links(self):
        outside = self.base / "outside"
        outside.mkdir()
        (outside / "labels.csv").write_text("precious")
        self.out.mkdir()
        (self.out / "cxr").symlink_to(outside)
        report, stderr = self.get("--size", "256", check=1)
        self.assertEqual(report["failed"], 5)
        self.assertIn("symbolic link", stderr)
        self.assertEqual(tree(outside), {"labels.csv": b"precious"})
        # A link in the place of a file is replaced, what it points to is not.
        (self.out / "cxr").unlink()
        (self.out / "cxr").mkdir()
        (self.out / "cxr/labels.csv").symlink_to(outside / "labels.csv")
        (self.out / ITEM).symlink_to(outside / "made.png")
        self.get("--size", "256")
        self.assertEqual(tree(self.out), self.right)
        self.assertEqual(tree(outside), {"labels.csv": b"precious"})
        self.assertFalse((self.out / ITEM).is_symlink())
        shutil.rmtree(outside)

    def test_links_in_our_own_directory(self):
        outside = self.base / "outside"
        outside.mkdir()
        self.out.mkdir()
        (self.out / ".mist").symlink_to(outside)
        self.get("--size", "256")
        self.assertEqual(tree(self.out), self.right)
        self.assertEqual(list(outside.iterdir()), [])
        shutil.rmtree(outside)

    def test_directories_and_files_in_the_way(self):
        (self.out / ITEM).mkdir(parents=True)
        report, stderr = self.get("--size", "256", check=1)
        self.assertEqual(report["failed"], 1)
        self.assertIn(f"{ITEM}: a directory of this name is in the way", stderr)
        clear(self.out)
        self.out.mkdir()
        (self.out / "cxr").write_text("a file")
        report, stderr = self.get("--size", "256", check=1)
        self.assertEqual(report["failed"], 5)
        self.assertIn("a file is there where a directory is needed", stderr)
        self.assertEqual((self.out / "cxr").read_text(), "a file")

    def test_one_item_is_the_directory_of_another(self):
        item = next(r for r in read_catalog(self.store / "ex") if r.get("path") == ITEM)
        store = self.base / "odd" / "ex"
        data = (self.store / f"ex/items/{ITEM}.mist").read_bytes()
        lines = [{**item, "path": "a", "files": [{"path": ITEM, "frames": 1}]},
                 {"file": "a.csv", "size": 1, "checksum": "0" * 16},
                 {"file": f"{ITEM}/below.csv", "size": 0, "checksum": "2d06800538d394c2"}]
        write_catalog(store, [json.dumps(line) for line in lines], 1, 2)
        (store / "items").mkdir()
        (store / "items/a.mist").write_bytes(data)
        (store / "files" / ITEM).mkdir(parents=True)
        (store / "files" / ITEM / "below.csv").touch()
        report, stderr = self.get("--size", "256", "-j", "1", url=store, check=1)
        self.assertEqual(report["failed"], 2, stderr)
        self.assertIn("in the way", stderr + "in the way" * ("a directory is needed" in stderr))
        self.assertIn("a.csv: ", stderr)
        shutil.rmtree(store.parent)

    def test_paths_of_a_catalog(self):
        """Paths that leave, or that come into our own directory: in the catalog, and in an item's manifest."""
        item = next(r for r in read_catalog(self.store / "ex") if r.get("path") == ITEM)
        for path in ["../evil.png", "/evil.png", "a/../../evil.png", "a//b", "a\u0000b", ".", "a/.."]:
            write_catalog(self.base / "evil", [json.dumps({**item, "path": path})], 1, 0)
            _, stderr = self.get("--size", "256", url=self.base / "evil", check=1)
            self.assertIn("line 2", stderr)
        for path in [".mist/x", ".mist"]:
            write_catalog(self.base / "evil", [json.dumps({"file": path, "size": 1, "checksum": "0" * 16})], 0, 1)
            report, stderr = self.get(url=self.base / "evil", check=1)
            self.assertEqual(report["failed"], 1)
            self.assertIn("not allowed", stderr)
        for key, value in [("head_end", 2 ** 40), ("size", 2 ** 60)]:
            ends = [max(end, 2 ** 40) for end in item["ends"]]
            row = {**item, "ends": ends, "size": 2 ** 60, key: value}
            write_catalog(self.base / "evil", [json.dumps(row)], 1, 0)
            report, stderr = self.get("--size", "256", url=self.base / "evil", check=1)
            self.assertIn("size that no item can have", stderr)
        shutil.rmtree(self.base / "evil")

    def test_an_item_that_writes_into_our_own_directory(self):
        """Its name in the catalog is innocent, the name of its file in its own manifest is not."""
        source, sly, evil = self.base / "sly", self.base / "sly-store", self.base / "evil"
        (source / ".mist").mkdir(parents=True)
        shutil.copy(EXAMPLES / ITEM, source / ".mist/x.png")
        mist("encode", source, "-o", sly, "--dataset", "ex")
        row, = read_catalog(sly / "ex")
        self.assertEqual(row["path"], ".mist/x.png")
        write_catalog(evil, [json.dumps({**row, "path": "innocent.png"})], 1, 0)
        (evil / "items").mkdir()
        shutil.copy(sly / "ex/items/.mist/x.png.mist", evil / "items/innocent.png.mist")
        report, stderr = self.get("--size", "256", url=evil, check=1)
        self.assertEqual((report["failed"], report["files"]), (1, 0))
        self.assertEqual(stderr, "mist get: innocent.png: it wants to write .mist/x.png, which is not allowed\n")
        self.assertFalse((self.out / ".mist/x.png").exists())
        self.assertEqual(tree(self.out), {})
        for path in [source, sly, evil]:
            shutil.rmtree(path)

    def test_where_nothing_can_be_written(self):
        for place in ["/dev/null/x", "/proc/nothing"]:
            result = mist("get", self.url, "-o", place, check=1)
            self.assertIn(place.rsplit("/", 1)[0], result.stderr)
            self.assertEqual(len(result.stderr.splitlines()), 1)

    def test_a_full_disk(self):
        """Files may grow to 40 kB only: as on a full disk, every item says so, and none is left half-written."""
        program = f"ulimit -f 40; trap '' XFSZ; exec {MIST} get {self.url} -o {self.out} --size 512"
        result = subprocess.run(["bash", "-c", program], capture_output=True, text=True, timeout=60)
        self.assertEqual(result.returncode, 1)
        self.assertIn("File too large", result.stderr)
        self.assertFalse(any(p.endswith(".png") for p in tree(self.out)), result.stderr)
        report, _ = self.get("--size", "512")
        self.assertEqual(report["failed"], 0)

    def test_one_at_a_time(self):
        """A run wants the directory for itself: not even a lock that others may share is beside it."""
        import fcntl
        self.out.mkdir()
        cache_of(self.out).mkdir()
        for taken in [(self.out, os.O_RDONLY), (cache_of(self.out) / "lock", os.O_RDWR | os.O_CREAT)]:
            lock = os.open(*taken)
            for kind in [fcntl.LOCK_EX, fcntl.LOCK_SH]:
                fcntl.flock(lock, kind)
                _, stderr = self.get(check=1)
                self.assertIn("another 'mist get'", stderr)
            os.close(lock)
        self.get()

    def test_a_hundred_thousand_items(self):
        """The plan of many items takes little memory: a fraction of the catalog itself."""
        item = next(r for r in read_catalog(self.store / "ex") if r.get("path") == ITEM)
        small = 1000
        peaks = {}
        for count in (small, 100000):
            head, tail = json.dumps({**item, "path": "@"}).split("@")
            # Numbers that ascend and yet do not compress to nothing.
            names = (f"{i:06}-{hashlib.md5(str(i).encode()).hexdigest()}.png" for i in range(count))
            write_catalog(self.base / "many", (head + name + tail for name in names), count, 0)
            # Its report does not fit into the pipe, which is full: it stands still at its end, where its peak can be read.
            # (ru_maxrss would count this very process before the exec.)
            reader, writer = os.pipe()
            os.set_blocking(writer, False)
            filled = 0
            with contextlib.suppress(BlockingIOError):
                while True:
                    filled += os.write(writer, b" " * 512)
            os.set_blocking(writer, True)
            process = subprocess.Popen([MIST, "get", str(self.base / "many"), "-o", str(self.out), "--dry-run",
                                        "--size", "256", "--json"], stdout=writer)
            os.close(writer)
            about = pathlib.Path(f"/proc/{process.pid}/stat")
            deadline, still, before = time.monotonic() + 120, 0, None
            while still < 60:  # asleep for 0.3 s, and no time of a processor used
                self.assertLess(time.monotonic(), deadline)
                fields = about.read_text().rsplit(") ", 1)[1].split()
                still = still + 1 if fields[0] == "S" and fields[11:13] == before else 0
                before = fields[11:13]
                time.sleep(0.005)
            status = dict(line.split(":", 1) for line in
                          pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines())
            peaks[count] = int(status["VmHWM"].split()[0]) * 1024
            with open(reader, "rb") as output:
                report = json.loads(output.read()[filled:])
            self.assertEqual(process.wait(), 0)
            self.assertEqual((report["items"], report["planned_bytes"]), (count, count * item["ends"][2]))
        catalog = (self.base / "many/catalog.jsonl.zst").stat().st_size
        print(f"memory for a plan of 100000 items: {peaks[100000] >> 20} MiB; of 1000: {peaks[small] >> 20} MiB")
        # The mapped catalog counts; beyond it nothing grows with the number of items.
        self.assertLess(peaks[100000] - peaks[small], catalog + 100000 * 8 + (4 << 20))
        shutil.rmtree(self.base / "many")


if __name__ == "__main__":
    unittest.main()
