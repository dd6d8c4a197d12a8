"""The things at all elements at once are those at each."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eie.editing import Copy, Delete, Front, Move, Rotate, edit
from eie.editing.all_objects import EXTENTS, all_objects, connected_candidates, has_objects
from eie.editing.objects import object_at
from eie.elements import SURE, ElementSet, ObjectMasks, Source
from eie.errors import UsageError

from .conftest import quilt_of


def one_by_one(elements: ElementSet) -> np.ndarray:
    """As `all_objects`, by :func:`object_at`; the middle extent is what a point means by itself."""
    members = np.zeros((len(elements), 3, len(elements)), dtype=bool)
    among = elements.table.visible
    for row in np.flatnonzero(among).tolist():
        for kind, extent in enumerate(EXTENTS):
            asked = None if kind == 1 else extent
            found = object_at(elements, row, among, extent=asked)
            members[row, kind, found] = True
    return members


def with_objects(seed: int) -> ElementSet:
    """A quilt whose patches have random candidates."""
    elements = quilt_of(seed)
    [source] = elements.sources
    random = np.random.default_rng(seed)
    count = source.patches
    probabilities = random.random((3, count, count)) ** random.choice([0.3, 1.0, 3.0])
    objects = ObjectMasks.of(probabilities, random.random((3, count)).astype(np.float32))
    return replace(elements, sources=(replace(source, objects=objects),))


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 99),
    operations=st.lists(
        st.sampled_from(
            [Delete("0-3"), Move("8", "+13,-4"), Copy("7,8,13,14", "+20,0"), Front("9"),
             Rotate("5,6", "30"), Copy("all", "+3,3"), Delete("20")]
        ),
        max_size=4,
        unique=True,
    ),
)  # fmt: skip
def test_they_are_those_at_each_element(seed, operations):
    elements = with_objects(seed)
    for operation in operations:
        try:
            elements = edit(elements, [operation])
        except UsageError:  # what it names is deleted
            continue
    assert np.array_equal(all_objects(elements), one_by_one(elements))


def test_without_candidates_they_are_grown(quilt):
    elements = edit(quilt, [Copy("7,8,13,14", "+20,0"), Delete("0")])
    assert np.array_equal(all_objects(elements), one_by_one(elements))


def test_a_source_that_tells_nothing_has_none(quilt):
    [source] = quilt.sources
    bare = replace(quilt, sources=(replace(source, affinity=None),))
    assert has_objects(quilt) and not has_objects(bare)
    with pytest.raises(UsageError, match="no element affinity"):
        all_objects(bare)


def test_a_long_way_is_found():
    """A snake of patches that touch only before and behind."""
    count = 70
    objects = ObjectMasks(
        np.full((3, count, count), SURE, dtype=np.uint8), np.ones((3, count), dtype=np.float32)
    )
    near = np.eye(count, k=1, dtype=bool)
    touching = near | near.T
    touching[40, 41] = touching[41, 40] = False
    found = connected_candidates(objects, np.ones(count, dtype=int), touching)
    assert found[:41, :, :41].all() and found[41:, :, 41:].all()
    assert not found[:41, :, 41:].any()


def test_patches_that_touch_nothing_are_alone():
    objects = ObjectMasks(np.full((3, 3, 3), SURE, np.uint8), np.ones((3, 3), np.float32))
    found = connected_candidates(objects, np.ones(3, dtype=int), np.zeros((3, 3), dtype=bool))
    assert np.array_equal(found[:, 0], np.eye(3, dtype=bool))


def test_a_single_element_is_its_own_thing():
    source = Source.from_label_map(np.zeros((4, 4), int), affinity=np.ones((1, 1), np.float32))
    assert all_objects(ElementSet.from_source(source)).tolist() == [[[True]] * 3]


def test_without_candidates_and_copies_they_are_grown_together(quilt):
    elements = edit(quilt, [Move("8", "+13,-4"), Delete("20"), Rotate("5,6", "30")])
    assert np.array_equal(all_objects(elements), one_by_one(elements))
