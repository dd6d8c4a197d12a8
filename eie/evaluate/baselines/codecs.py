"""Picture codecs at a given number of bytes: what an embedding of that size is up against."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from eie.evaluate.core.case_result import Pixels

CODECS: Mapping[str, Mapping[str, object]] = {
    "jpeg": {"format": "JPEG", "optimize": True},
    "webp": {"format": "WEBP", "method": 4},
}
"""Pillow's options of each codec; JPEG with its usual halved colour resolution."""

_QUALITIES = (1, 100)


class Coded(NamedTuple):
    """A picture as it comes back from a codec: (H, W, 3) uint8, the bytes spent, the quality."""

    pixels: Pixels
    size: int
    quality: int


def coded_within(pixels: Pixels, codec: str, budget: int) -> Coded:
    """The picture at the highest quality that needs at most so many bytes.

    Args:
        pixels: (H, W, 3) uint8.
        codec: a name out of `CODECS`.
        budget: bytes of the whole file; if the lowest quality exceeds it, that is taken.
    """
    from PIL import Image

    low, high = _QUALITIES
    best = _coded(pixels, codec, low)
    while low < high and len(best) <= budget:
        quality = (low + high + 1) // 2
        tried = _coded(pixels, codec, quality)
        if len(tried) <= budget:
            low, best = quality, tried
        else:
            high = quality - 1
    with Image.open(io.BytesIO(best)) as image:
        return Coded(np.array(image.convert("RGB")), len(best), low)


def _coded(pixels: Pixels, codec: str, quality: int) -> bytes:
    from PIL import Image

    stream = io.BytesIO()
    options: dict[str, object] = {**CODECS[codec], "quality": quality}
    Image.fromarray(pixels).save(stream, **options)  # type: ignore[arg-type]
    return stream.getvalue()
