"""Several clicks on one thing."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from eie.editing.candidate_ranking import meant
from eie.editing.click_facts import ClickFacts, Hypotheses, PatchClick
from eie.editing.corrections import FACTS, answer, changes_by, correction_facts, hypotheses
from eie.elements import ObjectMasks, Source

PATCHES = 9


def source_of(seed: int) -> Source:
    """Three by three patches, of which points stand for anything."""
    random = np.random.default_rng(seed)
    labels = np.kron(np.arange(PATCHES).reshape(3, 3), np.ones((6, 8), int))
    chances = random.random((3, PATCHES, PATCHES))
    objects = ObjectMasks.of(chances, random.random((3, PATCHES)).astype(np.float32))
    affinity = random.random((PATCHES, PATCHES)).astype(np.float32)
    return Source.from_label_map(labels, objects=objects, affinity=affinity)


def on(patch: int, joins: bool = True) -> PatchClick:
    """A click in the middle of one of the patches."""
    line, column = divmod(patch, 3)
    return PatchClick(patch, (8 * column + 4, 6 * line + 3), joins)


def mask_of(*patches: int) -> np.ndarray:
    return np.isin(np.arange(PATCHES), patches)


def believing(*patches: int) -> Hypotheses:
    """Surely these patches."""
    return Hypotheses(mask_of(*patches)[None], np.ones(1, np.float32))


clicks = st.lists(st.builds(on, st.integers(0, PATCHES - 1), st.booleans()), min_size=0, max_size=5)


@settings(deadline=None)
@given(st.integers(0, 5), st.integers(0, PATCHES - 1), clicks)
def test_clicked_patches_are_taken_or_left_as_asked_last(seed, first, others) -> None:
    asked = [on(first), *others]
    inside = answer(ClickFacts.of(source_of(seed)), asked)
    last = {click.patch: click.joins for click in asked}
    assert all(inside[patch] == joins for patch, joins in last.items())
    assert inside.any() == any(last.values())


@settings(deadline=None)
@given(st.integers(0, 5), st.integers(0, PATCHES - 1), clicks)
def test_facts_are_finite_and_small_and_hypotheses_differ(seed, first, others) -> None:
    facts, asked = ClickFacts.of(source_of(seed)), [on(first), *others]
    believed = meant(facts, asked[0])
    for count in range(2, len(asked) + 1):
        before, so_far = believed.best, asked[:count]
        changes = changes_by(facts, before, so_far[-1])
        made = hypotheses(facts, believed, before, so_far, changes)
        told = correction_facts(facts, made, believed, before, so_far, changes)
        assert told.shape == (len(made.inside), FACTS)
        assert np.isfinite(told).all()
        assert np.abs(told).max() < 20
        assert len(np.unique(made.inside, axis=0)) == len(made.inside)
        believed = Hypotheses.ranked(made.inside, told[:, 0])


def test_of_many_clicks_those_long_ago_count_too() -> None:
    random = np.random.default_rng(0)
    asked = [on(0), on(8), on(4, joins=False)]
    asked += [on(int(random.choice([1, 2, 3, 5, 6, 7])), bool(i % 2)) for i in range(40)]
    inside = answer(ClickFacts.of(source_of(1)), asked)
    assert inside[[0, 8]].all()
    assert not inside[4]


def test_what_is_missing_joins_and_what_is_too_much_is_cut_off() -> None:
    """Points on the left column stand for it, all others for all but the left column."""
    chances = np.zeros((3, PATCHES, PATCHES))
    left = mask_of(0, 3, 6)
    chances[:, left] = left
    chances[:, ~left] = ~left
    objects = ObjectMasks.of(chances, np.full((3, PATCHES), 0.5, np.float32))
    facts = ClickFacts.of(Source.from_label_map(source_of(0).label_map, objects=objects))
    every = mask_of(*range(PATCHES))
    for start, click, wanted in (
        (left, on(4), every),
        (every, on(4, joins=False), left),
        (every, on(6, joins=False), ~left),
    ):
        asked = [on(1 if click.patch == 6 else 0), click]
        believed = Hypotheses(start[None], np.ones(1, np.float32))
        changes = changes_by(facts, start, click)
        np.testing.assert_array_equal(changes.part.best, ~left if click.patch == 4 else left)
        made = hypotheses(facts, believed, start, asked, changes)
        assert (made.inside == wanted).all(axis=1).any()
        assert (made.inside[:, click.patch] == click.joins).all()


def test_facts_tell_whether_the_click_lies_in_the_middle_of_the_error() -> None:
    """The one is right if all but the left column was missing, the other if the right column was:
    in the middle of which the click is tells them apart."""
    facts, before = ClickFacts.of(source_of(0)), mask_of(0, 3, 6)
    column = mask_of(0, 3, 6, 2, 5, 8)
    made = Hypotheses(np.stack([np.ones(PATCHES, bool), column]), np.ones(2, np.float32))
    deep, far = FACTS - 5, FACTS - 3
    for x, nearest in ((16, 0), (20, 1)):
        asked = [on(3), PatchClick(5, (x, 9), True)]
        changes = changes_by(facts, before, asked[-1])
        told = correction_facts(facts, made, believing(0, 3, 6), before, asked, changes)
        assert told[:, far].argmin() == nearest
    assert told[1, deep] > 0.7


def test_an_answer_takes_what_is_ranked_first() -> None:
    facts = ClickFacts.of(source_of(0))
    assert np.flatnonzero(answer(facts, [on(3)], believing(3, 4))).tolist() == [3, 4]
    asked: list[int] = []

    def last(told: np.ndarray) -> np.ndarray:
        asked.append(len(told))
        return np.arange(len(told), dtype=np.float32)

    clicked = [on(3), on(8)]
    inside = answer(facts, clicked, believing(3, 4), correct=last)
    changes = changes_by(facts, mask_of(3, 4), clicked[-1])
    made = hypotheses(facts, believing(3, 4), mask_of(3, 4), clicked, changes)
    assert asked == [len(made.inside)]
    np.testing.assert_array_equal(inside, made.inside[-1])


def test_what_is_not_connected_to_a_joined_patch_is_left_out() -> None:
    facts, before = ClickFacts.of(source_of(0)), mask_of(0, 1, 2)
    asked = [on(0), on(1, joins=False)]
    changes = changes_by(facts, before, asked[-1])
    made = hypotheses(facts, believing(0, 1, 2), before, asked, changes)
    assert not made.inside[:, 2].any()
    assert (made.inside == mask_of(0)).all(axis=1).any()
