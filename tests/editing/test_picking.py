from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from eie.editing.picking import areas, row_at, rows_on_canvas
from eie.elements import ElementSet, Source


@settings(deadline=None)
@given(st.data())
def test_the_canvas_map_and_single_look_ups_agree(data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 10**6)))
    label_map = np.unique(rng.integers(0, 5, (7, 9)), return_inverse=True)[1].reshape(7, 9)
    elements = ElementSet.from_source(Source.from_label_map(label_map))
    count = len(elements)
    table = elements.table.set(
        np.arange(count),
        box=np.hstack([rng.uniform(-2, 11, (count, 2)), rng.uniform(0.5, 9, (count, 2))]),
        z=rng.integers(-1, 2, count),
        flip=rng.random((count, 2)) < 0.5,
        visible=rng.random(count) < 0.8,
    )
    edited = replace(elements, table=table)
    front = rows_on_canvas(edited, table.visible)
    single = [
        [row_at(edited, x + rng.random(), y + rng.random(), table.visible) for x in range(9)]
        for y in range(7)
    ]
    assert [[-1 if row is None else row for row in line] for line in single] == front.tolist()


def test_an_unedited_canvas_shows_the_label_map(quilt: ElementSet) -> None:
    front = rows_on_canvas(quilt, quilt.table.visible)
    np.testing.assert_array_equal(front, quilt.sources[0].label_map)


def test_areas_count_pixels_in_bands() -> None:
    labels = np.random.default_rng(0).integers(-1, 6, (2500, 1000)).astype(np.int32)
    expected = [(labels == label).sum() for label in range(7)]
    np.testing.assert_array_equal(areas(labels, 7), expected)
