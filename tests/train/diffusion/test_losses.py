"""How far a made picture is from the photo in ImageNet features, as a loss."""

from __future__ import annotations

import pytest
import torch

from eie.models.feature_distance import load_feature_distance
from eie.train.diffusion.parts import SHIFT, feature_loss, mean_over


def test_the_loss_is_a_mean_within_the_mask() -> None:
    plane = torch.zeros(2, 1, 4, 4)
    plane[0, 0, 0, 0], plane[1, 0, 0, :2] = 1.0, 1.0
    where = torch.zeros(2, 1, 4, 4)
    where[0, 0, 0, 0], where[1, 0, 0] = 1.0, 1.0
    assert float(mean_over(plane, where)) == pytest.approx((1.0 + 0.5) / 2)
    assert float(mean_over(plane, torch.zeros_like(where))) == 0


def test_equal_pictures_have_no_feature_loss() -> None:
    network = load_feature_distance()
    picture = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    where = torch.ones(1, 1, 64, 64)
    assert float(feature_loss(network, picture, picture, where)) == pytest.approx(0, abs=1e-5)
    assert float(feature_loss(network, picture, 1 - picture, where)) > 0.1
    assert SHIFT < 32
