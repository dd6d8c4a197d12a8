"""Image matting: what part of each pixel about a thing's border is the thing's, in what colours.

    colours, mask ⇒ trimap ⇒ alpha ⇒ colours of the thing alone

A photo's pixel on a border is a mixture, I = α F + (1 − α) B. In a band along the border of a mask,
α is solved for in closed form (Levin, Lischinski & Weiss, "A Closed-Form Solution to Natural Image
Matting", TPAMI 2008), with the mask, a little blurred, as a weak prior. The band is narrow, and
wider where a pixel looks like what is beyond it: thin parts that a mask lacks, ground that it
holds. F is estimated by blurring both sides (Forte, "Approximate Fast Foreground Colour
Estimation", ICIP 2021).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eie.pictures import Mask, Plane, dilated

Floats = NDArray[np.float32]

BAND = (1.5, 2.0)
"""Pixels inside and outside of a mask's border that are always estimated."""

_REACH = (4.0, 8.0)
"""Pixels inside and outside within which those are, too, that look like what is beyond."""

_STATISTICS = 10
"""Reach in pixels of the means that the looks of both sides are told by; thrice that if need be."""

SEEN = _REACH[1] + _STATISTICS
"""Pixels beyond a mask that have a say in its matte."""

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


class Trimap(NamedTuple):
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
class Matting:
    """What a matte is estimated from: colours, and a mask that may be a little off.

    Attributes:
        colour: (h, w, C) in [0, 1].
        mask: (h, w) bool, the thing.
        clear: (h, w) bool, what shows nothing, as the photo is transparent there.
        depth, distance: (h, w) pixels to what is not the mask, and to what is.
        scale: by what lengths that are stated in pixels are multiplied: large photos are blurred
            by more of them.
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
    ) -> Matting:
        """Measure the distances to the mask's border."""
        clear = np.zeros_like(mask) if clear is None else clear
        return cls(colour, mask, clear, distance_to(~mask), distance_to(mask), scale, most)

    def alpha(self, trimap: Trimap) -> Floats:
        """(h, w) in [0, 1], with the mask, a little blurred, as a weak prior."""
        prior = _gaussian(self.mask.astype(np.float32), _PRIOR_BLUR * self._widened)
        weight = np.where(trimap.doubted, _DOUBTED, _PRIOR)
        return solved_alpha(self.colour, trimap.thing, trimap.unknown, prior, weight)

    def colours(self, alpha: Floats) -> tuple[Floats, Floats]:
        """(h, w, C) each, blurred colours of the thing and of what is behind it."""
        return both_colours(self.colour, alpha, ~self.clear, self.scale)

    def trimap(self) -> Trimap:
        """Which pixels are the thing's, not the thing's, or to be estimated."""
        import cv2

        inner, outer = BAND[0] * self._widened, min(BAND[1] * self._widened, self.most)
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
        return Trimap(thing, unknown, dilated(unlike, self._pixels(2)))

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
        ridge = (self.depth >= highest - 1e-3) & (self.depth > 0.6 * BAND[0] * self._widened)
        return np.asarray(ridge & self.mask & ~self.clear)

    @property
    def _widened(self) -> float:
        """By what lengths of a border itself grow: larger photos are blurred by more pixels, but
        not by as many more."""
        return float(np.sqrt(self.scale))

    def _pixels(self, length: float) -> int:
        """A stated length in whole pixels, at least one."""
        return max(1, round(length * self.scale))


def distance_to(mask: Mask) -> Floats:
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


def both_colours(colour: Floats, alpha: Floats, seen: Mask, scale: float) -> tuple[Floats, Floats]:
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
