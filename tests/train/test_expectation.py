"""Training of expected features on small synthetic photos, for a small refiner."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest
import torch

from eie.errors import UsageError
from eie.models.feature_expectation import load_expectation
from eie.models.fill_refiner import FOLDER as REFINER_FOLDER
from eie.models.fill_refiner import FillRefiner, load_refiner
from eie.models.plain import save_plain
from eie.train.decoder import cut_photos
from eie.train.expectation import ExpectationStage, train_expectation
from eie.train.images import Folder
from eie.train.loop import averaged_weights
from eie.train.settings import CropSettings, ExpectationSettings, RefinerConfig

from .conftest import LOOP, losses_of, save_smooth_photos

REFINER = RefinerConfig(widths=(8, 12, 16, 20), blocks=(1, 1, 1, 1))


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return save_smooth_photos(tmp_path_factory.mktemp("photos"), *3 * [(128, 104)])


def model_folder(folder, config: RefinerConfig):
    torch.manual_seed(0)
    save_plain(FillRefiner(**asdict(config)), folder / REFINER_FOLDER, asdict(config))
    return folder


@pytest.fixture(scope="module")
def settings(tmp_path_factory) -> ExpectationSettings:
    default = ExpectationSettings(hidden=(8, 8, 8, 8))
    crops = CropSettings(crop=64, batch=3, working_size=96, elements=(16,))
    holes = replace(default.holes, crops=crops, loop=LOOP, side=32, batches=2)
    refiner = model_folder(tmp_path_factory.mktemp("model"), REFINER)
    return replace(default, refiner=refiner, holes=holes)


def test_the_run_is_part_of_a_model_folder_and_resumes(photos, settings, tmp_path) -> None:
    run = tmp_path / "run"
    options = train_expectation([Folder(photos)], run, settings)
    assert options["stage"] == "expectation" and options["photos"] == 3
    average = averaged_weights(run)
    expectation = load_expectation(run, load_refiner(settings.refiner))
    assert expectation is not None
    for name, weight in expectation.model.state_dict().items():
        assert torch.allclose(weight, average[name], atol=1e-3)
    assert list((run / "samples").glob("*-descended.png"))
    assert len(list((run / "batches").glob("[0-9]*.safetensors"))) == 2
    train_expectation([Folder(photos)], run, settings)
    after = averaged_weights(run)
    assert all(torch.equal(average[name], after[name]) for name in average)
    other = replace(settings, hidden=(4, 4, 4, 4))
    with pytest.raises(UsageError, match="hidden"):
        train_expectation([Folder(photos)], run, other)


def test_a_dry_run_trains_nothing(photos, settings, tmp_path) -> None:
    options = train_expectation([Folder(photos)], tmp_path / "run", settings, dry_run=True)
    assert options["refiner"] == settings.refiner
    assert not (tmp_path / "run").exists()


def test_it_learns_what_refinements_tell_of_the_photo(photos, settings, tmp_path) -> None:
    stage = ExpectationStage(settings, cut_photos([Folder(photos)], tmp_path, settings.holes), None)
    before = {name: weight.clone() for name, weight in stage.refiner.state_dict().items()}
    losses, parts = losses_of(stage, stage.batch(0), steps=20)
    assert losses[-1] < 0.9 * losses[0] and losses[-1] < 0.9 * parts[-1]["refined"]
    assert parts[0]["refined"] == pytest.approx(parts[-1]["refined"], rel=1e-4)
    after = stage.refiner.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_refiner_of_one_guess_is_refused(photos, settings, tmp_path) -> None:
    folder = model_folder(tmp_path / "model", replace(REFINER, fills=1))
    alone = replace(settings, refiner=folder)
    photos = cut_photos([Folder(photos)], tmp_path, settings.holes)
    with pytest.raises(UsageError, match="one guess only"):
        ExpectationStage(alone, photos, None)
