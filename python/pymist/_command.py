# SPDX-License-Identifier: BSD-2-Clause
"""What the `mist` program does, by calling it: downloading trees of files, and encoding them."""
from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import Any, Dict, List, Optional, Sequence, Union

from ._library import MistError
from ._request import Size, _sides

Paths = Union[str, "os.PathLike[str]", Sequence[Union[str, "os.PathLike[str]"]]]


def _run(arguments: List[str], token: Optional[str] = None) -> str:
    program = shutil.which("mist")
    if program is None:
        raise MistError("the program 'mist' is not on PATH: build it ('make' in MIST's sources) and put build/mist "
                        "there", "not found")
    # A token is not an argument: those are seen by everybody on the machine.
    environment = os.environ if token is None else {**os.environ, "MIST_TOKEN": token}
    result = subprocess.run([program, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                            env=environment)
    if result.returncode != 0:
        said = result.stderr.strip() or f"exit status {result.returncode}"
        raise MistError(f"mist {arguments[0]}: {said}", "argument" if result.returncode == 2 else "io")
    return result.stdout


def _several(option: str, values: Any) -> List[str]:
    values = [values] if isinstance(values, (str, os.PathLike)) else list(values or [])
    return [part for value in values for part in (option, os.fspath(value))]


def download(url: str, local_dir: Any, size: Optional[Size] = None, *, reduce: Any = None, spacing: Any = None,
             max_bytes: Optional[int] = None, policy: str = "closest", exact: bool = False, grid: str = "native",
             include: Any = None, exclude: Any = None, where: Any = None, format: Optional[str] = None,
             cache: Any = None, token: Optional[str] = None, prune: bool = False,
             dry_run: bool = False) -> Dict[str, Any]:
    """Downloads a dataset as the tree of files that it came from, smaller: `mist get`. Returns its report.

    local_dir: where the files go. dry_run: nothing is written; the report says how many bytes it would take. The
    other arguments are those of `pymist.open()` and of `mist get --help`. MistError where anything failed: the rest
    was still done, and another call takes up where this one ended.

    >>> report = download(DATASET, TEMPORARY + "/small", size=64, include="cxr/*")
    >>> report["items"], report["failed"]
    (4, 0)
    """
    arguments = ["get", str(url), "--json", "-o", os.fspath(local_dir)]
    if size is not None:
        width, height, depth = _sides(size)
        told = f"{width}x{height}" + (f"x{depth}" if depth else "")
        arguments += ["--size", str(width) if width == height and not depth else told]
    if reduce is not None:
        arguments += ["--reduce", ",".join(map(str, reduce)) if isinstance(reduce, (tuple, list)) else str(reduce)]
    if spacing is not None:
        arguments += ["--spacing", "x".join(map(str, spacing)) if isinstance(spacing, (tuple, list)) else str(spacing)]
    if max_bytes is not None:
        arguments += ["--max-bytes", str(max_bytes)]
    if policy != "closest":
        arguments += ["--policy", policy]
    if grid != "native":
        arguments += ["--grid", grid]
    arguments += ["--exact"] if exact else []
    arguments += ["--prune"] if prune else []
    arguments += ["--dry-run"] if dry_run else []
    arguments += ["--format", format] if format else []
    arguments += ["--cache", os.fspath(cache)] if cache is not None else []
    arguments += _several("--include", include) + _several("--exclude", exclude) + _several("--where", where)
    return json.loads(_run(arguments, token))


def encode(sources: Paths, store: Any, dataset: Optional[str] = None, *, labels: Any = None, images: Any = None,
           prune: bool = False) -> Dict[str, Any]:
    """Encodes directories or files into a dataset of a store: `mist encode`. Returns its report.

    labels, images: shell patterns on paths: these are label maps, these are none.
    """
    sources = [sources] if isinstance(sources, (str, os.PathLike)) else list(sources)
    arguments = ["encode", *map(os.fspath, sources), "-o", os.fspath(store), "--json"]
    arguments += ["--dataset", dataset] if dataset else []
    arguments += _several("--labels", labels) + _several("--images", images) + (["--prune"] if prune else [])
    return json.loads(_run(arguments))
