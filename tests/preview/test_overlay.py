from __future__ import annotations

import io
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from eie.editing.picking import rows_on_canvas
from eie.errors import UsageError
from eie.files.photo import Photo
from eie.preview import overlay as module
from eie.preview.overlay import _interior_points, row_map, terminal_preview
from eie.preview.rulers import step_of, with_rulers
from tests.rendering.conftest import (
    CHANNELS,
    blocks,
    copied,
    make_set,
    moved,
    noise,
    scaled,
    with_rows,
)

show = partial(module.show, ruler=False)


def flat(height=120, width=180, rows=2, columns=3):
    return make_set(
        np.full((height, width, 3), 100, np.uint8), blocks(height, width, rows, columns)
    )


def test_row_map_at_home_is_the_label_map():
    elements = flat()
    assert_array_equal(row_map(elements, elements.canvas), elements.sources[0].label_map)


def test_row_map_shows_elements_where_they_are():
    elements = moved(flat(), 0, 60, 60)
    rows = row_map(elements, elements.canvas)
    assert (rows[:60, :60] == -1).all()
    assert (rows[60:, 60:120] == 0).all()
    behind = row_map(with_rows(elements, 4, z=1), elements.canvas)
    assert (behind[60:, 60:120] == 4).all()


def test_row_map_knows_copies_flips_and_scales():
    label_map = np.zeros((40, 40), dtype=int)
    label_map[10:20, 10:20] = 1
    label_map[10:15, 10:12] = 2
    elements = make_set(noise(40, 40, 3), label_map)
    flipped = row_map(with_rows(elements, [1], flip=(True, False)), (40, 40))
    assert_array_equal(flipped[15:20, 18:20] == 1, True)
    assert_array_equal(row_map(copied(elements, 1, 15, 0), (40, 40))[15:20, 25:35], 3)
    assert_array_equal(row_map(scaled(elements, 1, 2, 2), (40, 40))[15:25, 12:25] == 1, True)
    gone = row_map(with_rows(elements, 1, visible=False), (40, 40))
    assert (gone[12:20, 12:20] == -1).all()


@pytest.mark.parametrize("angle", [90.0, -33.0, 180.0, 145.0])
@pytest.mark.parametrize("shear", [0.0, 0.6])
def test_row_map_shows_turned_elements_as_selections_see_them(angle, shear):
    elements = with_rows(flat(), [1, 4], angle=angle, shear=shear)
    rows = row_map(elements, elements.canvas)
    assert_array_equal(rows, rows_on_canvas(elements, elements.table.visible))
    assert {1, 4} <= set(np.unique(rows))
    picture = show(elements, long_side=360, only=[1]).pixels
    assert picture.shape == (240, 360, 3)


@pytest.mark.parametrize(
    ("size", "long_side", "expected"),
    [
        ((40, 100), 2048, (440, 1100)),
        ((300, 2400), 2048, (256, 2048)),
        ((300, 2400), None, (300, 2400)),
        ((512, 512), 2048, (1024, 1024)),
        ((100, 100), 50, (50, 50)),
        ((100, 100), 250, (200, 200)),
    ],
)
def test_sizes_are_bounded_and_small_photos_enlarged(size, long_side, expected):
    picture = show(make_set(noise(*size, 3), blocks(*size, 2, 2)), long_side=long_side)
    assert picture.pixels.shape == (*expected, 3)


@pytest.mark.parametrize("channels", CHANNELS)
def test_borders_and_ids_are_drawn_and_ids_can_be_left_out(channels):
    pixels = np.full((120, 180, channels), 255 if channels in (2, 4) else 100, dtype=np.uint8)
    pixels[..., : 1 if channels < 3 else 3] = 100
    elements = make_set(pixels, blocks(120, 180, 2, 3))
    plain, named = show(elements, ids=False).pixels, show(elements).pixels
    height, width = plain.shape[:2]
    assert (plain[height // 4, width // 6] == 100).all()
    assert plain[height // 4, width // 3].max() > 180
    changed = (plain != named).any(axis=2)
    for row in range(2):
        for column in range(3):
            cell = changed[row * height // 2 :, column * width // 3 :][: height // 2, : width // 3]
            assert 50 < cell.sum() < cell.size / 4
            ys, xs = np.nonzero(cell)
            assert abs(xs.mean() - width / 6) < width / 12  # text sits within its element
            assert abs(ys.mean() - height / 4) < height / 8


@pytest.mark.parametrize("side", [1, 3])
def test_an_id_that_does_not_fit_is_written_all_the_same(side):
    label_map = np.zeros((1024, 1024), dtype=int)
    label_map[500 : 500 + side, : 2 * side] = 1
    elements = make_set(np.full((1024, 1024, 3), 9, np.uint8), label_map)
    named, plain = show(elements, only=[1]), show(elements, only=[1], ids=False)
    ys, xs = np.nonzero((named.pixels != plain.pixels).any(axis=2))
    assert 20 < len(xs) < 400
    assert abs(ys.mean() - 500) < 6
    assert xs.max() < 20  # at the edge, within the picture


def test_a_scale_is_taken_as_stated():
    assert show(flat(), scale=2.5).pixels.shape == (300, 450, 3)
    assert show(flat(), scale=0.5).pixels.shape == (60, 90, 3)
    for scale in (0, -1, 0.001, 1e5, float("nan"), float("inf")):
        with pytest.raises(UsageError, match="scale"):
            show(flat(), scale=scale)


def test_rulers_stand_at_the_coordinates_they_name():
    picture = np.full((400, 600, 3), 77, np.uint8)
    ruled = with_rulers(picture, (200, 300))
    above, beside = ruled.shape[0] - 400, ruled.shape[1] - 600
    assert 0 < above < 60 and 0 < beside < 90
    assert_array_equal(ruled[above:, beside:], picture)
    dark = (ruled < 50).all(axis=2)
    assert dark[:above, : beside // 2].any()  # the scale
    # Numbers are 50 pixels of the canvas apart at least: at each 100, and marks at each 20.
    marks = np.flatnonzero(dark[above - 1, beside:])
    assert_array_equal(np.diff(marks)[:-1], 20)
    assert marks[0] == 0
    long = np.flatnonzero(dark[above - 4, beside:])
    assert_array_equal(long[:3], [0, 100, 200])
    down = np.flatnonzero(dark[above:, beside - 1])
    assert_array_equal(np.diff(down)[:-1], 20)


def test_rulers_are_drawn_around_both_pictures():
    plain, ruled = show(flat(), before_after=True).pixels, module.show(flat(), before_after=True)
    assert ruled.pixels.shape[0] > plain.shape[0]
    assert ruled.pixels.shape[1] > plain.shape[1]
    half = (ruled.pixels.shape[1] - 10) // 2  # a gap of 10 between
    assert_array_equal(ruled.pixels[:, :half], ruled.pixels[:, -half:])


@pytest.mark.parametrize(
    ("least", "step"), [(0.1, 1), (1, 1), (1.1, 2), (5, 5), (5.1, 10), (23, 50), (99, 100)]
)
def test_steps_are_round(least, step):
    assert step_of(least) == step


def test_interior_points_lie_deepest_inside():
    rows = np.zeros((100, 100), dtype=np.int32)
    rows[10:31, 10:31] = 1
    rows[50:52, 0:90] = 2
    points = {row: (x, y, room) for row, x, y, room in _interior_points(rows)}
    assert points[1][:2] == (20.5, 20.5)
    assert 9 < points[1][2] < 12
    assert 2 not in points  # two pixels thin: all of it is border


def test_only_the_chosen_elements_stay_bright():
    picture = show(flat(), only=[0], ids=False).pixels
    height, width = picture.shape[:2]
    assert (picture[height // 4, width // 6] == 100).all()
    assert (picture[height * 3 // 4, width // 6] == 33).all()
    with pytest.raises(UsageError, match="no element 77"):
        show(flat(), only=iter([77]))
    with pytest.raises(UsageError, match="too short"):
        show(flat(), long_side=0)


def test_groups_are_tinted_and_named_below():
    elements = replace(flat(), groups={"left": (0, 3), "a long name " * 20: (2,)})
    plain, tinted = show(elements, ids=False).pixels, show(elements, ids=False, groups=True).pixels
    assert tinted.shape[0] > plain.shape[0]
    height, width = plain.shape[:2]
    tint = tinted[height // 4, width // 6].astype(int)
    assert tint[0] > tint[1] + 30  # the first group is red
    assert_array_equal(tinted[height // 4, width // 2], plain[height // 4, width // 2])
    assert_array_equal(show(flat(), groups=True).pixels, show(flat()).pixels)


def test_before_and_after_stand_side_by_side():
    elements = moved(flat(), 0, 60, 60)
    single = show(elements).pixels
    double = show(elements, before_after=True).pixels
    width = single.shape[1]
    assert_array_equal(double[:, -width:], single)
    assert_array_equal(double[:, :width], show(flat()).pixels)


def test_a_set_without_pixels_is_drawn_in_greys():
    picture = show(make_set(None, blocks(120, 180, 2, 3)), ids=False).pixels
    height, width = picture.shape[:2]
    assert picture[height // 4, width // 6, 0] != picture[height // 4, width // 2, 0]


def test_a_given_photo_is_not_rendered_again():
    photo = Photo(np.full((120, 180, 3), 222, dtype=np.uint8))
    assert show(flat(), photo=photo, ids=False).pixels[30, 30].tolist() == [222] * 3


@pytest.mark.parametrize(("columns", "lines", "expected"), [(20, None, (20, 10)), (20, 4, (8, 4))])
def test_terminal_preview_fits(columns, lines, expected):
    from rich.console import Console

    out = io.StringIO()
    console = Console(file=out, force_terminal=True, color_system="truecolor", width=80)
    console.print(terminal_preview(Photo(np.full((60, 60, 3), 50, np.uint8)), columns, lines))
    text = out.getvalue().rstrip("\n").split("\n")
    assert len(text) == expected[1]
    assert all(line.count("▀") == expected[0] for line in text)
    assert "38;2;50;50;50;48;2;50;50;50" in text[0]
