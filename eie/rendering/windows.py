"""The parts of a canvas that a model works on, and their way to its working size and back.

hole ⇒ sites (square-ish windows with context) ⇒ views at the working size ⇒ pixels put back
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from eie.pictures import Mask, Picture, Window, split_alpha, to_channels
from eie.rendering.anchored import Scene, kept_patches

Values = TypeVar("Values", np.uint8, np.int16, np.float32)

_BLOCK = 32
"""Holes nearer than about this many pixels are filled together."""

MOST_SITES = 4
"""More sites than this are made one: each costs a full run of the model."""


@dataclass(frozen=True, eq=False)
class Site:
    """A part of a hole and what a model sees around it.

    Attributes:
        window: on the canvas.
        own: (h, w) bool, the pixels of the window that this site fills.
    """

    window: Window
    own: Mask


@dataclass(frozen=True, eq=False)
class View:
    """A window of the canvas at a model's working size.

    Sides are padded to the multiples a model needs; padding repeats the edge and counts as known.

    Attributes:
        window: on the canvas.
        photo: (H, W, 3) uint8 RGB, the scene's picture.
        known: (H, W) bool, where it is the photo's own and no pixel of the hole is mixed in.
        covered: (H, W) bool, where some element is.
        size: height and width without the padding.
    """

    window: Window
    photo: Picture
    known: Mask
    covered: Mask
    size: tuple[int, int]

    @property
    def stretch(self) -> NDArray[np.float64]:
        """(2,) pixels of the view to one of the canvas, in x and y."""
        return np.array([self.size[1] / self.window.width, self.size[0] / self.window.height])

    @property
    def corner(self) -> NDArray[np.int64]:
        """(2,) x and y of the window on the canvas."""
        return np.array([self.window.left, self.window.top])

    def back(self, pixels: NDArray[Values]) -> NDArray[Values]:
        """(H, W, 3) uint8 or int16 of the view ⇒ (h, w, 3) of the window."""
        import cv2

        part = np.ascontiguousarray(pixels[: self.size[0], : self.size[1]])
        whole = (self.window.width, self.window.height)
        if (self.size[1], self.size[0]) == whole:
            return part
        grown = cv2.resize(part, whole, interpolation=cv2.INTER_CUBIC)
        return np.asarray(grown, dtype=pixels.dtype)


def separate_holes(hole: Mask, margin: int, context: float = 0.0) -> Iterator[tuple[Window, Mask]]:
    """Every connected part of a hole: a window around it, and the part in the window.

    Args:
        margin: pixels of the window on each side of the part, at least.
        context: the same as a multiple of the part's longer side.
    """
    import cv2

    height, width = hole.shape
    rows, columns = -(-height // _BLOCK), -(-width // _BLOCK)
    padded = np.zeros((rows * _BLOCK, columns * _BLOCK), dtype=bool)
    padded[:height, :width] = hole
    blocks = padded.reshape(rows, _BLOCK, columns, _BLOCK).max(axis=(1, 3))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(blocks.view(np.uint8))
    for label in range(1, count):
        left, top, wide, high = (int(v) * _BLOCK for v in stats[label, :4])
        around = max(margin, round(context * max(wide, high)))
        window = Window(top, left, top + high, left + wide).grown(around).clipped(Window.of(hole))
        block_rows = np.arange(window.top, window.bottom) // _BLOCK
        block_columns = np.arange(window.left, window.right) // _BLOCK
        own = labels[np.ix_(block_rows, block_columns)] == label
        yield window, hole[window.slices] & own


def sites(hole: Mask, least: int, context: float) -> list[Site]:
    """Windows around the parts of a hole; parts that fit a least window together share one.

    Args:
        hole: (H, W) bool.
        least: side of a window in pixels, where the canvas allows.
        context: side of the window as a multiple of its hole's longer side, if that is more.
    """
    canvas = Window.of(hole)
    groups: list[tuple[Window, list[tuple[Window, Mask]]]] = []
    for window, own in separate_holes(hole, 0):
        for index, (together, parts) in enumerate(groups):
            both = _joined(together, window)
            if context * max(both.height, both.width) <= least:
                groups[index] = (both, [*parts, (window, own)])
                break
        else:
            groups.append((window, [(window, own)]))
    if len(groups) > MOST_SITES:
        whole = groups[0][0]
        for window, _ in groups[1:]:
            whole = _joined(whole, window)
        groups = [(whole, [part for _, parts in groups for part in parts])]
    return [_site(window, parts, canvas, least, context) for window, parts in groups]


def view_of(scene: Scene, window: Window, working_size: int, multiple: int) -> View:
    """A window of a scene, its long side at most `working_size` pixels.

    Args:
        multiple: of which the padded sides are.
    """
    size = working_shape(window.height, window.width, working_size)
    known = ~scene.hole[window.slices]
    at_home = kept_patches(scene.elements)[scene.elements.sources[0].label_map[window.slices]]
    colour, _ = split_alpha(scene.picture[window.slices])
    photo = reduced(to_channels(colour, 3), size)
    padding = [(0, -side % multiple) for side in size]
    return View(
        window=window,
        photo=np.pad(photo, [*padding, (0, 0)], mode="edge"),
        known=np.pad(_wholly(known, size), padding, constant_values=True),
        covered=np.pad(_wholly(known | at_home, size), padding, constant_values=True),
        size=size,
    )


def _site(
    hole: Window,
    parts: list[tuple[Window, Mask]],
    canvas: Window,
    least: int,
    context: float,
) -> Site:
    side = max(least, ceil(context * max(hole.height, hole.width)))
    top, bottom = _span(hole.top, hole.bottom, side, canvas.height)
    left, right = _span(hole.left, hole.right, side, canvas.width)
    window = Window(top, left, bottom, right)
    own = np.zeros((window.height, window.width), dtype=bool)
    for part, mask in parts:
        own[part.within(window).slices] |= mask
    return Site(window, own)


def _span(low: int, high: int, length: int, limit: int) -> tuple[int, int]:
    """A stretch of `length` about low..high that lies within 0..limit."""
    length = min(length, limit)
    start = int(np.clip((low + high - length) // 2, 0, limit - length))
    return start, start + length


def _joined(one: Window, other: Window) -> Window:
    """The smallest window around both."""
    return Window(
        min(one.top, other.top),
        min(one.left, other.left),
        max(one.bottom, other.bottom),
        max(one.right, other.right),
    )


def working_shape(height: int, width: int, working_size: int) -> tuple[int, int]:
    """Height and width at which the longer one is at most `working_size`."""
    factor = min(1.0, working_size / max(height, width))
    return max(1, round(height * factor)), max(1, round(width * factor))


def reduced(picture: NDArray[Values], size: tuple[int, int]) -> NDArray[Values]:
    """(h, w) or (h, w, 3) ⇒ (H, W) `size` or (H, W, 3), each pixel a mean."""
    import cv2

    if picture.shape[:2] == size:
        return picture
    shape = (size[1], size[0])
    small = cv2.resize(picture, shape, interpolation=cv2.INTER_AREA)
    return np.asarray(small, dtype=picture.dtype)


def _wholly(mask: Mask, size: tuple[int, int]) -> Mask:
    """(h, w) ⇒ (H, W), whether all of what a pixel is the mean of is True."""
    return np.asarray(reduced(mask.astype(np.uint8) * 255, size) == 255)
