"""Boxes and the axis-aligned transforms between a source and the canvas.

Coordinate frame: x to the right, y down, origin at the top left corner of the top left pixel;
pixel column j covers [j, j + 1). A *box* is (cx, cy, w, h): centre and size in pixels, float64.
The patch that covers columns 3..5 has cx = 4.5 and w = 3.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Boxes = NDArray[np.float64]
"""(N, 4) float64, rows (cx, cy, w, h) in pixels."""


def patch_boxes(label_map: NDArray[np.integer], count: int) -> Boxes:
    """Tight boxes of the patches 0..count-1 of a label map.

    Args:
        label_map: (H, W) integers in [0, count).
        count: the number of patches P.

    Returns:
        (P, 4) float64 boxes in pixels of the label map; a patch without pixels gets zeros.
    """
    height, width = label_map.shape
    columns = _extents(label_map, count, np.arange(width), axis=1)
    rows = _extents(label_map, count, np.arange(height)[:, None], axis=0)
    left, right, top, bottom = *columns, *rows
    empty = right < left
    boxes = np.stack(
        [(left + right + 1) / 2, (top + bottom + 1) / 2, right + 1 - left, bottom + 1 - top], axis=1
    ).astype(np.float64)
    boxes[empty] = 0.0
    return boxes


def _extents(
    label_map: NDArray[np.integer], count: int, coordinate: NDArray[np.integer], axis: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Smallest and largest `coordinate` of every label, from the ends of its runs along `axis`.

    A patch's extreme pixels are ends of runs, so only those are visited: a label map has few, and
    the 24 million other pixels cost one comparison each.
    """
    change = label_map[:, 1:] != label_map[:, :-1] if axis == 1 else label_map[1:] != label_map[:-1]
    starts = np.ones(label_map.shape, dtype=bool)
    ends = np.ones(label_map.shape, dtype=bool)
    if axis == 1:
        starts[:, 1:], ends[:, :-1] = change, change
    else:
        starts[1:], ends[:-1] = change, change
    where = np.broadcast_to(coordinate, label_map.shape)
    low = np.full(count, np.iinfo(np.int64).max)
    high = np.full(count, -1, dtype=np.int64)
    np.minimum.at(low, label_map[starts], where[starts])
    np.maximum.at(high, label_map[ends], where[ends])
    low[high < 0] = 0
    return low, high


def corners(boxes: ArrayLike) -> Boxes:
    """(..., 4) boxes (cx, cy, w, h) ⇒ (..., 4) corners (x0, y0, x1, y1), in pixels."""
    box = np.asarray(boxes, dtype=np.float64)
    half = box[..., 2:] / 2
    return np.concatenate([box[..., :2] - half, box[..., :2] + half], axis=-1)


def common_box(boxes: ArrayLike) -> Boxes:
    """The smallest box around all of (N, 4) boxes, N ≥ 1; shape (4,)."""
    edge = corners(boxes)
    low, high = edge[:, :2].min(axis=0), edge[:, 2:].max(axis=0)
    return np.concatenate([(low + high) / 2, high - low])


@dataclass(frozen=True)
class Transform:
    """An axis-aligned map from source pixels to canvas pixels: canvas = scale · source + offset.

    Attributes:
        scale: (x, y) factors; negative where the element is flipped; never zero.
        offset: (x, y) in canvas pixels.
    """

    scale: tuple[float, float]
    offset: tuple[float, float]


PRECISION = 6
"""Decimals kept of a transform: elements moved as one then share one transform, whatever order
their boxes were computed in, and 10⁻⁶ px is below any visible difference."""


def transform_between(home_box: ArrayLike, box: ArrayLike, flip: ArrayLike) -> Transform:
    """The transform that carries `home_box` (source pixels) onto `box` (canvas pixels).

    Args:
        home_box: (4,) box in pixels of the source.
        box: (4,) box in pixels of the canvas.
        flip: (2,) bool, mirrored left-right and top-bottom within the box.
    """
    home, now = np.asarray(home_box, dtype=np.float64), np.asarray(box, dtype=np.float64)
    sign = np.where(np.asarray(flip, dtype=bool), -1.0, 1.0)
    scale = np.round(sign * now[2:] / home[2:], PRECISION + 3)
    offset = np.round(now[:2] - scale * home[:2], PRECISION) + 0.0
    return Transform((float(scale[0]), float(scale[1])), (float(offset[0]), float(offset[1])))
