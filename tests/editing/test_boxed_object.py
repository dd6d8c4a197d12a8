from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from eie.editing import Delete, Drag, Move, edit, select
from eie.elements import ElementSet, Source
from eie.errors import UsageError

# The quilt is 60×40 pixels, 24 elements of 10×10; 7, 8, 13 and 14 are one object.


def chosen(elements: ElementSet, text: str) -> list[int]:
    return select(elements, text).tolist()


@pytest.mark.parametrize(
    "text",
    [
        "object@10,10,30,30",
        "object@0,0,30,30",
        "object@30,30,0,0",
        "object@0,0,50,40",
        "object@0,0,50%,75%",
        "object@9.4,10.4,30.4,29.5",
    ],
)
def test_the_object_is_told_from_the_ground_in_the_box(quilt: ElementSet, text: str) -> None:
    assert chosen(quilt, text) == [7, 8, 13, 14]


def test_a_box_on_the_ground_takes_all_in_it(quilt: ElementSet) -> None:
    assert chosen(quilt, "object@40,0,60,20") == [4, 5, 10, 11]


def test_boxes_see_the_canvas_at_the_moment(quilt: ElementSet) -> None:
    moved = edit(quilt, [Move("object@10,10,30,30", "+25,+5")])
    assert chosen(moved, "object@30,10,60,40") == [7, 8, 13, 14]
    gone = edit(quilt, [Delete("7,13")])
    assert chosen(gone, "object@0,0,30,30") == [8, 14]
    assert select(gone, "object@0,0,30,30", deleted=True).tolist() == [7, 13]


def test_a_small_box_takes_what_it_holds_most_of(quilt: ElementSet) -> None:
    assert chosen(quilt, "object@12,12,18,18") == [7]
    with pytest.raises(UsageError, match="empty"):
        select(quilt, "object@70,70,90,90")
    with pytest.raises(UsageError, match="empty"):
        select(quilt, "object@12,12,12,12")


def test_without_affinity_all_in_the_box_is_taken(quilt: ElementSet) -> None:
    plain = replace(quilt, sources=(replace(quilt.sources[0], affinity=None),))
    assert chosen(plain, "object@0,0,20,10") == [0, 1]


def test_a_box_is_no_grip(quilt: ElementSet) -> None:
    with pytest.raises(UsageError, match="is not a point"):
        Drag("0,0,9,9", "20,20")
    with pytest.raises(UsageError, match="expected a comma and another number"):
        select(quilt, "object@1,2,3")


def test_the_whole_canvas_has_no_outside() -> None:
    labels = np.repeat(np.arange(4), 10)[None].repeat(10, axis=0)
    affinity = np.full((4, 4), 0.5, dtype=np.float32)
    row = ElementSet.from_source(Source.from_label_map(labels, affinity=affinity))
    assert chosen(row, "object@0,0,40,10") == [0, 1, 2, 3]
