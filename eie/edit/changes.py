"""Changes of an element table that operations are made of.

Boxes are kept on a grid of 2⁻³² pixel, so that adding and subtracting shifts is exact and a way
there and back ends where it began.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eie.edit.picking import Rows
from eie.edit.units import MAX_EXTENT
from eie.elements import MAX_ELEMENTS, ElementSet, ElementTable
from eie.errors import UsageError
from eie.geometry import Boxes, common_box

MIN_SIZE = 2.0**-10
"""Smallest width and height of an element's box, in pixels."""

_GRID = 2.0**-32


def changed(elements: ElementSet, rows: Rows, **columns: Any) -> ElementSet:
    """The set with other values in some columns of its table."""
    return replace(elements, table=elements.table.set(rows, **columns))


def centre_of(elements: ElementSet, rows: Rows) -> NDArray[np.float64]:
    """(2,) the centre of the common box."""
    return common_box(elements.table.box[rows])[:2]


def shifted(elements: ElementSet, rows: Rows, shift: NDArray[np.float64]) -> ElementSet:
    """The set with elements moved by (2,) pixels, rounded to the grid."""
    box = elements.table.box[rows]
    box[:, :2] += np.round(shift / _GRID) * _GRID
    return placed(elements, rows, box)


def placed(elements: ElementSet, rows: Rows, box: Boxes) -> ElementSet:
    """The set with other boxes, on the grid and within the limits."""
    # Sizes are even multiples of the grid, so that corners and mirrored centres lie on it too.
    grid = np.array([_GRID, _GRID, 2 * _GRID, 2 * _GRID])
    settled = np.round(box / grid) * grid
    beyond = ~(np.abs(settled) <= MAX_EXTENT).all(axis=1)
    tiny = (settled[:, 2:] < MIN_SIZE).any(axis=1)
    for bad, problem in (
        (beyond, f"would lie or reach farther than {MAX_EXTENT:,.0f} pixels"),
        (tiny, f"would be smaller than 1/{1 / MIN_SIZE:.0f} pixel"),
    ):
        if bad.any():
            raise UsageError(f"element {elements.table.id[rows[bad.argmax()]]} {problem}")
    return changed(elements, rows, box=settled)


def far_to_near(elements: ElementSet, rows: Rows) -> Rows:
    """The rows in paint order."""
    order = elements.paint_order
    return order[np.isin(order, rows)]


def depths(elements: ElementSet, rows: Rows) -> NDArray[np.int64]:
    """(K,) depth of each row among the given ones, from 0 for the farthest, without gaps.

    Elements that z does not tell apart have one depth, so that they stay one layer in rendering.
    """
    order = np.stack([elements.table.z[rows], ~elements.untouched[rows]], axis=1)  # (K, 2)
    _, depth = np.unique(order, axis=0, return_inverse=True)
    return np.asarray(depth, dtype=np.int64).reshape(-1)


def stack(lowest: int, depth: NDArray[np.int64]) -> NDArray[np.int32]:
    """(K,) z-order values of elements with the given depths, the farthest at `lowest`."""
    limits = np.iinfo(np.int32)
    if not limits.min <= lowest <= lowest + int(depth.max()) <= limits.max:
        raise UsageError("the z-order has no more room", hint="undo or reset first")
    return (lowest + depth).astype(np.int32)


def appended(
    elements: ElementSet, guests: ElementTable, depth: NDArray[np.int64], above: int
) -> ElementSet:
    """The set with more elements, given from far to near with their depths, all above a z.

    They get ids of their own.
    """
    total = len(elements) + len(guests)
    if total > MAX_ELEMENTS:
        raise UsageError(f"there would be {total} elements, at most {MAX_ELEMENTS} are possible")
    first = elements.next_id
    if first + len(guests) > np.iinfo(np.int32).max:
        raise UsageError("there are no more free ids", hint="undo or reset first")
    guests = replace(
        guests,
        id=np.arange(first, first + len(guests), dtype=np.int32),
        z=stack(above + 1, depth),
        visible=np.ones(len(guests), dtype=bool),
    )
    return replace(elements, table=elements.table.append(guests))
