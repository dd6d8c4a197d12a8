"""Seam matting: shapes with random weights, and the embedded weights on a plain case."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from skimage import data

from eie.errors import MissingModelError
from eie.models.seam_matting import (
    FOLDER,
    MULTIPLE,
    WEIGHTS_FILE,
    SeamMatting,
    likelihood,
    load_seam_matting,
)


def test_a_logit_for_every_pixel() -> None:
    torch.manual_seed(0)
    network = SeamMatting()
    logits = network(torch.rand(2, 3, 4 * MULTIPLE, 6 * MULTIPLE), torch.zeros(2, 1, 32, 48))
    assert logits.shape == (2, 1, 32, 48)


@pytest.mark.parametrize("size", [(1, 1), (31, 45), (64, 80)])
def test_any_size(size) -> None:
    torch.manual_seed(0)
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (*size, 3), dtype=np.uint8)
    likely = likelihood(SeamMatting().eval(), pixels, random.random(size) < 0.5)
    assert likely.shape == size and likely.dtype == np.float32
    assert (likely >= 0).all() and (likely <= 1).all()


def test_padding_hardly_matters_far_away() -> None:
    network = load_seam_matting()
    pixels = data.chelsea()[:100, :120]
    gone = np.zeros(pixels.shape[:2], bool)
    gone[30:60, 30:60] = True
    whole = likelihood(network, pixels, gone)[20:70, 20:70]
    assert_allclose(
        likelihood(network, pixels[:99, :117], gone[:99, :117])[20:70, 20:70], whole, atol=0.05
    )


def test_missing_and_damaged_weights(tmp_path) -> None:
    with pytest.raises(MissingModelError, match="eie train matting"):
        load_seam_matting(tmp_path)
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / WEIGHTS_FILE).write_bytes(b"nonsense")
    with pytest.raises(MissingModelError, match="could be read"):
        load_seam_matting(tmp_path)
