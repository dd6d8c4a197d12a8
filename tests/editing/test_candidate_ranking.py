"""What one click means."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eie.editing.candidate_ranking import (
    FACTS,
    candidate_facts,
    candidates_with,
    meant,
    places,
    unranked,
)
from eie.editing.click_facts import ClickFacts, PatchClick
from eie.elements import ObjectMasks, Source

SIDE, PATCH = 5, 12
PATCHES = SIDE * SIDE


def patches_of(lines: slice, columns: slice) -> np.ndarray:
    inside = np.zeros((SIDE, SIDE), bool)
    inside[lines, columns] = True
    return inside.ravel()


LEFT, ALL = patches_of(slice(1, 4), slice(0, 3)), patches_of(slice(1, 4), slice(0, 5))


def source_of(masks: dict[int, list[np.ndarray]], scores: np.ndarray | None = None) -> Source:
    """Five by five patches; what points on some of them stand for, the others for themselves."""
    labels = np.kron(np.arange(PATCHES).reshape(SIDE, SIDE), np.ones((PATCH, PATCH), int))
    chances = np.repeat(np.eye(PATCHES)[None], 3, axis=0)  # (3, P, P)
    for patch, three in masks.items():
        chances[:, patch] = three
    if scores is None:
        scores = np.full((3, PATCHES), 0.5, np.float32)
    objects = ObjectMasks.of(chances, scores)
    return Source.from_label_map(labels, objects=objects, affinity=np.eye(PATCHES, dtype="f4"))


def random_source(seed: int) -> Source:
    random = np.random.default_rng(seed)
    masks = {patch: random.random((3, PATCHES)) for patch in range(PATCHES)}
    return source_of(masks, random.random((3, PATCHES)).astype(np.float32))


within_photo = st.floats(0, SIDE * PATCH, exclude_max=True)


@settings(deadline=None)
@given(st.integers(0, 5), within_photo, within_photo)
def test_facts_are_finite_and_what_is_meant_is_a_connected_candidate(seed, x, y) -> None:
    source = random_source(seed)
    facts = ClickFacts.of(source)
    patch = int(source.label_map[int(y), int(x)])
    click = PatchClick(patch, (x, y))
    candidates = candidates_with(facts, patch)
    told = candidate_facts(facts, candidates, click)
    assert told.shape == (len(candidates.inside), FACTS)
    assert np.isfinite(told).all()
    assert np.abs(told).max() < 20
    inside = meant(facts, click).best
    assert inside[patch]
    assert (candidates.inside == inside).all(axis=1).any()


def test_candidates_of_other_patches_that_have_the_clicked_one_count_once() -> None:
    scores = np.full((3, PATCHES), 0.2, np.float32)
    scores[1, 11] = 0.9
    source = source_of({10: [LEFT] * 3, 11: [LEFT, ALL, LEFT], 12: [LEFT] * 3}, scores)
    found = candidates_with(ClickFacts.of(source), 10)
    sizes = dict(zip(found.inside.sum(axis=1).tolist(), range(len(found.inside)), strict=True))
    assert set(sizes) == {9, 15}
    nine, fifteen = sizes[9], sizes[15]
    assert (found.number[nine], found.number[fifteen]) == (8, 1)
    assert (found.own[nine], found.own[fifteen]) == (True, False)
    np.testing.assert_allclose(found.score[[nine, fifteen]], [0.2, 0.9], atol=0.01)


def test_what_is_not_connected_to_the_clicked_patch_is_no_part_of_a_candidate() -> None:
    apart = patches_of(slice(0, 1), slice(0, 1)) | patches_of(slice(4, 5), slice(4, 5))
    found = candidates_with(ClickFacts.of(source_of({0: [apart] * 3})), 0)
    np.testing.assert_array_equal(found.inside, patches_of(slice(0, 1), slice(0, 1))[None])


def test_facts_tell_in_the_middle_of_which_candidate_a_point_lies() -> None:
    source = source_of({10: [LEFT, ALL, ALL], 12: [LEFT, ALL, ALL]})
    facts = ClickFacts.of(source)
    deep, far = FACTS - 5, FACTS - 3
    for x, middle in ((1.5 * PATCH, LEFT), (2.4 * PATCH, ALL)):
        point = (x, 2.5 * PATCH)
        candidates = candidates_with(facts, int(source.label_map[int(point[1]), int(x)]))
        told = candidate_facts(facts, candidates, PatchClick(12, point))
        [row] = np.flatnonzero((candidates.inside == middle).all(axis=1))
        assert told[row, deep] > 0.95
        assert told[row, far] == told[:, far].min()


def test_the_networks_choose_and_the_point_decides() -> None:
    source = source_of({10: [LEFT, ALL, ALL], 11: [LEFT, ALL, ALL], 12: [LEFT, ALL, ALL]})
    facts = ClickFacts.of(source)

    def nearest_centre(told: np.ndarray) -> np.ndarray:
        return -told[:, FACTS - 3]

    for x, middle in ((1.5 * PATCH, LEFT), (2.4 * PATCH, ALL)):
        patch = int(source.label_map[int(2.5 * PATCH), int(x)])
        told = meant(facts, PatchClick(patch, (x, 2.5 * PATCH)), nearest_centre)
        np.testing.assert_array_equal(told.best, middle)


@pytest.mark.parametrize("chance", [0, 128, 255])
@pytest.mark.parametrize("affinity", [None, np.zeros((6, 6), "f4")])
def test_what_says_nothing_of_anything_leaves_the_clicked_patch(chance, affinity) -> None:
    labels = np.repeat(np.arange(6), 2)[None]
    objects = ObjectMasks(np.full((3, 6, 6), chance, np.uint8), np.zeros((3, 6), np.float32))
    source = Source.from_label_map(labels, objects=objects, affinity=affinity)
    inside = meant(ClickFacts.of(source), PatchClick(5, (10.0, 0.0))).best
    assert inside.sum() == (6 if chance > 127 else 1)
    assert inside[5]


def test_a_patch_that_thinning_misses_can_be_clicked() -> None:
    labels = np.zeros((1500, 1500), int)
    labels[1, 1] = 1
    objects = ObjectMasks.of(np.repeat(np.eye(2)[None], 3, axis=0), np.zeros((3, 2), "f4"))
    source = Source.from_label_map(labels, objects=objects)
    facts = ClickFacts.of(source)
    click = PatchClick(1, (1.0, 1.0))
    assert np.isfinite(candidate_facts(facts, candidates_with(facts, 1), click)).all()
    assert meant(facts, click).best.tolist() == [False, True]


def test_a_patch_too_thin_for_the_small_map_can_be_clicked() -> None:
    labels = np.zeros((40, 1600), int)
    labels[:, 800:] = 1
    labels[7, 33] = 2
    chances = np.repeat(np.eye(3)[None], 3, axis=0)
    objects = ObjectMasks.of(chances, np.full((3, 3), 0.5, np.float32))
    source = Source.from_label_map(labels, objects=objects, affinity=np.eye(3, dtype="f4"))
    told = meant(ClickFacts.of(source), PatchClick(2, (33.0, 7.0)))
    np.testing.assert_array_equal(told.best, [False, False, True])


def test_without_ranking_the_best_scored_candidate_of_the_patch_is_the_likeliest() -> None:
    scores = np.full((3, PATCHES), 0.9, np.float32)
    scores[:, 10] = (0.2, 0.4, 0.3)
    source = source_of({10: [LEFT, ALL, LEFT], 11: [LEFT] * 3}, scores)
    told = unranked(ClickFacts.of(source), 10)
    np.testing.assert_array_equal(told.best, ALL)
    assert told.chance.sum() == pytest.approx(1)


@settings(deadline=None)
@given(st.integers(0, 99), within_photo, within_photo)
def test_depths_are_those_in_the_whole_photo(seed, x, y) -> None:
    random = np.random.default_rng(seed)
    small = ClickFacts.of(source_of({})).small
    masks = random.random((9, PATCHES)) < random.choice([0.1, 0.5, 0.9], size=(9, 1))
    masks[0] = False
    deep, far, *_ = places(small, masks, (x, y))
    for mask, deeper, farther in zip(masks, deep, far, strict=True):
        depth = cv2.distanceTransform(
            np.pad(mask[small.labels], 1).astype(np.uint8), cv2.DIST_L2, 5
        )[1:-1, 1:-1]
        line, column = np.unravel_index(int(depth.argmax()), depth.shape)
        assert deeper == pytest.approx(depth[int(y), int(x)] / max(depth.max(), 1e-3))
        way = np.hypot(column - int(x), line - int(y)) / max(depth.max(), 1)
        assert not mask.any() or farther == pytest.approx(min(way, 3))
