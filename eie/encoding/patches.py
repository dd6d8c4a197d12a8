"""Photo and label map ⇒ patches of one size, as the content encoder takes them (paper §3.2).

A patch is cut out by its mask and resampled from its home box to a fixed size, so neither its
place nor its size is left in it. Home boxes have whole-pixel edges, and everything below works in
the box's own coordinates: the same patch elsewhere gives the same numbers, bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from eie.elements import Source
from eie.errors import UsageError
from eie.files.colours import visible_colours

CHUNK_SAMPLES = 16_000_000
"""Most window values held at a time; bounds memory whatever the photo's size."""


def source_rgb(source: Source) -> np.ndarray:
    """The source's pixels as (H, W, 3) uint8 RGB; grey is repeated, alpha is left out.

    Raises:
        UsageError: the element file was made without pixels.
    """
    if source.pixels is None:
        raise UsageError(
            "the element file holds no pixels to encode", hint="decompose without --no-pixels"
        )
    pixels = visible_colours(np.asarray(source.pixels))
    if pixels.shape[2] <= 2:
        return np.repeat(pixels[:, :, :1], 3, axis=2)
    return pixels[:, :, :3]


def cut_patches(source: Source, size: int) -> NDArray[np.float32]:
    """Cut every patch of a source and resample it to `size`×`size`.

    Returns:
        (P, 4, size, size) float32: RGB in [0, 1], zero where the patch has no pixels, and the
        patch's mask, the fraction of each sample that belongs to it, in [0, 1].
    """
    pixels, label_map = source_rgb(source), source.label_map
    corner = np.round(source.home_box[:, :2] - source.home_box[:, 2:] / 2).astype(np.int64)
    extent = np.round(source.home_box[:, 2:]).astype(np.int64)
    patches = np.empty((source.patches, 4, size, size), np.float32)
    for rows, side in _windows_of_like_size(extent):
        window = _masked_windows(pixels, label_map, rows, corner[rows], side)  # (n, 4, side, side)
        down = resample_matrix(extent[rows, 1], side, size)  # (n, size, side)
        across = resample_matrix(extent[rows, 0], side, size)  # (n, size, side)
        sample = down[:, None] @ window @ across[:, None].mT  # (n, 4, size, size)
        mask = sample[:, 3:]
        sample[:, :3] /= np.maximum(mask, np.float32(1e-4))
        sample[:, :3] *= mask > 1e-4
        patches[rows] = sample
    return patches


def resample_matrix(length: np.ndarray, window: int, size: int) -> NDArray[np.float32]:
    """Antialiased linear resampling of the first `length` samples of a window to `size` samples.

    Args:
        length: (n,) whole numbers in [1, window].

    Returns:
        (n, size, window) float32 whose rows sum to 1 and are zero from `length` on.
    """
    extent = np.asarray(length, dtype=np.float32)[:, None, None]  # (n, 1, 1)
    half = np.float32(0.5)
    centre = (np.arange(size, dtype=np.float32)[:, None] + half) * extent / size - half
    position = np.arange(window, dtype=np.float32)  # (window,)
    reach = np.maximum(extent / size, 1)  # (n, 1, 1)
    weight = np.maximum(1 - np.abs(position - centre) / reach, 0)  # (n, size, window)
    weight *= position < extent
    weight /= weight.sum(axis=2, keepdims=True)
    return weight


def _windows_of_like_size(extent: np.ndarray) -> Iterator[tuple[np.ndarray, int]]:
    """Rows in chunks that share a window side (a power of two), each of bounded memory."""
    side = 2 ** np.ceil(np.log2(np.maximum(extent.max(axis=1), 8))).astype(np.int64)
    for window in np.unique(side):
        rows = np.flatnonzero(side == window)
        chunk = max(1, CHUNK_SAMPLES // int(4 * window * window))
        for first in range(0, len(rows), chunk):
            yield rows[first : first + chunk], int(window)


def _masked_windows(
    pixels: np.ndarray, label_map: np.ndarray, labels: np.ndarray, corner: np.ndarray, side: int
) -> NDArray[np.float32]:
    """(n, 4, side, side) float32 windows from `corner` (x, y) on: masked RGB in [0, 1] and mask."""
    height, width = label_map.shape
    step = np.arange(side)
    y = np.minimum(corner[:, 1, None] + step, height - 1)[:, :, None]  # (n, side, 1)
    x = np.minimum(corner[:, 0, None] + step, width - 1)[:, None, :]  # (n, 1, side)
    # Rows repeated beyond the border carry weight zero in the resampling.
    mask = label_map[y, x] == labels[:, None, None]  # (n, side, side)
    window = np.empty((len(labels), 4, side, side), dtype=np.float32)
    window[:, :3] = np.moveaxis(pixels[y, x], 3, 1)  # (n, 3, side, side)
    window[:, :3] *= mask[:, None] / np.float32(255)
    window[:, 3] = mask
    return window
