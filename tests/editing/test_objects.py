"""The thing at a place, where the file says what points stand for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from eie.editing import Copy, Move, edit, select
from eie.editing.objects import Extent, candidate, extent_of
from eie.editing.selection import parse_selection
from eie.elements import SURE, ElementSet, ObjectMasks, Source
from eie.errors import UsageError

PART, THING, GROUP = {0, 1}, {0, 1, 2}, {0, 1, 2, 3}


def objects_of(*candidates: list[set[int]], scores: tuple[float, float, float]) -> ObjectMasks:
    """What points on patches stand for: for each patch three sets of patches."""
    count = len(candidates)
    chances = np.zeros((3, count, count), dtype=np.uint8)
    for patch, of_patch in enumerate(candidates):
        for index, members in enumerate(of_patch):
            chances[index, patch, list(members)] = SURE
    return ObjectMasks(chances, np.tile(np.float32(scores)[:, None], count))


@pytest.fixture
def row_of_five() -> ElementSet:
    """Five patches in a row: 0 and 1 are a part of 0 to 2, which stand beside 3; 4 is alone."""
    first, last = [GROUP, PART, THING], [{4}, {4}, {4}]
    beside = [GROUP, {3}, {3}]
    objects = objects_of(first, first, [GROUP, {2}, THING], beside, last, scores=(0.3, 0.5, 0.75))
    labels = np.repeat(np.repeat(np.arange(5), 10)[None], 12, axis=0)
    pixels = np.zeros((12, 50, 3), dtype=np.uint8)
    return ElementSet.from_source(Source.from_label_map(labels, pixels=pixels, objects=objects))


def chosen(elements: ElementSet, text: str) -> set[int]:
    return set(select(elements, text).tolist())


def test_an_element_stands_for_its_best_scored_candidate(row_of_five: ElementSet) -> None:
    for cut_by, click in (("tiny", "object@{},5:object"), ("sam_vit_b.pth", "object@{},5")):
        elements = replace(row_of_five, decomposition={"segmenter": cut_by})
        assert chosen(elements, click.format(5)) == THING
        assert chosen(elements, click.format(35)) == {3}
        assert chosen(elements, click.format(45)) == {4}


def test_a_click_takes_a_candidate_with_its_element(row_of_five: ElementSet) -> None:
    for x in (1, 5, 12, 18, 27):
        assert chosen(row_of_five, f"object@{x},5") in (PART, THING, GROUP, {2})
    assert chosen(row_of_five, "object@45,5") == {4}


def test_a_click_means_the_same_where_its_thing_was_moved() -> None:
    random = np.random.default_rng(0)
    labels = np.kron(np.arange(24).reshape(4, 6), np.ones((10, 10), int))
    objects = ObjectMasks.of(random.random((3, 24, 24)), random.random((3, 24)).astype("f4"))
    pixels = np.zeros((40, 60, 3), dtype=np.uint8)
    elements = ElementSet.from_source(Source.from_label_map(labels, pixels=pixels, objects=objects))
    moved = edit(elements, [Move("all", "+13,-4")])
    for x, y in random.integers((15, 5), (45, 30), (12, 2)).tolist():
        assert chosen(elements, f"object@{x},{y}") == chosen(moved, f"object@{x + 13},{y - 4}")


def test_part_and_whole_are_the_smallest_and_the_largest(row_of_five: ElementSet) -> None:
    assert chosen(row_of_five, "object@5,5:part") == PART
    assert chosen(row_of_five, "object@5,5 : whole") == GROUP
    assert chosen(row_of_five, "object@5,5:part:grow") == THING


def test_a_tolerance_moves_between_the_three(row_of_five: ElementSet) -> None:
    found = [chosen(row_of_five, f"object@5,5~{t}") for t in (0, 0.2, 0.5, 0.9, 1)]
    assert found == [PART, PART, THING, GROUP, GROUP]
    assert extent_of(0.55) is Extent.OBJECT


def test_places_of_one_thing_are_asked_for_together(row_of_five: ElementSet) -> None:
    assert chosen(row_of_five, "object@5,5+object@35,5") == GROUP
    assert chosen(row_of_five, "object@5,5-object@25,5") == {0, 1}


def test_what_is_not_connected_is_left_out_until_it_is_asked_for() -> None:
    twins = [{0, 1, 3}, {0, 1, 3}, {0, 1, 3}]
    objects = objects_of(twins, twins, [{2}] * 3, twins, [{4}] * 3, scores=(0.5, 0.5, 0.5))
    labels = np.repeat(np.repeat(np.arange(5), 10)[None], 12, axis=0)
    elements = ElementSet.from_source(Source.from_label_map(labels, objects=objects))
    assert chosen(elements, "object@5,5") == {0, 1}
    assert chosen(elements, "object@35,5") == {3}
    assert chosen(elements, "object@5,5+object@35,5") == {0, 1, 3}


def test_what_is_cut_off_takes_its_object_from_what_else_is_chosen(row_of_five: ElementSet) -> None:
    assert chosen(row_of_five, "all-object@45,5") == {0, 1, 2, 3}
    assert chosen(row_of_five, "0,4+object@5,5-object@45,5") == chosen(
        row_of_five, "object@5,5-object@45,5"
    )


def test_what_is_cut_off_last_stays_out(row_of_five: ElementSet) -> None:
    assert 1 not in chosen(row_of_five, "object@5,5+object@15,5-object@15,5")
    with pytest.raises(UsageError, match="empty"):
        chosen(row_of_five, "object@5,5-object@5,5")


def test_a_candidate_is_the_smallest_or_the_largest() -> None:
    objects = objects_of(*[[{0, 1}, {0, 1}, {0}]] * 2, scores=(0.9, 0.9, 0.2))
    assert candidate(objects, 0, np.ones(2), Extent.PART).tolist() == [True, False]
    assert candidate(objects, 0, np.ones(2), Extent.WHOLE).all()


def test_a_copy_has_objects_of_its_own(row_of_five: ElementSet) -> None:
    copied = edit(row_of_five, [Copy("object@5,5", "0,20")])
    assert len(chosen(copied, "object@5,5")) == 3
    moved = edit(row_of_five, [Move("object@5,5", "0,-4")])
    assert chosen(moved, "object@5,2") == THING


def test_extents_survive_their_text_and_are_not_changed_by_a_tolerance() -> None:
    selection = parse_selection("object@5,5:whole+object@7,7-object@9,9:part:grow=2")
    assert parse_selection(str(selection)) == selection
    text = str(selection.with_tolerance(0.3))
    assert text == "object@5,5:whole+object@7,7~0.3-object@9,9:part:grow=2"


def test_without_objects_extents_mean_growing(row_of_five: ElementSet) -> None:
    source = replace(row_of_five.sources[0], objects=None, affinity=np.eye(5, dtype=np.float32))
    elements = replace(row_of_five, sources=(source,))
    assert chosen(elements, "object@5,5:whole") == {0}
