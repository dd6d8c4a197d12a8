"""SLIC superpixels (Achanta et al., 2012): the baseline that needs no weights.

scikit-image's SLIC runs on CIE Lab at a bounded working size; its borders are then laid along the
colour edges of the full-size photo. The affinity knows colours and shared borders only, so
`object@` follows evenly coloured things and is weaker than with a segmenter that knows objects.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from eie.decomposition.pixels import to_rgb

WORKING_PIXELS = 1 << 20
"""Larger photos are segmented at about this many pixels."""

_EDGE = 24.0  # RGB levels; colours this far apart lie on two sides of an edge
_BAND = 1 << 20  # pixels that are carried up at a time
_ALIKE = 30.0  # ΔE of two elements whose affinity is exp(-1)


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


def colour_affinity(
    photo: NDArray[np.uint8], labels: NDArray[np.integer], count: int
) -> NDArray[np.float32]:
    """Affinity of superpixels by colour and shared border; a stand-in for a segmenter's.

    Two elements belong together as far as their mean colours are alike, and no further than the
    best chain of touching elements between them holds: a chain is as strong as its weakest pair.

    Args:
        photo: (H, W, C) uint8.
        labels: (H, W) label map with values 0..count-1, each present.

    Returns:
        (count, count) float32 in [0, 1], symmetric, 1 on the diagonal.
    """
    colour = _mean_lab(photo, labels, count)  # (K, 3)
    apart = np.linalg.norm(colour[:, None] - colour, axis=2)  # (K, K) ΔE
    chained = _chained_distance(apart, _touching(labels, count))  # (K, K) ΔE
    affinity: NDArray[np.float32] = np.exp(-np.maximum(apart, chained) / _ALIKE, dtype=np.float32)
    np.fill_diagonal(affinity, 1)
    return affinity


def _mean_lab(
    photo: NDArray[np.uint8], labels: NDArray[np.integer], count: int
) -> NDArray[np.float64]:
    """(K, 3) mean CIE Lab colour of each element."""
    import cv2

    pixels = np.bincount(labels.ravel(), minlength=count)
    total = np.zeros((count, 3))
    step = max(1, _BAND // photo.shape[1])
    for top in range(0, photo.shape[0], step):
        rgb = to_rgb(photo[top : top + step]).astype(np.float32) / 255
        lab = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB))  # L in [0, 100]
        some = labels[top : top + step].ravel()
        for channel in range(3):
            total[:, channel] += np.bincount(some, lab[..., channel].ravel(), minlength=count)
    return total / pixels[:, None]


def _touching(labels: NDArray[np.integer], count: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The pairs of elements that share a border."""
    beside = labels[:, :-1] != labels[:, 1:]
    below = labels[:-1] != labels[1:]
    a = np.concatenate([labels[:, :-1][beside], labels[:-1][below]]).astype(np.intp)
    b = np.concatenate([labels[:, 1:][beside], labels[1:][below]]).astype(np.intp)
    pairs = np.unique(a * count + b)
    return pairs // count, pairs % count


def _chained_distance(
    apart: NDArray[np.float64], touching: tuple[NDArray[np.intp], NDArray[np.intp]]
) -> NDArray[np.float64]:
    """(K, K): the least, over all chains of touching elements, of the longest step in the chain.

    That is the longest edge between two elements in the minimum spanning tree.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import breadth_first_order, minimum_spanning_tree

    count = len(apart)
    length = apart[touching] + 1e-6  # zeros would be no edges
    graph = coo_matrix((length, touching), shape=apart.shape).tocsr()
    tree = minimum_spanning_tree(graph)
    order, parent = breadth_first_order(tree, 0, directed=False)
    chained = np.zeros((count, count))
    for index, element in enumerate(order[1:], start=1):
        known, origin = order[:index], parent[element]
        chained[element, known] = np.maximum(chained[origin, known], apart[element, origin])
        chained[known, element] = chained[element, known]
    return chained
