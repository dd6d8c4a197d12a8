from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from eie.editing.picking import areas, row_at, rows_on_canvas, sampled
from eie.elements import ElementSet, Source


def edited_set(rng: np.random.Generator) -> ElementSet:
    """Nine by seven pixels of a few elements, most of which are anywhere."""
    label_map = np.unique(rng.integers(0, 5, (7, 9)), return_inverse=True)[1].reshape(7, 9)
    elements = ElementSet.from_source(Source.from_label_map(label_map))
    count = len(elements)
    boxes = np.hstack([rng.uniform(-2, 11, (count, 2)), rng.uniform(0.5, 9, (count, 2))])
    home = rng.random(count) < 0.4
    table = elements.table.set(
        np.arange(count),
        box=np.where(home[:, None], elements.home_box, boxes),
        z=rng.integers(-1, 2, count),
        flip=(rng.random((count, 2)) < 0.5) & ~home[:, None],
        visible=rng.random(count) < 0.8,
    )
    return replace(elements, table=table)


@settings(deadline=None)
@given(st.data())
def test_the_canvas_map_and_single_look_ups_agree(data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 10**6)))
    edited = edited_set(rng)
    table = edited.table
    front = rows_on_canvas(edited, table.visible)
    single = [
        [row_at(edited, x + rng.random(), y + rng.random(), table.visible) for x in range(9)]
        for y in range(7)
    ]
    assert [[-1 if row is None else row for row in line] for line in single] == front.tolist()


@settings(deadline=None)
@given(seed=st.integers(0, 10**6), height=st.integers(1, 9), width=st.integers(1, 12))
def test_a_smaller_map_is_a_sample_of_the_whole_one(seed: int, height: int, width: int) -> None:
    edited = edited_set(np.random.default_rng(seed))
    whole = rows_on_canvas(edited, edited.table.visible)
    lines, columns = sampled(edited.canvas, (height, width))
    small = rows_on_canvas(edited, edited.table.visible, (height, width))
    np.testing.assert_array_equal(small, whole[np.ix_(lines, columns)])


def test_an_unedited_canvas_shows_the_label_map(quilt: ElementSet) -> None:
    front = rows_on_canvas(quilt, quilt.table.visible)
    np.testing.assert_array_equal(front, quilt.sources[0].label_map)


def test_areas_count_pixels_in_bands() -> None:
    labels = np.random.default_rng(0).integers(-1, 6, (2500, 1000)).astype(np.int32)
    expected = [(labels == label).sum() for label in range(7)]
    np.testing.assert_array_equal(areas(labels, 7), expected)
