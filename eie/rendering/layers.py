"""Layers: touched elements carry their own pixels to where they stand.

    source pixels + label map ⇒ layers ⇒ stamps (colour, cover) ⇒ canvas

Elements that share source, transform and z are one *layer* and are painted in one go, so no seam
shows inside an object that moved as a whole. A layer is painted tile by tile; a tile needs its part
of the source and nothing else, which keeps memory small for any photo.

Colours are mixed as they are stored (gamma encoded, like common photo editors do): the transfer
curve of a foreign ICC profile is unknown, and edges one pixel wide do not show the difference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from eie.elements import ElementSet, Source
from eie.geometry import Transform, corners
from eie.pictures import Mask, Picture, Plane, Window, blend, times, to_channels
from eie.rendering.mattes import Matte, matte_of
from eie.rendering.stamps import stamp_of

TILE = 1024
"""Longest side of a tile, in pixels of canvas or source, whichever are more."""

_USUAL, _LEAST, _MOST = 1 / 110, 2, 16
"""The usual dilation as a part of a photo's side, its least and its most in pixels."""

_INVISIBLE = 1 / 256
"""A layer thinner than this, in canvas pixels, leaves no trace in 8 bits."""


@dataclass(frozen=True, eq=False)
class Layer:
    """Touched elements that are painted as one.

    Attributes:
        source: index of their source.
        transform: from pixels of that source to pixels of the canvas.
        z: their z; untouched elements of a larger z hide them.
        rows: (n,) their rows in the table.
        patches: (n,) the patches they show.
        matte: of all that moved likewise; None for hard edges.
    """

    source: int
    transform: Transform
    z: int
    rows: NDArray[np.intp]
    patches: NDArray[np.int32]
    matte: Matte | None = None


def layers_of(elements: ElementSet) -> list[Layer]:
    """The visible elements that do not stand at home, as layers from farthest to nearest.

    The order is :attr:`ElementSet.paint_order`, except that elements of one z and one transform
    stay together at the place of their farthest one: objects whose ids interleave are not sliced.
    """
    table = elements.table
    touched = table.visible & ~elements.untouched
    together: dict[tuple[int, int, Transform], list[int]] = {}
    order = elements.paint_order[touched[elements.paint_order]].tolist()
    for row, transform in zip(order, elements.transforms(order), strict=True):
        key = (int(table.z[row]), int(table.source[row]), transform)
        together.setdefault(key, []).append(row)
    return [
        Layer(source, transform, z, np.array(rows, dtype=np.intp), table.patch[rows])
        for (z, source, transform), rows in together.items()
    ]


def with_mattes(
    layers: Sequence[Layer],
    elements: ElementSet,
    pixels: Callable[[int], Picture],
    dilation: int,
) -> list[Layer]:
    """The layers with soft edges; those of one source and transform are one thing.

    Args:
        layers: of the set.
        elements: the set.
        pixels: gives the pixels of a source by its index.
        dilation: of what is gone; thin parts of things of source 0 are found within it.
    """
    things: dict[tuple[int, Transform], list[Layer]] = {}
    for layer in layers:
        things.setdefault((layer.source, layer.transform), []).append(layer)
    mattes: dict[tuple[int, Transform], Matte | None] = {}
    for (index, transform), alike in things.items():
        source = elements.sources[index]
        members = patch_members(np.concatenate([a.patches for a in alike]), source.patches)
        unit = usual_dilation(source.label_map.shape)
        most = min(dilation, 2 * unit) if index == 0 else float(unit)
        if not transform.lattice:
            most = max(0.0, most - 0.5)  # what resampling spreads
        mattes[index, transform] = matte_of(source, pixels(index), members, unit, most)
    return [replace(layer, matte=mattes[layer.source, layer.transform]) for layer in layers]


def usual_dilation(size: tuple[int, ...]) -> int:
    """The usual dilation of what is gone, in pixels; it grows with a photo, as blur does."""
    return int(np.clip(round(_USUAL * np.sqrt(size[0] * size[1])), _LEAST, _MOST))


def patch_members(patches: NDArray[np.integer], count: int) -> Mask:
    """(count,) bool, True for the given patches: a lookup table for a label map."""
    members = np.zeros(count, dtype=bool)
    members[patches] = True
    return members


def paint(
    canvas: Picture,
    layers: Sequence[Layer],
    elements: ElementSet,
    pixels: Callable[[int], Picture],
    window: Window | None = None,
) -> Mask:
    """Paint layers onto a canvas, in place.

    Args:
        canvas: (h, w, C) the canvas, or the window of it; changed in place.
        layers: from farthest to nearest.
        elements: the set the layers were taken from.
        pixels: gives the pixels of a source by its index.
        window: where `canvas` lies on the whole canvas; None for all of it.

    Returns:
        (h, w) bool, where a layer covers what was there before completely.
    """
    window = window or Window.of(canvas)
    opaque = np.zeros(canvas.shape[:2], dtype=bool)
    for layer in layers:
        source = elements.sources[layer.source]
        members = patch_members(layer.patches, source.patches)
        hidden = hiding_patches(elements, layer.z)
        for tile in _tiles(layer, source, window):
            stamp = stamp_of(
                source, pixels(layer.source), members, layer.transform, tile, layer.matte
            )
            if stamp is None:
                continue
            colour, cover = stamp
            if hidden is not None:
                visible = ~hidden[elements.sources[0].label_map[tile.slices]]
                cover = _behind(cover, visible)
            part = tile.within(window).slices
            blend(canvas[part], to_channels(colour, canvas.shape[2]), cover)
            opaque[part] |= cover == 255
    return opaque


def hiding_patches(elements: ElementSet, z: int) -> Mask | None:
    """(P,) bool, the patches of source 0 whose untouched elements hide a layer at `z`, if any."""
    nearer = elements.untouched & (elements.table.z > z)
    if not nearer.any():
        return None
    return patch_members(elements.table.patch[nearer], elements.sources[0].patches)


def _behind(cover: Plane, visible: Mask) -> Plane:
    """Cover cut off by nearer elements, softened by one pixel on the layer's side of the cut."""
    import cv2

    soft = cv2.blur(visible.astype(np.uint8) * 255, (3, 3), borderType=cv2.BORDER_REPLICATE)
    return times(cover, np.where(visible, soft, 0).astype(np.uint8))


def _tiles(layer: Layer, source: Source, window: Window) -> Iterator[Window]:
    """Windows of the canvas that together hold all that the layer paints in `window`."""
    home = corners(source.home_box[layer.patches])
    if layer.matte is not None:
        home = home + np.array([-1, -1, 1, 1]) * layer.matte.reach
    low, high = home[:, :2].min(axis=0), home[:, 2:].max(axis=0)
    if ((high - low) * layer.transform.lengths).min() < _INVISIBLE:
        return
    x0, y0, x1, y1 = layer.transform.bounds((*low.tolist(), *high.tolist()))
    top, left = (int(np.clip(np.floor(v) - 1, -1, 2**31)) for v in (y0, x0))
    bottom, right = (int(np.clip(np.ceil(v) + 1, -1, 2**31)) for v in (y1, x1))
    area = Window(top, left, bottom, right).clipped(window)
    across, down = layer.transform.lengths
    if not layer.transform.upright:
        across = down = min(across, down)
    step_x, step_y = _tile_side(across), _tile_side(down)
    for y in range(area.top, area.bottom, step_y):
        for x in range(area.left, area.right, step_x):
            yield Window(y, x, y + step_y, x + step_x).clipped(area)


def _tile_side(scale: float) -> int:
    return int(np.clip(TILE * scale, 16, TILE))
