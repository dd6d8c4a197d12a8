from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from eie.elements import ObjectMasks, Source
from eie.errors import UsageError
from eie.pictures import Window
from eie.rendering import layers, mattes, render
from eie.rendering.anchored import stage
from eie.rendering.layers import layers_of, usual_dilation
from eie.rendering.mattes import matte_of

from .conftest import CHANNELS, blocks, copied, make_set, moved, noise, scaled, with_rows


def gradient(height: int, width: int, channels: int = 3) -> np.ndarray:
    """(height, width, channels) uint8, another colour at every place."""
    y, x = np.mgrid[:height, :width] / max(height, width)
    planes = [60 + 120 * x, 200 - 100 * y, 90 + 60 * (x + y)][: 3 if channels > 2 else 1]
    if channels in (2, 4):
        planes.append(np.full_like(x, 255))
    return np.rint(np.stack(planes, axis=2)).astype(np.uint8)


def disc_cover(height: int, width: int, x: float, y: float, radius: float) -> np.ndarray:
    """(height, width) opacity of an antialiased disc."""
    rows, columns = np.mgrid[:height, :width] + 0.5
    return (radius + 0.5 - np.hypot(rows - y, columns - x)).clip(0, 1)


def over(ground: np.ndarray, colour: tuple[int, ...], cover: np.ndarray) -> np.ndarray:
    mixed = ground + (np.array(colour) - ground) * cover[..., None]
    return np.rint(mixed).astype(np.uint8)


COLOUR = {1: (250,), 2: (250, 255), 3: (250, 220, 30), 4: (250, 220, 30, 255)}


@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("x", [40.3, 12.0])  # the latter reaches the photo's border
def test_a_disc_on_a_gradient_is_moved_without_its_old_ground(channels, x):
    ground = gradient(90, 160, channels)
    cover = disc_cover(90, 160, x, 45.6, 20)
    elements = make_set(over(ground, COLOUR[channels], cover), (cover > 0.5).astype(int))
    elements = moved(elements, 1, 80, 6)
    truth = over(ground, COLOUR[channels], np.pad(cover, ((6, 0), (80, 0)))[:90, :160])
    new = np.zeros((90, 160), dtype=bool)
    new[28:76, 92:148] = True
    if x < 20:
        new[:, :85] = False  # where the photo's border cut it
    error = {
        edge: np.square(
            render(elements, edge=edge).photo.pixels[new].astype(float) - truth[new]
        ).mean()
        for edge in ("hard", "soft")
    }
    assert error["soft"] < 0.1 * error["hard"]


@pytest.mark.parametrize("factor", [0.6, 1.5])
def test_a_scaled_disc_shows_no_fringe(factor):
    """White from black ground onto white: whatever is dark came along."""
    cover = disc_cover(80, 80, 40.4, 39.7, 20)
    source = Source.from_label_map(
        (cover > 0.5).astype(int), pixels=np.rint(cover * 255).astype(np.uint8)[..., None]
    )
    white = make_set(np.full((120, 120, 1), 255, np.uint8), np.zeros((120, 120), int))
    elements = replace(white, sources=(*white.sources, source))
    box = np.array([61.3, 60.2, *source.home_box[1][2:] * factor])
    elements = with_rows(copied(elements, 0, 0, 0), 1, source=1, patch=1, box=box)
    assert render(elements).photo.pixels.min() >= 248


def test_thin_parts_that_a_mask_lacks_come_along_and_leave_nothing():
    ground = gradient(100, 200)
    cover = disc_cover(100, 200, 50, 60, 18)
    cover[24:50, 49:51] = 1  # a pole, of which the mask has the lower half and one column
    mask = cover > 0.5
    mask[:24] = mask[24:48, 50] = False
    elements = make_set(over(ground, (20, 20, 30), cover), mask.astype(int))
    rendered = render(moved(elements, 1, 90, 0)).photo.pixels.astype(int)
    assert (rendered[30:40, 139:141].mean(axis=(1, 2)) < 70).all()
    assert abs(rendered[24:40, 46:54] - ground[24:40, 46:54]).max() <= 12


def test_ground_that_a_mask_holds_stays_behind():
    ground = gradient(100, 200)
    cover = disc_cover(100, 200, 50, 50, 20)
    mask = disc_cover(100, 200, 50, 50, 22.5) > 0.5
    elements = moved(make_set(over(ground, (250, 240, 30), cover), mask.astype(int)), 1, 90, 0)
    truth = over(ground, (250, 240, 30), np.roll(cover, 90, axis=1))
    error = {
        edge: abs(
            render(elements, edge=edge).photo.pixels[:, 115:165] - truth[:, 115:165].astype(int)
        )
        for edge in ("hard", "soft")
    }
    assert error["soft"].mean() < 0.5 * error["hard"].mean()


def test_nothing_inside_a_thing_becomes_transparent():
    """Though it has a spot in the colours of its ground."""
    ground = gradient(100, 200)
    cover = disc_cover(100, 200, 50, 50, 30)
    pixels = over(ground, (250, 240, 30), cover)
    pixels[44:56, 44:56] = ground[44:56, 44:56]
    scene = stage(moved(make_set(pixels, (cover > 0.5).astype(int)), 1, 100, 0))
    assert_array_equal(scene.picture[26:74, 140:160], pixels[26:74, 40:60])


@pytest.mark.parametrize("channels", CHANNELS)
def test_what_moved_likewise_is_one_thing_whatever_its_z(channels):
    pixels = noise(60, 160, channels)
    if channels in (2, 4):
        pixels[..., -1] = 255
    elements = moved(make_set(pixels, blocks(60, 160, 1, 8)), [1, 2], 80, 0)
    elements = with_rows(elements, 2, z=1)
    assert len(layers_of(elements)) == 2
    scene = stage(elements)
    assert_array_equal(scene.picture[:, 106:134], pixels[:, 26:54])


def test_hard_edges_are_those_of_the_elements():
    pixels = noise(60, 90, 3)
    elements = moved(make_set(pixels, blocks(60, 90, 1, 3)), 1, 10, 0)
    scene = stage(elements, edge="hard")
    assert all(layer.matte is None for layer in scene.layers)
    assert_array_equal(scene.picture[:, :40], pixels[:, :40])
    assert_array_equal(scene.picture[:, 70:], pixels[:, 70:])
    with pytest.raises(UsageError, match="no edge 'blurred'"):
        stage(elements, edge="blurred")
    with pytest.raises(UsageError, match="--edge"):
        render(elements, free=True, edge="soft")


def test_provenance_names_the_edge():
    elements = moved(make_set(gradient(40, 60), blocks(40, 60, 1, 3)), 1, 10, 0)
    assert render(elements).provenance["eie:edge"] == "soft"
    assert render(elements, edge="hard").provenance["eie:edge"] == "hard"


@pytest.mark.parametrize("edge", ["hard", "soft"])
def test_a_cut_out_keeps_its_own_alpha(edge):
    """Pasted from a source that is transparent around it."""
    cover = disc_cover(60, 60, 30, 30, 20)
    pixels = np.zeros((60, 60, 4), dtype=np.uint8)
    pixels[..., :3] = np.where(cover[..., None] > 0, (250, 200, 10), 0)
    pixels[..., 3] = np.rint(cover * 255)
    source = Source.from_label_map((cover > 0.5).astype(int), pixels=pixels)
    photo = make_set(gradient(100, 100), np.zeros((100, 100), int))
    elements = replace(photo, sources=(*photo.sources, source))
    box = source.home_box[1] + np.array([20, 20, 0, 0])
    elements = with_rows(copied(elements, 0, 0, 0), 1, source=1, patch=1, box=box)
    rendered = render(elements, edge=edge).photo.pixels
    truth = over(gradient(100, 100), (250, 200, 10), np.pad(cover, 20))
    error = abs(rendered.astype(int) - truth)
    assert error.max() <= 1 if edge == "soft" else error.max() > 20


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 99), st.sampled_from(CHANNELS), st.integers(1, 3), st.sampled_from([4, 7, 16])
)
def test_alpha_is_that_of_the_mask_beyond_a_band(seed, channels, step, most):
    pixels = noise(70, 80, channels, seed)
    label_map = (disc_cover(70, 80, 40, 35, 25) > 0.5).astype(int)
    source = Source.from_label_map(label_map, pixels=pixels)
    largest = mattes._LARGEST
    try:
        mattes._LARGEST = 70 * 80 // step**2 + 1
        matte = matte_of(source, pixels, np.array([False, True]), 4, most)
    finally:
        mattes._LARGEST = largest
    assert matte is not None and matte.step == step
    colour = pixels[..., : 1 if channels < 3 else 3]
    cover, own = matte.at(Window.of(pixels), colour)
    y, x = np.mgrid[:70, :80] + 0.5
    distance = np.hypot(y - 35, x - 40)
    assert not cover[distance > 25.6 + most].any()
    if channels in (1, 3):  # transparent specks of noise have no band around
        assert (cover[distance < 25 - 4 - 3 * step] == 255).all()
        assert_array_equal(own[cover == 255], colour[cover == 255])


def test_long_bands_are_solved_at_a_fraction_of_the_size(monkeypatch):
    monkeypatch.setattr(mattes, "_MOST", 150)
    cover = disc_cover(90, 120, 60, 45, 30)
    pixels = over(gradient(90, 120), (250, 220, 30), cover)
    source = Source.from_label_map((cover > 0.5).astype(int), pixels=pixels)
    matte = matte_of(source, pixels, np.array([False, True]), 4, 4)
    assert matte is not None and matte.step > 1
    alpha, _ = matte.at(Window.of(pixels), pixels)
    assert abs(alpha / 255 - cover).mean() < 0.02
    part, _ = matte.at(Window(20, 30, 70, 80), pixels[20:70, 30:80])
    assert_array_equal(part, alpha[20:70, 30:80])


def test_what_has_no_border_has_no_matte():
    pixels = gradient(40, 60)
    source = Source.from_label_map(blocks(40, 60, 2, 2), pixels=pixels)
    assert matte_of(source, pixels, np.ones(4, dtype=bool), 4, 4) is None
    whole = stage(moved(make_set(pixels, blocks(40, 60, 2, 2)), [0, 1, 2, 3], 7, 0))
    assert_array_equal(whole.picture[:, 7:], pixels[:, :-7])


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (2, 2), (3, 3), (9, 2)])
def test_tiny_photos_have_mattes(size):
    elements = make_set(noise(*size, 3), (np.arange(size[0] * size[1]).reshape(size) > 0) * 1)
    if len(elements) > 1:
        assert render(moved(elements, 1, 1, 0)).photo.pixels.shape == (*size, 3)
        assert render(scaled(elements, 1, 0.5, 2.3)).photo.pixels.shape == (*size, 3)


def test_the_usual_dilation_grows_with_the_photo():
    assert [usual_dilation(s) for s in ((20, 20), (384, 512), (4000, 6000))] == [2, 4, 16]


def test_deleting_needs_no_matte(monkeypatch):
    monkeypatch.setattr(layers, "matte_of", None)
    elements = make_set(noise(40, 60, 3), blocks(40, 60, 2, 3))
    assert render(with_rows(elements, 1, visible=False)).changed_pixels
    with pytest.raises(TypeError):
        render(moved(elements, 1, 5, 0))


@pytest.mark.parametrize("largest", [mattes._LARGEST, 2000])  # solved at full size and at a third
def test_without_dilation_nothing_beyond_the_elements_comes_along(monkeypatch, largest):
    monkeypatch.setattr(mattes, "_LARGEST", largest)
    pixels = noise(100, 200, 3)
    cover = disc_cover(100, 200, 50, 50, 30) > 0.5
    elements = moved(make_set(pixels, cover.astype(int)), 1, 100, 0)
    changed = render(elements, dilation=0).changed
    assert_array_equal(changed & ~cover & ~np.roll(cover, 100, axis=1), False)


def coarse_thing() -> tuple[Source, np.ndarray, np.ndarray]:
    """A source whose patch 1 of 2 holds a disc and as much ground, as objects tell it, its pixels,
    and the disc (90, 160) bool."""
    disc = disc_cover(90, 160, 80, 45, 14) > 0.5
    rng = np.random.default_rng(0)
    colour = np.where(disc[..., None], (230, 120, 20), (60, 130, 70)) + rng.normal(
        0, 9, (90, 160, 3)
    )
    labels = np.zeros((90, 160), dtype=int)
    labels[25:65, 60:100] = 1
    pixels = colour.clip(0, 255).astype(np.uint8)
    chances = np.where(np.eye(2, dtype=bool), 1.0, 0.2)[None].repeat(3, axis=0)
    objects = ObjectMasks.of(chances, np.ones((3, 2)))
    return Source.from_label_map(labels, pixels=pixels, objects=objects), pixels, disc


def overlap_with(disc: np.ndarray, source: Source, pixels: np.ndarray) -> float:
    matte = matte_of(source, pixels, np.array([False, True]), 2, 4)
    assert matte is not None
    cover, _ = matte.at(Window.of(pixels), pixels)
    return np.minimum(cover, 255 * disc).sum() / np.maximum(cover, 255 * disc).sum(dtype=float)


def test_what_a_clicked_patch_holds_of_the_ground_is_not_taken_along():
    source, pixels, disc = coarse_thing()
    assert overlap_with(disc, source, pixels) > 0.93


def test_patches_that_no_object_head_told_are_taken_as_they_are():
    source, pixels, disc = coarse_thing()
    assert overlap_with(disc, replace(source, objects=None), pixels) < 0.45


def test_what_a_mask_told_apart_is_taken_as_it_is():
    source, pixels, disc = coarse_thing()
    apart = ObjectMasks.of(np.eye(2)[None].repeat(3, axis=0), np.ones((3, 2)))
    assert overlap_with(disc, replace(source, objects=apart), pixels) < 0.45


def test_patches_that_are_no_candidate_are_taken_as_they_are():
    source, pixels, disc = coarse_thing()
    group = ObjectMasks.of(np.full((3, 2, 2), 0.9), np.ones((3, 2)))
    assert overlap_with(disc, replace(source, objects=group), pixels) < 0.45
