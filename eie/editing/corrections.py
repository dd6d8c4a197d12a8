"""Several clicks on one thing: an answer that every further click corrects.

clicks in order ⇒ facts about every patch, the answer before the last click among them
                ⇒ a small network (two hidden layers) ⇒ chances that patches are in the thing

As clicks and the mask before them are told to a network of interactive segmentation (Sofiiuk et
al., "Reviving iterative training with mask guidance for interactive segmentation", ICIP 2022), but
over patches, of which the element file already says what points on them stand for. `eie train
corrections` trains the network; :mod:`eie/models/weights/tiny-segmenter.md` says on what.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eie.editing.picking import areas
from eie.elements import SHARPNESS, SURE, Source
from eie.patch_graph import connected, likeness, thinned, touching_patches

WEIGHTS = Path(__file__).with_suffix(".safetensors")

FEATURES = 22
"""Numbers that tell of a patch; see :func:`click_features`."""

_REMEMBERED = 16
"""So many clicks, the last ones, correct the answer one by one; those before are told at once."""

_DOUBT = 0.05
"""What is left of a candidate's weight that surely lacks what it should have."""

_NEAR = 8.0
"""How fast nearness falls, per longer side of the photo."""


Network = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Numbers that tell of each of K things (K, F) ⇒ logits (K,)."""


class PatchClick(NamedTuple):
    """A patch that was clicked, to join what is there or to cut it off."""

    patch: int
    joins: bool


@dataclass(frozen=True, eq=False)
class ClickFacts:
    """What is known of a source's P patches before anybody clicks.

    Attributes:
        chance: (3, P, P) float32 in [0, 1], that a patch is in a candidate of a clicked one.
        score: (3, P) float32 in [0, 1], estimated IoU.
        mean: (P, P), the candidates' mean, weighted by their scores.
        part, whole: (P, P), the smallest and the largest candidate.
        likeness: (P, P) in [0, 1].
        centre: (P, 2), x and y in longer sides of the photo.
        share: (P,) of the photo's area.
        touching: (P, P) bool.
    """

    chance: NDArray[np.float32]
    score: NDArray[np.float32]
    mean: NDArray[np.float32]
    part: NDArray[np.float32]
    whole: NDArray[np.float32]
    likeness: NDArray[np.float64]
    centre: NDArray[np.float64]
    share: NDArray[np.float64]
    touching: NDArray[np.bool_]

    @classmethod
    def of(cls, source: Source) -> ClickFacts:
        """Those of a source with objects; without affinity, patches are like themselves alone."""
        if source.objects is None:
            raise ValueError("the source tells no objects")
        small, _ = thinned(source.label_map)
        count = source.patches
        area = areas(small, count)  # (P,)
        chance = np.asarray(source.objects.chances / SURE, dtype=np.float32)  # (3, P, P)
        score = source.objects.scores.astype(np.float32)  # (3, P)
        smallest, _, largest = source.objects.by_extent(area)  # (P,) each
        every = np.arange(count)
        return cls(
            chance,
            score,
            np.einsum("cq,cqp->qp", _weights(score), chance),
            chance[smallest, every],
            chance[largest, every],
            np.eye(count) if source.affinity is None else likeness(source.affinity),
            _centres(small, area),
            np.maximum(area, 1) / small.size,  # one that thinning misses is hardly there
            touching_patches(small, count),
        )


def answer(
    facts: ClickFacts,
    clicks: Sequence[PatchClick],
    first: NDArray[np.float32] | None = None,
    logits: Network | None = None,
    asked: Callable[[NDArray[np.float32]], None] | None = None,
) -> NDArray[np.bool_]:
    """The patches of a thing.

    After each click but the first the network is asked anew, and told what it said before. What was
    clicked last counts for a patch, and what is not connected to a joined patch is left out.

    Args:
        facts: of the source.
        clicks: at least one; the first one joins.
        first: (P,) chances of what the first click means (:mod:`eie.editing.candidate_ranking`);
            None for the best-scored candidate of its patch.
        logits: of features (P, 22), logits (P,); None for the embedded network's.
        asked: gets what the network is asked after the last click.

    Returns:
        (P,) bool; nothing if the last joined patch was cut off again.
    """
    logits = logits or _embedded()
    if first is None:
        patch = clicks[0].patch
        first = facts.chance[facts.score[:, patch].argmax(), patch]  # (P,)
    chance, inside = first, 2 * first > 1  # (P,) each
    for count in range(max(2, len(clicks) - _REMEMBERED + 1), len(clicks) + 1):
        features = click_features(facts, clicks[:count], first, chance)  # (P, 22)
        if asked and count == len(clicks):
            asked(features)
        told = logits(features)  # (P,)
        chance, inside = 1 / (1 + np.exp(-told)), told > 0
    joined, apart = _sides(clicks)
    inside = inside.copy()
    inside[apart] = False
    inside[joined] = True
    return connected(inside, joined, facts.touching)


def click_features(
    facts: ClickFacts,
    clicks: Sequence[PatchClick],
    first: NDArray[np.float32],
    before: NDArray[np.float32],
) -> NDArray[np.float32]:
    """(P, 22) numbers in [0, 1] or a little above: what clicks say of every patch.

    Eight of what joins and eight of what cuts off (see :func:`_told`); the answer before, the first
    and the last click's; whether the last joins, and touches the patch; how many cut off.

    Args:
        first: (P,) the chances after the first click.
        before: (P,) those before the last one.
    """
    joined, apart = _sides(clicks)
    last, joins = clicks[-1]
    count = len(before)
    columns = [
        *_told(facts, joined, apart),
        *_told(facts, apart, joined),
        before,
        first,
        facts.mean[last],
        np.full(count, joins),
        facts.touching[:, last],
        np.full(count, len(apart) / 4),
    ]
    return np.stack(columns, axis=1).astype(np.float32)


def _told(
    facts: ClickFacts, clicked: NDArray[np.intp], others: NDArray[np.intp]
) -> list[NDArray[np.floating]]:
    """Eight columns (P,) of what patches that were clicked alike say, zeros if there are none.

    The likeliest and the mean of their candidates' means; the likeliest by the candidates that have
    all of these patches and none of the others; the likeliest by the smallest and by the largest
    ones; by what the patch itself stands for; how alike and how near the next of them is.
    """
    if not len(clicked):
        return [np.zeros(len(facts.centre))] * 8
    chance = facts.chance[:, clicked]  # (3, K, P)
    fit = np.log(chance[..., clicked] + _DOUBT).sum(axis=2)  # (3, K)
    fit += np.log(1 - chance[..., others] + _DOUBT).sum(axis=2)
    weight = _weights(facts.score[:, clicked], fit)  # (3, K)
    way = facts.centre[:, None] - facts.centre[clicked]  # (P, K, 2)
    mean = facts.mean[clicked]  # (K, P)
    return [
        mean.max(axis=0),
        mean.mean(axis=0),
        np.einsum("ck,ckp->kp", weight, chance).max(axis=0),
        facts.part[clicked].max(axis=0),
        facts.whole[clicked].max(axis=0),
        facts.mean[:, clicked].max(axis=1),
        facts.likeness[:, clicked].max(axis=1),
        np.exp(-_NEAR * np.linalg.norm(way, axis=2).min(axis=1)),
    ]


def _sides(clicks: Sequence[PatchClick]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The patches that are joined, and those that are cut off; what was clicked last counts."""
    last = dict(clicks)
    joined, apart = ([p for p, joins in last.items() if joins is side] for side in (True, False))
    return np.array(joined, dtype=np.intp), np.array(apart, dtype=np.intp)


def _weights(
    score: NDArray[np.float32], fit: NDArray[np.floating] | float = 0.0
) -> NDArray[np.float32]:
    """(3, K) that sum to 1 over the candidates: by their scores, and how well they fit (log)."""
    logits = SHARPNESS * score + fit  # (3, K)
    weight = np.exp(logits - logits.max(axis=0))
    return np.asarray(weight / weight.sum(axis=0), dtype=np.float32)


def _centres(labels: NDArray[np.integer], area: NDArray[np.int64]) -> NDArray[np.float64]:
    """(P, 2) mean x and y of the labels' pixels, in longer sides."""
    height, width = labels.shape
    flat = labels.ravel()
    x, y = (np.tile(np.arange(width), height), np.repeat(np.arange(height), width))
    sums = [np.bincount(flat, weights=at, minlength=len(area)) for at in (x, y)]
    side = np.maximum(area, 1) * max(height, width)  # (P,)
    return np.asarray(np.stack(sums, axis=1) / side[:, None])


def network(weights: Path) -> Network:
    """What features (P, 22) say: logits (P,), by weights that `eie train corrections` wrote."""
    from safetensors.numpy import load_file

    tensors = load_file(weights)
    *hidden, last = ((tensors[f"{i}.weight"], tensors[f"{i}.bias"]) for i in (0, 2, 4))

    def logits(features: NDArray[np.float32]) -> NDArray[np.float32]:
        x = 2 * features - 1  # (P, 22)
        for weight, bias in hidden:
            x = np.maximum(x @ weight.T + bias, 0)  # (P, hidden)
        told: NDArray[np.float32] = (x @ last[0].T + last[1])[:, 0]
        return told

    return logits


@lru_cache(maxsize=1)
def _embedded() -> Network:
    return network(WEIGHTS)
