# SPDX-License-Identifier: BSD-2-Clause
"""Which images belong to which label maps, by the names that common datasets give them."""
from __future__ import annotations

import re
from typing import Dict, List, Tuple

SUFFIX = re.compile(r"(\.nii\.gz|\.nii|\.nrrd|\.mha|\.mhd|\.png|\.jpe?g|\.tiff?|\.npy|\.dcm|\.bmp)$", re.IGNORECASE)
MASK = re.compile(r"_mask(_\d+)?$", re.IGNORECASE)              # BUSI: 'benign (1)_mask_1.png'
SEGMENTATION = re.compile(r"([_-])seg$", re.IGNORECASE)         # BraTS: 'BraTS20_Training_001_seg.nii.gz'
CHANNEL = re.compile(r"_\d{4}$")                                # nnU-Net: 'case_0001.nii.gz'


def _stem(path: str) -> str:
    return SUFFIX.sub("", path)


def _label_side(stem: str) -> List[str]:
    """Where a label map of this image would be: every part 'images...' of its path as 'labels...'."""
    parts = stem.split("/")
    found = []
    for i, part in enumerate(parts[:-1]):
        if part.lower().startswith("images"):
            found.append("/".join([*parts[:i], ("Labels" if part[0] == "I" else "labels") + part[6:], *parts[i + 1:]]))
        if part.lower() in ("image", "img", "imgs"):
            for other in ("label", "mask", "masks", "labels"):
                found.append("/".join([*parts[:i], other, *parts[i + 1:]]))
    return found


def pair_paths(paths: List[str]) -> List[Tuple[Tuple[str, ...], Tuple[str, ...]]]:
    """(images, label maps) of each case: several images are its channels, in order of their names."""
    stems: Dict[str, str] = {}
    for path in paths:
        stems.setdefault(_stem(path), path)
    images: Dict[Tuple[str, ...], List[str]] = {}
    masks: Dict[str, List[str]] = {}
    for stem, path in sorted(stems.items()):
        if MASK.search(stem):
            masks.setdefault(MASK.sub("", stem), []).append(path)
    for stem, path in sorted(stems.items()):
        label: Tuple[str, ...] = ()
        for other in _label_side(stem):
            if other in stems:
                label = (stems[other],)
            elif CHANNEL.sub("", other) in stems:
                label = (stems[CHANNEL.sub("", other)],)
            if label:
                break
        if not label and stem in masks:
            label = tuple(masks[stem])
        if not label and not SEGMENTATION.search(stem):
            folder, slash, name = stem.rpartition("/")
            for sign in "_-":
                case = name.rpartition(sign)[0]
                if case and f"{folder}{slash}{case}{sign}seg" in stems:
                    label = (stems[f"{folder}{slash}{case}{sign}seg"],)
        if label:
            images.setdefault(label, []).append(path)
    found = [(tuple(channels), label) for label, channels in images.items()]
    return sorted(found)
