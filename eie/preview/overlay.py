"""Pictures of an element set: where its elements are and what they are called.

:func:`show` draws the set as it stands, moved elements where they are, at a size that can be looked
at; :func:`terminal_preview` puts a small picture into a terminal.
"""

from __future__ import annotations

import colorsys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from eie.elements import ElementSet, ElementTable
from eie.errors import UsageError
from eie.files.photo import MAX_PIXELS, Photo
from eie.geometry import corners
from eie.pictures import Mask, Picture, split_alpha, to_channels
from eie.preview.rulers import with_rulers
from eie.rendering import render
from eie.rendering.layers import Layer, hiding_patches, layers_of

if TYPE_CHECKING:
    from rich.segment import Segments

LONG_SIDE = 2048
"""Longest side of an overlay unless another is asked for; larger photos are reduced to it."""

SHORTEST_LONG_SIDE = 1024
"""Photos smaller than this are enlarged, by a whole factor, so that ids can be read."""

_SMALLEST_TEXT, _LARGEST_TEXT = 9, 1 / 48
"""Height of an id: the least, in pixels, whether it fits its element or not; the most, as a share
of the geometric mean of the picture's sides."""

_LINE = 1 / 1000
"""Width of a border, as a share of the longest side."""

_LIGHT, _DARK = (255, 255, 255), (0, 0, 0)

RowMap = NDArray[np.int32]
"""(h, w) int32, the row of the element seen at a pixel, or -1 where there is none."""


def show(
    elements: ElementSet,
    *,
    photo: Photo | None = None,
    ids: bool = True,
    groups: bool = False,
    before_after: bool = False,
    only: Iterable[int] | None = None,
    long_side: int | None = LONG_SIDE,
    scale: float | None = None,
    ruler: bool = True,
) -> Photo:
    """Draw element borders and ids over the picture as it stands.

    Args:
        elements: the set.
        photo: the rendered set; None to render it here. Sets without pixels are drawn in greys.
        ids: write every element's id at its most interior point.
        groups: tint the groups, each in its colour, with a legend below.
        before_after: the unedited photo to the left, the set as it stands to the right.
        only: ids of the elements to draw; the rest of the picture is dimmed. None for all.
        long_side: longest side of one picture in pixels; None for the photo's own size.
        scale: pixels of the picture for one of the canvas, instead of a longest side.
        ruler: rulers to the left and above tell coordinates of the canvas, and the scale.

    Returns:
        Photo of (h, w, 3) uint8 without profile or metadata.

    Raises:
        UsageError: an unknown id in `only`, a long side below 1, or a scale that makes the picture
            smaller than a pixel or too large.
    """
    only = None if only is None else tuple(only)
    _check(elements, only, long_side)
    size = _size_of(elements, long_side) if scale is None else _scaled_size(elements, scale)
    colours = _group_colours(elements) if groups else {}
    after = photo.pixels if photo is not None else _pixels_of(elements)
    picture = _overlay(elements, after, size, ids=ids, colours=colours, only=only)
    if ruler:
        picture = with_rulers(picture, elements.canvas)
    if before_after:
        unedited = _unedited(elements)
        before = _pixels_of(unedited)
        home = _overlay(unedited, before, size, ids=ids, colours=colours, only=only)
        if ruler:
            home = with_rulers(home, elements.canvas)
        gap = np.full((len(picture), max(4, max(size) // 100), 3), 255, dtype=np.uint8)
        picture = np.concatenate([home, gap, picture], axis=1)
    if colours:
        picture = np.concatenate([picture, _legend(colours, picture.shape[1])])
    return Photo(picture)


def row_map(elements: ElementSet, size: tuple[int, int]) -> RowMap:
    """Which element is seen where, on the canvas sampled at (height, width) `size`.

    Elements hide each other as in :mod:`eie.rendering.layers`.
    """
    source, table = elements.sources[0], elements.table
    ys, xs = _centres(elements.canvas.height, size[0]), _centres(elements.canvas.width, size[1])
    home = source.label_map[np.ix_(ys.astype(int), xs.astype(int))]  # (h, w)
    shown = elements.paint_order[elements.untouched[elements.paint_order]]
    rows: RowMap = _rows_of_patches(shown, table.patch[shown], source.patches)[home]  # (h, w)
    for layer in layers_of(elements):
        _put(rows, layer, elements, home, ys, xs)
    return rows


def terminal_preview(photo: Photo, columns: int, lines: int | None = None) -> Segments:
    """A photo in half blocks, two pixels a character, for `rich.print`.

    Args:
        photo: any photo.
        columns, lines: the most characters it may be wide and high.
    """
    from rich.color import Color
    from rich.segment import Segment, Segments
    from rich.style import Style

    height, width = photo.pixels.shape[:2]
    scale = min(columns / width, 2 * lines / height if lines else np.inf)
    wide, high = max(1, round(width * scale)), 2 * max(1, round(height * scale / 2))
    pixels = _resized(_opaque(photo.pixels), (high, wide))
    segments = []
    for upper, lower in zip(pixels[::2].tolist(), pixels[1::2].tolist(), strict=True):
        for top, bottom in zip(upper, lower, strict=True):
            style = Style(color=Color.from_rgb(*top), bgcolor=Color.from_rgb(*bottom))
            segments.append(Segment("▀", style))
        segments.append(Segment.line())
    return Segments(segments)


def _check(elements: ElementSet, only: tuple[int, ...] | None, long_side: int | None) -> None:
    if long_side is not None and long_side < 1:
        raise UsageError(f"a long side of {long_side} pixels is too short")
    for element in only or ():
        if element not in elements.table.id:
            raise UsageError(f"there is no element {element}")


def _size_of(elements: ElementSet, long_side: int | None) -> tuple[int, int]:
    """(height, width) of the overlay."""
    height, width = elements.canvas
    longest = max(height, width)
    if long_side is None:
        return height, width
    if longest >= long_side:
        return max(1, height * long_side // longest), max(1, width * long_side // longest)
    factor = max(1, min(-(-SHORTEST_LONG_SIDE // longest), long_side // longest))
    return height * factor, width * factor


def _scaled_size(elements: ElementSet, scale: float) -> tuple[int, int]:
    """(height, width) of the overlay at a scale."""
    height, width = (side * scale for side in elements.canvas)
    if not (scale > 0 and min(height, width) >= 1 and height * width <= MAX_PIXELS):
        raise UsageError(
            f"a picture at scale {scale:g} would have {width:.3g}×{height:.3g} pixels",
            hint=f"it has at least 1×1, at most {MAX_PIXELS:,} in all",
        )
    return round(height), round(width)


def _unedited(elements: ElementSet) -> ElementSet:
    first = elements.sources[0]
    return replace(
        elements, sources=(first,), table=ElementTable.at_home(0, first.home_box), history=()
    )


def _pixels_of(elements: ElementSet) -> Picture:
    """(H, W, C) the rendered set, or every patch in a grey of its own if there are no pixels."""
    used = {0, *elements.table.source[elements.table.visible].tolist()}
    if all(elements.sources[index].pixels is not None for index in used):
        return render(elements).photo.pixels
    greys = 96 + 24 * (np.arange(len(elements) + 1) * 5 % 7)
    return greys[row_map(elements, elements.canvas)][..., None].astype(np.uint8)


def _centres(length: int, count: int) -> NDArray[np.float64]:
    """(count,) coordinates of the centres of `count` samples of an axis `length` pixels long."""
    return np.asarray((np.arange(count) + 0.5) * (length / count), dtype=np.float64)


def _rows_of_patches(
    rows: NDArray[np.intp], patches: NDArray[np.int32], count: int
) -> NDArray[np.int32]:
    """(count,) int32 the row that shows a patch, or -1; of several the last."""
    lookup = np.full(count, -1, dtype=np.int32)
    lookup[patches] = rows
    return lookup


def _put(
    rows: RowMap,
    layer: Layer,
    elements: ElementSet,
    home: NDArray[np.uint16],
    ys: NDArray[np.float64],
    xs: NDArray[np.float64],
) -> None:
    """Write the elements of a layer into a row map, in place."""
    source = elements.sources[layer.source]
    if layer.transform.flat:
        return
    home_box = corners(source.home_box[layer.patches])
    (left, top), (right, bottom) = home_box[:, :2].min(axis=0), home_box[:, 2:].max(axis=0)
    x0, y0, x1, y1 = layer.transform.bounds((left, top, right, bottom))
    # which samples lie in the layer's box, and where these lie in the source
    in_y, in_x = np.flatnonzero((ys >= y0) & (ys <= y1)), np.flatnonzero((xs >= x0) & (xs <= x1))
    x, y = layer.transform.inverse(xs[in_x][None], ys[in_y][:, None])  # (h, w), or (1, w), (h, 1)
    within = (x >= left) & (x < right) & (y >= top) & (y < bottom)  # (h, w)
    column, line = x.clip(left, right - 1).astype(int), y.clip(top, bottom - 1).astype(int)
    lookup = _rows_of_patches(layer.rows, layer.patches, source.patches)
    here = np.ix_(in_y, in_x)
    put = lookup[source.label_map[line, column]]
    seen = within & (put >= 0)
    hidden = hiding_patches(elements, layer.z)
    if hidden is not None:
        seen &= ~hidden[home[here]]
    rows[here] = np.where(seen, put, rows[here])


def _overlay(
    elements: ElementSet,
    pixels: Picture,
    size: tuple[int, int],
    *,
    ids: bool,
    colours: Mapping[str, tuple[int, int, int]],
    only: tuple[int, ...] | None,
) -> Picture:
    """(h, w, 3) a picture with borders, tints and ids drawn in."""
    rows = row_map(elements, size)
    picture = _resized(_opaque(pixels), size)
    if only is not None:
        rows = np.where(_seen_members(elements, only, rows), rows, np.int32(-1))
        picture[rows < 0] //= 3
    for name, colour in colours.items():
        inside = _seen_members(elements, elements.groups[name], rows)
        picture[inside] = (picture[inside] * 0.55 + np.array(colour) * 0.45).astype(np.uint8)
    _draw_borders(picture, rows)
    if ids:
        picture = _with_ids(picture, rows, elements.table.id)
    return picture


def _seen_members(elements: ElementSet, ids: Iterable[int], rows: RowMap) -> Mask:
    """(h, w) bool, where an element with one of the ids is seen."""
    members = np.isin(elements.table.id, list(ids))
    # row -1, nothing seen, is the last entry
    seen: Mask = np.append(members, False)[rows]
    return seen


def _opaque(pixels: Picture) -> Picture:
    """(h, w, C) ⇒ (h, w, 3), what is transparent over the usual checks of two greys."""
    colour, alpha = split_alpha(pixels)
    colour = to_channels(colour, 3)
    if alpha is None:
        return colour
    height, width = alpha.shape
    square = max(1, max(height, width) // 64)
    dark = (np.arange(height)[:, None] // square + np.arange(width) // square) % 2  # (h, w)
    checks = np.where(dark, 153, 204).astype(np.uint8)
    share = alpha.astype(np.uint16)
    mixed = [
        (colour[..., k] * share + checks * (255 - share) + 127) // 255 for k in range(3)
    ]  # fits uint16: at most 255² + 127
    return np.stack(mixed, axis=2).astype(np.uint8)


def _resized(pixels: Picture, size: tuple[int, int]) -> Picture:
    """(h, w, 3) at (height, width) `size`, antialiased."""
    from PIL import Image

    image = Image.fromarray(pixels).resize(size[::-1], Image.Resampling.BICUBIC, reducing_gap=3.0)
    return np.array(image)


def _draw_borders(picture: Picture, rows: RowMap) -> None:
    """Light lines on a dark ground between the elements, in place."""
    import cv2

    edge = np.zeros(rows.shape, dtype=np.uint8)
    edge[:, 1:] |= rows[:, 1:] != rows[:, :-1]
    edge[1:] |= rows[1:] != rows[:-1]
    line = max(1, round(max(rows.shape) * _LINE))
    shadow = cv2.dilate(edge, np.ones((line + 2, line + 2), np.uint8)).astype(bool)
    picture[shadow] = picture[shadow] // 5 * 3
    core = cv2.dilate(edge, np.ones((line, line), np.uint8)).astype(bool)
    picture[core] = picture[core] // 4 + 190


def _with_ids(picture: Picture, rows: RowMap, ids: NDArray[np.int32]) -> Picture:
    from PIL import Image, ImageDraw, ImageFont

    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    largest = max(_SMALLEST_TEXT, np.sqrt(rows.size) * _LARGEST_TEXT)
    # Small ones last: their ids, which do not fit, stay in sight.
    for row, x, y, room in sorted(_label_points(rows), key=lambda point: -point[3]):
        text = str(ids[row])
        # a digit is about 0.6 wide and 0.75 high; the text's half diagonal has to fit the room
        fitting = min(largest, room / np.hypot(0.3 * len(text), 0.375))
        size = max(_SMALLEST_TEXT, int(fitting))
        font = ImageFont.load_default(size)
        stroke = max(1, size // 9)
        half = font.getlength(text) / 2 + stroke
        x, y = _within(x, half, rows.shape[1]), _within(y, size / 2 + stroke, rows.shape[0])
        draw.text((x, y), text, _LIGHT, font, anchor="mm", stroke_width=stroke, stroke_fill=_DARK)
    return np.array(image)


def _within(place: float, half: float, length: int) -> float:
    """The place for the middle of a text, so that it does not reach over the edges."""
    return min(max(place, half), max(half, length - half))


def _label_points(rows: RowMap) -> list[tuple[int, float, float, float]]:
    """As :func:`_interior_points`, with a pixel of every element that is all border."""
    points = _interior_points(rows)
    order = np.argsort(rows, axis=None, kind="stable")
    found, first, count = np.unique(rows.ravel()[order], return_index=True, return_counts=True)
    inner = {point[0] for point in points}
    width = rows.shape[1]
    for row, at in zip(found.tolist(), order[first + count // 2].tolist(), strict=True):
        if row >= 0 and row not in inner:
            points.append((row, at % width + 0.5, at // width + 0.5, 0.0))
    return points


def _interior_points(rows: RowMap) -> list[tuple[int, float, float, float]]:
    """(row, x, y, radius) of the largest disc within every element, from one distance transform."""
    import cv2

    height, width = rows.shape
    framed = np.full((height + 2, width + 2), -2, dtype=np.int32)
    framed[1:-1, 1:-1] = rows
    inner = framed[1:-1, 1:-1]
    same = (
        (inner == framed[:-2, 1:-1])
        & (inner == framed[2:, 1:-1])
        & (inner == framed[1:-1, :-2])
        & (inner == framed[1:-1, 2:])
    )
    ring = np.pad(same.astype(np.uint8), 1)
    distance = np.asarray(cv2.distanceTransform(ring, cv2.DIST_L2, 5))[1:-1, 1:-1]
    inside = np.flatnonzero(same & (rows >= 0))
    # within every element by falling distance; the first of each is its most interior point
    order = inside[np.lexsort((-distance.ravel()[inside], rows.ravel()[inside]))]
    found, first = np.unique(rows.ravel()[order], return_index=True)
    best = order[first]
    return [
        (int(row), float(at % width) + 0.5, float(at // width) + 0.5, float(distance.flat[at]))
        for row, at in zip(found, best, strict=True)
    ]


def _group_colours(elements: ElementSet) -> dict[str, tuple[int, int, int]]:
    """A colour per group, hues apart by the golden angle."""
    colours = {}
    for index, name in enumerate(elements.groups):
        red, green, blue = colorsys.hsv_to_rgb(index * 0.381966 % 1, 0.85, 1.0)
        colours[name] = (round(red * 255), round(green * 255), round(blue * 255))
    return colours


def _legend(colours: Mapping[str, tuple[int, int, int]], width: int) -> Picture:
    """(h, width, 3) the groups' names next to their colours, in as many lines as they need."""
    from PIL import Image, ImageDraw, ImageFont

    text = max(_SMALLEST_TEXT + 3, round(width * _LARGEST_TEXT * 0.8))
    line, font = round(text * 1.7), ImageFont.load_default(text)
    places, x, y = [], text // 2, 0
    for name, colour in colours.items():
        needed = round(font.getlength(name)) + 2 * text
        if x > text and x + needed > width:
            x, y = text // 2, y + line
        places.append((x, y, name, colour))
        x += needed + text
    image = Image.new("RGB", (width, y + line), _LIGHT)
    draw = ImageDraw.Draw(image)
    for x, y, name, colour in places:
        top = y + (line - text) // 2
        draw.rectangle((x, top, x + text, top + text), fill=colour, outline=_DARK)
        draw.text((x + 1.5 * text, y + line / 2), name, _DARK, font, anchor="lm")
    return np.array(image)
