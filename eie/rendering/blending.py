"""Gradient-domain blending: colours flow in from a hole's border, detail stays as it was copied.

What is copied is corrected by smooth colours e (Pérez, Gangnet & Blake, "Poisson Image Editing",
SIGGRAPH 2003), which minimise

    Σ_pq w_pq ‖e_p − e_q − j_pq‖² + λ Σ_p ‖e_p‖²

over pairs of neighbours. j is what the two would differ by if the gradients of both their pieces
were right: 0 within a piece, the mean difference of two pieces across a cut, and at the hole's
border, where q is the photo's and e_q is 0, what the copy misses of it. Where a cut or a border
shows an edge, w = 1 / (1 + (‖j‖ / σ)²) is small, and λ keeps what remains from reaching far: an
edge that meets nothing must not become a smear.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from eie.pictures import Mask, Picture, surroundings
from eie.rendering.working_size import Indices, Numbers, Offset, beside, neighbours, solved

Values = TypeVar("Values", bound=np.generic)

EDGE = 40.0
"""σ, in levels: larger differences across a cut are edges rather than light."""

RESERVE = 0.002
"""λ: corrections fade within about 1 / √λ = 22 pixels."""


def sources(
    label: Indices, offsets: Sequence[Offset], rows: Indices, columns: Indices
) -> tuple[Indices, Indices]:
    """Rows and columns, maybe beyond the picture, that the labels' offsets copy to pixels, (n,)."""
    down, right, mirrored = np.array(offsets, dtype=np.intp).reshape(-1, 3)[label].T
    return rows + down, np.where(mirrored, -columns, columns) + right


def copied(
    planes: NDArray[Values], label: Indices, offsets: Sequence[Offset], hole: Mask
) -> NDArray[Values]:
    """(n, C) what offsets copy to the pixels of a hole; beyond the picture its edge goes on.

    Args:
        planes: (H, W, C).
        label: (n,) index of each pixel's offset, row by row.
        hole: (H, W) bool, n pixels.
    """
    rows, columns = np.nonzero(hole)
    return _values(planes, label, offsets, rows, columns)


def correction(
    planes: Numbers, label: Indices, offsets: Sequence[Offset], hole: Mask, known: Mask
) -> Numbers:
    """(n, C) what to add to the copied pixels of a hole.

    Args:
        planes: (H, W, C) float32.
        label: (n,) index of each pixel's offset, row by row.
        hole: (H, W) bool, n pixels.
        known: (H, W) bool, what is the photo's around it.
    """
    rows, columns = np.nonzero(hole)
    count = len(rows)
    _, first, second = neighbours(hole)
    one, other = label[first], label[second]
    jump = np.zeros((len(first), planes.shape[2]), dtype=np.float32)
    cut = np.flatnonzero(one != other)
    for pixel in (first[cut], second[cut]):
        at = rows[pixel], columns[pixel]
        jump[cut] += _values(planes, other[cut], offsets, *at) / 2
        jump[cut] -= _values(planes, one[cut], offsets, *at) / 2
    weight = _weights(jump)
    pull = weight[:, None] * jump
    wanted = np.zeros((count, planes.shape[2]))
    np.add.at(wanted, first[cut], pull[cut])
    np.subtract.at(wanted, second[cut], pull[cut])
    diagonal = np.bincount(first, weight, count) + np.bincount(second, weight, count) + RESERVE
    for pixel, near in beside(rows, columns, known):
        missed = planes[near] - _values(planes, label[pixel], offsets, *near)  # (b, C)
        strength = _weights(missed)
        diagonal[pixel] += strength
        wanted[pixel] += strength[:, None] * missed
    return solved(first, second, weight, diagonal, wanted)


def enlarged_correction(
    small: Numbers, hole: Mask, label: Indices, larger: Mask, larger_label: Indices
) -> Numbers:
    """(m, C) a correction at a multiple of its size, interpolated within each piece alone.

    Args:
        small: (n, C) of the pixels of a hole.
        hole, label: (H, W) bool, and (n,) the piece of each of its pixels.
        larger, larger_label: (sH, sW) bool, and (m,), the same at s times the size.
    """
    import cv2

    result = np.zeros((len(larger_label), small.shape[1]), dtype=np.float32)
    step = larger.shape[0] // hole.shape[0]
    rows, columns = np.nonzero(hole)
    far_rows, far_columns = np.nonzero(larger)
    for piece in np.unique(larger_label):
        mine, own = np.flatnonzero(larger_label == piece), label == piece
        near = (far_rows[mine] // step, far_columns[mine] // step)
        top, left = max(0, near[0].min() - 1), max(0, near[1].min() - 1)
        shape = near[0].max() + 2 - top, near[1].max() + 2 - left
        inside = own & (rows >= top) & (rows < top + shape[0])
        inside &= (columns >= left) & (columns < left + shape[1])
        planes = np.zeros((*shape, small.shape[1] + 1), dtype=np.float32)
        planes[rows[inside] - top, columns[inside] - left] = np.column_stack(
            [small[inside], np.ones(np.count_nonzero(inside))]
        )
        planes = cv2.blur(planes, (3, 3)) * 1e-3 + planes  # reaches pixels just beside the piece
        size = (shape[1] * step, shape[0] * step)
        wide = cv2.resize(planes, size, interpolation=cv2.INTER_LINEAR)
        values = wide[far_rows[mine] - top * step, far_columns[mine] - left * step]
        result[mine] = values[:, :-1] / np.maximum(values[:, -1:], 1e-9)
    return result


def softened_cuts(filled: Picture, hole: Mask, label: Indices, reach: int) -> Picture:
    """(n, C) the pixels of a filled hole, blurred along the cuts: what was blended at a fraction of
    the size still has steps there.

    Args:
        filled: (H, W, C) uint8.
        hole, label: (H, W) bool, and (n,) the piece of each of its pixels.
        reach: pixels from a cut within which it is softened.
    """
    import cv2

    around = surroundings(hole, 4 * reach)  # as far as the blur sees
    filled, hole = filled[around], hole[around]
    piece = np.zeros(hole.shape, dtype=np.int32)
    piece[hole] = label + 1
    cut = np.zeros(hole.shape, dtype=bool)
    cut[:, 1:] |= piece[:, 1:] != piece[:, :-1]
    cut[1:] |= piece[1:] != piece[:-1]
    far = cv2.distanceTransform((~cut).astype(np.uint8), cv2.DIST_L2, 3)[hole]
    near = np.flatnonzero(far < reach)
    smooth = cv2.GaussianBlur(filled, (0, 0), reach / 2).reshape(filled.shape)[hole][near]
    softened: Picture = filled[hole]
    share = (1 - far[near] / reach)[:, None]  # (m, 1)
    softened[near] = np.rint(softened[near] * (1 - share) + smooth * share)
    return softened


def _values(
    planes: NDArray[Values],
    label: Indices,
    offsets: Sequence[Offset],
    rows: Indices,
    columns: Indices,
) -> NDArray[Values]:
    """(n, C) what the labels' offsets copy to pixels."""
    y, x = sources(label, offsets, rows, columns)
    values: NDArray[Values] = planes[y.clip(0, planes.shape[0] - 1), x.clip(0, planes.shape[1] - 1)]
    return values


def _weights(difference: Numbers) -> NDArray[np.float64]:
    """(n,) of differences (n, C)."""
    squared: NDArray[np.float64] = np.square(difference).sum(axis=1, dtype=np.float64)
    return 1 / (1 + squared / EDGE**2)
