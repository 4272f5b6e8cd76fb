#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Does a U-Net that is trained on streamed images and maps segment originals as well as one trained conventionally?

    experiments/segment.py /data/Dataset_BUSI --size 128           # pictures: X.png, X_mask.png
    experiments/segment.py /data/Task04_Hippocampus --size 48 --3d # volumes: imagesTr/X, labelsTr/X

Dice is of predictions for conventionally downsampled originals, brought to the originals' size, with the original maps.
"""
import numpy as np
import torch

from common import UNet, arguments, by_area, dataset_of, draw, grey, report, training, workspace


def masks_of(pair):
    return pair.label if isinstance(pair.label, tuple) else (pair.label,)


def first(side):
    return side[0] if isinstance(side, tuple) else side


def label_at(pair, size, arm):
    """The map that goes with a training image: sampled, never averaged."""
    made, taken = None, 0
    for label in masks_of(pair):
        chosen = label.at(reduce=0) if arm == "conventional" else label.at(size, exact=arm == "exact")
        array = (grey(chosen.read(), chosen) > 0).astype(np.float32)
        if array.shape[:2] != (size, size):
            tensor = torch.from_numpy(array)[None, None]
            sides = (size, size) if array.ndim == 2 else (size, size, array.shape[2])
            array = torch.nn.functional.interpolate(tensor, sides, mode="nearest-exact")[0, 0].numpy()
        made, taken = array if made is None else np.maximum(made, array), taken + chosen.fetch_bytes()
    return made, taken


def standard(array):
    array = np.asarray(array, np.float32)
    return (array - array.mean()) / (array.std() + 1e-6)


def dice(found, truth):
    both = found.sum() + truth.sum()
    return 1.0 if both == 0 else 2.0 * (found & truth).sum() / both


def samples(image, label, flat):
    """(1, rows, columns) pieces of a volume that is trained on by slices, or the whole."""
    image, label = torch.from_numpy(standard(image))[None], torch.from_numpy(label)[None]
    if image.ndim == 4 and flat:
        return list(zip(image.permute(3, 0, 1, 2), label.permute(3, 0, 1, 2)))
    return [(image, label)]


def train(network, pieces, epochs, seed, batch):
    torch.manual_seed(seed)
    optimizer = torch.optim.Adam(network.parameters(), 2e-3)
    for _ in range(epochs):
        network.train()
        for places in torch.randperm(len(pieces)).split(batch):
            image, label = (torch.stack([pieces[p][side] for p in places]) for side in (0, 1))
            optimizer.zero_grad()
            logits = network(image)
            chance = torch.sigmoid(logits)
            overlap = 1 - (2 * (chance * label).sum() + 1) / (chance.sum() + label.sum() + 1)
            (torch.nn.functional.binary_cross_entropy_with_logits(logits, label) + overlap).backward()
            optimizer.step()
    return network


def predict(network, image, shape, flat):
    """A map of the original's shape."""
    network.eval()
    with torch.no_grad():
        tensor = torch.from_numpy(standard(image))[None, None]
        if tensor.ndim == 5 and flat:
            logits = network(tensor[0].permute(3, 0, 1, 2)).permute(1, 2, 3, 0)[None]
        else:
            logits = network(tensor)
        mode = "bilinear" if logits.ndim == 4 else "trilinear"
        return torch.nn.functional.interpolate(logits, shape, mode=mode, align_corners=False)[0, 0].numpy() > 0


def main():
    parser = arguments(__doc__, epochs=20)
    parser.add_argument("--3d", dest="solid", action="store_true", help="a network of three dimensions for volumes")
    options = parser.parse_args()
    flat = not options.solid
    with workspace() as work:
        dataset = dataset_of(options.source, work)
        pairs = dataset.pairs()
        pairs = [pairs[i] for i in draw(len(pairs), options.limit)]
        if len(pairs) < 4:
            raise SystemExit(f"{options.source}: {len(pairs)} pairs of image and label map are too few")
        print(f"{len(pairs)} pairs, {options.size} x {options.size}")
        arms, bytes_of = {}, {}
        for arm in dict.fromkeys(["conventional", *options.arms]):
            bytes_of[arm], arms[arm] = 0, []
            for pair in pairs:
                image, taken = training(first(pair.image), options.size, arm)
                label, more = label_at(pair, options.size, arm)
                arms[arm].append((image, label))
                bytes_of[arm] += taken + more
        originals = []
        for pair in pairs:
            full = first(pair.image).at(reduce=0)
            truth = np.max([grey(label.at(reduce=0).read(), label) > 0 for label in masks_of(pair)], axis=0)
            originals.append((by_area(grey(full.read(), full), options.size), truth))
    results = {arm: [] for arm in options.arms}
    for seed in range(options.seeds):
        order = np.random.default_rng(seed).permutation(len(pairs))
        test, rest = order[:max(2, len(order) // 4)], order[max(2, len(order) // 4):]
        for arm in options.arms:
            torch.manual_seed(seed)
            network = UNet(options.width, 1, 2 if flat or originals[0][1].ndim == 2 else 3)
            pieces = [piece for i in rest for piece in samples(*arms[arm][i], flat)]
            train(network, pieces, options.epochs, seed, 8 if flat else 1)
            results[arm].append(np.mean([dice(predict(network, originals[i][0], originals[i][1].shape, flat), originals[i][1])
                                         for i in test]))
    report(results, bytes_of, "Dice")


if __name__ == "__main__":
    main()
