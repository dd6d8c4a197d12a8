"""The embedded weights, on pictures whose segments are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import eie
from eie.evaluate.measures.superpixel_metrics import (
    achievable_accuracy,
    boundary_recall,
    element_sizes,
)
from eie.models.segmenter import TINY_WEIGHTS, load_segmenter


@pytest.fixture(scope="module")
def tiny():
    return load_segmenter("tiny", "cpu")


def ball_on_ground(height=360, width=480):
    """A brown ball on grass under a sky, all noisy, and the label map of the three."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:height, :width]
    truth = (y > 200 + 20 * np.sin(x / 60)).astype(np.int64)
    truth[np.hypot(x - 250, y - 190) < 80] = 2
    colours = np.array([[120, 170, 230], [70, 140, 60], [150, 80, 40]], np.float64)
    pixels = colours[truth] + rng.normal(0, 12, (height, width, 3))
    return pixels.clip(0, 255).astype(np.uint8), truth


def test_the_weights_are_small_enough_to_embed():
    assert TINY_WEIGHTS.stat().st_size <= 12e6
    package = Path(eie.__file__).parent
    assert sum(path.stat().st_size for path in package.rglob("*.safetensors")) <= 40e6


def test_elements_keep_to_the_borders_of_clear_segments(tiny):
    pixels, truth = ball_on_ground()
    labels = eie.decompose(pixels, segmenter=tiny).sources[0].label_map
    assert boundary_recall(labels, truth) > 0.97
    assert achievable_accuracy(labels, truth) > 0.99


def test_sizes_of_elements_at_the_papers_setting(tiny):
    pixels, _ = ball_on_ground(512, 512)
    sizes = element_sizes(eie.decompose(pixels, segmenter=tiny).sources[0].label_map)
    assert 950 < sizes.mean() < 1200
    assert (sizes < 64).mean() < 0.02
