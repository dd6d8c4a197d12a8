"""How a photo lies in SAM's square input, and how mask logits come back to its pixels.

    photo (H, W) ⇒ input (longer side = img_size) ⇒ padded at right and bottom to img_size²
    mask logits (low, low) ⇒ upsampled to img_size² ⇒ cropped to the input ⇒ resized to (H, W)

Both steps of the way back are bilinear and separable, so the whole way is one matrix per axis.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Frame:
    """The place of a photo of height × width pixels in a square input of img_size² pixels."""

    height: int
    width: int
    img_size: int

    @property
    def scale(self) -> float:
        """Input pixels per photo pixel."""
        return self.img_size / max(self.height, self.width)

    @property
    def input_height(self) -> int:
        return max(1, int(self.height * self.scale + 0.5))

    @property
    def input_width(self) -> int:
        return max(1, int(self.width * self.scale + 0.5))

    def to_input(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Carry (N, 2) (x, y) points from photo pixels to input pixels, pixel j at [j, j + 1)."""
        size = np.array([self.width, self.height], dtype=np.float64)
        return points * (np.array([self.input_width, self.input_height]) / size)

    def vertical(self, low: int) -> NDArray[np.float32]:
        """(H, rows) weights that take mask logits of a low×low decoder output to photo rows.

        Only the leading rows that reach the photo are kept: rows ≤ low.
        """
        return _sampling(self.height, self.input_height, self.img_size, low)

    def horizontal(self, low: int) -> NDArray[np.float32]:
        """(W, columns) weights that take mask logits to photo columns: see :meth:`vertical`."""
        return _sampling(self.width, self.input_width, self.img_size, low)


def _sampling(size: int, input_size: int, img_size: int, low: int) -> NDArray[np.float32]:
    upsampling = bilinear_weights(low, img_size)[:input_size]  # (input, low)
    left, right, share = bilinear(input_size, size)  # (size,) each
    share = share[:, None]
    weights = (1 - share) * upsampling[left] + share * upsampling[right]  # (size, low)
    return weights[:, : 1 + int(np.flatnonzero(weights.any(axis=0))[-1])]


def bilinear_weights(size: int, new_size: int) -> NDArray[np.float32]:
    """(new_size, size) weights of `interpolate(mode="bilinear", align_corners=False)`, one axis."""
    left, right, share = bilinear(size, new_size)
    weights = np.zeros((new_size, size), dtype=np.float32)
    rows = np.arange(new_size)
    weights[rows, left] = 1 - share
    weights[rows, right] += share
    return weights


def bilinear(
    size: int, new_size: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """For each of `new_size` pixels the two nearest of `size`, and the second one's share."""
    place = (np.arange(new_size) + 0.5) * (size / new_size) - 0.5
    place = np.clip(place, 0, size - 1)
    left = np.minimum(place.astype(np.intp), max(size - 2, 0))
    return left, np.minimum(left + 1, size - 1), (place - left).astype(np.float32)
