"""Anchored rendering: what no edit touches stays as it is, byte for byte.

    elements ⇒ scene (source 0, layers painted, hole) ⇒ decoder ⇒ fill ⇒ picture

Three things change pixels: a layer painted over them, the hole that a layer or a deleted element
leaves, and the dilation of at most :data:`DILATION` pixels around that hole. It is there because a
photo's objects reach a little beyond their masks (blur, compression): filled from right outside the
mask, a removed object would leave its outline.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from eie.elements import ElementSet
from eie.errors import UsageError
from eie.geometry import common_box, corners
from eie.render.layers import Layer, layers_of, paint, patch_members
from eie.render.pictures import Mask, Picture, Plane, Window, bounds

DILATION = 64
"""Most pixels beyond the old and new place of an element that rendering may change."""


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
            not at home, falling to 0 across the dilation. What lies under painted layers counts
            too: it is not background.
        hole: (H, W) bool, revealed and not covered by an opaque layer: what the decoder makes.
        layers: what is painted over the source, from farthest to nearest.
        pixels_of: gives (H, W, C) uint8 pixels of a source by its index.
        dilation: pixels around what is gone that are made anew, too.
    """

    elements: ElementSet
    source: Picture
    picture: Picture
    revealed: Plane
    hole: Mask
    layers: Sequence[Layer]
    pixels_of: PixelsOfSources
    dilation: int


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


def dilation_of(elements: ElementSet) -> int:
    """Pixels by which a hole is dilated; it grows with the canvas, as does what blur spoils."""
    side = np.sqrt(elements.canvas.height * elements.canvas.width)
    return int(np.clip(round(side / 170), 2, 8))


def _kept(elements: ElementSet) -> NDArray[np.bool_]:
    """(P,) bool, the patches of source 0 that are where they were."""
    table, source = elements.table, elements.sources[0]
    kept: NDArray[np.bool_] = patch_members(table.patch[elements.untouched], source.patches)
    return kept


def stage(elements: ElementSet, dilation: int | None = None) -> Scene:
    """Paint the layers of a set and find what they leave open.

    Args:
        elements: the set.
        dilation: pixels around what is gone that are made anew, too, at most :data:`DILATION`;
            None for what the canvas suggests.

    Raises:
        UsageError: a source that is shown has no pixels, or a dilation that is too wide.
    """
    if dilation is None:
        dilation = dilation_of(elements)
    if not 0 <= dilation <= DILATION:
        raise UsageError(f"a dilation of {dilation} pixels", hint=f"0 to {DILATION} are possible")
    pixels = PixelsOfSources(elements)
    source = pixels(0)
    layers = layers_of(elements)
    picture = source.copy()
    opaque = paint(picture, layers, elements, pixels)
    revealed = _revealed(elements, dilation)
    hole = (revealed > 0) & ~opaque
    return Scene(elements, source, picture, revealed, hole, layers, pixels, dilation)


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


def _revealed(elements: ElementSet, dilation: int) -> Plane:
    """(H, W) uint8, see :attr:`Scene.revealed`; all that is gone is 255, and across the outer half
    of the dilation it falls to 0."""
    import cv2

    revealed = np.zeros(elements.canvas, dtype=np.uint8)
    source, kept = elements.sources[0], _kept(elements)
    if kept.all():
        return revealed
    x0, y0, x1, y1 = corners(common_box(source.home_box[~kept])).astype(int).tolist()
    part = Window(y0, x0, y1, x1).grown(dilation + 1).clipped(Window(0, 0, *elements.canvas)).slices
    remains = kept[source.label_map[part]]  # (h, w)
    distance = cv2.distanceTransform(remains.view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    fading = (dilation + 1 - distance) / max(1, dilation // 2)  # (h, w)
    revealed[part] = np.where(distance <= dilation, np.rint(255 * fading.clip(0, 1)), 0)
    return revealed
