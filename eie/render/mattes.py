"""Mattes: what part of each pixel about a thing's border is the thing's, and in what colours.

    mask ⇒ trimap ⇒ alpha ⇒ colours of the thing alone

A photo's pixel on a border is a mixture, I = α F + (1 − α) B. In a band along the border of what
moved, α is solved for in closed form (Levin, Lischinski & Weiss, "A Closed-Form Solution to Natural
Image Matting", TPAMI 2008), with the mask, a little blurred, as a weak prior. The band is narrow,
and wider where a pixel looks like what is beyond it: thin parts that a mask lacks, ground that it
holds. F is estimated by blurring both sides (Forte, "Approximate Fast Foreground Colour
Estimation", ICIP 2021).

Lengths are stated for photos whose usual dilation is 4 pixels (512 × 384) or less, and grow with
it. A long band is solved at a fraction of the size; its local linear models α = a·I + b then give
the alpha of the photo's own pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eie.elements import Source
from eie.geometry import common_box, corners
from eie.render.pictures import Mask, Picture, Plane, Window, split_alpha
from eie.render.working_size import dilated

Floats = NDArray[np.float32]

UNIT = 4
"""Usual dilation of the photos that lengths are stated for, in pixels."""

_BAND = (1.5, 2.0)
"""Pixels inside and outside of a mask's border that are always estimated."""

_REACH = (4.0, 8.0)
"""Pixels inside and outside within which those are, too, that look like what is beyond."""

_STATISTICS = 10
"""Reach in pixels of the means that the looks of both sides are told by; thrice that if need be."""

_LIKE = 0.3
"""Share of the way from one side's colour to the other's from which a pixel looks like it."""

_DEVIATIONS = (1.0, 2.0)
"""The same in standard deviations of the pixel's own side, inside and outside."""

_LEAST_DIFFERENCE = 0.02
"""The least such difference, of 1."""

_PRIOR, _DOUBTED = 0.05, 0.01
"""Weight of the mask, and near pixels that do not look like it."""

_PRIOR_BLUR = 0.6
"""Standard deviation in pixels by which the mask is blurred for that."""

_REGULARISATION = 1e-6
"""ε of the matting Laplacian, for colours in [0, 1]."""

_BLURS = (12, 3)
"""Reaches in pixels of the two blurs that estimate colours."""

_FAINT = 0.02
"""Alpha below which a pixel is not the thing's, and above 1 less which it is its alone."""

_MOST, _LARGEST = 100_000, 2_000_000
"""Most pixels of a band, and of a window around it, at the size at which it is solved."""


@dataclass(frozen=True, eq=False)
class Matte:
    """Alpha and colours about a thing's border, at 1 / `step` of its source's size.

    Attributes:
        members: (P,) bool, the patches of the source that are the thing.
        window: of the source, that the planes cover; around it the thing is not.
        step: pixels of the source to one of the planes, along both axes.
        alpha: (h, w) in [0, 1].
        models: (h, w, C + 1), a and b of α = a·I + b for colours I in [0, 1].
        sides: (h, w, 2), whether a pixel is known to be the thing's, and not the thing's: 1 or 0.
        inside, outside: (h, w, C) in [0, 1], blurred colours of the thing and of what is behind.
        reach: pixels of the source beyond the patches that alpha reaches; what it is beyond them
            has no meaning if that is 0.
    """

    members: NDArray[np.bool_]
    window: Window
    step: int
    alpha: Floats
    models: Floats
    sides: Floats
    inside: Floats
    outside: Floats
    reach: float

    def at(self, crop: Window, colour: Picture) -> tuple[Plane, Picture]:
        """The matte of a part of the source.

        Args:
            crop: of the source.
            colour: (h, w, C) uint8, the source's pixels there, without their alpha.

        Returns:
            (h, w) uint8 alpha, 255 where all is the thing's, and (h, w, C) uint8 colours of the
            thing, its own where alpha is 255 and of no meaning where it is 0.
        """
        pixels = colour / np.float32(255)  # (h, w, C)
        if self.step == 1:
            alpha = self._warped(self.alpha, crop)
        else:
            models = self._warped(self.models, crop)
            alpha = (pixels * models[..., :-1]).sum(axis=2) + models[..., -1]
            sides = self._warped(self.sides, crop)
            alpha[sides[..., 0] > 1 - _FAINT] = 1
            alpha[sides[..., 1] > 1 - _FAINT] = 0
        alpha[_beyond(crop, self.window)] = 0
        alpha = ((alpha - _FAINT) / (1 - 2 * _FAINT)).clip(0, 1)
        cover = np.rint(alpha * 255).astype(np.uint8)
        own = colour.copy()
        mixed = (cover > 0) & (cover < 255)
        if mixed.any():
            share = alpha[mixed][:, None]  # (n, 1)
            inside, outside = (
                self._warped(plane, crop)[mixed] for plane in (self.inside, self.outside)
            )
            rest = pixels[mixed] - share * inside - (1 - share) * outside
            own[mixed] = np.rint((inside + share * rest).clip(0, 1) * 255)
        return cover, own

    def _warped(self, plane: Floats, crop: Window) -> Floats:
        """(h, w) or (h, w, K) of the planes ⇒ of a crop of the source."""
        import cv2

        if self.step == 1:
            rows = np.arange(crop.top, crop.bottom).clip(self.window.top, self.window.bottom - 1)
            columns = np.arange(crop.left, crop.right).clip(self.window.left, self.window.right - 1)
            part: Floats = plane[np.ix_(rows - self.window.top, columns - self.window.left)]
            return part
        scale = 1 / self.step
        shift = [
            (low - own + 0.5) * scale - 0.5
            for low, own in ((crop.left, self.window.left), (crop.top, self.window.top))
        ]
        matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
        warped = cv2.warpAffine(
            plane,
            matrix,
            (crop.width, crop.height),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return np.asarray(warped, dtype=np.float32).reshape(
            crop.height, crop.width, *plane.shape[2:]
        )


def matte_of(
    source: Source, pixels: Picture, members: NDArray[np.bool_], unit: float, most: float
) -> Matte | None:
    """The matte of some patches, or None where they have no border.

    Args:
        source: where the patches come from.
        pixels: (H, W, C) its pixels.
        members: (P,) bool, the patches that are the thing.
        unit: the usual dilation of such a photo, in pixels.
        most: pixels beyond the patches that alpha may reach.
    """
    scale = max(1.0, unit / UNIT)
    x0, y0, x1, y1 = corners(common_box(source.home_box[members])).astype(int).tolist()
    margin = int(np.ceil((_REACH[1] + _STATISTICS) * scale))
    window = Window(y0, x0, y1, x1).grown(margin).clipped(Window.of(source.label_map))
    mask = members[source.label_map[window.slices]]
    if mask.all():
        return None
    colour, opacity = split_alpha(pixels[window.slices])
    step = _least_step(mask, scale)
    while True:
        planes = _Planes.of(
            _reduced(colour, step),
            _reduced(mask, step) > 0.5,
            None if opacity is None else _reduced(opacity == 0, step) > 0,
            scale / step,
            _reach(most, step),
        )
        trimap = planes.trimap()
        if np.count_nonzero(trimap.unknown) <= _MOST:
            return planes.matte(trimap, members, window, step, most)
        step += 1


def _reach(most: float, step: int) -> float:
    """How far alpha may reach at 1 / `step` of the size, in pixels there, to be safely within."""
    return most if step == 1 else max(0.0, np.floor(most / step) - 2)


def _least_step(mask: Mask, scale: float) -> int:
    """What to divide the size by, so that neither a mask nor the band along its border is too
    large."""
    import cv2

    box = np.ones((3, 3), np.uint8)
    border = np.count_nonzero(cv2.morphologyEx(mask.view(np.uint8), cv2.MORPH_GRADIENT, box)) / 2
    band = border * sum(_BAND) * np.sqrt(scale)
    return max(1, int(np.ceil(np.sqrt(max(band / _MOST, mask.size / _LARGEST)))))


def _reduced(planes: Picture | Mask, step: int) -> Floats:
    """(H, W, ...) in [0, 1] at 1 / `step` of the size, rounded up, each pixel a mean."""
    import cv2

    values: NDArray[Any] = planes
    if planes.dtype == np.bool_:
        values = planes.view(np.uint8) * np.uint8(255)
    if step > 1:
        height, width = planes.shape[:2]
        below, right = -height % step, -width % step
        if below or right:
            values = cv2.copyMakeBorder(values, 0, below, 0, right, cv2.BORDER_REPLICATE)
        size = ((width + right) // step, (height + below) // step)
        values = cv2.resize(values, size, interpolation=cv2.INTER_AREA)
        values = values.reshape(size[1], size[0], *planes.shape[2:])
    return np.asarray(values, dtype=np.float32) / np.float32(255)


def _beyond(crop: Window, window: Window) -> Mask:
    """(h, w) bool, what of a crop lies outside of a window."""
    rows, columns = np.arange(crop.top, crop.bottom), np.arange(crop.left, crop.right)
    out = (rows < window.top) | (rows >= window.bottom)
    return out[:, None] | (columns < window.left) | (columns >= window.right)


class _Trimap(NamedTuple):
    """What is known of a thing, and what is to be estimated.

    Attributes:
        thing: (h, w) bool, where it is not unknown.
        unknown: (h, w) bool.
        doubted: (h, w) bool, near pixels that do not look like the mask says.
    """

    thing: Mask
    unknown: Mask
    doubted: Mask


@dataclass(frozen=True, eq=False)
class _Planes:
    """What a matte is estimated from, at the size at which it is.

    Attributes:
        colour: (h, w, C) in [0, 1].
        mask: (h, w) bool, the thing.
        clear: (h, w) bool, what shows nothing, as the photo is transparent there.
        depth, distance: (h, w) pixels to what is not the mask, and to what is.
        scale: pixels for one of the stated lengths.
        most: pixels beyond the mask that alpha may reach.
    """

    colour: Floats
    mask: Mask
    clear: Mask
    depth: Floats
    distance: Floats
    scale: float
    most: float

    @classmethod
    def of(
        cls, colour: Floats, mask: Mask, clear: Mask | None, scale: float, most: float
    ) -> _Planes:
        clear = np.zeros_like(mask) if clear is None else clear
        return cls(colour, mask, clear, _distance(~mask), _distance(mask), scale, most)

    def matte(
        self,
        trimap: _Trimap,
        members: NDArray[np.bool_],
        window: Window,
        step: int,
        reach: float,
    ) -> Matte:
        """The matte; see :class:`Matte`."""
        prior = _gaussian(self.mask.astype(np.float32), _PRIOR_BLUR * self._widened)
        weight = np.where(trimap.doubted, _DOUBTED, _PRIOR)
        alpha = solved_alpha(self.colour, trimap.thing, trimap.unknown, prior, weight)
        inside, outside = _both_colours(self.colour, alpha, ~self.clear, self.scale)
        known = ~trimap.unknown
        return Matte(
            members=members,
            window=window,
            step=step,
            alpha=alpha,
            models=linear_models(self.colour, alpha) if step > 1 else self.colour[:0],
            sides=np.dstack([known & trimap.thing, known & ~trimap.thing]).astype(np.float32),
            inside=inside,
            outside=outside,
            reach=reach if self.most else 0,
        )

    def trimap(self) -> _Trimap:
        """Which pixels are the thing's, not the thing's, or to be estimated."""
        import cv2

        inner, outer = _BAND[0] * self._widened, min(_BAND[1] * self._widened, self.most)
        deep, far = _REACH[0] * self.scale, min(_REACH[1] * self.scale, self.most)
        band = np.where(self.mask, self.depth <= inner, self.distance <= outer)
        reached = np.where(self.mask, self.depth <= deep, self.distance <= far)
        unlike = reached & ~band & self._unlike(deep, far)
        count, labels = cv2.connectedComponents((unlike | band).astype(np.uint8))
        joined = np.zeros(count, dtype=bool)
        joined[labels[band]] = True
        unlike &= joined[labels]
        own_edge = dilated(self.clear, self._pixels(3))  # where the photo's alpha is the edge
        unknown = (band | (dilated(unlike, self._pixels(1)) & reached)) & ~own_edge
        thing = self.mask | (own_edge & (self.distance <= outer))
        return _Trimap(thing, unknown, dilated(unlike, self._pixels(2)))

    def _unlike(self, deep: float, far: float) -> Mask:
        """(h, w) bool, pixels that look more like the other side of the border than theirs."""
        box = np.ones(2 * [2 * int(np.ceil(deep)) + 3], np.uint8)
        core = self.mask & (self.depth > deep) & ~self.clear
        core |= self._ridge() & ~_grown(core, box)
        ground = ~self.mask & (self.distance > far) & ~self.clear
        reach = self._pixels(_STATISTICS)
        inner, inner_spread, inner_there = _looks(self.colour, core, reach)
        outer, outer_spread, outer_there = _looks(self.colour, ground, reach)
        way = inner - outer
        length = np.sqrt(np.square(way).sum(axis=2))
        share = ((self.colour - outer) * way).sum(axis=2) / (np.square(length) + 1e-6)
        told = inner_there & outer_there & (2 * length > inner_spread + outer_spread)
        other = np.where(self.mask, 1 - share, share)
        spread = np.where(self.mask, _DEVIATIONS[0] * inner_spread, _DEVIATIONS[1] * outer_spread)
        unlike: Mask = told & (other > _LIKE) & (other * length > spread + _LEAST_DIFFERENCE)
        return unlike

    def _ridge(self) -> Mask:
        """(h, w) bool, the middle of thin parts, which have no inside."""
        import cv2

        highest = cv2.dilate(self.depth, np.ones((3, 3), np.uint8))
        ridge = (self.depth >= highest - 1e-3) & (self.depth > 0.6 * _BAND[0] * self._widened)
        return np.asarray(ridge & self.mask & ~self.clear)

    @property
    def _widened(self) -> float:
        """By what lengths of a border itself grow: larger photos are blurred by more pixels, but
        not by as many more."""
        return float(np.sqrt(self.scale))

    def _pixels(self, length: float) -> int:
        """A stated length in whole pixels, at least one."""
        return max(1, round(length * self.scale))


def _distance(mask: Mask) -> Floats:
    """(h, w) pixels to the nearest one of a mask."""
    import cv2

    far = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5)
    return np.asarray(far, dtype=np.float32)


def _grown(mask: Mask, box: Plane) -> Mask:
    import cv2

    return np.asarray(cv2.dilate(mask.astype(np.uint8), box) > 0)


def _gaussian(plane: Floats, deviation: float) -> Floats:
    import cv2

    blurred = cv2.GaussianBlur(plane, (0, 0), deviation, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(blurred, dtype=np.float32)


def _box(planes: Floats, reach: int) -> Floats:
    """(h, w, ...) means of squares of that reach."""
    import cv2

    side = 2 * reach + 1
    blurred = cv2.blur(planes, (side, side), borderType=cv2.BORDER_REFLECT)
    return np.asarray(blurred, dtype=np.float32).reshape(planes.shape)


def _looks(colour: Floats, mask: Mask, reach: int) -> tuple[Floats, Floats, Mask]:
    """Mean colour (h, w, C) and standard deviation (h, w) of a mask's pixels about every pixel, and
    (h, w) bool, whether there are any."""
    share = mask.astype(np.float32)[..., None]
    sums = np.dstack([share, colour * share, np.square(colour).sum(axis=2, keepdims=True) * share])
    near = _box(sums, reach) + np.float32(1e-3) * _box(sums, 3 * reach)
    there = near[..., 0] > 1e-6
    mean = np.asarray(near[..., 1:] / np.maximum(near[..., :1], 1e-9), dtype=np.float32)
    variance = mean[..., -1] - np.square(mean[..., :-1]).sum(axis=2)
    spread: Floats = np.sqrt(variance.clip(0), dtype=np.float32)
    return mean[..., :-1], spread, there


def solved_alpha(
    colour: Floats,
    known: Mask,
    unknown: Mask,
    prior: Floats,
    weight: NDArray[np.floating],
) -> Floats:
    """(h, w) in [0, 1], the α that minimises αᵀLα + Σ weight (α − prior)² (Levin et al., §3).

    Args:
        colour: (h, w, C) in [0, 1].
        known: (h, w) bool, α where it is not unknown.
        unknown: (h, w) bool.
        prior: (h, w) in [0, 1].
        weight: (h, w), positive.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.linalg import splu

    alpha = known.astype(np.float32)
    count = np.count_nonzero(unknown)
    if not count:
        return alpha
    pixel, entries = _laplacian(colour, unknown)  # (k, 9), (k, 9, 9)
    position = np.full(unknown.size, -1, dtype=np.intp)
    position[unknown.ravel()] = np.arange(count)
    place = position[pixel]  # (k, 9)
    given = np.where(place < 0, alpha.ravel()[pixel], 0)
    pull = -np.einsum("kij,kj->ki", entries, given)
    own = weight[unknown].astype(np.float64)
    wanted = own * prior[unknown]
    wanted += np.bincount(place[place >= 0], pull[place >= 0], minlength=count)
    rows, columns = (
        np.broadcast_to(side, entries.shape) for side in (place[:, :, None], place[:, None])
    )
    both = (rows >= 0) & (columns >= 0)
    diagonal = np.arange(count)
    index = (
        np.concatenate([rows[both], diagonal]),
        np.concatenate([columns[both], diagonal]),
    )
    matrix = coo_array((np.concatenate([entries[both], own]), index), shape=(count, count))
    solver = splu(matrix.tocsc(), permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True})
    alpha[unknown] = solver.solve(wanted).clip(0, 1)
    return alpha


def _laplacian(colour: Floats, unknown: Mask) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """The matting Laplacian (Levin et al., eq. 12) window by window.

    Returns:
        (k, 9) flat pixels of the 3 × 3 windows that hold unknown ones, and (k, 9, 9) entries.
    """
    width = unknown.shape[1]
    centres = dilated(unknown, 1) | _grown(unknown, np.ones((3, 3), np.uint8))
    centres[[0, -1]] = False
    centres[:, [0, -1]] = False
    steps = (np.arange(-1, 2)[:, None] * width + np.arange(-1, 2)).ravel()
    pixel = np.flatnonzero(centres)[:, None] + steps  # (k, 9)
    values = colour.reshape(-1, colour.shape[2])[pixel].astype(np.float64)  # (k, 9, C)
    values -= values.mean(axis=1, keepdims=True)
    covariance = np.einsum("kic,kid->kcd", values, values) / 9
    covariance += np.eye(values.shape[2]) * (_REGULARISATION / 9)
    alike = np.einsum("kic,kcd->kid", values, np.linalg.inv(covariance))
    return pixel, np.eye(9) - (1 + np.einsum("kid,kjd->kij", alike, values)) / 9


def linear_models(colour: Floats, alpha: Floats) -> Floats:
    """(h, w, C + 1): a and b of the α = a·I + b that fits best about each pixel (He, Sun & Tang,
    "Guided Image Filtering", ECCV 2010), for colours (h, w, C) in [0, 1] and α (h, w)."""
    channels = colour.shape[2]
    mean, mean_alpha = _box(colour, 1), _box(alpha, 1)
    pairs = (colour[..., :, None] * colour[..., None, :]).reshape(*alpha.shape, -1)
    covariance = np.stack([_box(plane, 1) for plane in np.moveaxis(pairs, 2, 0)], axis=2)
    covariance = covariance.reshape(*alpha.shape, channels, channels)
    covariance -= mean[..., :, None] * mean[..., None, :]
    covariance += np.eye(channels, dtype=np.float32) * np.float32(1e-4)
    common = _box(colour * alpha[..., None], 1) - mean * mean_alpha[..., None]
    slope = np.linalg.solve(covariance, common[..., None])[..., 0]
    offset = mean_alpha - (slope * mean).sum(axis=2)
    models = np.dstack([slope, offset]).astype(np.float32)
    return np.dstack([_box(plane, 1) for plane in np.moveaxis(models, 2, 0)])


def _both_colours(colour: Floats, alpha: Floats, seen: Mask, scale: float) -> tuple[Floats, Floats]:
    """(h, w, C) each, blurred colours of the thing and of what is behind it (Forte, §3)."""
    share = alpha[..., None] * seen[..., None]
    rest = (1 - alpha)[..., None] * seen[..., None]
    thing, ground = colour, colour
    inside, outside = colour, colour
    for reach in _BLURS:
        side = max(1, round(reach * scale))
        inside = _box(thing * share, side) / (_box(share, side) + np.float32(1e-5))
        outside = _box(ground * rest, side) / (_box(rest, side) + np.float32(1e-5))
        missed = colour - share * inside - (1 - share) * outside
        thing, ground = (inside + share * missed).clip(0, 1), outside
    return inside, outside
