from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from skimage import data

from eie.errors import MissingModelError
from eie.models.feature_distance import load_feature_distance
from eie.models.fill_refiner import (
    DEVIATIONS,
    FOLDER,
    FillRefiner,
    LoadedRefiner,
    averaged,
    features_of,
    load_refiner,
)
from eie.models.plain import save_plain


def photo(height: int, width: int) -> torch.Tensor:
    """(1, 3, height, width) in [−1, 1]: of scikit-image's cat."""
    pixels = np.ascontiguousarray(data.chelsea()[60 : 60 + height, 120 : 120 + width])
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 127.5 - 1


SMALL: dict[str, Any] = {"widths": (8, 12, 16, 20), "blocks": (1, 1, 1, 1)}


def small() -> FillRefiner:
    torch.manual_seed(0)
    return FillRefiner(**SMALL).eval()


@pytest.fixture(scope="module")
def features():
    return load_feature_distance()


def with_hole(height: int, width: int) -> torch.Tensor:
    known = torch.ones(1, 1, height, width)
    known[..., 10:30, 12:40] = 0
    return known


def test_untrained_it_averages_a_little(features) -> None:
    picture, known = photo(64, 96), with_hole(64, 96)
    refined = LoadedRefiner(small(), features)(picture, known)
    little = torch.tensor(-3.0).sigmoid()
    expected = picture.clone()
    for deviation in DEVIATIONS:
        expected = expected + little * (averaged(picture, deviation) - picture)
    expected = torch.where(known > 0, picture, expected)
    assert torch.allclose(refined, expected, atol=1e-5)
    assert 0 < (refined - picture).abs().max() < 0.3


@pytest.mark.parametrize("size", [(33, 61), (64, 64), (40, 97)])
def test_any_size_and_what_is_known_stays(features, size) -> None:
    model = small()
    for parameter in model.head.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    picture, known = photo(*size), with_hole(*size)
    refined = LoadedRefiner(model, features)(picture, known)
    assert refined.shape == picture.shape
    assert refined.abs().max() <= 1
    changed = (refined != picture).any(dim=1, keepdim=True)
    assert not changed[known > 0].any() and changed[known == 0].any()


def test_it_sees_what_is_known_far_away(features) -> None:
    """The hole's fill follows a change of the photo 60 pixels off, through the coarse features."""
    model = small()
    torch.nn.init.normal_(model.head.weight, std=0.1)
    refiner = LoadedRefiner(model, features)
    picture, known = photo(128, 128), with_hole(128, 128)
    other = picture.clone()
    other[..., 90:, :] = -other[..., 90:, :]
    one, two = refiner(picture, known), refiner(other, known)
    assert (one[..., 10:30, 12:40] - two[..., 10:30, 12:40]).abs().max() > 1e-4


SEVERAL: dict[str, Any] = {**SMALL, "fills": 3}


def other_fills(picture: torch.Tensor, known: torch.Tensor) -> list[torch.Tensor]:
    """The picture with its hole mirrored, and with it grey."""
    return [torch.where(known > 0, picture, fill) for fill in (picture.flip(3), 0 * picture)]


def test_untrained_it_takes_a_little_of_other_fills(features) -> None:
    torch.manual_seed(0)
    several = FillRefiner(**SEVERAL).eval()
    alone = small()
    alone.load_state_dict(several.state_dict(), strict=False)
    picture, known = photo(64, 96), with_hole(64, 96)
    others = other_fills(picture, known)
    expected = LoadedRefiner(alone, features)(picture, known)
    little = torch.tensor(-3.0).sigmoid()
    for other in others:
        expected = expected + little * (other - picture)
    made = LoadedRefiner(several, features)(picture, known, others)
    assert torch.allclose(made, expected.clamp(-1, 1), atol=1e-5)


def test_missing_fills_are_the_best_again_and_more_are_left_out(features) -> None:
    torch.manual_seed(0)
    model = FillRefiner(**SEVERAL).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    refiner = LoadedRefiner(model, features)
    picture, known = photo(64, 64), with_hole(64, 64)
    one, two = other_fills(picture, known)
    alone = refiner(picture, known)
    assert torch.equal(alone, refiner(picture, known, [picture, picture]))
    both = refiner(picture, known, [one, two])
    assert torch.equal(both, refiner(picture, known, [one, two, picture]))
    differ = [alone, refiner(picture, known, [one]), both, refiner(picture, known, [two, one])]
    for index, made in enumerate(differ):
        assert all((made - other).abs().max() > 1e-4 for other in differ[:index])


@pytest.mark.parametrize("deviation", DEVIATIONS)
def test_averaging_is_a_gaussian(deviation: float) -> None:
    picture = photo(48, 40)
    ours = averaged(picture, deviation)[0, 0].numpy()
    scipys = gaussian_filter(picture[0, 0].numpy(), deviation, mode="nearest", truncate=3.0)
    np.testing.assert_allclose(ours, scipys, atol=1e-4)


def test_features_have_a_mean_square_of_one(features) -> None:
    levels = features_of(features, (photo(64, 96) + 1) / 2)
    assert [tuple(level.shape[2:]) for level in levels] == [
        (64 // stride, 96 // stride) for stride in (2, 4, 8, 16, 32)
    ]
    for level in levels:
        assert torch.allclose(level.square().mean(dim=1), torch.ones(()), atol=1e-3)


@pytest.mark.parametrize("config", [SMALL, SEVERAL])
def test_saved_and_loaded(features, tmp_path, config) -> None:
    torch.manual_seed(0)
    model = FillRefiner(**config).eval()
    torch.nn.init.normal_(model.head.weight, std=0.1)
    model = model.half().float()  # what is saved
    save_plain(model, tmp_path / FOLDER, config)
    loaded = load_refiner(tmp_path)
    picture, known = photo(64, 64), with_hole(64, 64)
    ours = LoadedRefiner(model, features)(picture, known)
    torch.testing.assert_close(loaded(picture, known), ours, atol=1e-5, rtol=1e-4)


def test_a_folder_without_one_is_named(tmp_path) -> None:
    with pytest.raises(MissingModelError) as failure:
        load_refiner(tmp_path)
    assert str(tmp_path / FOLDER) in str(failure.value)
    assert "eie train refiner" in str(failure.value)
