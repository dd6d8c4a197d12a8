"""Cut-out objects on photos, and what people take for them: by masks, by elements, by a click."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

import eie
from eie.edit.growth import object_around
from eie.elements import ElementSet
from eie.models.segmenter import Segmenter
from eie.render.layers import patch_members
from eie.train.images import Pixels
from eie.train.scenes import placed
from eie.train.settings import SceneSettings

Mask = NDArray[np.bool_]

Layer = NDArray[np.float32]
"""(crop, crop, 4): colours in [0, 255] times alpha, alpha in [0, 1]."""

_SHORT = 12.0
"""Pixels by which a mask that is off may end within its object."""

_CLICKS = 0.75
"""Share of objects picked among elements that a click takes."""


def draw_object(
    rng: np.random.Generator,
    cutouts: Sequence[Pixels],
    scenes: SceneSettings,
    plain: float,
    blurred: float,
) -> Layer:
    """One of the cut-outs somewhere on an empty crop.

    Args:
        plain: share of objects of one colour.
        blurred: share of objects whose border is blurred.
    """
    layer = placed(rng, cutouts[int(rng.integers(len(cutouts)))], scenes)
    if rng.random() < plain:
        layer[..., :3] = layer[..., 3:] * rng.integers(256, size=3)
    if rng.random() < blurred:
        layer = np.asarray(cv2.GaussianBlur(layer, (0, 0), rng.uniform(0.3, 1.6)))
    return layer


def pasted(ground: Pixels, layer: Layer) -> Pixels:
    """(crop, crop, 3) uint8, a layer laid over the ground."""
    mixed = ground * (1 - layer[..., 3:]) + layer[..., :3]
    return np.asarray(mixed.round().clip(0, 255), dtype=np.uint8)


def compressed(pixels: Pixels, quality: int) -> Pixels:
    """(H, W, 3) uint8 RGB after JPEG."""
    _, coded = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = cv2.imdecode(coded, cv2.IMREAD_COLOR)
    return np.ascontiguousarray(np.asarray(decoded, dtype=np.uint8)[..., ::-1])


def picked_elements(
    rng: np.random.Generator,
    pixels: Pixels,
    mask: Mask,
    segmenter: str | Segmenter,
    elements: int,
) -> Mask:
    """(crop, crop) bool, elements that lie mostly in a mask, or the object about its middle."""
    made = eie.decompose(pixels, segmenter=segmenter, elements=elements)
    label_map = made.sources[0].label_map
    count = made.sources[0].patches
    within = np.bincount(label_map[mask], minlength=count)
    members = within > 0.5 * np.bincount(label_map.ravel(), minlength=count)  # (P,) by patch
    if rng.random() < _CLICKS and made.sources[0].affinity is not None and mask.any():
        members = _clicked(made, mask)
    return np.asarray(members[label_map])


def rough_mask(rng: np.random.Generator, alpha: NDArray[np.float32]) -> Mask:
    """(crop, crop) bool, where a layer is opaque enough; half the time its border is off.

    Args:
        alpha: (crop, crop) in [0, 1].
    """
    mask: Mask = alpha > rng.choice([0.0, 0.1, 0.5, 0.9])
    if rng.random() < 0.5:
        return mask
    inside, outside = (
        cv2.distanceTransform(plane.astype(np.uint8), cv2.DIST_L2, 5) for plane in (mask, ~mask)
    )
    cells = int(rng.integers(8, 33))
    mean = rng.uniform(-2, 1) if rng.random() < 0.5 else rng.uniform(-_SHORT, -2)
    coarse = rng.normal(mean, rng.uniform(0.5, 3), (cells, cells)).astype(np.float32)
    off = cv2.resize(coarse, mask.shape[::-1], interpolation=cv2.INTER_CUBIC)  # pixels
    return np.asarray(inside - outside + off > 0.5)


def _clicked(elements: ElementSet, mask: Mask) -> Mask:
    """(P,) bool, patches of the object at the pixel farthest from a mask's border."""
    depth = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5)
    patch = elements.sources[0].label_map.ravel()[int(depth.argmax())]
    row = int(np.flatnonzero(elements.table.patch == patch)[0])
    rows = object_around(elements, row, np.ones(len(elements), dtype=bool))
    return patch_members(elements.table.patch[rows], elements.sources[0].patches)
