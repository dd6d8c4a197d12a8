"""What patches of a small thing really hold of it, told by colour.

    colours, patches ⇒ GrabCut ⇒ what is surely ground, or surely the thing's ⇒ mask

A thing of few patches is told coarsely: one patch holds a spade and the plank behind it. GrabCut
(Rother, Kolmogorov & Blake, "GrabCut", SIGGRAPH 2004) learns mixtures of Gaussians of the colours
within and around, and cuts between them. It is followed where these mixtures are sure, and never
where it would take a whole patch: which patches are the thing's, the selection knows better.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from eie.matting import distance_to
from eie.pictures import Mask, Picture, dilated

FEW = 12
"""Most patches of a thing that is told by colour. Of larger ones single patches are small, and
colours within them as varied as around: real things lose parts that look like their ground."""

AROUND = 60.0
"""Pixels around the patches whose colours are learnt as ground."""

_BESIDE = 4.0
"""Pixels beyond the patches that may be found to be the thing's."""

_ITERATIONS, _COMPONENTS = 2, 5
"""Of GrabCut; and the Gaussians in each of OpenCV's mixtures."""

_SURE = 0.4
"""Least mean sureness, of 1, of a region that is followed."""

_SOFTNESS = 4.0
"""Log-likelihood ratio of a pixel at which it is sure by tanh(1)."""

_WHOLE = 0.1
"""A patch of which less than this share would be left is kept."""

_ENCLOSED = 0.02
"""Least share of a thing that ground has which it encloses: labels, screws and eyes may look like
ground, too."""

_LARGEST = 120_000
"""Most pixels of a picture that is cut; larger ones are cut at a part of their size."""


def told_by_colour(
    colour: Picture, labels: NDArray[np.uint16], members: Mask, scale: float, most: float
) -> Mask:
    """What of a picture shows a thing, given the patches that mostly do.

    Args:
        colour: (h, w, C) uint8, the patches and :data:`AROUND` pixels about them, times `scale`.
        labels: (h, w) the patch of every pixel.
        members: (P,) bool, the patches that are the thing.
        scale: by what lengths that are stated in pixels are multiplied.
        most: pixels beyond the patches that may be found to be the thing's.

    Returns:
        (h, w) bool.
    """
    import cv2

    mask: Mask = members[labels]
    step = np.sqrt(max(1.0, mask.size / _LARGEST))
    size = (max(1, round(mask.shape[1] / step)), max(1, round(mask.shape[0] / step)))
    shown = np.asarray(cv2.resize(colour, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    small = shown.reshape(size[1], size[0], -1)  # OpenCV drops the axis of grey
    inside = _resized(mask, size)
    patches = np.asarray(cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST), dtype=np.int64)
    beside = ~inside & (distance_to(inside) <= min(_BESIDE * scale, most) / step)
    if min(np.count_nonzero(inside), np.count_nonzero(~inside)) < _COMPONENTS:
        return mask
    thing, sureness = _cut(small, inside, beside)
    lost = inside & ~thing & ~_taken_whole(patches, inside, thing)
    ground = _without_small_holes(_sure(lost, -sureness), inside)
    found = _sure(thing & beside, sureness)
    whole = mask.shape[::-1]
    refined: Mask = (mask & ~_resized(ground, whole)) | _resized(found, whole)
    return refined if refined.any() else mask


def _cut(colour: Picture, inside: Mask, beside: Mask) -> tuple[Mask, NDArray[np.float64]]:
    """(h, w) bool, what GrabCut takes for the thing, and (h, w) from -1, surely ground, to 1.

    Args:
        colour: (h, w, C) uint8.
        inside, beside: (h, w) bool, what is likely the thing's, and what may be; the rest is not.
    """
    import cv2

    shown = np.ascontiguousarray(np.broadcast_to(colour[..., :3], (*inside.shape, 3)))
    marks = np.full(inside.shape, cv2.GC_BGD, dtype=np.uint8)
    marks[beside], marks[inside] = cv2.GC_PR_BGD, cv2.GC_PR_FGD
    kept, ground, thing = grab_cut(shown, marks, _ITERATIONS)
    ratio = _log_likelihood(thing, shown) - _log_likelihood(ground, shown)
    return kept, np.tanh(ratio / _SOFTNESS)


def grab_cut(
    colour: Picture, marks: NDArray[np.uint8], iterations: int
) -> tuple[Mask, NDArray[np.float64], NDArray[np.float64]]:
    """OpenCV's GrabCut, with the same result each time.

    Args:
        colour: (h, w, 3) uint8.
        marks: (h, w) of OpenCV's GC_BGD, GC_FGD, GC_PR_BGD and GC_PR_FGD.
        iterations: at least 1.

    Returns:
        (h, w) bool, the thing; (65,) each, the mixtures of the ground's colours and the thing's.
    """
    import cv2

    marks = marks.copy()
    ground, thing = np.zeros((2, 1, 13 * _COMPONENTS))
    cv2.setRNGSeed(0)  # its k-means draws first means
    cv2.grabCut(colour, marks, (0, 0, 1, 1), ground, thing, iterations, cv2.GC_INIT_WITH_MASK)
    return np.isin(marks, (cv2.GC_FGD, cv2.GC_PR_FGD)), ground[0], thing[0]


def _log_likelihood(mixture: NDArray[np.float64], colour: Picture) -> NDArray[np.float64]:
    """(h, w) of colours (h, w, 3) by a mixture as OpenCV keeps it: weights, means, covariances."""
    weights, means, covariances = np.split(mixture, [_COMPONENTS, 4 * _COMPONENTS])
    total = np.full(colour.shape[:2], -np.inf)
    for weight, mean, covariance in zip(
        weights, means.reshape(-1, 3), covariances.reshape(-1, 3, 3), strict=True
    ):
        if weight > 0:
            spread = covariance + 0.01 * np.eye(3)  # as OpenCV mends what has no spread
            away = colour - mean  # (h, w, 3)
            distance = ((away @ np.linalg.inv(spread)) * away).sum(axis=2)  # (h, w)
            height = np.log(weight) - np.log(np.linalg.det(spread)) / 2
            total = np.logaddexp(total, height - distance / 2)
    return total


def _taken_whole(patches: NDArray[np.integer], inside: Mask, thing: Mask) -> Mask:
    """(h, w) bool, patches of which hardly anything would be left."""
    count = int(patches.max()) + 1
    size = np.bincount(patches[inside], minlength=count)
    left = np.bincount(patches[inside & thing], minlength=count)
    whole: Mask = (left < _WHOLE * size)[patches]
    return whole


def _sure(mask: Mask, sureness: NDArray[np.float64]) -> Mask:
    """(h, w) bool, the connected regions of a mask that are sure in the mean."""
    import cv2

    count, regions = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)
    sums = np.bincount(regions.ravel(), sureness.ravel(), count)
    sure = sums > _SURE * np.bincount(regions.ravel(), minlength=count)
    sure[0] = False
    chosen: Mask = sure[regions]
    return chosen


def _without_small_holes(ground: Mask, inside: Mask) -> Mask:
    """(h, w) bool, ground but for small regions that the rest of a mask encloses."""
    import cv2

    _, regions, figures, _ = cv2.connectedComponentsWithStats(ground.astype(np.uint8))
    outer = dilated(~inside, 1)
    chosen = figures[:, cv2.CC_STAT_AREA] >= _ENCLOSED * np.count_nonzero(inside)
    chosen[regions[outer & ground]] = True
    chosen[0] = False
    kept: Mask = chosen[regions]
    return kept


def _resized(mask: Mask, size: tuple[int, ...]) -> Mask:
    """A mask at another size (width, height)."""
    import cv2

    if mask.shape[::-1] == size:
        return mask
    planes = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
    return np.asarray(planes > 0.5, dtype=np.bool_)
