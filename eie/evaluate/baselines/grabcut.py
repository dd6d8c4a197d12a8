"""GrabCut from clicks, as people select without a learned model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from eie.editing.click_simulation import Click
from eie.evaluate.baselines.superpixels import slic
from eie.evaluate.core.case_result import Mask, Pixels
from eie.rendering.grabcut import grab_cut

SUPERPIXELS = 256
"""SLIC superpixels asked for."""

LONG_SIDE = 320
"""Longest side in pixels at which GrabCut works: it takes seconds a click at full size."""

_ITERATIONS = 5


class SlicGrabCut:
    """SLIC superpixels, and GrabCut (Rother et al., 2004; OpenCV's) from those that were clicked.

    Superpixels that were clicked are surely of the thing, or surely not; all else is taken for
    background until the colours say otherwise, which does better than a first guess by colour. Of
    what GrabCut finds, the regions that hold a joining click count.

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

    def __call__(self, clicks: Sequence[Click]) -> Mask:
        """(H, W) bool, what is selected after some clicks."""
        import cv2
        from scipy.ndimage import label

        places = [self._place(click) for click in clicks]
        sure = np.zeros(self._labels.shape, dtype=bool)
        state = np.full(self._labels.shape, cv2.GC_PR_BGD, dtype=np.uint8)  # (h, w)
        for click, place in zip(clicks, places, strict=True):
            superpixel = self._labels == self._labels[place]
            state[superpixel] = cv2.GC_FGD if click.joins else cv2.GC_BGD
            sure = sure | superpixel if click.joins else sure & ~superpixel
        found = sure
        if sure.any() and not sure.all():
            found, _, _ = grab_cut(self._small, state, _ITERATIONS)
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
