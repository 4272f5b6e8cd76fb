"""mist get: the same bytes and files from every kind of place, judged by nibabel, pydicom, PIL and the originals."""
import struct
import io
import gzip
import hashlib
import json
import pathlib
import shutil
import tempfile
import unittest

from datasets import Downloads, cache_of, clear, kept_bytes, tree
from servers import EXAMPLES, SHARED, Counting, Nginx, Serve, mist

try:
    import nibabel
    import numpy as np
    import pydicom
    from PIL import Image
except ImportError as missing:
    print(f"skipped: a judge is not installed: {missing}")
    raise SystemExit(77)

CXR = "cxr/00000061_012.png"
HEAD = "mr-head/images/chris_PD.nii.gz"
HEAD_LABELS = "mr-head/labels/chris_PD.nii.gz"
CT = "ct-head/I200"


def content(data):
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


def chunks(png):
    """All but the compressed samples."""
    at, found = 8, []
    while at < len(png):
        length, kind = struct.unpack(">I4s", png[at:at + 8])
        if kind != b"IDAT":
            found.append((kind, png[at + 8:at + 8 + length]))
        at += 12 + length
    return found


class Case(Downloads):
    @classmethod
    def setUpClass(cls):
        cls.base = pathlib.Path(tempfile.mkdtemp(prefix="mist-get-"))
        cls.base.chmod(0o755)
        cls.store = cls.base / "store"
        cls.source = cls.base / "source"
        shutil.copytree(EXAMPLES, cls.source)
        hippocampus = SHARED / "data" / "seg-hippocampus"
        if hippocampus.is_dir():
            shutil.copytree(hippocampus, cls.source / "hippocampus")
        else:
            print("skipped: ../shared/data/seg-hippocampus is not here; examples/data has two of its pairs")
        mist("encode", cls.source, "-o", cls.store, "--dataset", "ex")

    def get(self, url, *arguments, check=0, out=None):
        result = mist("get", url, "-o", out or self.out, "--json", *arguments, check=check)
        return json.loads(result.stdout) if result.stdout else result.stderr

    def item(self, path):
        return self.store / "ex" / "items" / (path + ".mist")

    def cached(self, path):
        return cache_of(self.out) / "ex" / "items" / (path + ".mist-part")

    def assert_original(self, files):
        """Byte-identical (NIfTI: inside of the gzip), PNG: the same pixels and mode."""
        originals = tree(self.source)
        self.assertEqual(set(files), set(originals))
        for path, data in originals.items():
            if path.endswith(".png"):
                with Image.open(self.source / path) as a, Image.open(self.out / path) as b:
                    self.assertEqual((a.mode, a.size), (b.mode, b.size))
                    self.assertEqual(a.tobytes(), b.tobytes(), path)
            else:
                self.assertEqual(content(files[path]), content(data), path)


class Everywhere(Case):
    """The same from every place: each kind of place runs the whole of it."""

    def judge(self, url):
        plan = self.get(url, "--size", "64", "--dry-run")
        self.assertFalse(self.out.exists() or cache_of(self.out).exists(), "a dry run changes nothing")
        small = self.get(url, "--size", "64")
        self.assertEqual(small["fetched_bytes"], plan["planned_bytes"])
        self.assertEqual(small["selected_bytes"], plan["planned_bytes"])
        self.assertEqual((small["failed"], small["unchanged"]), (0, 0))
        self.assertEqual(small["source_bytes"], sum(map(len, tree(self.source).values())))
        self.assertEqual(set(tree(self.out)), set(tree(self.source)))
        digest = hashlib.sha256()
        for path, data in sorted(tree(self.out).items()):
            digest.update(path.encode() + content(data))
        again = self.get(url, "--size", "64")
        self.assertEqual((again["fetched_bytes"], again["files"]), (0, 0))
        self.assertEqual(again["unchanged"], small["items"] + small["attachments"])
        self.assertEqual(again["requests"], 1, "the catalog only")
        plan = self.get(url, "--dry-run")
        full = self.get(url)
        self.assertEqual(full["fetched_bytes"], plan["planned_bytes"])
        self.assertEqual(full["selected_bytes"], full["fetched_bytes"] + small["fetched_bytes"],
                         "nothing is fetched twice")
        self.assert_original(tree(self.out))
        items = [p.relative_to(self.store / "ex" / "items") for p in (self.store / "ex" / "items").rglob("*.mist")]
        self.assertEqual(len(items), full["items"])
        for path in items:
            whole = (self.store / "ex/items" / path).read_bytes()
            part = cache_of(self.out) / "ex/items" / path.with_name(path.name + "-part")
            self.assertEqual(kept_bytes(part, len(whole)), whole, path)
        self.assertEqual([p for p in self.out.rglob("*.part")], [])
        # Back to the small size: everything is here.
        back = self.get(url, "--size", "64")
        self.assertEqual(back["fetched_bytes"], 0)
        return digest.hexdigest()

    def test_everywhere(self):
        places = {"path": (None, f"{self.store}/ex"), "file": (None, f"file://{self.store}/ex/")}
        serve = Serve(self.store)
        self.addCleanup(serve.stop)
        places["mist serve"] = (serve, f"{serve.url}/ex")
        counting = Counting(self.store)
        self.addCleanup(counting.stop)
        places["counting"] = (counting, f"{counting.url}/ex/")
        if Nginx.program:
            nginx = Nginx(self.store)
            self.addCleanup(nginx.stop)
            places["nginx"] = (nginx, f"{nginx.url}/ex")
        else:
            print("skipped: nginx is not installed")
        digests = {}
        for name, (_, url) in places.items():
            with self.subTest(name):
                digests[name] = self.judge(url)
                clear(self.out)
        self.assertEqual(len(set(digests.values())), 1, digests)

    def test_requests_are_one_for_each_item(self):
        """One catalog request, one range for each item, one more where the headers are wanted at a reduced size."""
        server = Counting(self.store)
        self.addCleanup(server.stop)
        report = self.get(f"{server.url}/ex", "--size", "64", "--exclude", "*.nii.gz")
        self.assertEqual(server.body_bytes(), report["fetched_bytes"])
        requests = {(path, asked) for path, asked, _ in server.log}
        self.assertEqual(len(requests), report["requests"])
        ct = [r for r in requests if "/items/ct-head/" in r[0]]
        self.assertEqual(len(ct), 2, "levels and tail")
        self.assertEqual(len(requests), 1 + report["items"] + 1 + report["attachments"])


class Judges(Case):
    """What arrives is right, and is what mist decode makes of the item on the host."""

    def test_values_and_affines_at_every_reduce(self):
        full = nibabel.load(self.source / HEAD)
        for reduce in range(3):
            self.get(f"{self.store}/ex", "--reduce", reduce)
            got = nibabel.load(self.out / HEAD)
            step = 2 ** reduce
            expected = full.affine @ np.diag([step, step, 1, 1])
            np.testing.assert_allclose(got.affine, expected, atol=1e-4)
            self.assertEqual(got.shape[:2], tuple(-(-n // step) for n in full.shape[:2]))
            self.assertEqual(got.shape[2:], full.shape[2:])
            self.assertEqual(got.get_data_dtype(), full.get_data_dtype())
            decoded = self.base / "decoded"
            for path in [HEAD, HEAD_LABELS, CXR]:
                mist("decode", self.item(path), "-o", decoded, "--reduce", reduce)
                self.assertEqual(content((decoded / path).read_bytes()), content((self.out / path).read_bytes()))
            shutil.rmtree(decoded)

    def test_pictures_come_back_to_the_byte(self):
        """These X-rays were written as libpng does if not told otherwise; with --identical so do we, else faster and of about the same length."""
        self.get(f"{self.store}/ex", "--include", "cxr/*.png")
        fast = {path: data for path, data in tree(self.out).items() if path.endswith(".png")}
        self.get(f"{self.store}/ex", "--include", "cxr/*.png", "--identical")
        pictures = [path for path in tree(self.source) if path.startswith("cxr/") and path.endswith(".png")]
        self.assertGreater(len(pictures), 3)
        for path in pictures:
            original = (self.source / path).read_bytes()
            self.assertEqual((self.out / path).read_bytes(), original, path)
            self.assertNotEqual(fast[path], original)
            self.assertLess(len(fast[path]), 1.01 * len(original))
            self.assertEqual(chunks(fast[path]), chunks(original), path)
            with Image.open(io.BytesIO(fast[path])) as a, Image.open(io.BytesIO(original)) as b:
                self.assertEqual((a.mode, a.size, a.tobytes()), (b.mode, b.size, b.tobytes()))

    def test_labels_lie_on_the_grid_of_their_images(self):
        self.get(f"{self.store}/ex", "--size", "64", "--include", "*.nii.gz")
        pairs = [p for p in self.out.rglob("*.nii.gz") if p.parent.name == "images"]
        self.assertGreater(len(pairs), 3)
        reduced = 0
        for image_path in pairs:
            label_path = image_path.parent.parent / "labels" / image_path.name
            image, label = nibabel.load(image_path), nibabel.load(label_path)
            self.assertEqual(image.shape, label.shape)
            np.testing.assert_array_equal(image.affine, label.affine)
            original = nibabel.load(self.source / label_path.relative_to(self.out))
            full = np.asarray(original.dataobj)
            step = -(-full.shape[0] // label.shape[0])
            reduced += step > 1
            np.testing.assert_array_equal(np.asarray(label.dataobj), full[::step, ::step])
            self.assertLessEqual(set(np.unique(label.dataobj)), set(np.unique(full)))
        self.assertGreater(reduced, 1)

    def test_dicom_at_reduced_size(self):
        self.get(f"{self.store}/ex", "--reduce", "2", "--include", "ct-head")
        uids = set()
        for path in sorted((self.source / "ct-head").iterdir()):
            original, got = pydicom.dcmread(path), pydicom.dcmread(self.out / "ct-head" / path.name)
            self.assertEqual((got.Rows, got.Columns), (original.Rows // 4, original.Columns // 4))
            np.testing.assert_allclose([float(v) for v in got.PixelSpacing],
                                       [4 * float(v) for v in original.PixelSpacing], rtol=1e-6)
            self.assertEqual(got.ImagePositionPatient, original.ImagePositionPatient)
            self.assertEqual((got.PatientID, got.SeriesDescription), (original.PatientID, original.SeriesDescription))
            self.assertNotEqual(got.SOPInstanceUID, original.SOPInstanceUID)
            self.assertEqual(got.pixel_array.shape, (original.Rows // 4, original.Columns // 4))
            # A low-pass image follows the samples that its own lie on: more closely than those half a step off.
            full = original.pixel_array.astype(float)
            near, off = ([np.corrcoef(full[n::4, n::4].ravel(), got.pixel_array.ravel())[0, 1] for n in (0, 2)])
            self.assertGreater(near, 0.95)
            self.assertGreater(near, off)
            uids.add(got.SOPInstanceUID)
        self.assertEqual(len(uids), len(list((self.source / "ct-head").iterdir())))

    def test_sizes_exact_grid_and_spacing(self):
        self.get(f"{self.store}/ex", "--size", "300x200", "--exact", "--include", "cxr/*.png")
        with Image.open(self.out / CXR) as picture:
            self.assertEqual(picture.size, (300, 200))
        native, center = self.base / "native", self.base / "center"
        for grid, out in [("native", native), ("center", center)]:
            self.get(f"{self.store}/ex", "--reduce", "2", "--grid", grid, "--include", HEAD, out=out)
        a, b = nibabel.load(native / HEAD), nibabel.load(center / HEAD)
        shift = nibabel.load(self.source / HEAD).affine[:3, :2] @ [1.5, 1.5]
        np.testing.assert_allclose(b.affine[:3, 3] - a.affine[:3, 3], shift, atol=1e-3)
        self.get(f"{self.store}/ex", "--spacing", "4", "--include", HEAD)
        zooms = nibabel.load(self.source / HEAD).header.get_zooms()
        got = nibabel.load(self.out / HEAD).header.get_zooms()
        self.assertLess(abs(np.log2(got[0] / 4)), 0.51, (zooms, got))
        shutil.rmtree(native)
        shutil.rmtree(center)

    def test_formats(self):
        url = f"{self.store}/ex"
        self.get(url, "--size", "64", "--format", "npy", "--include", HEAD)
        volume = np.load(self.out / "mr-head/images/chris_PD.npy")
        decoded = self.base / "decoded"
        mist("decode", self.item(HEAD), "-o", decoded, "--size", "64", "--format", "npy")
        np.testing.assert_array_equal(volume, np.load(decoded / "mr-head/images/chris_PD.npy"))
        shutil.rmtree(decoded)
        # The items themselves: prefixes of the host's files, and at last the same files.
        report = self.get(url, "--size", "64", "--format", "mist", "--include", "cxr")
        got, whole = (self.out / (CXR + ".mist")).read_bytes(), self.item(CXR).read_bytes()
        self.assertEqual(got, whole[:len(got)])
        self.assertLess(len(got), len(whole) / 10)
        self.assertEqual(self.get(url, "--size", "64", "--format", "mist", "--include", "cxr")["files"], 0)
        full = self.get(url, "--format", "mist", "--include", "cxr")
        self.assertEqual((self.out / (CXR + ".mist")).read_bytes(), whole)
        self.assertEqual(full["fetched_bytes"] + report["fetched_bytes"], full["selected_bytes"])
        mist("verify", self.out / (CXR + ".mist"))
        # Two items that would become one file: one of them is refused, none is mixed up.
        source, store = self.base / "same", self.base / "same-store"
        source.mkdir()
        shutil.copy(self.source / CXR, source / "a.png")
        shutil.copy(self.source / HEAD, source / "a.nii.gz")
        mist("encode", source, "-o", store, "--dataset", "d")
        stderr = self.get(f"{store}/d", "--format", "npy", "-j", "1", check=1, out=self.base / "same-out")
        for path in [source, store, self.base / "same-out"]:
            shutil.rmtree(path)
        self.assertEqual(stderr["failed"], 1)


class Choosing(Case):
    def test_include_and_exclude(self):
        url = f"{self.store}/ex"

        def chosen(*arguments):
            clear(self.out)
            self.get(url, "--size", "32", *arguments)
            return set(tree(self.out))

        everything = set(tree(self.source))
        self.assertEqual(chosen("--include", "cxr"), {p for p in everything if p.startswith("cxr/")})
        self.assertEqual(chosen("--include", "*.png", "--include", "*.csv"),
                         {p for p in everything if p.endswith((".png", ".csv"))})
        self.assertEqual(chosen("--include", "cxr", "--exclude", "*.csv", "--exclude", CXR),
                         {p for p in everything if p.startswith("cxr/") and p.endswith(".png")} - {CXR})
        self.assertEqual(chosen("--include", CT), {p for p in everything if p.startswith("ct-head/")},
                         "a series comes whole")
        self.assertEqual(chosen("--include", "nothing-like-it"), set())

    def test_max_bytes(self):
        url = f"{self.store}/ex"
        total = {r: self.get(url, "--reduce", r, "--dry-run")["planned_bytes"] for r in range(5)}
        self.assertGreater(total[0], total[1])
        for reduce in range(3):
            report = self.get(url, "--max-bytes", total[reduce], "--dry-run")
            self.assertEqual((report["planned_bytes"], report["budget_reduce"]), (total[reduce], reduce))
            report = self.get(url, "--max-bytes", total[reduce] - 1, "--dry-run")
            self.assertEqual(report["budget_reduce"], reduce + 1)
        report = self.get(url, "--max-bytes", total[1])
        self.assertEqual(report["fetched_bytes"], total[1])
        self.assertIn("smallest", self.get(url, "--max-bytes", "1000", check=1))

    def test_exit_status(self):
        url = f"{self.store}/ex"
        for arguments in [[], [url], [url, "-o", ""], [url, "-o", self.out, "--size", "x"],
                          [url, "-o", self.out, "--format", "gif"], [url, "-o", self.out, "--exact"],
                          [url, "-o", self.out, "--grid", "hex"], [url, "-o", self.out, "--size", "9", "--reduce", "1"],
                          ["ftp://host/x", "-o", self.out], ["http://host/x?y", "-o", self.out],
                          [url, url, "-o", self.out]]:
            result = mist("get", *arguments, check=2)
            self.assertIn("mist get", result.stderr)
            self.assertFalse(self.out.exists())
        for place, said in [(self.store, "ex"), (self.base / "none", "No such file"), (self.base, "no MIST dataset"),
                            ("http://127.0.0.1:1/ex", "connect")]:
            self.assertIn(said, mist("get", place, "-o", self.out, check=1).stderr)
        self.assertIn("token", mist("get", url, "-o", self.out, check=2, env={"MIST_TOKEN": "a\nb"}).stderr)
        mist("get", "--help")


if __name__ == "__main__":
    unittest.main()
