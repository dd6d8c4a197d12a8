"""What lies where on the canvas.

A place belongs to the front-most element that shows a pixel of its patch there: the centre of the
canvas pixel is carried back into the element's source and looked up in the label map.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from eie.elements import ElementSet
from eie.geometry import corners

Rows = NDArray[np.intp]
"""(K,) rows of an element table."""

RowMask = NDArray[np.bool_]
"""(N,) the rows of an element table that are looked at."""


def row_at(elements: ElementSet, x: float, y: float, among: RowMask) -> int | None:
    """The front-most element at a point of the canvas.

    Args:
        elements: the set.
        x, y: in pixels, 0 ≤ x ≤ width and 0 ≤ y ≤ height; the pixel that holds the point counts.
        among: the elements that are looked at.

    Returns:
        its row, or None if there is none.
    """
    column = min(math.floor(x), elements.canvas.width - 1)
    line = min(math.floor(y), elements.canvas.height - 1)
    centre = np.array([column + 0.5, line + 0.5])
    box = elements.table.upright_box
    inside = among & (np.abs(centre - box[:, :2]) <= box[:, 2:] / 2).all(axis=1)
    order = elements.paint_order
    for row in order[inside[order]][::-1]:
        if _shown(elements, row, np.array([column]), np.array([line])).all():
            return int(row)
    return None


def rows_on_canvas(
    elements: ElementSet, among: RowMask, size: tuple[int, int] | None = None
) -> NDArray[np.int32]:
    """The front-most element at every pixel of the canvas, or at some of them.

    Args:
        elements: the set.
        among: the elements that are looked at.
        size: height and width (h, w) of a smaller map, each pixel of which stands for the pixel of
            the canvas in its middle; None for all pixels.

    Returns:
        (H, W) or (h, w) int32 rows of the table, −1 where no element is.
    """
    lines, columns = sampled(elements.canvas, size or elements.canvas)
    front = np.full((len(lines), len(columns)), -1, dtype=np.int32)  # (h, w)
    order, edges = elements.paint_order, corners(elements.table.upright_box)
    for rows in _at_home_or_alone(elements, order[among[order]]):
        if len(rows) > 1:
            _put_at_home(front, elements, rows, lines, columns)
            continue
        # A pixel belongs to the box that its centre lies in.
        x0, y0, x1, y1 = np.ceil(edges[rows[0]] - 0.5)
        across = slice(*np.searchsorted(columns, (x0, x1)))
        down = slice(*np.searchsorted(lines, (y0, y1)))
        shown = _shown(elements, int(rows[0]), columns[across], lines[down])
        front[down, across][shown] = rows[0]
    return front


def sampled(canvas: tuple[int, int], size: tuple[int, int]) -> tuple[Rows, Rows]:
    """Which lines (h,) and columns (w,) of a canvas (H, W) a map of (h, w) pixels stands for."""
    lines, columns = (
        ((np.arange(few) + 0.5) * (all_ / few)).astype(np.intp)
        for few, all_ in zip(size, canvas, strict=True)
    )
    return lines, columns


def _at_home_or_alone(elements: ElementSet, order: Rows) -> list[Rows]:
    """Rows in the order given, parted: those that were not touched together, as far as they follow
    each other, others one by one."""
    home = elements.untouched[order]
    starts = np.flatnonzero(~home | np.append(True, ~home[:-1]))[1:]
    return [rows for rows in np.split(order, starts) if len(rows)]


def _put_at_home(
    front: NDArray[np.int32], elements: ElementSet, rows: Rows, lines: Rows, columns: Rows
) -> None:
    """Write elements of source 0 that stand at home into a map, in place."""
    source = elements.sources[0]
    row_of_patch = np.full(source.patches, -1, dtype=np.int32)
    row_of_patch[elements.table.patch[rows]] = rows
    shown = row_of_patch[source.label_map[np.ix_(lines, columns)]]  # (h, w)
    np.copyto(front, shown, where=shown >= 0)


def _shown(elements: ElementSet, row: int, columns: Rows, lines: Rows) -> NDArray[np.bool_]:
    """Which pixels of some columns (w,) and lines (h,) an element covers: (h, w) bool.

    Args:
        columns, lines: of the canvas, within the upright box around the element's.
    """
    table = elements.table
    source = elements.sources[table.source[row]]
    height, width = source.label_map.shape
    x, y = elements.transform(row).inverse(
        columns[None] + 0.5, lines[:, None] + 0.5
    )  # (h, w), or (1, w) and (h, 1)
    column = np.floor(x).clip(0, width - 1).astype(np.intp)
    line = np.floor(y).clip(0, height - 1).astype(np.intp)
    shown = source.label_map[line, column] == table.patch[row]
    if table.turned[row]:
        shown &= (x >= 0) & (x < width) & (y >= 0) & (y < height)
    return np.asarray(shown)


def areas(labels: NDArray[np.integer], count: int) -> NDArray[np.int64]:
    """How many pixels of a map hold each of the labels 0..count-1; other labels are left out.

    Args:
        labels: (H, W) integers ≥ −1.
        count: the number of labels P.

    Returns:
        (P,) int64.
    """
    total = np.zeros(count + 1, dtype=np.int64)
    # Band by band: numpy.bincount makes an int64 copy of what it is given.
    for band in np.array_split(labels, max(1, labels.size // 1_000_000)):
        total += np.bincount(band.ravel().astype(np.int64) + 1, minlength=count + 1)
    return total[1:]
