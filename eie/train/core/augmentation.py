"""Objects pasted on crops, and random light, blur and noise."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from eie.train.core.images import Pixels
from eie.train.core.settings import SceneSettings

# Side of the frame that a photo's long side fills when it is segmented.
FRAME = 512


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
    rng: np.random.Generator, cutout: Pixels, settings: SceneSettings, canvas: tuple[int, int]
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
