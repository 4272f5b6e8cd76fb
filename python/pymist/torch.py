# SPDX-License-Identifier: BSD-2-Clause
"""PyTorch: images of a dataset at the size that you train at.

    dataset = pymist.Dataset(url, exact=True, size=128, include="images/*", where="split=train")
    train = pymist.torch.ImageDataset(dataset, label="Finding Labels", transform=lambda x: x / 255)
    loader = torch.utils.data.DataLoader(train, batch_size=64, shuffle=True, num_workers=2)

`exact=True` (conventional downsampling to exactly that size) is the default of `open_dataset()`: models that were
trained on images stretched by the loader to one size lost two points of Dice against it.
"""
from __future__ import annotations

import concurrent.futures
import random
from typing import Any, Callable, Iterator, List, Optional, Sequence

import numpy as np
import torch
import torch.distributed
import torch.utils.data

from ._dataset import Dataset
from ._image import Image
from ._library import MistError

# What torch has no type for goes into the next one that holds it.
_WIDER = {"uint16": "int32", "uint32": "int64", "uint64": "int64"}


def tensor_of(image: Image, dtype: Optional[torch.dtype] = torch.float32) -> torch.Tensor:
    """Its samples as a tensor of channels, then the array's other axes: (1, rows, columns), (3, rows, columns) of
    colours, (1, i, j, k) of a volume. dtype None: the samples' own type, or the next that torch has."""
    array = image.read()
    if image.layout.components:
        array = np.moveaxis(array, -1, 0)
    else:
        array = array[None]
    if array.dtype.name in _WIDER:
        array = array.astype(_WIDER[array.dtype.name])
    made = torch.from_numpy(np.ascontiguousarray(array))
    return made if dtype is None else made.to(dtype)


class _Samples:
    """What ImageDataset and ImageStream share: how an image becomes a sample."""

    def _init(self, dataset: Dataset, label: Any, transform: Any, target_transform: Any,
              dtype: Optional[torch.dtype]) -> None:
        self.dataset, self.transform, self.target_transform, self.dtype = dataset, transform, target_transform, dtype
        self.label = label
        if isinstance(label, str):
            known = {name for row in dataset._rows for name in row.about()}
            if label not in known:
                raise MistError(f"there is no column {label!r}; there are {', '.join(sorted(known))}", "not found")

    def _one(self, image: Image, index: int) -> Any:
        tensor = tensor_of(image, self.dtype)
        tensor = tensor if self.transform is None else self.transform(tensor)
        if self.label is None:
            return tensor
        label = self.label(image) if callable(self.label) else self.dataset._rows[index].about().get(self.label)
        return tensor, label if self.target_transform is None else self.target_transform(label)

    def __len__(self) -> int:
        return len(self.dataset)

    def set_reduce(self, reduce: Any) -> None:
        """From now on at 1/2^reduce of each side: for curricula that begin with small images. Workers that run
        already do not hear of it: with persistent_workers make a new loader."""
        self.dataset = self.dataset.at(reduce=reduce)

    def set_size(self, size: Any, exact: bool = True) -> None:
        """The same by size."""
        self.dataset = self.dataset.at(size, exact=exact)


class ImageDataset(_Samples, torch.utils.data.Dataset):
    """Tensors of a `pymist.Dataset`, or (tensor, label) pairs.

    label: None; the name of a column of `dataset.catalog` (its text comes); or a function of the image. transform,
    target_transform: of the tensor and of the label. dtype: of the tensors; None: that of the samples.

    Goes into workers by fork and by pickle; each fetches for itself. `__getitems__` fetches a batch in parallel.
    """

    def __init__(self, dataset: Dataset, label: Any = None, transform: Optional[Callable[[Any], Any]] = None,
                 target_transform: Optional[Callable[[Any], Any]] = None,
                 dtype: Optional[torch.dtype] = torch.float32) -> None:
        self._init(dataset, label, transform, target_transform, dtype)

    def __getitem__(self, index: int) -> Any:
        return self._one(self.dataset[index], index)

    def __getitems__(self, indices: Sequence[int]) -> List[Any]:
        return [self._one(image, index) for image, index in zip(self.dataset.fetch(indices), indices)]


class ImageStream(_Samples, torch.utils.data.IterableDataset):
    """The same as a stream: while `ahead` images are trained on, the bytes of the next ones are on their way.

    shuffle: in another order for every (seed, epoch); say `set_epoch(n)` before each epoch. Workers of a DataLoader, and
    processes of torch.distributed, take turns: each image comes once.
    """

    def __init__(self, dataset: Dataset, label: Any = None, transform: Optional[Callable[[Any], Any]] = None,
                 target_transform: Optional[Callable[[Any], Any]] = None,
                 dtype: Optional[torch.dtype] = torch.float32, shuffle: bool = False, seed: int = 0,
                 ahead: int = 16) -> None:
        self._init(dataset, label, transform, target_transform, dtype)
        self.shuffle, self.seed, self.ahead, self.epoch = shuffle, seed, max(1, ahead), 0

    def set_epoch(self, epoch: int) -> None:
        """Which order comes next."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[Any]:
        order = list(range(len(self.dataset)))
        if self.shuffle:
            random.Random(f"{self.seed} {self.epoch}").shuffle(order)
        worker = torch.utils.data.get_worker_info()
        turn, turns = (worker.id, worker.num_workers) if worker else (0, 1)
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            turn += turns * torch.distributed.get_rank()
            turns *= torch.distributed.get_world_size()
        mine = order[turn::turns]
        runs = [mine[at:at + self.ahead] for at in range(0, len(mine), self.ahead)]
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            coming = pool.submit(self.dataset.fetch, runs[0]) if runs else None
            for at, run in enumerate(runs):
                images = coming.result()
                coming = pool.submit(self.dataset.fetch, runs[at + 1]) if at + 1 < len(runs) else None
                for image, index in zip(images, run):
                    yield self._one(image, index)


def open_dataset(url: Any, size: Any, *, exact: bool = True, label: Any = None, transform: Any = None,
                 target_transform: Any = None, dtype: Optional[torch.dtype] = torch.float32,
                 **options: Any) -> ImageDataset:
    """An ImageDataset of a host, a bucket or a directory; `options` are those of `pymist.Dataset`."""
    return ImageDataset(Dataset(url, size=size, exact=exact, **options), label, transform, target_transform, dtype)
