"""Layers: touched elements carry their own pixels to where they stand.

    source pixels + label map ⇒ layers ⇒ stamps (colour, cover) ⇒ canvas

Elements that share source, transform and z are one *layer* and are painted in one go, so no seam
shows inside an object that moved as a whole. A layer is painted tile by tile; a tile needs its part
of the source and nothing else, which keeps memory small for any photo.

Colours are mixed as they are stored (gamma encoded, like common photo editors do): the transfer
curve of a foreign ICC profile is unknown, and edges one pixel wide do not show the difference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eie.elements import ElementSet, Source
from eie.geometry import Transform, corners

Picture = NDArray[np.uint8]
"""(H, W, C) uint8 in [0, 255], C = 1 grey, 2 grey+alpha, 3 RGB, 4 RGBA with straight alpha."""

Mask = NDArray[np.bool_]
"""(H, W) bool."""

TILE = 1024
"""Longest side of a tile, in pixels of canvas or source, whichever are more."""

_KERNEL_RADIUS = 3
"""Radius of the Lanczos kernel, in the coarser one of source and canvas pixels."""

_FEATHER_RADIUS = 3
"""Source pixels from the border of a layer at which it is opaque."""

_RIM_REACH = 4
"""Farthest that the colours of a layer's soft border are fetched from, in source pixels."""

_INVISIBLE = 1 / 256
"""A layer thinner than this, in canvas pixels, leaves no trace in 8 bits."""

_COARSEST = 1 / 8
"""Stronger reductions than this are made in two steps, the first one a plain area average."""


class Window(NamedTuple):
    """The pixels top ≤ y < bottom, left ≤ x < right of a canvas or a source."""

    top: int
    left: int
    bottom: int
    right: int

    @classmethod
    def of(cls, pixels: NDArray[np.generic]) -> Window:
        """All of an (H, W, ...) array."""
        return cls(0, 0, *pixels.shape[:2])

    @property
    def empty(self) -> bool:
        return self.bottom <= self.top or self.right <= self.left

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of the window in an (H, W, ...) array that contains it."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def clipped(self, to: Window) -> Window:
        """The part within another window; may be empty."""
        return Window(
            max(self.top, to.top),
            max(self.left, to.left),
            min(self.bottom, to.bottom),
            min(self.right, to.right),
        )

    def grown(self, by: int) -> Window:
        return Window(self.top - by, self.left - by, self.bottom + by, self.right + by)

    def within(self, outer: Window) -> Window:
        """The same pixels, counted from the corner of `outer`."""
        top, left = outer.top, outer.left
        return Window(self.top - top, self.left - left, self.bottom - top, self.right - left)


@dataclass(frozen=True, eq=False)
class Layer:
    """Touched elements that are painted as one.

    Attributes:
        source: index of their source.
        transform: from pixels of that source to pixels of the canvas.
        z: their z; untouched elements of a larger z hide them.
        rows: (n,) their rows in the table.
        patches: (n,) the patches they show.
    """

    source: int
    transform: Transform
    z: int
    rows: NDArray[np.intp]
    patches: NDArray[np.int32]


def layers_of(elements: ElementSet) -> list[Layer]:
    """The visible elements that do not stand at home, as layers from farthest to nearest.

    The order is :attr:`ElementSet.paint_order`, except that elements of one z and one transform
    stay together at the place of their farthest one: objects whose ids interleave are not sliced.
    """
    table = elements.table
    touched = table.visible & ~elements.untouched
    together: dict[tuple[int, int, Transform], list[int]] = {}
    for row in elements.paint_order[touched[elements.paint_order]].tolist():
        key = (int(table.z[row]), int(table.source[row]), elements.transform(row))
        together.setdefault(key, []).append(row)
    return [
        Layer(source, transform, z, np.array(rows, dtype=np.intp), table.patch[rows])
        for (z, source, transform), rows in together.items()
    ]


def patch_members(patches: NDArray[np.integer], count: int) -> Mask:
    """(count,) bool, True for the given patches: a lookup table for a label map."""
    members = np.zeros(count, dtype=bool)
    members[patches] = True
    return members


def paint(
    canvas: Picture,
    layers: list[Layer],
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
        hidden = hiding_patches(elements, layer.z)
        for tile in _tiles(layer, elements.sources[layer.source], window):
            stamp = _stamp(layer, elements.sources[layer.source], pixels(layer.source), tile)
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


def _behind(cover: Picture, visible: Mask) -> Picture:
    """Cover cut off by nearer elements, softened by one pixel on the layer's side of the cut."""
    import cv2

    soft = cv2.blur(visible.astype(np.uint8) * 255, (3, 3), borderType=cv2.BORDER_REPLICATE)
    return _times(cover, np.where(visible, soft, 0).astype(np.uint8))


def _tiles(layer: Layer, source: Source, window: Window) -> Iterator[Window]:
    """Windows of the canvas that together hold all that the layer paints in `window`."""
    home = corners(source.home_box[layer.patches])
    size = (home[:, 2:].max(axis=0) - home[:, :2].min(axis=0)) * np.abs(layer.transform.scale)
    if size.min() < _INVISIBLE:
        return
    x0, x1 = _span(home[:, 0].min(), home[:, 2].max(), layer.transform, 0)
    y0, y1 = _span(home[:, 1].min(), home[:, 3].max(), layer.transform, 1)
    top, left = (int(np.clip(np.floor(v) - 1, -1, 2**31)) for v in (y0, x0))
    bottom, right = (int(np.clip(np.ceil(v) + 1, -1, 2**31)) for v in (y1, x1))
    area = Window(top, left, bottom, right).clipped(window)
    step_x, step_y = (_tile_side(scale) for scale in layer.transform.scale)
    for y in range(area.top, area.bottom, step_y):
        for x in range(area.left, area.right, step_x):
            yield Window(y, x, y + step_y, x + step_x).clipped(area)


def _span(low: float, high: float, transform: Transform, axis: int) -> tuple[float, float]:
    """Where source coordinates low..high of an axis land on the canvas, in order."""
    ends = [transform.scale[axis] * v + transform.offset[axis] for v in (low, high)]
    return min(ends), max(ends)


def _tile_side(scale: float) -> int:
    return int(np.clip(TILE * abs(scale), 16, TILE))


def _stamp(
    layer: Layer, source: Source, pixels: Picture, tile: Window
) -> tuple[Picture, Picture] | None:
    """The layer's colours and cover in one tile of the canvas.

    Returns:
        colour (h, w, K) uint8 in the source's colour channels and alpha set apart (K = 1 or 3),
        cover (h, w) uint8, 255 where the layer is opaque; or None where it paints nothing.
    """
    exact = _is_lattice(layer.transform)
    margin = _FEATHER_RADIUS + _RIM_REACH
    columns = _source_span(tile.left, tile.right, layer.transform, 0, exact)
    rows = _source_span(tile.top, tile.bottom, layer.transform, 1, exact)
    wanted = Window(rows[0], columns[0], rows[1], columns[1])
    crop = wanted.grown(margin).clipped(Window.of(source.label_map))
    if crop.empty:
        return None
    members = patch_members(layer.patches, source.patches)
    mask = members[source.label_map[crop.slices]]
    if not mask.any():
        return None
    colour, alpha = split_alpha(pixels[crop.slices])
    seen = mask if alpha is None else mask & (alpha > 0)
    if not seen.any():
        return None
    soft = _feather(mask, _feather_sigma(source))
    colour = _without_rim(colour, seen, soft)
    cover = soft if alpha is None else _times(soft, alpha)
    if exact:
        return _carry_exactly(colour, cover, crop, layer.transform, tile)
    return _resample(colour, cover, mask, crop, layer.transform, tile)


def _is_lattice(transform: Transform) -> bool:
    """Whether every source pixel lands exactly on a canvas pixel, mirrored or not."""
    return all(abs(s) == 1.0 for s in transform.scale) and all(
        float(o).is_integer() for o in transform.offset
    )


def _source_span(
    low: int, high: int, transform: Transform, axis: int, exact: bool
) -> tuple[int, int]:
    """Source pixels from which the canvas pixels low..high-1 of an axis are made."""
    scale, offset = transform.scale[axis], transform.offset[axis]
    ends = sorted(((low - offset) / scale, (high - offset) / scale))
    reach = 0.0 if exact else _KERNEL_RADIUS * max(1.0, 1 / abs(scale)) + 1
    return int(np.floor(ends[0] - reach)), int(np.ceil(ends[1] + reach))


def split_alpha(pixels: Picture) -> tuple[Picture, Picture | None]:
    """(h, w, C) ⇒ colour (h, w, 1 or 3), alpha (h, w) or None."""
    if pixels.shape[2] in (2, 4):
        return pixels[..., :-1], pixels[..., -1]
    return pixels, None


def to_channels(colour: Picture, channels: int) -> Picture:
    """Colour (h, w, 1 or 3) in the colour channels of a canvas of `channels` channels.

    Grey becomes equal red, green and blue; colour becomes grey by its luma (ITU-R BT.601).
    """
    import cv2

    wanted = 3 if channels >= 3 else 1
    if colour.shape[2] == wanted:
        return colour
    if wanted == 3:
        return np.repeat(colour, 3, axis=2)
    grey = cv2.cvtColor(np.ascontiguousarray(colour), cv2.COLOR_RGB2GRAY)
    return np.asarray(grey, dtype=np.uint8)[..., None]


def blend(canvas: Picture, colour: Picture, cover: Picture) -> None:
    """Put `colour` over `canvas`, in place; exact where `cover` is 0 or 255.

    Args:
        canvas: (h, w, C); its alpha, if it has one, is straight.
        colour: (h, w, 1 or 3) in the colour channels of the canvas.
        cover: (h, w) uint8, the opacity of `colour`.
    """
    under, alpha = split_alpha(canvas)
    full = cover == 255
    under[full] = colour[full]
    if alpha is not None:
        alpha[full] = 255
    rows, columns = np.nonzero((cover > 0) & ~full)
    if not len(rows):
        return
    over = cover[rows, columns, None].astype(np.float32) / 255  # (n, 1)
    below = 1 - over
    if alpha is not None:
        below *= alpha[rows, columns, None] / np.float32(255)
        alpha[rows, columns] = np.rint((over + below)[:, 0] * 255)
    top, bottom = colour[rows, columns], under[rows, columns]  # (n, K)
    under[rows, columns] = np.rint((top * over + bottom * below) / (over + below))


def _feather_sigma(source: Source) -> float:
    """Blur of a mask's edge in source pixels: small photos have small patches and sharp edges."""
    height, width = source.label_map.shape
    return float(np.clip(np.sqrt(height * width) / 400, 0.5, 1.0))


def _feather(mask: Mask, sigma: float) -> Picture:
    """Cover of a cut-out: 255 inside, falling to nearly nothing on its border pixels, 0 outside.

    A patch's border pixels hold light of what lay behind it, so the soft edge lies inside the
    mask; the blur also rounds the stairs of a label map's contour. Beyond the picture's own edge
    the mask goes on: there is no border to soften.
    """
    import cv2

    size = 2 * _FEATHER_RADIUS + 1
    blurred = cv2.GaussianBlur(
        mask.astype(np.uint8) * 255, (size, size), sigma, borderType=cv2.BORDER_REPLICATE
    )
    cover = np.asarray(cv2.LUT(blurred, _feather_curve()), dtype=np.uint8)
    cover[~mask] = 0
    return cover


_FEATHER_LOW, _FEATHER_HIGH = 0.5, 0.95


def _feather_curve() -> Picture:
    """(256,) uint8, cover by blurred mask."""
    ramp = (np.arange(256) / 255 - _FEATHER_LOW) / (_FEATHER_HIGH - _FEATHER_LOW)
    curve: Picture = np.rint(ramp.clip(0, 1) * 255).astype(np.uint8)
    return curve


def _times(cover: Picture, alpha: Picture) -> Picture:
    product = cover.astype(np.uint16) * alpha  # at most 255²
    return ((product + 127) // 255).astype(np.uint8)


def _without_rim(colour: Picture, mask: Mask, cover: Picture) -> Picture:
    """Colours with the border pixels' replaced by the nearest ones of the layer's inside.

    Parts so thin that no inside is near keep their colours. Outside of the mask the nearest
    colour of the layer goes on, so that resampling mixes nothing foreign into an edge.
    """
    inside = mask & (cover == 255)
    if inside.all():
        return colour
    clean = np.ascontiguousarray(colour).copy()
    if inside.any():
        distance, nearest = _nearest(inside)
        rim = mask & ~inside & (distance <= _RIM_REACH)
        clean[rim] = colour.reshape(-1, colour.shape[2])[nearest[rim]]
    if not mask.all():
        _, nearest = _nearest(mask)
        clean[~mask] = clean.reshape(-1, colour.shape[2])[nearest[~mask]]
    return clean


def _nearest(mask: Mask) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Distance to the nearest True pixel and its flat index, per pixel; `mask` has some."""
    import cv2

    distance, label = cv2.distanceTransformWithLabels(
        (~mask).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    flat = np.flatnonzero(mask)
    index = np.zeros(int(label.max()) + 1, dtype=np.intp)
    index[label.ravel()[flat]] = flat
    return np.asarray(distance, dtype=np.float32), index[label]


def _carry_exactly(
    colour: Picture, cover: Picture, crop: Window, transform: Transform, tile: Window
) -> tuple[Picture, Picture]:
    """The part of a crop that lands in `tile`, pixel by pixel, without resampling."""
    stamp = np.zeros((tile.height, tile.width, colour.shape[2]), dtype=np.uint8)
    opacity = np.zeros((tile.height, tile.width), dtype=np.uint8)
    landed_y = _landing(crop.top, crop.bottom, transform, 1)
    landed_x = _landing(crop.left, crop.right, transform, 0)
    landed = Window(landed_y[0], landed_x[0], landed_y[1], landed_x[1])
    turned = (
        slice(None, None, int(transform.scale[1])),
        slice(None, None, int(transform.scale[0])),
    )
    seen = landed.clipped(tile)
    if not seen.empty:
        stamp[seen.within(tile).slices] = colour[turned][seen.within(landed).slices]
        opacity[seen.within(tile).slices] = cover[turned][seen.within(landed).slices]
    return stamp, opacity


def _landing(low: int, high: int, transform: Transform, axis: int) -> tuple[int, int]:
    """Canvas pixels that the source pixels low..high-1 of an axis become."""
    ends = sorted(int(transform.scale[axis] * v + transform.offset[axis]) for v in (low, high))
    return ends[0], ends[1]


def _resample(
    colour: Picture,
    cover: Picture,
    mask: Mask,
    crop: Window,
    transform: Transform,
    tile: Window,
) -> tuple[Picture, Picture]:
    """Stamp of a tile from a crop of the source, antialiased.

    Colours by a Lanczos kernel that widens as the picture shrinks; cover by a triangle, which
    never overshoots. A mask's contour stays one canvas pixel wide however large it becomes.
    """
    from PIL.Image import Resampling

    lattice = _Lattice(crop, transform, tile)
    stamp = np.stack(
        [
            lattice.sample(colour[..., k], Resampling.LANCZOS, edge=True)
            for k in range(colour.shape[2])
        ],
        axis=2,
    )
    opacity = lattice.sample(cover, Resampling.BILINEAR, edge=False)
    enlarged = max(1.0, *(abs(s) for s in transform.scale))
    if enlarged > 1:
        contour = lattice.sample(mask.astype(np.uint8) * 255, Resampling.BILINEAR, edge=False)
        sharp = ((contour / np.float32(255) - 0.5) * enlarged + 0.5).clip(0, 1)
        opacity = np.rint(opacity * sharp).astype(np.uint8)
    return stamp, opacity


class _Lattice:
    """Samples arrays that cover a crop of the source at the pixels of a tile of the canvas."""

    def __init__(self, crop: Window, transform: Transform, tile: Window) -> None:
        self._size = (tile.width, tile.height)
        self._flip = tuple(slice(None, None, -1 if s < 0 else 1) for s in transform.scale[::-1])
        spans = [
            _tile_in_crop(*ends, transform, axis)
            for axis, ends in enumerate(
                (
                    (crop.left, crop.right, tile.left, tile.right),
                    (crop.top, crop.bottom, tile.top, tile.bottom),
                )
            )
        ]
        self._spans = spans

    def sample(self, plane: Picture, kernel: int, edge: bool) -> Picture:
        """(h, w) of the crop ⇒ (h, w) of the tile; beyond the crop the edge goes on, or zero."""
        import cv2
        from PIL import Image

        (x0, x1, columns), (y0, y1, rows) = self._spans
        flipped = np.ascontiguousarray(plane[self._flip])
        if (rows, columns) != flipped.shape:
            reduced = cv2.resize(flipped, (columns, rows), interpolation=cv2.INTER_AREA)
            flipped = np.asarray(reduced, dtype=np.uint8)
        pad_x = _padding(x0, x1, columns, self._size[0])
        pad_y = _padding(y0, y1, rows, self._size[1])
        padded = np.pad(flipped, (pad_y, pad_x), mode="edge" if edge else "constant")
        box = (x0 + pad_x[0], y0 + pad_y[0], x1 + pad_x[0], y1 + pad_y[0])
        return np.asarray(Image.fromarray(padded).resize(self._size, kernel, box))


def _padding(low: float, high: float, count: int, samples: int) -> tuple[int, int]:
    """Pixels to add before and after `count` ones for a triangle kernel over low..high."""
    reach = max(1.0, (high - low) / samples)
    return max(0, int(np.ceil(reach - low))), max(0, int(np.ceil(high + reach - count)))


def _tile_in_crop(
    crop_low: int, crop_high: int, tile_low: int, tile_high: int, transform: Transform, axis: int
) -> tuple[float, float, int]:
    """Where a tile lies on the pixels of a (flipped, reduced) crop, and how many pixels those are.

    Strong reductions first average the crop down to `_COARSEST`, so kernels stay short.
    """
    scale, offset = transform.scale[axis], transform.offset[axis]
    ends = ((tile_low - offset) / scale, (tile_high - offset) / scale)
    low, high = (
        (ends[0] - crop_low, ends[1] - crop_low)
        if scale > 0
        else (crop_high - ends[0], crop_high - ends[1])
    )
    length = crop_high - crop_low
    count = length
    if abs(scale) < _COARSEST:
        count = max(1, int(np.ceil(length * abs(scale) / _COARSEST)))
    return low * count / length, high * count / length, count
