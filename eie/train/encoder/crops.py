"""Training crops of stage 1: random views of photos, and their elements' boxes with them.

A crop is stretched, mirrored and resized at random, and the elements' boxes with it, so that the
decoder sees every element at many sizes while its patch stays what it was.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from eie.train.core.decomposed_photos import (
    Decomposed,
    DecomposedPhotos,
    boxes_in_view,
    random_view,
)
from eie.train.core.settings import CropSettings


@dataclass(frozen=True, eq=False)
class CropBatch:
    """A batch of stage 1.

    Attributes:
        patches: (B, N, 4, S, S) uint8 masked RGB and mask.
        box: (B, N, 4) float32 on the crop, in pixels.
        visible: (B, N) bool, False for padding.
        target: (B, 3, crop, crop) uint8.
    """

    patches: Tensor
    box: Tensor
    visible: Tensor
    target: Tensor


def draw_batch(
    photos: DecomposedPhotos, settings: CropSettings, seed: tuple[int, ...]
) -> CropBatch:
    """Random crops of random photos; a pure function of the seed."""
    random = np.random.default_rng(seed)
    crops = [
        _draw_crop(photos[int(random.integers(len(photos)))], settings, random)
        for _ in range(settings.batch)
    ]
    most, side = max(len(box) for _, box, _ in crops), photos.patch_size
    batch = CropBatch(
        patches=torch.zeros(len(crops), most, 4, side, side, dtype=torch.uint8),
        box=torch.ones(len(crops), most, 4),
        visible=torch.zeros(len(crops), most, dtype=torch.bool),
        target=torch.stack([torch.from_numpy(target) for *_, target in crops]),
    )
    for row, (patches, box, _) in enumerate(crops):
        batch.patches[row, : len(box)] = torch.from_numpy(patches)
        batch.box[row, : len(box)] = torch.from_numpy(box)
        batch.visible[row, : len(box)] = True
    return batch


def _draw_crop(
    photo: Decomposed, settings: CropSettings, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One crop: patches (N, 4, S, S), boxes (N, 4) float32 on it, target (3, crop, crop) uint8."""
    import cv2

    view, factor = random_view(photo.pixels.shape[:2], settings, random)
    target = photo.pixels[view]
    method = cv2.INTER_AREA if factor.min() < 1 else cv2.INTER_CUBIC
    target = cv2.resize(target, (settings.crop, settings.crop), interpolation=method)

    box, near = boxes_in_view(photo.box, view, factor, settings.crop)
    patches, box = photo.patches[near], box[near]
    if random.random() < 0.5:
        target, patches = target[:, ::-1], patches[..., ::-1]
        box[:, 0] = settings.crop - box[:, 0]
    return (
        np.ascontiguousarray(patches),
        box.astype(np.float32),
        np.ascontiguousarray(np.moveaxis(target, 2, 0)),
    )
