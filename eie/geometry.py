"""Boxes, how they are turned, and the affine transforms between a source and the canvas.

Coordinate frame: x to the right, y down, origin at the top left corner of the top left pixel;
pixel column j covers [j, j + 1). A *box* is (cx, cy, w, h): centre and size in pixels, float64.
The patch that covers columns 3..5 has cx = 4.5 and w = 3.

A box may be turned about its centre by an *angle*, in degrees, clockwise as seen, and lean by a
*shear*: its upper edge lies shear · h farther left than its lower one. Both are 0 unless they are
given. The *frame* of such a box is the matrix

    R(angle) · K(shear) = [cos −sin; sin cos] · [1 shear; 0 1]

which carries what would lie in the box, were it not turned, to where it lies about the centre.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Boxes = NDArray[np.float64]
"""(N, 4) float64, rows (cx, cy, w, h) in pixels."""

Edges = tuple[float, float, float, float]
"""An upright rectangle (x0, y0, x1, y1) in pixels, x0 ≤ x1 and y0 ≤ y1."""

Coordinates = NDArray[np.float64]
"""x or y in pixels, of a shape that broadcasts with the other's."""

Places = NDArray[np.intp]
"""(R,) places of pixels in reading order."""

_Pair = Sequence[float] | NDArray[np.floating]

TOGETHER = 1e-4
"""Pixels up to which two transforms carry an element to the same place."""


STRIP = 1 << 22
"""Pixels of a label map that are looked at at a time; bounds memory."""


def patch_boxes(label_map: NDArray[np.integer], count: int) -> Boxes:
    """Tight boxes of the patches 0..count-1 of a label map.

    Args:
        label_map: (H, W) integers in [0, count).
        count: the number of patches P.

    Returns:
        (P, 4) float64 boxes in pixels of the label map; a patch without pixels gets zeros.
    """
    height, width = label_map.shape
    left, top = (np.full(count, np.iinfo(np.int64).max) for _ in range(2))  # (P,) each
    right, bottom = (np.full(count, -1, dtype=np.int64) for _ in range(2))  # (P,) each
    strip = max(1, STRIP // width)
    for start in range(0, height, strip):
        label, first, last = _runs(label_map[start : start + strip])
        row = first // width + start
        np.minimum.at(left, label, first % width)
        np.maximum.at(right, label, last % width)
        np.minimum.at(top, label, row)
        np.maximum.at(bottom, label, row)
    empty = right < 0
    left[empty] = top[empty] = 0
    boxes = np.stack(
        [(left + right + 1) / 2, (top + bottom + 1) / 2, right + 1 - left, bottom + 1 - top], axis=1
    ).astype(np.float64)
    boxes[empty] = 0.0
    return boxes


def _runs(label_map: NDArray[np.integer]) -> tuple[NDArray[np.integer], Places, Places]:
    """The runs of equal labels along the rows, by which alone the 24 million pixels of a photo are
    looked at: (R,) their labels, and the places of their first and last pixels in reading order."""
    starts = np.ones(label_map.shape, dtype=bool)
    np.not_equal(label_map[:, 1:], label_map[:, :-1], out=starts[:, 1:])
    first = np.flatnonzero(starts)
    last = np.append(first[1:], label_map.size) - 1
    return label_map.ravel()[first], first, last


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


def rotation(angle: float) -> NDArray[np.float64]:
    """(2, 2) R of an angle in degrees, clockwise as seen; exact for multiples of 90°."""
    quarters, rest = divmod(angle, 90.0)
    sine, cosine = (f(np.radians(rest)) for f in (np.sin, np.cos))
    matrix = np.array([[cosine, -sine], [sine, cosine]])
    quarter = np.array([[0.0, -1.0], [1.0, 0.0]])
    for _ in range(int(quarters) % 4):
        matrix = quarter @ matrix
    return matrix + 0.0  # no −0


def normal_angle(angle: ArrayLike) -> NDArray[np.float64]:
    """Angles in degrees ⇒ the same in (−180, 180]; exact."""
    turned = np.fmod(np.asarray(angle, dtype=np.float64), 360.0)
    turned = np.where(turned > 180, turned - 360, turned)
    return np.where(turned <= -180, turned + 360, turned) + 0.0


def frames(angle: ArrayLike, shear: ArrayLike) -> NDArray[np.float64]:
    """(N, 2, 2) frames of boxes by their angle and shear, (N,) each; of equal ones the same."""
    pairs = np.stack([np.atleast_1d(angle), np.atleast_1d(shear)], axis=1).astype(np.float64)
    if not pairs.any():
        return np.broadcast_to(np.eye(2), (len(pairs), 2, 2))
    kinds, kind = np.unique(pairs, axis=0, return_inverse=True)
    made = np.array([rotation(a) @ np.array([[1.0, k], [0.0, 1.0]]) for a, k in kinds.tolist()])
    found: NDArray[np.float64] = made[kind.reshape(-1)]
    return found


def box_corners(boxes: ArrayLike, angle: ArrayLike, shear: ArrayLike) -> NDArray[np.float64]:
    """(N, 4) boxes and how they are turned, (N,) each ⇒ (N, 4, 2) where their corners lie."""
    box = np.asarray(boxes, dtype=np.float64)
    signs = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) / 2
    away = signs * box[:, None, 2:]  # (N, 4, 2)
    turned: NDArray[np.float64] = box[:, None, :2] + away @ frames(angle, shear).swapaxes(1, 2)
    return turned


def boxes_around(boxes: ArrayLike, angle: ArrayLike, shear: ArrayLike) -> Boxes:
    """(N, 4) boxes and how they are turned, (N,) each ⇒ the smallest upright boxes around them."""
    box = np.asarray(boxes, dtype=np.float64)
    size = (np.abs(frames(angle, shear)) * box[:, None, 2:]).sum(axis=2)  # (N, 2)
    return np.concatenate([box[:, :2], size], axis=1)


@dataclass(frozen=True)
class Transform:
    """An affine map from source pixels to canvas pixels: canvas = matrix · source + offset.

    Coordinates go in and come out as x and y apart, of shapes that broadcast. What comes out has
    no more axes than it depends on: for rows (1, w) of x and columns (h, 1) of y an upright map
    gives the same shapes, one that is turned gives (h, w) twice.

    Attributes:
        matrix: ((xx, xy), (yx, yy)), by rows; its determinant is negative where the element is
            mirrored, and 0 where it is too small to be seen.
        offset: (x, y) in canvas pixels.
    """

    matrix: tuple[tuple[float, float], tuple[float, float]]
    offset: tuple[float, float]

    @classmethod
    def stretch(cls, scale: _Pair, offset: _Pair) -> Transform:
        """canvas = scale · source + offset, along each axis."""
        return cls(
            ((float(scale[0]), 0.0), (0.0, float(scale[1]))), (float(offset[0]), float(offset[1]))
        )

    def apply(self, x: Any, y: Any) -> tuple[Coordinates, Coordinates]:
        """Places of the source ⇒ places of the canvas."""
        (xx, xy), (yx, yy) = self.matrix
        if self.upright:
            return xx * x + self.offset[0], yy * y + self.offset[1]
        if self.on_its_side:
            return xy * y + self.offset[0], yx * x + self.offset[1]
        return xx * x + xy * y + self.offset[0], yx * x + yy * y + self.offset[1]

    def inverse(self, x: Any, y: Any) -> tuple[Coordinates, Coordinates]:
        """Places of the canvas ⇒ places of the source."""
        (xx, xy), (yx, yy) = self.matrix
        right, down = x - self.offset[0], y - self.offset[1]
        if self.upright:
            return right / xx, down / yy
        if self.on_its_side:
            return down / yx, right / xy
        area = xx * yy - xy * yx
        return (yy * right - xy * down) / area, (xx * down - yx * right) / area

    def __matmul__(self, first: Transform) -> Transform:
        """The map that does `first`, and then this."""
        matrix = np.array(self.matrix) @ np.array(first.matrix)
        x, y = self.apply(*first.offset)
        rows = matrix.tolist()
        return Transform((tuple(rows[0]), tuple(rows[1])), (float(x), float(y)))

    def bounds(self, edges: Edges) -> Edges:
        """The upright rectangle of the canvas around where one of the source lands."""
        return _bounds(edges, self.apply)

    def inverse_bounds(self, edges: Edges) -> Edges:
        """The upright rectangle of the source around what lands in one of the canvas."""
        return _bounds(edges, self.inverse)

    @cached_property
    def upright(self) -> bool:
        """Whether rows stay rows and columns stay columns, mirrored or not."""
        return self.matrix[0][1] == self.matrix[1][0] == 0

    @cached_property
    def on_its_side(self) -> bool:
        """Whether rows become columns and columns become rows."""
        return self.matrix[0][0] == self.matrix[1][1] == 0

    @cached_property
    def lattice(self) -> bool:
        """Whether every source pixel lands exactly on a canvas pixel."""
        entries = {abs(entry) for row in self.matrix for entry in row}
        whole = entries == {0.0, 1.0} and all(float(o).is_integer() for o in self.offset)
        return whole and (self.upright or self.on_its_side)

    @cached_property
    def lengths(self) -> tuple[float, float]:
        """Pixels of the canvas that a step of a pixel along the source's x and y is long."""
        (xx, xy), (yx, yy) = self.matrix
        return float(np.hypot(xx, yx)), float(np.hypot(xy, yy))

    @property
    def flat(self) -> bool:
        """Whether it leaves nothing to be seen, and has no inverse."""
        return 0.0 in self.lengths


def _bounds(edges: Edges, carried: Any) -> Edges:
    """The upright rectangle around the corners of another, each carried somewhere."""
    x0, y0, x1, y1 = edges
    x, y = np.broadcast_arrays(*carried(np.array([x0, x1, x1, x0]), np.array([y0, y0, y1, y1])))
    return float(x.min()), float(y.min()), float(x.max()), float(y.max())


PRECISION = 6
"""Decimals kept of a transform: elements moved as one then share one transform, whatever order
their boxes were computed in, and 10⁻⁶ px is below any visible difference."""


def transform_between(
    home_box: ArrayLike, box: ArrayLike, flip: ArrayLike, angle: float = 0.0, shear: float = 0.0
) -> Transform:
    """The transform that carries `home_box` (source pixels) onto `box` (canvas pixels).

    Args:
        home_box: (4,) box in pixels of the source.
        box: (4,) box in pixels of the canvas.
        flip: (2,) bool, mirrored left-right and top-bottom within the box.
        angle, shear: how the box is turned, see the module's head.
    """
    home, now = np.asarray(home_box, dtype=np.float64), np.asarray(box, dtype=np.float64)
    sign = np.where(np.asarray(flip, dtype=bool), -1.0, 1.0)
    scale = np.round(sign * now[2:] / home[2:], PRECISION + 3)
    if not angle and not shear:
        offset = np.round(now[:2] - scale * home[:2], PRECISION) + 0.0
        return Transform.stretch(scale, offset)
    matrix = frames(angle, shear)[0] * scale + 0.0  # (2, 2)
    x, y = (np.round(now[:2] - matrix @ home[:2], PRECISION) + 0.0).tolist()
    rows = matrix.tolist()
    return Transform((tuple(rows[0]), tuple(rows[1])), (x, y))


def shared(transforms: Sequence[Transform], home_box: Boxes) -> list[Transform]:
    """Transforms of elements of one source; those that carry elements as one are the same one.

    What is turned has no short numbers that rounding would make equal, and the numbers of what is
    scaled may lie where rounding goes both ways. So a transform gives way to an earlier one that
    carries the element's box within :data:`TOGETHER` of where its own does.

    Args:
        transforms: of each element.
        home_box: (N, 4) their boxes in pixels of the source.
    """
    known: dict[tuple[float, ...], list[Transform]] = {}
    found = []
    for own, edges in zip(transforms, corners(home_box).tolist(), strict=True):
        chosen = own
        if not own.lattice:
            cells = _cells(own.offset)
            alike = (other for cell in cells for other in known.get(cell, ()))
            chosen = next((other for other in alike if _agree(own, other, edges)), own)
            if chosen is own:
                for cell in cells:
                    known.setdefault(cell, []).append(own)
        found.append(chosen)
    return found


def _cells(offset: tuple[float, float]) -> list[tuple[float, ...]]:
    """Cells of four grids, of which nearly equal offsets share one at least."""
    x, y = (value / (16 * TOGETHER) for value in offset)
    halves = (0.0, 0.5)
    return [(i, j, np.floor(x + i), np.floor(y + j)) for i in halves for j in halves]


def _agree(one: Transform, other: Transform, edges: Edges) -> bool:
    """Whether two transforms carry a rectangle of the source to the same place."""
    x0, y0, x1, y1 = edges
    x, y = np.array([x0, x1, x0]), np.array([y0, y0, y1])
    ways = zip(one.apply(x, y), other.apply(x, y), strict=True)
    return all(bool((np.abs(own - theirs) <= TOGETHER).all()) for own, theirs in ways)
