"""What an array of the element file must look like, and in which chunks it is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

MAX_CHUNK = 1 << 18
"""Most bytes of an unpacked chunk."""

SMALL = 1 << 12
"""Bytes up to which an array is in no chunks: the index of one would be larger than the values."""

TILE = 256
"""Side of the square chunks of label maps, pixels and affinities."""


@dataclass(frozen=True)
class Array:
    """What an array in the file must look like.

    Attributes:
        dtype: its type, exact to the byte order.
        older: the type that it had in files of version 1.0, if another.
        shape: its size along each axis; None where any size is allowed.
        limit: most items it may have.
        tiled: whether chunks are squares (images, matrices) or runs of whole rows (tables).
        level: deflate level to write with.
    """

    dtype: np.dtype[Any]
    shape: tuple[int | None, ...]
    limit: int
    tiled: bool = False
    level: int = 4
    older: np.dtype[Any] | None = None

    def chunks(self, shape: Sequence[int]) -> tuple[int, ...]:
        """The chunk shape to write an array of `shape` (no zero in it) with."""
        if self.tiled:
            rows = min(shape[0], TILE)
            columns = min(shape[1], TILE * TILE // rows)
            return (min(shape[0], TILE * TILE // columns), columns, *shape[2:])
        row_bytes = self.dtype.itemsize * prod(shape[1:])
        return (max(1, min(MAX_CHUNK // row_bytes, shape[0])), *shape[1:])
