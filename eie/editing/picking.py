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
        if _shown(elements, row, (column, column + 1), (line, line + 1)).all():
            return int(row)
    return None


def rows_on_canvas(elements: ElementSet, among: RowMask) -> NDArray[np.int32]:
    """The front-most element at every pixel of the canvas.

    Returns:
        (H, W) int32 rows of the table, −1 where no element is.
    """
    height, width = elements.canvas
    front = np.full((height, width), -1, dtype=np.int32)  # (H, W)
    order, edges = elements.paint_order, corners(elements.table.upright_box)
    for row in order[among[order]]:
        # A pixel belongs to the box that its centre lies in.
        x0, y0, x1, y1 = np.ceil(edges[row] - 0.5)
        left, right = (int(np.clip(edge, 0, width)) for edge in (x0, x1))
        top, bottom = (int(np.clip(edge, 0, height)) for edge in (y0, y1))
        shown = _shown(elements, row, (left, right), (top, bottom))
        front[top:bottom, left:right][shown] = row
    return front


def _shown(
    elements: ElementSet, row: int, columns: tuple[int, int], lines: tuple[int, int]
) -> NDArray[np.bool_]:
    """Which pixels of a window of the canvas an element covers: (h, w) bool.

    Args:
        columns, lines: of the window, within the upright box around the element's.
    """
    table = elements.table
    source = elements.sources[table.source[row]]
    height, width = source.label_map.shape
    x, y = elements.transform(row).inverse(
        np.arange(*columns)[None] + 0.5, np.arange(*lines)[:, None] + 0.5
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
