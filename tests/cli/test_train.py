from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from eie.cli.train import app
from eie.errors import BadInputError, UsageError


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for index in range(2):
        Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(folder / f"{index}.jpg")
        Image.fromarray(np.ones((64, 64), np.uint8)).save(folder / f"{index}.gt0.png")
    return folder


def test_a_dry_run_prints_the_options_on_stdout_and_trains_nothing(photos, tmp_path):
    run = tmp_path / "run"
    arguments = ["segmenter", f"{photos}:2", "-o", str(run), "--steps", "7", "--dry-run"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    options = json.loads(result.stdout)
    assert options["loop"]["steps"] == 7
    assert options["images"]["segmented"] == 1
    assert not run.exists()


def test_a_missing_folder_is_named(tmp_path):
    arguments = ["segmenter", str(tmp_path / "nowhere"), "-o", str(tmp_path / "run")]
    result = CliRunner().invoke(app, arguments)
    assert isinstance(result.exception, BadInputError)
    assert "nowhere" in str(result.exception)


def test_joint_training_is_reserved(photos, tmp_path):
    arguments = ["encoder", str(photos), "-o", str(tmp_path / "run"), "--joint"]
    result = CliRunner().invoke(app, arguments)
    assert isinstance(result.exception, UsageError)
    assert "reserved" in str(result.exception)
    assert not (tmp_path / "run").exists()


def test_options_of_the_decoder_reach_the_settings_they_are_called_like(photos, tmp_path):
    words = [
        "--joint",
        "--no-light-picture",
        "--no-dropout",
        "--crop",
        "64",
        "--steps",
        "5",
        "--min-snr",
        "2",
    ]
    arguments = ["decoder", str(photos), "-o", str(tmp_path / "run"), *words, "--dry-run"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    options = json.loads(result.stdout)
    assert (options["joint"], options["freeze"], options["light_picture"]) == (True, False, False)
    assert (options["crops"]["crop"], options["loop"]["steps"]) == (64, 5)
    assert (options["dropout"]["share"], options["min_snr"]) == (0.0, 2.0)


def test_a_model_to_train_on_brings_the_papers_settings(photos, tmp_path):
    arguments = ["decoder", str(photos), "-o", str(tmp_path / "run"), "--from", "tiny"]
    result = CliRunner().invoke(app, [*arguments, "--rate", "0.5", "--dry-run"])
    assert result.exit_code == 0, result.output
    options = json.loads(result.stdout)
    assert (options["base"], options["encoder"], options["rate"]) == ("tiny", "tiny", 0.5)
    assert (options["objective"], options["loop"]["steps"]) == ("epsilon", 180_000)
