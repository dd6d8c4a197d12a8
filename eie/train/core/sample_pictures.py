"""Sample pictures of the trainings."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from eie.train.core.images import Pixels

SHOWN = 4


def side_by_side(columns: Tensor) -> Pixels:
    """(B, 3, H, W) pictures in [0, 1], clipped ⇒ (H, B·W, 3) uint8, beside each other."""
    sheet = torch.cat(list(columns.float().clamp(0, 1)), dim=2)  # (3, H, B·W)
    return sheet.mul(255).round().byte().permute(1, 2, 0).cpu().numpy()


def label_map_picture(
    images: Pixels, owners: NDArray[np.int64], labels: NDArray[np.int64]
) -> Pixels:
    """Rows of crops: with people's borders in green, and with the elements' borders in yellow.

    images: (B, H, W, 3) uint8. owners, labels: (B, h, w), elements and human segments.
    """
    rows = []
    for image, elements, segments in zip(images[:SHOWN], owners, labels, strict=False):
        rows.append(_outlined(image, segments, (0, 255, 0)))
        rows.append(_outlined(image, elements, (255, 255, 0)))
    return _tiled(rows, columns=4)


def affinity_picture(images: Pixels, probabilities: NDArray[np.float32]) -> Pixels:
    """Rows of crops, each beside the affinity of three of its queries, bright where it is high.

    images: (B, H, W, 3) uint8. probabilities: (B, N, h, w), [0, 1].
    """
    rows = []
    for image, masks in zip(images[:SHOWN], probabilities, strict=False):
        rows.append(image)
        for query in np.linspace(0, len(masks) - 1, 5)[1:4].round().astype(int):
            mask = cv2.resize(masks[query], image.shape[1::-1], interpolation=cv2.INTER_LINEAR)
            rows.append((image * (0.15 + 0.85 * mask[..., None])).astype(np.uint8))
    return _tiled(rows, columns=4)


def _outlined(image: Pixels, labels: NDArray[np.int64], colour: tuple[int, int, int]) -> Pixels:
    from skimage.segmentation import find_boundaries

    large = cv2.resize(labels.astype(np.int32), image.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    outlined = image.copy()
    outlined[find_boundaries(large, mode="inner")] = colour
    return outlined


def _tiled(tiles: list[Pixels], columns: int) -> Pixels:
    rows = [np.concatenate(tiles[i : i + columns], axis=1) for i in range(0, len(tiles), columns)]
    return np.concatenate([row for row in rows if row.shape == rows[0].shape], axis=0)
