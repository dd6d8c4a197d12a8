"""Turned elements: what turns, flips and scales do to the table, and what is found where."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from eie.editing import (
    Appearance,
    Copy,
    Delete,
    Flip,
    Move,
    Operation,
    Paste,
    Rotate,
    Scale,
    Swap,
    To,
    edit,
    read_script,
    select,
    undo,
)
from eie.editing.picking import rows_on_canvas
from eie.editing.table_changes import centre_of
from eie.elements import ElementSet, validate
from eie.errors import UsageError
from eie.files import dump, load
from eie.geometry import box_corners

degrees = st.one_of(
    st.sampled_from(["90", "180", "-90", "30", "0.001", "359"]),
    st.floats(-500, 500).map(lambda value: f"{value:.6f}"),
)
selections = st.sampled_from(["0", "7,8,13,14", "3,7,20-23", "all", "1-4"])
uneven = st.tuples(st.floats(0.3, 3), st.floats(0.3, 3)).map(lambda f: f"{f[0]:.3f},{f[1]:.3f}")
changes = st.one_of(
    st.builds(Rotate, selections, degrees),
    st.builds(Scale, selections, uneven),
    st.builds(Flip, selections, st.sampled_from("hv")),
    st.builds(Move, selections, st.sampled_from(["3,0", "10.3,-2", "-1.5,0.25"])),
)


def apart(one: ElementSet, other: ElementSet) -> float:
    """By how much tables differ, in pixels and degrees; elements and order are the same."""
    mine, yours = one.table, other.table
    assert np.array_equal(mine.id, yours.id) and np.array_equal(mine.flip, yours.flip)
    return max(
        float(np.abs(getattr(mine, name) - getattr(yours, name)).max())
        for name in ("box", "angle", "shear")
    )


def test_positive_is_clockwise(quilt: ElementSet) -> None:
    turned = edit(quilt, [Rotate("0,1", "90")])  # side by side: left comes up, right goes down
    assert turned.table.box[:2].tolist() == [[10, 0, 10, 10], [10, 10, 10, 10]]
    assert turned.table.angle[:3].tolist() == [90, 90, 0]
    assert not turned.untouched[:2].any() and turned.untouched[2:].all()


@settings(max_examples=60, deadline=None)
@given(wanted=st.lists(changes, max_size=4), selection=selections, angle=degrees)
def test_there_and_back(quilt: ElementSet, wanted: list, selection: str, angle: str) -> None:
    before = edit(quilt, wanted)
    back = angle.removeprefix("-") if angle[0] == "-" else f"-{angle}"
    after = edit(before, [Rotate(selection, angle), Rotate(selection, back)])
    assert apart(after, before) < 1e-9
    if not wanted:
        assert after.table.equals(before.table) and after.untouched.all()


@settings(max_examples=40, deadline=None)
@given(wanted=st.lists(changes, max_size=3), selection=selections, turns=st.integers(-3, 3))
def test_whole_turns_change_nothing(
    quilt: ElementSet, wanted: list, selection: str, turns: int
) -> None:
    before = edit(quilt, wanted)
    assert edit(before, [Rotate(selection, str(360 * turns))]).table.equals(before.table)
    quarters = edit(before, [Rotate(selection, "90")] * 4)
    assert apart(quarters, before) < 1e-8
    if not wanted:
        assert quarters.table.equals(before.table)
    small = edit(before, [Rotate(selection, "12")] * 30)
    assert apart(small, before) < 1e-6
    if not wanted:
        assert small.table.equals(before.table)


@pytest.mark.parametrize(("width", "height"), [(2, 2), (3, 2), (2, 3), (3, 1), (1, 4)])
@pytest.mark.parametrize("angle", ["90", "-90", "180", "270"])
def test_quarter_turns_keep_pixels_whole(
    quilt: ElementSet, width: int, height: int, angle: str
) -> None:
    odd = quilt.table.box.copy()
    ids = [row * 6 + column for row in range(height) for column in range(width)]
    assert odd[0].tolist() == [5, 5, 10, 10]
    labels = np.full((40, 60), 1)
    labels[4 : 4 + height, 7 : 7 + width] = 0
    from eie.elements import Source

    one = ElementSet.from_source(Source.from_label_map(labels))
    assert edit(one, [Rotate("0", angle)]).transform(0).lattice
    turned = edit(quilt, [Rotate(",".join(map(str, ids)), angle)])
    transforms = {turned.transform(row) for row in ids}
    assert len(transforms) == 1 and transforms.pop().lattice


def test_the_centre_stays_whatever_is_done_about_it(quilt: ElementSet) -> None:
    shape = "0,6,7,12,13,14"  # a staircase, whose upright box would move
    rows = np.array([0, 6, 7, 12, 13, 14])
    centre = centre_of(quilt, rows)
    changed = quilt
    for step in (Rotate(shape, "25"), Scale(shape, "1.5"), Flip(shape, "v"), Scale(shape, "0.7,2")):
        changed = edit(changed, [step])
        assert np.allclose(centre_of(changed, rows), centre, atol=1e-8)
    moved = edit(changed, [To(shape, "30,20")])
    assert np.abs(centre_of(moved, rows) - [30, 20]).max() <= 0.5


@settings(max_examples=60, deadline=None)
@given(wanted=st.lists(changes, min_size=1, max_size=6))
@example([Scale("0", "1.625,1"), Scale("0", "1.625,1"), Scale("0", "1.062,1")])
def test_what_is_changed_as_one_stays_together(quilt: ElementSet, wanted: list) -> None:
    """Corners where neighbours meet go on meeting; they share one transform."""
    together = [replace(step, selection="all") for step in wanted]
    changed = edit(quilt, together)
    assert len(set(changed.transforms(np.arange(24)))) == 1
    table = changed.table
    corners = box_corners(table.box, table.angle, table.shear)
    there, scale = corners[np.arange(24)], float(table.box[:, 2:].max())
    flips = table.flip[0].tolist()
    right, left = (0, 1) if flips[0] else (1, 0)
    lower, upper = (0, 3) if flips[1] else (3, 0)
    across = {0: (upper, right), 1: (upper, left)}
    index = {(0, 0): 0, (0, 1): 1, (3, 0): 3, (3, 1): 2}
    first = there[0][index[across[0]]]
    second = there[1][index[across[1]]]
    assert np.abs(first - second).max() < 1e-8 * max(1.0, scale)
    below = there[6][index[upper, left]]
    assert np.abs(there[0][index[lower, left]] - below).max() < 1e-8 * max(1.0, scale)


def test_flips_turn_the_other_way(quilt: ElementSet) -> None:
    turned = edit(quilt, [Rotate("7,8", "30")])
    for direction, flip in (("h", [True, False]), ("v", [False, True])):
        flipped = edit(turned, [Flip("7,8", direction)])
        assert flipped.table.angle[[7, 8]].tolist() == [-30, -30]
        assert flipped.table.flip[7].tolist() == flip
        assert edit(flipped, [Flip("7,8", direction)]).table.equals(turned.table)
    half = edit(quilt, [Flip("7,8", "h"), Flip("7,8", "v"), Rotate("7,8", "180")])
    assert half.untouched.all() and half.table.angle[7] == 180


def test_scales_of_turned_elements(quilt: ElementSet) -> None:
    turned = edit(quilt, [Rotate("7", "30")])
    even = edit(turned, [Scale("7", "2")])
    assert even.table.angle[7] == 30 and even.table.shear[7] == 0
    assert even.table.box[7].tolist() == [15, 15, 20, 20]
    uneven = edit(turned, [Scale("7", "2,1")])
    assert uneven.table.shear[7] != 0
    stretched = np.array([[2, 0], [0, 1]]) @ turned.table.frame[7] * 10
    assert np.allclose(uneven.table.frame[7] * uneven.table.box[7, 2:], stretched, atol=1e-8)
    back = edit(uneven, [Scale("7", "0.5,1"), Rotate("7", "-30")])
    assert back.table.equals(quilt.table)
    on_its_side = edit(edit(quilt, [Rotate("7", "90")]), [Scale("7", "2,1")])
    assert on_its_side.table.box[7].tolist() == [15, 15, 10, 20]
    assert on_its_side.table.angle[7] == 90 and on_its_side.table.shear[7] == 0


def test_what_keeps_angles(quilt: ElementSet, other_file: str, tmp_path) -> None:
    turned = edit(quilt, [Rotate("7", "30"), Copy("7", "5,5"), Swap("7", "0")])
    assert turned.table.angle[[7, 24, 0]].tolist() == [30, 30, 0]
    shown = edit(turned, [Appearance("7", "3"), Appearance("2", "24")])
    assert shown.table.angle[[7, 2]].tolist() == [30, 0]
    path = tmp_path / "turned.h5"
    path.write_bytes(dump(turned))
    pasted = edit(load(other_file), [Paste(str(path), "7,24", "20,20")])
    assert pasted.table.angle[24:].tolist() == [30, 30]
    assert load(dump(pasted)).table.equals(pasted.table)


@settings(max_examples=30, deadline=None)
@given(wanted=st.lists(changes, min_size=1, max_size=5))
def test_undone_turns_leave_the_same_bytes(quilt: ElementSet, wanted: list[Operation]) -> None:
    edited = edit(quilt, wanted)
    validate(edited)
    stored = load(dump(edited))
    assert stored.table.equals(edited.table)
    assert dump(undo(stored, len(wanted))) == dump(quilt)
    for step, kept in enumerate(stored.history):
        assert kept.table.equals(edited.history[step].table)


def test_a_file_without_turns_tells_nothing_of_them(quilt: ElementSet) -> None:
    import h5py

    plain = edit(quilt, [Move("0", "1,1"), Copy("1", "2,2")])
    with h5py.File.in_memory(dump(plain)) as file:
        assert not {"angle", "shear"} & {*file["elements"], *file["history"]}
        assert file["history/changed"].shape == (2, 7)
    with h5py.File.in_memory(dump(edit(plain, [Rotate("0", "30")]))) as file:
        assert file["history/changed"][...].tolist()[-1] == [0, 0, 0, 0, 0, 0, 0, 1, 0]
        assert "shear" not in file["elements"]


@settings(max_examples=40, deadline=None)
@given(wanted=st.lists(changes, min_size=1, max_size=3))
def test_what_lies_at_a_place_is_what_shows_there(quilt: ElementSet, wanted: list) -> None:
    """Every pixel's centre is carried back into each element, nearest first, one by one."""
    edited = edit(quilt, wanted)
    front = rows_on_canvas(edited, edited.table.visible)
    label_map = quilt.sources[0].label_map
    for x, y in ((1, 1), (15, 15), (30, 20), (44, 9), (59, 39), (23, 31)):
        expected = -1
        for row in edited.paint_order[::-1].tolist():
            there = edited.transform(row).inverse(x + 0.5, y + 0.5)
            column, line = (int(np.floor(place)) for place in there)
            inside = 0 <= column < 60 and 0 <= line < 40
            if inside and label_map[line, column] == edited.table.patch[row]:
                expected = row
                break
        assert front[y, x] == expected
        if expected >= 0:
            assert select(edited, f"@{x},{y}").tolist() == [edited.table.id[expected]]


def test_objects_boxes_and_masks_on_the_turned_picture(quilt: ElementSet, tmp_path) -> None:
    turned = edit(quilt, [Move("7,8,13,14", "+20,0"), Rotate("7,8,13,14", "45")])
    assert set(select(turned, "object@40,20").tolist()) == {7, 8, 13, 14}
    assert set(select(turned, "object@40,8").tolist()) == {7, 8, 13, 14}  # the upper corner
    assert set(select(turned, "box:25,5,55,35")) >= {7, 8, 13, 14}
    assert select(turned, "@40,8").tolist() == [7]
    white = np.zeros((40, 60), np.uint8)
    white[:20] = 255  # cuts the object along its diagonal
    Image.fromarray(white).save(tmp_path / "m.png")
    mask = f"mask:{tmp_path / 'm.png'}"
    parted = edit(turned, [Delete(mask)])
    front = rows_on_canvas(parted, parted.table.visible)
    assert (front[:19] < 0).all()
    shown = rows_on_canvas(turned, turned.table.visible)
    ids = np.append(turned.table.id, -1)[shown]
    assert (front[21:, 30:50] >= 0).all() and set(np.unique(ids[21:, 30:50])) >= {13, 14}
    back = undo(parted)
    pieces = rows_on_canvas(back, back.table.visible)
    patch = np.append(back.table.patch, -1)
    assert (pieces >= 0).sum() == (shown >= 0).sum() and patch.max() >= 24


def test_the_account_tells_the_angle_and_what_is_wrong(quilt: ElementSet) -> None:
    told: list[str] = []
    edit(quilt, [Rotate("7,8,13,14", "-30°"), Rotate("7,8,13,14", "30")], report=told.append)
    assert told[0].startswith("turned 4 elements by -30°, 20×20 px around 20,20; 17 %")
    assert told[1].startswith("turned 4 elements by 30°, 27×27 px around 20,20; 17 %")
    for text, message in (("x", "expected a number"), ("30%", "in degrees"), ("30 40", "angle")):
        with pytest.raises(UsageError, match=message):
            Rotate("7", text)
    script = '{"format": "eie-edits", "version": 1, "operations": [%s]}'
    entry = '{"operation": "rotate", "selection": "7", "angle": "30"}'
    assert read_script(script % entry) == [Rotate("7", "30")]


def test_what_leans_too_far_is_refused(quilt: ElementSet) -> None:
    turned = edit(quilt, [Rotate("0", "60")])
    with pytest.raises(UsageError, match=r"element 0 would lie or reach farther"):
        edit(turned, [Scale("0", "150000,0.01")])
