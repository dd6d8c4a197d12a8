"""Objects grown from element affinity: what joins, what does not, and which instance is meant."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from eie.editing import Copy, Delete, Drag, Move, edit, select
from eie.editing.region_growing import grow
from eie.elements import ElementSet, Source
from eie.errors import UsageError


def line_of(affinity: NDArray[np.floating], area: int = 100) -> dict[str, NDArray[np.generic]]:
    """The arguments of `grow` for patches of one size in a line."""
    count = len(affinity)
    apart = np.abs(np.subtract.outer(np.arange(count), np.arange(count)))
    return {
        "affinity": np.asarray(affinity, dtype=np.float32),
        "area": np.full(count, area),
        "touching": apart == 1,
    }


def affinity_of(object_of: list[int], inside: float = 0.9, across: float = 0.1) -> NDArray:
    same = np.equal.outer(object_of, object_of)
    affinity = np.where(same, inside, across)
    np.fill_diagonal(affinity, 1.0)
    return affinity


def test_an_object_is_grown_to_its_border() -> None:
    affinity = affinity_of([0, 0, 1, 1, 1, 0])
    assert grow(**line_of(affinity), start=3).nonzero()[0].tolist() == [2, 3, 4]


def test_affinity_counts_in_both_directions():
    affinity = affinity_of([0, 0, 1, 2, 2])
    affinity[:2, 2] = 0.4  # the object's queries claim 2; the query of 2 does not claim them
    assert grow(**line_of(affinity), start=0).nonzero()[0].tolist() == [0, 1]
    affinity[2, :2] = 0.5
    assert grow(**line_of(affinity), start=0).nonzero()[0].tolist() == [0, 1, 2]


def test_one_strong_link_does_not_let_the_object_leak() -> None:
    affinity = affinity_of([0, 0, 0, 1, 1, 1])
    affinity[2, 3] = affinity[3, 2] = 0.85
    assert grow(**line_of(affinity), start=0).nonzero()[0].tolist() == [0, 1, 2]


def test_what_is_more_like_another_thing_stays_out() -> None:
    affinity = affinity_of([0, 0, 1, 2, 2])
    affinity[2, :2] = affinity[:2, 2] = 0.45
    assert grow(**line_of(affinity), start=0).nonzero()[0].tolist() == [0, 1, 2]
    affinity[2, 3:] = affinity[3:, 2] = 0.55
    assert grow(**line_of(affinity), start=0).nonzero()[0].tolist() == [0, 1]


def test_parts_of_an_object_do_not_take_each_other_for_another_thing() -> None:
    # The start is hardly like the others, which are the same thing, and like nothing else.
    affinity = affinity_of([0, 1, 1, 1, 2], across=0.0)
    affinity[0, 1:4] = affinity[1:4, 0] = 0.4
    assert grow(**line_of(affinity), start=0).nonzero()[0].tolist() == [0, 1, 2, 3]


def test_an_element_unlike_the_clicked_one_joins_by_the_others() -> None:
    affinity = affinity_of([0, 0, 0, 0, 1])
    affinity[0, 3] = affinity[3, 0] = 0.3
    assert grow(**line_of(affinity), start=0).nonzero()[0].tolist() == [0, 1, 2, 3]


def test_large_patches_have_more_to_say() -> None:
    affinity = affinity_of([0, 0, 0])
    affinity[1, 2] = affinity[2, 1] = 0.2
    arguments = line_of(affinity)
    arguments["area"] = np.array([1000, 10, 100])
    arguments["touching"] = np.ones((3, 3), dtype=bool)
    assert grow(**arguments, start=0).all()
    arguments["area"] = np.array([10, 1000, 100])
    assert grow(**arguments, start=0).nonzero()[0].tolist() == [0, 1]


def test_what_does_not_touch_the_object_stays_out() -> None:
    affinity = affinity_of([0, 0, 1, 0, 0])
    assert grow(**line_of(affinity), start=0).nonzero()[0].tolist() == [0, 1]


def test_tolerance_takes_more() -> None:
    affinity = 0.95 ** np.abs(np.subtract.outer(np.arange(30), np.arange(30)) * 1.0)
    sizes = [grow(**line_of(affinity), start=0, tolerance=t).sum() for t in (0, 0.1, 0.2, 0.25, 1)]
    assert sizes[0] == 1
    assert sizes[-1] == 30
    assert sizes == sorted(set(sizes))


def test_what_is_like_the_photos_edge_needs_a_better_fit() -> None:
    affinity = affinity_of([0, 0, 1, 2, 2])
    affinity[2, :2] = affinity[:2, 2] = 0.5  # the middle patch is as like the object
    affinity[2, 3:] = affinity[3:, 2] = 0.5  # as it is like the background
    arguments = line_of(affinity)
    assert grow(**arguments, start=0, tolerance=0.6).nonzero()[0].tolist() == [0, 1, 2]
    rim = np.array([0, 0, 0, 0, 50])
    assert grow(**arguments, start=0, tolerance=0.6, rim=rim).nonzero()[0].tolist() == [0, 1]
    # What is clicked is no background, though it reaches the edge.
    rim = np.array([50, 0, 0, 0, 0])
    assert grow(**arguments, start=0, tolerance=0.6, rim=rim).nonzero()[0].tolist() == [0, 1, 2]


def test_a_mottled_patch_is_measured_by_itself() -> None:
    affinity = affinity_of([0, 0, 1])
    affinity[1, 1] = affinity[0, 1] = affinity[1, 0] = 0.36
    assert grow(**line_of(affinity), start=0, tolerance=0.5).nonzero()[0].tolist() == [0, 1]


@given(arrays(np.float32, (7, 7), elements=st.floats(0, 1, width=32)), st.integers(0, 6))
def test_full_tolerance_takes_all_that_is_connected(affinity: NDArray, start: int) -> None:
    arguments = line_of(affinity) | {"rim": np.array([9, 3, 0, 0, 1, 0, 7])}
    assert grow(**arguments, start=start, tolerance=1).all()


def test_the_copy_and_the_original_are_told_apart(quilt: ElementSet) -> None:
    copied = edit(quilt, [Copy("object@15,15", "+25,+3")])
    assert sorted(select(copied, "object@15,15")) == [7, 8, 13, 14]
    assert sorted(select(copied, "object@45,25")) == [24, 25, 26, 27]
    torn = edit(copied, [Delete("25"), Move("26", "0,+2")])
    assert sorted(select(torn, "object@36,14")) == [24, 26, 27]


def test_a_copy_in_the_same_place_is_the_one_that_is_seen(quilt: ElementSet) -> None:
    copied = edit(quilt, [Copy("7,8,13,14", "0,0")])
    assert sorted(select(copied, "object@15,15")) == [24, 25, 26, 27]


def test_an_object_that_was_pulled_apart_is_still_one(quilt: ElementSet) -> None:
    torn = edit(quilt, [Move("8", "+20,0")])
    assert sorted(select(torn, "object@15,15")) == [7, 8, 13, 14]


def test_drag_moves_the_whole_object(quilt: ElementSet) -> None:
    dragged = edit(quilt, [Drag("15,15", "25.2,11")])
    moved = (dragged.table.box - quilt.table.box)[[7, 8, 13, 14]]
    assert (moved == [10, -4, 0, 0]).all()
    assert dragged.untouched.sum() == 20
    assert edit(quilt, [Drag("15,15~0", "25,15")]).untouched.sum() == 23


def test_without_affinity_objects_cannot_be_grown(quilt: ElementSet) -> None:
    source = Source.from_label_map(quilt.sources[0].label_map)
    bare = replace(quilt, sources=(source,))
    with pytest.raises(UsageError, match="no element affinity"):
        select(bare, "object@15,15")
