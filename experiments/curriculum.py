#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Small images first: time and bytes until a classifier reaches the AUC that training at the largest size alone reaches.

    experiments/curriculum.py /data/nih --label 'Finding Labels' --positive Effusion --sizes 64 128 256

Both see the same images as often; the curriculum begins with the smallest level and fetches what is missing of the next one
when it goes on. AUC is of conventionally downsampled originals at the largest size, after every epoch.
"""
import numpy as np
import torch

from classify import columns, scores, train
from common import Clock, arguments, auc, classifier, dataset_of, draw, normal, training, workspace


def learn(images, truth, stages, rest, test, test_images, width, seed):
    """[(seconds, AUC, size)] after each epoch; `stages`: (size, epochs) in order."""
    torch.manual_seed(seed)
    network, found, spent = classifier(width), [], 0.0
    for size, epochs in stages:
        for epoch in range(epochs):
            clock = Clock()
            train(network, images[size][rest], truth[rest], 1, seed * 1000 + len(found))
            spent += clock()
            found.append((spent, auc(scores(network, test_images), truth[test].numpy() > 0.5), size))
    return found


def main():
    parser = arguments(__doc__, epochs=12, seeds=4)
    parser.add_argument("--label", default="Finding Labels")
    parser.add_argument("--positive", required=True)
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 128, 256])
    options = parser.parse_args()
    sizes = sorted(options.sizes)
    with workspace() as work:
        dataset = dataset_of(options.source, work, where=lambda row: not row["label"] and options.label in row)
        dataset = dataset[draw(len(dataset), options.limit)]
        truth = torch.from_numpy(columns(dataset, options.label, options.positive)).float()
        images, bytes_of = {}, {}
        for size in sizes:
            found = [training(image, size, "exact") for image in dataset]
            images[size], bytes_of[size] = normal([array for array, _ in found]), sum(taken for _, taken in found)
        originals = normal([training(image, sizes[-1], "conventional")[0] for image in dataset])
    print(f"{len(truth)} images, {int(truth.sum())} positive")
    each = options.epochs // len(sizes)
    stages = [(size, each) for size in sizes[:-1]] + [(sizes[-1], options.epochs - each * (len(sizes) - 1))]
    rows = {"curriculum": [], "largest only": []}
    for seed in range(options.seeds):
        order = np.random.default_rng(seed).permutation(len(truth))
        test, rest = order[:len(order) // 4], order[len(order) // 4:]
        fixed = learn(images, truth, [(sizes[-1], options.epochs)], rest, test, originals[test], options.width, seed)
        target = max(value for _, value, _ in fixed) - 0.005
        grown = learn(images, truth, stages, rest, test, originals[test], options.width, seed)
        for name, found in (("largest only", fixed), ("curriculum", grown)):
            there = next(((seconds, size) for seconds, value, size in found if value >= target), None)
            rows[name].append((found[-1][0], found[-1][1], there))
    print(f"{'trained with':14} {'AUC at the end':>14} {'seconds':>8}   until the AUC of 'largest only' less 0.005")
    for name, found in rows.items():
        reached = [there for _, _, there in found if there]
        told = "never" if not reached else (
            f"{len(reached)} of {len(found)} seeds: {np.mean([seconds for seconds, _ in reached]):.1f} s, "
            f"{np.mean([bytes_of[size] for _, size in reached]) / 1e6:.2f} MB")
        print(f"{name:14} {np.mean([value for _, value, _ in found]):14.4f} {np.mean([seconds for seconds, _, _ in found]):8.1f}"
              f"   {told}")


if __name__ == "__main__":
    main()
