"""What holds for every edit: it can be undone, recorded, replayed, and leaves a valid set."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from PIL import Image

from eie.editing import (
    Appearance,
    Back,
    Copy,
    Delete,
    Drag,
    Flip,
    Front,
    Group,
    Move,
    Operation,
    Paste,
    Reset,
    Restore,
    Rotate,
    Scale,
    Swap,
    To,
    edit,
    forget_undone,
    read_script,
    redo,
    reset,
    script_of,
    select,
    undo,
)
from eie.elements import ElementSet, validate
from eie.errors import UsageError
from eie.files import dump, load
from eie.geometry import common_box

PASTED = "a file of the session"

selections = st.sampled_from(
    ["0", "3,7,20-23", "all", "all-5", "@31,12", "object@15,15", "object@50%,50%~0.3",
     "box:0,0,50%,50%", "group:dog", "group:dog+1"]
)  # fmt: skip
numbers = st.one_of(
    st.integers(-80, 80).map(str),
    st.floats(-80, 80).map(lambda value: f"{value:+.5f}"),
    st.integers(-150, 150).map(lambda value: f"{value}%"),
)
points = st.tuples(numbers, numbers).map(",".join)
factors = st.floats(0.2, 3).map(lambda value: f"{value:.4f}")
degrees = st.one_of(
    st.sampled_from(["90", "-90", "180", "270", "360", "0", "45", "-30°"]),
    st.floats(-400, 400).map(lambda value: f"{value:.4f}"),
)
operations = st.one_of(
    st.builds(Move, selections, points),
    st.builds(To, selections, points),
    st.builds(Scale, selections, factors),
    st.builds(Scale, selections, st.tuples(factors, factors).map(",".join)),
    st.builds(Rotate, selections, degrees),
    st.builds(Delete, selections),
    st.builds(Restore, selections),
    st.builds(Copy, selections, points),
    st.builds(Drag, st.just("15,15"), points),
    st.builds(Swap, selections, selections),
    st.builds(Front, selections),
    st.builds(Back, selections),
    st.builds(Flip, selections, st.sampled_from("hv")),
    st.builds(Appearance, selections, selections),
    st.builds(Paste, st.just(PASTED), selections, points),
    st.builds(Group, st.just("dog"), selections),
    st.just(Reset()),
)


def apply_possible(
    elements: ElementSet, wanted: list[Operation], other_file: str
) -> list[ElementSet]:
    """The sets after each of the operations that mean something at their turn."""
    states = [elements]
    for operation in wanted:
        if isinstance(operation, Paste):
            operation = replace(operation, file=other_file)
        try:
            states.append(edit(states[-1], [operation]))
        except UsageError:
            continue
    return states


def assert_same(one: ElementSet, other: ElementSet) -> None:
    assert one.table.equals(other.table)
    assert one.groups == other.groups
    assert len(one.sources) == len(other.sources)
    for mine, yours in zip(one.sources, other.sources, strict=True):
        assert mine is yours or np.array_equal(np.asarray(mine.pixels), np.asarray(yours.pixels))
    assert [step.operation for step in one.history] == [step.operation for step in other.history]


@settings(max_examples=100, deadline=None)
@given(wanted=st.lists(operations, max_size=8))
def test_every_state_is_valid_and_every_edit_can_be_undone(
    quilt: ElementSet, other_file: str, wanted: list[Operation]
) -> None:
    states = apply_possible(quilt, wanted, other_file)
    for state in states:
        validate(state)
    last = states[-1]
    for steps, state in enumerate(reversed(states[:-1]), 1):
        assert_same(undo(last, steps), state)
    for before, after in pairwise(states):
        assert_same(undo(after), before)
    assert_same(undo(reset(last)), last)
    if len(states) > 1:
        assert undo(last, len(states) - 1).history == ()
        assert reset(last).table.equals(quilt.table)


@settings(max_examples=30, deadline=None)
@given(wanted=st.lists(operations, max_size=6))
def test_a_replayed_script_gives_what_the_edit_gave(
    quilt: ElementSet, other_file: str, wanted: list[Operation]
) -> None:
    edited = apply_possible(quilt, wanted, other_file)[-1]
    text = json.dumps(script_of(edited))
    assert_same(edit(quilt, read_script(text)), edited)
    stored = load(dump(edited))
    assert_same(stored, edited)
    assert script_of(stored) == json.loads(text)


@settings(max_examples=50, deadline=None)
@given(wanted=st.lists(operations, max_size=4), shift=points)
def test_there_and_back_is_where_it_began(
    quilt: ElementSet, other_file: str, wanted: list[Operation], shift: str
) -> None:
    last = apply_possible(quilt, wanted, other_file)[-1]
    edited = edit(edit(last, [Copy("0-23", "1,1")]), [Group("these", "all-3")])
    x, y = (part.removeprefix("+") for part in shift.split(","))
    way_back = ",".join(n.removeprefix("-") if n[0] == "-" else f"-{n}" for n in (x, y))
    moved = edit(edited, [Move("group:these", shift)])
    back = edit(moved, [Move("group:these", way_back)])
    if "%" not in shift:
        np.testing.assert_array_equal(back.table.box, edited.table.box)
    flipped = edit(moved, [Flip("group:these", "h"), Flip("group:these", "h")])
    assert flipped.table.equals(moved.table)


@settings(max_examples=50, deadline=None)
@given(wanted=st.lists(operations, max_size=4), z=st.lists(st.integers(-2, 2), min_size=24))
def test_front_and_back_keep_everything_else(
    quilt: ElementSet, other_file: str, wanted: list[Operation], z: list[int]
) -> None:
    layered = replace(quilt, table=quilt.table.set(np.arange(24), z=z[:24]))
    edited = apply_possible(layered, wanted, other_file)[-1]
    order = edited.table.id[edited.paint_order]
    chosen = np.isin(order, [3, 7, 20, 21, 22, 23])
    front = edit(edited, [Front("3,7,20-23")])
    assert front.table.id[front.paint_order].tolist() == [*order[~chosen], *order[chosen]]
    back = edit(edited, [Back("3,7,20-23")])
    assert back.table.id[back.paint_order].tolist() == [*order[chosen], *order[~chosen]]


def test_a_failing_operation_is_named_and_changes_nothing(quilt: ElementSet) -> None:
    with pytest.raises(UsageError, match=r"^move 99 \+1,0: there is no element 99"):
        edit(quilt, [Delete("0"), Move("99", "+1,0")])
    assert quilt.table.visible.all()


def test_what_is_recorded_is_what_was_typed(quilt: ElementSet) -> None:
    edited = edit(quilt, [Move("object@15,15", "+5%,0"), Drag("15,15", "20,20")])
    assert [step.operation for step in edited.history] == [
        {"operation": "move", "selection": "object@15,15", "shift": "+5%,0"},
        {"operation": "drag", "start": "15,15", "end": "20,20", "look": "before"},
    ]


def test_a_tolerance_is_recorded_with_the_objects_it_shaped(quilt: ElementSet) -> None:
    wanted = [Move("object@15,15+object@1,1~0.2", "+5,0"), Delete("3"), Drag("25,15", "26,15")]
    edited = edit(quilt, wanted, tolerance=0.05)
    assert [step.operation for step in edited.history] == [
        {
            "operation": "move",
            "selection": "object@15,15~0.05+object@1,1~0.2",
            "shift": "+5,0",
        },
        {"operation": "delete", "selection": "3", "look": "before"},
        {"operation": "drag", "start": "25,15~0.05", "end": "26,15", "look": "before"},
    ]
    assert_same(edit(quilt, read_script(json.dumps(script_of(edited)))), edited)
    with pytest.raises(UsageError, match="tolerance"):
        edit(quilt, wanted, tolerance=1.5)


@pytest.mark.parametrize("steps", [0, -1, 3])
def test_only_what_was_done_can_be_undone(quilt: ElementSet, steps: int) -> None:
    edited = edit(quilt, [Delete("0"), Delete("1")])
    with pytest.raises(UsageError):
        undo(edited, steps)
    with pytest.raises(UsageError, match="no edits"):
        undo(quilt)


def test_columns_that_do_not_change_are_shared(quilt: ElementSet) -> None:
    moved = edit(quilt, [Move("0", "1,1")])
    assert moved.table.z is quilt.table.z
    assert moved.history[0].table is quilt.table


@pytest.mark.parametrize("turns", range(6))
def test_undone_and_done_again(quilt: ElementSet, turns: int) -> None:
    steps = [
        [Move("@5,5", "+10,0"), Scale("@5,5", "1.5"), Delete("box:30,0,60,40")],
        [Copy("3", "5,5"), Group("twin", "group:last"), Move("group:twin", "1,0"), Reset()],
        [Delete("@15,5"), Move("@5,5", "1,1")],
    ]
    edited = quilt
    for step in steps:
        edited = edit(edited, step)
    back = undo(edited, turns + 1, redoable=True)
    assert_same(redo(back, turns + 1), edited)
    assert len(back.undone) == turns + 1 and not redo(back, turns + 1).undone
    assert_same(redo(undo(redo(back), redoable=True), turns + 1), edited)
    assert edit(back, [Delete("0")]).undone == ()
    assert undo(edited, turns + 1).undone == ()
    with pytest.raises(UsageError, match="cannot redo"):
        redo(back, turns + 2)


def test_what_was_taken_last_has_a_name(quilt: ElementSet) -> None:
    moved = edit(quilt, [Move("3,5", "1,0")])
    assert select(moved, "group:last").tolist() == [3, 5]
    steps = [Copy("3,5", "1,0"), Group("twin", "group:last"), Move("group:twin", "1,1")]
    copied = edit(quilt, steps)
    assert copied.groups["twin"] == (24, 25) == tuple(select(copied, "group:last").tolist())
    played = edit(quilt, read_script(json.dumps(script_of(copied))))
    assert_same(played, copied)
    assert select(edit(copied, [Group("last", "0")]), "group:last").tolist() == [0]
    deleted = edit(quilt, [Delete("3,5"), Group("gone", "group:last")])
    restored = edit(deleted, [Restore("group:gone")]).table
    assert restored.equals(quilt.table)
    for nothing in ([], [Move("3", "0,0")]):
        with pytest.raises(UsageError, match="what the last operation made or changed"):
            edit(quilt, [*nothing, Delete("group:last")])


def test_a_script_of_commands_looks_when_they_began(quilt: ElementSet) -> None:
    edited = edit(edit(quilt, [Move("@5,5", "+10,0"), Scale("@5,5", "2")]), [Delete("@5,5+@15,5")])
    script = script_of(edited)
    assert [entry["operation"] for entry in script["operations"]] == [
        "move", "scale", "look", "delete",
    ]  # fmt: skip
    assert_same(edit(quilt, read_script(json.dumps(script))), edited)


def test_a_mask_means_what_it_was_drawn_on(quilt: ElementSet, tmp_path: Path) -> None:
    white = np.zeros(quilt.canvas, dtype=np.uint8)
    white[3:17, 3:17] = 255
    Image.fromarray(white).save(tmp_path / "m.png")
    mask = f"mask:{tmp_path / 'm.png'}"
    edited = edit(quilt, [Move(mask, "+20,0"), Scale(mask, "1.5")])
    parts = select(edit(quilt, [Group("a", mask)]), "group:a")
    rows = np.isin(edited.table.id, parts)
    assert np.array_equal(common_box(edited.table.box[rows]), [30, 10, 21, 21])
    assert select(edited, "group:last").tolist() == sorted(parts.tolist())
    # The same where the first operation cut nothing, and the mask only later does.
    late = edit(quilt, [Move("0-3", "+20,0"), Scale(mask, "1.5")])
    taken = np.isin(late.table.id, select(late, "group:last"))
    assert set(np.unique(late.table.id[taken])) == set(parts.tolist())
    script = json.loads(json.dumps(script_of(edited)))
    assert_same(edit(quilt, read_script(json.dumps(script))), edited)
    script["operations"] = [{**entry, "selection": "mask:m.png"} for entry in script["operations"]]
    beside = read_script(json.dumps(script), folder=tmp_path)
    assert edit(quilt, beside).table.equals(edited.table)


@settings(max_examples=60, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(commands=st.lists(st.lists(operations, min_size=1, max_size=4), max_size=3), steps=st.data())
def test_commands_of_several_operations_are_undone_redone_and_replayed(
    quilt: ElementSet, other_file: str, drawn_mask: str, commands: list, steps: st.DataObject
) -> None:
    edited = quilt
    for command in commands:
        named = [replace(o, file=other_file) if isinstance(o, Paste) else o for o in command]
        named += [Group("made", "group:last"), Scale(drawn_mask, "1.1"), Move("group:last", "1,0")]
        for wanted in (named, named[:2], named[:1], named[-2:]):
            try:
                edited = edit(edited, wanted)
                break
            except UsageError:
                continue
    validate(edited)
    assert_same(load(dump(edited)), edited)
    replayed = edit(quilt, read_script(json.dumps(script_of(edited))))
    assert_same(replayed, edited)
    if edited.history:
        count = steps.draw(st.integers(1, len(edited.history)))
        back = undo(edited, count, redoable=True)
        validate(back)
        again = redo(load(dump(back)), count)
        assert_same(again, edited)
        assert dump(again) == dump(edited)
        assert dump(forget_undone(back)) == dump(undo(edited, count))


@pytest.fixture(scope="session")
def drawn_mask(quilt: ElementSet, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A mask that crosses elements."""
    white = np.zeros(quilt.canvas, dtype=np.uint8)
    white[3:17, 13:37] = 255
    path = tmp_path_factory.mktemp("mask") / "m.png"
    Image.fromarray(white).save(path)
    return f"mask:{path}"
