"""The order of several fills of a hole."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from numpy.typing import NDArray
from skimage import data

from eie.evaluate.patchmatch import is_available
from eie.models.feature_distance import load_feature_distance
from eie.render import choice
from eie.render.anchored import Scene, stage
from eie.render.choice import CONTEXTS, fills_of, guesses
from eie.render.classical import ClassicalDecoder
from eie.render.pictures import Window

from .conftest import make_set, with_rows

pytestmark = pytest.mark.skipif(not is_available(), reason="PyPatchMatch has no compiled library")


def scene_of(*squares: tuple[int, int, int], channels: int = 3) -> Scene:
    """Coffee without squares (top, left, side)."""
    pixels = data.coffee()[:300, :400]
    if channels == 1:
        pixels = pixels[..., :1]
    if channels == 4:
        pixels = np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)])
    label_map = np.zeros(pixels.shape[:2], int)
    for index, (top, left, side) in enumerate(squares, start=1):
        label_map[top : top + side, left : left + side] = index
    elements = make_set(np.ascontiguousarray(pixels), label_map)
    for index in range(1, len(squares) + 1):
        elements = with_rows(elements, index, visible=False)
    return stage(elements, seam=0)


def filled(scene: Scene, context: float, seed: int = 0) -> NDArray[np.uint8]:
    return ClassicalDecoder(seed=seed, context=context).fill(scene)


def same(one: NDArray[np.uint8], other: NDArray[np.uint8], square: tuple[int, int, int]) -> bool:
    top, left, side = square
    part = np.s_[top : top + side, left : left + side]
    return bool((one[part] == other[part]).all())


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_every_hole_has_the_fill_of_one_context(channels) -> None:
    squares = ((20, 20, 50), (200, 300, 40))
    scene = scene_of(*squares, channels=channels)
    [guess] = guesses(scene, 1, seed=3)
    fills = [filled(scene, context, seed=3) for context in CONTEXTS]
    assert len(guess) == len(fills)
    for ranked in guess:
        assert_array_equal(ranked.picture[~scene.hole], scene.picture[~scene.hole])
    for square in squares:  # as many equal ones among the fills as among the ranked
        for fill in fills:
            among = [sum(same(fill, other, square) for other in fills)]
            among.append(sum(same(fill, ranked.picture, square) for ranked in guess))
            assert among[0] == among[1] >= 1


def test_the_likest_comes_first(monkeypatch) -> None:
    """Each hole's fills are ordered by the measure, whatever the order of the others."""
    squares = ((20, 20, 50), (200, 300, 40))
    scene = scene_of(*squares)
    contexts = (0.25, 0.5, 1.0)
    fills = [filled(scene, context) for context in contexts]
    order = {20: [2, 0, 1], 300: [1, 2, 0]}  # left border of the square ⇒ which fills are best

    def unlike(_network, picture, _holes, window: Window, own) -> float:
        left = window.left + int(np.flatnonzero(own.any(axis=0))[0])
        [square] = [square for square in squares if square[1] == left]
        return float([same(picture, fills[index], square) for index in order[left]].index(True))

    monkeypatch.setattr(choice, "_unlikeness", unlike)
    [guess] = guesses(scene, 1, seed=0, contexts=contexts)
    for square in squares:
        for scene, index in zip(guess, order[square[1]], strict=True):
            assert same(scene.picture, fills[index], square)


def test_what_continues_the_surroundings_is_likest() -> None:
    photo = np.ascontiguousarray(data.brick()[:256, :256, None].repeat(3, axis=2))
    own = np.zeros((256, 256), bool)
    own[90:160, 90:160] = True
    window, network = Window(0, 0, 256, 256), load_feature_distance()
    noise = np.random.default_rng(0).integers(0, 256, photo.shape, dtype=np.uint8)
    fills = [photo, np.full_like(photo, photo.mean()), noise]
    values = [
        choice._unlikeness(network, np.where(own[..., None], fill, photo), own, window, own)
        for fill in fills
    ]
    assert values[0] == min(values) and values[0] < 0.7 * values[1]


def test_a_hole_without_surroundings_is_unlike_nothing() -> None:
    whole = np.ones((64, 64), bool)
    pixels = np.zeros((64, 64, 3), np.uint8)
    window, network = Window(0, 0, 64, 64), load_feature_distance()
    assert choice._unlikeness(network, pixels, whole, window, whole) == 0


def test_without_a_choice_it_is_the_classical_fill() -> None:
    scene = scene_of((20, 20, 50))
    [[guess]] = guesses(scene, 1, seed=0, contexts=[0.5])
    assert_array_equal(guess.picture, filled(scene, 0.5))


def test_narrow_holes_are_filled_once(monkeypatch) -> None:
    scene = scene_of((20, 20, 6))

    def never(*_) -> float:
        raise AssertionError

    monkeypatch.setattr(choice, "_unlikeness", never)
    [[guess]] = guesses(scene, 1, seed=0)
    assert_array_equal(guess.picture, filled(scene, CONTEXTS[0]))


def test_every_guess_has_its_own_seed() -> None:
    scene = scene_of((60, 90, 90))
    (one, *_), (other, *_) = guesses(scene, 2, seed=0)
    [[again, *_]] = guesses(scene, 1, seed=1)
    assert (one.picture != other.picture).any()
    assert_array_equal(other.picture, again.picture)


def test_a_photo_s_holes_are_filled_as_a_scene_s() -> None:
    scene = scene_of((20, 20, 50), (200, 300, 40))
    [guess] = guesses(scene, 1, seed=2)
    fills = fills_of(np.asarray(scene.source), scene.hole, seed=2)
    for ranked, fill in zip(guess, fills, strict=True):
        assert_array_equal(ranked.picture, fill)
