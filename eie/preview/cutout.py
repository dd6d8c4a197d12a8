"""Selected elements as a picture of their own, transparent around."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from eie.elements import ElementSet
from eie.errors import UsageError
from eie.files.photo import Photo
from eie.geometry import Transform
from eie.pictures import Picture, split_alpha, times
from eie.preview.overlay import row_map
from eie.rendering import Edge, render
from eie.rendering.anchored import DEFAULT_EDGE, PixelsOfSources, check_edge, dilation_of
from eie.rendering.layers import Layer, layers_of, paint, with_mattes


def cutout(elements: ElementSet, ids: Iterable[int], *, edge: Edge = DEFAULT_EDGE) -> Photo:
    """The picture as it stands where elements are seen, fully transparent elsewhere.

    Args:
        elements: the set.
        ids: of the elements; parts that others hide are left out.
        edge: "soft" by an alpha matte, with the elements' own colours, or "hard" where they end.

    Returns:
        Photo of the canvas's size, (H, W, 4) uint8 with straight alpha, or (H, W, 2) of a grey
        photo, with the profile and metadata of source 0. The photo's own alpha is kept; what is
        fully transparent is black.

    Raises:
        UsageError: an unknown id or edge, or a set without pixels.
    """
    wanted = tuple(ids)
    for element in wanted:
        if element not in elements.table.id:
            raise UsageError(f"there is no element {element}")
    check_edge(edge)
    if any(source.pixels is None for source in elements.sources):
        raise UsageError(
            "the file has no pixels to cut out", hint="run eie decompose without --no-pixels"
        )
    chosen = np.isin(elements.table.id, wanted)
    if edge == "hard":
        return _hard(elements, chosen)
    source = elements.sources[0]
    pixels = _soft(elements, chosen)
    return Photo(pixels * (pixels[..., -1:] > 0), source.icc, source.exif)


def _hard(elements: ElementSet, chosen: NDArray[np.bool_]) -> Photo:
    """Of the rendered picture, what shows chosen rows (N,)."""
    photo = render(elements, edge="hard").photo
    colour, alpha = split_alpha(photo.pixels)
    member = np.append(chosen, False)  # row −1, nothing, is the last
    seen = member[row_map(elements, elements.canvas)]  # (H, W)
    opaque = np.where(seen, 255 if alpha is None else alpha, 0).astype(np.uint8)
    pixels = np.concatenate([colour * (opaque > 0)[..., None], opaque[..., None]], axis=2)
    return replace(photo, pixels=pixels.astype(np.uint8))


def _soft(elements: ElementSet, chosen: NDArray[np.bool_]) -> Picture:
    """(H, W, 2 or 4) the chosen rows (N,) painted on nothing; others that are nearer erase."""
    pixels = PixelsOfSources(elements)
    dilation = dilation_of(elements)
    colours = 1 if pixels(0).shape[2] < 3 else 3
    size = elements.canvas
    canvas = np.zeros((size.height, size.width, colours + 1), dtype=np.uint8)
    moved = layers_of(elements)
    own = [*_at_home(elements, chosen), *_of_rows(moved, chosen)]
    painted = with_mattes(own, elements, pixels, dilation)
    others = with_mattes([*_of_rows(moved, ~chosen)], elements, pixels, dilation)
    order = {int(row): place for place, row in enumerate(elements.paint_order)}
    for layer in sorted([*painted, *others], key=lambda layer: order[int(layer.rows[0])]):
        if chosen[layer.rows[0]]:
            paint(canvas, [layer], elements, pixels)
        elif canvas[..., -1].any():
            eraser = np.zeros_like(canvas)
            paint(eraser, [layer], elements, pixels)
            canvas[..., -1] = times(canvas[..., -1], 255 - eraser[..., -1])
    return canvas


def _at_home(elements: ElementSet, chosen: NDArray[np.bool_]) -> Iterator[Layer]:
    """The chosen rows (N,) that no edit touched, as layers."""
    table = elements.table
    for z in np.unique(table.z[chosen & elements.untouched]).tolist():
        rows = np.flatnonzero(chosen & elements.untouched & (table.z == z))
        yield Layer(0, Transform.stretch((1, 1), (0, 0)), z, rows, table.patch[rows])


def _of_rows(layers: Sequence[Layer], chosen: NDArray[np.bool_]) -> Iterator[Layer]:
    """What layers have of the chosen rows (N,)."""
    for layer in layers:
        mine = chosen[layer.rows]
        if mine.any():
            yield replace(layer, rows=layer.rows[mine], patches=layer.patches[mine])
