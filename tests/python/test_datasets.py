"""Datasets: sequences of images, chosen by path and column; caches; pairs; the program behind download and encode."""
import csv
import json
import os
import pathlib
import pickle
import shutil
import struct
import threading
import unittest

import numpy

import made
from made import pymist
from servers import EXAMPLES, MIST, Counting, Serve, mist


class Choosing(made.Case):
    def paths(self, **options):
        return pymist.Dataset(made.kinds(), **options).paths

    def test_sequence(self):
        dataset = pymist.Dataset(made.kinds(), size=32)
        self.assertEqual(dataset.paths, sorted(dataset.paths, key=str.encode))
        self.assertEqual(len(dataset), 7)
        self.assertEqual([image.path for image in dataset], dataset.paths)
        self.assertEqual(dataset[-1].path, dataset.paths[-1])
        self.assertEqual(dataset[1:3].paths, dataset.paths[1:3])
        self.assertEqual(dataset[[3, 0]].paths, [dataset.paths[3], dataset.paths[0]])
        self.assertEqual(dataset[numpy.array([True] + 6 * [False])].paths, dataset.paths[:1])
        self.assertEqual(dataset["mr/plane.nii"].path, "mr/plane.nii")
        self.assertIn("mr/plane.nii", dataset)
        for key in (7, -8):
            with self.assertRaises(IndexError):
                dataset[key]
        self.fails("not found", "no item mr/none", dataset.find, "mr/none")
        again = pickle.loads(pickle.dumps(dataset))
        self.assertEqual((again.paths, again.selection), (dataset.paths, dataset.selection))
        self.same(again[0].read(), dataset[0].read())

    def test_as_mist_get_chooses(self):
        for options, chosen in ((("--include", "mr"), {"include": "mr"}),
                                (("--include", "*.png", "--exclude", "*deep*"),
                                 {"include": ["*.png"], "exclude": "*deep*"}),
                                (("--where", "site=A"), {"where": "site=A"}),
                                (("--where", "age>=40", "--where", "site!=C"), {"where": ["age>=40", "site!=C"]}),
                                (("--where", "finding=x"), {"where": "finding=x"}),
                                (("--where", "finding!=x"), {"where": "finding!=x"}),
                                (("--where", "finding=x|y"), {"where": "finding=x|y"})):
            with self.subTest(options=options):
                out = made.got(made.kinds(), "--reduce", 0, *options)
                wanted = {p.relative_to(out).as_posix() for p in out.rglob("*") if p.suffix in (".png", ".nii", ".npy")
                          or p.name.endswith(".nii.gz")}
                self.assertTrue(wanted)
                self.assertEqual(set(self.paths(**chosen)), wanted)

    def test_other_conditions(self):
        self.assertEqual(self.paths(where={"site": ["B", "C"], "format": "png"}),
                         ["pictures/colour.png", "pictures/deep.png"])
        self.assertEqual(self.paths(where=lambda row: row["label"]), ["labels/scaled.nii.gz"])
        self.assertEqual(self.paths(where="label=false", include="labels"), [])
        self.assertNotIn("mr/scaled.nii.gz", self.paths(where="finding!=y"))  # its findings are x and y
        self.fails("not found", "no column 'sit'; there are", pymist.Dataset, made.kinds(), where="sit=A")
        for where in ("site", ["site"], [3]):
            self.fails("argument", "COLUMN=VALUE", pymist.Dataset, made.kinds(), where=where)
        self.fails("argument", "include", pymist.Dataset, made.kinds(), include=[3])

    def test_what_is_known(self):
        dataset = pymist.Dataset(made.kinds())
        self.assertEqual(dataset.card["title"], "Kinds of images")
        self.assertEqual(dataset.card["licence"], "CC-BY-4.0")
        rows = dataset.catalog
        rows = rows if isinstance(rows, list) else rows.to_dict("records")
        with open(made.kinds_source() / "about.csv", newline="") as file:
            table = {row["file"]: row for row in csv.DictReader(file)}
        for row in rows:
            for column in ("site", "age"):
                self.assertEqual(row[column], table[pathlib.PurePath(row["path"]).name][column])
        self.assertEqual(sorted(dataset.files), ["LICENSE", "about.csv"])
        self.assertEqual(dataset.read_file("LICENSE"), b"CC-BY-4.0\n")
        self.assertEqual(len(dataset.table("about.csv")), 6)
        self.fails("not found", "no file x", dataset.read_file, "x")

    def test_changed_file(self):
        copy = made.base() / "changed"
        shutil.copytree(made.kinds(), copy)
        (copy / "files/LICENSE").write_bytes(b"CC-BY-9.0\n")
        self.fails("checksum", "LICENSE", pymist.Dataset(copy).read_file, "LICENSE")

    def test_plan_is_what_is_fetched(self):
        server = Counting(made.kinds().parent)
        try:
            for selection in ({"size": 32}, {"size": 40, "exact": True}, {}):
                dataset = pymist.Dataset(f"{server.url}/kinds", **selection)
                server.reset()
                planned = dataset.plan()
                self.assertEqual(server.log, [])
                for image in dataset.fetch():
                    image.read()
                self.assertEqual(server.body_bytes(), planned)
            smaller = "mr/scaled.nii.gz"  # what comes at full size needs its tail in a file
            plan = json.loads(mist("get", made.kinds(), "-o", made.base() / "x", "--size", 32, "--include", smaller,
                                   "--dry-run", "--json").stdout)
            self.assertEqual(pymist.Dataset(made.kinds(), size=32, include=smaller).plan() +
                             len(dataset.read_file("about.csv")), plan["planned_bytes"])  # the table comes along
        finally:
            server.stop()


class Pairs(made.Case):
    LAYOUTS = {
        "msd": (["imagesTr/a.nii", "imagesTr/b.nii", "imagesTs/c.nii", "labelsTr/a.nii", "labelsTr/b.nii"],
                [("imagesTr/a.nii", "labelsTr/a.nii"), ("imagesTr/b.nii", "labelsTr/b.nii")]),
        "nnunet": (["imagesTr/a_0000.nii", "imagesTr/a_0001.nii", "labelsTr/a.nii"],
                   [(("imagesTr/a_0000.nii", "imagesTr/a_0001.nii"), "labelsTr/a.nii")]),
        "busi": (["benign/benign (1).png", "benign/benign (1)_mask.png", "benign/benign (1)_mask_1.png"],
                 [("benign/benign (1).png", ("benign/benign (1)_mask.png", "benign/benign (1)_mask_1.png"))]),
        "brats": (["B1/B1_t1.nii", "B1/B1_flair.nii", "B1/B1_seg.nii", "B2/B2_t1.nii"],
                  [(("B1/B1_flair.nii", "B1/B1_t1.nii"), "B1/B1_seg.nii")]),
    }

    def test_layouts(self):
        import nibabel
        import PIL.Image
        for name, (files, wanted) in self.LAYOUTS.items():
            root = made.base() / name
            for path in files:
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                mask = any(part in path for part in ("label", "mask", "seg"))
                plane = (made.smooth(40, 36) > 0).astype("u1") * 255 if mask else made.smooth(40, 36) + 1500
                if path.endswith(".png"):
                    PIL.Image.fromarray((plane % 256).astype("u1")).save(root / path)
                else:
                    volume = numpy.repeat(plane.astype("i2")[..., None], 5, -1)
                    nibabel.save(nibabel.Nifti1Image(volume, numpy.eye(4)), root / path)
            pairs = pymist.Dataset(made.store(name, root)).pairs()
            told = [tuple(side.path if isinstance(side, pymist.Image) else tuple(image.path for image in side)
                          for side in pair) for pair in pairs]
            self.assertEqual(told, wanted, name)
            for pair in pairs:
                labels = pair.label if isinstance(pair.label, tuple) else (pair.label,)
                self.assertTrue(all(label.label for label in labels), name)


class Caches(made.Case):
    def test_shared_with_mist_get(self):
        server = Counting(made.examples().parent)
        cache = made.base() / "cache"
        try:
            url = f"{server.url}/examples"
            dataset = pymist.Dataset(url, size=64, cache=cache)
            planned = dataset.plan()
            wanted = [image.read() for image in dataset]
            self.assertEqual(server.body_bytes(), planned)
            server.reset()
            for image, array in zip(pymist.Dataset(url, size=64, cache=cache), wanted):
                self.same(image.read(), array)
            self.assertEqual(server.body_bytes(), 0)
            # mist get goes on from what pymist fetched, and the reverse
            taken = {image.path: image.fetch_bytes() for image in dataset}
            server.reset()
            mist("get", url, "-o", made.base() / "out64", "--size", 64, "--cache", cache)
            for path, span, _ in server.log:  # what only files need: their tails
                if "/items/" in path:
                    first = int(span.split("=")[1].split("-")[0])
                    self.assertGreaterEqual(first, taken[path.partition("/items/")[2][:-len(".mist")]], path)
            server.reset()
            mist("get", url, "-o", made.base() / "out128", "--size", 128, "--cache", cache)
            server.reset()
            larger = pymist.Dataset(url, size=128, cache=cache)
            here = [image.read() for image in larger]
            self.assertEqual(server.body_bytes(), 0)
            for image, array in zip(pymist.Dataset(made.examples(), size=128), here):
                self.same(image.read(), array)
        finally:
            server.stop()
            shutil.rmtree(cache, ignore_errors=True)

    def test_damaged_one_is_made_anew(self):
        server = Counting(made.kinds().parent)
        cache = made.base() / "cache2"
        try:
            url = f"{server.url}/kinds"
            wanted = [image.read() for image in pymist.Dataset(url, cache=cache)]
            random = numpy.random.default_rng(5)
            for path in (cache / "kinds/items").rglob("*.mist-part"):
                data = bytearray(path.read_bytes())
                data[random.integers(len(data))] ^= 0x40
                path.write_bytes(data)
            for _ in range(2):
                for image, array in zip(pymist.Dataset(url, cache=cache), wanted):
                    self.same(image.read(), array)
            server.reset()
            for image in pymist.Dataset(url, cache=cache):
                image.read()
            self.assertEqual(server.body_bytes(), 0)
        finally:
            server.stop()
            shutil.rmtree(cache, ignore_errors=True)

    def test_lists_that_cannot_be(self):
        def parse(*ranges):
            text = b"MISTpart" + struct.pack("<QQ", 7, len(ranges)) + b"".join(struct.pack("<QQ", *one) for one in ranges)
            return pymist._cache._parse(text + struct.pack("<Q", pymist._library.checksum(text, len(text))), 7, 100)

        self.assertEqual(parse((0, 10), (20, 100)), [(0, 10), (20, 100)])
        for wrong in ([(0, 101)], [(5, 5)], [(9, 3)], [(20, 30), (0, 10)]):
            self.assertEqual(parse(*wrong), [], wrong)

    def test_several_processes_and_threads(self):
        server = Serve(made.examples().parent)
        cache = made.base() / "cache3"
        try:
            url = f"{server.url}/examples"
            wanted = [image.read() for image in pymist.Dataset(made.examples(), size=64)]
            wrong = []

            def read():
                for image, array in zip(pymist.Dataset(url, size=64, cache=cache), wanted):
                    if not numpy.array_equal(image.read(), array):
                        wrong.append(image.path)

            children = []
            for _ in range(3):
                child = os.fork()
                if child == 0:
                    read()
                    os._exit(len(wrong))
                children.append(child)
            threads = [threading.Thread(target=read) for _ in range(3)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual([os.waitpid(child, 0)[1] for child in children], [0, 0, 0])
            self.assertEqual(wrong, [])
        finally:
            server.stop()
            shutil.rmtree(cache, ignore_errors=True)

    def test_place_that_cannot_be_written(self):
        (made.base() / "file").write_text("x")
        dataset = pymist.Dataset(made.kinds(), cache=made.base() / "file")
        self.fails(None, "file", dataset[0].read)


class Program(made.Case):
    def setUp(self):
        path = os.environ["PATH"]
        os.environ["PATH"] = str(pathlib.Path(MIST).parent) + ":" + path
        self.addCleanup(os.environ.__setitem__, "PATH", path)

    def test_encode_and_download(self):
        report = pymist.encode(EXAMPLES / "cxr", made.base() / "store2", "cxr")
        self.assertEqual(report["items"], 4)
        report = pymist.download(made.base() / "store2/cxr", made.base() / "small", size=64, include="*.png",
                                 exact=True)
        self.assertEqual(report["failed"], 0)
        self.assertEqual(len(list((made.base() / "small").rglob("*.png"))), 4)
        dry = pymist.download(made.base() / "store2/cxr", made.base() / "none", size=64, dry_run=True)
        self.assertGreater(dry["planned_bytes"], 0)
        self.assertFalse((made.base() / "none").exists())

    def test_wrong(self):
        self.fails("io", "mist get", pymist.download, made.base() / "nothing", made.base() / "y")
        os.environ["PATH"] = "/nowhere"
        self.fails("not found", "not on PATH", pymist.download, "http://127.0.0.1:1/x", made.base() / "y")


if __name__ == "__main__":
    unittest.main()
