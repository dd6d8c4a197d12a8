"""Training of seam matting on small synthetic images."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from eie.errors import BadInputError
from eie.models.seam_matting import load_seam_matting
from eie.train.images import Folder, read_training_images
from eie.train.loop import averaged_weights
from eie.train.matting import MattingStage, train_matting
from eie.train.settings import MattingSettings, SceneSettings

from .conftest import LOOP, losses_of

SMALL = MattingSettings(
    scenes=SceneSettings(crop=96, object_side=(0.4, 0.8)),
    loop=LOOP,
    elements=16,
    batch=2,
    parts=3,
    side=32,
    segmenter="slic",
)


@pytest.fixture(scope="module")
def folders(data):
    return [Folder(data / "photos"), Folder(data / "objects")]


def stage_of(folders, **changes) -> MattingStage:
    return MattingStage(replace(SMALL, **changes), read_training_images(folders, 200))


def test_a_run_hands_out_weights(folders, tmp_path) -> None:
    run = tmp_path / "run"
    options = train_matting(folders, run, replace(SMALL, batches=2))
    assert options["stage"] == "matting" and options["photos"] == 4
    average = averaged_weights(run)
    for name, weight in load_seam_matting(run).network.state_dict().items():
        assert torch.allclose(weight, average[name], atol=1e-3)
    assert len(list((run / "batches").glob("[0-9]*.safetensors"))) == 2
    assert list((run / "samples").glob("*-matting.png"))
    train_matting(folders, run, replace(SMALL, batches=2))  # finished: left as it is
    again = averaged_weights(run)
    assert all(torch.equal(average[name], value) for name, value in again.items())


def test_batches_follow_from_seed_and_step(folders) -> None:
    one, again, other = (stage_of(folders).batch(step) for step in (3, 3, 4))
    assert one.pixels.shape == (6, 3, 32, 32) and one.pixels.dtype == torch.uint8
    assert one.gone.shape == one.shown.shape == (6, 1, 32, 32)
    assert torch.equal(one.pixels, again.pixels) and torch.equal(one.gone, again.gone)
    assert not torch.equal(one.pixels, other.pixels)


@pytest.mark.parametrize("decomposed", [0.0, 1.0])
def test_parts_lie_on_the_border_of_what_is_picked(folders, decomposed) -> None:
    stage = stage_of(folders, decomposed=decomposed)
    for step in range(3):
        batch = stage.batch(step)
        for gone in batch.gone:
            assert gone.any()
        assert batch.shown.any()


def test_an_own_mask_covers_what_is_shown(folders) -> None:
    """Sharp objects picked by their alpha leave nothing: the labels are about the right place."""
    stage = stage_of(folders, decomposed=0.0, blurred=0.0, compressed=0.0)
    left = [batch.shown & ~batch.gone for batch in (stage.batch(step) for step in range(6))]
    covered = [batch.shown & batch.gone for batch in (stage.batch(step) for step in range(6))]
    assert sum(int(mask.sum()) for mask in left) < 0.5 * sum(int(mask.sum()) for mask in covered)


def test_a_step_reduces_the_loss(folders) -> None:
    stage = stage_of(folders)
    batch = stage.batch(0)
    losses, parts = losses_of(stage, batch)
    assert all(0 <= of_loss["wrong"] <= 1 for of_loss in parts)
    assert losses[-1] < 0.9 * losses[0]


def test_only_the_seam_counts(folders) -> None:
    stage = stage_of(folders, seam=2)
    batch = stage.batch(0)
    gone = torch.zeros_like(batch.gone)
    gone[:, :, 8:16, 8:16] = True
    far = torch.zeros_like(batch.shown)
    far[:, :, 20:] = True
    losses = []
    for shown in (torch.zeros_like(far), far):
        torch.manual_seed(0)
        loss, _ = stage.loss(stage.model, replace(batch, gone=gone, shown=shown))
        losses.append(float(loss.detach()))
    assert losses[0] == pytest.approx(losses[1])


def test_it_needs_objects_and_photos(data, folders, tmp_path) -> None:
    for folder in folders:
        with pytest.raises(BadInputError, match="learns from objects on photos"):
            train_matting([folder], tmp_path / "run", SMALL)
    assert train_matting(folders, tmp_path / "run", SMALL, dry_run=True)["side"] == SMALL.side
    assert not (tmp_path / "run").exists()


def test_pictures_show_what_is_left(folders) -> None:
    stage = stage_of(folders)
    picture = stage.samples(stage.model, stage.batch(-1))["matting"]
    assert picture.dtype == np.uint8 and picture.shape[0] == 3 * SMALL.side
