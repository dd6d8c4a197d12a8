"""Codes of as many bytes as embeddings: what these are up against.

Picture codecs at a given number of bytes, and ordinary principal components of 32×32 RGB patches
with zeros outside their masks. A reconstruction of these is laid back by the *true* masks, which
cost the baseline nothing; so it knows every element's exact shape, where a decoder of embeddings
has to code it.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eie.elements import Source
from eie.encoding.patches import cut_patches
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


SIDE = 32
VALUES = 3 * SIDE * SIDE

Patches = NDArray[np.uint8]
"""(P, 4, SIDE, SIDE) uint8: masked RGB, zero outside, and the mask."""


@dataclass(frozen=True, eq=False)
class Moments:
    """Sums over patches x, (VALUES,) each: their number, Σ x and Σ x xᵀ, colours in [0, 1]."""

    count: int
    total: NDArray[np.float64]
    outer: NDArray[np.float64]

    @classmethod
    def of(cls, patches: Patches) -> Moments:
        rows = _rows(patches)  # (P, VALUES)
        return cls(len(rows), rows.sum(axis=0, dtype=np.float64), (rows.T @ rows).astype(float))

    def __add__(self, other: Moments) -> Moments:
        return Moments(self.count + other.count, self.total + other.total, self.outer + other.outer)

    def __sub__(self, other: Moments) -> Moments:
        return Moments(self.count - other.count, self.total - other.total, self.outer - other.outer)


@dataclass(frozen=True, eq=False)
class Basis:
    """mean: (VALUES,). axes: (VALUES, K), orthonormal, the greatest variance first."""

    mean: NDArray[np.float32]
    axes: NDArray[np.float32]

    @classmethod
    def of(cls, moments: Moments, components: int) -> Basis:
        """The principal components of the patches that were summed, fewer for few patches."""
        from scipy.sparse.linalg import eigsh

        # Beyond their number minus one, nothing varies; ARPACK would search there for long.
        components = max(1, min(components, moments.count - 1))
        mean = moments.total / moments.count
        covariance = (moments.outer / moments.count - np.outer(mean, mean)).astype(np.float32)
        # The start is fixed, so that the same patches give the same basis.
        _, axes = eigsh(covariance, components, v0=np.ones(VALUES, np.float32), tol=1e-4)
        return cls(mean.astype(np.float32), np.ascontiguousarray(axes[:, ::-1]))


def patches_of(source: Source) -> Patches:
    """The patches of a source, in the order of its labels."""
    patches = cut_patches(source, SIDE)  # (P, 4, SIDE, SIDE)
    return (patches * 255).round().astype(np.uint8)


def reconstructed(patches: Patches, basis: Basis, source: Source) -> Pixels:
    """(H, W, 3) uint8: a source's picture from K half-precision numbers a patch and its masks."""
    rows = _rows(patches) - basis.mean  # (P, VALUES)
    codes = (rows @ basis.axes).astype(np.float16)  # (P, K)
    decoded = codes.astype(np.float32) @ basis.axes.T + basis.mean  # (P, VALUES)
    colours = np.asarray(decoded.reshape(-1, 3, SIDE, SIDE).clip(0, 1), np.float32)
    return _laid_back(colours, patches[:, 3].astype(np.float32) / np.float32(255), source)


def _rows(patches: Patches) -> NDArray[np.float32]:
    """(P, 4, SIDE, SIDE) ⇒ (P, VALUES) colours in [0, 1]."""
    return patches[:, :3].reshape(len(patches), VALUES).astype(np.float32) / np.float32(255)


def _laid_back(colours: NDArray[np.float32], masks: NDArray[np.float32], source: Source) -> Pixels:
    """Each patch resized to its home box, and of it the pixels that are the patch's own.

    colours: (P, 3, SIDE, SIDE) in [0, 1]. masks: (P, SIDE, SIDE) in [0, 1].
    """
    import cv2

    labels = source.label_map
    picture = np.zeros((*labels.shape, 3), np.float32)
    corner = np.round(source.home_box[:, :2] - source.home_box[:, 2:] / 2).astype(int)
    extent = np.round(source.home_box[:, 2:]).astype(int)
    for label, ((x, y), (width, height)) in enumerate(zip(corner, extent, strict=True)):
        # Weighted by the mask, so that the zeros outside do not bleed into the borders.
        weighted = np.dstack([*(colours[label] * masks[label]), masks[label]])
        resized = cv2.resize(weighted, (width, height), interpolation=cv2.INTER_LINEAR)
        own = labels[y : y + height, x : x + width] == label
        colour = resized[..., :3] / np.maximum(resized[..., 3:], 1e-3)
        picture[y : y + height, x : x + width][own] = colour[own]
    return (picture.clip(0, 1) * 255).round().astype(np.uint8)
