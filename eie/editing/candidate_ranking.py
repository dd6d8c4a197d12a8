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

from eie.editing.click_facts import (
    ClickFacts,
    Hypotheses,
    Network,
    PatchClick,
    SmallMap,
    network,
    overlaps,
)
from eie.elements import SHARPNESS
from eie.patch_graph import connected

WEIGHTS = Path(__file__).with_suffix(".safetensors")

FACTS = 27
"""Numbers that tell of a candidate; see :func:`candidate_facts`."""

_LEAST, _NOTHING = 1e-3, 1e-9
"""What is divided by is at least this: depths in pixels, and sums of chances."""


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


def meant(facts: ClickFacts, click: PatchClick, logits: Network | None = None) -> Hypotheses:
    """What a click may mean: the candidates that have its patch, and their chances.

    Args:
        logits: of facts (C, 27), logits (C,); None for the embedded networks'.
    """
    candidates = candidates_with(facts, click.patch)
    told = (logits or embedded())(candidate_facts(facts, candidates, click))  # (C,)
    return Hypotheses.ranked(candidates.inside, told)


def unranked(facts: ClickFacts, patch: int) -> Hypotheses:
    """The candidates that have a patch, the likeliest its own best-scored one."""
    candidates = candidates_with(facts, patch)
    chance = np.where(candidates.best, 1, candidates.weight / candidates.weight.sum() / 2)
    return Hypotheses(candidates.inside, np.asarray(chance / chance.sum(), dtype=np.float32))


def candidates_with(facts: ClickFacts, patch: int) -> Candidates:
    """All different candidates that have a patch, and the patch's own."""
    has = facts.chance[:, :, patch] > 0.5  # (3, P)
    has[:, patch] = True
    which, query = np.nonzero(has)  # (K,) each
    chance, score = facts.chance[which, query], facts.score[which, query]  # (K, P), (K,)
    inside = chance > 0.5  # (K, P)
    inside[:, patch] = True
    masks, same = different(inside)
    masks, again = different(connected(masks, np.array([patch]), facts.touching))  # (C, P)
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
    facts: ClickFacts, candidates: Candidates, click: PatchClick
) -> NDArray[np.float32]:
    """(C, 27) numbers of about the size of 1: what tells a candidate that is meant from others."""
    patch = click.patch
    within = candidates.inside.astype(np.float32)  # (C, P)
    area = within @ facts.share  # (C,)
    outside = np.maximum(1 - area, 0.05)  # (C,)
    weighed = within * facts.share  # (C, P)
    overlap = overlaps(within, within, facts.share)  # (C, C)
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
        *contrast(facts, within),
        (weighed * agreed.T).sum(axis=1) / area,
        10 * leaked,
        (weighed * np.abs(candidates.sure - 0.5)).sum(axis=1) / area,
        candidates.sure[:, patch],
        np.log(area) / 3,
        np.log(within.sum(axis=1)) / 3,
        *places(facts.small, candidates.inside, click.point),
    ]
    return np.stack(columns, axis=1).astype(np.float32)


def contrast(facts: ClickFacts, within: NDArray[np.float32]) -> list[NDArray[np.floating]]:
    """How alike patches are that touch across the border of masks (C, P), and within them."""
    touching = facts.touching.astype(np.float32)  # (P, P)
    alike = np.asarray(facts.likeness * touching, dtype=np.float32)  # (P, P)
    near, pairs = within @ alike, within @ touching  # (C, P) each
    return [
        (near * side).sum(axis=1) / np.maximum((pairs * side).sum(axis=1), 1)
        for side in (1 - within, within)
    ]


def places(
    small: SmallMap, inside: NDArray[np.bool_], point: tuple[float, float]
) -> list[NDArray[np.floating]]:
    """Five columns (C,) of where a point lies in masks (C, P).

    How deep, as a share of the deepest; how far from the innermost pixel, in its depths; how far
    from the centre, in radii of a disc of that area; how round a mask is; its depth.
    """
    import cv2

    column, line = small.at(*point)
    patches = inside.shape[1]
    inside, same = different(inside)  # (D, P), (C,)
    count, x, y = _sums(small, patches) @ inside.T  # (D,) each
    radius = np.sqrt(np.maximum(count, 1) / np.pi)
    way = np.hypot(x / np.maximum(count, 1) - column, y / np.maximum(count, 1) - line)
    way[count == 0] = 0  # nothing of it is left at this size
    framed = np.pad(small.labels, 1, constant_values=patches)  # (h + 2, w + 2)
    boxes = _boxes(small, inside)  # (D, 4)
    masks = np.pad(inside, ((0, 0), (0, 1))).astype(np.uint8)  # (D, P + 1)
    deep, far, deepest = np.empty((3, len(inside)))
    for index, (left, top, right, bottom) in enumerate(boxes.tolist()):
        # what is outside of a mask's box, and of a rim around it, tells nothing of its depths
        mask = masks[index].take(framed[top : bottom + 3, left : right + 3])
        depth = cv2.distanceTransform(mask, cv2.DIST_L2, 5)
        _, most, _, (middle_x, middle_y) = cv2.minMaxLoc(depth)
        deepest[index] = max(most, _LEAST)
        within = left <= column <= right and top <= line <= bottom
        deep[index] = depth[line - top + 1, column - left + 1] / deepest[index] if within else 0
        far[index] = np.hypot(middle_x - 1 + left - column, middle_y - 1 + top - line)
    columns = [
        deep,
        np.minimum(far / np.maximum(deepest, 1), 3),
        np.minimum(way / radius, 3),
        deepest / radius,
        np.log(np.maximum(deepest, 0.5)) / 3,
    ]
    return [column[same] for column in columns]


def _sums(small: SmallMap, patches: int) -> NDArray[np.float64]:
    """(3, P) how many pixels of the small map patches have, and the sums of their x and y."""
    height, width = small.labels.shape
    flat = small.labels.ravel()
    weights = (None, np.tile(np.arange(width), height), np.repeat(np.arange(height), width))
    return np.stack([np.bincount(flat, weight, patches) for weight in weights]).astype(np.float64)


def _boxes(small: SmallMap, inside: NDArray[np.bool_]) -> NDArray[np.int64]:
    """(D, 4) the first column and line of masks (D, P) on the small map, and the last; of those
    that have none of its pixels, one at its corner."""
    height, width = small.labels.shape
    lines, columns = np.divmod(np.arange(height * width), width)
    first = np.full((2, inside.shape[1]), max(height, width))  # (2, P)
    last = np.full((2, inside.shape[1]), -1)
    for side, place in enumerate((columns, lines)):
        np.minimum.at(first[side], small.labels.ravel(), place)
        np.maximum.at(last[side], small.labels.ravel(), place)
    start = np.where(inside, first[:, None], max(height, width)).min(axis=2)  # (2, D)
    end = np.where(inside, last[:, None], -1).max(axis=2)
    found = np.concatenate([start, end]).T
    return np.where(end.T[:, :1] < 0, 0, found)


def different(masks: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], NDArray[np.intp]]:
    """The different ones of masks (K, P), and which of them each is: (C, P), (K,)."""
    packed = np.packbits(masks, axis=1)
    _, first, same = np.unique(packed, axis=0, return_index=True, return_inverse=True)
    return masks[first], same.reshape(-1)


@lru_cache(maxsize=1)
def embedded() -> Network:
    return network(WEIGHTS)
