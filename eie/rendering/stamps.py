"""Stamps: what a layer puts on a part of the canvas, as colours and their cover.

crop of the source ⇒ matte, or feathered mask and clean rim ⇒ whole shift, resampling, warp ⇒ stamp
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from eie.elements import Source
from eie.geometry import Transform
from eie.pictures import Mask, Picture, Plane, Window, split_alpha, times
from eie.rendering.mattes import Matte

_KERNEL_RADIUS, _WARP_RADIUS = 3, 4
"""Radius of the Lanczos kernel, in the coarser one of source and canvas pixels; and of the one that
what is turned is warped with."""

_FEATHER_RADIUS = 3
"""Source pixels from the border of a layer at which it is opaque."""

_RIM_REACH = 4
"""Farthest that the colours of a layer's soft border are fetched from, in source pixels."""

_COARSEST = 1 / 8
"""Stronger reductions than this are made in two steps, the first one a plain area average."""

_SQUEEZED, _FINEST = 0.8, 8
"""Pixels of the canvas to one of the source, in the direction in which they are fewest, below which
a warp is made at a multiple of the size, and the most of these."""

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
    exact = transform.lattice
    margin = _FEATHER_RADIUS + _RIM_REACH
    crop = _seen_of_source(tile, transform).grown(margin).clipped(Window.of(source.label_map))
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


def _seen_of_source(tile: Window, transform: Transform) -> Window:
    """The source pixels from which the pixels of a tile are made."""
    x0, y0, x1, y1 = transform.inverse_bounds(_edges(tile))
    straight = transform.upright or transform.on_its_side
    radius = _KERNEL_RADIUS if straight else _WARP_RADIUS
    reach_x, reach_y = (
        0.0 if transform.lattice else radius * max(1.0, 1 / length) + 1
        for length in transform.lengths
    )
    left, top = int(np.floor(x0 - reach_x)), int(np.floor(y0 - reach_y))
    return Window(top, left, int(np.ceil(y1 + reach_y)), int(np.ceil(x1 + reach_x)))


def _edges(window: Window) -> tuple[int, int, int, int]:
    """(x0, y0, x1, y1) of a window."""
    return window.left, window.top, window.right, window.bottom


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
    left, top, right, bottom = (int(edge) for edge in transform.bounds(_edges(crop)))
    landed = Window(top, left, bottom, right)
    seen = landed.clipped(tile)
    if not seen.empty:
        here, there = seen.within(tile).slices, seen.within(landed).slices
        carried[here] = _turned(colour, transform)[there]
        opacity[here] = _turned(cover, transform)[there]
    return Stamp(carried, opacity)


def _turned(plane: NDArray[np.uint8], transform: Transform) -> NDArray[np.uint8]:
    """(h, w, ...) pixels of the source, their rows and columns as they lie on the canvas."""
    (xx, xy), (yx, yy) = transform.matrix
    if transform.on_its_side:
        plane = plane.swapaxes(0, 1)
    return plane[:: -1 if yx + yy < 0 else 1, :: -1 if xx + xy < 0 else 1]


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

    straight = transform.upright or transform.on_its_side
    sampler: _Sampling = (_Sampler if straight else _Warp)(crop, transform, tile)
    planes = np.moveaxis(colour, 2, 0)
    sampled = [sampler.sample(plane, Resampling.LANCZOS, edge=True) for plane in planes]
    opacity = sampler.sample(cover, Resampling.BILINEAR, edge=False)
    enlarged = max(1.0, *transform.lengths)
    if mask is not None and enlarged > 1:
        contour = sampler.sample(mask.astype(np.uint8) * 255, Resampling.BILINEAR, edge=False)
        sharp = ((contour / np.float32(255) - 0.5) * enlarged + 0.5).clip(0, 1)
        opacity = np.rint(opacity * sharp).astype(np.uint8)
    return Stamp(np.stack(sampled, axis=2), opacity)


class _Sampling(Protocol):
    """Samples arrays that cover a crop of the source at the pixels of a tile of the canvas."""

    def sample(self, plane: Plane, kernel: Any, edge: bool) -> Plane:
        """(h, w) of the crop ⇒ (h, w) of the tile; beyond the crop the edge goes on, or zero.

        Args:
            kernel: LANCZOS or BILINEAR, of :class:`PIL.Image.Resampling`.
        """


class _Span(NamedTuple):
    """Where a tile lies on the pixels of a (turned, reduced) crop, and how many these are."""

    low: float
    high: float
    pixels: int

    @classmethod
    def of(cls, tile: tuple[Any, Any], crop: tuple[int, int], scale: float) -> _Span:
        """Of the ends of a tile and of a crop, both along an axis of the source.

        Strong reductions first average the crop down to `_COARSEST`, so kernels stay short.
        """
        low, high = float(tile[0]) - crop[0], float(tile[1]) - crop[0]
        if tile[0] > tile[1]:
            low, high = crop[1] - float(tile[0]), crop[1] - float(tile[1])
        length = count = crop[1] - crop[0]
        if scale < _COARSEST:
            count = max(1, int(np.ceil(length * scale / _COARSEST)))
        return cls(low * count / length, high * count / length, count)


class _Sampler:
    """Of transforms under which rows and columns stay such, whichever becomes which."""

    def __init__(self, crop: Window, transform: Transform, tile: Window) -> None:
        self._size = (tile.width, tile.height)
        self._transform = transform
        left, top = transform.inverse(tile.left, tile.top)
        right, bottom = transform.inverse(tile.right, tile.bottom)
        along_x = _Span.of((left, right), (crop.left, crop.right), transform.lengths[0])
        along_y = _Span.of((top, bottom), (crop.top, crop.bottom), transform.lengths[1])
        self._across, self._down = along_x, along_y
        if transform.on_its_side:
            self._across, self._down = along_y, along_x

    def sample(self, plane: Plane, kernel: Any, edge: bool) -> Plane:
        """As :class:`_Sampling` says."""
        import cv2
        from PIL import Image

        (x0, x1, columns), (y0, y1, rows) = self._across, self._down
        turned = np.ascontiguousarray(_turned(plane, self._transform))
        if (rows, columns) != turned.shape:
            reduced = cv2.resize(turned, (columns, rows), interpolation=cv2.INTER_AREA)
            turned = np.asarray(reduced, dtype=np.uint8)
        pad_x = _padding(x0, x1, columns, self._size[0])
        pad_y = _padding(y0, y1, rows, self._size[1])
        padded = np.pad(turned, (pad_y, pad_x), mode="edge" if edge else "constant")
        box = (x0 + pad_x[0], y0 + pad_y[0], x1 + pad_x[0], y1 + pad_y[0])
        return np.asarray(Image.fromarray(padded).resize(self._size, kernel, box))


def _padding(low: float, high: float, count: int, samples: int) -> tuple[int, int]:
    """Pixels to add before and after `count` ones for a triangle kernel over low..high."""
    reach = max(1.0, (high - low) / samples)
    return max(0, int(np.ceil(reach - low))), max(0, int(np.ceil(high + reach - count)))


class _Warp:
    """Of transforms that turn rows and columns out of theirs.

    crop ⇒ reduced as far as the transform reduces it, along its own axes ⇒ warped ⇒ averaged, where
    the transform leans so much that pixels are squeezed
    """

    def __init__(self, crop: Window, transform: Transform, tile: Window) -> None:
        size = (crop.width, crop.height)
        wide, high = (
            max(1, int(np.ceil(count * min(1.0, length))))
            for count, length in zip(size, transform.lengths, strict=True)
        )
        self._reduced = (wide, high)
        pixels = [count / fewer for count, fewer in zip(size, self._reduced, strict=True)]
        from_reduced = Transform.stretch(pixels, (crop.left, crop.top))
        to_tile = Transform.stretch((1, 1), (-tile.left, -tile.top))
        warp = to_tile @ transform @ from_reduced
        least = float(np.linalg.svd(np.array(warp.matrix), compute_uv=False).min())
        self._finer = 1 if least >= _SQUEEZED else int(np.ceil(1 / max(least, 1 / _FINEST)))
        self._warp = Transform.stretch([self._finer] * 2, (0, 0)) @ warp
        self._size = (tile.width, tile.height)

    def sample(self, plane: Plane, kernel: Any, edge: bool) -> Plane:
        """As :class:`_Sampling` says."""
        import cv2
        from PIL import Image

        plane = np.ascontiguousarray(plane)
        if self._reduced != (plane.shape[1], plane.shape[0]):
            plane = np.asarray(Image.fromarray(plane).resize(self._reduced, kernel))
        x, y = self._warp.apply(0.5, 0.5)  # the centre of a pixel is 0, 0 in OpenCV
        matrix = np.column_stack([np.array(self._warp.matrix), [x - 0.5, y - 0.5]])
        warped = cv2.warpAffine(
            plane,
            matrix,
            (self._size[0] * self._finer, self._size[1] * self._finer),
            flags=cv2.INTER_LANCZOS4 if kernel == Image.Resampling.LANCZOS else cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE if edge else cv2.BORDER_CONSTANT,
        )
        if self._finer > 1:
            warped = cv2.resize(warped, self._size, interpolation=cv2.INTER_AREA)
        return np.asarray(warped, dtype=np.uint8)
