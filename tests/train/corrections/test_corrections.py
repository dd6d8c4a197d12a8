"""The training of corrections: who clicks on what, and a run through to the end."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

import eie
from eie.editing import candidate_ranking, corrections
from eie.editing.click_facts import network
from eie.errors import BadInputError, UsageError
from eie.files.folders import image_files
from eie.notes import Note
from eie.train.core.images import Folder, SegmentedPhoto, read_training_images
from eie.train.corrections.choices import Choice, corrections_on
from eie.train.corrections.photos import Heads, clicked_photos, things_of
from eie.train.corrections.ranking import train_ranking
from eie.train.corrections.settings import CorrectionSettings
from eie.train.corrections.stage import RANKING_NAME, WEIGHTS_NAME, train_corrections

SMALL = CorrectionSettings(hidden=8, points=2, things=2, members=2, steps=3)


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


def test_what_was_trained_is_what_ranks(data, tmp_path) -> None:
    folders = [Folder(data / "bsds")]
    options = train_corrections(folders, tmp_path / "run", SMALL, dry_run=True)
    assert options["stage"] == "corrections"
    assert not (tmp_path / "run").exists()
    train_corrections(folders, tmp_path / "run", SMALL)
    for name, facts in ((RANKING_NAME, candidate_ranking.FACTS), (WEIGHTS_NAME, corrections.FACTS)):
        tensors = load_file(tmp_path / "run" / name)
        assert tensors["0.weight"].shape == (SMALL.members, SMALL.hidden, facts)
        told = network(tmp_path / "run" / name)(np.ones((9, facts), np.float32))
        np.testing.assert_allclose(told, np.log(1 / 9), atol=1e-4)


def test_every_hypothesis_about_a_second_click_is_told_by_its_overlap(data) -> None:
    photos = read_training_images([Folder(data / "bsds")], 800).segmented
    photo = next(clicked_photos(photos, SMALL))
    random = np.random.default_rng(0)
    choices = [*corrections_on(photo, candidate_ranking.embedded(), SMALL, random)]
    assert 0 < len(choices) <= photo.starts * min(SMALL.things, len(photo.things))
    for choice in choices:
        assert choice.facts.shape == (len(choice.overlap), corrections.FACTS)
        assert 0 <= choice.overlap.min() <= choice.overlap.max() <= 1


def test_the_candidate_that_overlaps_most_comes_to_be_ranked_first(tmp_path) -> None:
    random = np.random.default_rng(0)
    choices = []
    for _ in range(40):
        facts = torch.from_numpy(random.random((6, candidate_ranking.FACTS), dtype=np.float32))
        choices.append(Choice(facts, 0.1 + 0.8 * facts[:, 3]))
    tensors = train_ranking(choices, replace(SMALL, steps=400, hidden=16), random)
    save_file(tensors, tmp_path / "ranking.safetensors")
    rank = network(tmp_path / "ranking.safetensors")
    facts = random.random((50, candidate_ranking.FACTS), dtype=np.float32)
    assert np.corrcoef(rank(facts), facts[:, 3])[0, 1] > 0.8


def test_photos_are_cut_by_heads_that_have_not_seen_them(data, tmp_path) -> None:
    files = [image.path for image in image_files(data / "bsds")]
    run = tmp_path / "heads"
    run.mkdir()
    written = {"stage": "objects", "data": [f"{data / 'bsds'}:2+1"]}
    (run / "options.json").write_text(json.dumps(written))
    with pytest.raises(BadInputError, match="no finished run of eie train objects"):
        Heads.of_run(run)
    weights = Path(eie.__file__).parent / "models" / "weights" / "tiny-segmenter.safetensors"
    (run / "tiny-segmenter.safetensors").write_bytes(weights.read_bytes())
    assert Heads.of_run(run).seen == {file.resolve() for file in files[::2]}
    photos = read_training_images([Folder(data / "bsds")], 800).segmented
    settings = replace(SMALL, heads=(str(run),))
    with pytest.warns(Note, match=f"{len(files[::2])} photos that all heads were trained on"):
        clicked = [*clicked_photos(photos, settings)]
    assert len(clicked) == len(files) - len(files[::2])
    other = tmp_path / "other"
    other.mkdir()
    (other / "options.json").write_text(json.dumps(written | {"data": [f"{data / 'bsds'}:2"]}))
    (other / "tiny-segmenter.safetensors").write_bytes(weights.read_bytes())
    both = replace(SMALL, heads=(str(run), str(run), str(other)))
    clicked = [*clicked_photos(photos, both)]
    assert len(clicked) == 2 * (len(files) - len(files[::2])) + len(files[::2])


def test_the_same_command_gives_the_same_weights(data, tmp_path) -> None:
    for name in "ab":
        train_corrections([Folder(data / "bsds")], tmp_path / name, SMALL)
    for name in (WEIGHTS_NAME, RANKING_NAME):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_without_label_maps_there_is_nothing_to_click_on(data, tmp_path) -> None:
    with pytest.raises(UsageError, match="nothing to click on"):
        train_corrections([Folder(data / "photos")], tmp_path / "run", SMALL)
