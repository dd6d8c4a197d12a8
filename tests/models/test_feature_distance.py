from __future__ import annotations

import pytest
import torch
from torch import nn

from eie.models.feature_distance import CHANNELS, STRIDES, FeatureDistance


@pytest.fixture(scope="module")
def distance() -> FeatureDistance:
    torch.manual_seed(0)
    return FeatureDistance()


def pictures(*size: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.rand(2, 3, *size, generator=generator), torch.rand(
        2, 3, *size, generator=generator
    )


@pytest.mark.parametrize("size", [(1, 1), (7, 40), (33, 65), (64, 50)])
def test_every_size_gives_a_distance_at_every_pixel(distance, size):
    a, b = pictures(*size)
    found = distance(a, b)
    assert found.shape == (2, 1, *size)
    assert found.min() >= 0
    assert found.max() <= 4
    assert found.mean() > 0


def test_a_picture_is_at_no_distance_from_itself(distance):
    a, _ = pictures(40, 50)
    assert distance(a, a).abs().max() == 0


def test_both_directions_are_equally_far(distance):
    a, b = pictures(40, 50)
    torch.testing.assert_close(distance(a, b), distance(b, a))


def test_features_have_unit_length_and_the_documented_shapes(distance):
    a, _ = pictures(64, 50)
    features = distance.features(a)
    assert tuple(f.shape[1] for f in features) == CHANNELS
    assert [f.shape[2:] for f in features] == [(64 // s + 1, 64 // s + 1) for s in STRIDES]
    for stage in features:
        torch.testing.assert_close(
            stage.norm(dim=1), torch.ones_like(stage[:, 0]), atol=1e-3, rtol=0
        )


def test_the_loss_reaches_the_pictures_and_not_the_weights(distance):
    a, b = pictures(40, 50)
    a.requires_grad_(True)
    model = nn.ModuleDict({"loss": distance}).train()
    model["loss"](a, b).mean().backward()
    assert a.grad is not None
    assert a.grad.isfinite().all()
    assert a.grad.abs().sum() > 0
    assert not any(p.requires_grad for p in distance.parameters())
    assert not distance.training


def test_black_pictures_have_finite_gradients(distance):
    a = torch.zeros(1, 3, 33, 33, requires_grad=True)
    distance(a, torch.zeros(1, 3, 33, 33)).mean().backward()
    assert a.grad.isfinite().all()


def test_weights_choose_stages():
    torch.manual_seed(0)
    fine = FeatureDistance([1, 0, 0, 0, 0])
    a, b = pictures(33, 33)
    stage = fine.stages(a, b)[0]
    torch.testing.assert_close(fine(a, b)[..., ::2, ::2], stage)
