"""Quality of a partition of a photo against human segmentations.

Every function takes `labels`, the partition, and `truth`, one human segmentation: (H, W) integer
label maps of one size with labels from 0. Counts come from one contingency table, so that nothing
loops over elements or pixels. With several annotators, take the mean over them.

References: Stutz, Hermans, Leibe, "Superpixels: An evaluation of the state of the art", CVIU 2018;
Neubert, Protzel, "Superpixel benchmark and comparison", Forum Bildverarbeitung 2012.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from eie.errors import BadInputError
from eie.evaluate.core.case_result import Labels

BORDER_TOLERANCE = 2
"""Rows and columns by which a border may be off and still count as found, everywhere."""

SMALL = 64
"""Elements under so many pixels count as small."""


def partition_scores(
    labels: Labels, truths: Sequence[Labels], pixels: NDArray[np.uint8]
) -> dict[str, float]:
    """Measure ⇒ value of a partition; means over the annotators where people are asked.

    Args:
        labels: (H, W) element of every pixel.
        truths: one (H, W) label map per annotator, at least one.
        pixels: (H, W, 3) uint8, the photo.

    Raises:
        BadInputError: no annotator, or label maps of different sizes.
    """
    if not truths:
        raise BadInputError("a partition cannot be judged without a human segmentation")
    sizes = element_sizes(labels)

    def mean(measure: Callable[[Labels, Labels], float]) -> float:
        return float(np.mean([measure(labels, truth) for truth in truths]))

    return {
        "elements": float(len(sizes)),
        "boundary_recall": mean(boundary_recall),
        "undersegmentation_error": mean(undersegmentation_error),
        "achievable_accuracy": mean(achievable_accuracy),
        "explained_variation": explained_variation(labels, pixels),
        "compactness": compactness(labels),
        "mean_size": float(sizes.mean()),
        "small_share": float((sizes < SMALL).mean()),
    }


def contingency_table(labels: Labels, truth: Labels) -> NDArray[np.int64]:
    """(elements, segments) int64: pixels that each element and each human segment share.

    Raises:
        BadInputError: the label maps differ in size.
    """
    if labels.shape != truth.shape:
        raise BadInputError(f"label maps of {labels.shape} and {truth.shape} pixels differ in size")
    columns = int(truth.max()) + 1
    rows = int(labels.max()) + 1
    pairs = labels.astype(np.int64).ravel() * columns + truth.ravel()
    return np.bincount(pairs, minlength=rows * columns).reshape(rows, columns)


def boundary_recall(labels: Labels, truth: Labels, tolerance: int = BORDER_TOLERANCE) -> float:
    """Share of the human borders that have a border of the partition within the tolerance."""
    return _share_near(borders(truth), borders(labels), tolerance)


def borders(labels: Labels) -> NDArray[np.bool_]:
    """(H, W) bool: pixels whose right or lower neighbour belongs to something else."""
    edges = np.zeros(labels.shape, dtype=bool)
    edges[:, :-1] |= labels[:, :-1] != labels[:, 1:]
    edges[:-1] |= labels[:-1] != labels[1:]
    return edges


def undersegmentation_error(labels: Labels, truth: Labels) -> float:
    """Neubert and Protzel's error: what elements lack to lie within one segment each.

    An element that a border divides costs, for each segment it touches, the smaller of the parts
    inside and outside; the sum is divided by the number of pixels.
    """
    table = contingency_table(labels, truth)
    outside = table.sum(axis=1, keepdims=True) - table
    return float(np.minimum(table, outside).sum() / labels.size)


def achievable_accuracy(labels: Labels, truth: Labels) -> float:
    """Share of pixels that are right when every element takes its best segment's label."""
    return float(contingency_table(labels, truth).max(axis=1).sum() / labels.size)


def explained_variation(labels: Labels, pixels: NDArray[np.uint8]) -> float:
    """Share of the colours' variance that the elements' mean colours explain; 1 for a flat photo.

    pixels: (H, W, 3) uint8.
    """
    flat = pixels.reshape(-1, pixels.shape[2]).astype(np.float64)  # (P, 3)
    owner = labels.ravel()
    area = np.bincount(owner)  # (N,)
    sums = np.stack([np.bincount(owner, weights=channel) for channel in flat.T], axis=1)  # (N, 3)
    mean = flat.mean(axis=0)
    total = np.square(flat - mean).sum()
    occupied = area > 0
    deviation = sums[occupied] / area[occupied, None] - mean
    explained = (np.square(deviation) * area[occupied, None]).sum()
    return float(explained / total) if total > 0 else 1.0


def compactness(labels: Labels) -> float:
    """Mean isoperimetric quotient 4π·area/perimeter² of the elements, weighted by area.

    The perimeter counts pixel sides, also those along the photo's edge.
    """
    padded = np.pad(labels.astype(np.int64), 1, constant_values=-1)
    count = int(labels.max()) + 1
    area = np.bincount(labels.ravel(), minlength=count)
    perimeter = np.zeros(count, dtype=np.int64)
    for first, second in ((padded[:, :-1], padded[:, 1:]), (padded[:-1], padded[1:])):
        differ = first != second
        for side in (first[differ], second[differ]):
            perimeter += np.bincount(side[side >= 0], minlength=count)
    occupied = area > 0
    quotient = 4 * np.pi * area[occupied] / np.square(perimeter[occupied])
    return float((np.minimum(quotient, 1) * area[occupied]).sum() / labels.size)


def element_sizes(labels: Labels) -> NDArray[np.int64]:
    """Pixels of every element that has any."""
    area = np.bincount(labels.ravel())
    return area[area > 0]


def _share_near(of: NDArray[np.bool_], to: NDArray[np.bool_], tolerance: int) -> float:
    """Share of the pixels in `of` with one of `to` in the square of side 2·tolerance + 1 around.

    1 if `of` is empty.
    """
    from scipy.ndimage import maximum_filter

    wanted = int(of.sum())
    if wanted == 0:
        return 1.0
    near = maximum_filter(to, 2 * tolerance + 1, mode="constant")
    return float((near & of).sum() / wanted)
