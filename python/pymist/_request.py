# SPDX-License-Identifier: BSD-2-Clause
"""What resolution is asked for: size=, reduce=, spacing= and what goes with them, checked."""
from __future__ import annotations

import math
import numbers
from typing import Any, Dict, Optional, Sequence, Tuple, Union

from . import _library
from ._library import MistError

Size = Union[int, str, Sequence[int]]
MAX_SIDE = 65535


def _whole(value: Any, what: str, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or not low <= value <= high:
        raise MistError(f"{what} is {value!r}; it must be a whole number from {low} to {high}")
    return int(value)


def _sides(size: Size) -> Tuple[int, int, int]:
    if isinstance(size, str):
        try:
            size = [int(side) for side in size.lower().split("x")]
        except ValueError:
            raise MistError(f"size is {size!r}; it must be S, (W, H), (W, H, D) or a text like '256x256x64'") from None
        size = size[0] if len(size) == 1 else size
    if isinstance(size, numbers.Integral):
        side = _whole(size, "size", 1, MAX_SIDE)
        return side, side, 0
    try:
        sides = [] if isinstance(size, (bytes, bytearray)) else list(size)
    except TypeError:
        sides = []
    if len(sides) not in (2, 3):
        raise MistError(f"size is {size!r}; it must be S, (W, H), (W, H, D) or a text like '256x256x64'")
    sides = [_whole(side, "size", 1, MAX_SIDE) for side in sides]
    return sides[0], sides[1], sides[2] if len(sides) == 3 else 0


class Selection:
    """A resolution that is asked for. Immutable; goes through pickle; equal ones are equal and hash alike."""
    __slots__ = ("size", "reduce", "spacing", "policy", "grid", "exact", "request")
    FIELDS = ("size", "reduce", "spacing", "policy", "grid", "exact")

    def __init__(self, size: Optional[Size] = None, reduce: Any = None, spacing: Any = None,
                 policy: str = "closest", grid: str = "native", exact: bool = False) -> None:
        if sum(asked is not None for asked in (size, reduce, spacing)) > 1:
            raise MistError("at most one of size, reduce and spacing can be asked for")
        if policy not in _library.POLICIES:
            raise MistError(f"policy is {policy!r}; it must be one of {', '.join(_library.POLICIES)}")
        if grid not in _library.GRIDS:
            raise MistError(f"grid is {grid!r}; it must be native or center")
        if exact and size is None:
            raise MistError("exact=True needs a size")
        request = _library.Request(policy=_library.POLICIES[policy], grid=_library.GRIDS[grid], exact=bool(exact))
        if size is not None:
            request.width, request.height, request.depth = _sides(size)
            size = (request.width, request.height) + ((request.depth,) if request.depth else ())
        if reduce is not None:
            both = list(reduce) if isinstance(reduce, (tuple, list)) else [reduce, 0]
            if len(both) != 2:
                raise MistError(f"reduce is {reduce!r}; it must be R or (R, S): every 2^S-th slice")
            request.by_reduce = True
            request.reduce = _whole(both[0], "reduce", 0, 32)
            request.step = _whole(both[1], "reduce's slice step", 0, 16)
            reduce = (request.reduce, request.step)
        if spacing is not None:
            try:
                three = [float(v) for v in spacing] if isinstance(spacing, (tuple, list)) else [float(spacing)] * 3
            except (TypeError, ValueError):
                three = []
            if len(three) != 3 or not all(v > 0 and math.isfinite(v) for v in three):
                raise MistError(f"spacing is {spacing!r}; it must be millimetres, or three of them")
            request.spacing[:] = three
            spacing = tuple(three)
        for name, value in zip(self.FIELDS, (size, reduce, spacing, policy, grid, bool(exact))):
            object.__setattr__(self, name, value)
        object.__setattr__(self, "request", request)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError("a Selection does not change")

    def key(self) -> Tuple[Any, ...]:
        return tuple(getattr(self, name) for name in self.FIELDS)

    def __reduce__(self):
        return Selection, self.key()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Selection) and self.key() == other.key()

    def __hash__(self) -> int:
        return hash(self.key())

    def text(self) -> str:
        """As it stands in an address behind '#': "size=128x128&exact"; empty for full resolution."""
        parts = []
        for name, separator in (("size", "x"), ("reduce", ","), ("spacing", "x")):
            value = getattr(self, name)
            if value is not None:
                parts.append(f"{name}={separator.join(f'{one:.17g}' for one in value)}")
        parts += [f"policy={self.policy}"] if self.policy != "closest" else []
        parts += [f"grid={self.grid}"] if self.grid != "native" else []
        return "&".join([*parts, "exact"] if self.exact else parts)

    @classmethod
    def parse(cls, text: str) -> "Selection":
        """The reverse of `text()`."""
        asked: Dict[str, Any] = {}
        for part in text.split("&"):
            name, equals, value = part.partition("=")
            try:
                if name == "reduce":
                    asked[name] = tuple(int(one) for one in value.split(","))
                    asked[name] = asked[name][0] if len(asked[name]) == 1 else asked[name]
                elif name == "spacing":
                    asked[name] = tuple(float(one) for one in value.split("x"))
                    asked[name] = asked[name][0] if len(asked[name]) == 1 else asked[name]
                elif name == "exact" and not equals:
                    asked[name] = True
                elif name in ("size", "policy", "grid"):
                    asked[name] = value
                else:
                    raise ValueError
            except ValueError:
                raise MistError(f"{part!r} in an address is no resolution; size=128x128, reduce=1,1, spacing=1.5, exact "
                                "are") from None
        return cls(**asked)

    def __repr__(self) -> str:
        told = [f"{name}={value!r}" for name, value, usual in
                zip(self.FIELDS, self.key(), (None, None, None, "closest", "native", False)) if value != usual]
        return f"Selection({', '.join(told)})"
