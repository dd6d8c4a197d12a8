from __future__ import annotations

import sys

import numpy as np
import pytest
import skimage.data
from numpy.testing import assert_array_equal

from eie.render import ClassicalDecoder
from eie.render.anchored import stage
from eie.render.windows import separate_holes

from .conftest import CHANNELS, blocks, make_set, moved, noise, with_rows


def filled(elements, decoder=None):
    scene = stage(elements)
    return scene, (decoder or ClassicalDecoder()).fill(scene)


@pytest.mark.parametrize("channels", CHANNELS)
def test_only_the_hole_is_made(channels):
    elements = make_set(noise(64, 96, channels), blocks(64, 96, 2, 3))
    scene, fill = filled(with_rows(elements, 1, visible=False))
    assert_array_equal(fill[~scene.hole], scene.picture[~scene.hole])
    assert (fill[scene.hole] != scene.picture[scene.hole]).any()
    assert_array_equal(fill, ClassicalDecoder().fill(scene))


def test_a_gradient_goes_on_through_the_hole():
    ramp = np.broadcast_to(np.arange(128, dtype=np.uint8)[None, :, None] * 2, (128, 128, 3)).copy()
    label_map = np.zeros((128, 128), dtype=int)
    label_map[50:78, 50:78] = 1
    spoiled = ramp.copy()
    spoiled[50:78, 50:78] = 255
    scene, fill = filled(with_rows(make_set(spoiled, label_map), 1, visible=False))
    error = fill[scene.hole].astype(int) - ramp[scene.hole]
    assert abs(error).mean() < 10


def test_the_moved_object_does_not_smear_into_its_old_place():
    pixels = np.full((120, 120, 3), 60, dtype=np.uint8)
    label_map = np.zeros((120, 120), dtype=int)
    label_map[40:80, 40:80] = 1
    pixels[label_map == 1] = (250, 0, 0)
    scene, fill = filled(moved(make_set(pixels, label_map), 1, 15, 0))
    assert abs(fill[scene.hole & (scene.revealed == 255)].astype(int) - 60)[:, 1:].max() <= 60
    assert abs(fill[45:75, 42:50].astype(int) - 60).max() <= 3


def test_a_shifted_background_goes_on_where_it_left():
    """A sky that moved to the right is filled by sky, not by the ground below it."""
    pixels = np.full((120, 160, 3), 40, dtype=np.uint8)
    pixels[:90] = 210
    label_map = (np.arange(120) >= 90).astype(int)[:, None] * np.ones((1, 160), dtype=int)
    scene, fill = filled(moved(make_set(pixels, label_map), 0, 30, 0))
    assert scene.hole[:80, :29].all()
    assert abs(fill[:50, :25].astype(int) - 210).max() <= 10


@pytest.mark.parametrize(("method", "limit"), [("telea", 30), ("patchmatch", 60)])
def test_large_holes_are_made_at_a_smaller_size_and_alike(method, limit):
    photo = np.ascontiguousarray(skimage.data.astronaut()[::2, ::2])
    label_map = np.zeros(photo.shape[:2], dtype=int)
    label_map[60:200, 60:200] = 1
    elements = with_rows(make_set(photo, label_map), 1, visible=False)
    scene, full = filled(elements, ClassicalDecoder(method))
    _, reduced = filled(elements, ClassicalDecoder(method, largest=2000))
    inside = scene.revealed == 255
    difference = full[inside].astype(float) - reduced[inside]
    assert 0 < np.sqrt((difference**2).mean()) < limit


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


def test_texture_goes_on_through_a_wide_hole():
    rows, columns = np.mgrid[:160, :160]
    photo = np.where((rows // 6 + columns // 6) % 2, 200, 60).astype(np.uint8)[..., None]
    label_map = np.zeros((160, 160), dtype=int)
    label_map[60:100, 60:100] = 1
    spoiled = np.where(label_map[..., None] == 1, 255, photo).astype(np.uint8)
    elements = with_rows(make_set(spoiled, label_map), 1, visible=False)
    error = {}
    for method in ("patchmatch", "telea"):
        scene, fill = filled(elements, ClassicalDecoder(method))
        error[method] = abs(fill[scene.hole].astype(float) - photo[scene.hole]).mean()
    assert error["patchmatch"] < 0.5 * error["telea"]


def test_patches_have_no_say_in_what_is_narrow_or_cannot_be_matched(monkeypatch):
    monkeypatch.setitem(sys.modules, "patchmatch", None)  # using it would raise
    decoder = ClassicalDecoder("patchmatch")
    narrow = np.zeros((60, 60), dtype=int)
    narrow[20:50, 30:32] = 1
    filled(with_rows(make_set(noise(60, 60, 3), narrow), 1, visible=False), decoder)
    nothing_whole = np.ones((30, 30), dtype=int)
    nothing_whole[:, :5] = 0
    filled(with_rows(make_set(noise(30, 30, 3), nothing_whole), 1, visible=False), decoder)


def test_without_the_library_there_is_still_a_fill(monkeypatch):
    monkeypatch.setitem(sys.modules, "patchmatch", None)
    assert ClassicalDecoder().method == "telea"


def test_without_surroundings_the_mean_is_taken():
    pixels = np.zeros((10, 10, 1), dtype=np.uint8)
    pixels[:5] = 100
    _, fill = filled(with_rows(make_set(pixels, np.zeros((10, 10), int)), 0, visible=False))
    assert (fill == 50).all()


def test_a_fill_has_the_grain_of_its_surroundings():
    rng = np.random.default_rng(1)
    grainy = np.rint(rng.normal(128, 6, (160, 160, 1)).clip(0, 255)).astype(np.uint8)
    label_map = np.zeros((160, 160), dtype=int)
    label_map[50:110, 50:110] = 1
    elements = with_rows(make_set(grainy, label_map), 1, visible=False)
    _, fill = filled(elements)
    detail = np.diff(fill[65:95, 65:95, 0].astype(float), axis=1).std() / np.sqrt(2)
    assert 3 < detail < 9


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
    decoder = ClassicalDecoder(radius=2.0)
    assert decoder.name == "classical"
    assert decoder.settings == {
        "method": "patchmatch",
        "radius": 2.0,
        "margin": 24,
        "context": 1.0,
        "narrow": 4,
        "largest": 100_000,
        "background": 1 / 3,
        "seed": 0,
    }
