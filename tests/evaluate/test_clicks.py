"""`evaluate_clicks`: the simulated person, the things, the baseline, the measures."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays
from PIL import Image

from eie.editing.click_simulation import (
    Click,
    clicks_needed,
    innermost,
    intersection_over_union,
    next_click,
    simulate_clicks,
)
from eie.elements import ElementSet, Source
from eie.errors import BadInputError, UsageError
from eie.evaluate.baselines.grabcut import SlicGrabCut
from eie.evaluate.cases.annotations import things_in
from eie.evaluate.clicks import BEST, ElementClicks, best_choice, evaluate_clicks
from eie.evaluate.core.photos import chosen_files
from eie.evaluate.core.run import Run
from eie.evaluate.reports.drawing import marked
from eie.evaluate.settings import ClickSettings

SLIC = ClickSettings(segmenter="slic", elements=24, clicks=4)

masks = arrays(np.bool_, (7, 9))


@pytest.fixture
def labels():
    """A disc (label 1) and a small square (label 2) on a ground (label 3)."""
    y, x = np.mgrid[:60, :80]
    labels = np.full((60, 80), 3, np.uint8)
    labels[(y - 30) ** 2 + (x - 25) ** 2 < 18**2] = 1
    labels[40:44, 70:74] = 2
    return labels


@pytest.fixture
def pixels(labels):
    colours = np.array([[0, 0, 0], [220, 30, 30], [30, 200, 30], [30, 30, 200]], np.uint8)
    return colours[labels] + np.random.default_rng(0).integers(0, 9, (60, 80, 3), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path, labels, pixels):
    folder = tmp_path / "photos"
    folder.mkdir()
    Image.fromarray(pixels).save(folder / "a.png")
    Image.fromarray(labels).save(folder / "a.gt0.png")
    Image.fromarray(pixels).save(folder / "without.png")
    return folder


def test_the_first_click_is_innermost(labels):
    assert innermost(labels == 1) == (25, 30)
    assert innermost(np.ones((5, 9), bool)) == (2, 2)


def test_the_next_click_is_in_the_middle_of_the_largest_error():
    truth = np.zeros((20, 40), bool)
    truth[5:14, 2:21] = True
    selected = truth.copy()
    selected[5:14, 2:5] = False  # 27 pixels are missing
    assert next_click(truth, selected) == Click(3, 6, True)
    selected[6:11, 28:33] = True  # 25 are too much, in one piece
    assert next_click(truth, selected).joins
    selected[0:3, 30:40] = True
    assert next_click(truth, selected) == Click(31, 1, False)


@settings(deadline=None)
@given(masks.filter(lambda mask: mask.any()), masks)
def test_the_next_click_is_always_on_an_error(truth, selected):
    if (truth == selected).all():
        return
    x, y, joins = next_click(truth, selected)
    assert truth[y, x] == joins
    assert selected[y, x] != joins


def test_a_person_who_gets_what_is_clicked_needs_few_clicks():
    truth = np.zeros((12, 12), bool)
    truth[2:10, 2:10] = True
    tiles = np.arange(12)[:, None] // 4 * 3 + np.arange(12) // 4  # 4×4 pixels

    def select(clicks):
        mask = np.zeros_like(truth)
        for x, y, joins in clicks:
            mask[tiles == tiles[y, x]] = joins
        return mask

    clicks, selected = simulate_clicks(truth, select, 5)
    assert [click.joins for click in clicks] == [True] * 5
    assert len(selected) == 5
    overlaps = [intersection_over_union(mask, truth) for mask in selected]
    assert overlaps == sorted(overlaps)
    clicks, selected = simulate_clicks(truth, lambda _: truth.copy(), 5)
    assert len(clicks) == 1


def test_measures_of_clicks():
    assert intersection_over_union(np.eye(2, dtype=bool), np.ones((2, 2), bool)) == 0.5
    assert intersection_over_union(np.zeros(3, bool), np.zeros(3, bool)) == 1
    assert clicks_needed([0.1, 0.8, 0.9], 0.8, 10) == 2
    assert clicks_needed([0.1, 0.7], 0.8, 10) == 10


def test_things_are_the_large_ones_that_are_told(folder):
    files = chosen_files(folder)
    things, notes = things_in(folder, files, 0.02)
    assert [thing.name for thing in things] == ["a.png 1", "a.png 3"]
    assert notes == ["1 photos have no label map or outlines and were left out"]
    assert [t.label for t in things_in(folder, files, 0.001)[0]] == [1, 2, 3]
    (folder / "things.json").write_text('{"a": [1, 2]}')
    assert [t.label for t in things_in(folder, files, 0.001)[0]] == [1, 2]
    with pytest.raises(BadInputError, match="no thing in it covers"):
        things_in(folder, files, 0.5)


@pytest.mark.parametrize("content", ["{", "[1]", '{"a": 1}', '{"a": ["1"]}', '{"a": [true]}'])
def test_bad_lists_of_things_are_refused(folder, content):
    (folder / "things.json").write_text(content)
    with pytest.raises(BadInputError, match=r"things\.json"):
        things_in(folder, chosen_files(folder), 0.02)


def test_scores_are_of_things_and_the_best_choice_is_a_bound(folder, tmp_path):
    store = tmp_path / "store"
    results = evaluate_clicks(folder, SLIC, run=Run(store=store, pictures=True))
    assert [case.case for case in results.cases] == ["a.png 1", "a.png 3"]
    assert results.methods() == [BEST, "eie slic", "slic + grabcut"]
    assert set(results.measures) == set(results.cases[0].scores[BEST])
    for case in results.cases:
        assert case.scores[BEST]["iou_1"] > 0.85
        for scores in case.scores.values():
            assert 0 <= scores["iou_1"] <= 1
            assert scores["below_half"] == (scores["iou_1"] < 0.5)
            assert 1 <= scores["noc_80"] <= scores["noc_85"] <= SLIC.clicks
        assert "slic + grabcut" in case.pictures
    again = evaluate_clicks(folder, SLIC, run=Run(store=store, pictures=True))
    assert json.loads(again.to_json())["cases"] == json.loads(results.to_json())["cases"]


def test_clicks_are_a_selection(labels, pixels):
    elements = elements_of(labels, pixels)
    clicks = [Click(25, 30, True), Click(72, 42, True), Click(3, 3, False)]
    assert ElementClicks(elements).text(clicks) == "object@25,30+object@72,42-object@3,3"
    assert ElementClicks(elements, 0.25).text(clicks[:1]) == "object@25,30~0.250000000"
    assert (ElementClicks(elements)(clicks) == (labels != 3)).all()
    nothing = [Click(25, 30, True), Click(25, 30, False)]
    assert not ElementClicks(elements)(nothing).any()


def test_the_best_choice_takes_what_lies_mostly_inside(labels, pixels):
    elements = elements_of(labels, pixels)
    truth = labels == 1
    truth[:, 25:] = labels[:, 25:] == 2
    assert (best_choice(elements, truth) == (labels == 2)).all()
    truth[:, 25:27] |= labels[:, 25:27] == 1
    assert (best_choice(elements, truth) == (labels != 3)).all()


def test_grabcut_takes_what_has_the_colours_of_the_clicks(labels, pixels, monkeypatch):
    monkeypatch.setattr("eie.evaluate.baselines.grabcut.SUPERPIXELS", 8)  # of half the disc's size
    select = SlicGrabCut(pixels)
    found = select([Click(25, 30, True)])
    assert intersection_over_union(found, labels == 1) > 0.9
    assert not select([Click(25, 30, True), Click(25, 30, False)]).any()
    large = SlicGrabCut(pixels.repeat(8, axis=0).repeat(8, axis=1))([Click(204, 244, True)])
    assert large.shape == (480, 640)
    truth = (labels == 1).repeat(8, axis=0).repeat(8, axis=1)
    assert intersection_over_union(large, truth) > 0.85


def test_clicks_are_drawn(pixels, labels):
    drawn = marked(pixels, labels == 1, [Click(25, 30, True), Click(0, 0, False)])
    assert tuple(drawn[30, 25]) == (0, 255, 0)
    assert tuple(drawn[0, 0]) == (255, 0, 0)
    assert (drawn[5, 60:] == pixels[5, 60:] // 3).all()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"clicks": 2}, "too few"),
        ({"smallest": 0.0}, "no share"),
        ({"tolerance": 2.0}, "outside 0 to 1"),
        ({"baselines": ("lasso",)}, "no baseline 'lasso'"),
    ],
)
def test_impossible_settings_are_refused(folder, options, words):
    with pytest.raises(UsageError, match=words):
        evaluate_clicks(folder, ClickSettings(segmenter="slic", **options))


def test_a_label_map_of_another_size_is_refused(folder, labels):
    Image.fromarray(labels[:-1]).save(folder / "a.gt0.png")
    with pytest.raises(BadInputError, match="label map"):
        evaluate_clicks(folder, SLIC)


def elements_of(labels, pixels):
    """Three elements, as unlike each other as can be."""
    return ElementSet.from_source(
        Source.from_label_map(
            labels.astype(np.int64) - 1, pixels=pixels, affinity=np.eye(3, dtype=np.float32)
        )
    )
