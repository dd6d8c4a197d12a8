"""Masks that people draw or other programs make: pictures, white on what is meant.

Other tools mark in other ways, which are understood where the picture leaves no doubt, each with a
note: nothing white, but something that is not black; strokes or a cut-out on transparency; a photo
with a transparent hole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from eie.elements import Canvas
from eie.errors import BadInputError
from eie.files.stores import AnyPath
from eie.notes import tell

if TYPE_CHECKING:
    from eie.files.photo import Photo

_DARK, _LIGHT = 16, 239
"""Levels up to and from which a pixel is as good as black or white."""

_MIXED = 0.2
"""Share of pixels that are neither, from which on a picture is rather a photo than a mask."""

_CLEAR = 128
"""Alpha from which on a pixel counts as there."""

_MOST_LABELS, _SEEN = 64, 20_000
"""Colours that a picture of labels has at most, of so many of its pixels."""

_NOTHING = 2
"""Levels that compression leaves in what is meant to be black."""


def read_mask(file: AnyPath, canvas: Canvas) -> NDArray[np.bool_]:
    """Where a picture, stretched to the canvas, marks something: by white that is not transparent,
    or as the module's head says.

    Returns:
        (H, W) bool.

    Raises:
        BadInputError: the picture cannot be read, marks nothing, or has other proportions than the
            canvas.
    """
    return fitted(load_mask(file, canvas), canvas)


def load_mask(file: AnyPath, canvas: Canvas) -> Photo:
    """The picture of a mask, to be fitted to a canvas; what may be meant otherwise is told.

    Raises:
        BadInputError: it cannot be read, or fits the canvas neither as it is nor turned, which is
            known before it is decoded.
    """
    from eie.files.photo_reading import read_photo  # Pillow is wanted by masks only

    def fits(width: int, height: int) -> None:
        if not (_alike(width, height, canvas) or _alike(height, width, canvas)):
            raise _unlike(width, height, canvas, str(file))

    photo = read_photo(str(file), numbers=True, fits=fits)
    # Nothing of a mask is kept but what it marks.
    told = [note for note in photo.notes if not note.endswith(("kept", "cut to 8"))]
    tell(told, str(file))
    return photo


def fitted(photo: Photo, canvas: Canvas, where: str = "mask") -> NDArray[np.bool_]:
    """As :func:`read_mask`, of a picture that is read.

    Args:
        where: the mask's name in messages.
    """
    pixels, note = _upright(photo, canvas, where)
    tell([note] if note else [], where)
    marked, note = marked_in(pixels, where)
    tell([note] if note else [], where)
    height, width = pixels.shape[:2]
    lines = np.arange(canvas.height) * height // canvas.height
    columns = np.arange(canvas.width) * width // canvas.width
    stretched: NDArray[np.bool_] = marked[np.ix_(lines, columns)]  # (H, W)
    return stretched


def _upright(photo: Photo, canvas: Canvas, where: str) -> tuple[NDArray[np.uint8], str | None]:
    """The mask's pixels as they lie on the canvas, and a note if that is not as its tag says."""
    pixels = photo.pixels
    height, width = pixels.shape[:2]
    if _alike(width, height, canvas):
        return pixels, None
    if _alike(height, width, canvas) and photo.orientation >= 5:
        from eie.files.photo_reading import as_stored

        note = (
            "its orientation tag would turn it on its side, and seems to be copied from the "
            "photo; it is not followed"
        )
        return np.ascontiguousarray(as_stored(pixels, photo.orientation)), note
    raise _unlike(width, height, canvas, where)


def _unlike(width: int, height: int, canvas: Canvas, where: str) -> BadInputError:
    """What is said of a mask of other proportions than the canvas."""
    hint = "a mask must have the proportions of the canvas"
    if _alike(height, width, canvas):
        hint = (
            "it would fit if it were turned by 90°: the photo is shown upright, by its "
            "orientation tag; turn the mask likewise"
        )
    return BadInputError(
        f"the mask is {width}×{height}, the canvas {canvas.width}×{canvas.height}",
        where=where,
        hint=hint,
    )


def _alike(width: int, height: int, canvas: Canvas) -> bool:
    """Whether a size has the canvas's proportions, but for a pixel that rounding may have cost."""
    return abs(width * canvas.height - height * canvas.width) <= max(canvas)


def marked_in(
    pixels: NDArray[np.uint8], where: str = "mask"
) -> tuple[NDArray[np.bool_], str | None]:
    """What the picture of a mask marks, and a note if that is not simply its white.

    Args:
        pixels: (H, W, C) uint8, alpha straight if there is any.

    Returns:
        (H, W) bool.

    Raises:
        BadInputError: nothing is marked.
    """
    colours = pixels.shape[2] - (pixels.shape[2] in (2, 4))
    colour = pixels[..., :colours]
    there = np.ones(colour.shape[:2], dtype=bool)
    if colours < pixels.shape[2]:
        there = pixels[..., -1] >= _CLEAR
    if not there.any():
        raise BadInputError(
            "the mask is transparent everywhere", where=where, hint="mark what is meant in white"
        )
    dark: NDArray[np.bool_] = np.asarray((colour <= _DARK).all(axis=2))
    light: NDArray[np.bool_] = np.asarray((colour >= _LIGHT).all(axis=2))
    mixed = float(1 - (dark | light)[there].mean())
    if not there.all() and (mixed >= _MIXED or not light[there].any()):
        return _by_alpha(there, dark[there].all())
    white = (colour.sum(axis=2, dtype=np.uint16) >= 128 * colours) & there  # (H, W)
    if white.any() and not _labels(colour, light, ~dark & there, white):
        note = "it looks like a photo; its bright parts are taken" if mixed >= _MIXED else None
        return white, note
    brightest = colour.max(axis=2)
    most = int(brightest[there].max())
    if most <= _NOTHING and len(np.unique(brightest[there])) < 2:
        raise BadInputError(
            "the mask is black everywhere", where=where, hint="mark what is meant in white"
        )
    # Labels by number or by colour: the least of them may be much darker than the brightest.
    least = max(1, most // 4)
    return (brightest >= least) & there, "nothing in it is white; what is not black is taken"


def _labels(
    colour: NDArray[np.uint8],
    light: NDArray[np.bool_],
    other: NDArray[np.bool_],
    white: NDArray[np.bool_],
) -> bool:
    """Whether what is not black are labels in colours, some of which happen to be bright."""
    if light.any() or other.sum() < 1.1 * white.sum():
        return False
    seen = colour[other].astype(np.int16)  # (n, 1 or 3)
    if len(np.unique(seen[:: 1 + len(seen) // _SEEN], axis=0)) > _MOST_LABELS:
        return False
    return bool((seen.max(axis=1) - seen.min(axis=1) > 2 * _DARK).mean() > 0.5)


def _by_alpha(there: NDArray[np.bool_], black: np.bool_ | bool) -> tuple[NDArray[np.bool_], str]:
    """What a picture on transparency marks: itself, or the hole in it if it reaches all around."""
    border = np.concatenate([there[0], there[-1], there[1:-1, 0], there[1:-1, -1]])
    if border.mean() > 0.5:
        return ~there, "a picture with a transparent hole; the hole is taken"
    what = "black strokes" if black else "a cut-out"
    return there, f"{what} on transparency; what is not transparent is taken"
