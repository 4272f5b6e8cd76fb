#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Does a classifier that is trained on streamed images do as well as one trained on conventionally downsampled ones?

    experiments/classify.py /data/nih --label 'Finding Labels' --positive Effusion --size 128

SOURCE is a folder with a table keyed by file name, as NIH ChestX-ray14 has it (or a MIST dataset with such columns).
Images are split by the seed, never by the way; all networks are tested on conventionally downsampled originals.
"""
import numpy as np
import torch

from common import arguments, auc, classifier, dataset_of, draw, normal, report, training, workspace


def train(network, images, truth, epochs, seed, rate=2e-3):
    batch = min(32, max(4, len(images) // 8))
    torch.manual_seed(seed)
    optimizer = torch.optim.Adam(network.parameters(), rate)
    weight = torch.tensor([(truth == 0).sum() / max(1, (truth == 1).sum())]).float()
    loss = torch.nn.BCEWithLogitsLoss(pos_weight=weight)
    for _ in range(epochs):
        network.train()
        for places in torch.randperm(len(images)).split(batch):
            if len(places) < 2:
                continue
            picture = images[places]
            if torch.rand(1) < 0.5:
                picture = picture.flip(-1)
            optimizer.zero_grad()
            loss(network(picture)[:, 0], truth[places]).backward()
            optimizer.step()
    return network


def scores(network, images):
    network.eval()
    with torch.no_grad():
        return torch.cat([network(part)[:, 0] for part in images.split(64)]).numpy()


def columns(dataset, label, positive):
    """Which rows are positive: the column's value, or a member of its list, is that."""
    truth = []
    for row in dataset._rows:
        value = row.about().get(label)
        if value is None:
            raise SystemExit(f"{row.path} has no column {label!r}; there are {', '.join(sorted(row.about()))}")
        truth.append(positive in str(value).split("|"))
    return np.array(truth)


def main():
    parser = arguments(__doc__)
    parser.add_argument("--label", default="Finding Labels")
    parser.add_argument("--positive", required=True)
    options = parser.parse_args()
    with workspace() as work:
        dataset = dataset_of(options.source, work, where=lambda row: not row["label"] and options.label in row)
        dataset = dataset[draw(len(dataset), options.limit)]
        truth = columns(dataset, options.label, options.positive)
        print(f"{len(dataset)} images, {truth.sum()} positive, {options.size} x {options.size}")
        if min(truth.sum(), (~truth).sum()) < 4:
            raise SystemExit("too few of one kind")
        images, bytes_of = {}, {}
        for arm in dict.fromkeys(["conventional", *options.arms]):
            found = [training(image, options.size, arm) for image in dataset]
            images[arm], bytes_of[arm] = normal([array for array, _ in found]), sum(size for _, size in found)
    wanted = torch.from_numpy(truth).float()
    results = {arm: [] for arm in options.arms}
    for seed in range(options.seeds):
        order = np.random.default_rng(seed).permutation(len(truth))
        test, rest = order[:len(order) // 4], order[len(order) // 4:]
        for arm in options.arms:
            torch.manual_seed(seed)
            network = train(classifier(options.width), images[arm][rest], wanted[rest], options.epochs, seed)
            results[arm].append(auc(scores(network, images["conventional"][test]), truth[test]))
    report(results, bytes_of, "AUC")


if __name__ == "__main__":
    main()
