"""The query grid: evenly spaced points, one per wanted element (paper §3.1)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eie.errors import BadInputError, UsageError

MAX_QUERIES = 4096

_MOST_OFF = 0.07
"""Share of the wanted count by which a grid's should not be off, if another's is not."""

_MOST_OBLONG = 1.5
"""Ratio of a cell's sides that should not be reached either."""


@dataclass(frozen=True, eq=False)
class QueryGrid:
    """Query points at the middles of rows × columns equal cells.

    Attributes:
        points: (rows·columns, 2) float64, (x, y) in pixels of the photo, row by row from the top
            left; pixel column j covers [j, j + 1).
        rows, columns: how many cells stand below and beside each other.
    """

    points: NDArray[np.float64]
    rows: int
    columns: int


def query_grid(height: int, width: int, count: int) -> QueryGrid:
    """Lay about `count` near-square cells over a photo.

    Rows and columns are those whose cells are nearest to square and whose number is nearest to
    `count`, a deviation in number counting twice one in aspect; one of 7 % and more is taken only
    where all others have that or cells longer than 3 to 2. At 512×512 with 256 this is the
    paper's 16×16 grid. No cell is smaller than a pixel, so a photo with few pixels gets fewer
    queries.

    Args:
        height, width: size of the photo in pixels.
        count: wanted number of queries, 1 to 4096.

    Raises:
        UsageError: `count` out of range.
        BadInputError: the photo has no pixels.
    """
    if not 1 <= count <= MAX_QUERIES:
        raise UsageError(
            f"{count} elements cannot be made", hint=f"choose a number from 1 to {MAX_QUERIES}"
        )
    if height < 1 or width < 1:
        raise BadInputError(f"a photo of {width}×{height} px has no pixels")
    shapes = (
        (rows, min(columns, width))
        for rows in range(1, min(height, count) + 1)
        for columns in (count // rows, -(-count // rows))
    )
    rows, columns = min(shapes, key=lambda shape: _misfit(height / width, shape, count))
    x = (np.arange(columns) + 0.5) * (width / columns)
    y = (np.arange(rows) + 0.5) * (height / rows)
    points = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    return QueryGrid(points, rows, columns)


def _misfit(aspect: float, shape: tuple[int, int], count: int) -> tuple[bool, float]:
    """How ill rows and columns fit; those of a count or of cells far from what is wanted, last."""
    rows, columns = shape
    ratio, number = math.log(aspect * columns / rows), rows * columns / count
    far = abs(number - 1) >= _MOST_OFF or abs(ratio) >= math.log(_MOST_OBLONG)
    return far, abs(ratio) + 2 * abs(math.log(number))
