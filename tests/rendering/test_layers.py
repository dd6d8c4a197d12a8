from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from eie.elements import Source
from eie.pictures import blend, split_alpha, to_channels
from eie.rendering.layers import layers_of, paint

from .conftest import blocks, copied, make_set, moved, noise, scaled, with_rows


def painted(elements, canvas=None):
    pixels = [np.asarray(source.pixels) for source in elements.sources]
    canvas = pixels[0].copy() if canvas is None else canvas
    opaque = paint(canvas, layers_of(elements), elements, pixels.__getitem__)
    return canvas, opaque


def test_elements_at_home_make_no_layer():
    assert layers_of(make_set(noise(40, 40, 3), blocks(40, 40, 4, 4))) == []


def test_elements_moved_alike_are_one_layer_even_when_ids_interleave():
    elements = make_set(noise(40, 40, 3), blocks(40, 40, 4, 4))
    elements = moved(moved(elements, [0, 2, 5], 8, 0), [1, 4], 0, 8)
    assert [layer.rows.tolist() for layer in layers_of(elements)] == [[0, 2, 5], [1, 4]]


def test_no_seam_inside_an_object_moved_by_a_fraction():
    flat = np.full((60, 60, 3), 200, dtype=np.uint8)
    elements = moved(make_set(flat, blocks(60, 60, 6, 6)), [14, 15, 20, 21], 3.3, 2.7)
    canvas, _ = painted(elements, np.zeros_like(flat))
    # the four patches cover [20, 40)²; inside, feathered rim left out, all is one colour
    assert (canvas[29:36, 29:36] == 200).all()


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("flip", [(False, False), (True, False), (False, True), (True, True)])
def test_whole_shifts_and_flips_carry_exact_pixels(channels, flip):
    pixels = noise(60, 80, channels)
    if channels in (2, 4):
        pixels[..., -1] = 255
    elements = make_set(pixels, blocks(60, 80, 3, 4))
    elements = with_rows(moved(elements, 5, 17, -6), 5, flip=flip)
    canvas, opaque = painted(elements)
    turned = pixels[20:40, 20:40][:: -1 if flip[1] else 1, :: -1 if flip[0] else 1]
    inside = (slice(14 + 4, 34 - 4), slice(37 + 4, 57 - 4))
    assert opaque[inside].all()
    assert_array_equal(canvas[inside], turned[4:-4, 4:-4])


def test_a_layer_at_the_picture_edge_keeps_its_edge():
    pixels = noise(40, 40, 3)
    elements = moved(make_set(pixels, blocks(40, 40, 1, 2)), 0, 20, 0)
    canvas, opaque = painted(elements)
    assert_array_equal(canvas[0, 24:36], pixels[0, 4:16])  # no feather along the top
    assert opaque[0, 24:36].all()


def test_what_lies_outside_the_canvas_is_clipped():
    pixels = noise(40, 40, 3)
    for dx, dy in [(-15, 0), (1000, 0), (0, -1e9), (1e300, 1e300), (-7.5, 33.25)]:
        canvas, _ = painted(moved(make_set(pixels, blocks(40, 40, 2, 2)), 0, dx, dy))
        assert canvas.shape == pixels.shape
    canvas, opaque = painted(moved(make_set(pixels, blocks(40, 40, 2, 2)), 0, 40, 0))
    assert_array_equal(canvas, pixels)
    assert not opaque.any()


@pytest.mark.parametrize("factor", [1e-9, 1e-3, 0.07, 0.4, 1.7, 9.0, 1e4])
def test_any_scale_paints_colours_of_the_element_only(factor):
    pixels = np.zeros((48, 48, 3), dtype=np.uint8)
    label_map = blocks(48, 48, 3, 3)
    pixels[label_map == 4] = (180, 60, 20)
    canvas, _ = painted(scaled(make_set(pixels, label_map), 4, factor, factor), pixels * 0 + 255)
    # between the ground (255) and the element's own colour; black neighbours never bleed in
    assert (canvas >= np.array([180, 60, 20])).all()


def test_shrinking_averages():
    checks = (np.indices((64, 64)).sum(axis=0) % 2 * 255).astype(np.uint8)[..., None]
    elements = scaled(make_set(checks, np.zeros((64, 64), dtype=int)), 0, 0.25, 0.25)
    canvas, opaque = painted(elements)
    inside = canvas[opaque]
    assert len(inside) > 100
    assert abs(inside.astype(int) - 127).max() <= 3


def test_enlarging_keeps_a_contour_within_a_pixel():
    pixels = np.zeros((40, 40, 1), dtype=np.uint8)
    label_map = np.zeros((40, 40), dtype=int)
    label_map[18:22, 18:22] = 1
    elements = scaled(make_set(pixels, label_map), 1, 6.0, 6.0)
    canvas, _ = painted(elements, np.full_like(pixels, 255))
    changed = np.argwhere(canvas[..., 0] != 255)
    assert changed.min() >= 8 - 1 and changed.max() < 32 + 1  # the box covers [8, 32)²


def test_a_slit_in_a_layer_stays_open():
    pixels = np.zeros((400, 400, 1), dtype=np.uint8)
    label_map = np.zeros((400, 400), dtype=int)
    label_map[100:140, 100:140] = 1
    label_map[110:140, 120] = 0
    elements = moved(make_set(pixels, label_map), 1, 100, 0)
    canvas, _ = painted(elements, np.full_like(pixels, 255))
    assert (canvas[115:140, 220] == 255).all()
    assert (canvas[115:136, [210, 230]] == 0).all()


def test_nearer_untouched_elements_hide_a_layer():
    pixels = noise(40, 60, 3)
    elements = moved(make_set(pixels, blocks(40, 60, 1, 3)), 0, 20, 0)
    front, _ = painted(elements)
    behind, _ = painted(with_rows(elements, [1, 2], z=1))
    assert_array_equal(front[8:32, 24:36], pixels[8:32, 4:16])
    assert_array_equal(behind[:, 20:], pixels[:, 20:])


def test_layers_hide_each_other_by_z():
    pixels = noise(40, 80, 3)
    elements = make_set(pixels, blocks(40, 80, 1, 4))
    elements = moved(moved(elements, 0, 60, 0), 1, 40, 0)  # both onto element 3
    inside = (slice(None), slice(64, 76))
    assert_array_equal(painted(elements)[0][inside], pixels[:, 24:36])
    raised = with_rows(elements, 0, z=1)
    assert_array_equal(painted(raised)[0][inside], pixels[:, 4:16])


def test_an_appearance_swap_shows_the_other_patch_in_the_box():
    pixels = noise(40, 40, 3)
    elements = with_rows(make_set(pixels, blocks(40, 40, 2, 2)), 3, patch=0)
    canvas, _ = painted(elements)
    assert_array_equal(canvas[24:36, 24:36], pixels[4:16, 4:16])


@pytest.mark.parametrize("target", [1, 2, 3, 4])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_pasted_pixels_take_the_layout_of_the_canvas(channels, target):
    other = np.full((30, 30, channels), 90, dtype=np.uint8)
    if channels in (2, 4):
        other[..., -1] = 255
    elements = make_set(np.zeros((40, 40, target), dtype=np.uint8), blocks(40, 40, 1, 1))
    pasted = Source.from_label_map(np.zeros((30, 30), dtype=int), pixels=other)
    elements = replace(elements, sources=(*elements.sources, pasted))
    elements = with_rows(copied(elements, 0, 0, 0), 1, source=1, box=(20, 20, 30, 30))
    canvas, opaque = painted(elements)
    assert opaque[10:30, 10:30].all()
    colour, alpha = split_alpha(canvas[10:30, 10:30])
    assert (colour == 90).all()
    assert alpha is None or (alpha == 255).all()


def test_transparent_pixels_paint_nothing():
    pixels = noise(40, 40, 4)
    pixels[..., 3] = 255
    pixels[:20, :20, 3] = 0
    canvas, opaque = painted(moved(make_set(pixels, blocks(40, 40, 2, 2)), 0, 20, 20))
    assert_array_equal(canvas, pixels)
    assert not opaque.any()


def test_a_half_transparent_layer_mixes_with_what_is_below():
    pixels = np.zeros((40, 40, 4), dtype=np.uint8)
    pixels[..., 3] = 255
    pixels[:20, :20] = (200, 100, 50, 51)  # a fifth
    canvas, opaque = painted(moved(make_set(pixels, blocks(40, 40, 2, 2)), 0, 20, 20))
    assert_array_equal(canvas[30, 30], (40, 20, 10, 255))
    assert not opaque.any()


def test_over_nothing_straight_colours_stay_as_they_are():
    canvas = np.zeros((1, 3, 4), dtype=np.uint8)
    colour = np.full((1, 3, 3), 77, dtype=np.uint8)
    blend(canvas, colour, np.array([[0, 100, 255]], dtype=np.uint8))
    assert_array_equal(canvas[0], [(0, 0, 0, 0), (77, 77, 77, 100), (77, 77, 77, 255)])


def test_grey_and_colour_convert_both_ways():
    grey = np.arange(6, dtype=np.uint8).reshape(2, 3, 1)
    assert_array_equal(to_channels(to_channels(grey, 3), 1), grey)
    green = np.zeros((1, 1, 3), dtype=np.uint8)
    green[..., 1] = 100
    assert to_channels(green, 2).item() == 59
