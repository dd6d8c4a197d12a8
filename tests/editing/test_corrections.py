"""Several clicks on one thing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eie.editing.corrections import FEATURES, ClickFacts, PatchClick, answer, click_features
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


clicks = st.lists(
    st.builds(PatchClick, st.integers(0, PATCHES - 1), st.booleans()), min_size=0, max_size=6
)


@settings(deadline=None)
@given(st.integers(0, 5), st.integers(0, PATCHES - 1), clicks)
def test_clicked_patches_are_taken_or_left_as_asked_last(seed, first, others) -> None:
    asked = [PatchClick(first, True), *others]
    inside = answer(ClickFacts.of(source_of(seed)), asked)
    last = dict(asked)
    assert all(inside[patch] == joins for patch, joins in last.items())
    assert inside.any() == any(last.values())


@settings(deadline=None)
@given(st.integers(0, 5), st.integers(0, PATCHES - 1), clicks)
def test_numbers_about_patches_are_finite_and_small(seed, first, others) -> None:
    asked = [PatchClick(first, True), *others]
    unsure = np.full(PATCHES, 0.5, np.float32)
    features = click_features(ClickFacts.of(source_of(seed)), asked, unsure, unsure)
    assert features.shape == (PATCHES, FEATURES)
    assert features.dtype == np.float32
    assert features.min() >= 0
    assert features.max() <= 1.5


def test_each_answer_is_told_the_one_before() -> None:
    asked: list[np.ndarray] = []
    said = iter([[3.0] * PATCHES, [-3.0] * PATCHES])
    answer(
        ClickFacts.of(source_of(0)),
        [PatchClick(0, True), PatchClick(1, True), PatchClick(2, False)],
        logits=lambda _: np.float32(next(said)),
        asked=asked.append,
    )
    (last,) = asked
    np.testing.assert_allclose(last[:, 16], 1 / (1 + np.exp(-3.0)), rtol=1e-6)


def test_the_first_answer_is_what_it_is_told_to_be() -> None:
    first = np.zeros(PATCHES, np.float32)
    first[[3, 4]] = 0.8
    asked: list[np.ndarray] = []
    facts = ClickFacts.of(source_of(0))
    assert np.flatnonzero(answer(facts, [PatchClick(3, True)], first)).tolist() == [3, 4]
    answer(facts, [PatchClick(3, True), PatchClick(8, True)], first, asked=asked.append)
    np.testing.assert_array_equal(asked[0][:, 16], first)


def test_what_is_not_connected_to_a_joined_patch_is_left_out() -> None:
    logits = np.full(PATCHES, -9.0, np.float32)
    logits[[0, 8]] = 9.0
    asked = [PatchClick(0, True), PatchClick(1, True)]
    inside = answer(ClickFacts.of(source_of(0)), asked, logits=lambda _: logits)
    assert np.flatnonzero(inside).tolist() == [0, 1]


def test_a_source_without_objects_has_no_facts() -> None:
    with pytest.raises(ValueError, match="no objects"):
        ClickFacts.of(Source.from_label_map(np.zeros((2, 2), int)))
