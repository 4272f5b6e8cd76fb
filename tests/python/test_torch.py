"""pymist.torch with the PyTorch of this machine: tensors, workers, batches, curricula."""
import sys
import unittest
import unittest.mock

import numpy

import made
from made import pymist
from servers import EXAMPLES, Counting, Serve

try:
    import torch
except ImportError:
    print("skipped: there is no torch", file=sys.stderr)
    sys.exit(77)
import pymist.torch  # noqa: E402


class Tensors(made.Case):
    def test_shapes_and_samples(self):
        for path, shape in (("pictures/colour.png", (3, 70, 90)), ("pictures/deep.png", (1, 90, 70)),
                            ("mr/scaled.nii.gz", (1, 141, 132, 70))):
            image = pymist.open((made.kinds(), path))
            tensor = pymist.torch.tensor_of(image)
            self.assertEqual((tuple(tensor.shape), tensor.dtype), (shape, torch.float32))
            array = image.read()
            self.same(tensor.numpy(), (numpy.moveaxis(array, -1, 0) if array.shape[-1] == 3 else array[None]).astype("f4"))
            kept = pymist.torch.tensor_of(image, dtype=None)
            self.assertEqual(kept.dtype, {"u1": torch.uint8, "u2": torch.int32, "i2": torch.int16}[array.dtype.str[1:]])

    def test_labels_and_transforms(self):
        train = pymist.torch.open_dataset(made.kinds(), 32, include="pictures/*.png", label="site",
                                          transform=lambda x: x / 2, target_transform=ord)
        self.assertEqual(len(train), 2)
        tensor, label = train[0]
        self.assertEqual((tuple(tensor.shape), label), ((3, 32, 32), ord("C")))
        numpy.testing.assert_array_equal(tensor.numpy() * 2, numpy.moveaxis(train.dataset[0].read(), -1, 0))
        by_function = pymist.torch.ImageDataset(train.dataset, label=lambda image: image.path)
        self.assertEqual(by_function[1][1], "pictures/deep.png")
        self.fails("not found", "no column", pymist.torch.ImageDataset, train.dataset, label="sit")

    def test_loader(self):
        server = Serve(made.examples().parent)
        try:
            for url in (made.examples(), f"{server.url}/examples"):
                train = pymist.torch.open_dataset(url, 48, include="cxr", label="Finding Labels")
                wanted = torch.stack([train[i][0] for i in range(len(train))])
                for workers, context in ((0, None), (2, "fork"), (2, "spawn")):
                    loader = torch.utils.data.DataLoader(train, batch_size=3, num_workers=workers,
                                                         multiprocessing_context=context, timeout=60 if workers else 0)
                    batches = list(loader)
                    self.assertTrue(torch.equal(torch.cat([batch for batch, _ in batches]), wanted))
                    self.assertEqual(len([label for _, labels in batches for label in labels]), len(train))
        finally:
            server.stop()

    def test_curriculum(self):
        server = Counting(made.examples().parent)
        try:
            train = pymist.torch.ImageDataset(pymist.Dataset(f"{server.url}/examples", reduce=4, include="cxr"))
            server.reset()
            self.assertEqual(tuple(train[0].shape), (1, 64, 64))
            small = server.body_bytes()
            train.set_reduce(2)
            self.assertEqual(tuple(train[0].shape), (1, 256, 256))
            self.assertGreater(server.body_bytes(), small)
            batch = train.__getitems__([2, 0])
            self.assertTrue(torch.equal(batch[1], train[0]))
            self.assertEqual(len(batch), 2)
        finally:
            server.stop()

    def test_stream(self):
        dataset = pymist.Dataset(made.examples(), size=32, exact=True, include="cxr")
        wanted = {tuple(image.read().ravel().tolist()) for image in dataset}
        for workers in (0, 2):
            stream = pymist.torch.ImageStream(dataset, shuffle=True, seed=4, dtype=None)
            loader = torch.utils.data.DataLoader(stream, batch_size=None, num_workers=workers)
            orders = []
            for epoch in range(2):
                stream.set_epoch(epoch)
                found = [tuple(tensor.numpy().ravel().tolist()) for tensor in loader]
                self.assertEqual(len(found), 4)
                self.assertEqual(set(found), wanted)
                orders.append(found)
        self.assertTrue(EXAMPLES.is_dir())

    def test_stream_of_several_processes(self):
        """Workers of all processes of torch.distributed together have each image once."""
        dataset = pymist.Dataset(made.kinds(), size=32, exact=True)
        whole = [tuple(tensor.ravel().tolist()) for tensor in pymist.torch.ImageStream(dataset, dtype=None)]
        found = []
        for rank in range(2):
            for worker in range(3):
                about = unittest.mock.Mock(id=worker, num_workers=3)
                with (unittest.mock.patch("torch.utils.data.get_worker_info", lambda: about),
                      unittest.mock.patch.multiple("torch.distributed", is_available=lambda: True, is_initialized=lambda: True,
                                                   get_rank=lambda: rank, get_world_size=lambda: 2)):
                    stream = pymist.torch.ImageStream(dataset, dtype=None)
                    found += [tuple(tensor.ravel().tolist()) for tensor in stream]
        self.assertEqual(sorted(found), sorted(whole))


if __name__ == "__main__":
    unittest.main()
