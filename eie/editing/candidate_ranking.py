"""What one click means, of all the candidates that have the clicked patch.

clicked patch          ⇒ the candidates of all patches that have it, each cut to what is connected
each, and the point    ⇒ facts: how sure, how often, how alike, how far in the middle the point is
                       ⇒ small networks (two hidden layers), whose mean says which is meant

A person clicks into the middle of what they mean (the first click of every simulation of
interactive segmentation; Xu et al., "Deep interactive object selection", CVPR 2016), so where
exactly the point lies tells a thing from its parts and from a group. Choosing among masks by a
learnt score follows mask proposals and their ranking (Carreira & Sminchisescu, "CPMC", PAMI 2012).
`eie train corrections` trains the networks on photos that the segmenter's heads have not seen.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eie.editing.corrections import ClickFacts, Network
from eie.elements import SHARPNESS
from eie.patch_graph import connected

WEIGHTS = Path(__file__).with_suffix(".safetensors")

FACTS = 27
"""Numbers that tell of a candidate; see :func:`candidate_facts`."""

_SIDE = 160
"""Pixels of the longer side at which candidates are measured."""

_IN = 0.51
"""The chance of a patch that is in what is meant is at least this, of others at most the rest."""

_LEAST, _NOTHING = 1e-3, 1e-9
"""What is divided by is at least this: depths in pixels, and sums of chances."""


class SmallMap(NamedTuple):
    """A label map that is small enough to measure many masks on.

    labels: (h, w) patches. step: pixels of the source a pixel of it stands for.
    """

    labels: NDArray[np.integer]
    step: int

    @classmethod
    def of(cls, label_map: NDArray[np.integer]) -> SmallMap:
        step = max(1, round(max(label_map.shape) / _SIDE))
        return cls(label_map[step // 2 :: step, step // 2 :: step], step)

    def at(self, x: float, y: float) -> tuple[int, int]:
        """Column and line of a point of the source, in pixels."""
        height, width = self.labels.shape
        column, line = int(x // self.step), int(y // self.step)
        return min(max(column, 0), width - 1), min(max(line, 0), height - 1)


class Candidates(NamedTuple):
    """Different sets of patches that a click may mean.

    inside: (C, P) bool. score: (C,) the best estimated IoU among those that say the same; number:
    (C,) of these; weight: (C,) the sum of their weights; sure: (C, P) the chances of the best of
    them; own, best: (C,) bool, whether one of the clicked patch is among them, and its best-scored.
    """

    inside: NDArray[np.bool_]
    score: NDArray[np.float32]
    number: NDArray[np.int64]
    weight: NDArray[np.float64]
    sure: NDArray[np.float32]
    own: NDArray[np.bool_]
    best: NDArray[np.bool_]


def meant(
    facts: ClickFacts,
    small: SmallMap,
    patch: int,
    point: tuple[float, float],
    logits: Network | None = None,
) -> NDArray[np.float32]:
    """The chances that patches are in what a click means: (P,) float32, above 0.5 if they are.

    Args:
        facts: of the source.
        small: its label map.
        patch: that was clicked.
        point: x and y in pixels of the source.
        logits: of facts (C, 27), logits (C,); None for the embedded networks'.
    """
    candidates = candidates_with(facts, patch)
    told = (logits or _embedded())(candidate_facts(facts, small, candidates, patch, point))  # (C,)
    chosen = told.argmax()
    inside, sure = candidates.inside[chosen], candidates.sure[chosen]  # (P,) each
    chance = np.where(inside, np.maximum(sure, _IN), np.minimum(sure, 1 - _IN))
    return np.asarray(chance, dtype=np.float32)


def candidates_with(facts: ClickFacts, patch: int) -> Candidates:
    """All different candidates that have a patch, and the patch's own."""
    has = facts.chance[:, :, patch] > 0.5  # (3, P)
    has[:, patch] = True
    which, query = np.nonzero(has)  # (K,) each
    chance, score = facts.chance[which, query], facts.score[which, query]  # (K, P), (K,)
    inside = chance > 0.5  # (K, P)
    inside[:, patch] = True
    masks, same = _different(inside)
    reached = np.stack([connected(mask, np.array([patch]), facts.touching) for mask in masks])
    masks, again = _different(reached)  # (C, P)
    same = again[same]  # (K,)
    order = np.lexsort((score, same))  # of each candidate, the best-scored last
    top = order[np.append(same[order][1:] != same[order][:-1], True)]  # (C,)
    own = query == patch
    best = own & (which == facts.score[:, patch].argmax())
    weight = np.exp(SHARPNESS * score.astype(np.float64)) * chance[:, patch]
    total = len(masks)
    return Candidates(
        masks,
        score[top],
        np.bincount(same, minlength=total),
        np.bincount(same, weights=weight, minlength=total).astype(np.float64),
        chance[top],
        np.bincount(same, weights=own, minlength=total) > 0,
        np.bincount(same, weights=best, minlength=total) > 0,
    )


def candidate_facts(
    facts: ClickFacts,
    small: SmallMap,
    candidates: Candidates,
    patch: int,
    point: tuple[float, float],
) -> NDArray[np.float32]:
    """(C, 27) numbers of about the size of 1: what tells a candidate that is meant from others.

    Args:
        point: x and y of the click, in pixels of the source.
    """
    within = candidates.inside.astype(np.float32)  # (C, P)
    area = within @ facts.share  # (C,)
    outside = np.maximum(1 - area, 0.05)  # (C,)
    weighed = within * facts.share  # (C, P)
    common = weighed @ within.T  # (C, C)
    overlap = common / (area[:, None] + area - common)  # (C, C)
    weight = candidates.weight / max(candidates.weight.sum(), _NOTHING)  # (C,)
    mine, others = facts.mean[patch] * facts.share, facts.mean[:, patch] * facts.share  # (P,)
    soft = facts.mean * facts.share  # (P, P)
    shared = soft @ within.T  # (P, C)
    agreed = shared / np.maximum(soft.sum(axis=1)[:, None] + area - shared, _NOTHING)  # (P, C)
    leaked = (weighed @ soft * (1 - within)).sum(axis=1) / area / outside  # (C,)
    top = facts.score[:, patch].max()
    columns = [
        candidates.score,
        candidates.score - top,
        np.full(len(area), top),
        candidates.own,
        candidates.best,
        np.log(candidates.number) / 3,
        10 * weight,
        overlap @ weight,
        overlap[:, candidates.best.argmax()],
        *(weighed @ facts.mean[patch] / area, within @ mine / max(mine.sum(), _NOTHING)),
        *(weighed @ facts.mean[:, patch] / area, within @ others / max(others.sum(), _NOTHING)),
        weighed @ facts.likeness[patch] / area,
        *_contrast(facts, within),
        (weighed * agreed.T).sum(axis=1) / area,
        10 * leaked,
        (weighed * np.abs(candidates.sure - 0.5)).sum(axis=1) / area,
        candidates.sure[:, patch],
        np.log(area) / 3,
        np.log(within.sum(axis=1)) / 3,
        *_places(small, candidates.inside, point),
    ]
    return np.stack(columns, axis=1).astype(np.float32)


def _contrast(facts: ClickFacts, within: NDArray[np.float32]) -> list[NDArray[np.floating]]:
    """How alike patches are that touch across the border of masks (C, P), and within them."""
    touching = facts.touching.astype(np.float32)  # (P, P)
    alike = np.asarray(facts.likeness * touching, dtype=np.float32)  # (P, P)
    near, pairs = within @ alike, within @ touching  # (C, P) each
    return [
        (near * side).sum(axis=1) / np.maximum((pairs * side).sum(axis=1), 1)
        for side in (1 - within, within)
    ]


def _places(
    small: SmallMap, inside: NDArray[np.bool_], point: tuple[float, float]
) -> list[NDArray[np.floating]]:
    """Five columns (C,) of where a point lies in masks (C, P).

    How deep, as a share of the deepest; how far from the innermost pixel, in its depths; how far
    from the centre, in radii of a disc of that area; how round a mask is; its depth.
    """
    import cv2

    column, line = small.at(*point)
    rows = []
    for mask in inside[:, small.labels]:  # (h, w)
        framed = np.pad(mask.astype(np.uint8), 1)
        depth = cv2.distanceTransform(framed, cv2.DIST_L2, 5)[1:-1, 1:-1]  # (h, w)
        deepest = max(float(depth.max()), _LEAST)
        y, x = np.unravel_index(int(depth.argmax()), depth.shape)
        lines, columns = np.nonzero(mask)
        if not len(lines):  # nothing of it is left at this size
            lines, columns = np.array([line]), np.array([column])
        radius = np.sqrt(len(lines) / np.pi)
        rows.append(
            (
                depth[line, column] / deepest,
                min(float(np.hypot(x - column, y - line)) / max(deepest, 1), 3),
                min(float(np.hypot(columns.mean() - column, lines.mean() - line) / radius), 3),
                deepest / radius,
                np.log(max(deepest, 0.5)) / 3,
            )
        )
    return list(np.array(rows, dtype=np.float32).T)


def _different(masks: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], NDArray[np.intp]]:
    """The different ones of masks (K, P), and which of them each is: (C, P), (K,)."""
    packed = np.packbits(masks, axis=1)
    _, first, same = np.unique(packed, axis=0, return_index=True, return_inverse=True)
    return masks[first], same.reshape(-1)


def network(weights: Path) -> Network:
    """What facts (C, 27) say: logits (C,), the logarithm of the mean chance that several networks
    give, by weights that `eie train corrections` wrote."""
    from safetensors.numpy import load_file

    tensors = load_file(weights)
    layers = [(tensors[f"{i}.weight"], tensors[f"{i}.bias"]) for i in (0, 1, 2)]

    def logits(facts: NDArray[np.float32]) -> NDArray[np.float32]:
        x = facts[None]  # (1, C, 27); then (M, C, hidden) of M networks
        for index, (weight, bias) in enumerate(layers):
            x = x @ weight.swapaxes(1, 2).astype(np.float32) + bias[:, None].astype(np.float32)
            x = x if index == len(layers) - 1 else np.maximum(x, 0)
        told = x[..., 0] - x[..., 0].max(axis=1, keepdims=True)  # (M, C)
        chance = np.exp(told) / np.exp(told).sum(axis=1, keepdims=True)
        return np.asarray(np.log(chance.mean(axis=0) + 1e-30), dtype=np.float32)

    return logits


@lru_cache(maxsize=1)
def _embedded() -> Network:
    return network(WEIGHTS)
