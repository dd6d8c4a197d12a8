"""Several clicks on one thing: every further one makes other answers likely.

what the clicks so far may mean ⇒ hypotheses and their chances (:mod:`.candidate_ranking`)
a further click                 ⇒ hypotheses that heed it: those before, with and without what the
                                  candidates of the clicked patch say is missing, or too much
each, and all clicks            ⇒ facts: how likely before, how alike, where the clicks lie in it
                                ⇒ small networks (two hidden layers), whose mean says which is meant

A person corrects what they see: they click into the middle of the largest error (Xu et al., "Deep
interactive object selection", CVPR 2016). What differs between a hypothesis and the answer before
is the error they saw if it is right, so a hypothesis is likely in whose largest difference the
click lies innermost. `eie train corrections` trains the networks;
:mod:`eie/models/weights/tiny-segmenter.md` says on what.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eie.editing.candidate_ranking import (
    candidate_facts,
    candidates_with,
    contrast,
    different,
    embedded,
    meant,
    places,
)
from eie.editing.click_facts import (
    ClickFacts,
    Hypotheses,
    Network,
    PatchClick,
    network,
    overlaps,
)
from eie.patch_graph import connected

WEIGHTS = Path(__file__).with_suffix(".safetensors")

FACTS = 44
"""Numbers that tell of a hypothesis; see :func:`correction_facts`."""

_REMEMBERED = 16
"""So many clicks, the last ones, correct the answer one by one; those before are told at once."""

_CHANGED, _KEPT, _HEEDED = 8, 300, 60
"""So many likely hypotheses are changed by a click, so many results are ranked, and with so many of
the likeliest before they are compared."""

_RESIZED, _SURER = 12, (0.25, 0.75)
"""So many of the likeliest changes are tried also with less and more of what may belong to them:
chances above which it does."""

_MOST = 3.0
"""Shares of what is small are at most this."""

_NOTHING = 1e-9


class Changes(NamedTuple):
    """What a click may add to an answer, or take away from it.

    inside: (R, P) bool, the candidates that have the clicked patch, the likeliest of them smaller
    and larger, too, and the patch alone. chance: (R,). part: what of each candidate the answer
    lacks, or has.
    """

    inside: NDArray[np.bool_]
    chance: NDArray[np.float32]
    part: Hypotheses


def answer(
    facts: ClickFacts,
    clicks: Sequence[PatchClick],
    first: Hypotheses | None = None,
    rank: Network | None = None,
    correct: Network | None = None,
) -> NDArray[np.bool_]:
    """The patches of a thing.

    What was clicked last counts for a patch, and what is not connected to a joined patch is left
    out.

    Args:
        facts: of the source.
        clicks: at least one; the first one joins.
        first: what the first click may mean; None for :func:`.candidate_ranking.meant`.
        rank: of facts of candidates, see there.
        correct: of facts (H, 44), logits (H,); None for the embedded networks'.

    Returns:
        (P,) bool; nothing if the last joined patch was cut off again.
    """
    believed = meant(facts, clicks[0], rank) if first is None else first
    before = believed.safest(facts.share) if first is None else first.best
    for count in range(max(2, len(clicks) - _REMEMBERED + 1), len(clicks) + 1):
        so_far = clicks[:count]
        changes = changes_by(facts, before, clicks[count - 1], rank)
        made = hypotheses(facts, believed, before, so_far, changes)
        told = correction_facts(facts, made, believed, before, so_far, changes)
        believed = Hypotheses.ranked(made.inside, (correct or _embedded())(told))
        before = believed.safest(facts.share)
    return before


def changes_by(
    facts: ClickFacts, before: NDArray[np.bool_], click: PatchClick, rank: Network | None = None
) -> Changes:
    """What a click may change in an answer (P,) bool, ranked as if it meant a thing by itself."""
    candidates = candidates_with(facts, click.patch)
    start = np.array([click.patch])
    side = candidates.inside & (before != click.joins)
    part = connected(side, start, facts.touching)
    cut = candidates._replace(inside=part)
    believed = Hypotheses.ranked(part, (rank or embedded())(candidate_facts(facts, cut, click)))
    top = np.argsort(-believed.chance, kind="stable")[:_RESIZED]
    resized = [
        connected(candidates.sure[top] > sure, start, facts.touching) for sure in _SURER
    ]  # (12, P) each
    alone = np.arange(len(before))[None] == start[:, None]  # (1, P)
    halved = np.tile(believed.chance[top] / 2, len(_SURER))
    return Changes(
        np.concatenate([candidates.inside, *resized, alone]),
        np.concatenate([believed.chance, halved, [believed.chance.mean()]]),
        believed,
    )


def hypotheses(
    facts: ClickFacts,
    believed: Hypotheses,
    before: NDArray[np.bool_],
    clicks: Sequence[PatchClick],
    changes: Changes,
) -> Hypotheses:
    """What clicks may mean: (H, P), and how likely each was before it is looked at (H,).

    Args:
        believed: what all but the last may mean.
        before: (P,) bool, what was answered to them.
        changes: what the last one may change.
    """
    joined, apart = _sides(clicks)
    patch, joins = clicks[-1].patch, clicks[-1].joins
    if not len(joined):
        return Hypotheses(np.zeros((1, len(before)), dtype=bool), np.ones(1, dtype=np.float32))
    likely = np.argsort(-believed.chance, kind="stable")[:_CHANGED]
    top = believed.chance.max()
    asked = np.isin(np.arange(len(before)), joined)  # (P,), those before were heeded unless skipped
    known = believed.inside | asked  # (K, P)
    base = np.stack([before | asked, *known[likely], np.zeros_like(before)])  # (B, P)
    chance = np.concatenate([[top], believed.chance[likely], [top]])  # (B,)
    fits = believed.inside[:, patch] == joins
    changed = base[:, None] | changes.inside if joins else base[:, None] & ~changes.inside
    inside = np.concatenate([known[fits], changed.reshape(-1, len(before))])
    prior = np.append(believed.chance[fits], np.outer(chance, changes.chance))
    has_all = inside[:, joined].all(axis=1)
    inside, prior = inside[has_all], prior[has_all]
    inside[:, apart] = False
    inside, prior = _likeliest(inside, prior)
    return Hypotheses(*_likeliest(connected(inside, joined, facts.touching), prior))


def correction_facts(
    facts: ClickFacts,
    made: Hypotheses,
    believed: Hypotheses,
    before: NDArray[np.bool_],
    clicks: Sequence[PatchClick],
    changes: Changes,
) -> NDArray[np.float32]:
    """(H, 44) numbers of about the size of 1: what tells the hypothesis that is meant from others.

    Args:
        made: the hypotheses.
        believed, before, clicks, changes: as of :func:`hypotheses`.
    """
    first, last = clicks[0], clicks[-1]
    share = facts.share.astype(np.float32)
    within = made.inside.astype(np.float32)  # (H, P)
    area = np.maximum(within @ share, _NOTHING)  # (H,)
    missing, surplus = made.inside & ~before, before & ~made.inside  # (H, P) each
    side, other = (missing, surplus) if last.joins else (surplus, missing)
    error = connected(side, np.array([last.patch]), facts.touching)  # (H, P)
    wrong = error.astype(np.float32)
    size = wrong @ share  # (H,)
    had = np.maximum(before @ share, _NOTHING)
    top = np.argsort(-believed.chance, kind="stable")[:_HEEDED]
    chance = believed.chance[top] / believed.chance[top].sum()
    fits = chance * (believed.inside[top, last.patch] == last.joins)
    alike = overlaps(within, believed.inside[top].astype(np.float32), share)  # (H, K)
    part = changes.part.inside.astype(np.float32)  # (C, P)
    changed = overlaps(wrong, part, share)  # (H, C)
    likely = changes.part.chance @ part  # (P,)
    some = np.ones(len(area))
    columns = [
        np.log(made.chance + 1e-12) / 5,
        alike @ chance,
        5 * (alike * chance).max(axis=1),
        alike @ (fits / max(fits.sum(), _NOTHING)),
        *_said(facts, within, first.patch),
        *_said(facts, wrong, last.patch),
        wrong @ (facts.mean[first.patch] * share) / size,
        changed.max(axis=1),
        changed @ changes.part.chance,
        3 * (changed * changes.part.chance).max(axis=1),
        changed[:, changes.part.chance.argmax()],
        wrong @ (likely * share) / size,
        *contrast(facts, within),
        *_borders(facts, wrong, within, before, last.joins),
        np.log(area) / 3,
        np.log(size) / 3,
        np.log(np.maximum(within.sum(axis=1), 1)) / 3,
        np.log(wrong.sum(axis=1)) / 3,
        np.minimum(size / area, _MOST),
        np.minimum(size / had, _MOST),
        np.minimum((side @ share - size) / size, _MOST),
        np.minimum(other @ share / size, _MOST),
        overlaps(within, before[None].astype(np.float32), share)[:, 0],
        some * last.joins,
        some * len(clicks) / 3,
        *places(facts.small, made.inside, first.point),
        *places(facts.small, error, last.point),
    ]
    return np.stack(columns, axis=1).astype(np.float32)


def _said(facts: ClickFacts, within: NDArray[np.float32], patch: int) -> list[NDArray[np.floating]]:
    """Four columns (H,) of what a patch says of masks (H, P): how much of them its candidates have,
    and of these they; how much of them has it in its own candidates; how alike they are."""
    weighed = within * facts.share.astype(np.float32)  # (H, P)
    area = np.maximum(weighed.sum(axis=1), _NOTHING)  # (H,)
    mine = facts.mean[patch]  # (P,)
    return [
        weighed @ mine / area,
        weighed @ mine / max(float(mine @ facts.share), _NOTHING),
        weighed @ facts.mean[:, patch] / area,
        weighed @ facts.likeness[patch] / area,
    ]


def _borders(
    facts: ClickFacts,
    error: NDArray[np.float32],
    within: NDArray[np.float32],
    before: NDArray[np.bool_],
    joins: bool,
) -> list[NDArray[np.floating]]:
    """How alike patches are that touch across the border of errors (H, P): to what is not in the
    thing where they join, to all else where they are cut off; to the thing; and within them."""
    touching = facts.touching.astype(np.float32)  # (P, P)
    alike, pairs = error @ (facts.likeness * touching), error @ touching  # (H, P) each
    outside = 1 - within if joins else (1 - error) * ~before
    thing = within * before if joins else within
    return [
        (alike * to).sum(axis=1) / np.maximum((pairs * to).sum(axis=1), 1)
        for to in (outside, thing, error)
    ]


def _likeliest(
    inside: NDArray[np.bool_], chance: NDArray[np.floating]
) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """The different ones of masks (K, P), the likeliest ones of them, and the best chance of each:
    (H, P), (H,)."""
    masks, same = different(inside)
    best = np.zeros(len(masks), dtype=np.float32)
    np.maximum.at(best, same, chance)
    top = np.argsort(-best, kind="stable")[:_KEPT]
    return masks[top], best[top]


def _sides(clicks: Sequence[PatchClick]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The patches that are joined, and those that are cut off; what was clicked last counts."""
    last = {click.patch: click.joins for click in clicks}
    joined, apart = ([p for p, joins in last.items() if joins is side] for side in (True, False))
    return np.array(joined, dtype=np.intp), np.array(apart, dtype=np.intp)


@lru_cache(maxsize=1)
def _embedded() -> Network:
    return network(WEIGHTS)
