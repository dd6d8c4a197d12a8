from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from eie.editing.groups import parse_group_name
from eie.editing.modifiers import Fill, Grow, Shrink, Smooth
from eie.editing.selection import Selection, parse_selection, select
from eie.editing.terms import At, Box, Everything, Group, Ids, Mask, ObjectAt, ObjectIn
from eie.editing.units import Length, Point
from eie.elements import ElementSet, Source
from eie.errors import BadInputError, UsageError

ids = st.integers(0, 10**6)
lengths = st.builds(Length, st.integers(-900, 900).map(lambda n: n / 8), st.booleans())
points = st.builds(Point, lengths, lengths)
names = st.text(min_size=1, max_size=12).filter(lambda name: not {'"', "'"} <= set(name))
terms = st.one_of(
    st.lists(st.tuples(ids, ids).map(sorted).map(tuple), min_size=1, max_size=4).map(
        lambda ranges: Ids(tuple(ranges))
    ),
    st.just(Everything()),
    st.builds(At, points),
    st.builds(ObjectAt, points, st.none() | st.integers(0, 16).map(lambda n: n / 16)),
    st.builds(ObjectIn, points, points),
    st.builds(Box, points, points),
    st.builds(Mask, names | names.map(lambda name: name + ".png")),
    st.builds(Group, names),
)
modifiers = st.one_of(
    st.builds(Grow, st.integers(1, 1000)),
    st.builds(Shrink, st.integers(1, 1000)),
    st.builds(Smooth, st.integers(1, 1000)),
    st.just(Fill()),
)
signed = st.tuples(st.sampled_from("+-"), terms)
selections = st.builds(
    lambda first, rest: Selection((("+", first), *rest)),
    terms,
    st.lists(st.one_of(signed, st.tuples(st.just(":"), modifiers)), max_size=5),
)


@settings(deadline=None)
@given(selections)
def test_a_printed_selection_is_read_back(selection: Selection) -> None:
    assert parse_selection(str(selection)) == selection


def chosen(elements: ElementSet, text: str, *, deleted: bool = False) -> list[int]:
    return select(elements, text, deleted=deleted).tolist()


def with_deleted(elements: ElementSet, rows: Sequence[int]) -> ElementSet:
    return replace(elements, table=elements.table.set(np.array(rows), visible=False))


def with_groups(elements: ElementSet, **groups: tuple[int, ...]) -> ElementSet:
    return replace(elements, groups=MappingProxyType(groups))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12", [12]),
        ("7,3,20-22", [7, 3, 20, 21, 22]),
        ("3, 3 ,3-4", [3, 4]),
        ("@0,0", [0]),
        ("@59.9,39.9", [23]),
        ("@100%,100%", [23]),
        ("@50%,50%", [15]),
        ("@10,0", [1]),
        ("object@15,15", [7, 8, 13, 14]),
        ("object@15,15~0", [7]),
        ("box:0,0,20,10", [0, 1]),
        ("box:20,10,0,0", [0, 1]),
        ("box:0,0,50%,25%", [0, 1, 2]),
        ("all-2-23", [0, 1]),
        ("20-23 - 22", [20, 21, 23]),
        ("20-23 -22 + 0", [20, 21, 23, 0]),
        ("object@15,15+3-5", [7, 8, 13, 14, 3, 4, 5]),  # a range, not a removal
        ("object@15,15+3 - 8", [7, 13, 14, 3]),
        ("@5,5+@15,5-@5,5", [1]),
    ],
)
def test_selections_choose(quilt: ElementSet, text: str, expected: list[int]) -> None:
    assert chosen(quilt, text) == expected


def test_groups_with_odd_names_are_quoted(quilt: ElementSet) -> None:
    grouped = with_groups(quilt, **{"sky": (1, 2), "left-eye": (2, 5)})
    assert chosen(grouped, "group:sky-2") == [1]
    assert chosen(grouped, "group:sky-group:'left-eye'") == [1]
    assert chosen(grouped, 'group:"left-eye"+group:sky') == [2, 5, 1]
    with pytest.raises(UsageError, match=r"no group 'left'.*left-eye, sky"):
        select(grouped, "group:left-@1,1")


def test_a_place_is_looked_up_where_elements_lie_now(quilt: ElementSet) -> None:
    table = quilt.table
    moved = replace(quilt, table=table.set(np.array([0]), box=[25.0, 25.0, 20.0, 10.0]))
    assert chosen(moved, "@15.5,20.5") == [0]  # stretched to twice its width
    assert chosen(moved, "@34.9,29.9") == [0]
    assert chosen(moved, "@35,25") == [15]
    with pytest.raises(UsageError, match=r"no element at 5,5"):
        select(moved, "@5,5")
    behind = replace(moved, table=moved.table.set(np.array([0]), z=-1))
    assert chosen(behind, "@15.5,20.5") == [13]


def test_a_flipped_patch_is_hit_where_its_mirrored_pixels_are() -> None:
    label_map = np.array([[0, 1, 1, 1], [0, 0, 0, 0]])
    elements = ElementSet.from_source(Source.from_label_map(label_map))
    flip = elements.table.set(np.array([0]), flip=[True, False], z=1)
    flipped = replace(elements, table=flip)
    # Element 0 shows its corner pixel at the right end of the first line, over element 1.
    assert [chosen(flipped, f"@{x},0") for x in (1, 2, 3)] == [[1], [1], [0]]
    with pytest.raises(UsageError, match="no element at 0,0"):
        select(flipped, "@0,0")


def test_deleted_elements_are_chosen_by_id_or_for_restoring(quilt: ElementSet) -> None:
    elements = with_groups(with_deleted(quilt, [7, 8]), pair=(6, 7))
    assert chosen(elements, "7") == [7]
    assert 7 not in chosen(elements, "all")
    assert chosen(elements, "group:pair") == [6]
    assert chosen(elements, "box:10,10,20,20+0") == [0]
    with pytest.raises(UsageError):
        select(elements, "@15,15")
    assert chosen(elements, "all", deleted=True) == [7, 8]
    assert chosen(elements, "group:pair", deleted=True) == [7]
    assert chosen(elements, "@15,15", deleted=True) == [7]
    assert chosen(elements, "object@15,15", deleted=True) == [7, 8]
    with pytest.raises(UsageError):
        select(elements, "@5,5", deleted=True)


def test_objects_of_opposite_signs_are_told_apart(quilt: ElementSet) -> None:
    # 7, 8, 13, 14 are one object by any tolerance; what is named is asked together.
    assert chosen(quilt, "object@15,15") == [7, 8, 13, 14]
    for text in ("object@15,15-object@25,15", "object@25,15-object@15,15"):
        both = set(chosen(quilt, text))
        assert both == ({7, 13} if text.startswith("object@15") else {8, 14}) or len(both) == 1
    with pytest.raises(UsageError, match="empty"):
        select(quilt, "object@15,15-object@15,15")
    # Only objects are: an element or a box takes away what it says.
    assert chosen(quilt, "object@15,15-@25,15") == [7, 13, 14]


def test_the_largest_tolerance_that_tells_objects_apart_is_taken() -> None:
    labels = np.repeat(np.arange(4), 10)[None].repeat(10, axis=0)  # 10 × 40 pixels
    affinity = np.array(
        [[1, 0.9, 0.5, 0], [0.9, 1, 0.5, 0], [0.5, 0.5, 1, 0], [0, 0, 0, 1]], dtype=np.float32
    )
    row = ElementSet.from_source(Source.from_label_map(labels, affinity=affinity))
    assert chosen(row, "object@5,5~0.9") == [0, 1, 2]
    assert chosen(row, "object@5,5~0.9-object@25,5~0.9") == [0, 1]
    assert chosen(row, "object@25,5~0.9-object@5,5~0.9") == [2]


def test_a_mask_takes_what_lies_mostly_under_its_white(quilt: ElementSet, tmp_path: Path) -> None:
    white = np.zeros((40, 60), dtype=np.uint8)
    white[:10, :16] = 255  # all of 0, 60 % of 1
    white[10:15, :10] = 255  # half of 6
    path = tmp_path / "a+b-12.png"
    Image.fromarray(white).save(path)
    assert chosen(quilt, f"mask:{path}") == [0, 1]
    assert chosen(quilt, f"mask:{path}-1") == [0]
    assert chosen(quilt, f"mask:'{path}'+23") == [0, 1, 23]
    # What another element covers does not count: a quarter of 0 is left, and that is white.
    covered = quilt.table.set(np.array([23]), box=[6.25, 5.0, 7.5, 10.0], z=5)
    white[:] = 0
    white[:10, :2] = 255
    Image.fromarray(white).save(path)
    assert chosen(replace(quilt, table=covered), f"mask:{path}") == [0]
    with pytest.raises(UsageError, match="empty"):
        select(quilt, f"mask:{path}")


def test_a_mask_of_another_size_is_stretched(quilt: ElementSet, tmp_path: Path) -> None:
    small = np.zeros((4, 6, 4), dtype=np.uint8)
    small[1, 2] = 255
    small[3, 5] = (255, 255, 255, 0)  # transparent white
    Image.fromarray(small).save(tmp_path / "m.png")
    assert chosen(quilt, f"mask:{tmp_path / 'm.png'}") == [8]
    Image.fromarray(small[:, :4]).save(tmp_path / "m.png")
    with pytest.raises(BadInputError, match="4×4, the canvas 60×40"):
        select(quilt, f"mask:{tmp_path / 'm.png'}")
    with pytest.raises(BadInputError):
        select(quilt, f"mask:{tmp_path / 'none.png'}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a selection's term at its end"),
        ("24", "there is no element 24 .*0 to 23"),
        ("20-24", "there is no element 24"),
        ("1" * 18, "there is no element"),
        ("1" * 5000, "expected"),
        ("5-3", r"backwards.*write 3-5"),
        ("3,", "expected an element id"),
        ("3,@1,2", r"expected an element id at '@1,2' \(character 3\)"),
        ("-3", "expected a selection's term"),
        ("3+", "expected a selection's term"),
        ("3 4", r"expected \+, - or a modifier"),
        ("all3", "expected a selection's term"),
        ("@1", "expected a comma"),
        ("@60.5,0", "outside the canvas"),
        ("@-1,0", "outside the canvas"),
        ("box:1,2,3", "expected a comma"),
        ("box:200,200,300,300", "empty"),
        ("mask:photo", "picture's name"),
        ("group:", "group's name"),
        ("group:x", "no group 'x'"),
        ("object@1,1~1.5", "outside 0 to 1"),
        ("3 - 3", "empty"),
        ("sky", "expected a selection's term"),
        ("３", "expected a selection's term"),
    ],
)
def test_errors_say_what_and_where(quilt: ElementSet, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        select(quilt, text)
    assert caught.value.hint


@settings(deadline=None)
@given(st.text(alphabet="0123,-+@.%~:abjoxectlmskgrup'\" ", max_size=20))
def test_any_text_is_read_or_refused(quilt: ElementSet, text: str) -> None:
    try:
        selected = select(quilt, text)
    except (UsageError, BadInputError):
        return
    assert len(np.unique(selected)) == len(selected) > 0


@pytest.mark.parametrize("name", ["sky", "left-eye", "1", "mein Haus", "été", "a.b"])
def test_group_names(name: str) -> None:
    assert parse_group_name(name) == name


@pytest.mark.parametrize("name", ["", " a", "a ", "-a", "a/b", "a'b", "a" * 65, "a\nb", ".", "a+b"])
def test_names_that_no_group_can_have(name: str) -> None:
    with pytest.raises(UsageError):
        parse_group_name(name)


def test_an_unknown_id_in_a_set_with_gaps_is_told_apart(quilt: ElementSet) -> None:
    gappy = replace(quilt, table=quilt.table.take(np.array([0, 1, 5])))
    assert chosen(gappy, "1-5") == [1, 5]
    with pytest.raises(UsageError, match="some are missing"):
        select(gappy, "3")
