"""Rulers along the edges of a picture, in pixels of the canvas."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from eie.pictures import Picture

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

_TEXT = 1 / 90
"""Height of the numbers, as a share of the picture's longest side; at least 10 pixels."""

_APART = 5
"""Least distance of two numbers, in heights of a number."""

_GROUND, _INK = (250, 250, 250), (0, 0, 0)


def with_rulers(picture: Picture, canvas: tuple[int, int]) -> Picture:
    """A picture of the canvas with rulers to its left and above, and its scale in the corner.

    Args:
        picture: (h, w, 3).
        canvas: height and width in pixels, whole.

    Returns:
        (h + band, w + band, 3), the picture in its lower right; numbers and marks stand at the
        canvas coordinates that they name.
    """
    from PIL import Image, ImageDraw, ImageFont

    height, width = picture.shape[:2]
    text = max(10, round(max(height, width) * _TEXT))
    font = ImageFont.load_default(text)
    mark = max(4, text // 2)
    above = 2 * text + mark
    beside = round(max(font.getlength(str(canvas[0])), font.getlength("x0.00"))) + text + mark
    image = Image.new("RGB", (width + beside, height + above), _GROUND)
    draw = ImageDraw.Draw(image)
    scale = width / canvas[1]
    step = step_of(_APART * text / scale)
    for x in range(0, canvas[1] + 1, max(1, step // 5)):
        at = min(beside + round(x * scale), image.width - 1)
        _mark(draw, (at, above), (at, above - (mark if x % step == 0 else mark // 2)))
        if x % step == 0 and at + font.getlength(str(x)) / 2 <= image.width:
            draw.text((at, above - mark - text // 4), str(x), _INK, font, anchor="ms")
    down = height / canvas[0]
    for y in range(0, canvas[0] + 1, max(1, step // 5)):
        at = min(above + round(y * down), image.height - 1)
        _mark(draw, (beside, at), (beside - (mark if y % step == 0 else mark // 2), at))
        if y % step == 0 and at + text / 2 <= image.height:
            draw.text((beside - mark - text // 4, at), str(y), _INK, font, anchor="rm")
    draw.text((text // 4, text // 4), f"x{scale:.3g}", _INK, font, anchor="lt")
    pixels = np.array(image)
    pixels[above:, beside:] = picture
    return pixels


def step_of(least: float) -> int:
    """The smallest of 1, 2, 5, 10, 20, 50, 100 … that is at least so much."""
    power: int = 10 ** math.floor(math.log10(max(least, 1)))
    return next(step for step in (power, 2 * power, 5 * power, 10 * power) if step >= least)


def _mark(draw: ImageDraw, start: tuple[int, int], end: tuple[int, int]) -> None:
    draw.line((*start, *end), fill=_INK, width=1)
