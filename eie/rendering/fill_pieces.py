"""Pieces of a photo that fill a window, from the size at which they were chosen to the full one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from eie.pictures import Mask, Picture
from eie.rendering.blending import copied, correction, enlarged_correction, softened_cuts, sources
from eie.rendering.working_size import Indices, Numbers, Offset, reduced_by

BEYOND = 8
"""Pixels at the size of blending for which a picture's edge goes on beyond it; what is farther out
is not there to be copied."""


class Pieces(NamedTuple):
    """Which offset fills which pixel of a hole, at one size.

    Attributes:
        hole: (H, W) bool, n pixels.
        label: (n,) index of each pixel's offset, row by row.
        offsets: in pixels of that size.
        step: how many pixels of the full size make one.
    """

    hole: Mask
    label: Indices
    offsets: Sequence[Offset]
    step: int

    def doubled(self, hole: Mask) -> Pieces:
        """The same at twice the size with smoothed cuts; `hole` (2H, 2W) lies within this one's."""
        import cv2

        plane = np.zeros(self.hole.shape, dtype=np.uint16)
        plane[self.hole] = self.label + 1
        large = plane.repeat(2, axis=0).repeat(2, axis=1)
        smooth = cv2.medianBlur(large, 5)
        label = np.where(smooth > 0, smooth, large)[hole].astype(np.intp) - 1
        return Pieces(hole, label, [offset.doubled() for offset in self.offsets], self.step // 2)


class PaddedWindow(NamedTuple):
    """A window padded to sides that can be halved as often as need be.

    Attributes:
        pixels: (H, W, C) uint8, colours times alpha.
        known: (H, W) bool, False in the padding.
        unknown: (H, W) bool, False in the padding.
    """

    pixels: Picture
    known: Mask
    unknown: Mask

    @classmethod
    def of(cls, pixels: Picture, unknown: Mask, searched: int) -> PaddedWindow:
        multiple = 2 * step_of(int(np.count_nonzero(unknown)), searched)
        padding = [(0, -side % multiple) for side in unknown.shape]
        return cls(
            np.pad(pixels, [*padding, (0, 0)], mode="edge"),
            np.pad(~unknown, padding),
            np.pad(unknown, padding),
        )

    def step(self, most: int) -> int:
        """By which the window is reduced so that its hole has about `most` pixels or fewer."""
        return step_of(int(np.count_nonzero(self.unknown)), most)

    def planes(self, step: int) -> tuple[Numbers, Mask, Mask]:
        """At 1 / `step` of its size, as :func:`eie.rendering.working_size.reduced_by` gives it."""
        return reduced_by(step, self.pixels, self.known, self.unknown)

    def hole(self, step: int) -> Mask:
        """What of it is unknown, at 1 / `step` of its size."""
        rows, columns = (side // step for side in self.unknown.shape)
        # Row by row first, which takes a quarter of the time of both at once.
        lines = self.unknown.reshape(rows, step, -1).any(axis=1)
        return np.asarray(lines.reshape(rows, columns, step).any(axis=2))

    def copied(self, pieces: Pieces, continued: Numbers, step: int) -> Numbers:
        """(n, C) what full-size pieces copy to the unknown pixels.

        Args:
            pieces: of the full size.
            continued: (H / step, W / step, C), shown where nothing known is copied.
        """
        copy = copied(self.pixels, pieces.label, pieces.offsets, pieces.hole).astype(np.float32)
        height, width = self.known.shape
        place = np.nonzero(pieces.hole)
        y, x = sources(pieces.label, pieces.offsets, *place)
        inside_y, inside_x = y.clip(0, height - 1), x.clip(0, width - 1)
        far = np.maximum(abs(y - inside_y), abs(x - inside_x)) > BEYOND * step
        lost = far | ~self.known[inside_y, inside_x]
        rows, columns = (of[lost] // step for of in place)
        copy[lost] = continued[rows, columns]
        return copy


def step_of(pixels: int, most: int) -> int:
    """The power of two by whose square so many pixels must be divided to be `most` at most."""
    step = 1
    while pixels > most * step**2:
        step *= 2
    return step


def finished_pixels(
    window: PaddedWindow, pieces: Pieces, planes: Numbers, known: Mask, step: int
) -> Picture:
    """(n, C) uint8 of the window's unknown pixels, at its full size.

    Args:
        pieces: at the size at which colours are blended, or a smaller one.
        planes, known: (H, W, C), continued, and (H, W) of the window at 1 / `step`, the size of
            blending.
    """
    small = _enlarged(window, pieces, step)
    change = correction(planes, small.label, small.offsets, small.hole, known)
    full = _enlarged(window, small, 1)
    if step > 1:
        change = enlarged_correction(change, small.hole, small.label, full.hole, full.label)
    finished = window.copied(full, planes, step) + change
    filled = window.pixels.copy()
    filled[full.hole] = finished.clip(0, 255).round()
    if step == 1:
        return filled[full.hole]
    return softened_cuts(filled, full.hole, full.label, step)


def _enlarged(window: PaddedWindow, pieces: Pieces, step: int) -> Pieces:
    """Pieces at 1 / `step` of the window's size, which is theirs or larger."""
    while pieces.step > step:
        pieces = pieces.doubled(window.hole(pieces.step // 2))
    return pieces
