"""The `refined` decoder, with the embedded weights."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from skimage import data

import eie
from eie.edit import Delete, Move
from eie.errors import MissingModelError, UsageError
from eie.evaluate.metrics import psnr
from eie.evaluate.perceptual import feature_distance
from eie.models.content import EMBEDDED
from eie.render import Decoder, RefinedDecoder, render, stage
from eie.render.pictures import Picture
from eie.render.refined import PARTS

from .conftest import CHANNELS, blocks, cutout, make_set, moved, noise, with_rows

PHOTOS = (data.chelsea, data.coffee, data.astronaut, data.rocket)


def test_all_embedded_weights_stay_small() -> None:
    assert sum(path.stat().st_size for path in EMBEDDED.rglob("*.safetensors")) <= 40e6


def test_fills_are_nearer_to_the_photo_than_the_classical_ones() -> None:
    """Nothing was in front of what is taken away here, so the photo is the truth."""
    decoders = ("classical", RefinedDecoder(descent=0))
    classical, refined, gain = distances_and_gain(PHOTOS, (360, 480), [10, 13, 28, 37], decoders)
    assert refined < 0.99 * classical
    assert gain > 0


def test_the_descent_brings_them_still_nearer() -> None:
    decoders = (RefinedDecoder(descent=0), "refined")
    refined, descended, _ = distances_and_gain(PHOTOS[:2], (240, 320), [19, 29], decoders)
    assert descended < 0.985 * refined


def distances_and_gain(
    photos: Sequence[Callable[[], Picture]],
    size: tuple[int, int],
    gone: list[int],
    decoders: tuple[str | Decoder, str | Decoder],
) -> tuple[float, float, float]:
    """How far what two decoders make of some of 6×8 blocks is from photos, and the gain in dB."""
    distances, gains = [], []
    for photo in photos:
        pixels = np.ascontiguousarray(photo()[: size[0], : size[1]])
        label_map = blocks(*pixels.shape[:2], 6, 8)
        elements = with_rows(make_set(pixels, label_map), gone, visible=False)
        hole = np.isin(label_map, gone)
        made = [render(elements, decoder=decoder).photo.pixels for decoder in decoders]
        distances.append([feature_distance(picture, pixels, hole) for picture in made])
        gains.append(psnr(made[1], pixels) - psnr(made[0], pixels))
    one, two = np.mean(distances, axis=0)
    return float(one), float(two), float(np.mean(gains))


def test_progress_counts_the_steps_of_all_variations() -> None:
    elements = with_rows(make_set(noise(64, 64, 3), blocks(64, 64, 4, 4)), 5, visible=False)
    done: list[tuple[int, int]] = []
    decoder = RefinedDecoder(descent=2)
    decoder.fill_variations(stage(elements), 2, lambda *counts: done.append(counts))
    shares = [count / total for count, total in done]
    assert shares == sorted(shares)
    assert set(shares) == {0, 0.25, 0.5, 0.75, 1}


def test_a_descent_upwards_is_refused() -> None:
    with pytest.raises(UsageError, match="descent of -1 steps"):
        RefinedDecoder(descent=-1)


def test_it_is_the_default_and_changes_the_fill_only() -> None:
    elements = eie.decompose(data.chelsea())
    edited = eie.edit(elements, [Delete("@150,60"), Move("@300,200", "30,10")])
    rendering = render(edited)
    assert rendering.provenance["eie:decoder"] == "refined"
    settings = json.loads(rendering.provenance["eie:settings"])
    assert [name.split("/")[0] for name in settings["weights"]] == sorted(PARTS)
    classical = render(edited, decoder="classical").photo.pixels
    differ = (rendering.photo.pixels != classical).any(axis=2)
    hole = stage(edited).hole
    assert differ[hole].mean() > 0.3 and not differ[~hole].any()
    assert_array_equal(rendering.photo.pixels, render(edited).photo.pixels)


@pytest.mark.parametrize("channels", CHANNELS)
def test_any_layout(channels: int) -> None:
    elements = moved(make_set(noise(80, 112, channels), blocks(80, 112, 4, 4)), 5, 20, 4)
    assert render(elements).photo.pixels.shape == (80, 112, channels)


def test_plain_ground_stays_nearly_plain() -> None:
    pixels = np.full((96, 128, 3), 120, np.uint8)
    pixels[30:60, 40:70] = (250, 40, 40)
    label_map = np.zeros((96, 128), int)
    label_map[30:60, 40:70] = 1
    rendered = render(with_rows(make_set(pixels, label_map), 1, visible=False)).photo.pixels
    assert np.abs(rendered.astype(int) - 120).max() <= 8


def test_what_was_transparent_stays_so() -> None:
    rendered = render(moved(cutout(), 1, 25, 0)).photo.pixels
    assert not rendered[30:50, 28:52, 3].any()


def test_a_canvas_of_one_pixel_and_nothing_known() -> None:
    for size in [(1, 1), (2, 1), (40, 30)]:
        one = make_set(noise(*size, 3), np.zeros(size, dtype=int))
        gone = render(with_rows(one, 0, visible=False)).photo.pixels
        assert gone.shape == (*size, 3)


def test_large_holes_are_refined_at_the_working_size() -> None:
    elements = with_rows(make_set(noise(300, 400, 3), blocks(300, 400, 2, 2)), 0, visible=False)
    decoder = RefinedDecoder(working_size=128)
    made = render(elements, decoder=decoder).photo.pixels
    classical = render(elements, decoder="classical").photo.pixels
    assert made.shape == (300, 400, 3)
    assert (made != classical).any(axis=2)[stage(elements).hole].mean() > 0.1


def test_a_model_without_a_refiner_is_named(tmp_path) -> None:
    elements = with_rows(make_set(noise(40, 40, 3), blocks(40, 40, 2, 2)), 0, visible=False)
    with pytest.raises(MissingModelError, match="eie train refiner"):
        render(elements, decoder="refined", model=str(tmp_path))
