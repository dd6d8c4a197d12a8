"""Making every element one piece.

Assignment by score may leave an element in several pieces, or as a sliver. Both are settled on the
graph of connected pieces, which is far smaller than the photo: an element keeps one piece, all
other pieces and then all slivers go to the neighbouring element that they fit best. The pieces are
made of the runs of equal labels along the rows, so that the work grows with the borders.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.intp]

Fit = Callable[[IntArray, IntArray, IntArray], NDArray[np.floating]]
"""(rows (P,), columns (P,), labels (P,)) ⇒ (P,): how well each pixel fits each label."""

_SAMPLES = 64
"""Pixels of a piece, at most, that tell which neighbour fits it."""


def connect(
    labels: NDArray[np.integer],
    *,
    points: NDArray[np.float64] | None = None,
    fit: Fit | None = None,
    minimum_area: float = 0,
) -> tuple[NDArray[np.int32], IntArray]:
    """Make every label one 4-connected element and number the elements from 0.

    An element keeps the piece that holds its query point, else its largest piece. A piece that
    belongs to no element any more goes to the neighbour with the best mean fit; without `fit`, and
    between equals, to the one with the longest shared border. Then elements smaller than
    `minimum_area` are given up the same way, unless none is as large.

    Args:
        labels: (H, W) integers ≥ 0.
        points: (N, 2) query points (x, y) in pixels, of label 0..N-1; None to keep largest pieces.
        fit: how well pixels fit labels, higher is better.
        minimum_area: in pixels.

    Returns:
        (H, W) int32 label map in which every value 0..K-1 is one 4-connected piece, and (K,) the
        label that each had in `labels`, increasing.
    """
    runs = _Runs.of(labels)
    above, below, touch = runs.overlaps()  # (T,) each
    piece, first, area = _pieces(runs, above, below)  # (R,), (P,), (P,)
    name = labels.ravel()[first].astype(np.intp)  # (P,) the label that a piece carries
    graph = _Graph(*_borders(runs, piece, above, below, touch), count=len(area))

    kept = _chosen_pieces(labels, runs, piece, name, area, points)  # (P,) bool
    samples = _samples(runs, piece, ~kept) if fit and not kept.all() else None
    home = _absorb(graph, kept, name, fit, samples)  # (P,) piece ⇒ piece of its element

    area = np.bincount(home, weights=area, minlength=len(area))
    large = kept & (area >= min(minimum_area, area.max()))
    if not large[kept].all():
        samples = _samples(runs, home[piece], kept & ~large) if fit else None
        home = _absorb(graph.merged(home), large | ~kept, name, fit, samples)[home]

    owners = np.flatnonzero(np.bincount(home, minlength=len(home)))  # (K,) pieces, one per element
    owners = owners[np.argsort(name[owners])]
    number = np.empty(len(home), dtype=np.int32)
    number[owners] = np.arange(len(owners), dtype=np.int32)
    return np.repeat(number[home][piece], runs.length).reshape(labels.shape), name[owners]


@dataclass(frozen=True, eq=False)
class _Runs:
    """The R runs of equal labels along the rows, in reading order: far fewer than pixels.

    begin, length: (R,) the place of each one's first pixel in reading order, and its pixels.
    label: (R,) the label of each.
    width: of a row.
    """

    begin: IntArray
    length: IntArray
    label: NDArray[np.integer]
    width: int

    @classmethod
    def of(cls, labels: NDArray[np.integer]) -> _Runs:
        starts = np.ones(labels.shape, dtype=bool)
        np.not_equal(labels[:, 1:], labels[:, :-1], out=starts[:, 1:])
        begin = np.flatnonzero(starts)
        length = np.diff(begin, append=labels.size)
        return cls(begin, length, labels.ravel()[begin], labels.shape[1])

    def at(self, place: IntArray) -> IntArray:
        """The runs in which pixels lie, given by their places in reading order."""
        return np.searchsorted(self.begin, place, "right") - 1

    def overlaps(self) -> tuple[IntArray, IntArray, IntArray]:
        """(T,) runs, (T,) those below them that they touch, (T,) along so many pixels."""
        ends = int(self.begin[-1] + self.length[-1])
        upper = self.begin[: np.searchsorted(self.begin, ends - self.width)]
        lower = self.begin[np.searchsorted(self.begin, self.width) :]
        # Where a run begins in either of two rows, another two begin to touch.
        place, _, _ = _distinct(np.concatenate([upper + self.width, lower]))
        return self.at(place - self.width), self.at(place), np.diff(place, append=ends)


def _pieces(runs: _Runs, above: IntArray, below: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """The 4-connected pieces of equal labels, numbered from 0 in reading order.

    Args:
        above, below: (T,) runs that touch.

    Returns:
        (R,) the piece of every run; (P,) each piece's first pixel; and (P,) its pixels.
    """
    joins = runs.label[above] == runs.label[below]
    first = _first_connected(len(runs.begin), above[joins], below[joins])  # (R,)
    leads = first == np.arange(len(first))  # (R,)
    piece = (np.cumsum(leads) - 1)[first]  # (R,)
    area = np.bincount(piece, weights=runs.length).astype(np.intp)  # (P,)
    return piece, runs.begin[leads], area


def _first_connected(count: int, a: IntArray, b: IntArray) -> IntArray:
    """(count,) the first of all nodes that each is connected with by edges from a to b, (E,) each.

    Every node points to an earlier one of its component until all point to the first. (SciPy's
    search takes longer to be imported than this to run.)
    """
    first = np.arange(count)
    while len(a):
        nearer, farther = np.minimum(first[a], first[b]), np.maximum(first[a], first[b])
        np.minimum.at(first, farther, nearer)
        while (first[first] != first).any():
            first = first[first]
        apart = first[a] != first[b]
        a, b = a[apart], b[apart]
    return first


@dataclass(frozen=True, eq=False)
class _Graph:
    """Pieces that touch: each pair once in both directions, with the border's length in pixels."""

    start: IntArray
    end: IntArray
    length: IntArray
    count: int

    def merged(self, home: IntArray) -> _Graph:
        """The graph after every piece p became part of piece home[p]."""
        return _Graph(*_pairs(home[self.start], home[self.end], self.length), count=self.count)


def _borders(
    runs: _Runs, piece: IntArray, above: IntArray, below: IntArray, touch: IntArray
) -> tuple[IntArray, IntArray, IntArray]:
    """Which pieces share a border and how long it is, from the runs that touch."""
    beside = np.flatnonzero(runs.begin[1:] % runs.width)  # runs with another one to the right
    a = piece[np.concatenate([beside, above])]
    b = piece[np.concatenate([beside + 1, below])]
    length = np.concatenate([np.ones_like(beside), touch])
    return _pairs(np.concatenate([a, b]), np.concatenate([b, a]), np.tile(length, 2))


def _pairs(start: IntArray, end: IntArray, length: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Sum the lengths of equal pairs, drop pairs of a piece with itself; sorted by start, end."""
    apart = start != end
    start, end, length = start[apart], end[apart], length[apart]
    base = int(end.max(initial=0)) + 1
    pairs, order, first = _distinct(start * base + end)
    total = np.add.reduceat(length[order], first) if len(first) else length
    return pairs // base, pairs % base, total


def _distinct(values: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """As :func:`numpy.unique`, which takes longer to be imported than these to run.

    Returns:
        (D,) the values, each once and ascending; (S,) all places in this order; and (D,) where in
        that each value begins.
    """
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    leads = np.ones(len(ordered), dtype=bool)
    np.not_equal(ordered[1:], ordered[:-1], out=leads[1:])
    first = np.flatnonzero(leads)
    return ordered[first], order, first


def _chosen_pieces(
    labels: NDArray[np.integer],
    runs: _Runs,
    piece: IntArray,
    name: IntArray,
    area: IntArray,
    points: NDArray[np.float64] | None,
) -> NDArray[np.bool_]:
    """(P,) bool: the one piece that each label keeps."""
    rank = area.astype(np.float64)
    if points is not None:
        columns, rows = np.floor(points).astype(np.intp).T
        at_home = labels[rows, columns] == np.arange(len(points))
        rank[piece[runs.at(rows * runs.width + columns)][at_home]] = np.inf
    order = np.lexsort((-rank, name))
    leads = np.r_[True, name[order][1:] != name[order][:-1]]
    chosen = np.zeros(len(area), dtype=bool)
    chosen[order[leads]] = True
    return chosen


def _samples(runs: _Runs, piece: IntArray, wanted: NDArray[np.bool_]) -> tuple[IntArray, IntArray]:
    """Up to _SAMPLES pixels, evenly spread in reading order, of each wanted piece.

    Returns:
        (S, 2) (row, column) sorted by piece, and (P + 1,) where the pixels of each piece start.
    """
    some = np.flatnonzero(wanted[piece])
    some = some[np.argsort(piece[some], kind="stable")]  # runs of a piece together, in their order
    end = np.cumsum(runs.length[some])
    area = np.bincount(piece[some], runs.length[some], minlength=len(wanted)).astype(np.intp)
    step = 1 + area // _SAMPLES  # (P,)
    count = -(-area // step)  # (P,)
    start = np.r_[0, np.cumsum(count)]
    owner = np.repeat(np.arange(len(wanted)), count)  # (S,)
    rank = (np.arange(len(owner)) - start[owner]) * step[owner]
    place = (np.cumsum(area) - area)[owner] + rank  # among the pixels of all wanted pieces
    run = np.searchsorted(end, place, "right")
    pixel = runs.begin[some[run]] + place - (end[run] - runs.length[some[run]])
    return np.stack(np.divmod(pixel, runs.width), axis=1), start


def _absorb(
    graph: _Graph,
    kept: NDArray[np.bool_],
    name: IntArray,
    fit: Fit | None,
    samples: tuple[IntArray, IntArray] | None,
) -> IntArray:
    """Give every piece that is not kept to a kept one, layer by layer from the kept ones outward.

    Returns:
        (P,) the kept piece that each piece became part of; a kept piece is its own.
    """
    home = np.where(kept, np.arange(graph.count), -1)
    start, end, length = graph.start, graph.end, graph.length  # start: the piece looking for a home
    while True:
        homeless = home[start] < 0
        start, end, length = start[homeless], end[homeless], length[homeless]
        reached = home[end] >= 0
        if not reached.any():
            return home
        piece, element, border = _pairs(start[reached], home[end[reached]], length[reached])
        score = np.zeros(len(piece))
        if fit is not None and samples is not None:
            score = _mean_fit(piece, name[element], fit, *samples)
        best = np.lexsort((element, -border, -score, piece))
        leads = best[np.r_[True, piece[best][1:] != piece[best][:-1]]]
        home[piece[leads]] = element[leads]


def _mean_fit(
    piece: IntArray, label: IntArray, fit: Fit, samples: IntArray, sample_start: IntArray
) -> NDArray[np.float64]:
    """(Q,) mean fit of the sampled pixels of piece[q] to label[q]."""
    count = sample_start[piece + 1] - sample_start[piece]  # (Q,)
    query = np.repeat(np.arange(len(piece)), count)  # (S,)
    offset = np.arange(len(query)) - np.repeat(np.cumsum(count) - count, count)
    rows, columns = samples[sample_start[piece][query] + offset].T
    total = np.bincount(query, weights=fit(rows, columns, label[query]), minlength=len(piece))
    return total / count
