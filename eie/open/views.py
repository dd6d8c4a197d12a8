"""What is seen of a document: maps and pictures of a size for the screen."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from eie.editing.all_objects import all_objects
from eie.editing.picking import rows_on_canvas
from eie.elements import MAX_ELEMENTS, Canvas, ElementSet
from eie.errors import UsageError
from eie.files.photo import Photo
from eie.pictures import Picture, bounds
from eie.preview.cutout import cutout
from eie.rendering.anchored import Scene, stage
from eie.rendering.reduced import reduced_pixels

NOTHING = 0xFFFF
"""Where no element is, in maps of two bytes a pixel; :data:`NOTHING_WIDE` in those of four."""

NOTHING_WIDE = 0xFFFFFFFF

SIDES = (16, 8192)
"""Least and most pixels of the longer side of what is made for a screen."""


class Labels(NamedTuple):
    """The rows of the elements that are seen, by pixel.

    data: (h, w) little-endian, of `width` bytes a pixel.
    """

    data: bytes
    height: int
    width: int
    bytes: int


class Encoded(NamedTuple):
    """A picture file and its media type."""

    data: bytes
    kind: str


def fitted(canvas: Canvas, side: int) -> tuple[int, int]:
    """Height and width of a canvas whose longer side has at most so many pixels."""
    factor = min(1.0, side / max(canvas))
    return max(1, round(canvas.height * factor)), max(1, round(canvas.width * factor))


def labels(elements: ElementSet, side: int) -> Labels:
    """Which element is in front, at each pixel of a smaller canvas: what `@x,y` takes there."""
    height, width = fitted(elements.canvas, side)
    rows = rows_on_canvas(elements, elements.table.visible, (height, width))
    if len(elements) < MAX_ELEMENTS:
        return Labels(np.where(rows < 0, NOTHING, rows).astype("<u2").tobytes(), height, width, 2)
    return Labels(rows.astype("<i4").view("<u4").tobytes(), height, width, 4)


def objects(elements: ElementSet) -> bytes:
    """What `object@` takes at each element, as bits: N × 3 rows of ⌈N / 8⌉ bytes.

    Raises:
        UsageError: the file tells no objects.
    """
    return np.packbits(all_objects(elements), axis=2).tobytes()


def current(elements: ElementSet) -> Photo:
    """What the canvas shows of a set before anything is filled in: holes are transparent."""
    scene = stage(elements, edge="hard")
    if not scene.hole.any():
        return Photo(scene.picture, elements.sources[0].icc)
    return Photo(_with_holes(scene), elements.sources[0].icc)


def _with_holes(scene: Scene) -> Picture:
    """(H, W, 2 or 4) the scene's picture, its hole transparent."""
    picture = scene.picture
    if picture.shape[2] in (1, 3):
        opaque = np.full((*picture.shape[:2], 1), 255, dtype=np.uint8)
        picture = np.concatenate([picture, opaque], axis=2)
    picture = picture.copy()
    picture[scene.hole] = 0
    return picture


def unedited(elements: ElementSet) -> Photo:
    """The photo as it was.

    Raises:
        UsageError: the file has no pixels.
    """
    source = elements.sources[0]
    if source.pixels is None:
        raise UsageError("the file has no pixels", hint="run eie decompose without --no-pixels")
    return Photo(np.asarray(source.pixels), source.icc)


def cut_out(elements: ElementSet, ids: Sequence[int]) -> tuple[Photo, tuple[int, int, int, int]]:
    """Elements as they are now on nothing, and where that lies: left, top, right, bottom.

    Raises:
        UsageError: nothing of them is seen.
    """
    photo = cutout(elements, ids)
    window = bounds(photo.pixels[..., -1] > 0)
    if window is None:
        raise UsageError("nothing of the selection is seen")
    part = np.ascontiguousarray(photo.pixels[window.slices])
    return Photo(part, photo.icc), (window.left, window.top, window.right, window.bottom)


def to_side(photo: Photo, side: int | None) -> Photo:
    """A photo whose longer side has at most so many pixels."""
    height, width = photo.pixels.shape[:2]
    size = fitted(Canvas(height, width), side or max(height, width))
    return Photo(reduced_pixels(photo.pixels, size), photo.icc)


def for_screen(photo: Photo, *, exact: bool = True) -> Encoded:
    """A picture file for the screen, quickly made; it keeps the profile.

    Args:
        exact: whether no pixel may change; else what is opaque becomes a JPEG.
    """
    from PIL import Image

    pixels = photo.pixels
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    stream = io.BytesIO()
    profile = {"icc_profile": photo.icc} if photo.icc else {}
    if exact or pixels.shape[2] in (2, 4):
        image.save(stream, "PNG", compress_level=1, **profile)
        return Encoded(stream.getvalue(), "image/png")
    image.save(stream, "JPEG", quality=92, **profile)
    return Encoded(stream.getvalue(), "image/jpeg")
