"""Assigning pixels to queries: g(m) = argmax_n [s(m,n) − β·d(m,n)] (paper §3.1, eq. 1).

The score of every pixel and query would be N·H·W numbers. The photo is therefore walked over in
tiles, and a tile looks only at queries that can win a pixel in it: interpolated logits stay between
the least and the greatest logit around the tile, so a query whose best score there is below the
worst score of another is out. The result is the argmax over all queries, exactly.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eie.decompose.frame import Frame

IntArray = NDArray[np.intp]

Spans = list[tuple[int, int]]
"""Half-open index ranges."""

_ROUNDING = 1e-3  # float32 scores of two orders of summation differ by less


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
    vertical, horizontal = frame.vertical(low), frame.horizontal(low)
    tile = min(max(32, max(frame.height, frame.width) // 32), 128)
    y_spans, x_spans = _spans(frame.height, tile), _spans(frame.width, tile)
    v_spans, u_spans = _supports(vertical, y_spans), _supports(horizontal, x_spans)

    weight = np.float32(beta / np.sqrt(frame.height * frame.width))  # per pixel of distance
    x, y = points.T.astype(np.float32)
    able = _contenders(logits, x, y, weight, (v_spans, u_spans), (y_spans, x_spans))

    labels = np.empty((frame.height, frame.width), dtype=np.int32)
    dy2 = np.square(np.arange(frame.height, dtype=np.float32)[:, None] + 0.5 - y)  # (H, N)
    dx2 = np.square(np.arange(frame.width, dtype=np.float32)[:, None] + 0.5 - x)  # (W, N)
    for row, ((top, bottom), (v0, v1)) in enumerate(zip(y_spans, v_spans, strict=True)):
        for column, ((left, right), (u0, u1)) in enumerate(zip(x_spans, u_spans, strict=True)):
            queries = np.flatnonzero(able[:, row, column])  # (K,)
            # The queries come last, where argmax reads one pixel's scores from adjacent places.
            score = logits[queries, v0:v1, u0:u1].transpose(1, 2, 0).astype(np.float32, order="C")
            score = np.tensordot(vertical[top:bottom, v0:v1], score, axes=1)  # (dy, du, K)
            score = horizontal[left:right, u0:u1] @ score  # (dy, dx, K)
            far = dy2[top:bottom, None, queries] + dx2[None, left:right, queries]  # (dy, dx, K)
            np.sqrt(far, out=far)
            far *= weight
            score -= far
            labels[top:bottom, left:right] = queries[score.argmax(axis=2)]
    return labels


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


def _contenders(
    logits: NDArray[np.floating],
    x: NDArray[np.float32],
    y: NDArray[np.float32],
    weight: np.float32,
    supports: tuple[Spans, Spans],
    tiles: tuple[Spans, Spans],
) -> NDArray[np.bool_]:
    """(N, tile rows, tile columns): whether a query can win a pixel of a tile."""
    highest = _pool(np.max, logits, supports)  # (N, rows, columns)
    lowest = _pool(np.min, logits, supports)  # (N, rows, columns)
    near_y, far_y = _distances(y, tiles[0])  # (N, rows)
    near_x, far_x = _distances(x, tiles[1])  # (N, columns)
    best = highest - weight * np.hypot(near_y[:, :, None], near_x[:, None, :])
    worst = lowest - weight * np.hypot(far_y[:, :, None], far_x[:, None, :])
    able: NDArray[np.bool_] = best >= worst.max(axis=0) - _ROUNDING
    return able


def _pool(
    reduce: Callable[..., Any], logits: NDArray[np.floating], supports: tuple[Spans, Spans]
) -> NDArray[np.float32]:
    rows = [reduce(logits[:, a:b].astype(np.float32), axis=1) for a, b in supports[0]]  # (N, w)
    strips = np.stack(rows, axis=1)  # (N, rows, w)
    return np.stack([reduce(strips[:, :, a:b], axis=2) for a, b in supports[1]], axis=2)


def _distances(
    place: NDArray[np.float32], tiles: Spans
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(N, tiles) least and greatest distance, along one axis, to the pixel centres of a tile."""
    start, stop = np.array(tiles, dtype=np.float32).T
    first, last = start + 0.5, stop - 0.5
    before, after = first - place[:, None], place[:, None] - last
    near = np.maximum(np.maximum(before, after), 0)
    return near, np.maximum(np.abs(before), np.abs(after))


def _spans(size: int, tile: int) -> Spans:
    """Cut [0, size) into equal tiles of at most `tile`."""
    edges = np.linspace(0, size, -(-size // tile) + 1).round().astype(int).tolist()
    return list(itertools.pairwise(edges))


def _supports(weights: NDArray[np.float32], tiles: Spans) -> Spans:
    """For each tile of an axis, the range of logits that its pixels are interpolated from."""
    supports = []
    for start, stop in tiles:
        used = np.flatnonzero(weights[start:stop].any(axis=0))
        supports.append((int(used[0]), int(used[-1]) + 1))
    return supports
