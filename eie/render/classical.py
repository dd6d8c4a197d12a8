"""The `classical` decoder: fills what an edit reveals from its surroundings, without a network.

Wide holes are filled with patches of the surroundings (:mod:`eie.render.exemplar`), so that texture
goes on; narrow ones, such as seams, by OpenCV's Telea inpainting:

A. Telea, "An image inpainting technique based on the fast marching method", J. Graphics Tools
9(1), 2004. It continues colours from the hole's border inwards and invents nothing.

Neither knows what things are, nor needs weights: this is what the learned decoders have to beat.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from eie.render.anchored import Progress, Scene
from eie.render.exemplar import fill_with_patches, has_patches, is_available
from eie.render.pictures import Mask, Picture, split_alpha, to_channels
from eie.render.windows import separate_holes

_BLACK = 8
"""Added to brightness where grain is measured against it, so that black is not divided by."""

_FEATHERED = 4
"""More pixels than a layer's soft edge is wide."""

_BAND, _SAMPLES = 256, 10_000
"""Grain is measured and made in bands of so many rows, from at most about so many pixels each."""


Method = Literal["patchmatch", "telea"]


def _best_method() -> Method:
    return "patchmatch" if is_available() else "telea"


@dataclass(frozen=True)
class ClassicalDecoder:
    """Inpainting from the surroundings of every hole.

    Attributes:
        method: of filling wide holes; "patchmatch" where PyPatchMatch has a compiled library.
        radius: pixels around a pixel that Telea's method makes it from, at the working size.
        margin: pixels around a hole that are looked at, at least.
        context: pixels around a hole that patches are taken from, as a multiple of its longer side.
        narrow: pixels; a hole that is nowhere farther from its border is filled by Telea's method.
        largest: pixels of a hole beyond which it is filled at a reduced working size.
        background: share of a hole's border above which the unmoved photo there is taken for its
            background; below it the moved elements are, as when all of a sky was shifted.
        seed: where the search for patches starts; variation k, counted from 0, has seed + k.
    """

    method: Method = field(default_factory=_best_method)
    radius: float = 3.0
    margin: int = 24
    context: float = 1.0
    narrow: int = 4
    largest: int = 100_000
    background: float = 1 / 3
    seed: int = 0

    @property
    def name(self) -> str:
        return "classical"

    @property
    def settings(self) -> Mapping[str, Any]:
        return asdict(self)

    def fill(self, scene: Scene) -> Picture:
        """The scene's picture with its hole filled; deterministic.

        Colour and alpha are continued alike. A hole without any surroundings gets the mean of
        source 0.
        """
        picture = scene.picture.copy()
        rim = scene.dilation + _FEATHERED
        context = self.context if self.method == "patchmatch" else 0.0
        for window, hole in separate_holes(scene.hole, self.margin, context):
            part = window.slices
            gone = scene.revealed[part] > 0
            if self._has_background(hole, gone, rim):
                ground, unknown = scene.source[part], gone
            else:
                ground, unknown = scene.picture[part], scene.hole[part]
            if unknown.all():
                picture[part][hole] = np.rint(_mean(scene.source))
            else:
                picture[part][hole] = self.inpaint(ground, unknown)[hole]
        return picture

    def fill_variations(
        self,
        scene: Scene,
        count: int,
        progress: Progress | None = None,  # noqa: ARG002 - it takes no steps
    ) -> list[Picture]:
        """As :meth:`fill`, several times; what is not filled with patches is alike in all."""
        return [replace(self, seed=self.seed + index).fill(scene) for index in range(count)]

    def _has_background(self, hole: Mask, gone: Mask, rim: int) -> bool:
        """Whether enough of what surrounds a hole is photo that did not move.

        Asked around the parts of the hole that are wider than the `rim` along a layer's edge.
        """
        import cv2

        box = np.ones((rim, rim), np.uint8)
        wide = cv2.morphologyEx(hole.astype(np.uint8), cv2.MORPH_OPEN, box)
        core = wide if wide.any() else hole.astype(np.uint8)
        around = (cv2.dilate(core, np.ones((2 * rim + 1, 2 * rim + 1), np.uint8)) > 0) & ~hole
        return bool((around & ~gone).sum() > self.background * around.sum())

    def inpaint(self, ground: Picture, unknown: Mask) -> Picture:
        """(h, w, C) with the unknown pixels made; the others may differ from `ground`.

        Args:
            ground: (h, w, C) uint8.
            unknown: (h, w) bool, not all True.
        """
        import cv2

        if not unknown.any():
            return ground
        planes, gone = _premultiplied(ground), unknown
        height, width = unknown.shape
        reduction = np.sqrt(max(1.0, unknown.sum() / self.largest))
        if reduction > 1:
            size = (max(1, round(width / reduction)), max(1, round(height / reduction)))
            planes, unknown = _reduced(planes, unknown, size)
        alpha = split_alpha(planes)[1]
        opaque = alpha is None or bool((alpha == 255).all())
        textured = opaque and self.takes_patches(unknown)
        if textured:
            filled = _patched(planes, unknown, self.seed)
        else:
            filled = _softened(_telea(planes, unknown, self.radius), unknown)
        if reduction > 1:
            enlarged = cv2.resize(filled, (width, height), interpolation=cv2.INTER_CUBIC)
            filled = np.asarray(enlarged, dtype=np.uint8).reshape(height, width, -1)
        if reduction > 1 or not textured:
            filled = _grained(filled, ground, gone)
        return _straight(filled)

    def takes_patches(self, unknown: Mask) -> bool:
        """Whether a hole in an opaque picture is filled with patches: it is wide enough."""
        import cv2

        if self.method != "patchmatch" or not has_patches(unknown):
            return False
        depth = cv2.distanceTransform(unknown.astype(np.uint8), cv2.DIST_L2, 5)
        return bool(depth.max() > self.narrow)


def _patched(planes: Picture, unknown: Mask, seed: int) -> Picture:
    """(h, w, C) opaque planes, filled with patches by their colours."""
    colours = 3 if planes.shape[2] >= 3 else 1
    filled = fill_with_patches(to_channels(planes[..., :colours], 3), unknown, seed)
    return np.dstack([to_channels(filled, colours), planes[..., colours:]])


def _telea(planes: Picture, unknown: Mask, radius: float) -> Picture:
    """Telea inpainting of (h, w, C) planes; OpenCV takes one or three at a time."""
    import cv2

    mask = unknown.astype(np.uint8)
    colours = 3 if planes.shape[2] >= 3 else 1
    parts = (planes[..., :colours], planes[..., colours:])
    filled = [
        cv2.inpaint(np.ascontiguousarray(part), mask, radius, cv2.INPAINT_TELEA)
        for part in parts
        if part.shape[2]
    ]
    return np.asarray(np.dstack(filled), dtype=np.uint8)


def _softened(filled: Picture, unknown: Mask) -> Picture:
    """Averages over about as many pixels as a filled one is away from the nearest known one.

    Fast marching leaves a crease wherever fronts meet, and rays behind every detail of the border;
    what is known of a pixel far inside is no sharper than its distance.
    """
    import cv2

    height, width = unknown.shape
    distance = np.asarray(cv2.distanceTransform(unknown.astype(np.uint8), cv2.DIST_L2, 5))
    level = np.log2(np.maximum(distance[unknown], 1))  # (n,) of an average over 2**level pixels
    values = filled[unknown].astype(np.float32)  # (n, C)
    for coarser in range(1, int(np.ceil(level.max())) + 1):
        size = (-(-width // 2**coarser), -(-height // 2**coarser))
        small = cv2.resize(filled, size, interpolation=cv2.INTER_AREA)
        blurred = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
        share = (level - (coarser - 1)).clip(0, 1)[:, None]  # (n, 1)
        values += share * (blurred.reshape(filled.shape)[unknown] - values)
    softened = filled.copy()
    softened[unknown] = np.rint(values)
    return softened


def _grained(filled: Picture, ground: Picture, unknown: Mask) -> Picture:
    """With a photo's grain, as strong as in the calmest quarter of the known surroundings.

    Grain is taken to grow with brightness, so that shadows stay clean. It is always the same
    noise: the same input gives the same bytes.
    """
    strength = _grain(ground, unknown)
    colours = 3 if ground.shape[2] >= 3 else 1
    random = np.random.default_rng(0)
    grained = filled.copy()
    for top in range(0, len(filled), _BAND):
        band = slice(top, top + _BAND)
        inside = unknown[band]
        colour = filled[band][inside][:, :colours].astype(np.float32)  # (n, K)
        noise = strength * random.standard_normal((len(colour), 1), dtype=np.float32)
        colour += noise * (colour.mean(axis=1, keepdims=True) + _BLACK)
        grained[band][inside, :colours] = np.rint(colour.clip(0, 255))
    return grained


def _grain(ground: Picture, unknown: Mask) -> np.float32:
    """Standard deviation of fine detail relative to brightness, in the calmest quarter."""
    import cv2

    found = []
    for top in range(0, len(ground), _BAND):
        band = slice(top, top + _BAND)
        away = cv2.erode((~unknown[band]).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
        luma = to_channels(split_alpha(ground[band])[0], 1)[..., 0].astype(np.float32)
        smooth = cv2.GaussianBlur(luma, (3, 3), 0)
        contrast = np.abs(luma - smooth)[away] / (smooth[away] + _BLACK)
        found.append(contrast[:: 1 + len(contrast) // _SAMPLES])
    contrast = np.concatenate(found)
    if not len(contrast):
        return np.float32(0)
    # lower quartile of |normal noise| = 0.3186 σ; the blur leaves 0.8 σ in the difference
    return np.float32(np.quantile(contrast, 0.25) / (0.3186 * 0.8))


def _reduced(planes: Picture, unknown: Mask, size: tuple[int, int]) -> tuple[Picture, Mask]:
    """Planes and mask at (width, height) `size`, averaged over known pixels only."""
    import cv2

    known = np.where(unknown, 0, 255).astype(np.uint8)
    held = planes * (known > 0)[..., None]
    small = cv2.resize(held, size, interpolation=cv2.INTER_AREA).reshape(size[1], size[0], -1)
    share = cv2.resize(known, size, interpolation=cv2.INTER_AREA) / np.float32(255)  # (h, w)
    enough = share >= 0.5
    if not enough.any():
        enough = share == share.max()
    averaged = small / np.maximum(share, 1 / 255)[..., None]
    return np.rint(averaged.clip(0, 255)).astype(np.uint8), ~enough


def _premultiplied(pixels: Picture) -> Picture:
    """Colours times alpha, so that what is transparent has no say in a neighbour's colour."""
    if pixels.shape[2] in (1, 3):
        return pixels
    alpha = pixels[..., -1:]
    colour = np.rint(pixels[..., :-1] * (alpha / np.float32(255))).astype(np.uint8)
    return np.concatenate([colour, alpha], axis=2)


def _straight(planes: Picture) -> Picture:
    """The reverse of :func:`_premultiplied`, to the precision that 8 bits leave."""
    if planes.shape[2] in (1, 3):
        return planes
    alpha = planes[..., -1:]
    share = np.maximum(alpha, 1) / np.float32(255)
    colour = np.rint((planes[..., :-1] / share).clip(0, 255)).astype(np.uint8)
    return np.concatenate([colour, alpha], axis=2)


def _mean(pixels: Picture) -> NDArray[np.float64]:
    """(C,) mean of a picture."""
    return np.asarray(pixels.mean(axis=(0, 1)), dtype=np.float64)
