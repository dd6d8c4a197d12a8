"""Anchored rendering: what no edit touches stays as it is, byte for byte.

    elements ⇒ scene (source 0, layers painted, hole) ⇒ decoder ⇒ fill ⇒ picture

Three things change pixels: a layer painted over them, the hole that a layer or a deleted element
leaves, and the seam of at most :data:`SEAM` pixels around that hole. The seam is there because a
photo's objects reach a little beyond their masks (blur, compression): filled from right outside the
mask, a removed object would leave its outline. What of it shows nothing of the object stays, and so
does what shows nothing of it in the rim of at most :data:`RIM` pixels within the hole
(:mod:`eie.render.seam`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from eie.edit.growth import object_around
from eie.elements import ElementSet
from eie.errors import UsageError
from eie.geometry import common_box, corners
from eie.render.layers import Layer, layers_of, paint, patch_members
from eie.render.pictures import Mask, Picture, Plane, Window, bounds
from eie.render.seam import (
    ASKED,
    DOUBTED,
    TRUSTED,
    Doubt,
    keep_clean,
    margin,
    share_around,
    spoilt,
)

SEAM = 64
"""Most pixels beyond the old and new place of an element that rendering may change."""

RIM = 16
"""Most pixels within the border of what is taken away that rendering may keep."""

_WIDE, _USUAL = 0.11, 0.045
"""Width of the seam around whole objects, and at most around others, as a part of the canvas' side.

Wide ones take along handles and legs that no element took; but what is picked by a box, say, has a
border that is meant."""

_WHOLE = 0.98
"""How much of an object must be gone for it to be a whole one."""

_UNKNOWN = 0.9
"""How much of its object is taken to be gone where elements have no affinity."""

_OBJECTS = 4
"""How many objects are looked at for that, the largest first."""

ROUGH = 0.15
"""Share of the pixels right outside of a mask's seam from which on the mask is a rough one. It was
below .09 for 27 of 30 exact masks, above .17 for 27 of 30 that were 8 pixels off."""

GENEROUS = 0.25
"""Share of the pixels right outside of a mask below which it takes in all that shows the object. It
was .08 to .4, .16 on average, of 18 masks that did, and .29 to .7, .53 on average, of 18 that
ended where the object was half transparent."""


Progress = Callable[[int, int], None]
"""Takes the steps done and all steps."""


class Decoder(Protocol):
    """Makes what an edit reveals.

    Attributes:
        name: what the command line calls it.
        settings: all that its result depends on besides the scene (options, seed, hashes of
            weights), as JSON values; goes into the output's provenance.
    """

    @property
    def name(self) -> str: ...

    @property
    def settings(self) -> Mapping[str, Any]: ...

    def fill(self, scene: Scene) -> Picture:
        """A picture (H, W, C) of the whole canvas, of which only the scene's hole is used."""
        ...


@dataclass(frozen=True, eq=False)
class Scene:
    """What a decoder may know of an edited photo.

    Attributes:
        elements: the edited set.
        source: (H, W, C) uint8, the pixels of source 0 as they were.
        picture: (H, W, C) uint8, the source with all layers painted over it; right outside of the
            hole, and showing the unedited photo, not black, within it.
        revealed: (H, W) uint8, how much of the source is gone: 255 where an element was that is
            not at home, 0 to 255 in the seam around it and in the rim within. What lies under
            painted layers counts too: it is not background.
        hole: (H, W) bool, revealed and not covered by an opaque layer: what the decoder makes.
        layers: what is painted over the source, from farthest to nearest.
        pixels_of: gives (H, W, C) uint8 pixels of a source by its index.
        seam: its width in pixels.
    """

    elements: ElementSet
    source: Picture
    picture: Picture
    revealed: Plane
    hole: Mask
    layers: Sequence[Layer]
    pixels_of: PixelsOfSources
    seam: int


class PixelsOfSources:
    """The sources' pixels, each read when it is first asked for."""

    def __init__(self, elements: ElementSet) -> None:
        self._elements = elements
        self._read: dict[int, Picture] = {}

    def __call__(self, index: int) -> Picture:
        """(H, W, C) uint8 pixels of source `index`.

        Raises:
            UsageError: the set was made without pixels.
        """
        if index not in self._read:
            pixels = self._elements.sources[index].pixels
            if pixels is None:
                raise UsageError(
                    f"source {index} has no pixels, and anchored rendering shows the photo's own",
                    hint="make the element file without --no-pixels",
                )
            self._read[index] = np.asarray(pixels)
        return self._read[index]


def seam_of(elements: ElementSet) -> int:
    """Width of the seam around elements, in pixels.

    It grows with the canvas, as do what blur spoils and handles that no element took. It is wide
    around whole objects, and the narrower the less of an object is gone: what shows an object whose
    rest stays is to stay, too.
    """
    whole = _wholeness(elements)
    part = _WIDE if whole >= _WHOLE else _USUAL * whole
    return int(np.clip(round(part * _side(elements)), outlined_seam_of(elements), SEAM))


def rough_seam_of(elements: ElementSet) -> int:
    """The same around what a mask has outlined roughly."""
    return int(np.clip(round(_side(elements) / 25), 8, 32))


def outlined_seam_of(elements: ElementSet) -> int:
    """The same around what a mask has outlined: what lies beyond is hardly the object's."""
    return int(np.clip(round(_side(elements) / 170), 2, 8))


def rim_of(elements: ElementSet) -> int:
    """Width in pixels of the rim within what is taken away: none within what a mask has outlined,
    whose border is meant; there a rim gained nothing."""
    return 0 if _is_outlined(elements) else outlined_seam_of(elements)


def _side(elements: ElementSet) -> float:
    """Side in pixels of a square as large as the canvas."""
    return float(np.sqrt(elements.canvas.height * elements.canvas.width))


def _is_outlined(elements: ElementSet) -> bool:
    """Whether what is gone from the photo has no affinity with what is left of it.

    Segmenters are never as sure of it; :mod:`eie.edit.parting` is where someone gave a mask.
    """
    source, kept = elements.sources[0], _kept(elements)
    if source.affinity is None or kept.all() or not kept.any():
        return False
    across = (source.affinity[~kept][:, kept], source.affinity[kept][:, ~kept])
    return not any(affinity.any() for affinity in across)


def _wholeness(elements: ElementSet) -> float:
    """How much is gone, in [0, 1], of the objects that what is gone belongs to by affinity."""
    source, table, gone = elements.sources[0], elements.table, ~_kept(elements)
    if source.affinity is None or not gone.any():
        return _UNKNOWN
    area = np.bincount(source.label_map.ravel(), minlength=source.patches)  # (P,)
    among = table.source == 0  # (N,)
    objects, left = np.zeros_like(gone), gone & patch_members(table.patch[among], source.patches)
    for _ in range(_OBJECTS):
        if not left.any():
            break
        largest = int(np.where(left, area, 0).argmax())
        row = int(np.flatnonzero(among & (table.patch == largest))[0])
        own = patch_members(table.patch[object_around(elements, row, among)], source.patches)
        objects |= own
        left &= ~own
    return float(area[objects & gone].sum() / max(1, area[objects].sum()))


def _kept(elements: ElementSet) -> NDArray[np.bool_]:
    """(P,) bool, the patches of source 0 that are where they were."""
    table, source = elements.table, elements.sources[0]
    kept: NDArray[np.bool_] = patch_members(table.patch[elements.untouched], source.patches)
    return kept


def stage(elements: ElementSet, seam: int | None = None, rim: int | None = None) -> Scene:
    """Paint the layers of a set and find what they leave open.

    Args:
        elements: the set.
        seam: its width in pixels, at most :data:`SEAM`; None for what the canvas suggests.
        rim: width of the rim within what is taken away, at most :data:`RIM`; None likewise.

    Raises:
        UsageError: a source that is shown has no pixels, or a seam or rim that is too wide.
    """
    for name, width, most in (("seam", seam, SEAM), ("rim", rim, RIM)):
        if width is not None and not 0 <= width <= most:
            raise UsageError(f"a {name} of {width} pixels", hint=f"0 to {most} are possible")
    pixels = PixelsOfSources(elements)
    source = pixels(0)
    layers = layers_of(elements)
    picture = source.copy()
    opaque = paint(picture, layers, elements, pixels)
    if seam is None:
        seam, revealed = _suggested(elements, source)
    else:
        revealed = _revealed(elements, source, seam)
    if rim := rim_of(elements) if rim is None else rim:
        _keep_rim(revealed, elements, source, rim)
    hole = (revealed > 0) & ~opaque
    return Scene(elements, source, picture, revealed, hole, layers, pixels, seam)


def compose(scene: Scene, fill: Picture | None) -> Picture:
    """The finished picture: the scene with its hole filled.

    Args:
        fill: (H, W, C) uint8, used in the hole; None if there is no hole.

    Returns:
        (H, W, C) uint8; may be the scene's own picture.
    """
    if fill is None or (window := bounds(scene.hole)) is None:
        return scene.picture
    part = window.slices
    hole, revealed = scene.hole[part], scene.revealed[part]
    ground = scene.source[part].copy()
    whole = hole & (revealed == 255)
    ground[whole] = fill[part][whole]
    fading = hole & (revealed < 255)
    share = revealed[fading, None].astype(np.float32) / 255  # (n, 1)
    ground[fading] = _mix(scene.source[part][fading], fill[part][fading], share)
    paint(ground, scene.layers, scene.elements, scene.pixels_of, window)
    picture = scene.picture.copy()
    picture[part][hole] = ground[hole]
    return picture


def _mix(under: Picture, over: Picture, share: NDArray[np.floating]) -> Picture:
    """(n, C) colours, `share` of them from `over`."""
    return np.asarray(np.rint(under * (1 - share) + over * share), dtype=np.uint8)


def _suggested(elements: ElementSet, pixels: Picture) -> tuple[int, Plane]:
    """Width of a seam, and what is revealed with it.

    It is narrow around what a mask has outlined, unless the object is seen to go on beyond: then
    the mask is a rough one.
    """
    if not _is_outlined(elements):
        seam = seam_of(elements)
        return seam, _revealed(elements, pixels, seam)
    rough, narrow = rough_seam_of(elements), outlined_seam_of(elements)
    revealed = _revealed(elements, pixels, rough)
    gone = ~_kept(elements)[elements.sources[0].label_map]
    if share_around(revealed, gone, narrow, 3 * narrow) > ROUGH:
        return rough, revealed
    asked = _revealed(elements, pixels, narrow, ASKED)
    generous = share_around(asked, gone, 0, narrow) < GENEROUS
    return narrow, _revealed(elements, pixels, narrow, TRUSTED if generous else DOUBTED)


def _revealed(elements: ElementSet, pixels: Picture, seam: int, doubt: Doubt = DOUBTED) -> Plane:
    """(H, W) uint8, see :attr:`Scene.revealed`; all that is gone is 255.

    Args:
        pixels: (H, W, C) uint8 of source 0.
    """
    revealed = np.zeros(elements.canvas, dtype=np.uint8)
    gone = _gone(elements, margin(seam))
    if gone is not None:
        part, mask = gone
        revealed[part] = spoilt(pixels[part], mask, seam, doubt)
    return revealed


def _keep_rim(revealed: Plane, elements: ElementSet, pixels: Picture, rim: int) -> None:
    """Lower it where the rim shows nothing of what is gone, in place; arguments as there."""
    gone = _gone(elements, margin(0))
    if gone is not None:
        part, mask = gone
        keep_clean(revealed[part], pixels[part], mask, rim)


def _gone(elements: ElementSet, beyond: int) -> tuple[tuple[slice, slice], Mask] | None:
    """What is gone from the photo, in the part of it that goes `beyond` pixels farther; None if
    nothing is."""
    source, kept = elements.sources[0], _kept(elements)
    if kept.all():
        return None
    x0, y0, x1, y1 = corners(common_box(source.home_box[~kept])).astype(int).tolist()
    whole = Window(0, 0, *elements.canvas)
    # Far enough to see what the surroundings look like.
    part = Window(y0, x0, y1, x1).grown(beyond).clipped(whole).slices
    return part, ~kept[source.label_map[part]]
