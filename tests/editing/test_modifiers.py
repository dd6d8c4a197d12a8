from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eie.editing import Delete, Move, edit, select, undo
from eie.editing.modifiers import Fill, Grow, Shrink, Smooth
from eie.elements import ElementSet
from eie.errors import UsageError

# The quilt's 24 elements lie in 4 rows of 6.


def chosen(elements: ElementSet, text: str) -> list[int]:
    return select(elements, text).tolist()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("14:grow", [14, 8, 13, 15, 20]),
        ("14:grow=2", [14, 2, 7, 8, 9, 12, 13, 15, 16, 19, 20, 21]),
        ("14:grow:grow", [14, 8, 13, 15, 20, 2, 7, 9, 12, 16, 19, 21]),
        ("0 : grow = 1", [0, 1, 6]),
        ("0:grow=1000 - 1-23", [0]),
        ("0-2,6-8,12-14:shrink", [0, 1, 6, 7]),
        ("0-2,6-8,12-14:shrink=2", [0]),
        ("all:shrink=9", list(range(24))),
        ("all - 0:shrink", [*range(2, 6), *range(7, 24)]),
        ("7-9,13,15:smooth", [7, 8, 9, 14]),
        ("7-9,13,15:smooth=2", [8]),
        ("7-9,13,15,19-21:fill", [7, 8, 9, 13, 15, 19, 20, 21, 14]),
        ("8,13,15,20:fill", [8, 13, 15, 20, 14]),
        ("1,6,7:fill", [1, 6, 7]),
        ("14+8:grow", [14, 8, 2, 7, 9, 13, 15, 20]),
        ("14:grow+0", [14, 8, 13, 15, 20, 0]),
        ("14:grow-8,13", [14, 15, 20]),
        ("object@15,15:grow:shrink", [7, 8, 13, 14]),
        ("object@15,15~0.5:shrink+1", [1]),
    ],
)
def test_modifiers_correct_what_stands_before_them(
    quilt: ElementSet, text: str, expected: list[int]
) -> None:
    assert chosen(quilt, text) == expected


def test_neighbours_are_those_on_the_canvas_at_the_moment(quilt: ElementSet) -> None:
    moved = edit(quilt, [Move("0", "+30,+20")])  # onto 15
    assert chosen(moved, "0:grow") == [0, 9, 14, 16, 21]
    assert 15 not in chosen(moved, "14:grow")


def test_what_is_deleted_is_outside(quilt: ElementSet) -> None:
    holed = edit(quilt, [Delete("14")])
    assert chosen(holed, "7-9,13,15,19-21:fill") == [7, 8, 9, 13, 15, 19, 20, 21]
    assert chosen(holed, "all:shrink") == [i for i in range(24) if i not in (8, 13, 14, 15, 20)]
    assert chosen(holed, "8:grow") == [8, 2, 7, 9]


def test_modifiers_are_recorded_and_undone(quilt: ElementSet) -> None:
    changed = edit(quilt, [Delete("14:grow=2:fill")])
    assert changed.history[0].operation["selection"] == "14:grow=2:fill"
    assert undo(changed).table.equals(quilt.table)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("3:", "expected grow, shrink, smooth or fill"),
        ("3:grew", "expected grow, shrink, smooth or fill"),
        ("3:growth", "expected grow, shrink, smooth or fill"),
        ("3:grow=", "expected a number of times"),
        ("3:grow=0", "outside 1 to 1000"),
        ("3:grow=1001", "outside 1 to 1000"),
        ("3:grow=1.5", r"expected \+, - or a modifier"),
        ("3:fill=2", r"expected \+, - or a modifier"),
        (":fill", "expected a selection's term"),
        ("7,8:shrink", "empty"),
    ],
)
def test_errors_say_what_and_where(quilt: ElementSet, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        select(quilt, text)


rows = st.lists(st.integers(0, 23), min_size=1, max_size=24, unique=True)


@settings(deadline=None)
@given(rows, st.integers(1, 4))
def test_shrinking_is_growing_what_is_left(quilt: ElementSet, members: list[int], n: int) -> None:
    among = np.ones(24, dtype=bool)
    before = np.isin(np.arange(24), members)
    assert (
        Shrink(n).corrected(quilt, among, before) == ~Grow(n).corrected(quilt, among, ~before)
    ).all()
    assert (Grow(n).corrected(quilt, among, before) >= before).all()
    filled = Fill().corrected(quilt, among, before)
    assert (filled >= before).all()
    assert (Fill().corrected(quilt, among, filled) == filled).all()
    assert (
        Smooth(n).corrected(quilt, among, ~before) == ~Smooth(n).corrected(quilt, among, before)
    ).all()


def test_many_elements_need_no_square_table(quilt: ElementSet) -> None:
    """65 535 squared would be 32 GiB."""
    count = 60_000
    table = quilt.table.take(np.arange(count) % 24)
    many = replace(quilt, table=replace(table, id=np.arange(count, dtype=np.int32)))
    grown = Grow().corrected(many, np.arange(count) < 24, np.arange(count) == 14)
    assert np.flatnonzero(grown).tolist() == [8, 13, 14, 15, 20]
