"""GrabCut from clicks, as people select without a learned model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from eie.evaluate.cases import Pixels
from eie.evaluate.click_simulation import Click, Mask
from eie.evaluate.superpixels import slic

SUPERPIXELS = 256
"""SLIC superpixels asked for."""

LONG_SIDE = 320
"""Longest side in pixels at which GrabCut works: it takes seconds a click at full size."""

_ITERATIONS = 5


class SlicGrabCut:
    """SLIC superpixels, and GrabCut (Rother et al., 2004; OpenCV's) from those that were clicked.

    Superpixels that were clicked are surely of the thing, or surely not. GrabCut begins with those
    whose mean CIE Lab colour is nearer to a joining click's superpixel than Otsu's threshold over
    all, and than to that of any click that cuts off. Of what it finds, the regions that hold a
    joining click count.

    Args:
        pixels: (H, W, 3) uint8 RGB.
    """

    def __init__(self, pixels: Pixels) -> None:
        import cv2

        height, width = pixels.shape[:2]
        factor = min(1.0, LONG_SIDE / max(height, width))
        size = max(1, round(width * factor)), max(1, round(height * factor))
        self._size = height, width
        small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
        self._small = np.asarray(small, dtype=np.uint8)
        self._labels = slic(self._small, SUPERPIXELS)
        self._colours = _mean_lab(self._small, self._labels)  # (S, 3)

    def __call__(self, clicks: Sequence[Click]) -> Mask:
        """(H, W) bool, what is selected after some clicks."""
        import cv2
        from scipy.ndimage import label

        places = [self._place(click) for click in clicks]
        sure = np.zeros(self._labels.shape, dtype=bool)
        state = self._first_guess(clicks, places)[self._labels]  # (h, w)
        for click, place in zip(clicks, places, strict=True):
            superpixel = self._labels == self._labels[place]
            state[superpixel] = cv2.GC_FGD if click.joins else cv2.GC_BGD
            sure = sure | superpixel if click.joins else sure & ~superpixel
        found = self._cut(state) if sure.any() and not sure.all() else sure
        regions, _ = label(found)
        held = [regions[place] for click, place in zip(clicks, places, strict=True) if click.joins]
        small = np.isin(regions, [region for region in held if region])
        large = cv2.resize(
            small.astype(np.uint8), self._size[::-1], interpolation=cv2.INTER_NEAREST
        )
        return np.asarray(large).astype(bool)

    def _place(self, click: Click) -> tuple[int, int]:
        """Line and column of a click in the small photo."""
        (height, width), (lines, columns) = self._size, self._labels.shape
        return click.y * lines // height, click.x * columns // width

    def _first_guess(
        self, clicks: Sequence[Click], places: Sequence[tuple[int, int]]
    ) -> NDArray[np.uint8]:
        """(S,) whether each superpixel is likelier of the thing or of the ground, by its colour."""
        import cv2
        from skimage.filters import threshold_otsu

        nearest = {}
        for joins in (True, False):
            clicked = [
                self._labels[p] for c, p in zip(clicks, places, strict=True) if c.joins is joins
            ]
            way = self._colours[:, None] - self._colours[clicked]  # (S, K, 3)
            nearest[joins] = np.linalg.norm(way, axis=2).min(axis=1, initial=np.inf)  # (S,)
        near = nearest[True] <= float(threshold_otsu(nearest[True]))  # type: ignore[no-untyped-call]
        likely = near & (nearest[True] < nearest[False])
        return np.where(likely, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)

    def _cut(self, state: NDArray[np.uint8]) -> Mask:
        import cv2

        models = np.zeros((1, 65)), np.zeros((1, 65))
        cv2.setRNGSeed(0)  # its colour models begin with random means
        cv2.grabCut(self._small, state, (0, 0, 0, 0), *models, _ITERATIONS, cv2.GC_INIT_WITH_MASK)
        return np.isin(state, (cv2.GC_FGD, cv2.GC_PR_FGD))


def _mean_lab(pixels: Pixels, labels: NDArray[np.int32]) -> NDArray[np.float64]:
    """(S, 3) the superpixels' mean colours in CIE Lab."""
    from skimage.color import rgb2lab

    lab = rgb2lab(pixels).reshape(-1, 3)
    sums = [np.bincount(labels.ravel(), weights=channel) for channel in lab.T]
    return np.stack(sums, axis=1) / np.maximum(np.bincount(labels.ravel()), 1)[:, None]
