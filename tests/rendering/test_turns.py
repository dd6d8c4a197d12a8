"""Turned elements as they are rendered."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from eie.evaluate.metrics import psnr
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from PIL import Image
from skimage import data

import eie
from eie.editing import Copy, Flip, Move, Rotate, Scale
from eie.elements import ElementSet
from eie.encoding import encode
from eie.pictures import dilated
from eie.rendering import render
from eie.rendering.layers import TILE, layers_of, paint

from .conftest import blocks, make_set, noise, with_rows

EDGES = ("hard", "soft")


def shape_in(height: int, width: int, shape: np.ndarray, pixels: np.ndarray) -> ElementSet:
    """A set whose elements 1, 2 … are parts of a shape, cut in irregular pieces; 0 is the rest."""
    y, x = np.mgrid[:height, :width]
    pieces = 1 + (y + 3 * (x % 5)) // 11 % 3 + 3 * ((x + 2 * (y % 7)) // 9 % 3)
    labels = np.where(shape, pieces, 0)
    _, labels = np.unique(labels, return_inverse=True)
    return make_set(pixels, labels.reshape(height, width))


def flat(height: int = 120, width: int = 160, thing: int = 200, ground: int = 40) -> tuple:
    """A shape with a bay of one colour on a ground of another, and where it is."""
    y, x = np.mgrid[:height, :width]
    shape = (np.abs(y - 60) < 32) & (np.abs(x - 70) < 41) & ~((y < 55) & (np.abs(x - 60) < 12))
    pixels = np.where(shape, thing, ground).astype(np.uint8)[..., None].repeat(3, axis=2)
    return shape_in(height, width, shape, pixels), shape


def turned_by_pillow(
    plane: np.ndarray, elements: ElementSet, row: int, finer: int = 1
) -> np.ndarray:
    """(H, W, C) the picture carried as an element is, by Pillow, at a multiple of the size."""
    (xx, xy), (yx, yy) = elements.transform(row).matrix
    offset = np.array(elements.transform(row).offset)
    inverse = np.linalg.inv([[xx, xy], [yx, yy]])
    start = -inverse @ offset
    rows = np.column_stack([inverse / finer, start]).ravel().tolist()
    size = (plane.shape[1] * finer, plane.shape[0] * finer)
    image = Image.fromarray(plane)
    turned = image.transform(size, Image.Transform.AFFINE, rows, Image.Resampling.BICUBIC)
    return np.asarray(turned)


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize(
    "steps",
    [
        [Rotate("all-0", "20")],
        [Rotate("all-0", "-71.3"), Scale("all-0", "1.31")],
        [Rotate("all-0", "45"), Scale("all-0", "0.6")],
        [Rotate("all-0", "33"), Scale("all-0", "1.4,0.7"), Flip("all-0", "h")],
        [Scale("all-0", "0.7,1.1"), Rotate("all-0", "90")],
        [Copy("all-0", "30,0"), Rotate("group:last", "160")],
    ],
    ids=str,
)
def test_neighbours_that_turn_together_leave_no_crack(steps: list, edge: str) -> None:
    elements, shape = flat()
    edited = elements
    for step in steps:
        edited = eie.edit(edited, [step])
    if isinstance(steps[0], Copy):
        edited = with_rows(edited, np.flatnonzero(edited.table.id < 10), visible=True)
    layers = layers_of(edited)
    assert len(layers) == 1
    picture = render(edited, edge=edge).photo.pixels
    inner = ~dilated(~shape, 4)
    place = turned_by_pillow(inner.astype(np.uint8) * 255, edited, int(layers[0].rows[0])) == 255
    assert place.sum() > 300
    assert (picture[place] == 200).all()
    assert picture.min() >= 39 and picture.max() <= 201  # no ringing, no halo


@pytest.mark.parametrize("edge", EDGES)
def test_edges_are_antialiased(edge: str) -> None:
    """As a picture that is turned at 8 times its size and reduced, within the soft rim."""
    elements, shape = flat()
    edited = eie.edit(elements, [Rotate("all-0", "20")])
    row = int(layers_of(edited)[0].rows[0])
    whole = turned_by_pillow(np.where(shape, 200, 40).astype(np.uint8), edited, row, finer=8)
    fine = np.where(whole > 120, 200.0, 40.0)
    ideal = fine.reshape(120, 8, 160, 8).mean(axis=(1, 3))
    picture = render(edited, edge=edge).photo.pixels[..., 0].astype(float)
    rim = dilated(ideal > 41, 2) & dilated(ideal < 199, 2) & (ideal != 0)
    levels = np.unique(picture[rim])
    assert len(levels) > 20  # stairs would have two
    assert np.abs(picture - ideal)[rim].mean() < (30 if edge == "hard" else 22)
    away = ~dilated(ideal > 41, 4)
    assert np.abs(picture[away] - 40).max() <= 1


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize(("angle", "turn"), [("90", -1), ("180", 2), ("270", 1), ("-90", 1)])
@pytest.mark.parametrize("size", [(20, 20), (13, 20), (16, 21)])
def test_quarter_turns_move_pixels_as_they_are(channels, angle, turn, size) -> None:
    pixels = noise(90, 100, channels)
    if channels in (2, 4):
        pixels[..., -1] = 255
    labels = np.zeros((90, 100), dtype=int)
    top, left = 31, 40
    labels[top : top + size[0], left : left + size[1]] = 1
    edited = eie.edit(make_set(pixels, labels), [Rotate("1", angle)])
    inner = np.s_[top + 3 : top + size[0] - 3, left + 3 : left + size[1] - 3]
    picture = render(edited, edge="hard").photo.pixels
    wanted = np.rot90(pixels[inner], turn)  # counter-clockwise by NumPy
    x, y, width, height = edited.table.upright_box[1]
    low, high = int(y - height / 2) + 3, int(x - width / 2) + 3
    assert_array_equal(picture[low : low + len(wanted), high : high + wanted.shape[1]], wanted)


@settings(max_examples=10, deadline=None)
@given(angle=st.floats(-400, 400), shift=st.sampled_from(["0,0", "10,-3", "10.3,0.7"]))
@example(angle=1e-4, shift="0,0")
@example(angle=45.0, shift="10.3,0.7")
def test_there_and_back_shows_the_same_pixels(angle: float, shift: str) -> None:
    elements = make_set(noise(60, 80, 3), blocks(60, 80, 4, 5))
    before = eie.edit(elements, [Move("6-8,11", shift)])
    there = [Rotate("6-8,11", f"{angle:.5f}"), Rotate("6-8,11", f"{-angle:.5f}")]
    after = eie.edit(before, there)
    same = render(after, edge="hard").photo.pixels
    assert_array_equal(same, render(before, edge="hard").photo.pixels)
    if shift == "0,0":
        assert not render(after).changed.any()


def test_a_turned_part_of_a_photo_is_what_pillow_makes_of_it() -> None:
    photo = data.astronaut()[:300, 100:400]
    y, x = np.mgrid[:300, :300]
    shape = np.hypot(y - 120, x - 130) < 90
    elements = shape_in(300, 300, shape, photo)
    edited = eie.edit(elements, [Rotate("all-0", "27.5")])
    row = int(layers_of(edited)[0].rows[0])
    ideal = turned_by_pillow(photo, edited, row)
    inner = turned_by_pillow(np.uint8(255) * ~dilated(~shape, 4), edited, row) == 255
    for edge in EDGES:
        made = render(edited, edge=edge).photo.pixels
        assert psnr(made[inner][None], ideal[inner][None]) > 38
    # Fine detail stays: turned on and on, nothing is lost but what the first turn takes.
    again = eie.edit(edited, [Rotate("all-0", "13")] * 5 + [Rotate("all-0", "-65")])
    assert np.abs(render(again).photo.pixels.astype(int) - made.astype(int)).max() <= 1


def test_tiles_do_not_show(monkeypatch) -> None:
    """A layer is painted tile by tile; one that fits into a single tile is the same, but for the
    few places that OpenCV, which rounds them to 1/32 pixel, rounds otherwise."""
    height, width = 90, TILE + 500
    pixels = np.tile(data.coffee()[:height, :512], (1, 3, 1))[:, :width]
    elements = make_set(pixels, blocks(height, width, 1, 3))
    turned = with_rows(elements, [0, 1, 2], angle=2.0, z=1)
    whole = with_rows(turned, [0, 2], visible=False)
    canvas = np.zeros((*elements.canvas, 3), np.uint8)
    paint(canvas, layers_of(whole), whole, lambda _: pixels)
    small = np.zeros_like(canvas)
    monkeypatch.setattr(sys.modules["eie.rendering.layers"], "TILE", 100)
    paint(small, layers_of(whole), whole, lambda _: pixels)
    apart = np.abs(canvas.astype(int) - small.astype(int))
    assert apart.max() <= 8 and (apart > 0).mean() < 0.01


def test_reduced_and_turned_there_is_no_moiré() -> None:
    """Fine stripes become grey, not coarser stripes."""
    stripes = (np.arange(240) % 2 * 255).astype(np.uint8)
    pixels = np.broadcast_to(stripes[None, :, None], (240, 240, 3)).copy()
    elements = make_set(pixels, np.pad(np.ones((200, 200), dtype=int), 20))
    for factor in ("0.4", "0.3,0.9"):
        edited = eie.edit(elements, [Rotate("1", "30"), Scale("1", factor)])
        picture = render(edited, edge="hard").photo.pixels[100:140, 100:140]
        assert picture.std() < 12 and abs(picture.mean() - 127.5) < 4


def test_free_rendering_of_a_turned_thing() -> None:
    """As good, against the photo turned by Pillow, as what stays is against the photo."""
    photo = data.coffee()
    elements = encode(eie.decompose(photo))
    cup = "object@300,170"
    edited = eie.edit(elements, [Rotate(cup, "35")])
    row = int(layers_of(edited)[0].rows[0])
    members = np.isin(elements.sources[0].label_map, edited.table.patch[layers_of(edited)[0].rows])
    inner = ~dilated(~members, 6)
    place = turned_by_pillow(np.uint8(255) * inner, edited, row) == 255
    ideal = turned_by_pillow(photo, edited, row)
    for decoder, options in (("light", {}), ("diffusion", {"steps": 4})):
        plain = render(elements, free=True, decoder=decoder, **options).photo.pixels
        made = render(edited, free=True, decoder=decoder, **options).photo.pixels
        upright = psnr(plain[inner][None], photo[inner][None])
        turned = psnr(made[place][None], ideal[place][None])
        assert turned > upright - 1.5
