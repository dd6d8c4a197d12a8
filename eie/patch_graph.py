"""Patches as a graph: which touch, how alike they are, and in what order they merge."""

from __future__ import annotations

import math
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Label = TypeVar("Label", bound=np.integer)

_LEAST_OWN = 0.1
"""Affinity with itself that any patch is taken to have: less is no measure of others."""


def likeness(affinity: NDArray[np.float32]) -> NDArray[np.float64]:
    """(P, P) in [0, 1], symmetric, from an affinity: relative to the patches' own, both ways."""
    own = np.sqrt(np.maximum(np.diag(affinity), _LEAST_OWN).astype(np.float64))  # (P,)
    relative = np.minimum(affinity / own / own[:, None], 1)  # (P, P)
    return (relative + relative.T) / 2


def touching_patches(label_map: NDArray[np.integer], count: int) -> NDArray[np.bool_]:
    """Which patches of a label map share a pixel border: (P, P) bool, symmetric.

    Args:
        label_map: (H, W) integers in [0, count).
        count: the number of patches P.
    """
    touching = np.zeros((count, count), dtype=bool)
    for here, there in (
        (label_map[:, :-1], label_map[:, 1:]),
        (label_map[:-1], label_map[1:]),
    ):
        border = here != there
        touching[here[border], there[border]] = True
    return touching | touching.T


def merging(
    likeness: NDArray[np.float64],
    area: NDArray[np.float64],
    touching: NDArray[np.bool_],
    above: float = -1.0,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How patches become regions when the most alike that touch are merged, over and over.

    Two regions are alike by the mean over both areas. (Region merging by average linkage, as in
    the hierarchical segmentation of region adjacency graphs.)

    Args:
        likeness: (P, P) in [0, 1], symmetric.
        area: (P,) > 0.
        touching: (P, P) bool, symmetric.
        above: merges end where no two regions that touch are more alike than this.

    Returns:
        together: (P, P) the least likeness at which any merge was made until the two were in one
            region; 1 for a patch with itself, 0 for those that never are.
        region: (P, P) the area of that region; 0 for those that never are.
    """
    # A heap of pairs, as scikit-image's, would make `eie edit` load that for these few lines.
    count = len(area)
    total = likeness * area * area[:, None]  # (P, P)
    size = area.astype(np.float64)  # (P,) of the regions; a copy
    touching = touching & ~np.eye(count, dtype=bool)  # (P, P)
    mean = np.where(touching, likeness, -1.0)  # (P, P)
    best = mean.max(axis=1, initial=-1)  # (P,)
    together = np.eye(count)
    region = np.diag(size)
    members = [np.array([patch]) for patch in range(count)]
    least = 1.0
    while count and best.max() > above:
        target = int(best.argmax())
        source = int(mean[target].argmax())
        least = min(least, float(best[target]))
        total[target] += total[source]
        total[:, target] += total[:, source]
        size[target] += size[source]
        touching[target] |= touching[source]
        touching[target, target] = False
        touching[:, target] = touching[target]
        touching[source] = touching[:, source] = False
        across = np.ix_(members[target], members[source])
        together[across], region[across] = least, size[target]
        members[target] = np.append(members[target], members[source])
        mean[target] = mean[:, target] = np.where(
            touching[target], total[target] / (size[target] * size), -1
        )
        mean[source] = mean[:, source] = best[source] = -1
        changed = np.append(np.flatnonzero(touching[target]), target)
        best[changed] = mean[changed].max(axis=1)
    return np.maximum(together, together.T), np.maximum(region, region.T)


def nearness(likeness: NDArray[np.float64], touching: NDArray[np.bool_]) -> NDArray[np.float64]:
    """How near patches are by way of patches that touch and are alike: (P, P) in [0, 1].

    It is √c of the best way's c, the product over its steps of 0.98 times the likeness; 0 without
    a way.

    Args:
        likeness: (P, P) in [0, 1], symmetric.
        touching: (P, P) bool, symmetric.
    """
    # Floyd and Warshall's way, in logarithms; SciPy's takes longer to be imported than this to run.
    step = -np.log(0.98 * np.clip(likeness, 1e-3, 1))  # (P, P) > 0
    way = np.where(touching | touching.T, step, np.inf)
    np.fill_diagonal(way, 0)
    for by in range(len(way)):
        np.minimum(way, way[:, by, None] + way[by], out=way)
    near: NDArray[np.float64] = np.exp(-way / 2)
    return near


def connected(
    inside: NDArray[np.bool_], start: NDArray[np.integer], touching: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """What of sets of patches is connected to some patches, and these: bool, shaped like `inside`.

    Args:
        inside: (P,) or (K, P) bool, a set or several.
        start: patches.
        touching: (P, P) bool, symmetric.
    """
    masks = np.atleast_2d(inside)  # (K, P)
    beside = touching.astype(np.float32)  # (P, P); products of floats are fast
    reached = np.zeros_like(masks)
    reached[:, start] = True
    growing = np.arange(len(masks))
    while len(growing):
        now = reached[growing]  # (G, P)
        further = (now.astype(np.float32) @ beside > 0) & masks[growing] | now
        reached[growing] = further
        growing = growing[(further != now).any(axis=1)]
    return reached.reshape(inside.shape)


def thinned(label_map: NDArray[Label]) -> tuple[NDArray[Label], int]:
    """Every k-th pixel of every k-th line, a million or a few, and k: enough to see sizes and
    borders."""
    step = max(1, math.isqrt(label_map.size // 1_000_000))
    return label_map[::step, ::step], step
