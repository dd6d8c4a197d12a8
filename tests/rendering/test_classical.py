from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import skimage.data
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from eie.errors import UsageError
from eie.rendering import ClassicalDecoder
from eie.rendering.anchored import stage
from eie.rendering.classical import told_apart
from eie.rendering.windows import separate_holes

from .conftest import CHANNELS, blocks, make_set, moved, noise, with_rows


def filled(elements, decoder=None):
    scene = stage(elements)
    return scene, (decoder or ClassicalDecoder()).fill(scene)


def with_box(photo, top, left, bottom, right):
    """The photo without what a box shows, which is made white first."""
    label_map = np.zeros(photo.shape[:2], dtype=int)
    label_map[top:bottom, left:right] = 1
    spoiled = np.where(label_map[..., None] == 1, 255, photo).astype(np.uint8)
    return with_rows(make_set(spoiled, label_map), 1, visible=False)


@pytest.mark.parametrize("channels", CHANNELS)
def test_only_the_hole_is_made(channels):
    elements = make_set(noise(64, 96, channels), blocks(64, 96, 2, 3))
    scene, fill = filled(with_rows(elements, 1, visible=False))
    assert_array_equal(fill[~scene.hole], scene.picture[~scene.hole])
    assert (fill[scene.hole] != scene.picture[scene.hole]).any()
    assert_array_equal(fill, ClassicalDecoder().fill(scene))


def test_a_gradient_goes_on_through_the_hole():
    ramp = np.broadcast_to(np.arange(128, dtype=np.uint8)[None, :, None] * 2, (128, 128, 3)).copy()
    scene, fill = filled(with_box(ramp, 50, 50, 78, 78))
    error = fill[scene.hole].astype(int) - ramp[scene.hole]
    assert abs(error).mean() < 10


@pytest.mark.parametrize("shift", [15, 60])
def test_the_moved_object_is_never_a_source_of_its_old_place(shift):
    pixels = noise(120, 120, 3) // 8 + 60
    label_map = np.zeros((120, 120), dtype=int)
    label_map[40:80, 30:60] = 1
    pixels[label_map == 1] = (250, 0, 0)
    scene, fill = filled(moved(make_set(pixels, label_map), 1, shift, 0))
    assert fill[scene.hole].min() >= 50 and fill[scene.hole].max() <= 110


def test_the_background_is_the_same_wherever_a_thing_goes():
    photo = np.ascontiguousarray(skimage.data.chelsea()[:200, :300])
    elements = make_set(photo, blocks(200, 300, 4, 6))
    near, far = (filled(moved(elements, 8, shift, 0)) for shift in (20, 150))
    both = near[0].hole & far[0].hole
    assert both.sum() > 900
    assert_array_equal(near[1][both], far[1][both])


def test_a_shifted_background_goes_on_where_it_left():
    """A sky that moved to the right is filled by sky, not by the ground below it."""
    pixels = np.full((120, 160, 3), 40, dtype=np.uint8)
    pixels[:90] = 210
    label_map = (np.arange(120) >= 90).astype(int)[:, None] * np.ones((1, 160), dtype=int)
    scene, fill = filled(moved(make_set(pixels, label_map), 0, 30, 0))
    assert scene.hole[:80, :29].all()
    assert abs(fill[:50, :25].astype(int) - 210).max() <= 10


def test_texture_goes_on_exactly_through_a_hole():
    rows, columns = np.mgrid[:160, :160]
    photo = np.where((rows // 8 + columns // 8) % 2, 200, 60).astype(np.uint8)[..., None]
    scene, fill = filled(with_box(photo, 60, 60, 100, 100))
    assert abs(fill[scene.hole].astype(float) - photo[scene.hole]).mean() < 4


def test_a_thing_beside_the_hole_is_not_copied_into_it():
    """A bottle on a plain wall looks like nothing around the hole, so it stays alone."""
    photo = np.clip(noise(160, 200, 3) // 16 + 200, 0, 255).astype(np.uint8)
    photo[40:120, 130:150] = (20, 120, 40)
    elements = with_box(photo, 40, 40, 120, 80)
    labels = elements.sources[0].label_map.copy()
    labels[40:120, 130:150] = 2
    scene, fill = filled(with_rows(make_set(elements.sources[0].pixels, labels), 1, visible=False))
    assert fill[scene.hole].min() > 180


@pytest.mark.parametrize("limit", ["searched", "blended"])
def test_large_holes_are_searched_and_blended_at_smaller_sizes_and_look_alike(limit):
    photo = np.ascontiguousarray(skimage.data.chelsea()[::2, ::2])
    elements = with_box(photo, 60, 150, 130, 220)
    scene, full = filled(elements)
    _, reduced = filled(elements, replace(ClassicalDecoder(), **{limit: 600, "searched": 600}))
    difference = full[scene.hole].astype(float) - reduced[scene.hole]
    assert 0 < np.sqrt((difference**2).mean()) < 40
    detail = [np.abs(np.diff(fill[65:125, 155:215].astype(int), axis=1)).mean() for fill in
              (full, reduced)]  # fmt: skip
    assert detail[1] > 0.6 * detail[0]


def test_transparent_colours_have_no_say():
    pixels = np.zeros((60, 60, 4), dtype=np.uint8)
    pixels[..., :3], pixels[..., 3] = (255, 0, 255), 0  # magenta that nobody sees
    pixels[:, 20:] = (10, 120, 30, 255)
    label_map = np.zeros((60, 60), dtype=int)
    label_map[20:40, 15:40] = 1
    scene, fill = filled(with_rows(make_set(pixels, label_map), 1, visible=False))
    made = fill[scene.hole]
    seen = made[made[:, 3] > 60].astype(int)
    assert len(seen) > 100
    assert abs(seen[:, :3] - (10, 120, 30)).max() <= 16


def test_without_surroundings_the_mean_is_taken():
    pixels = np.zeros((10, 10, 1), dtype=np.uint8)
    pixels[:5] = 100
    _, fill = filled(with_rows(make_set(pixels, np.zeros((10, 10), int)), 0, visible=False))
    assert (fill == 50).all()


def test_less_known_than_hole_gives_a_plain_picture():
    photo = np.full((90, 120, 3), 130, np.uint8)
    scene, fill = filled(with_box(photo, 0, 0, 90, 112))
    assert abs(fill[scene.hole].astype(int) - 130).max() <= 6


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 999), st.integers(1, 60), st.integers(1, 60), st.sampled_from(CHANNELS))
def test_holes_of_any_place_and_size_are_filled(seed, height, width, channels):
    rng = np.random.default_rng(seed)
    label_map = (rng.random((height, width)) < rng.uniform(0.02, 0.95)).astype(int)
    label_map.flat[0], label_map.flat[-1] = 0, 1
    if label_map.size == 1:
        label_map[:] = 0
    elements = make_set(noise(height, width, channels, seed), label_map)
    scene, fill = filled(with_rows(elements, label_map.max(), visible=False))
    assert fill.shape == scene.source.shape and fill.dtype == np.uint8
    assert_array_equal(fill[~scene.hole], scene.picture[~scene.hole])


def test_a_fill_has_the_grain_of_its_surroundings():
    rng = np.random.default_rng(1)
    grainy = np.rint(rng.normal(128, 6, (160, 160, 1)).clip(0, 255)).astype(np.uint8)
    _, fill = filled(with_box(grainy, 50, 50, 110, 110))
    detail = np.diff(fill[65:95, 65:95, 0].astype(float), axis=1).std() / np.sqrt(2)
    assert 5 < detail < 7


def test_a_hole_wider_than_what_is_known_shows_no_stripes():
    photo = np.ascontiguousarray(skimage.data.astronaut()[:240, :320])
    _, fill = filled(with_box(photo, 0, 30, 240, 320))
    assert np.abs(np.diff(fill[:, 200:].astype(int), axis=0)).mean() < 1


def test_variations_differ_and_a_seed_is_one_of_them():
    photo = np.ascontiguousarray(skimage.data.astronaut()[:240, :240])
    scene = stage(with_box(photo, 120, 20, 180, 90))
    first, second, third = ClassicalDecoder().fill_variations(scene, 3)
    assert np.abs(first[scene.hole].astype(int) - second[scene.hole]).mean() > 3
    assert_array_equal(ClassicalDecoder(seed=1).fill(scene), second)
    assert_array_equal(ClassicalDecoder(seed=2).fill_variations(scene, 1)[0], third)


def test_where_there_are_no_others_there_are_fewer_variations():
    plain = np.full((80, 80, 3), 90, np.uint8)
    scene = stage(with_box(plain, 30, 30, 50, 50))
    only = ClassicalDecoder().fill_variations(scene, 4)
    assert len(only) == 1
    assert_array_equal(ClassicalDecoder(seed=5).fill(scene), only[0])


def test_fills_are_told_apart_by_structure_and_not_by_grain():
    rng = np.random.default_rng(0)
    grass, other = (rng.normal(120, 12, (96, 120, 3)).clip(0, 255).astype(np.uint8) for _ in "ab")
    hole = np.zeros((96, 120), dtype=bool)
    hole[16:80, 20:100] = True
    path = grass.copy()
    path[40:56] //= 2
    assert not told_apart(grass, np.where(hole[..., None], other, grass), hole)
    assert told_apart(grass, np.where(hole[..., None], path, grass), hole)


def test_a_negative_seed_is_refused():
    with pytest.raises(UsageError, match="seed"):
        ClassicalDecoder(seed=-1)


def test_separate_holes_are_told_apart_and_complete():
    hole = np.zeros((200, 300), dtype=bool)
    hole[10:20, 10:20] = hole[150:190, 250:300] = True
    parts = list(separate_holes(hole, margin=8))
    assert len(parts) == 2
    together = np.zeros_like(hole)
    for window, part in parts:
        assert part.shape == (window.height, window.width)
        together[window.slices] |= part
    assert_array_equal(together, hole)


def test_settings_name_everything():
    decoder = ClassicalDecoder(margin=30)
    assert decoder.name == "classical"
    assert decoder.settings == {
        "margin": 30,
        "context": 1.0,
        "searched": 9000,
        "blended": 40_000,
        "border": True,
        "seed": 0,
    }
