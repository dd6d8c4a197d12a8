"""Seam matting: shapes with random weights, and the embedded weights on a plain case."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from skimage import data

from eie.errors import MissingModelError
from eie.models.feature_distance import features_of, load_feature_distance
from eie.models.plain import CONFIG_FILE, WEIGHTS_FILE
from eie.models.seam_matting import (
    FOLDER,
    MULTIPLE,
    LoadedSeamMatting,
    SeamMatting,
    load_seam_matting,
)


def test_a_logit_for_every_pixel() -> None:
    torch.manual_seed(0)
    network = SeamMatting()
    pixels = torch.rand(2, 3, 2 * MULTIPLE, 3 * MULTIPLE)
    features = features_of(load_feature_distance(), pixels)
    logits = network(pixels, torch.zeros(2, 1, *pixels.shape[2:]), features)
    assert logits.shape == (2, 1, *pixels.shape[2:])


@pytest.mark.parametrize("size", [(1, 1), (31, 45), (64, 80)])
def test_any_size(size) -> None:
    torch.manual_seed(0)
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (*size, 3), dtype=np.uint8)
    likelihood = LoadedSeamMatting(SeamMatting().eval(), load_feature_distance())
    likely = likelihood(pixels, random.random(size) < 0.5)
    assert likely.shape == size and likely.dtype == np.float32
    assert (likely >= 0).all() and (likely <= 1).all()


def test_padding_hardly_matters_far_away() -> None:
    likelihood = load_seam_matting()
    pixels = data.chelsea()[:160, :160]
    gone = np.zeros(pixels.shape[:2], bool)
    gone[60:100, 60:100] = True
    seam = np.s_[50:110, 50:110]
    whole = likelihood(pixels, gone)[seam]
    cut = likelihood(pixels[:159, :157], gone[:159, :157])[seam]
    assert_allclose(cut, whole, atol=0.05)


def test_missing_and_damaged_weights(tmp_path) -> None:
    with pytest.raises(MissingModelError, match="eie train matting"):
        load_seam_matting(tmp_path)
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / CONFIG_FILE).write_text("{}")
    (tmp_path / FOLDER / WEIGHTS_FILE).write_bytes(b"nonsense")
    with pytest.raises(MissingModelError, match="could be loaded"):
        load_seam_matting(tmp_path)
