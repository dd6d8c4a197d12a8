"""Which offset fills which pixel: graph cuts.

    E(L) = Σ_p D_p(L_p) + Σ_pq V_pq(L_p, L_q)

over labellings L of the hole's pixels p with offsets (Pritch et al., "Shift-Map Image Editing",
ICCV 2009; He & Sun, ECCV 2012, §4). D tells how well an offset meets the photo at the hole's border
and how likely it shows there what belongs there; V, how visible a cut between two offsets is:

    V_pq(a, b) = m_p ‖a_p − b_p‖ + m_q ‖a_q − b_q‖ + c  for a ≠ b,  0 else

with a_p the features that offset a copies to p, and m_p the mean over a and b of 1 / (1 + g / τ), g
the length of the gradient there: texture hides a cut (Kwatra et al., "Graphcut Textures", SIGGRAPH
2003, §3.1), and without that smooth pieces are taken for textured places. It is minimised by
α-expansion (Boykov, Veksler & Zabih, PAMI 2001), each step a minimum cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eie.pictures import Mask
from eie.rendering.working_size import BORDER, Indices, Numbers, Offset, WorkingSize

UNKNOWN = 4000.0
"""Cost of copying a pixel that is not known: taken only where no offset knows one."""

MIRRORING = 6.0
"""Cost, in levels, of copying a pixel of the mirror image: slanted lines turn back there."""

STRANGE = 30.0
"""Difference, in levels, that is assumed where a border would be compared with unknown pixels."""

MEETING = 4.0
"""Weight of what is copied meeting the photo at the border."""

CROSSING, CLEAR = 2.0, 40.0
"""How much more than others a pixel of the border counts where a clear edge crosses it, and the
gradient, in the features' units, that is one. Edges along the border may be the thing's that was
taken away; one that crosses it has to go on."""

CUT = 3.0
"""Cost c of a cut between two pixels, besides what is seen of it: few, large pieces."""

MASKED = 45.0
"""τ, in the features' units, about two a level of difference between neighbouring pixels."""

SWEEPS = 2
"""How often every offset is tried."""

_PRECISION = 4.0
"""Costs are rounded to 1 / this, as maximum flows are whole numbers."""

_LARGEST = 2**28


@dataclass(frozen=True, eq=False)
class Labelling:
    """Which offset fills which pixel of a hole.

    Attributes:
        work: the working size.
        offsets: those that may.
        label: (n,) index of each pixel's offset, in the order of the working size's pixels.
    """

    work: WorkingSize
    offsets: Sequence[Offset]
    label: Indices


@dataclass(frozen=True, eq=False)
class Costs:
    """What labels cost.

    Attributes:
        data: (L, n) D of every label and pixel.
        features: (L, n, 5) of what every label copies to every pixel.
        calm: (L, n) in (0, 1], how well a cut is seen there.
    """

    data: Numbers
    features: Numbers
    calm: Numbers

    def take(self, labels: Indices) -> Costs:
        """Those of some labels."""
        return Costs(self.data[labels], self.features[labels], self.calm[labels])


def costs_of(work: WorkingSize, offsets: Sequence[Offset]) -> Costs:
    """The costs of offsets, without any knowledge of what belongs where."""
    border = np.nonzero(work.border)
    weight = MEETING * _crossing(work)[border]  # (b,)
    data = np.empty((len(offsets), len(work)), dtype=np.float32)
    features = np.empty((len(offsets), len(work), 5), dtype=np.float32)
    for index, offset in enumerate(offsets):
        features[index], known = work.copied(offset, work.rows, work.columns)
        data[index] = np.where(known, 0, UNKNOWN) + MIRRORING * offset.mirrored
        data[index] += _misfit(work, offset, border, weight)
    gradient = np.sqrt(np.square(features[..., 3:]).sum(axis=2))  # (L, n)
    return Costs(data, features, 1 / (1 + gradient / MASKED))


def _crossing(work: WorkingSize) -> Numbers:
    """(H, W) how much a pixel of the border counts, 1 or more."""
    import cv2

    inward = cv2.GaussianBlur(work.hole.astype(np.float32), (0, 0), 3)
    x, y = (cv2.Sobel(inward, cv2.CV_32F, right, 1 - right) for right in (1, 0))
    along = abs(x * work.features[..., 4] - y * work.features[..., 3])
    along /= np.maximum(np.hypot(x, y), 1e-6)
    return np.asarray(1 + CROSSING * (along / CLEAR).clip(max=1), dtype=np.float32)


def _misfit(
    work: WorkingSize, offset: Offset, border: tuple[Indices, ...], weight: Numbers
) -> Numbers:
    """(n,) mean weighted difference from the photo of what an offset copies to the border around a
    pixel; 0 for pixels that are not beside it."""
    import cv2

    copied, known = work.copied(offset, *border)
    difference = np.sqrt(np.square(copied - work.features[border]).sum(axis=1))
    plane = np.zeros(work.hole.shape, dtype=np.float32)
    plane[border] = weight * np.where(known, difference, STRANGE)
    around = cv2.blur(plane, (2 * BORDER + 1, 2 * BORDER + 1))[work.rows, work.columns]
    share = work.border_share
    return np.where(share > 0, around / np.maximum(share, 1e-6), 0)


def best_labelling(work: WorkingSize, offsets: Sequence[Offset], costs: Costs) -> Labelling:
    """The labelling that expansions find, from that of the least D of every pixel."""
    label = costs.data.argmin(axis=0)
    order = np.argsort(costs.data.mean(axis=1), kind="stable")
    for _ in range(SWEEPS):
        for chosen in order:
            label = _expanded(work, costs, label, int(chosen))
        order = order[np.isin(order, label)]  # what won nothing has had its chance
    return Labelling(work, offsets, label)


def energy(work: WorkingSize, costs: Costs, label: Indices) -> float:
    """E of a labelling."""
    cut = label[work.first] != label[work.second]
    first, second = work.first[cut], work.second[cut]
    seen = _visibility(costs, first, second, label[first], label[second])
    return float(costs.data[label, np.arange(len(label))].sum(dtype=np.float64) + seen.sum())


def _visibility(
    costs: Costs, first: Indices, second: Indices, one: Indices | int, other: Indices | int
) -> NDArray[np.float64]:
    """(E,) V of pairs of pixels and their labels."""
    seen = np.zeros(len(first))
    for pixel in (first, second):
        calm = costs.calm[one, pixel] + costs.calm[other, pixel]
        seen += _norm(costs.features[one, pixel] - costs.features[other, pixel]) * calm / 2
    return seen + np.where(np.not_equal(one, other), CUT, 0)


def _norm(difference: Numbers) -> NDArray[np.float64]:
    """(n,) lengths of (n, C)."""
    squared = np.einsum("ij,ij->i", difference, difference)
    return np.asarray(np.sqrt(squared), dtype=np.float64)


def _expanded(work: WorkingSize, costs: Costs, label: Indices, chosen: int) -> Indices:
    """(n,) labels after the best expansion of one of them; never worse."""
    gain = costs.data[chosen] - costs.data[label, np.arange(len(label))]
    free = (label != chosen) & (gain < UNKNOWN / 2)
    if not free.any():
        return label
    touched = free[work.first] | free[work.second]
    first, second = work.first[touched], work.second[touched]
    one, other = label[first], label[second]
    stay = _visibility(costs, first, second, one, other)
    second_takes = _visibility(costs, first, second, one, chosen)
    first_takes = _visibility(costs, first, second, chosen, other)
    # With x = 1 for taking it, V = stay + (first_takes − stay)·x_p − first_takes·x_q + w·(1 − x_p)·
    # x_q, as both taking it costs nothing; w is cut off at 0 (Rother et al., CVPR 2005).
    weight = second_takes + first_takes - stay
    both = free[first] & free[second]
    alone = free[first] & ~free[second]
    last = ~free[first] & free[second]
    count = len(label)
    change = (
        gain
        + np.bincount(first, np.where(both | alone, first_takes - stay, 0), count)
        - np.bincount(second, np.where(both, first_takes, 0), count)
        + np.bincount(second, np.where(last, second_takes - stay, 0), count)
    )
    place = np.cumsum(free) - 1
    takes = minimum_cut(change[free], place[first[both]], place[second[both]], weight[both].clip(0))
    if not takes.any():
        return label
    expanded = label.copy()
    expanded[np.flatnonzero(free)[takes]] = chosen
    exact = bool((weight[both] >= 0).all())
    better = exact or energy(work, costs, expanded) < energy(work, costs, label)
    return expanded if better else label


def minimum_cut(
    change: NDArray[np.floating], first: Indices, second: Indices, weight: NDArray[np.floating]
) -> Mask:
    """(n,) bool x that minimises Σ change·x + Σ weight·(1 − x_first)·x_second.

    Args:
        change: (n,).
        first, second: (E,) indices of two pixels each.
        weight: (E,) not negative.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import breadth_first_order, maximum_flow

    count = len(change)
    unary = _whole(change)
    keep = np.flatnonzero(unary > 0)
    take = np.flatnonzero(unary < 0)
    if not len(take):
        return np.zeros(count, dtype=bool)
    start, end = count, count + 1
    rows = np.concatenate([first, np.full(len(keep), start), take]).astype(np.int32)
    columns = np.concatenate([second, keep, np.full(len(take), end)]).astype(np.int32)
    capacity = np.concatenate([_whole(weight), unary[keep], -unary[take]])
    graph = csr_array((capacity, (rows, columns)), shape=(count + 2, count + 2))
    flow = maximum_flow(graph, start, end).flow
    left = graph - flow  # residual capacities; flow is antisymmetric
    left.data = np.maximum(left.data, 0)
    left.eliminate_zeros()
    reached = breadth_first_order(left, start, return_predecessors=False)
    taking = np.ones(count + 2, dtype=bool)
    taking[reached] = False
    return taking[:count]


def _whole(costs: NDArray[np.floating]) -> NDArray[np.int32]:
    return np.asarray((costs * _PRECISION).clip(-_LARGEST, _LARGEST).round(), dtype=np.int32)
