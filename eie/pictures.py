"""Pictures and masks as arrays: windows of them, their channels, and one over another."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
"""(H, W, C) uint8 in [0, 255], C = 1 grey, 2 grey+alpha, 3 RGB, 4 RGBA with straight alpha."""

Plane = NDArray[np.uint8]
"""(H, W) uint8 in [0, 255], one channel of a picture or a cover."""

Mask = NDArray[np.bool_]
"""(H, W) bool."""


class Window(NamedTuple):
    """The pixels top ≤ y < bottom, left ≤ x < right of a canvas or a source."""

    top: int
    left: int
    bottom: int
    right: int

    @classmethod
    def of(cls, pixels: NDArray[np.generic]) -> Window:
        """All of an (H, W, ...) array."""
        return cls(0, 0, *pixels.shape[:2])

    @classmethod
    def at(cls, left: int, top: int, width: int, height: int) -> Window:
        """The window of that size whose upper left pixel is (left, top)."""
        return cls(top, left, top + height, left + width)

    @property
    def empty(self) -> bool:
        return self.bottom <= self.top or self.right <= self.left

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of the window in an (H, W, ...) array that contains it."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def clipped(self, to: Window) -> Window:
        """The part within another window; may be empty."""
        return Window(
            max(self.top, to.top),
            max(self.left, to.left),
            min(self.bottom, to.bottom),
            min(self.right, to.right),
        )

    def grown(self, by: int) -> Window:
        return Window(self.top - by, self.left - by, self.bottom + by, self.right + by)

    def within(self, outer: Window) -> Window:
        """The same pixels, counted from the corner of `outer`."""
        top, left = outer.top, outer.left
        return Window(self.top - top, self.left - left, self.bottom - top, self.right - left)


def bounds(mask: Mask) -> Window | None:
    """The smallest window around the True pixels, if there are any."""
    return around(mask) if mask.any() else None


def around(mask: Mask) -> Window:
    """The smallest window around the True pixels of a mask that is not empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return Window(int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1)


def split_alpha(pixels: Picture) -> tuple[Picture, Picture | None]:
    """(h, w, C) ⇒ colour (h, w, 1 or 3), alpha (h, w) or None."""
    if pixels.shape[2] in (2, 4):
        return pixels[..., :-1], pixels[..., -1]
    return pixels, None


def to_channels(colour: Picture, channels: int) -> Picture:
    """Colour (h, w, 1 or 3) in the colour channels of a canvas of `channels` channels.

    Grey becomes equal red, green and blue; colour becomes grey by its luma (ITU-R BT.601).
    """
    import cv2

    wanted = 3 if channels >= 3 else 1
    if colour.shape[2] == wanted:
        return colour
    if wanted == 3:
        return np.repeat(colour, 3, axis=2)
    grey = cv2.cvtColor(np.ascontiguousarray(colour), cv2.COLOR_RGB2GRAY)
    return np.asarray(grey, dtype=np.uint8)[..., None]


def blend(canvas: Picture, colour: Picture, cover: Picture) -> None:
    """Put `colour` over `canvas`, in place; exact where `cover` is 0 or 255.

    Args:
        canvas: (h, w, C); its alpha, if it has one, is straight.
        colour: (h, w, 1 or 3) in the colour channels of the canvas.
        cover: (h, w) uint8, the opacity of `colour`.
    """
    under, alpha = split_alpha(canvas)
    full = cover == 255
    under[full] = colour[full]
    if alpha is not None:
        alpha[full] = 255
    rows, columns = np.nonzero((cover > 0) & ~full)
    if not len(rows):
        return
    over = cover[rows, columns, None].astype(np.float32) / 255  # (n, 1)
    below = 1 - over
    if alpha is not None:
        below *= alpha[rows, columns, None] / np.float32(255)
        alpha[rows, columns] = np.rint((over + below)[:, 0] * 255)
    top, bottom = colour[rows, columns], under[rows, columns]  # (n, K)
    under[rows, columns] = np.rint((top * over + bottom * below) / (over + below))


def times(cover: Plane, alpha: Plane) -> Plane:
    """The product of two planes whose 255 stands for one."""
    product = cover.astype(np.uint16) * alpha  # at most 255²
    return ((product + 127) // 255).astype(np.uint8)


def premultiplied(pixels: Picture) -> Picture:
    """Colours times alpha, so that what is transparent has no say in a neighbour's colour."""
    if pixels.shape[2] in (1, 3):
        return pixels
    alpha = pixels[..., -1:]
    colour = np.rint(pixels[..., :-1] * (alpha / np.float32(255))).astype(np.uint8)
    return np.concatenate([colour, alpha], axis=2)


def straight(planes: Picture) -> Picture:
    """The reverse of :func:`premultiplied` for (n, C), to the precision that 8 bits leave."""
    if planes.shape[1] in (1, 3):
        return planes
    alpha = planes[:, -1:]
    share = np.maximum(alpha, 1) / np.float32(255)
    colour = np.rint((planes[:, :-1] / share).clip(0, 255)).astype(np.uint8)
    return np.concatenate([colour, alpha], axis=1)


def shrunk(pixels: Picture, longest: int) -> Picture:
    """A picture made smaller until no side is longer; one that is small enough as it is.

    Lanczos' filter, with colours weighed by their alpha.
    """
    from PIL import Image

    size = _size_within(pixels, longest)
    if size is None:
        return pixels
    whole = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    small = np.asarray(whole.resize(size, Image.Resampling.LANCZOS))
    return small.reshape(*small.shape[:2], pixels.shape[2])


def averaged(pixels: Picture, longest: int) -> Picture:
    """As :func:`shrunk`, by area averages."""
    import cv2

    size = _size_within(pixels, longest)
    if size is None:
        return np.ascontiguousarray(pixels)
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _size_within(pixels: Picture, longest: int) -> tuple[int, int] | None:
    """Width and height of a picture made smaller until no side is longer; None if none is."""
    height, width = pixels.shape[:2]
    if max(height, width) <= longest:
        return None
    scale = longest / max(height, width)
    return max(1, round(width * scale)), max(1, round(height * scale))


def dilated(mask: Mask, pixels: int) -> Mask:
    """(H, W) bool, what is at most that far from a mask (a disc of that radius, rounded up)."""
    import cv2

    if not pixels or not mask.any():
        return mask
    wide = np.zeros_like(mask)
    around = surroundings(mask, pixels)
    near = mask[around]
    if pixels > 5:  # a large disc would be slow
        far = cv2.distanceTransform((~near).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        wide[around] = far <= pixels
        return wide
    side = 2 * pixels + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    wide[around] = cv2.dilate(near.astype(np.uint8), disc) > 0
    return wide


def surroundings(mask: Mask, pixels: int) -> tuple[slice, slice]:
    """The rows and columns that hold a mask, which is not empty, and so many pixels around it."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    return (
        slice(max(0, int(rows[0]) - pixels), int(rows[-1]) + pixels + 1),
        slice(max(0, int(columns[0]) - pixels), int(columns[-1]) + pixels + 1),
    )
