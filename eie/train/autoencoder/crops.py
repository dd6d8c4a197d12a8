"""Random crops of photos, for trainings that need pixels only."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from eie.train.autoencoder.settings import PhotoCropSettings
from eie.train.core.images import Pixels


def draw_crops(
    photos: Sequence[Pixels], settings: PhotoCropSettings, seed: tuple[int, ...]
) -> NDArray[np.uint8]:
    """Crops of random photos at random scales, mirrored at random; a pure function of the seed.

    Args:
        photos: (H, W, 3) uint8 each.

    Returns:
        (B, 3, crop, crop) uint8.
    """
    random = np.random.default_rng(seed)
    crops = [
        _draw_crop(photos[int(random.integers(len(photos)))], settings, random)
        for _ in range(settings.batch)
    ]
    return np.stack(crops).transpose(0, 3, 1, 2)


def _draw_crop(
    photo: Pixels, settings: PhotoCropSettings, random: np.random.Generator
) -> NDArray[np.uint8]:
    """(crop, crop, 3) uint8."""
    height, width = photo.shape[:2]
    crop = settings.crop
    side = int(random.uniform(*settings.view) * min(height, width))
    side = min(max(side, min(crop, height, width)), min(height, width))
    top = int(random.integers(height - side + 1))
    left = int(random.integers(width - side + 1))
    seen = photo[top : top + side, left : left + side]
    method = cv2.INTER_AREA if side > crop else cv2.INTER_CUBIC
    view = cv2.resize(seen, (crop, crop), interpolation=method)
    return np.asarray(view[:, ::-1] if random.random() < 0.5 else view, dtype=np.uint8)
