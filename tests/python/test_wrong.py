"""Wrong bytes, wrong hosts, wrong arguments: MistError with a sentence, or the right samples; never anything else."""
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import unittest

import numpy

import made
from made import pymist
from servers import Counting

ITEMS = ["mr/scaled.nii.gz", "labels/scaled.nii.gz", "pictures/colour.png", "pictures/many.npy", "mr/series.nii"]


class Bytes(made.Case):
    def read(self, data, selection):
        """The samples, or None where MistError says a sentence."""
        try:
            return pymist.open(data, **selection).read()
        except pymist.MistError as error:
            self.assertRegex(str(error), r"^memory: .{8}")
            return None

    def test_prefixes(self):
        draw = random.Random(1)
        for path in ITEMS:
            data = (made.kinds() / "items" / (path + ".mist")).read_bytes()
            wanted = {reduce: pymist.open(data, reduce=reduce) for reduce in range(pymist.open(data).levels)}
            arrays = {reduce: image.read() for reduce, image in wanted.items()}
            for _ in range(30):
                end = draw.choice([draw.randrange(64), draw.randrange(len(data))])
                for reduce, image in wanted.items():
                    found = self.read(data[:end], {"reduce": reduce})
                    # All that is needed, or an error: never a picture of less.
                    self.assertEqual(found is not None, end >= image.fetch_bytes(), (path, end, reduce))
                    if found is not None:
                        self.same(found, arrays[reduce])

    def test_flipped_bytes(self):
        draw = random.Random(2)
        for path in ITEMS:
            data = (made.kinds() / "items" / (path + ".mist")).read_bytes()
            image = pymist.open(data)
            wanted, used = image.read(), image.fetch_bytes()
            for _ in range(80):
                broken = bytearray(data)
                for _ in range(draw.choice([1, 1, 3])):
                    at = draw.choice([draw.randrange(96), draw.randrange(used)])
                    broken[at] ^= 1 << draw.randrange(8)
                if bytes(broken) != data:
                    found = self.read(bytes(broken), {})
                    self.assertIsNone(found, f"{path}: bytes were changed and nothing was said")
            self.same(self.read(data, {}), wanted)

    def test_files_that_are_none(self):
        for data in (b"", b"MIST", bytes(1 << 16), os.urandom(5000), b"\x89PNG\r\n\x1a\n" + bytes(100)):
            self.assertIsNone(self.read(data, {}))
        directory = pathlib.Path(tempfile.mkdtemp(dir=made.base()))
        self.fails("not found", "nothing.mist", pymist.open, directory / "nothing.mist")
        self.fails(None, str(directory), pymist.open, directory)
        self.fails("not found", "catalog.jsonl.zst", pymist.Dataset, directory)
        self.fails(None, "", pymist.open, "a\0b")
        catalog = (made.kinds() / "catalog.jsonl.zst").read_bytes()
        draw = random.Random(3)
        for _ in range(60):
            broken = bytearray(catalog)
            broken[draw.randrange(len(broken))] ^= 1 << draw.randrange(8)
            (directory / "catalog.jsonl.zst").write_bytes(
                draw.choice([bytes(broken), catalog[:draw.randrange(len(catalog))]]))
            try:
                pymist.Dataset(directory).plan()  # some bits of zstd's frame say nothing
            except pymist.MistError as error:
                self.assertIn("catalog", str(error))

    def test_item_of_another_dataset(self):
        copy = made.base() / "mixed"
        shutil.copytree(made.kinds(), copy)
        shutil.copy(copy / "items/mr/series.nii.mist", copy / "items/mr/plane.nii.mist")
        self.fails("checksum", "mr/plane.nii", pymist.Dataset(copy)["mr/plane.nii"].read)
        other = pymist.Dataset(made.kinds())["mr/scaled.nii.gz"]
        other._held.row.id ^= 1  # as large as the one that the catalog names, but another one
        self.fails("checksum", "not the item that the catalog names", other.read)


class Hosts(made.Case):
    """A host that lies or breaks off."""

    def setUp(self):
        self.server = Counting(made.kinds().parent)
        self.addCleanup(self.server.stop)
        self.url = f"{self.server.url}/kinds"
        self.slow = pymist._bytes.Http.TIMEOUT
        pymist._bytes.Http.TIMEOUT = 2.0
        self.addCleanup(setattr, pymist._bytes.Http, "TIMEOUT", self.slow)

    def lied_to(self, lie):
        image = pymist.Dataset(self.url)["mr/scaled.nii.gz"]
        self.server.lie = lambda handler, path, data, first, end: "/items/" in path and lie(
            handler, path, data, first, end)
        return image

    def test_lies(self):
        def send(handler, path, status, headers, body, length=None):
            self.server.send(handler, path, status, headers, body, length)
            return True

        def part(first, end, size):
            return {"Content-Range": f"bytes {first}-{end - 1}/{size}"}

        lies = {
            "other bytes": lambda h, p, d, f, e: send(h, p, 206, part(f, e, len(d)), bytes(e - f)),
            "another range": lambda h, p, d, f, e: send(h, p, 206, part(f + 1, e + 1, len(d)), d[f + 1:e + 1]),
            "no range": lambda h, p, d, f, e: send(h, p, 206, {}, d[f:e]),
            "nonsense": lambda h, p, d, f, e: send(h, p, 206, {"Content-Range": "bytes -1-x/*"}, d[f:e]),
            "fewer": lambda h, p, d, f, e: send(h, p, 206, part(f, e - 9, len(d)), d[f:e - 9]),
            "more": lambda h, p, d, f, e: send(h, p, 206, part(f, e, len(d)), d[f:e] + b"more"),
            "gone": lambda h, p, d, f, e: send(h, p, 404, {}, b""),
            "forbidden": lambda h, p, d, f, e: send(h, p, 403, {}, b""),
            "another page": lambda h, p, d, f, e: send(h, p, 200, {}, b"<html>log in</html>"),
            "to a file": lambda h, p, d, f, e: send(h, p, 302, {"Location": "file:///etc/passwd"}, b""),
            "in circles": lambda h, p, d, f, e: send(h, p, 302, {"Location": h.path}, b""),
        }
        for name, lie in lies.items():
            with self.subTest(name):
                image = self.lied_to(lie)
                said = self.fails(None, "mr/scaled.nii.gz", image.read)
                self.assertNotIn("\n", said)
                self.server.lie = None
                self.assertEqual(image.read().shape, image.shape)  # and nothing wrong was kept
                # The same where several are asked for at once.
                dataset = pymist.Dataset(self.url, include="mr")
                self.server.lie = lambda handler, path, data, first, end: "scaled" in path and lie(
                    handler, path, data, first, end)
                self.fails(None, "mr/scaled.nii.gz", dataset.fetch)
                self.server.lie = None
                self.assertEqual(len(dataset.fetch()), 3)

    def test_redirected_to_no_web(self):
        for there in ("ftp://127.0.0.1:1/x", "file:///etc/passwd", "gopher://127.0.0.1/x"):
            image = self.lied_to(lambda h, p, d, f, e: self.server.send(h, p, 302, {"Location": there}, b"") or True)
            self.fails("network", "redirects to something that is not HTTP", image.read)

    def test_many_at_once(self):
        """Answers that end the connection, or come in pieces, or late: all images are right."""
        wanted = [image.read() for image in pymist.Dataset(made.kinds(), size=32)]

        def closing(handler, path, data, first, end):
            handler.close_connection = True
            self.server.send(handler, path, 206, {"Content-Range": f"bytes {first}-{end - 1}/{len(data)}",
                                                  "Connection": "close"}, data[first:end])
            return True

        def chunked(handler, path, data, first, end):
            handler.send_response(206)
            handler.send_header("Content-Range", f"bytes {first}-{end - 1}/{len(data)}")
            handler.send_header("Transfer-Encoding", "chunked")
            handler.end_headers()
            for at in range(first, end, 1000):
                part = data[at:min(at + 1000, end)]
                handler.wfile.write(b"%x\r\n%b\r\n" % (len(part), part))
            handler.wfile.write(b"0\r\n\r\n")
            return True

        def twice(handler, path, data, first, end):  # what nobody asked for behind the answer
            self.server.send(handler, path, 206, {"Content-Range": f"bytes {first}-{end - 1}/{len(data)}"}, data[first:end])
            self.server.send(handler, path, 206, {"Content-Range": f"bytes {first}-{end - 1}/{len(data)}"}, bytes(end - first))
            return True

        for name, lie in (("truth", None), ("closing", closing), ("chunked", chunked), ("twice", twice)):
            with self.subTest(name):
                self.server.lie = lie and (lambda handler, path, data, first, end: "/items/" in path and lie(
                    handler, path, data, first, end))
                fresh = pymist.Dataset(self.url, size=32)
                try:
                    images = fresh.fetch()
                except pymist.MistError:
                    self.assertEqual(name, "twice")  # an answer that nobody asked for may be taken for a lie
                    continue
                for image, array in zip(images, wanted):
                    self.same(image.read(), array)
    def test_failures_that_pass(self):
        times = []

        def fails_twice(handler, path, data, first, end):
            times.append(path)
            if len(times) == 1:
                self.server.send(handler, path, 503, {}, b"busy")
                return True
            if len(times) == 2:  # breaks off in the middle
                self.server.send(handler, path, 206, {"Content-Range": f"bytes {first}-{end - 1}/{len(data)}"},
                                 data[first:(first + end) // 2], end - first)
                handler.connection.close()
                return True
            return False

        wanted = pymist.Dataset(made.kinds())["mr/scaled.nii.gz"].read()
        self.same(self.lied_to(fails_twice).read(), wanted)
        self.assertGreaterEqual(len(times), 3)

    def test_whole_files_for_ranges(self):
        """A host without ranges sends all: right, if dear."""
        def whole(handler, path, data, first, end):
            self.server.send(handler, path, 200, {}, data)
            return True
        wanted = pymist.Dataset(made.kinds())["mr/scaled.nii.gz"].read()
        self.same(self.lied_to(whole).read(), wanted)

    def test_secrets(self):
        """A token or a password goes to its own host only, and is in no message."""
        with_user = self.url.replace("http://", "http://ann:s3cret@")
        dataset = pymist.Dataset(with_user)
        self.assertTrue(all("Authorization" in headers for _, headers in self.server.headers))
        self.server.lie = lambda handler, path, data, first, end: "/items/" in path and (
            self.server.send(handler, path, 403, {}, b"") or True)
        self.assertNotIn("s3cret", self.fails(None, "403", dataset[0].read))
        self.assertNotIn("s3cret", repr(dataset))
        other = Counting(made.kinds().parent)
        self.addCleanup(other.stop)
        self.server.reset()
        self.server.lie = lambda handler, path, data, first, end: self.server.send(
            handler, path, 302, {"Location": other.url + path}, b"") or True
        pymist.Dataset(self.url, token="t0ken")[0].read()
        self.assertTrue(all(headers.get("Authorization") == "Bearer t0ken" for _, headers in self.server.headers))
        self.assertGreater(len(other.headers), 0)
        self.assertFalse([headers for _, headers in other.headers if "Authorization" in headers])

    def test_nobody_there(self):
        self.fails("network", "127.0.0.1:1", pymist.Dataset, "http://127.0.0.1:1/x")
        self.fails("argument", "no host", pymist.Dataset, "http:///x")


class Arguments(made.Case):
    def test_resolutions(self):
        place = (made.kinds(), "mr/scaled.nii.gz")
        for options in ({"size": 0}, {"size": -3}, {"size": 1 << 40}, {"size": 2.5}, {"size": "big"}, {"size": (1, 2, 3, 4)},
                        {"size": True}, {"reduce": -1}, {"reduce": 99}, {"reduce": (1, 2, 3)}, {"reduce": "1"},
                        {"spacing": 0}, {"spacing": float("nan")}, {"spacing": (1, 2)}, {"spacing": "x"},
                        {"size": 4, "reduce": 1}, {"exact": True}, {"size": 9, "policy": "nearest"},
                        {"size": 9, "grid": "x"}, {"size": object()}, {"size": []}, {"size": b"12"}):
            with self.subTest(options):
                self.fails("argument", "", pymist.open, place, **options)
                self.fails("argument", "", pymist.Dataset, made.kinds(), **options)

    def test_sources(self):
        for source in (None, 3, [], (1,), ("a", "b", "c"), object(), {}):
            with self.assertRaises(pymist.MistError):
                pymist.open(source)
            with self.assertRaises(pymist.MistError):
                pymist.Dataset(source)

    def test_keys(self):
        image = pymist.open((made.kinds(), "mr/scaled.nii.gz"))
        for key in ("a", 1.5, object(), (1, "b")):
            with self.assertRaises((IndexError, TypeError)):
                image[key]
        dataset = pymist.Dataset(made.kinds())
        for key in (1.5, None, object()):
            with self.assertRaises(TypeError):
                dataset[key]

    def test_memory(self):
        """A large image fails with a sentence where there is no memory for it."""
        program = """
import resource, sys
import numpy, pymist
image = pymist.open((sys.argv[1], "many.npy"))
limit = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize() + (64 << 20)
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
try:
    image.read(threads=1)
except pymist.MistError as error:
    print(error.status)
"""
        root = made.base() / "large"
        root.mkdir()
        numpy.save(root / "many.npy", numpy.zeros((8, 4096, 4096), "u2"))
        made.store("large", root)
        (root / "many.npy").unlink()
        result = subprocess.run([sys.executable, "-c", program, made.base() / "store/large"], capture_output=True,
                                text=True, env={**os.environ, "PYTHONPATH": os.environ["MIST_SOURCE"] + "/python"})
        self.assertEqual(result.stdout, "memory\n", result.stderr)

    def test_library_that_is_not_there(self):
        result = subprocess.run([sys.executable, "-c", "import pymist"], capture_output=True, text=True,
                                env={**os.environ, "PYTHONPATH": os.environ["MIST_SOURCE"] + "/python",
                                     "MIST_LIBRARY": "/nowhere/libmist-core.so"})
        self.assertIn("/nowhere/libmist-core.so", result.stderr)
        self.assertIn("ImportError", result.stderr)


if __name__ == "__main__":
    unittest.main()
