"""A hole and its surroundings at one working size, as the search for a fill takes them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eie.pictures import Mask, dilated

Colours = NDArray[np.float32]
"""(H, W, 3) float32 RGB in [0, 255]."""

Numbers = NDArray[np.float32]
"""Any shape of float32."""

Indices = NDArray[np.intp]
"""(n,) rows, columns or positions in an array."""

_STRIP = 1 << 16
"""Pixels of a window that are reduced at a time: they stay in the cache."""

BORDER = 2
"""Pixels around a hole in which a fill is compared with what is known, at a working size."""


class Offset(NamedTuple):
    """Where the content of a pixel comes from: (y, x) ⇒ (y + down, x + right), or, mirrored,
    (y + down, right − x)."""

    down: int
    right: int
    mirrored: bool = False

    def source(self, rows: Indices, columns: Indices) -> tuple[Indices, Indices]:
        """Rows and columns, maybe outside of the picture, of what is copied to these pixels."""
        return rows + self.down, self.right + (-columns if self.mirrored else columns)

    def doubled(self) -> Offset:
        """The same in pixels half as large; mirrored, the pixels' centres move by half of one."""
        return Offset(2 * self.down, 2 * self.right + self.mirrored, self.mirrored)

    def shifted(self, down: int, right: int) -> Offset:
        return Offset(self.down + down, self.right + right, self.mirrored)

    def is_beside(self, other: Offset) -> bool:
        """Whether it is another, or that of a neighbouring pixel."""
        apart = max(abs(self.down - other.down), abs(self.right - other.right))
        return apart <= 1 and self.mirrored == other.mirrored


@dataclass(frozen=True, eq=False)
class WorkingSize:
    """A window of a picture with a hole, reduced.

    Attributes:
        colour: (H, W, 3), smoothly continued where it is not known.
        features: (H, W, 5), the colour and the gradient of its mean along x and y, by which two
            pixels are compared.
        known: (H, W) bool, what may be copied.
        hole: (H, W) bool, what is to be filled; pixels beyond the photo are neither.
        rows, columns: (n,) of the hole's pixels.
        first, second: (E,) places in that order of pixels that lie beside each other in the hole.
        border: (H, W) bool, what is known within :data:`BORDER` pixels of the hole.
        border_share: (n,) how much of a square of that reach around a pixel is border; 0 for pixels
            that are not beside it.
    """

    colour: Colours
    features: Numbers
    known: Mask
    hole: Mask
    rows: Indices
    columns: Indices
    first: Indices
    second: Indices
    border: Mask
    border_share: Numbers

    @classmethod
    def of(cls, colour: Colours, known: Mask, hole: Mask) -> WorkingSize:
        """Prepare a window.

        Args:
            colour: (H, W, 3) in [0, 255], anything where it is not known.
            known, hole: as the attributes.
        """
        import cv2

        colour = continued(colour, known)
        grey = colour.mean(axis=2)
        gradients = [cv2.Sobel(grey, cv2.CV_32F, x, 1 - x, scale=0.25) for x in (1, 0)]
        rows, columns = np.nonzero(hole)
        _, first, second = neighbours(hole)
        border = dilated(hole, BORDER) & known
        beside = hole & dilated(border, 1)
        reach = (2 * BORDER + 1, 2 * BORDER + 1)
        share = np.where(beside, cv2.blur(border.astype(np.float32), reach), 0)
        return cls(
            colour=colour,
            features=np.dstack([colour, *gradients]),
            known=known,
            hole=hole,
            rows=rows,
            columns=columns,
            first=first,
            second=second,
            border=border,
            border_share=share[rows, columns],
        )

    def __len__(self) -> int:
        return len(self.rows)

    def copied(self, offset: Offset, rows: Indices, columns: Indices) -> tuple[Numbers, Mask]:
        """(n, 5) features that an offset copies to pixels, and (n,) whether those are known."""
        height, width = self.hole.shape
        down, right = offset.source(rows, columns)
        inside = (down >= 0) & (down < height) & (right >= 0) & (right < width)
        down, right = down.clip(0, height - 1), right.clip(0, width - 1)
        features = self.features[down, right]
        if offset.mirrored:
            features[:, 3] *= -1
        return features, inside & self.known[down, right]


def reduced_by(
    step: int, planes: NDArray[np.generic], known: Mask, hole: Mask
) -> tuple[Numbers, Mask, Mask]:
    """A window at 1 / `step` of its size, which divides its sides: the means of what is known of
    the planes (H, W, C); what is wholly known; and what a hole touches."""
    if step == 1:
        return planes.astype(np.float32), known, hole
    height, width = hole.shape[0] // step, hole.shape[1] // step
    share = np.empty((height, width, 1), dtype=np.float32)
    mean = np.empty((height, width, planes.shape[2]), dtype=np.float32)
    touched = np.empty((height, width), dtype=bool)
    lines = max(1, _STRIP // (width * step**2))
    for top in range(0, height, lines):
        few = slice(top, min(top + lines, height))
        many, part = slice(few.start * step, few.stop * step), (few.stop - few.start, width)
        seen = known[many, :, None]
        share[few] = _resized(seen.astype(np.float32), part)
        mean[few] = _resized(np.where(seen, planes[many], 0).astype(np.float32), part)
        touched[few] = _resized(hole[many, :, None].astype(np.float32), part)[..., 0] > 0
    mean /= np.maximum(share, np.float32(1e-6))
    return mean, share[..., 0] > 0.999, touched


def continued(planes: NDArray[np.generic], known: Mask) -> Numbers:
    """(H, W, C) with what is not known made of the known pixels around it, by a pyramid of means:
    the farther away they are, the smoother."""
    share = known.astype(np.float32)[..., None]
    return _continued(np.where(known[..., None], planes, 0).astype(np.float32), share)


def _continued(weighted: Numbers, share: Numbers) -> Numbers:
    """Planes times their share, (H, W, C), and the share, (H, W, 1) ⇒ planes."""
    height, width = share.shape[:2]
    mean = np.asarray(weighted / np.maximum(share, 1e-6), dtype=np.float32)
    if share.min() > 0.5 or max(height, width) == 1:
        return mean
    half = (-(-height // 2), -(-width // 2))
    smooth = _resized(_continued(_resized(weighted, half), _resized(share, half)), (height, width))
    sure = np.minimum(2 * share, 1)
    return np.asarray(mean * sure + smooth * (1 - sure), dtype=np.float32)


def _resized(planes: Numbers, size: tuple[int, int]) -> Numbers:
    """(h, w, C) ⇒ (H, W, C), each pixel a mean if that is smaller, and interpolated if not."""
    import cv2

    kernel = cv2.INTER_AREA if size < planes.shape[:2] else cv2.INTER_LINEAR
    resized = cv2.resize(planes, size[::-1], interpolation=kernel)
    return np.asarray(resized, dtype=np.float32).reshape(*size, planes.shape[2])


def neighbours(hole: Mask) -> tuple[Indices, Indices, Indices]:
    """The pixels of a hole counted row by row, (H, W), −1 elsewhere; and the numbers of those that
    lie beside or above each other, (E,) each."""
    position = np.full(hole.shape, -1, dtype=np.intp)
    position[hole] = np.arange(np.count_nonzero(hole))
    beside, above = hole[:, :-1] & hole[:, 1:], hole[:-1] & hole[1:]
    first = np.concatenate([position[:, :-1][beside], position[:-1][above]])
    second = np.concatenate([position[:, 1:][beside], position[1:][above]])
    return position, first, second


def beside(
    rows: Indices, columns: Indices, mask: Mask
) -> Iterator[tuple[Indices, tuple[Indices, Indices]]]:
    """For each of four directions, which of the pixels lie beside a mask, and rows and columns of
    what they lie beside."""
    height, width = mask.shape
    for down, right in ((0, 1), (1, 0), (0, -1), (-1, 0)):
        y, x = rows + down, columns + right
        inside = np.flatnonzero((y >= 0) & (y < height) & (x >= 0) & (x < width))
        pixel = inside[mask[y[inside], x[inside]]]
        yield pixel, (y[pixel], x[pixel])


def solved(
    first: Indices,
    second: Indices,
    weight: NDArray[np.floating],
    diagonal: NDArray[np.floating],
    wanted: NDArray[np.floating],
) -> Numbers:
    """(n, K) solution of a symmetric system: −weight (E,) at pairs of neighbours, (n,) diagonal."""
    from scipy.sparse import csc_array
    from scipy.sparse.linalg import splu

    pixels = np.arange(len(diagonal))
    rows = np.concatenate([first, second, pixels])
    columns = np.concatenate([second, first, pixels])
    values = np.concatenate([-weight, -weight, diagonal])
    matrix = csc_array((values, (rows, columns)), shape=(len(pixels), len(pixels)))
    return np.asarray(splu(matrix).solve(wanted), dtype=np.float32)
