"""Superpixel methods that partitions are compared with, each as its library has it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eie.errors import MissingModelError
from eie.evaluate.core.case_result import Pixels

Partition = NDArray[np.int32]
"""(H, W) labels from 0."""

CONTRIB_HINT = (
    "they are in OpenCV's contrib modules: pip uninstall opencv-python-headless, then pip install "
    "opencv-contrib-python-headless of the same version"
)

_ITERATIONS = 10  # OpenCV's default for both
_SEEDS_LEVELS, _SEEDS_PRIOR, _SEEDS_BINS = 4, 2, 5  # those of OpenCV's sample program
_LSC_RATIO = 0.075  # OpenCV's default


def slic(pixels: Pixels, count: int) -> Partition:
    """SLIC (Achanta et al., 2012), scikit-image's with its defaults.

    pixels: (H, W, 3) uint8 RGB. count: superpixels asked for.
    """
    from skimage.segmentation import slic as skimage_slic

    return np.asarray(skimage_slic(pixels, n_segments=count, start_label=0), dtype=np.int32)


def seeds(pixels: Pixels, count: int) -> Partition:
    """SEEDS (Van den Bergh et al., 2012), OpenCV's, on CIE Lab; arguments as :func:`slic`.

    Raises:
        MissingModelError: this OpenCV has no contrib modules.
    """
    height, width = pixels.shape[:2]
    method = _ximgproc().createSuperpixelSEEDS(
        width, height, 3, count, _SEEDS_LEVELS, _SEEDS_PRIOR, _SEEDS_BINS
    )
    method.iterate(_lab(pixels), _ITERATIONS)
    return _renumbered(method.getLabels())


def lsc(pixels: Pixels, count: int) -> Partition:
    """LSC (Li, Chen, 2015), OpenCV's, on CIE Lab, its small pieces merged; as :func:`slic`.

    Raises:
        MissingModelError: this OpenCV has no contrib modules.
    """
    height, width = pixels.shape[:2]
    side = max(1, round((height * width / count) ** 0.5))
    method = _ximgproc().createSuperpixelLSC(_lab(pixels), side, _LSC_RATIO)
    method.iterate(_ITERATIONS)
    method.enforceLabelConnectivity()
    return _renumbered(method.getLabels())


SUPERPIXELS: Mapping[str, Callable[[Pixels, int], Partition]] = {
    "slic": slic,
    "seeds": seeds,
    "lsc": lsc,
}
"""The methods by name."""

CONTRIB = frozenset({"seeds", "lsc"})
"""Those that need OpenCV's contrib modules."""


def has_contrib() -> bool:
    """Whether this OpenCV has the contrib modules."""
    import cv2

    return hasattr(cv2, "ximgproc") and hasattr(cv2.ximgproc, "createSuperpixelSEEDS")


def _ximgproc() -> Any:
    import cv2

    if not has_contrib():
        raise MissingModelError("this OpenCV has no SEEDS and LSC", hint=CONTRIB_HINT)
    return getattr(cv2, "ximgproc")  # noqa: B009 - mypy knows the OpenCV without it


def _lab(pixels: Pixels) -> Pixels:
    import cv2

    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB), dtype=np.uint8)


def _renumbered(labels: NDArray[np.integer]) -> Partition:
    numbers = np.unique(labels, return_inverse=True)[1]
    return np.asarray(numbers.reshape(labels.shape), dtype=np.int32)
