from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest

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
    Scale,
    Swap,
    To,
    Ungroup,
    edit,
)
from eie.editing.account import alike_neighbours
from eie.elements import ElementSet, Source

# The quilt is 60×40 pixels, 24 elements of 10×10; 7, 8, 13 and 14 are one object.
FOUR = "4 elements, 20×20 px around 20,20; 17 % of the picture"


def told(elements: ElementSet, *operations: Operation) -> list[str]:
    lines: list[str] = []
    edit(elements, operations, report=lines.append)
    return lines


@pytest.mark.parametrize(
    ("operation", "line"),
    [
        (Move("object@15,15", "+3,0"), f"moved {FOUR}"),
        (To("object@15,15", "30,20"), f"moved {FOUR}"),
        (Drag("15,15", "25,15"), f"moved {FOUR}"),
        (Scale("object@15,15", "2"), f"scaled {FOUR}"),
        (Delete("object@15,15"), f"deleted {FOUR}"),
        (Copy("object@15,15", "+3,0"), f"copied {FOUR}"),
        (Flip("object@15,15", "h"), f"flipped {FOUR}"),
        (Front("object@15,15"), f"brought to the front {FOUR}"),
        (Back("object@15,15"), f"put behind all others {FOUR}"),
        (Group("cup", "object@15,15"), f"grouped {FOUR}"),
        (Appearance("0,1", "7"), "changed the appearance of 2 elements, 20×10 px around 10,5; 8 %"),
        (Swap("0", "3"), "swapped 2 elements, 40×10 px around 20,5; 8 % of the picture"),
    ],
)
def test_every_operation_tells_what_it_took(
    quilt: ElementSet, operation: Operation, line: str
) -> None:
    lines = told(quilt, operation)
    assert len(lines) == 1
    assert lines[0].startswith(line)


def test_deleted_and_pasted_elements_are_told_where_they_are(
    quilt: ElementSet, other_file: str
) -> None:
    line = told(quilt, Delete("7"), Restore("@15,15"))[-1]
    assert line == "restored 1 element, 10×10 px around 15,15; 4 % of the picture"
    assert told(quilt, Paste(other_file, "0,1", "30,20")) == [
        "pasted 2 elements, 20×10 px around 30,20; 8 % of the picture"
    ]
    large = told(quilt, Scale("0", "3"), Delete("0"))[-1]
    assert large == "deleted 1 element, 30×30 px around 5,5; 38 % of the picture"


def test_what_takes_no_elements_tells_nothing(quilt: ElementSet) -> None:
    named = replace(quilt, groups=MappingProxyType({"cup": (1,)}))
    assert told(named, Ungroup("cup"), Reset()) == []


def test_nothing_is_told_of_edits_that_fail(quilt: ElementSet) -> None:
    lines: list[str] = []
    with pytest.raises(Exception, match="no element 99"):
        edit(quilt, [Delete("1"), Delete("99")], report=lines.append)
    assert lines == []


def test_most_of_the_picture_is_warned_of(quilt: ElementSet) -> None:
    (line, warning) = told(quilt, Delete("0-13"))
    assert "58 % of the picture" in line
    assert warning == "warning: that is most of the picture"
    assert told(quilt, Delete("object@1,1"))[1].endswith("~0.3 behind object@x,y takes less")
    assert len(told(quilt, Delete("0-11"))) == 1
    assert len(told(quilt, Delete("all"))) == 1  # as asked


def test_a_neighbour_that_is_very_alike_is_warned_of() -> None:
    labels = np.repeat(np.arange(4), 10)[None].repeat(10, axis=0)  # 10 × 40 pixels
    affinity = np.full((4, 4), 0.97, dtype=np.float32)
    affinity[2] = affinity[:, 2] = 0.5
    np.fill_diagonal(affinity, 1)
    row = ElementSet.from_source(Source.from_label_map(labels, affinity=affinity))
    warning = "warning: 1, next to that, is most likely of the same thing; +1 adds it"
    assert told(row, Move("0", "2,0"))[1:] == [warning]
    assert told(row, Delete("0,1"))[1:] == []  # 3 is as alike, but not beside them
    assert told(row, Group("one", "0"))[1:] == []
    assert told(row, Delete("0,3 - 3"))[1:] == []  # who takes away has looked
    affinity[:] = 0.97
    np.fill_diagonal(affinity, 1)
    alike = ElementSet.from_source(Source.from_label_map(labels, affinity=affinity))
    warning = "warning: 0,2, next to that, are most likely of the same thing; +0,2 adds them"
    assert told(alike, Delete("1"))[1:] == [warning]
    assert alike_neighbours(row, np.array([0])) == [1]
    gone = edit(row, [Delete("1")])
    assert alike_neighbours(gone, np.array([0])) == []
    away = edit(row, [Move("1", "5,5")])
    assert alike_neighbours(away, np.array([0])) == []
    without = ElementSet.from_source(Source.from_label_map(labels))
    assert alike_neighbours(without, np.array([0])) == []
