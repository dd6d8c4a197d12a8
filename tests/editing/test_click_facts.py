"""What is known of patches before anybody clicks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as hnp
from safetensors.numpy import save_file

from eie.editing.click_facts import ClickFacts, Hypotheses, SmallMap, network, overlaps
from eie.elements import ObjectMasks, Source


def test_a_source_without_objects_has_no_facts() -> None:
    with pytest.raises(ValueError, match="no objects"):
        ClickFacts.of(Source.from_label_map(np.zeros((2, 2), int)))


def test_the_mean_of_candidates_heeds_their_scores() -> None:
    chances = np.zeros((3, 2, 2))
    chances[0, 0] = 1
    chances[1:, 0, 0] = 1
    scores = np.array([[1, 0], [0.2, 0], [0.2, 0]], np.float32)
    labels = np.repeat([[0, 1]], 4, axis=0)
    facts = ClickFacts.of(Source.from_label_map(labels, objects=ObjectMasks.of(chances, scores)))
    assert facts.mean[0, 0] == pytest.approx(1)
    assert 0.8 < facts.mean[0, 1] < 1
    np.testing.assert_array_equal(facts.likeness, np.eye(2))
    np.testing.assert_array_equal(facts.share, [0.5, 0.5])


def test_the_likeliest_hypothesis_is_the_best() -> None:
    told = Hypotheses.ranked(np.eye(3, dtype=bool), np.array([0, 2, 1], np.float32))
    assert told.best.tolist() == [False, True, False]
    assert told.chance.sum() == pytest.approx(1)


def test_many_hypotheses_that_are_alike_outweigh_a_single_likelier_one() -> None:
    inside = np.array([[0, 0, 0, 1], [1, 1, 1, 0], [1, 1, 0, 0]], dtype=bool)
    told = Hypotheses(inside, np.array([0.4, 0.35, 0.25], np.float32))
    assert told.best.tolist() == inside[0].tolist()
    assert told.safest(np.full(4, 0.25)).tolist() == inside[1].tolist()
    small = np.array([0.01, 0.01, 0.08, 0.9])  # the third patch is most of what they differ by
    assert told.safest(small).tolist() == inside[0].tolist()


def test_of_one_hypothesis_it_is_the_safest_even_if_it_is_empty() -> None:
    told = Hypotheses(np.zeros((1, 3), bool), np.ones(1, np.float32))
    assert not told.safest(np.full(3, 1 / 3)).any()


@given(hnp.arrays(bool, (5, 4)), hnp.arrays(bool, (3, 4)))
def test_overlaps_are_those_of_pixels(one, other) -> None:
    area = np.array([1, 2, 3, 4])
    pixels = [np.repeat(masks, area, axis=1) for masks in (one, other)]
    common = (pixels[0][:, None] & pixels[1]).sum(axis=2)
    union = np.maximum((pixels[0][:, None] | pixels[1]).sum(axis=2), 1)
    told = overlaps(one.astype(np.float32), other.astype(np.float32), area / np.float32(10))
    np.testing.assert_allclose(told, common / union, atol=1e-6)


def test_points_have_a_place_on_a_small_map() -> None:
    small = SmallMap.of(np.zeros((320, 640), int))
    assert small.labels.shape == (80, 160)
    assert small.at(0, 0) == (0, 0)
    assert small.at(639.9, 319.9) == (159, 79)
    assert small.at(900, -4) == (159, 0)


def test_several_networks_give_their_mean_chance(tmp_path) -> None:
    """Two that are sure of different things, of one unit a layer."""
    one, none = np.ones((2, 1, 1), np.float32), np.zeros((2, 1), np.float32)
    last = np.array([9, -9], np.float32).reshape(2, 1, 1)
    weights = {"0.weight": one, "1.weight": one, "2.weight": last}
    save_file(weights | {f"{i}.bias": none for i in range(3)}, tmp_path / "two.safetensors")
    facts = np.array([[0], [1], [2]], np.float32)
    told = np.exp(network(tmp_path / "two.safetensors")(facts))
    np.testing.assert_allclose(told, [0.5, 0, 0.5], atol=1e-3)
