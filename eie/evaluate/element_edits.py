"""The edit of a case as a user of eie does it: decompose, pick, edit, render; and what it costs."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from eie.elements import ElementSet
from eie.errors import UsageError
from eie.evaluate.cases.edit_case import EditCase
from eie.evaluate.core.case_result import Mask, Pixels
from eie.evaluate.core.choices import decoder_options, loaded_segmenter
from eie.evaluate.settings import EditSettings, Pick

if TYPE_CHECKING:
    from eie.rendering import Decoder


class Timed(NamedTuple):
    """A picture (H, W, 3) and the processor seconds it took, in all threads of this process."""

    pixels: Pixels
    seconds: float


def timed(make: Callable[[], Pixels]) -> Timed:
    """Make a picture, and measure."""
    start = time.process_time()
    pixels = make()
    return Timed(pixels, time.process_time() - start)


NOT_EDITED = ", not edited"
"""Behind a decoder's name: what it makes of the photo's elements when they are left alone."""

OBJECT = "object"
"""The group that the elements picked are given the name of."""


def decomposed(case: EditCase, settings: EditSettings) -> ElementSet:
    """The elements of the photo before the edit."""
    import eie

    segmenter = loaded_segmenter(settings.segmenter, settings.device)
    return eie.decompose(case.before, segmenter=segmenter, elements=settings.elements)


def picked(elements: ElementSet, case: EditCase, pick: Pick) -> tuple[ElementSet, list[int]]:
    """Elements with the object's as a group, parted if a mask says so; and the ids of these.

    None are picked, and there is no group, where the mask is that of no element.
    """
    from eie.editing import Group, edit

    if pick == "click":
        x, y = case.click
        grouped = edit(elements, [Group(OBJECT, f"object@{x},{y}")])
        return grouped, list(grouped.groups[OBJECT])
    mask = case.cover > 0 if pick == "exact" else case.solid
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mask.png"
        _write_mask(path, mask)
        try:
            grouped = edit(elements, [Group(OBJECT, f'mask:"{path}"')])
        except UsageError:  # no element lies mostly under it
            return elements, []
    return grouped, list(grouped.groups[OBJECT])


def selected_mask(elements: ElementSet, ids: Sequence[int]) -> Mask:
    """(H, W) bool, the pixels of elements of an unedited set."""
    source = elements.sources[0]
    members = np.zeros(source.patches, dtype=bool)
    members[elements.table.patch[np.isin(elements.table.id, ids)]] = True
    return members[source.label_map]


def edited(elements: ElementSet, ids: Sequence[int], case: EditCase) -> ElementSet:
    """The elements after the edit of a case, done to those of these ids."""
    from eie.editing import Copy, Delete, Group, Move, Operation, Scale, edit
    from eie.geometry import common_box

    if not ids:
        return elements
    group = f"group:{OBJECT}"
    operations: list[Operation] = [Group(OBJECT, ",".join(map(str, ids)))]
    home, target = case.home, case.target
    if target is None:
        return edit(elements, [*operations, Delete(group)])
    way = np.array([target.left - home.left, target.top - home.top], dtype=np.float64)
    factor = np.array([target.width / home.width, target.height / home.height])
    if (factor != 1).any():
        operations.append(Scale(group, f"{factor[0]:.9f},{factor[1]:.9f}"))
        # The selection was scaled about its own middle, not the object's.
        centre = common_box(elements.table.box[np.isin(elements.table.id, ids)])[:2]
        way += (factor - 1) * (centre - [home.left, home.top])
    shift = f"{way[0]:.6f},{way[1]:.6f}"
    operations.append(Copy(group, shift) if case.kind == "copy" else Move(group, shift))
    return edit(elements, operations)


def rendered(
    elements: ElementSet, ids: Sequence[int], case: EditCase, settings: EditSettings
) -> dict[str, Timed]:
    """Method ⇒ what every decoder makes of the edit, (H, W, 3), timed with all of the rendering."""
    import eie
    from eie.rendering import DECODERS

    # Elements parted along all that is the object's leave nothing of it beyond the mask's margin.
    dilation = case.margin if settings.select == "exact" and not settings.free else None
    variants = {"": edited(elements, ids, case)}
    if settings.free:
        elements = eie.encode(elements, **_encoding(settings))
        variants = {"": edited(elements, ids, case), NOT_EDITED: elements}

    def render(variant: ElementSet, name: str) -> Pixels:
        options = decoder_options(name, {"device": settings.device, **settings.options})
        decoder: Decoder = DECODERS[name](**options)
        rendering = eie.render(
            variant, decoder=decoder, free=settings.free, dilation=dilation, edge=settings.edge
        )
        return rendering.photo.pixels

    return {
        name + suffix: timed(partial(render, variant, name))
        for suffix, variant in variants.items()
        for name in settings.chosen_decoders
    }


def _encoding(settings: EditSettings) -> dict[str, Any]:
    """The arguments of :func:`eie.encode` for the decoders' model."""
    model = {key: settings.options[key] for key in ("model",) if key in settings.options}
    return {"device": settings.device, **model}


def _write_mask(path: Path, mask: Mask) -> None:
    from eie.files.photo import Photo
    from eie.files.photo_writing import write_photo

    write_photo(Photo(mask[..., None].astype(np.uint8) * 255), path)
