"""The training of corrections: who clicks on what, and a run through to the end."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from eie.editing import corrections
from eie.errors import UsageError
from eie.train.core.images import Folder, SegmentedPhoto
from eie.train.corrections.settings import CorrectionSettings
from eie.train.corrections.stage import (
    WEIGHTS_NAME,
    Asked,
    answers_loss,
    correction_network,
    things_of,
    train_corrections,
)

SMALL = CorrectionSettings(rounds=(2, 3), clicks=3, hidden=8, batch=4)


def segmented(*maps: np.ndarray, things: frozenset[int] | None = None) -> SegmentedPhoto:
    segmentations = np.stack(maps).astype(np.uint8)
    pixels = np.zeros((*segmentations.shape[1:], 3), np.uint8)
    return SegmentedPhoto(pixels, segmentations, things)


def test_those_who_saw_the_fewest_segments_are_heeded() -> None:
    halves, thirds = np.repeat([1, 2], 30)[None], np.repeat([1, 2, 3], 20)[None]
    many = np.repeat(np.arange(12), 5)[None]
    masks = [*things_of(segmented(many, thirds, halves), SMALL)]
    assert sorted(int(mask.sum()) for mask in masks) == [20, 20, 20, 30, 30]


def test_where_things_are_known_only_they_are_clicked() -> None:
    labels = np.repeat([0, 1, 2], [20, 30, 10])[None]
    (mask,) = things_of(segmented(labels, things=frozenset({2})), SMALL)
    np.testing.assert_array_equal(mask, labels == 2)


def test_what_is_too_small_or_most_of_the_photo_is_not_clicked() -> None:
    labels = np.repeat([1, 2], [199, 1])[None]
    assert not [*things_of(segmented(labels), SMALL)]


def test_right_answers_cost_less() -> None:
    features = torch.zeros(6, corrections.FEATURES)
    truth = torch.tensor([1.0, 1.0, 0.0, 0.0, 0.0, 1.0])
    asked = Asked(features, truth, torch.ones(6))
    losses = [
        answers_loss(lambda _, said=said: (4 * said - 2)[:, None], [asked])
        for said in (truth, 0.5 * torch.ones(6), 1 - truth)
    ]
    assert losses == sorted(losses)


def test_what_was_trained_is_what_corrects(data, tmp_path, monkeypatch) -> None:
    folders = [Folder(data / "bsds")]
    options = train_corrections(folders, tmp_path / "run", SMALL, dry_run=True)
    assert options["stage"] == "corrections"
    assert not (tmp_path / "run").exists()
    train_corrections(folders, tmp_path / "run", SMALL)
    written = tmp_path / "run" / WEIGHTS_NAME
    network = correction_network(SMALL.hidden)
    network.load_state_dict({k: torch.from_numpy(v) for k, v in load_file(written).items()})
    features = np.random.default_rng(0).random((9, corrections.FEATURES), dtype=np.float32)
    with torch.inference_mode():
        expected = network(2 * torch.from_numpy(features) - 1)[:, 0].numpy()
    np.testing.assert_allclose(corrections.network(written)(features), expected, atol=1e-5)


def test_the_same_command_gives_the_same_weights(data, tmp_path) -> None:
    for name in "ab":
        train_corrections([Folder(data / "bsds")], tmp_path / name, SMALL)
    assert (tmp_path / "a" / WEIGHTS_NAME).read_bytes() == (
        tmp_path / "b" / WEIGHTS_NAME
    ).read_bytes()


def test_without_label_maps_there_is_nothing_to_click_on(data, tmp_path) -> None:
    with pytest.raises(UsageError, match="nothing to click on"):
        train_corrections([Folder(data / "photos")], tmp_path / "run", SMALL)
