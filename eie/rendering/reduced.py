"""Element sets at a smaller size, for pictures that need not be the finished ones."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eie.elements import Canvas, ElementSet, ElementTable, Pixels, Source
from eie.geometry import Boxes, patch_boxes
from eie.pictures import Picture, premultiplied, straight

Kept = MutableMapping[tuple[int, int, int], tuple[Pixels, Picture]]
"""Reduced pixels by the identity of those they were made of and by height and width; and these."""


def reduced(elements: ElementSet, long_side: int, kept: Kept | None = None) -> ElementSet:
    """The same set on a canvas whose longer side has at most so many pixels.

    Photos become means, label maps are sampled, boxes go along. What was not touched stays exactly
    at home, so that rendering keeps its pixels. A patch that is too small for a pixel of its own
    has none: such a set can be rendered, but makes no element file. History, groups and what points
    stand for are left out.

    Args:
        elements: the set; with pixels.
        long_side: of the canvas, at least 1.
        kept: reduced pixels of earlier calls, and where those of this one are put: edits change
            tables, and to reduce a photo anew takes most of the time.

    Returns:
        The reduced set; one that is small enough keeps its size.
    """
    factor = min(1.0, long_side / max(elements.canvas))
    sources = tuple(
        _reduced_source(s, factor, {} if kept is None else kept) for s in elements.sources
    )
    return ElementSet(
        canvas=Canvas(*sources[0].label_map.shape),
        sources=sources,
        table=_reduced_table(elements, sources),
        groups={},
        prompt=elements.prompt,
        decomposition=dict(elements.decomposition),
    )


def reduced_pixels(pixels: Pixels | Picture, size: tuple[int, int]) -> Picture:
    """(H, W, C) pixels as (h, w, C) of `size`, each pixel a mean; of colours weighted by alpha."""
    import cv2

    whole = np.asarray(pixels)
    height, width = size
    if whole.shape[:2] == (height, width):
        return whole
    small = cv2.resize(premultiplied(whole), (width, height), interpolation=cv2.INTER_AREA)
    channels = whole.shape[2]
    return straight(np.asarray(small, dtype=np.uint8).reshape(-1, channels)).reshape(
        height, width, channels
    )


def _reduced_source(source: Source, factor: float, kept: Kept) -> Source:
    height, width = source.label_map.shape
    size = max(1, round(height * factor)), max(1, round(width * factor))
    pixels: Any = None
    if source.pixels is not None:
        key = (id(source.pixels), *size)
        if key not in kept:
            kept[key] = source.pixels, reduced_pixels(source.pixels, size)
        pixels = kept[key][1]
    if factor == 1:
        return replace(source, pixels=pixels, objects=None)
    label_map = source.label_map[np.ix_(_middles(height, size[0]), _middles(width, size[1]))]
    return replace(
        source,
        label_map=label_map,
        home_box=_boxes(label_map, source, _scale(source, label_map)),
        pixels=pixels,
        objects=None,
        exif=None,
    )


def _middles(length: int, count: int) -> NDArray[np.intp]:
    """(count,) which of `length` pixels are in the middle of those that one of `count` becomes."""
    return ((np.arange(count) + 0.5) * (length / count)).astype(np.intp)


def _scale(source: Source, label_map: NDArray[Any]) -> NDArray[np.float64]:
    """(2,) reduced pixels to one of a source, in x and y."""
    scale: NDArray[np.float64] = np.divide(label_map.shape, source.label_map.shape)[::-1]
    return scale


def _boxes(label_map: NDArray[np.uint16], source: Source, scale: NDArray[np.float64]) -> Boxes:
    """(P, 4) boxes around the patches of a reduced label map; the scaled ones of those it lost."""
    boxes = patch_boxes(label_map, source.patches)
    lost = boxes[:, 2] == 0
    boxes[lost] = source.home_box[lost] * np.tile(scale, 2)
    return boxes


def _reduced_table(elements: ElementSet, sources: tuple[Source, ...]) -> ElementTable:
    """The elements where they are, their boxes fitted to what the reduced patches cover."""
    table, home = elements.table, elements.home_box
    small, scale = np.empty((len(table), 4)), np.empty((len(table), 2))
    for index, source in enumerate(sources):
        rows = table.source == index
        small[rows] = source.home_box[table.patch[rows]]
        scale[rows] = _scale(elements.sources[index], source.label_map)
    canvas = _scale(elements.sources[0], sources[0].label_map)  # (2,)
    stretch = table.box[:, 2:] / home[:, 2:]  # (N, 2)
    sign = np.where(table.flip, -1.0, 1.0)
    # A reduced patch is not quite where its home box is: the way there, turned as it is.
    away = sign * stretch * (small[:, :2] / scale - home[:, :2])
    centre = table.box[:, :2] + np.einsum("nij,nj->ni", table.frame, away)
    box = np.concatenate([centre * canvas, small[:, 2:] / scale * stretch * canvas], axis=1)
    at_home = elements.untouched
    box[at_home] = small[at_home]
    return replace(table, box=box)
