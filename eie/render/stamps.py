"""Stamps: what a layer puts on a part of the canvas, as colours and their cover.

crop of the source ⇒ matte, or feathered mask and clean rim ⇒ whole shift or resampling ⇒ stamp
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eie.elements import Source
from eie.geometry import Transform
from eie.pictures import Mask, Picture, Plane, Window, split_alpha, times
from eie.render.mattes import Matte

_KERNEL_RADIUS = 3
"""Radius of the Lanczos kernel, in the coarser one of source and canvas pixels."""

_FEATHER_RADIUS = 3
"""Source pixels from the border of a layer at which it is opaque."""

_RIM_REACH = 4
"""Farthest that the colours of a layer's soft border are fetched from, in source pixels."""

_COARSEST = 1 / 8
"""Stronger reductions than this are made in two steps, the first one a plain area average."""

_FEATHER_LOW, _FEATHER_HIGH = 0.5, 0.95
"""Blurred mask at which a soft edge begins and ends."""


class Stamp(NamedTuple):
    """A layer's part in a tile of the canvas.

    Attributes:
        colour: (h, w, 1 or 3) uint8, in the colour channels of the layer's source.
        cover: (h, w) uint8, the opacity; 255 where nothing below is seen.
    """

    colour: Picture
    cover: Plane


def stamp_of(
    source: Source,
    pixels: Picture,
    members: Mask,
    transform: Transform,
    tile: Window,
    matte: Matte | None = None,
) -> Stamp | None:
    """The stamp of some patches in one tile of the canvas, or None where they paint nothing.

    Args:
        source: where the patches come from.
        pixels: (H, W, C) its pixels.
        members: (P,) bool, the patches to paint.
        transform: from source to canvas.
        tile: window of the canvas.
        matte: of the thing that the patches are, or are a part of; None for hard edges.
    """
    exact = is_lattice(transform)
    margin = _FEATHER_RADIUS + _RIM_REACH
    columns = _source_span(tile.left, tile.right, transform, 0, exact)
    rows = _source_span(tile.top, tile.bottom, transform, 1, exact)
    wanted = Window(rows[0], columns[0], rows[1], columns[1])
    crop = wanted.grown(margin).clipped(Window.of(source.label_map))
    if crop.empty:
        return None
    mask = members[source.label_map[crop.slices]]
    colour, alpha = split_alpha(pixels[crop.slices])
    if matte is not None:
        colour, cover = _matted(matte, crop, colour, members, source.label_map[crop.slices])
        cover = cover if alpha is None else times(cover, alpha)
        if not cover.any():
            return None
        if exact:
            return _carry_exactly(colour, cover, crop, transform, tile)
        return _resample(_continued(colour, cover > 0), cover, None, crop, transform, tile)
    if not mask.any():
        return None
    seen = mask if alpha is None else mask & (alpha > 0)
    if not seen.any():
        return None
    soft = _feather(mask, _feather_sigma(source))
    colour = _without_rim(colour, seen, soft)
    cover = soft if alpha is None else times(soft, alpha)
    if exact:
        return _carry_exactly(colour, cover, crop, transform, tile)
    return _resample(colour, cover, mask, crop, transform, tile)


def _matted(
    matte: Matte,
    crop: Window,
    colour: Picture,
    members: Mask,
    patches: NDArray[np.uint16],
) -> tuple[Picture, Plane]:
    """Colours and cover of some patches by the matte of their thing.

    Where the thing is in several layers, each has what is nearest to it.
    """
    cover, own = matte.at(crop, colour)
    if not matte.reach:
        cover[~members[patches]] = 0
    if np.array_equal(members, matte.members) or not cover.any():
        return own, cover
    thing = matte.members[patches]
    if thing.any():
        _, nearest = _nearest(thing)
        cover[~members[patches.ravel()[nearest]]] = 0
    return own, cover


def is_lattice(transform: Transform) -> bool:
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


def _feather_sigma(source: Source) -> float:
    """Blur of a mask's edge in source pixels: small photos have small patches and sharp edges."""
    height, width = source.label_map.shape
    return float(np.clip(np.sqrt(height * width) / 400, 0.5, 1.0))


def _feather(mask: Mask, sigma: float) -> Plane:
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


def _feather_curve() -> Plane:
    """(256,) uint8, cover by blurred mask."""
    ramp = (np.arange(256) / 255 - _FEATHER_LOW) / (_FEATHER_HIGH - _FEATHER_LOW)
    curve: Plane = np.rint(ramp.clip(0, 1) * 255).astype(np.uint8)
    return curve


def _without_rim(colour: Picture, mask: Mask, cover: Plane) -> Picture:
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
    return _continued(clean, mask)


def _continued(colour: Picture, mask: Mask) -> Picture:
    """Colours with those outside of a mask, which has some pixels, replaced by the nearest ones."""
    if mask.all():
        return colour
    _, nearest = _nearest(mask)
    whole = colour.copy()
    whole[~mask] = colour.reshape(-1, colour.shape[2])[nearest[~mask]]
    return whole


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
    colour: Picture, cover: Plane, crop: Window, transform: Transform, tile: Window
) -> Stamp:
    """The part of a crop that lands in `tile`, pixel by pixel, without resampling."""
    carried = np.zeros((tile.height, tile.width, colour.shape[2]), dtype=np.uint8)
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
        carried[seen.within(tile).slices] = colour[turned][seen.within(landed).slices]
        opacity[seen.within(tile).slices] = cover[turned][seen.within(landed).slices]
    return Stamp(carried, opacity)


def _landing(low: int, high: int, transform: Transform, axis: int) -> tuple[int, int]:
    """Canvas pixels that the source pixels low..high-1 of an axis become."""
    ends = sorted(int(transform.scale[axis] * v + transform.offset[axis]) for v in (low, high))
    return ends[0], ends[1]


def _resample(
    colour: Picture,
    cover: Plane,
    mask: Mask | None,
    crop: Window,
    transform: Transform,
    tile: Window,
) -> Stamp:
    """Stamp of a tile from a crop of the source, antialiased.

    Colours by a Lanczos kernel that widens as the picture shrinks; cover by a triangle, which
    never overshoots. A mask's contour, if there is a mask, stays one canvas pixel wide however
    large it becomes.
    """
    from PIL.Image import Resampling

    sampler = _Sampler(crop, transform, tile)
    planes = np.moveaxis(colour, 2, 0)
    sampled = [sampler.sample(plane, Resampling.LANCZOS, edge=True) for plane in planes]
    opacity = sampler.sample(cover, Resampling.BILINEAR, edge=False)
    enlarged = max(1.0, *(abs(s) for s in transform.scale))
    if mask is not None and enlarged > 1:
        contour = sampler.sample(mask.astype(np.uint8) * 255, Resampling.BILINEAR, edge=False)
        sharp = ((contour / np.float32(255) - 0.5) * enlarged + 0.5).clip(0, 1)
        opacity = np.rint(opacity * sharp).astype(np.uint8)
    return Stamp(np.stack(sampled, axis=2), opacity)


class _Sampler:
    """Samples arrays that cover a crop of the source at the pixels of a tile of the canvas."""

    def __init__(self, crop: Window, transform: Transform, tile: Window) -> None:
        self._size = (tile.width, tile.height)
        self._flip = tuple(slice(None, None, -1 if s < 0 else 1) for s in transform.scale[::-1])
        self._across = _tile_in_crop(crop.left, crop.right, tile.left, tile.right, transform, 0)
        self._down = _tile_in_crop(crop.top, crop.bottom, tile.top, tile.bottom, transform, 1)

    def sample(self, plane: Plane, kernel: int, edge: bool) -> Plane:
        """(h, w) of the crop ⇒ (h, w) of the tile; beyond the crop the edge goes on, or zero."""
        import cv2
        from PIL import Image

        (x0, x1, columns), (y0, y1, rows) = self._across, self._down
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
