"""Reduced sets look like the pictures they stand for."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eie.editing import Copy, Delete, Flip, Move, Paste, Rotate, Scale, edit
from eie.editing.picking import rows_on_canvas
from eie.elements import validate
from eie.files import save
from eie.rendering import render
from eie.rendering.anchored import stage
from eie.rendering.reduced import reduced

from .conftest import CHANNELS, blocks, make_set, noise


def smooth(height: int, width: int, channels: int, seed: int = 0) -> np.ndarray:
    coarse = noise(6, 8, channels, seed)
    large = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return large.reshape(height, width, channels)


@pytest.fixture
def photo():
    return make_set(smooth(180, 240, 3), blocks(180, 240, 6, 8))


@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("side", [1, 7, 100, 240, 1000])
def test_what_was_not_touched_stays_at_home(channels, side):
    elements = make_set(smooth(180, 240, channels), blocks(180, 240, 6, 8))
    small = reduced(elements, side)
    assert max(small.canvas) == min(side, 240)
    assert small.untouched.all() and len(small) == len(elements)
    assert np.asarray(small.sources[0].pixels).shape == (*small.canvas, channels)
    shown = render(small)
    assert shown.changed_pixels == 0
    if side >= 100:
        validate(small)


def test_a_set_that_is_small_enough_keeps_its_pixels(photo):
    small = reduced(photo, 240)
    assert np.array_equal(small.sources[0].pixels, photo.sources[0].pixels)
    assert np.array_equal(small.sources[0].label_map, photo.sources[0].label_map)
    assert small.table.equals(photo.table)


CHANGES = [
    Move("20,21,28,29", "+41,-13"),
    Scale("20,21", "1.5"),
    Rotate("20,28", "30"),
    Flip("9-12", "h"),
    Flip("9-12", "v"),
    Copy("3,4", "-20,+33"),
    Delete("40-42"),
    Scale("33", "2.0,0.5"),
]


@settings(max_examples=40, deadline=None)
@given(
    operations=st.lists(st.sampled_from(CHANGES), max_size=4, unique=True),
    side=st.integers(60, 239),
)
def test_elements_are_where_they_were(operations, side):
    elements = make_set(smooth(180, 240, 3), blocks(180, 240, 6, 8))
    for operation in operations:
        elements = edit(elements, [operation])
    small = reduced(elements, side)
    front = rows_on_canvas(small, small.table.visible)
    lines, columns = (
        ((np.arange(few) + 0.5) * whole / few).astype(int)
        for few, whole in zip(small.canvas, elements.canvas, strict=True)
    )
    expected = rows_on_canvas(elements, elements.table.visible)[np.ix_(lines, columns)]
    assert np.array_equal(small.untouched, elements.untouched)
    # Borders may lie half a reduced pixel beside.
    edge = cv2.dilate(
        (cv2.morphologyEx(expected.astype(np.int16), cv2.MORPH_GRADIENT, np.ones((3, 3))) > 0)
        .astype(np.uint8), np.ones((3, 3)),
    ) > 0  # fmt: skip
    assert np.array_equal(front[~edge], expected[~edge])


def test_a_reduced_rendering_looks_like_the_reduced_rendering(photo):
    for operation in (CHANGES[0], CHANGES[2], CHANGES[5]):
        photo = edit(photo, [operation])
    scene = stage(photo, edge="hard")
    small = stage(reduced(photo, 120), edge="hard")
    expected = cv2.resize(scene.picture, (120, 90), interpolation=cv2.INTER_AREA)
    clear = cv2.resize(scene.hole.astype(np.uint8), (120, 90), interpolation=cv2.INTER_AREA) == 0
    difference = np.abs(small.picture.astype(int) - expected.astype(int)).max(axis=2)
    assert np.percentile(difference[clear & ~small.hole], 97) <= 12


def test_pasted_sources_are_reduced_alike(photo, tmp_path):
    other = make_set(smooth(100, 160, 3, seed=3), blocks(100, 160, 5, 8))
    save(other, tmp_path / "other.h5")
    both = edit(photo, [Paste(str(tmp_path / "other.h5"), "all", "50%,50%")])
    small = reduced(both, 120)
    assert [s.label_map.shape for s in small.sources] == [(90, 120), (50, 80)]
    pasted = small.table.source == 1
    x0 = (small.table.box[pasted, 0] - small.table.box[pasted, 2] / 2).min()
    assert x0 == pytest.approx(20, abs=0.6)


def test_patches_that_are_too_small_do_no_harm():
    label_map = blocks(180, 240, 6, 8)
    label_map[3, 5] = 48
    label_map[100:102, 100:102] = 49
    elements = edit(make_set(smooth(180, 240, 3), label_map), [Move("48,49", "+30,0")])
    small = reduced(elements, 24)
    assert (small.home_box[:, 2:] > 0).all()
    render(small)


def test_transparent_pixels_have_no_say():
    pixels = np.zeros((40, 40, 4), dtype=np.uint8)
    pixels[:, ::2] = (200, 10, 10, 255)
    pixels[:, 1::2] = (0, 255, 0, 0)
    small = np.asarray(reduced(make_set(pixels, blocks(40, 40, 2, 2)), 20).sources[0].pixels)
    assert (np.abs(small[..., :3].astype(int) - (200, 10, 10)) <= 2).all()
    assert (np.abs(small[..., 3].astype(int) - 128) <= 1).all()


def test_pixels_are_reduced_once(photo):
    kept: dict = {}
    one = reduced(photo, 100, kept)
    two = reduced(edit(photo, [Move("3", "+1,0")]), 100, kept)
    assert one.sources[0].pixels is two.sources[0].pixels
    assert len(kept) == 1
    bare = replace(photo, sources=tuple(replace(s, pixels=None) for s in photo.sources))
    assert reduced(bare, 100, kept).sources[0].pixels is None
