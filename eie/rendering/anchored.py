"""Anchored rendering: what no edit touches stays as it is, byte for byte.

    elements ⇒ scene (source 0, layers painted, hole) ⇒ decoder ⇒ fill ⇒ picture

Three things change pixels: a layer painted over them, the hole that a layer or a deleted element
leaves, and the hole's dilation by a few pixels. It is dilated because a photo's objects reach a
little beyond their masks (blur, compression): filled from right outside the mask, a removed object
would leave its outline. With soft edges, a layer takes along what of it reaches beyond its elements
(hair, poles, blur) within that dilation; as it is scaled, so is this. Unless the dilation is chosen
by hand, a fourth thing does: halos and soft rims that what is gone left on calm surfaces beside it
are taken out of the photo (:mod:`eie.rendering.traces`), where they are found.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from eie.elements import ElementSet, Source
from eie.errors import UsageError
from eie.geometry import common_box, corners
from eie.pictures import Mask, Picture, Window, bounds, dilated, split_alpha
from eie.rendering.layers import Layer, layers_of, paint, patch_members, usual_dilation, with_mattes
from eie.rendering.traces import REACH, without_traces

DILATION = 64
"""Most pixels of a dilation."""

Edge = Literal["hard", "soft"]

EDGES: Sequence[Edge] = get_args(Edge)
"""How what moved ends: where its elements do, or by an alpha matte, :mod:`eie.rendering.mattes`."""

DEFAULT_EDGE: Edge = "soft"

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
        source: (H, W, C) uint8, the pixels of source 0, without traces of what is gone.
        picture: (H, W, C) uint8, the source with all layers painted over it; right outside of the
            hole, and showing the unedited photo, not black, within it.
        gone: (H, W) bool, where an element was that is not at home, dilated; what lies under
            painted layers counts, too: it is not background.
        hole: (H, W) bool, gone and not covered by an opaque layer: what the decoder makes.
        layers: what is painted over the source, from farthest to nearest.
        pixels_of: gives (H, W, C) uint8 pixels of a source by its index.
        dilation: of what is gone, in pixels.
    """

    elements: ElementSet
    source: Picture
    picture: Picture
    gone: Mask
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
    """The usual dilation of what is gone, in pixels; it grows with the canvas, as blur does."""
    return usual_dilation(elements.canvas)


def kept_patches(elements: ElementSet) -> NDArray[np.bool_]:
    """(P,) bool, the patches of source 0 that are where they were."""
    return patch_members(elements.table.patch[elements.untouched], elements.sources[0].patches)


def check_edge(edge: str) -> None:
    """Refuse what is no way for a layer to end.

    Raises:
        UsageError: it is none of :data:`EDGES`.
    """
    if edge not in EDGES:
        raise UsageError(f"no edge '{edge}'", hint=f"there is: {', '.join(EDGES)}")


def stage(elements: ElementSet, dilation: int | None = None, edge: Edge = DEFAULT_EDGE) -> Scene:
    """Paint the layers of a set and find what they leave open.

    Args:
        elements: the set.
        dilation: of what is gone, in pixels, at most :data:`DILATION`; None for the usual one,
            and traces of what is gone mended up to :data:`eie.rendering.traces.REACH` times as far.
        edge: of the layers, one of :data:`EDGES`.

    Raises:
        UsageError: a source that is shown has no pixels, a dilation out of range, or no such edge.
    """
    check_edge(edge)
    if dilation is not None and not 0 <= dilation <= DILATION:
        raise UsageError(f"a dilation of {dilation} pixels", hint=f"0 to {DILATION} are possible")
    pixels = PixelsOfSources(elements)
    source = pixels(0)
    usual = dilation_of(elements)
    traced = dilation is None
    dilation = usual if dilation is None else dilation
    layers = layers_of(elements)
    if edge == "soft":
        layers = with_mattes(layers, elements, pixels, dilation)
    if traced:
        source = _without_traces(elements, source, usual)
    picture = source.copy()
    opaque = paint(picture, layers, elements, pixels)
    gone = _gone(elements, dilation)
    return Scene(elements, source, picture, gone, gone & ~opaque, layers, pixels, dilation)


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
    hole = scene.hole[part]
    ground = scene.source[part].copy()
    ground[hole] = fill[part][hole]
    paint(ground, scene.layers, scene.elements, scene.pixels_of, window)
    picture = scene.picture.copy()
    picture[part][hole] = ground[hole]
    return picture


def _gone(elements: ElementSet, dilation: int) -> Mask:
    """(H, W) bool, see :attr:`Scene.gone`."""
    source, kept = elements.sources[0], kept_patches(elements)
    gone = np.zeros(elements.canvas, dtype=bool)
    if kept.all():
        return gone
    part = _about(source, kept, dilation).slices
    gone[part] = dilated(~kept[source.label_map[part]], dilation)
    return gone


def _without_traces(elements: ElementSet, pixels: Picture, dilation: int) -> Picture:
    """(H, W, C) source 0 without the traces of what is gone."""
    source, kept = elements.sources[0], kept_patches(elements)
    if kept.all():
        return pixels
    part = _about(source, kept, 2 * REACH * dilation).slices
    colour, _ = split_alpha(pixels[part])
    clean = without_traces(colour, ~kept[source.label_map[part]], dilation)
    if clean is colour:
        return pixels
    result = pixels.copy()
    split_alpha(result[part])[0][:] = clean
    return result


def _about(source: Source, kept: NDArray[np.bool_], pixels: int) -> Window:
    """What holds the patches of a source that are not kept, (P,), and so much around them."""
    x0, y0, x1, y1 = corners(common_box(source.home_box[~kept])).astype(int).tolist()
    return Window(y0, x0, y1, x1).grown(pixels).clipped(Window.of(source.label_map))
