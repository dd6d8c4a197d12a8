"""SLIC superpixels (Achanta et al., 2012): the baseline that needs no weights.

scikit-image's SLIC runs on CIE Lab at a bounded working size; its borders are then laid along the
colour edges of the full-size photo. The affinity knows colours and shared borders only, so
`object@` follows evenly coloured things and is weaker than with a segmenter that knows objects.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from eie.decompose.pixels import to_rgb

WORKING_PIXELS = 1 << 20
"""Larger photos are segmented at about this many pixels."""

_EDGE = 24.0  # RGB levels; colours this far apart lie on two sides of an edge
_BAND = 1 << 20  # pixels that are carried up at a time
_ALIKE = 20.0  # ΔE of two elements whose affinity is exp(-1)


def slic_labels(photo: NDArray[np.uint8], count: int) -> NDArray[np.int32]:
    """Cut a photo into about `count` superpixels (scikit-image makes fewer rather than more).

    Args:
        photo: (H, W, C) uint8, C = 1 to 4.

    Returns:
        (H, W) int32 labels from 0; a label may have several pieces.
    """
    from skimage.segmentation import slic

    small = _working_copy(photo)
    labels = slic(
        small.astype(np.float32) / 255,
        n_segments=min(count, small.shape[0] * small.shape[1]),
        convert2lab=True,
        start_label=0,
    ).astype(np.int32)
    return upsample_labels(labels, small, photo)


def _working_copy(photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
    import cv2

    height, width = photo.shape[:2]
    shrink = min(1.0, (WORKING_PIXELS / (height * width)) ** 0.5)
    if shrink == 1.0:
        return to_rgb(photo)
    size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
    small = np.asarray(cv2.resize(photo, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    return to_rgb(small.reshape(size[1], size[0], -1))


def upsample_labels(
    labels: NDArray[np.int32], small: NDArray[np.uint8], photo: NDArray[np.uint8]
) -> NDArray[np.int32]:
    """Bring a label map to a larger photo's resolution by joint bilateral upsampling.

    Each pixel votes among the four surrounding working pixels, which weigh by nearness and by
    likeness of colour (Kopf et al., 2007). Borders come out as smooth curves that follow edges.

    Args:
        labels: (h, w) int32, found on `small`.
        small: (h, w, 3) uint8, the photo at working size.
        photo: (H, W, C) uint8, the photo.

    Returns:
        (H, W) int32.
    """
    height, width = photo.shape[:2]
    if labels.shape == (height, width):
        return labels
    upper, lower, v = _neighbours(labels.shape[0], height)  # (H,) each
    left, right, u = _neighbours(labels.shape[1], width)  # (W,) each
    result = np.empty((height, width), dtype=np.int32)
    step = max(1, _BAND // width)
    for top in range(0, height, step):
        band = slice(top, top + step)
        corners = [labels[y[band]][:, x] for y in (upper, lower) for x in (left, right)]
        result[band] = corners[0]
        rows, columns = np.nonzero(np.logical_or.reduce([c != corners[0] for c in corners[1:]]))
        colour = to_rgb(photo[band])[rows, columns].astype(np.float32)  # (P, 3)
        label = np.stack([corner[rows, columns] for corner in corners])  # (4, P)
        weight = np.empty(label.shape, dtype=np.float32)
        far, along = v[band][rows], u[columns]
        for corner, (y, x, share) in enumerate(
            (
                (upper, left, (1 - far) * (1 - along)),
                (upper, right, (1 - far) * along),
                (lower, left, far * (1 - along)),
                (lower, right, far * along),
            )
        ):
            apart = np.square(small[y[band][rows], x[columns]] - colour).sum(axis=1)
            weight[corner] = share * np.exp(-apart / (2 * _EDGE**2)) + 1e-6 * share
        votes = [np.where(label == chosen, weight, 0).sum(axis=0) for chosen in label]  # 4 × (P,)
        winner = np.argmax(votes, axis=0)
        result[band][rows, columns] = label[winner, np.arange(len(winner))]
    return result


def _neighbours(
    size: int, new_size: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """For each of `new_size` pixels the two nearest of `size`, and the second one's share."""
    place = np.clip((np.arange(new_size) + 0.5) * (size / new_size) - 0.5, 0, size - 1)
    first = place.astype(np.intp)
    return first, np.minimum(first + 1, size - 1), (place - first).astype(np.float32)
