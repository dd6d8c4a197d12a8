"""Training samples of the segmenter: crops of photos, some with objects pasted on them.

Everything random about batch number i follows from (seed, i), so that a resumed run sees what an
uninterrupted one would have seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from eie.train.images import Pixels, TrainingImages
from eie.train.settings import SceneSettings

# Side of the frame that a photo's long side fills when it is segmented.
FRAME = 512


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
        [
            [scale_x, 0, (scale_x - 1) / 2 - left],
            [0, scale_y, (scale_y - 1) / 2 - top],
        ]
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


def paste(
    rng: np.random.Generator,
    cutout: Pixels,
    pixels: Pixels,
    label_maps: NDArray[np.integer],
    settings: SceneSettings,
) -> list[int]:
    """Lay a cut-out over a crop, in place; it becomes one more segment of every label map.

    Args:
        cutout: (h, w, 4) uint8, straight alpha.
        pixels: (H, W, 3) uint8, changed.
        label_maps: (A, H, W), changed.

    Returns:
        its label in each map; of an object that is hidden outside, one that does not occur.
    """
    layer = placed(rng, cutout, settings, pixels.shape[:2])  # (H, W, 4)
    alpha = layer[..., 3:]
    pixels[:] = (pixels * (1 - alpha) + layer[..., :3]).round().clip(0, 255)
    covered = alpha[..., 0] > 0.5
    added = [int(labels.max()) + 1 for labels in label_maps]
    for labels, label in zip(label_maps, added, strict=True):
        labels[covered] = label
    return added


def placed(
    rng: np.random.Generator,
    cutout: Pixels,
    settings: SceneSettings,
    canvas: tuple[int, int],
) -> NDArray[np.float32]:
    """A cut-out somewhere on an empty crop, in random size and light.

    Args:
        cutout: (h, w, 4) uint8, straight alpha.
        canvas: height and width of the crop in pixels.

    Returns:
        (height, width, 4) float32: colours in [0, 255] times alpha, alpha in [0, 1].
    """
    rows, columns = canvas
    height, width = cutout.shape[:2]
    side = np.exp(rng.uniform(*np.log(settings.object_side))) * min(rows, columns)
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    # Resized with premultiplied alpha, lest the colours of transparent pixels bleed in.
    alpha = cutout[:, :, 3:].astype(np.float32) / 255
    premultiplied = np.concatenate([cutout[:, :, :3] * alpha, alpha], axis=2)
    shrinking = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    resized = cv2.resize(premultiplied, size, interpolation=shrinking)
    if rng.random() < 0.5:
        resized = resized[:, ::-1]
    colours = jittered_colours(rng, resized[:, :, :3].clip(0, 255).astype(np.uint8))
    colours = np.minimum(colours, 255 * resized[:, :, 3:])

    left = int(rng.integers(-size[0] // 3, columns - 2 * size[0] // 3 + 1))
    top = int(rng.integers(-size[1] // 3, rows - 2 * size[1] // 3 + 1))
    x0, x1 = max(left, 0), min(left + size[0], columns)
    y0, y1 = max(top, 0), min(top + size[1], rows)
    inside = np.s_[y0 - top : y1 - top, x0 - left : x1 - left]
    layer = np.zeros((rows, columns, 4), dtype=np.float32)
    layer[y0:y1, x0:x1, :3] = colours[inside]
    layer[y0:y1, x0:x1, 3:] = resized[inside][:, :, 3:].clip(0, 1)
    return layer


def jittered_colours(rng: np.random.Generator, pixels: Pixels) -> Pixels:
    """Random exposure, contrast, saturation and tint."""
    gain = np.exp(rng.normal(0, 0.15)) * np.exp(rng.normal(0, 0.05, size=3))
    saturation = rng.uniform(0.0, 0.3) if rng.random() < 0.08 else np.exp(rng.normal(0, 0.2))
    shift = rng.normal(0, 12)
    grey = np.full((3, 3), (1 - saturation) / 3) + saturation * np.eye(3)
    matrix = np.column_stack([gain[:, None] * grey, np.full(3, shift)])
    return np.asarray(cv2.transform(pixels, matrix.astype(np.float32)), dtype=np.uint8)


def degraded(rng: np.random.Generator, pixels: Pixels) -> Pixels:
    """Sometimes a slight blur, sometimes noise."""
    if rng.random() < 0.2:
        blurred = cv2.GaussianBlur(pixels, (0, 0), rng.uniform(0.3, 1.2))
        pixels = np.asarray(blurred, dtype=np.uint8)
    if rng.random() < 0.2:
        noise = rng.normal(0, rng.uniform(2, 10), size=pixels.shape)
        pixels = (pixels + noise).clip(0, 255).astype(np.uint8)
    return pixels


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
