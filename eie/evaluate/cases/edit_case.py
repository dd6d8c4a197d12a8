"""An edit whose result is known: what is judged by `eie evaluate edits`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from eie.evaluate.core.case_result import Mask, Pixels
from eie.pictures import Window

Plane = NDArray[np.uint8]
"""(H, W) uint8 in [0, 255], an opacity."""

HALF = 128
"""Opacity from which on a pixel is the object's more than the scene's."""

EDGE = 8
"""Pixels on both sides of an object's border that are its edge."""

Kind = Literal["move", "remove", "resize", "copy"]
KINDS: tuple[Kind, ...] = ("move", "remove", "resize", "copy")


def dilated(mask: Mask, pixels: int) -> Mask:
    """(H, W) bool, the mask and that many pixels on every side, corners included."""
    import cv2

    side = 2 * pixels + 1
    return np.asarray(cv2.dilate(mask.astype(np.uint8), np.ones((side, side), np.uint8)) > 0)


@dataclass(frozen=True, eq=False)
class EditCase:
    """A photo, an edit of one object in it, and the photo that a perfect edit gives.

    Attributes:
        name: unlike that of any other case.
        kind: what is done with the object.
        before: (H, W, 3) uint8, the photo.
        truth: (H, W, 3) uint8, the photo after a perfect edit.
        cover: (H, W) uint8, the object's opacity in `before`: the exact mask, soft.
        gone: (H, W) bool, every pixel that the object (and its shadow) leaves. Empty for a copy.
        present: (H, W) bool, every pixel that the object takes after the edit. Of a copy, the new
            one. Empty for a removal.
        apart: (H, W) bool, pixels that belong to no region, because truth and edit differ in more
            than the object there (its shadow at the new place, another instance of it).
        home: the object's tight window in `before`.
        target: where the edit brings that; None for a removal.
        margin: pixels by which who is given the object's mask dilates it before filling: 0 where
            the mask is exact, more where it was drawn on a photo, whose objects end in a blur.
    """

    name: str
    kind: Kind
    before: Pixels
    truth: Pixels
    cover: Plane
    gone: Mask
    present: Mask
    apart: Mask
    home: Window
    target: Window | None
    margin: int = 0

    @property
    def unknown(self) -> Mask:
        """(H, W) bool, what methods that are given all that the object touches have to make."""
        return self.gone & dilated(self.cover > 0, self.margin) if self.margin else self.gone

    @property
    def unknown_by_mask(self) -> Mask:
        """(H, W) bool, what methods that are given the mask of `solid` have to make."""
        return self.gone & dilated(self.solid, self.margin)

    @property
    def revealed(self) -> Mask:
        """(H, W) bool, what the edit uncovers: `gone`, but not taken by the object again."""
        return self.gone & ~self.present & ~self.apart

    @property
    def object(self) -> Mask:
        """(H, W) bool, the object's new place."""
        return self.present & ~self.apart

    @property
    def edge(self) -> Mask:
        """(H, W) bool, about the object's border at its new place, away from the old one."""
        inside, outside = (dilated(part, EDGE) for part in (self.present, ~self.present))
        return inside & outside & ~dilated(self.gone, EDGE) & ~self.apart

    @property
    def untouched(self) -> Mask:
        """(H, W) bool, all that no edit of this object should change."""
        return ~(self.gone | self.present | self.apart)

    @property
    def solid(self) -> Mask:
        """(H, W) bool, the pixels in `before` that are the object's more than the scene's."""
        return self.cover >= HALF

    @property
    def click(self) -> tuple[float, float]:
        """x and y in pixels, the middle of the object: its pixel farthest from its border."""
        import cv2

        padded = np.pad(self.solid, 1).astype(np.uint8)
        depth = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
        row, column = np.unravel_index(int(np.argmax(depth)), depth.shape)
        return float(column) + 0.5, float(row) + 0.5
