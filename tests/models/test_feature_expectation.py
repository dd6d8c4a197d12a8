from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from skimage import data

from eie.errors import MissingModelError
from eie.models.feature_distance import STRIDES, load_feature_distance, stage_on_pixels
from eie.models.feature_expectation import (
    FOLDER,
    FeatureExpectation,
    LoadedExpectation,
    answers,
    descended,
    load_expectation,
    spans_about,
    weight_of_places,
)
from eie.models.fill_refiner import FillRefiner, LoadedRefiner, refine
from eie.models.plain import WEIGHTS_FILE, save_plain
from eie.train.feature_loss import mean_over

SIZES: dict[str, Any] = {"widths": (8, 12, 16, 20), "fills": 3}


@pytest.fixture(scope="module")
def network():
    return load_feature_distance()


def random_refiner() -> FillRefiner:
    """A refiner with random weights, whose answers differ from guess to guess."""
    torch.manual_seed(0)
    model = FillRefiner(**SIZES, blocks=(1, 1, 1, 1)).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    return model


def random_expectation() -> FeatureExpectation:
    torch.manual_seed(1)
    model = FeatureExpectation(**SIZES, hidden=(8, 8, 8, 8)).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    return model


def photo(height: int = 64, width: int = 96) -> torch.Tensor:
    """(1, 3, height, width) in [0, 1]: of scikit-image's cat."""
    pixels = np.ascontiguousarray(data.chelsea()[60 : 60 + height, 120 : 120 + width])
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255


def with_hole(height: int = 64, width: int = 96) -> torch.Tensor:
    known = torch.ones(1, 1, height, width)
    known[..., 10:30, 12:40] = 0
    return known


def three_fills(picture: torch.Tensor, known: torch.Tensor) -> list[torch.Tensor]:
    """The picture with its hole mirrored, upside down and grey."""
    fills = (picture.flip(3), picture.flip(2), 0 * picture + 0.5)
    return [torch.where(known > 0, picture, fill) for fill in fills]


def test_untrained_it_expects_what_the_refinements_show_on_average(network) -> None:
    fills = three_fills(photo(), with_hole())
    made, levels = answers(random_refiner(), network, fills, with_hole())
    features = [network.features(picture) for picture in made]
    expected = FeatureExpectation(**SIZES)(features, levels)
    for stage, *seen in zip(expected, *features, strict=True):
        assert torch.allclose(stage, sum(seen) / 3, atol=1e-6)


def test_trained_it_differs_at_all_but_the_coarsest_stride(network) -> None:
    fills = three_fills(photo(), with_hole())
    made, levels = answers(random_refiner(), network, fills, with_hole())
    features = [network.features(picture) for picture in made]
    plain, other = (model(features, levels) for model in (
        FeatureExpectation(**SIZES), random_expectation(),
    ))  # fmt: skip
    away = [float((one - two).detach().abs().max()) for one, two in zip(plain, other, strict=True)]
    assert min(away[:-1]) > 1e-3 and away[-1] == 0


def test_each_guess_is_refined_in_view_of_the_others(network) -> None:
    model, known = random_refiner(), with_hole()
    one, two, three = three_fills(photo(), known)
    made, _ = answers(model, network, [one, two, three], known)
    for answer, order in zip(made, [(one, two, three), (two, one, three), (three, one, two)],
                             strict=True):  # fmt: skip
        wanted = known * one + (1 - known) * refine(model, 3, network, order, known).clamp(0, 1)
        assert torch.allclose(answer, wanted, atol=1e-5)


def test_a_descent_gets_closer_and_keeps_what_is_known(network) -> None:
    truth, known = photo(), with_hole()
    start = torch.where(known > 0, truth, truth.flip(3))
    expected = network.features(truth)

    def away(picture: torch.Tensor) -> float:
        return float(mean_over(network(picture, truth), 1 - known))

    done: list[tuple[int, int]] = []
    made = [
        descended(network, start, known, expected, steps, lambda *counts: done.append(counts))
        for steps in (0, 4, 20)
    ]
    assert torch.equal(made[0], start)
    assert away(made[2]) < away(made[1]) < 0.9 * away(start)
    for picture in made:
        assert torch.equal(picture * known, start * known)
        assert picture.min() >= 0 and picture.max() <= 1
    taken = [count for count, total in done if total == 20]
    assert taken == sorted(taken) and taken[-1] == 20


@pytest.mark.parametrize("stride", STRIDES)
def test_weighted_places_have_the_mean_over_the_holes_pixels(stride) -> None:
    known = with_hole()
    torch.manual_seed(stride)
    distance = torch.rand(1, 1, 64 // stride + 1, 96 // stride + 1)
    weight = weight_of_places(distance, 1 - known)
    wanted = mean_over(stage_on_pixels(distance, known.shape[-2:]), 1 - known)
    assert float((weight * distance).sum()) == pytest.approx(float(wanted), rel=1e-4)


def loaded(network) -> LoadedExpectation:
    return LoadedExpectation(random_expectation(), LoadedRefiner(random_refiner(), network))


@pytest.mark.parametrize("size", [(33, 61), (64, 64), (40, 97)])
def test_any_size_and_what_is_known_stays(network, size) -> None:
    picture, known = photo(*size) * 2 - 1, with_hole(*size)
    best, *others = three_fills(picture, known)
    expectation = loaded(network)
    refined = expectation.refiner(best, known, others)
    made = expectation(best, known, others, steps=3)
    assert made.shape == picture.shape and made.abs().max() <= 1
    assert torch.equal(made * known, picture * known)
    assert (made - refined).abs().max() > 0
    assert torch.equal(made, expectation(best, known, others, steps=3))


def test_the_descent_sees_what_is_about_the_hole() -> None:
    """All of a small picture; of a large one, the corner that the hole is in."""
    assert spans_about(with_hole(64, 64) == 0) == ((0, 64), (0, 64))
    assert spans_about(with_hole(224, 256) == 0) == ((0, 96), (0, 128))
    corner = torch.zeros(1, 1, 320, 256, dtype=torch.bool)
    corner[..., 200:210, 255] = True
    assert spans_about(corner) == ((128, 288), (160, 256))


def test_where_all_is_known_nothing_changes(network) -> None:
    best = photo() * 2 - 1
    assert torch.equal(loaded(network)(best, torch.ones(1, 1, 64, 96), [best, best], 3), best)


def test_without_steps_or_with_fewer_guesses_it_only_refines(network) -> None:
    picture, known = photo() * 2 - 1, with_hole()
    best, *others = three_fills(picture, known)
    expectation = loaded(network)
    assert torch.equal(expectation(best, known, others), expectation.refiner(best, known, others))
    alone = expectation(best, known, others[:1], steps=3)
    assert torch.equal(alone, expectation.refiner(best, known, others[:1]))


def test_a_model_folder_may_have_none(network, tmp_path) -> None:
    refiner = LoadedRefiner(random_refiner(), network)
    assert load_expectation(tmp_path, refiner) is None
    save_plain(random_expectation(), tmp_path / FOLDER, {**SIZES, "hidden": (8, 8, 8, 8)})
    found = load_expectation(tmp_path, refiner)
    assert found is not None and found.model.fills == 3
    other = LoadedRefiner(FillRefiner(**SIZES | {"fills": 2}, blocks=(1, 1, 1, 1)), network)
    with pytest.raises(MissingModelError, match="of other sizes"):
        load_expectation(tmp_path, other)
    (tmp_path / FOLDER / WEIGHTS_FILE).write_bytes(b"no weights")
    with pytest.raises(MissingModelError, match="eie train expectation"):
        load_expectation(tmp_path, refiner)
