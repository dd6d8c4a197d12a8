"""Edits with known truth: cut-out objects pasted on scenes.

    scene + object at A ⇒ before        scene + object at B ⇒ truth of moving it from A to B

Without the object the scene is the truth of a removal, with the object larger or smaller that of a
resize, and with it at A and B that of a copy. Where and how large everything is follows from the
seed and the names of the files.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eie.errors import BadInputError, UsageError
from eie.evaluate.cases.edit_case import KINDS, EditCase, Kind
from eie.evaluate.core.case_result import Mask, Pixels
from eie.evaluate.core.choices import check_names
from eie.evaluate.core.photos import read_rgb
from eie.files.photo_reading import read_photo
from eie.pictures import Window, averaged, bounds

Layer = NDArray[np.float32]
"""(h, w, 4) float32 in [0, 1]: colours times opacity, opacity."""

_BORDER = 4
"""Least pixels between an object and the border of its scene."""

_TRIES = 64
"""Places that are tried for a move until one is far enough away."""

_SHADOW_SEEN = 1 / 64
"""Darkening from which on a pixel counts as shadow: about 2 of 128."""


@dataclass(frozen=True)
class CompositionSettings:
    """How objects are pasted.

    Attributes:
        size: long side of the scenes in pixels; smaller scenes stay as they are.
        extent: smallest and largest long side of an object, as a part of the scene's short side.
        enlargement: most by which a cut-out is enlarged for that.
        shrunk, grown: smallest and largest factor of a resize; half of them shrink.
        overlap: most that old and new place of a moved or copied object share, as a part of one.
        shadow: whether objects cast a soft contact shadow.
    """

    size: int = 512
    extent: tuple[float, float] = (0.25, 0.55)
    enlargement: float = 1.25
    shrunk: tuple[float, float] = (0.6, 0.8)
    grown: tuple[float, float] = (1.25, 1.6)
    overlap: float = 0.2
    shadow: bool = False


@dataclass(frozen=True)
class Composition:
    """Which object is pasted on which scene, and what is done with it."""

    name: str
    kind: Kind
    scene: Path
    cutout: Path
    seed: int

    @property
    def random(self) -> np.random.Generator:
        """The source of this case's randomness; the same for the same names and seed."""
        return np.random.default_rng([self.seed, zlib.crc32(self.name.encode())])


def plan_compositions(
    scenes: Sequence[Path],
    cutouts: Sequence[Path],
    *,
    limit: int | None = None,
    seed: int = 0,
    kinds: Sequence[Kind] = KINDS,
) -> list[Composition]:
    """The cases: every object once for every kind, on scenes that take turns.

    Args:
        limit: at most that many; the objects are then spread evenly and the kinds take turns.

    Raises:
        UsageError: `limit` is below 1, or a kind is unknown or named twice.
    """
    check_names("edit", kinds, KINDS)
    if len(set(kinds)) < len(kinds):
        raise UsageError("a kind of edit is named twice")
    if limit is not None and limit < 1:
        raise UsageError(f"limit is {limit}", hint="choose a number from 1 up")
    total = len(cutouts) * len(kinds)
    count = total if limit is None else min(limit, total)
    order = np.random.default_rng(seed).permutation(len(scenes))
    planned = []
    for index in range(count):
        kind = kinds[index % len(kinds)]
        cutout = cutouts[index * len(cutouts) // count]
        scene = scenes[order[index % len(scenes)]]
        name = f"{cutout.stem} {kind} on {scene.stem}"
        planned.append(Composition(name, kind, scene, cutout, seed))
    return planned


def composed(
    composition: Composition, settings: CompositionSettings = CompositionSettings()
) -> EditCase:
    """Paste the object of a case, before and after its edit.

    Raises:
        BadInputError: a file cannot be read, the cut-out has no alpha or is empty, or the scene is
            too small.
    """
    scene = averaged(read_rgb(composition.scene), settings.size)
    cutout = read_cutout(composition.cutout)
    random = composition.random
    home, target = _places(random, composition, scene.shape[:2], cutout.shape[:2], settings)
    if random.random() < 0.5:
        cutout = np.ascontiguousarray(cutout[:, ::-1])
    first = _Instance.of(cutout, home, scene.shape[:2], settings.shadow)
    before = _pasted(scene, [first])
    nothing = np.zeros(scene.shape[:2], dtype=bool)
    if target is None:
        truth, second = scene, None
    else:
        second = _Instance.of(cutout, target, scene.shape[:2], settings.shadow)
        truth = _pasted(scene, [first, second] if composition.kind == "copy" else [second])
    return EditCase(
        name=composition.name,
        kind=composition.kind,
        before=before,
        truth=truth,
        cover=np.rint(first.opacity * 255).astype(np.uint8),
        gone=nothing if composition.kind == "copy" else first.touched,
        present=second.covered if second else nothing,
        apart=second.touched & ~second.covered if second else nothing,
        home=home,
        target=target,
    )


def read_cutout(path: Path) -> Pixels:
    """(H, W, 4) uint8 with straight alpha, cut to what is visible.

    Raises:
        BadInputError: it cannot be read, has no alpha channel, or is fully transparent.
    """
    pixels = read_photo(path).pixels
    if pixels.shape[2] not in (2, 4):
        raise BadInputError(
            "has no alpha channel", where=str(path), hint="objects are cut-outs, such as RGBA PNGs"
        )
    alpha = pixels[..., -1]
    visible = bounds(alpha >= 128)
    if visible is None:
        raise BadInputError("the cut-out is empty", where=str(path))
    rgb = np.broadcast_to(pixels[..., :-1], (*alpha.shape, 3))
    whole = np.dstack([rgb, alpha])
    return np.ascontiguousarray(whole[visible.slices])


@dataclass(frozen=True, eq=False)
class _Instance:
    """An object at a place of the scene.

    Attributes:
        colour: (H, W, 3) float32 in [0, 255], times opacity.
        opacity: (H, W) float32 in [0, 1].
        shade: (H, W) float32 in [0, 1], by which its shadow darkens.
    """

    colour: NDArray[np.float32]
    opacity: NDArray[np.float32]
    shade: NDArray[np.float32]

    @classmethod
    def of(cls, cutout: Pixels, area: Window, size: tuple[int, ...], shadow: bool) -> _Instance:
        layer = _resized(cutout, area.width, area.height)
        whole = np.zeros((*size, 4), dtype=np.float32)
        whole[area.slices] = layer
        shade = _contact_shadow(whole[..., 3], area) if shadow else np.zeros(size, np.float32)
        return cls(whole[..., :3] * 255, whole[..., 3], shade)

    @property
    def covered(self) -> Mask:
        """(H, W) bool, pixels that show something of the object in 8 bits."""
        return np.rint(self.opacity * 255) > 0

    @property
    def touched(self) -> Mask:
        """(H, W) bool, pixels that the object or its shadow changes."""
        return self.covered | (self.shade > _SHADOW_SEEN)


def _pasted(scene: Pixels, instances: Sequence[_Instance]) -> Pixels:
    """The scene with instances on it, each in front of those before it."""
    canvas = scene.astype(np.float32)
    for instance in instances:
        canvas *= 1 - instance.shade[..., None]
        canvas = canvas * (1 - instance.opacity[..., None]) + instance.colour
    pasted = np.rint(canvas.clip(0, 255)).astype(np.uint8)
    touched = np.any([instance.touched for instance in instances], axis=0)
    return np.where(touched[..., None], pasted, scene)


def _resized(cutout: Pixels, width: int, height: int) -> Layer:
    """The cut-out at a size, resized with colours times opacity, lest hidden colours show."""
    import cv2

    straight = cutout.astype(np.float32) / 255
    layer = straight.copy()
    layer[..., :3] *= straight[..., 3:]
    shrinking = width < cutout.shape[1] or height < cutout.shape[0]
    method = cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(layer, (width, height), interpolation=method).clip(0, 1))


def _contact_shadow(
    opacity: NDArray[np.float32], area: Window, darkness: float = 0.5
) -> NDArray[np.float32]:
    """(H, W) in [0, 1]: a blurred ellipse under the object, as a light from above casts it."""
    import cv2

    shade = np.zeros(opacity.shape, dtype=np.float32)
    foot = opacity[area.slices][-max(1, area.height // 8) :].max(axis=0) > 0.5
    columns = np.flatnonzero(foot)
    left, right = (int(columns[0]), int(columns[-1])) if len(columns) else (0, area.width)
    centre = (area.left + (left + right) // 2, area.top + area.height - 1)
    axes = (max(2, round((right - left) * 0.6)), max(2, round((right - left) * 0.15)))
    cv2.ellipse(shade, centre, axes, 0, 0, 360, darkness, thickness=-1)
    return np.asarray(cv2.GaussianBlur(shade, (0, 0), max(1.0, axes[1] / 2)))


def _places(
    random: np.random.Generator,
    composition: Composition,
    scene: tuple[int, ...],
    cutout: tuple[int, ...],
    settings: CompositionSettings,
) -> tuple[Window, Window | None]:
    """Where the object is, and where the edit brings it."""
    height, width = scene[:2]
    room = min(height, width) - 2 * _BORDER
    if room < 32:
        raise BadInputError(
            f"{width}×{height} pixels are too few to paste on", where=str(composition.scene)
        )
    low, high = np.log(settings.extent)
    natural = max(cutout[:2])
    side = min(np.exp(random.uniform(low, high)) * room, settings.enlargement * natural)
    grows = random.random() < 0.5
    factor = 1.0
    if composition.kind == "resize":
        factor = random.uniform(*(settings.grown if grows else settings.shrunk))
        side = min(side, 0.95 * room / max(factor, 1.0))
    size = _whole_size(cutout, side / natural)
    changed = _whole_size(size, factor)
    home = _random_place(random, scene, max(size, changed))
    home = _centred(home, size)
    if composition.kind == "remove":
        return home, None
    if composition.kind == "resize":
        return home, _centred(home, changed)
    return home, _another_place(random, scene, home, settings.overlap)


def _whole_size(size: tuple[int, ...], factor: float) -> tuple[int, int]:
    """(height, width) times a factor, in whole pixels."""
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def _random_place(
    random: np.random.Generator, scene: tuple[int, ...], size: tuple[int, int]
) -> Window:
    """Anywhere inside the scene's border."""
    top = int(random.integers(_BORDER, scene[0] - _BORDER - size[0] + 1))
    left = int(random.integers(_BORDER, scene[1] - _BORDER - size[1] + 1))
    return Window.at(left, top, size[1], size[0])


def _centred(area: Window, size: tuple[int, int]) -> Window:
    """An area of that (height, width) in the middle of another one."""
    height, width = size
    left = area.left + (area.width - width) // 2
    return Window.at(left, area.top + (area.height - height) // 2, width, height)


def _another_place(
    random: np.random.Generator, scene: tuple[int, ...], home: Window, overlap: float
) -> Window:
    """A random place that shares little with the first one; where all share more, the best."""
    places = [_random_place(random, scene, (home.height, home.width)) for _ in range(_TRIES)]
    shared = [_shared(place, home) for place in places]
    fitting = next((i for i, share in enumerate(shared) if share <= overlap), None)
    return places[int(np.argmin(shared)) if fitting is None else fitting]


def _shared(one: Window, other: Window) -> float:
    """The part of one area that lies in another of the same size."""
    wide = max(0, one.width - abs(one.left - other.left))
    high = max(0, one.height - abs(one.top - other.top))
    return wide * high / (one.width * one.height)
