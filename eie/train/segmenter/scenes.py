"""Training samples of the segmenter: crops of photos, some with objects pasted on them.

Everything random about batch number i follows from (seed, i), so that a resumed run sees what an
uninterrupted one would have seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from eie.train.core.augmentation import FRAME, degraded, jittered_colours, paste
from eie.train.core.images import Pixels, TrainingImages
from eie.train.core.settings import SceneSettings


@dataclass(frozen=True, eq=False)
class SceneBatch:
    """B crops with A label maps each, at the mask features' stride 2.

    images: (B, 3, crop, crop) uint8.
    labels: (B, A, crop/2, crop/2) int64; columns of the A one-hot encodings laid side by side.
    segments: number of these columns.
    background: (B,) bool, whether label 0 is the unlabelled rest around pasted objects.
    points: (B, N, 2) float32, the queries' (x, y) in pixels of the crop.
    offsets: (B, 2) int64, the crop's (x, y) in the 512 frame, multiples of 4.
    unit: sqrt(height · width) of the imagined whole photo, in pixels.
    """

    images: Pixels
    labels: NDArray[np.int64]
    segments: int
    background: NDArray[np.bool_]
    points: NDArray[np.float32]
    offsets: NDArray[np.int64]
    unit: float


def draw_batch(
    images: TrainingImages, settings: SceneSettings, seed: int, index: int
) -> SceneBatch:
    """Batch number `index` of the run with that seed."""
    rng = np.random.default_rng([seed, index])
    unit = rng.uniform(*settings.frame)
    pitch = unit / np.sqrt(settings.elements)
    stretch = rng.uniform(0.93, 1.07)
    columns = max(1, round(settings.crop / (pitch * stretch)))
    rows = max(1, round(settings.crop / (pitch / stretch)))

    crops, labels, background, points, offsets = [], [], [], [], []
    for _ in range(settings.batch):
        pixels, label_maps, partial = _draw_crop(rng, images, settings)
        phase_y, phase_x = rng.integers(0, 2, size=2)
        crops.append(pixels.transpose(2, 0, 1))
        labels.append(label_maps[:, phase_y::2, phase_x::2])
        background.append(partial)
        points.append(_jittered_grid(rng, rows, columns, settings.crop))
        offsets.append(rng.integers(0, (FRAME - settings.crop) // 4 + 1, size=2) * 4)

    columns_of, segments = _side_by_side(np.stack(labels))
    return SceneBatch(
        images=np.stack(crops),
        labels=columns_of,
        segments=segments,
        background=np.array(background),
        points=np.stack(points),
        offsets=np.stack(offsets),
        # The grid's rounding changes the spacing a little: the unit follows it.
        unit=settings.crop * float(np.sqrt(settings.elements / (rows * columns))),
    )


def _draw_crop(
    rng: np.random.Generator, images: TrainingImages, settings: SceneSettings
) -> tuple[Pixels, NDArray[np.uint8], bool]:
    """(crop, crop, 3) pixels, (A, crop, crop) labels from 0, whether label 0 is unlabelled."""
    segmented = images.segmented and (
        not (images.photos and images.cutouts) or rng.random() < settings.segmented
    )
    if segmented:
        photo = images.segmented[rng.integers(len(images.segmented))]
        annotators = len(photo.segmentations)
        chosen = rng.permutation(
            np.arange(settings.annotators) % annotators + rng.integers(annotators)
        )
        base, label_maps = photo.pixels, photo.segmentations[chosen % annotators]
        pasted = bool(images.cutouts) and rng.random() < settings.pasted
    else:
        base = images.photos[rng.integers(len(images.photos))]
        label_maps = np.zeros((settings.annotators, *base.shape[:2]), dtype=np.uint8)
        pasted = True

    pixels, label_maps = random_view(rng, base, label_maps, settings)
    pixels = jittered_colours(rng, pixels)
    if pasted:
        for _ in range(rng.integers(1, settings.objects + 1)):
            cutout = images.cutouts[rng.integers(len(images.cutouts))]
            paste(rng, cutout, pixels, label_maps, settings)
    return degraded(rng, pixels), label_maps, not segmented


def random_view(
    rng: np.random.Generator, base: Pixels, label_maps: Pixels, settings: SceneSettings
) -> tuple[Pixels, Pixels]:
    """A magnified, mirrored crop of a photo and the same of its label maps."""
    height, width = base.shape[:2]
    crop = settings.crop
    zoom = np.exp(rng.uniform(*np.log(settings.zoom))) * FRAME / max(height, width)
    stretch = np.exp(rng.uniform(-0.1, 0.1))
    scale_x = max(zoom * stretch, crop / width)
    scale_y = max(zoom / stretch, crop / height)
    left = rng.uniform(0, max(width * scale_x - crop, 0))
    top = rng.uniform(0, max(height * scale_y - crop, 0))
    # Pixel centres lie at half-integers, while OpenCV's coordinates count from the first centre.
    matrix = np.array(
        [[scale_x, 0, (scale_x - 1) / 2 - left], [0, scale_y, (scale_y - 1) / 2 - top]]
    )
    pixels = cv2.warpAffine(
        base, matrix, (crop, crop), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    views = [
        cv2.warpAffine(
            labels, matrix, (crop, crop), flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE
        )
        for labels in label_maps
    ]
    if rng.random() < 0.5:
        pixels, views = pixels[:, ::-1], [view[:, ::-1] for view in views]
    return np.ascontiguousarray(pixels), np.stack(views)


def _jittered_grid(
    rng: np.random.Generator, rows: int, columns: int, crop: int
) -> NDArray[np.float32]:
    """(rows·columns, 2) points (x, y), one a cell, the grid shifted by up to half a cell."""
    shift_x, shift_y = rng.uniform(-0.5, 0.5, size=2)
    x = (np.arange(columns) + 0.5 + shift_x) * (crop / columns)
    y = (np.arange(rows) + 0.5 + shift_y) * (crop / rows)
    grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    return grid.clip(0.5, crop - 0.5).astype(np.float32)


def _side_by_side(labels: NDArray[np.uint8]) -> tuple[NDArray[np.int64], int]:
    """Number the segments of each crop through: (B, A, h, w) ⇒ columns, and how many at most.

    Label 0 of the first label map stays column 0 if it occurs.
    """
    columns = np.empty(labels.shape, dtype=np.int64)
    segments = 0
    for crop, label_maps in enumerate(labels):
        start = 0
        for annotator, label_map in enumerate(label_maps):
            found, inverse = np.unique(label_map, return_inverse=True)
            columns[crop, annotator] = inverse.reshape(label_map.shape) + start
            start += len(found)
        segments = max(segments, start)
    return columns, segments
