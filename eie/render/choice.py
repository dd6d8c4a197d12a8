"""Several fills of a hole, the one that looks most like what is right around it first.

Patches of the surroundings fill a hole plausibly or not, depending on where they are taken from:
from near by, a hole in a lawn gets grass but one at a wall's foot no wall; from farther away it is
the other way round. So a hole is filled from surroundings of several sizes, and that fill is best
whose every place has the likest place right around the hole: with φ the unit-length ImageNet
features at one of the strides 8 and 16, I the places of the hole and O those around it,

    mean over i ∈ I of min over o ∈ O of ‖φ_i − φ_o‖²,  summed over both strides

is least. How like a fill is to its surroundings says nothing of whether it is right, but what is
unlike is rarely right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from eie.render.anchored import Scene
from eie.render.classical import ClassicalDecoder
from eie.render.pictures import Mask, Picture, Window, split_alpha, to_channels
from eie.render.windows import reduced, separate_holes, working_shape

if TYPE_CHECKING:
    from eie.models.feature_distance import FeatureDistance

Plane01 = NDArray[np.float32]
"""(h, w) in [0, 1]."""

CONTEXTS = (0.25, 0.5, 0.75)
"""Pixels around a hole that patches are taken from, as multiples of its longer side."""

_STRIDES = (8, 16)

_RING = 24
"""Pixels around a hole that its places are compared with."""

_MARGIN = 48
"""Pixels around a hole that features see, and the same as a share of its longer side."""
_SHARE = 0.25

_CLEAR = 0.95
"""How much of a place around a hole must be the photo's."""

_LONGEST = 512
"""Pixels of the longer side of what features see; larger parts are scaled down."""


def guesses(
    scene: Scene, count: int, seed: int, contexts: Sequence[float] = CONTEXTS
) -> list[list[Scene]]:
    """The scene with its holes filled by the classical decoder, `count` times.

    Args:
        seed: of the first; guess k has seed + k.
        contexts: of the classical decoder, one for each fill; not empty.

    Returns:
        For each guess, the scene with every hole's best fill, then with its second best, ...; one
        alone where no hole is filled with patches, whose fills are all alike.
    """
    first = ClassicalDecoder(seed=seed, context=contexts[0])
    if not first.takes_patches(scene.hole):
        return count * [[replace(scene, picture=first.fill(scene))]]
    return [
        [
            replace(scene, picture=picture)
            for picture in ranked(
                [
                    ClassicalDecoder(seed=seed + index, context=context).fill(scene)
                    for context in contexts
                ],
                scene.hole,
            )
        ]
        for index in range(count)
    ]


def ranked(fills: Sequence[Picture], holes: Mask) -> list[Picture]:
    """The pictures with every hole's fills in order, the best in the first, in place.

    Args:
        fills: (H, W, C) uint8 each, equal but for the holes.
        holes: (H, W) bool.
    """
    if len(fills) == 1:
        return list(fills)
    from eie.models.feature_distance import load_feature_distance

    network = load_feature_distance()
    windows = list(separate_holes(holes, _MARGIN, _SHARE))
    # Before any fill is moved, as windows may overlap.
    unlike = [[_unlikeness(network, fill, holes, *window) for fill in fills] for window in windows]
    for (window, own), values in zip(windows, unlike, strict=True):
        parts = [fill[window.slices][own] for fill in fills]  # (n, C) each
        for fill, index in zip(fills, np.argsort(values, kind="stable"), strict=True):
            fill[window.slices][own] = parts[index]
    return list(fills)


def fills_of(
    photo: Picture, holes: Mask, seed: int = 0, contexts: Sequence[float] = CONTEXTS
) -> list[Picture]:
    """A photo's holes filled as :func:`guesses` fills a scene's, for trainings.

    Args:
        photo: (H, W, 3) uint8.
        holes: (H, W) bool, not all True.
    """
    pictures = []
    for context in contexts:
        decoder = ClassicalDecoder(seed=seed, context=context)
        picture = photo.copy()
        for window, own in separate_holes(holes, decoder.margin, context):
            unknown = holes[window.slices]
            if unknown.all():
                window, own, unknown = Window.of(holes), holes, holes
            filled = decoder.inpaint(photo[window.slices], unknown)
            picture[window.slices][own] = filled[own]
        pictures.append(picture)
    return ranked(pictures, holes)


def _unlikeness(
    network: FeatureDistance, picture: Picture, holes: Mask, window: Window, own: Mask
) -> float:
    """How unlike a filled hole is to what is right around it; 0 if nothing is.

    Args:
        picture: (H, W, C) uint8, filled.
        holes: (H, W) bool, all that is filled.
        window: around one of the holes.
        own: (h, w) bool, that hole in the window.
    """
    import torch

    from eie.models.feature_distance import STRIDES

    colour, _ = split_alpha(picture[window.slices])
    size = working_shape(window.height, window.width, _LONGEST)
    pixels = reduced(to_channels(colour, 3), size)  # (h', w', 3)
    inside, left = (reduced(mask.astype(np.float32), size) for mask in (own, ~holes[window.slices]))
    given = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255  # (1, 3, h', w')
    unlike = 0.0
    with torch.inference_mode():
        features = network.features(given)
        for stride in _STRIDES:
            level = features[STRIDES.index(stride)][0].movedim(0, 2)  # (h_s, w_s, C)
            within, around = _places(inside, left, stride, level.shape[:2])
            if around.any():
                products = level[torch.from_numpy(within)] @ level[torch.from_numpy(around)].T
                unlike += float((2 - 2 * products).min(dim=1).values.mean())
    return unlike


def _places(inside: Plane01, left: Plane01, stride: int, shape: Sequence[int]) -> tuple[Mask, Mask]:
    """(h_s, w_s) bool each, the features' places in the hole, and those right around it.

    Args:
        inside, left: (h, w) in [0, 1], how much of a pixel is of the hole, and left of the photo.
        shape: (h_s, w_s) of the features.
    """
    import cv2

    def sampled(plane: Plane01) -> Plane01:
        """At every `stride`-th pixel, 0 beyond the picture."""
        grid = np.zeros(tuple(shape), dtype=np.float32)
        part = plane[::stride, ::stride]
        grid[: part.shape[0], : part.shape[1]] = part
        return grid

    share, clear = (
        sampled(np.asarray(cv2.blur(plane, (stride, stride)), dtype=np.float32))
        for plane in (inside, left)
    )
    away = cv2.distanceTransform((inside < 0.5).astype(np.uint8), cv2.DIST_L2, 5)
    near = sampled((away <= _RING).astype(np.float32)) > 0
    within = share >= min(0.5, share.max())
    return within, (clear > _CLEAR) & near & ~within
