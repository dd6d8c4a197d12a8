"""What each operation does to the table; tests/editing/test_edit.py has what holds for all."""

from __future__ import annotations

import math
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest

from eie.editing import (
    OPERATIONS,
    Appearance,
    Back,
    Copy,
    Delete,
    Flip,
    Front,
    Group,
    Look,
    Move,
    Operation,
    Paste,
    Reset,
    Restore,
    Scale,
    Swap,
    To,
    Ungroup,
    edit,
    select,
)
from eie.editing.operations import split_file_and_selection
from eie.elements import ElementSet
from eie.errors import BadInputError, UsageError
from eie.files import load
from eie.geometry import common_box


def boxes(elements: ElementSet, *ids: int) -> list[list[float]]:
    return elements.table.box[np.searchsorted(elements.table.id, ids)].tolist()


def painted(elements: ElementSet, *ids: int) -> list[int]:
    """The ids in paint order."""
    order = elements.table.id[elements.paint_order]
    return order[np.isin(order, ids)].tolist()


def test_move(quilt: ElementSet) -> None:
    moved = Move("0,1", "+40,-2.5").apply(quilt)
    assert boxes(moved, 0, 1) == [[45, 2.5, 10, 10], [55, 2.5, 10, 10]]
    assert moved.untouched.sum() == 22
    percent = Move("0", "10%,10%").apply(quilt)
    assert boxes(percent, 0) == [[11, 9, 10, 10]]


def test_elements_may_leave_the_canvas(quilt: ElementSet) -> None:
    gone = Move("all", "-5000,0").apply(quilt)
    assert boxes(gone, 0) == [[-4995, 5, 10, 10]]


def test_to_brings_the_common_centre_by_whole_pixels(quilt: ElementSet) -> None:
    assert boxes(To("0,1", "30,20").apply(quilt), 0, 1) == [[25, 20, 10, 10], [35, 20, 10, 10]]
    assert boxes(To("0", "50%,50%").apply(quilt), 0) == [[30, 20, 10, 10]]
    assert boxes(To("0", "30.4,19.6").apply(quilt), 0) == [[30, 20, 10, 10]]


def test_scale_about_the_common_centre(quilt: ElementSet) -> None:
    scaled = Scale("0,1", "2,50%").apply(quilt)
    assert boxes(scaled, 0, 1) == [[0, 5, 20, 5], [20, 5, 20, 5]]
    back = Scale("0,1", "0.5,2").apply(scaled)
    assert back.table.equals(quilt.table)


def test_elements_scaled_as_one_share_one_transform(quilt: ElementSet) -> None:
    scaled = Scale("all", "1.37").apply(quilt)
    assert len({scaled.transform(row) for row in range(len(scaled))}) == 1


def test_delete_and_restore(quilt: ElementSet) -> None:
    deleted = Delete("7,8").apply(quilt)
    assert np.flatnonzero(~deleted.table.visible).tolist() == [7, 8]
    assert Restore("@15,15").apply(deleted).table.visible.sum() == 23
    assert Restore("all").apply(deleted).table.equals(quilt.table)
    with pytest.raises(UsageError, match="empty"):
        Restore("all").apply(quilt)


def test_copy_makes_elements_of_the_same_patches_in_front(quilt: ElementSet) -> None:
    copied = Copy("8,7", "+2,0").apply(quilt)
    assert copied.table.id[24:].tolist() == [24, 25]
    assert copied.table.patch[24:].tolist() == [7, 8]
    assert boxes(copied, 24, 25) == [[17, 15, 10, 10], [27, 15, 10, 10]]
    assert painted(copied, 7, 8, 24, 25) == [7, 8, 24, 25]
    assert copied.table.take(np.arange(24)).equals(quilt.table)


def test_copies_keep_the_order_of_their_originals_and_lie_before_them(quilt: ElementSet) -> None:
    layered = edit(quilt, [Front("3"), Move("5", "+1,0"), Copy("3,4,5", "-1,0")])
    assert painted(layered, 3, 4, 5) == [4, 5, 3]
    # 5's copy is back at home, which must not put it behind 4's.
    patch = layered.table.patch
    assert [patch[i] for i in painted(layered, 24, 25, 26)] == [4, 5, 3]
    assert painted(layered, 3, 4, 5, 24, 25, 26)[:3] == [4, 5, 3]


def test_a_copy_of_a_deleted_element_is_visible(quilt: ElementSet) -> None:
    assert edit(quilt, [Delete("7"), Copy("7", "5,5")]).table.visible[24]


def test_an_id_is_not_given_twice(quilt: ElementSet) -> None:
    twice = edit(quilt, [Copy("0", "1,1"), Reset(), Copy("0", "1,1")])
    assert twice.table.id[-1] == 25


def test_swap_exchanges_places_and_keeps_sizes(quilt: ElementSet) -> None:
    swapped = Swap("0,1", "22").apply(quilt)
    assert boxes(swapped, 22) == [[10, 5, 10, 10]]
    assert common_box(swapped.table.box[[0, 1]]).tolist() == [45, 35, 20, 10]
    assert Swap("0,1", "22").apply(swapped).table.equals(quilt.table)
    with pytest.raises(UsageError, match="element 1 is in both"):
        Swap("0,1", "1,2").apply(quilt)


def test_front_and_back_pass_all_others_and_keep_their_order(quilt: ElementSet) -> None:
    everything = tuple(range(24))
    front = Front("5,3").apply(Front("3").apply(Move("5", "1,0").apply(quilt)))
    assert painted(front, *everything)[-2:] == [5, 3]
    back = Back("5,3,7").apply(front)
    assert painted(back, *everything)[:3] == [7, 5, 3]
    assert Front("all").apply(back) is back


def test_the_z_order_ends_somewhere(quilt: ElementSet) -> None:
    top = np.iinfo(np.int32).max
    full = replace(quilt, table=quilt.table.set(np.array([0]), z=top))
    with pytest.raises(UsageError, match="z-order"):
        Front("1").apply(full)
    assert Front("0").apply(full).table.z[0] == 1


def test_flip_mirrors_about_the_common_centre(quilt: ElementSet) -> None:
    flipped = Flip("0,1", "h").apply(quilt)
    assert boxes(flipped, 0, 1) == [[15, 5, 10, 10], [5, 5, 10, 10]]
    assert flipped.table.flip[:3].tolist() == [[True, False], [True, False], [False, False]]
    assert len({flipped.transform(0), flipped.transform(1)}) == 1
    assert Flip("0,1", "h").apply(flipped).table.equals(quilt.table)
    upside_down = Flip("0,6", "v").apply(quilt)
    assert boxes(upside_down, 0, 6) == [[5, 15, 10, 10], [5, 5, 10, 10]]


def test_appearance_shows_another_patch_in_the_same_box(quilt: ElementSet) -> None:
    changed = Appearance("5,4", "23").apply(Flip("23", "v").apply(quilt))
    assert changed.table.patch[[4, 5]].tolist() == [23, 23]
    assert changed.table.flip[[4, 5]].tolist() == [[False, True]] * 2
    assert boxes(changed, 4, 5) == boxes(quilt, 4, 5)
    pairwise = Appearance("5,4", "1,2").apply(quilt)
    assert pairwise.table.patch[[5, 4]].tolist() == [1, 2]
    with pytest.raises(UsageError, match="3 elements cannot take the appearance of 2"):
        Appearance("3-5", "1,2").apply(quilt)


def test_paste(quilt: ElementSet, other_file: str) -> None:
    pasted = Paste(other_file, "2,3,9", "30,20").apply(quilt)
    added = pasted.table.take(np.arange(24, 27))
    assert added.id.tolist() == [24, 25, 26]
    assert added.visible.all()
    assert added.source.tolist() == [1, 1, 1]
    assert added.patch.tolist() == [2, 3, 9]
    layout = load(other_file).table.box[[2, 3, 9]]
    way = added.box - layout
    assert (way == way[0]).all()
    assert way[0].tolist() == [math.floor(n + 0.5) for n in way[0]]
    assert abs(common_box(added.box)[:2] - [30, 20]).max() <= 0.5
    assert added.z.min() > quilt.table.z.max()
    source = pasted.sources[1]
    assert source.affinity is not None
    assert source.pixels is not None
    assert not isinstance(source.pixels, np.ndarray)


def test_pasting_twice_keeps_one_source(quilt: ElementSet, other_file: str) -> None:
    twice = edit(quilt, [Paste(other_file, "0", "5,5"), Paste(other_file, "object@15,15", "9,9")])
    assert len(twice.sources) == 2
    assert twice.table.source[24:].tolist() == [1] * 5


def test_pasting_takes_only_the_sources_it_needs(
    quilt: ElementSet, other_file: str, tmp_path: object
) -> None:
    from eie.files import save

    composed = edit(quilt, [Paste(other_file, "0", "5,5")])
    path = f"{tmp_path}/composed.h5"
    save(composed, path)
    pasted = Paste(path, "24", "50%,50%").apply(load(other_file))
    assert len(pasted.sources) == 1
    assert pasted.table.patch[-1] == 0


@pytest.mark.parametrize("missing", ["none.h5", "."])
def test_pasting_from_no_file(quilt: ElementSet, tmp_path: object, missing: str) -> None:
    with pytest.raises(BadInputError):
        Paste(f"{tmp_path}/{missing}", "0", "5,5").apply(quilt)


def test_groups(quilt: ElementSet) -> None:
    grouped = Group("dog", "object@15,15").apply(quilt)
    assert grouped.groups == {"dog": (7, 8, 13, 14)}
    assert Group("dog", "3,2").apply(grouped).groups == {"dog": (3, 2)}
    assert boxes(Move("group:dog", "1,0").apply(grouped), 7) == [[16, 15, 10, 10]]
    assert Ungroup("dog").apply(grouped).groups == {}
    with pytest.raises(UsageError, match=r"no group 'cat'.*groups: dog"):
        Ungroup("cat").apply(grouped)
    with pytest.raises(TypeError):
        grouped.groups["x"] = (1,)  # type: ignore[index]


def test_reset_goes_back_to_the_unedited_photo(quilt: ElementSet) -> None:
    grouped = replace(quilt, groups=MappingProxyType({"first": (1,)}))
    edited = edit(grouped, [Move("0", "1,1"), Group("dog", "1"), Copy("2", "3,3"), Reset()])
    assert edited.table.equals(quilt.table)
    assert edited.groups == {"first": (1,)}
    assert len(edited.history) == 4


@pytest.mark.parametrize(
    "operation",
    [Move("0", "1000000,0"), Scale("all", "1000000"), Scale("0", "0.00001")],
)
def test_boxes_keep_within_limits(quilt: ElementSet, operation: Operation) -> None:
    with pytest.raises(UsageError, match=r"element \d+ would"):
        operation.apply(quilt)


def test_there_is_a_largest_number_of_elements(quilt: ElementSet) -> None:
    elements = quilt
    with pytest.raises(UsageError, match="at most 65535"):
        for _ in range(12):
            elements = Copy("all", "1,1").apply(elements)
    assert len(elements) == 24 * 2**11


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_each_has_a_help_line_and_counts_its_arguments(operation: type[Operation]) -> None:
    assert 20 < len(operation.help()) < 90
    assert operation.help().endswith((".", "down."))
    with pytest.raises(UsageError, match=operation.name):
        operation.parse(["12"] * (len(operation.metavars()) + 1))


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        (Move, ["12", "x"]),
        (Move, ["", "1,1"]),
        (Scale, ["12", "0"]),
        (Flip, ["12", "d"]),
        (Group, ["a/b", "12"]),
        (Group, ["a", "12,"]),
        (Appearance, ["12", "x"]),
        (Paste, ["other.h5", "1,1"]),
        (Paste, ["other.h5:", "1,1"]),
        (Paste, [":12", "1,1"]),
        (Paste, ["o.h5:12", "1"]),
        (Delete, ["\udcff"]),
        (Paste, ["\udcff.h5:12", "1,1"]),
    ],
)
def test_bad_arguments_are_refused_when_typed(
    operation: type[Operation], arguments: list[str]
) -> None:
    with pytest.raises(UsageError):
        operation.parse(arguments)


@pytest.mark.parametrize(
    ("text", "file", "selection"),
    [
        ("o.h5:12", "o.h5", "12"),
        ("o.h5:box:0,0,50,50", "o.h5", "box:0,0,50,50"),
        (r"C:\photos\o.h5:object@1,2-group:sky", r"C:\photos\o.h5", "object@1,2-group:sky"),
        ("12:30.h5:all", "12:30.h5", "all"),
        ("o.h5:mask:a:b.png", "o.h5", "mask:a:b.png"),
    ],
)
def test_the_file_ends_where_a_selection_begins(text: str, file: str, selection: str) -> None:
    assert split_file_and_selection(text) == (file, selection)
    assert Paste.parse([text, "1,1"]) == Paste(file, selection, "1,1")


def test_selections_mean_the_picture_that_was_looked_at(quilt: ElementSet) -> None:
    edited = edit(quilt, [Move("0", "+10,0"), Delete("@15,5")])
    assert select(edited, "all").tolist() == [0, *range(2, 24)]
    with pytest.raises(UsageError, match="when the command began"):
        edit(edited, [Delete("@35,5"), Move("@35,5", "1,0")])


def test_after_a_look_selections_mean_the_set_of_that_moment(quilt: ElementSet) -> None:
    edited = edit(quilt, [Move("0", "+10,0"), Look(), Delete("@15,5"), Look(), Delete("@15,5")])
    assert select(edited, "all").tolist() == list(range(2, 24))
    one_by_one = quilt
    for operation in (Move("0", "+10,0"), Delete("@15,5"), Delete("@15,5")):
        one_by_one = edit(one_by_one, [operation])
    assert one_by_one.table.equals(edited.table)


@pytest.mark.parametrize(
    "operations", [[Copy("0,1", "+14,0")], [Move("0,1", "+14,0"), Front("0,1")]]
)
def test_what_goes_together_stays_one_layer(operations) -> None:
    """Between neighbours that are copied or brought to the front nothing shines through."""
    import eie
    from eie.elements import Source

    label_map = np.full((24, 40), 2)
    label_map[6:18, 4:10], label_map[6:18, 10:16] = 0, 1
    pixels = np.where(label_map[..., None] < 2, 200, 20).astype(np.uint8).repeat(3, axis=2)
    elements = ElementSet.from_source(Source.from_label_map(label_map, pixels=pixels))
    picture = eie.render(eie.edit(elements, operations)).photo.pixels
    assert (picture[8:16, 20:28] == 200).all()
