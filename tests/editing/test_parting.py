"""Parting elements along masks: the same picture, cut finer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from numpy.typing import NDArray
from PIL import Image

from eie.editing import (
    Appearance,
    Copy,
    Delete,
    Flip,
    Group,
    Move,
    Operation,
    Paste,
    Reset,
    Restore,
    Scale,
    edit,
    parting,
    read_script,
    script_of,
    select,
    undo,
)
from eie.editing.parting import LEAST, part
from eie.editing.picking import rows_on_canvas
from eie.elements import ElementSet, Embeddings, validate
from eie.errors import BadInputError, UsageError
from eie.files import dump, load, save

from .conftest import CELL, COLUMNS, ROWS

Mask = NDArray[np.bool_]

HEIGHT, WIDTH = ROWS * CELL, COLUMNS * CELL


def square(top: int, left: int, bottom: int, right: int) -> Mask:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[top:bottom, left:right] = True
    return mask


def written(path: Path, mask: Mask) -> str:
    Image.fromarray(mask).save(path)
    return f"mask:'{path}'"


def shown(elements: ElementSet) -> NDArray[np.int64]:
    """(H, W) the source and pixel of it that is seen at every pixel of the canvas, −1 for none."""
    table, front = elements.table, rows_on_canvas(elements, elements.table.visible)
    seen = np.full(front.shape, -1, dtype=np.int64)
    for row in np.unique(front[front >= 0]):
        lines, columns = np.nonzero(front == row)
        there = elements.transform(row).inverse(columns + 0.5, lines + 0.5)
        x, y = (np.floor(place).astype(np.int64) for place in there)
        seen[lines, columns] = (int(table.source[row]) * HEIGHT + y) * WIDTH + x
    return seen


masks = st.tuples(
    st.integers(0, HEIGHT - 1),
    st.integers(0, WIDTH - 1),
    st.integers(1, HEIGHT),
    st.integers(1, WIDTH),
).map(lambda box: square(box[0], box[1], box[0] + box[2], box[1] + box[3]))

edits = st.lists(
    st.sampled_from(
        [
            Move("all", "7,-3"),
            Scale("9-11", "0.37,0.61"),
            Scale("all", "2,1"),
            Flip("all", "h"),
            Copy("4-8", "60,0"),
            Delete("2,20"),
            Appearance("5", "14"),
            Group("some", "3-10"),
            Reset(),
        ]
    ),
    max_size=4,
)


@given(edits, masks)
@settings(deadline=None)
def test_the_picture_stays_and_every_state_of_the_history(
    quilt: ElementSet, operations: Sequence[Operation], mask: Mask
) -> None:
    before = edit(quilt, operations)
    finer = part(before, mask)
    validate(finer)
    assert_array_equal(shown(finer), shown(before))
    for steps in range(1, len(operations) + 1):
        assert_array_equal(shown(undo(finer, steps)), shown(undo(before, steps)))
    assert dump(load(dump(finer))) == dump(finer)
    # Who was a member stays one, with all its parts.
    assert set(finer.groups) == set(before.groups)
    for name, members in before.groups.items():
        only = [replace(s, table=replace_visible(s, m)) for s, m in (
            (before, members), (finer, finer.groups[name])
        )]  # fmt: skip
        assert_array_equal(shown(only[0]), shown(only[1]))


def replace_visible(elements: ElementSet, members: Sequence[int]):
    table = elements.table
    keep = np.isin(table.id, members)
    return table.set(np.arange(len(table)), visible=table.visible & keep)


@given(masks)
@settings(deadline=None)
def test_an_operation_acts_on_what_is_white(
    quilt: ElementSet, tmp_path_factory: pytest.TempPathFactory, mask: Mask
) -> None:
    selection = written(tmp_path_factory.mktemp("m") / "m.png", mask)
    front = rows_on_canvas(quilt, quilt.table.visible)
    white = np.bincount(front[mask], minlength=len(quilt))
    whole = np.minimum(white, CELL**2 - white) < LEAST  # what is not parted
    expected = np.where(whole[front], 2 * white[front] > CELL**2, mask)
    if not expected.any():
        with pytest.raises(UsageError, match="is empty"):
            edit(quilt, [Delete(selection)])
        return
    deleted = edit(quilt, [Delete(selection)])
    assert_array_equal(shown(deleted) < 0, expected)
    assert_array_equal(shown(undo(deleted)), shown(quilt))
    restored = edit(deleted, [Restore(selection)])
    assert_array_equal(shown(restored), shown(quilt))


def test_moved_elements_are_parted_where_they_lie(quilt: ElementSet, tmp_path: Path) -> None:
    selection = written(tmp_path / "m.png", square(5, 35, 25, 45))
    moved = edit(quilt, [Scale("7", "1,2"), Flip("7", "v"), Delete(selection)])
    seen = shown(edit(quilt, [Scale("7", "1,2"), Flip("7", "v")]))
    seen[5:25, 35:45] = -1
    assert_array_equal(shown(moved), seen)


def test_affinity_is_that_of_the_whole_but_there_is_none_across_the_border(
    quilt: ElementSet,
) -> None:
    finer = part(quilt, square(0, 0, HEIGHT, 15))  # through the middle of the second column
    before, after = quilt.sources[0].affinity, finer.sources[0].affinity
    assert before is not None and after is not None
    assert len(finer) == len(quilt) + ROWS
    whole = np.concatenate([np.arange(len(quilt)), np.arange(1, len(quilt), COLUMNS)])
    inside = finer.table.box[:, 0] < 15
    across = inside[:, None] != inside
    assert across.any()
    assert_array_equal(after, np.where(across, 0, before[np.ix_(whole, whole)]))
    assert_array_equal(finer.table.id, np.arange(len(finer)))


def test_what_is_seen_in_and_out_of_the_mask_is_not_told_apart(quilt: ElementSet) -> None:
    """A copy of element 0 lies out of the mask, over 15 which is not seen; the original in it."""
    copied = edit(quilt, [Copy("0", "30,20")])
    told = part(copied, square(0, 0, CELL, 2 * CELL)).sources[0].affinity
    before = quilt.sources[0].affinity
    assert told is not None and before is not None
    assert_array_equal(told[0], before[0])
    seen = np.setdiff1d(np.arange(2, len(quilt)), [15])
    assert not told[1, seen].any() and not told[seen, 1].any()
    assert_array_equal(told[15], before[15])


def test_what_is_crossed_by_a_few_pixels_stays_whole(quilt: ElementSet) -> None:
    few = square(0, 0, LEAST - 1, 1)
    for mask in (few, ~few, square(0, 0, HEIGHT, CELL)):
        assert part(quilt, mask).table.equals(quilt.table)
    assert len(part(quilt, square(0, 0, LEAST, 1))) == len(quilt) + 1
    assert part(quilt, few) is quilt


def test_embeddings_of_parted_sources_are_left_out(quilt: ElementSet, other_file: str) -> None:
    values = np.zeros((len(quilt), 3), np.float32)
    source = replace(quilt.sources[0], embeddings=Embeddings(values, "tiny", "0" * 64))
    encoded = edit(replace(quilt, sources=(source,)), [Paste(other_file, "0-2", "200,5")])
    assert part(encoded, square(0, 0, HEIGHT, CELL)).sources[0].embeddings is not None
    finer = part(encoded, square(0, 0, HEIGHT, 5))
    assert finer.sources[0].embeddings is None
    assert finer.sources[1] is encoded.sources[1]


def test_without_pixels_nothing_is_parted(quilt: ElementSet) -> None:
    blind = replace(quilt, sources=(replace(quilt.sources[0], pixels=None),))
    assert part(blind, square(0, 0, HEIGHT, 5)).table.equals(blind.table)


def test_a_pasted_file_is_parted_and_the_host_is_not(
    quilt: ElementSet, other_file: str, tmp_path: Path
) -> None:
    selection = written(tmp_path / "m.png", square(0, 5, 25, 25))
    pasted = edit(quilt, [Paste(other_file, selection, "30,20")])
    validate(pasted)
    assert pasted.sources[0] is quilt.sources[0]
    guests = pasted.table.take(pasted.table.source == 1)
    corner = guests.box[:, :2] - guests.box[:, 2:] / 2
    far = guests.box[:, :2] + guests.box[:, 2:] / 2
    assert_array_equal(far.max(axis=0) - corner.min(axis=0), [20, 25])


def test_a_script_parts_another_photo_as_well(quilt: ElementSet, tmp_path: Path) -> None:
    selection = written(tmp_path / "m.png", square(3, 3, 28, 33))
    edited = edit(quilt, [Group("thing", selection), Move("group:thing", "20,5")])
    again = edit(quilt, read_script(json.dumps(script_of(edited)).encode(), where="script"))
    assert dump(again) == dump(edited)
    assert len(select(edited, "group:thing")) == 12


def test_a_bad_mask_or_too_many_parts_change_nothing(
    quilt: ElementSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BadInputError, match=r"none\.png"):
        edit(quilt, [Delete(f"mask:{tmp_path}/none.png")])
    monkeypatch.setattr(parting, "MAX_ELEMENTS", len(quilt) + 1)
    with pytest.raises(UsageError, match="more than 25 elements"):
        part(quilt, square(0, 0, HEIGHT, 5))


def test_a_parted_set_is_saved_and_read(quilt: ElementSet, tmp_path: Path) -> None:
    selection = written(tmp_path / "m.png", square(3, 3, 28, 33))
    edited = edit(quilt, [Move("4", "1,1"), Delete(selection)])
    save(edited, tmp_path / "f.h5")
    read = load(tmp_path / "f.h5")
    assert read.table.equals(edited.table)
    assert [e.table.equals(f.table) for e, f in zip(read.history, edited.history, strict=True)]
