"""Assigning pixels to queries: g(m) = argmax_n [s(m,n) − β·d(m,n)] (paper §3.1, eq. 1).

The score of every pixel and query would be N·H·W numbers. The photo is therefore walked over in
small tiles, and a tile looks only at queries that can win a pixel in it: interpolated logits stay
between the least and the greatest logit around the tile, so a query whose best score there is below
the worst score of another is out. The result is the argmax over all queries, exactly.

Of a large photo only the pixels in the middle of cells, 1,500 along its longer side, are
assigned so. Cells that differ from one beside them are assigned pixel by pixel, to the queries of
the cells around, and the others are left whole: the work grows with the borders.

Tiles have one size, the last ones overlapping those before, so that many are scored at a time; with
like numbers of contenders together, little is wasted on padding.

Shapes: N queries, T tiles, K contenders, tiles of th·tw pixels made from sv·su logits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eie.decomposition.sam_transform import Frame

IntArray = NDArray[np.intp]

_ROUNDING = 1e-3  # float32 scores of two orders of summation differ by less

_CELLS = 1536
"""Cells along the longer side of a photo that has twice as many pixels or more."""

_SCORES = 1 << 18
"""Scores that are in work at a time: they stay in the cache."""


def assign(
    logits: NDArray[np.floating],
    points: NDArray[np.float64],
    frame: Frame,
    beta: float,
    *,
    low: int | None = None,
) -> NDArray[np.int32]:
    """Give every pixel to the query with the highest score.

    Args:
        logits: (N, h, w) float16 or float32, mask logits s of each query as the mask decoder gives
            them, at its resolution; rows and columns that lie in the padding may be cut off.
        points: (N, 2) query points, (x, y) in photo pixels, pixel column j covers [j, j + 1).
        frame: the photo's place in the model's input.
        beta: weight of d, the Euclidean distance from pixel centre to query divided by √(H·W).
        low: side of the decoder's whole output, if `logits` were cut; else taken from their shape.

    Returns:
        (H, W) int32, index of the winning query; the first one on a tie.
    """
    low = low or max(logits.shape[1:])
    weight = np.float32(beta / np.sqrt(frame.height * frame.width))
    x, y = points.T.astype(np.float32)
    scores = _Scores(logits, x, y, weight)
    vertical, horizontal = frame.vertical(low), frame.horizontal(low)
    step = max(1, max(vertical.shape[0], horizontal.shape[0]) // _CELLS)
    cells = _Axis.cut(vertical, step), _Axis.cut(horizontal, step)
    middles = tuple(axis.places[:, axis.side // 2] for axis in cells)
    side = min(max(8, max(map(len, middles)) // 64), 64)
    tiles = _Axis.cut(vertical, side, middles[0]), _Axis.cut(horizontal, side, middles[1])
    coarse = np.empty(tuple(map(len, middles)), dtype=np.int32)
    scores.decide(coarse, *tiles, *_contenders(scores, *tiles))
    if step == 1:
        return coarse
    labels = coarse.repeat(step, axis=1)[:, : frame.width].repeat(step, axis=0)[: frame.height]
    scores.decide(labels, *cells, *_around(coarse))
    return labels


@dataclass(frozen=True, eq=False)
class _Scores:
    """What the scores of all queries are made of.

    logits: (N, h, w). x, y: (N,) query points. weight: per pixel of distance.
    """

    logits: NDArray[np.floating]
    x: NDArray[np.float32]
    y: NDArray[np.float32]
    weight: np.float32

    def decide(
        self,
        labels: NDArray[np.int32],
        rows: _Axis,
        columns: _Axis,
        tile: IntArray,
        query: IntArray,
    ) -> None:
        """Give the pixels of some tiles to the best of their contenders.

        Args:
            labels: (H, W), changed.
            tile, query: (S,) which query contends for which tile, ascending.
        """
        count = np.bincount(tile, minlength=len(rows.support) * len(columns.support))  # (T,)
        first = np.cumsum(count) - count
        windows = np.lib.stride_tricks.sliding_window_view(
            self.logits, (rows.reach, columns.reach), axis=(1, 2)
        )  # (N, h - sv + 1, w - su + 1, sv, su), a view
        order = np.argsort(count, kind="stable")
        order = order[np.searchsorted(count[order], 1) :]
        while len(order):
            most = count[order[-1]]
            some, order = np.split(
                order[::-1], [max(1, _SCORES // (most * rows.side * columns.side))]
            )
            order = order[::-1]
            i, j = np.divmod(some, len(columns.support))  # (T,) tile rows and columns
            # Tiles with fewer contenders repeat their last one.
            rank = np.minimum(np.arange(most), count[some, None] - 1)
            contender = query[first[some, None] + rank]  # (T, K)

            nearby = windows[contender, rows.support[i, None], columns.support[j, None]]
            nearby = nearby.astype(np.float32).reshape(
                len(some), -1, columns.reach
            )  # (T, K·sv, su)
            strips = nearby @ columns.weights[j].mT  # (T, K·sv, tw)
            strips = strips.reshape(len(some), most, rows.reach, -1)  # (T, K, sv, tw)
            strips = strips.transpose(0, 2, 3, 1)  # (T, sv, tw, K)
            score = rows.weights[i] @ strips.reshape(len(some), rows.reach, -1)  # (T, th, tw·K)

            dy = rows.middles[i][:, :, None] - self.y[contender][:, None]  # (T, th, K)
            dx = columns.middles[j][:, :, None] - self.x[contender][:, None]  # (T, tw, K)
            far = np.square(dy)[:, :, None] + np.square(dx)[:, None]  # (T, th, tw, K)
            np.sqrt(far, out=far)
            far *= self.weight
            np.subtract(score.reshape(far.shape), far, out=far)
            winner = far.reshape(len(some), -1, most).argmax(axis=2)  # (T, th·tw)
            owner = np.take_along_axis(contender, winner, axis=1)
            place = rows.places[i][:, :, None], columns.places[j][:, None]
            labels[place] = owner.reshape(far.shape[:3])


def score_of_pixels(
    logits: NDArray[np.floating],
    points: NDArray[np.float64],
    frame: Frame,
    beta: float,
    *,
    low: int | None = None,
) -> Callable[[IntArray, IntArray, IntArray], NDArray[np.float32]]:
    """The score of single pixels, with the logit nearest to the pixel: arguments of :func:`assign`.

    Returns:
        A function of rows (P,), columns (P,) and queries (P,), integers, that gives (P,) scores.
    """
    low = low or max(logits.shape[1:])
    nearest_row = frame.vertical(low).argmax(axis=1)  # (H,)
    nearest_column = frame.horizontal(low).argmax(axis=1)  # (W,)
    weight = beta / np.sqrt(frame.height * frame.width)

    def score(rows: IntArray, columns: IntArray, queries: IntArray) -> NDArray[np.float32]:
        x, y = points[queries].T
        far = np.hypot(columns + 0.5 - x, rows + 0.5 - y)
        near = logits[queries, nearest_row[rows], nearest_column[columns]]
        scores: NDArray[np.float32] = (near - weight * far).astype(np.float32)
        return scores

    return score


@dataclass(frozen=True, eq=False)
class _Axis:
    """The tiles along one axis.

    side, reach: pixels of a tile, and logits that they are interpolated from.
    places: (T, side) which of the pixels that count a tile has.
    middles: (T, side) the centres of these.
    support: (T,) the first logit of each tile.
    weights: (T, side, reach) that make logits pixels.
    """

    side: int
    reach: int
    places: IntArray
    middles: NDArray[np.float32]
    support: IntArray
    weights: NDArray[np.float32]

    @classmethod
    def cut(cls, sampling: NDArray[np.float32], side: int, pixels: IntArray | None = None) -> _Axis:
        """Cut an axis into tiles.

        sampling: (size, logits) weights, see
            :meth:`eie.decomposition.sam_transform.Frame.vertical`.
        pixels: (P,) those of the axis that count, ascending; None for all.
        """
        if pixels is None:
            pixels = np.arange(len(sampling))
        sampling = sampling[pixels]
        size, logits = sampling.shape
        side = min(side, size)
        start = np.minimum(np.arange(0, size, side), size - side)
        places = start[:, None] + np.arange(side)  # (T, side)
        used = sampling[places].any(axis=1)  # (T, logits)
        support = used.argmax(axis=1)
        reach = int((logits - used[:, ::-1].argmax(axis=1) - support).max())
        support = np.minimum(support, logits - reach)
        weights = sampling[places[:, :, None], support[:, None, None] + np.arange(reach)]
        return cls(side, reach, places, (pixels[places] + 0.5).astype(np.float32), support, weights)

    def distances(self, place: NDArray[np.float32]) -> tuple[Any, Any]:
        """(T, N) least and greatest distance from places to the pixel centres of every tile."""
        before = self.middles[:, :1] - place
        after = place - self.middles[:, -1:]
        near = np.maximum(np.maximum(before, after), 0)
        return near, np.maximum(np.abs(before), np.abs(after))


def _contenders(scores: _Scores, rows: _Axis, columns: _Axis) -> tuple[IntArray, IntArray]:
    """Which queries can win a pixel of which tile: (S,) tiles, ascending, and (S,) queries."""
    logits, weight = scores.logits, scores.weight
    near_x, far_x = (np.square(d) for d in columns.distances(scores.x))  # (columns, N)
    near_y, far_y = (np.square(d) for d in rows.distances(scores.y))  # (rows, N)
    tiles, queries = [], []
    for row, start in enumerate(rows.support):
        strip = np.asarray(logits[:, start : start + rows.reach], dtype=np.float32)
        highest = _along(np.maximum, strip.max(axis=1), columns)  # (columns, N)
        lowest = _along(np.minimum, strip.min(axis=1), columns)  # (columns, N)
        best = highest - weight * np.sqrt(near_y[row] + near_x)
        worst = lowest - weight * np.sqrt(far_y[row] + far_x)
        able = best >= worst.max(axis=1, keepdims=True) - _ROUNDING  # (columns, N)
        column, query = np.nonzero(able)
        tiles.append(row * len(columns.support) + column)
        queries.append(query)
    return np.concatenate(tiles), np.concatenate(queries)


def _around(labels: NDArray[np.int32]) -> tuple[IntArray, IntArray]:
    """Where a cell differs from one beside it: (S,) such cells, ascending, and (S,) the labels of
    the 3×3 cells around, each once."""
    padded = np.pad(labels, 1, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3))  # (h, w, 3, 3), a view
    differs = np.zeros(labels.shape, dtype=bool)
    for row, column in np.ndindex(3, 3):
        differs |= windows[:, :, row, column] != labels
    cell = np.flatnonzero(differs)  # (B,)
    near = np.sort(windows[differs].reshape(len(cell), -1), axis=1)  # (B, 9)
    new = np.ones(near.shape, dtype=bool)
    np.not_equal(near[:, 1:], near[:, :-1], out=new[:, 1:])
    return cell.repeat(np.count_nonzero(new, axis=1)), near[new].astype(np.intp)


def _along(extreme: np.ufunc, values: NDArray[np.float32], columns: _Axis) -> NDArray[np.float32]:
    """(N, w) logits ⇒ (T, N): the extreme one that each tile's pixels are interpolated from."""
    lines = np.ascontiguousarray(values.T)  # lines are gathered faster than columns
    result = lines[columns.support]
    for step in range(1, columns.reach):
        extreme(result, lines[columns.support + step], out=result)
    return result
