"""Changes of an element table that operations are made of.

Boxes are kept on a grid of 2⁻³² pixel and angles on one of 2⁻³² degree, so that adding and
subtracting is exact and a way there and back ends where it began. Turning rounds: what comes to
stand upright again, next to where whole pixels are, is put there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eie.editing.picking import Rows
from eie.editing.units import MAX_EXTENT
from eie.elements import MAX_ELEMENTS, ElementSet, ElementTable
from eie.errors import UsageError
from eie.geometry import Boxes, box_corners, common_box, frames, normal_angle, rotation

MIN_SIZE = 2.0**-10
"""Smallest width and height of an element's box, in pixels."""

_GRID = 2.0**-32

_FINER = 2.0**-4
"""Times which the grid is finer for what is turned: errors of many turns stay below settling."""

_FINEST_SHEAR = 2.0**-40

_SETTLING = 2.0**-31
"""Pixels within which what stands upright again is put where whole pixels are."""

_ROUND_ANGLE = 1e-8
"""Degrees within which an angle that was worked out is taken for one of few decimals."""


def changed(elements: ElementSet, rows: Rows, **columns: Any) -> ElementSet:
    """The set with other values in some columns of its table."""
    return replace(elements, table=elements.table.set(rows, **columns))


def centre_of(elements: ElementSet, rows: Rows) -> NDArray[np.float64]:
    """(2,) the centre of the common box, which is turned as most of the elements are.

    So it stays where it is in what the elements show together, however they are turned, mirrored
    or scaled as one. (That of the upright box around them would not.)
    """
    table = elements.table
    if not table.turned[rows].any():
        return common_box(table.box[rows])[:2]
    frame = _commonest_frame(elements, rows)
    inverse = np.linalg.inv(frame)
    corners = box_corners(table.box[rows], table.angle[rows], table.shear[rows]) @ inverse.T
    twice = frame @ (corners.min(axis=(0, 1)) + corners.max(axis=(0, 1)))
    # On the grid, doubled: what is mirrored about it twice is where it was.
    return np.asarray(np.round(twice / _GRID) * _GRID / 2)


def commonest_turn(elements: ElementSet, rows: Rows) -> tuple[float, float]:
    """The angle and shear that most rows have, of equally many those of the first row."""
    turns = np.stack([elements.table.angle[rows], elements.table.shear[rows]], axis=1)
    kinds, first, counts = np.unique(turns, axis=0, return_index=True, return_counts=True)
    angle, shear = kinds[np.lexsort((first, -counts))[0]].tolist()
    return angle, shear


def _commonest_frame(elements: ElementSet, rows: Rows) -> NDArray[np.float64]:
    """(2, 2) the frame that most rows have."""
    frame: NDArray[np.float64] = frames(*commonest_turn(elements, rows))[0]
    return frame


def shifted(elements: ElementSet, rows: Rows, shift: NDArray[np.float64]) -> ElementSet:
    """The set with elements moved by (2,) pixels, rounded to the grid."""
    box = elements.table.box[rows]
    box[:, :2] += np.round(shift / _GRID) * _GRID
    return placed(elements, rows, box)


def turned(elements: ElementSet, rows: Rows, angle: float) -> ElementSet:
    """The set with elements turned by degrees about the centre of their common box, as one."""
    if not angle:
        return elements
    centre, box = _pivot(elements, rows, angle), elements.table.box[rows]
    box[:, :2] = centre + (box[:, :2] - centre) @ rotation(angle).T
    now = normal_angle(elements.table.angle[rows] + angle)
    return placed(elements, rows, settled(box, now, elements.table.shear[rows]), angle=now)


def _pivot(elements: ElementSet, rows: Rows, angle: float) -> NDArray[np.float64]:
    """(2,) what to turn elements about: the centre of their common box, or half a pixel beside it.

    About the centre of a box whose width is even and whose height is odd, a quarter turn would put
    every pixel between others. The place beside it turns with the box, so that four quarters are a
    whole turn.
    """
    centre, frame = centre_of(elements, rows), _commonest_frame(elements, rows)
    twice = np.round(2 * centre)
    between = angle % 180 == 90 and twice.sum() % 2 == 1
    whole = (np.abs(2 * centre - twice) < 2 * _SETTLING).all() and np.isin(frame, (-1, 0, 1)).all()
    if between and whole:
        return np.asarray(twice / 2 - frame[:, 0] / 2)
    return centre


def stretched(elements: ElementSet, rows: Rows, factors: NDArray[np.float64]) -> ElementSet:
    """The set with elements scaled by (2,) factors about the centre of their common box, as one.

    Factors that differ make what is turned lean, as in a picture that is stretched as a whole.
    """
    table = elements.table
    centre, box = centre_of(elements, rows), table.box[rows]
    place = centre + (box[:, :2] - centre) * factors
    turned = table.turned[rows]
    if factors[0] == factors[1] or not turned.any():
        return placed(elements, rows, np.hstack([place, box[:, 2:] * factors]))
    angle, shear = table.angle[rows], table.shear[rows]
    scale = np.tile(factors, (len(rows), 1))
    turns, kind = np.unique(
        np.stack([angle[turned], shear[turned]], axis=1), axis=0, return_inverse=True
    )
    made = np.array([_stretched_frame(a, k, factors) for a, k in turns.tolist()])
    made = made[kind.reshape(-1)]  # (K, 4)
    angle[turned], shear[turned], scale[turned] = made[:, 0], made[:, 1], made[:, 2:]
    box = settled(np.hstack([place, box[:, 2:] * scale]), angle, shear, turned)
    return placed(elements, rows, box, angle=angle, shear=shear)


def _stretched_frame(
    angle: float, shear: float, factors: NDArray[np.float64]
) -> tuple[float, float, float, float]:
    """Angle and shear of a frame that is stretched, and by how much width and height are longer.

    diag(factors) · R · K = R' · K' · diag(longer), by a QR decomposition.
    """
    matrix = factors[:, None] * frames(angle, shear)[0]  # (2, 2)
    wider = float(np.hypot(*matrix[:, 0]))
    along = matrix[:, 0] / wider
    across = np.array([-along[1], along[0]])
    higher = float(across @ matrix[:, 1])
    now = float(np.degrees(np.arctan2(along[1], along[0])))
    if abs(now - round(now, 6)) < _ROUND_ANGLE:
        now = round(now, 6)
    lean = float(along @ matrix[:, 1]) / higher
    lean = 0.0 if abs(lean) < np.radians(_ROUND_ANGLE) else lean
    now = float(normal_angle(np.round(now / _GRID) * _GRID))
    return now, float(np.round(lean / _FINEST_SHEAR) * _FINEST_SHEAR), wider, higher


def settled(
    box: Boxes,
    angle: NDArray[np.float64],
    shear: NDArray[np.float64],
    among: NDArray[np.bool_] | None = None,
) -> Boxes:
    """Boxes, those that stand upright put where whole pixels are, if they are next to there.

    Args:
        among: (N,) bool, the others are left as they are; None for all.
    """
    near = np.round(2 * box) / 2
    close = (np.abs(box - near) < _SETTLING) & ((angle % 90 == 0) & (shear == 0))[:, None]
    if among is not None:
        close &= among[:, None]
    return np.where(close, near, box)


def placed(elements: ElementSet, rows: Rows, box: Boxes, **columns: Any) -> ElementSet:
    """The set with other boxes, on the grid and within the limits, and other values in columns."""
    # Sizes are even multiples of the grid, so that corners and mirrored centres lie on it too.
    grid = np.array([_GRID, _GRID, 2 * _GRID, 2 * _GRID])
    # Those of what is turned do not, and it may be turned many times.
    leaning = columns.get("angle", elements.table.angle[rows]) % 90 != 0  # (K,)
    grid = np.where(leaning[:, None], grid * _FINER, grid)
    box = np.round(box / grid) * grid
    beyond = ~(np.abs(box) <= MAX_EXTENT).all(axis=1)
    if "shear" in columns:
        beyond |= ~(np.abs(columns["shear"]) * box[:, 3] <= MAX_EXTENT)
    tiny = (box[:, 2:] < MIN_SIZE).any(axis=1)
    for bad, problem in (
        (beyond, f"would lie or reach farther than {MAX_EXTENT:,.0f} pixels"),
        (tiny, f"would be smaller than 1/{1 / MIN_SIZE:.0f} pixel"),
    ):
        if bad.any():
            raise UsageError(f"element {elements.table.id[rows[bad.argmax()]]} {problem}")
    return changed(elements, rows, box=box, **columns)


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


def restacked(
    elements: ElementSet, rows: Rows, lowest: Callable[[NDArray[Any], NDArray[Any]], int]
) -> ElementSet:
    """The set with rows brought beyond all others.

    Args:
        lowest: gives the z of the farthest row, of the z of all others and of the rows' depths.
    """
    others = np.delete(elements.table.z, rows)
    if not len(others):
        return elements
    depth = depths(elements, rows)
    return changed(elements, rows, z=stack(lowest(others, depth), depth))


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
