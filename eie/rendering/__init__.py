"""Rendering: an edited element set becomes a photo.

:func:`render` gives the finished photo, :func:`eie.preview.overlay.show` a picture of its elements.

    anchored                                    what stays, what moved, what is to be filled
    layers, stamps, mattes                      what moved: its pixels, edges and colours
    classical, light, diffusion, inpaint        the decoders, which fill
    hole_layout, lines, offsets, graph_cut,
    fill_pieces, blending                       the classical one's parts
    element_tensors, diffusion_sampling,
    learned_filling                             what the learned ones share
    windows, working_size, reduced              at which size a model or search works
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

import eie
from eie.elements import ElementSet
from eie.errors import UsageError
from eie.files.colours import visible_colours
from eie.files.photo import Photo
from eie.files.photo_writing import write_photo
from eie.pictures import Mask, Picture, shrunk
from eie.rendering.anchored import (
    DEFAULT_EDGE,
    DILATION,
    EDGES,
    Decoder,
    Edge,
    Progress,
    Scene,
    compose,
    dilation_of,
    stage,
)
from eie.rendering.classical import ClassicalDecoder
from eie.rendering.diffusion import DiffusionDecoder
from eie.rendering.inpaint import InpaintDecoder
from eie.rendering.light import LightDecoder
from eie.rendering.traces import REACH

__all__ = [
    "DECODERS",
    "DILATION",
    "EDGES",
    "ClassicalDecoder",
    "Decoder",
    "DiffusionDecoder",
    "Edge",
    "FreeDecoder",
    "InpaintDecoder",
    "LightDecoder",
    "Rendering",
    "Scene",
    "VaryingDecoder",
    "render",
    "variations",
]

DECODERS: Mapping[str, type[Decoder]] = {
    "classical": ClassicalDecoder,
    "light": LightDecoder,
    "diffusion": DiffusionDecoder,
    "inpaint": InpaintDecoder,
}
"""The decoders that a name stands for, each with its default settings."""

DEFAULT, DEFAULT_FREE = "classical", "light"
"""The decoders of what an edit reveals, and of whole pictures."""


@runtime_checkable
class FreeDecoder(Decoder, Protocol):
    """A decoder that can make the whole picture from embeddings and boxes."""

    def decode(self, elements: ElementSet) -> Picture:
        """(H, W, 3) uint8 RGB of the whole canvas."""
        ...


@runtime_checkable
class VaryingDecoder(Decoder, Protocol):
    """A decoder that can give several results at once."""

    def fill_variations(
        self, scene: Scene, count: int, progress: Progress | None = None
    ) -> list[Picture]:
        """As `fill`, several times or, if there are no more, fewer; `progress` is called with
        (steps done, all steps)."""
        ...


@runtime_checkable
class VaryingFreeDecoder(FreeDecoder, VaryingDecoder, Protocol):
    """Both."""

    def decode_variations(
        self, elements: ElementSet, count: int, progress: Progress | None = None
    ) -> list[Picture]:
        """As `decode`, several times; `progress` is called with (steps done, all steps)."""
        ...


@dataclass(frozen=True, eq=False)
class Rendering:
    """A rendered photo and how it came about.

    Attributes:
        photo: the result, with the profile and metadata of source 0.
        changed: (H, W) bool, pixels that differ from source 0.
        provenance: what made it, as text by key ("Software", "eie:decoder", "eie:settings",
            "eie:edge", "eie:dilation" and, if traces are mended, how far at most as "eie:traces",
            both in pixels, "eie:variation" as "2 of 4"); goes into the written file, and the same
            values give the same bytes.
    """

    photo: Photo
    changed: Mask
    provenance: Mapping[str, str]

    @property
    def changed_pixels(self) -> int:
        return int(np.count_nonzero(self.changed))

    def picture(self, size: int | None = None) -> Photo:
        """The photo; given a size, made smaller until its longer side has at most so many pixels,
        and as it is if it has."""
        if size is None:
            return self.photo
        return replace(self.photo, pixels=shrunk(self.photo.pixels, size))

    def save(
        self,
        target: Path | str,
        *,
        quality: int | None = None,
        metadata: bool = True,
        size: int | None = None,
    ) -> None:
        """Write the photo with its provenance; see :func:`eie.files.write_photo`.

        Args:
            size: as :meth:`picture`.
        """
        picture = self.picture(size)
        write_photo(picture, target, quality=quality, metadata=metadata, text=self.provenance)


def render(
    elements: ElementSet,
    *,
    decoder: str | Decoder | None = None,
    free: bool = False,
    dilation: int | None = None,
    edge: Edge | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Rendering:
    """Render a set: pixels no edit touches are source 0's, the decoder makes what edits reveal.

    Args:
        elements: the set; the sources it shows must have pixels.
        decoder: a name out of :data:`DECODERS` or a decoder with settings of its own; None for
            :data:`DEFAULT`, or with `free` for :data:`DEFAULT_FREE`.
        free: render everything from embeddings and boxes, as the paper does (§3); no pixels of
            the sources are used.
        dilation: pixels around what is taken away that are filled, too, as the photo still shows
            a little of it there; 0 changes nothing but edited elements; None for what the canvas
            suggests (:func:`eie.rendering.anchored.dilation_of`), with halos and soft rims of it
            mended up to :data:`eie.rendering.traces.REACH` times as far. Not for `free`.
        edge: of what moved: "soft" by an alpha matte, with what of it reaches beyond its elements
            (hair, poles), as far as the dilation; "hard" where its elements end; None for
            :data:`eie.rendering.anchored.DEFAULT_EDGE`. Not for `free`.
        progress: called with (steps done, all steps) by decoders that work in steps.
        options: settings of the decoder that `decoder` names, such as `model` and `device`.

    Raises:
        UsageError: no such decoder, edge or option, a source without pixels, a dilation out of
            range, or `free` with one of them or with a decoder that knows no embeddings.
        MissingModelError: the decoder's weights are not there.
    """
    [rendering] = variations(
        elements,
        1,
        decoder=decoder,
        free=free,
        dilation=dilation,
        edge=edge,
        progress=progress,
        **options,
    )
    return rendering


def variations(
    elements: ElementSet,
    count: int,
    *,
    decoder: str | Decoder | None = None,
    free: bool = False,
    dilation: int | None = None,
    edge: Edge | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> list[Rendering]:
    """Render a set several times: as many pictures as differ, at most `count`.

    Args:
        count: of renderings; more than one only by decoders that can vary. Variation k, counted
            from 0, has the decoder's seed + k.
        elements, decoder, free, dilation, edge, progress, options: as :func:`render`, which raises
            the same.
    """
    chosen = chosen_decoder(decoder or (DEFAULT_FREE if free else DEFAULT), options)
    if count < 1:
        raise UsageError(f"{count} variations, at least 1 is needed")
    if count > 1 and not isinstance(chosen, VaryingDecoder):
        raise UsageError(
            f"the decoder '{chosen.name}' always makes the same picture",
            hint=f"of these --decoder makes others: {_varying(free)}; or leave out --variations",
        )
    if free and dilation is not None:
        raise UsageError("a dilation has no meaning for --free", hint="leave out --dilation")
    if free and edge is not None:
        raise UsageError("an edge has no meaning for --free", hint="leave out --edge")
    if free:
        made = _freely(elements, chosen, count, progress)
        provenance = _provenance(chosen) | {"eie:free": "true"}
    else:
        edge = edge or DEFAULT_EDGE
        made = _anchored(elements, chosen, count, stage(elements, dilation, edge), progress)
        provenance = _provenance(chosen) | _dilation(elements, dilation) | {"eie:edge": edge}
    return [
        replace(
            rendering,
            provenance=provenance | ({"eie:variation": f"{index} of {count}"} if count > 1 else {}),
        )
        for index, rendering in enumerate(made, start=1)
    ]


def _anchored(
    elements: ElementSet,
    decoder: Decoder,
    count: int,
    scene: Scene,
    progress: Progress | None,
) -> list[Rendering]:
    fills: list[Picture | None] = [None]
    if scene.hole.any():
        seen = replace(
            scene,
            source=visible_colours(scene.source),
            picture=visible_colours(scene.picture),
        )
        if isinstance(decoder, VaryingDecoder):
            fills = [*decoder.fill_variations(seen, count, progress)]
        else:
            fills = [decoder.fill(seen)]
    source = elements.sources[0]
    made = []
    for fill in fills:
        pixels = compose(scene, fill)
        photo = Photo(pixels, source.icc, source.exif)
        made.append(Rendering(photo, _changed(scene.pixels_of(0), pixels), {}))
    return made


def _freely(
    elements: ElementSet, decoder: Decoder, count: int, progress: Progress | None
) -> list[Rendering]:
    if not isinstance(decoder, FreeDecoder):
        raise UsageError(
            f"the decoder '{decoder.name}' cannot render from embeddings alone",
            hint="use --decoder light, or leave out --free",
        )
    if isinstance(decoder, VaryingFreeDecoder):
        pictures = decoder.decode_variations(elements, count, progress)
    else:
        pictures = [decoder.decode(elements)]
    return [_free_rendering(elements, pixels) for pixels in pictures]


def _free_rendering(elements: ElementSet, pixels: Picture) -> Rendering:
    source = elements.sources[0]
    changed = np.ones(elements.canvas, dtype=bool)
    icc = source.icc
    if source.pixels is not None and source.pixels.shape == pixels.shape:
        changed = _changed(np.asarray(source.pixels), pixels)
    elif source.pixels is not None and source.pixels.shape[2] < 3:
        icc = None  # a profile for grey
    return Rendering(Photo(pixels, icc, source.exif), changed, {})


def chosen_decoder(choice: str | Decoder, options: Mapping[str, Any]) -> Decoder:
    """The decoder that a name out of :data:`DECODERS` stands for, with these settings.

    Raises:
        UsageError: there is none of that name, or it takes no such settings.
    """
    if not isinstance(choice, str):
        return choice
    if choice not in DECODERS:
        raise UsageError(f"no decoder '{choice}'", hint=f"there is: {', '.join(DECODERS)}")
    try:
        return DECODERS[choice](**options)
    except TypeError as error:
        taking = [name for name, kind in DECODERS.items() if _takes(kind, options)]
        raise UsageError(
            f"the decoder '{choice}' does not take these options: {', '.join(options)}",
            hint=f"of these --decoder takes them: {', '.join(taking)}" if taking else None,
        ) from error


def _varying(free: bool) -> str:
    """The decoders that can give several results."""
    method = "decode_variations" if free else "fill_variations"
    return ", ".join(name for name, kind in DECODERS.items() if hasattr(kind, method))


def _takes(kind: Any, options: Mapping[str, Any]) -> bool:
    """Whether a decoder has all of these settings."""
    return set(options) <= {field.name for field in fields(kind)}


def _changed(source: Picture, pixels: Picture) -> Mask:
    """(H, W) bool, compared in bands of rows so that no mask of all channels is held."""
    changed = np.zeros(source.shape[:2], dtype=bool)
    for top in range(0, len(source), 64):
        band = slice(top, top + 64)
        differs = source[band] != pixels[band]
        if differs.any():
            np.logical_or.reduce(differs, axis=2, out=changed[band])
    return changed


def _dilation(elements: ElementSet, dilation: int | None) -> dict[str, str]:
    if dilation is not None:
        return {"eie:dilation": str(dilation)}
    usual = dilation_of(elements)
    return {"eie:dilation": str(usual), "eie:traces": str(REACH * usual)}


def _provenance(decoder: Decoder) -> dict[str, str]:
    return {
        "Software": f"eie {eie.__version__}",
        "eie:decoder": decoder.name,
        "eie:settings": json.dumps(dict(decoder.settings), sort_keys=True),
    }
