"""Training of the refiner on small synthetic photos, with a small model."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from eie.errors import BadInputError, UsageError
from eie.models.fill_refiner import load_refiner
from eie.models.plain import WEIGHTS_FILE
from eie.train.feature_loss import SHIFT, feature_loss, mean_over
from eie.train.images import Folder
from eie.train.loop import averaged_weights
from eie.train.refiner import RefinerStage, cutouts_of, parts_of, train_refiner
from eie.train.settings import CropSettings, RefinerConfig, RefinerSettings

from .conftest import LOOP, losses_of, save_smooth_photos

SMALL = RefinerSettings(
    model=RefinerConfig(widths=(8, 12, 16, 20), blocks=(1, 1, 1, 1)),
    crops=CropSettings(crop=64, batch=3, working_size=96, elements=(16,)),
    loop=LOOP,
    side=32,
    alone=0.0,
)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return save_smooth_photos(tmp_path_factory.mktemp("photos"), *4 * [(128, 104)])


@pytest.fixture(scope="module")
def run(photos, tmp_path_factory):
    run = tmp_path_factory.mktemp("runs") / "refiner"
    train_refiner([Folder(photos)], run, replace(SMALL, batches=2))
    return run


def stage_of(photos, cache, settings=SMALL) -> RefinerStage:
    from eie.train.decoder import cut_photos

    return RefinerStage(settings, cut_photos([Folder(photos)], cache, settings), None)


def test_the_run_is_a_model_folder(run) -> None:
    refiner = load_refiner(run)
    average = averaged_weights(run)
    for name, weight in refiner.model.state_dict().items():
        assert torch.allclose(weight, average[name], atol=1e-3)
    assert list((run / "samples").glob("*-refined.png"))
    assert len(list((run / "batches").glob("[0-9]*.safetensors"))) == 2


def test_a_finished_run_is_left_as_it_is(photos, run) -> None:
    before = averaged_weights(run)
    train_refiner([Folder(photos)], run, replace(SMALL, batches=2))
    after = averaged_weights(run)
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_each_batch_can_come_twice(photos, tmp_path) -> None:
    settings = replace(SMALL, uses=2)
    train_refiner([Folder(photos)], tmp_path / "run", settings)
    assert len(list((tmp_path / "run/batches").glob("[0-9]*.safetensors"))) == 2
    with pytest.raises(UsageError, match="give either"):
        train_refiner([Folder(photos)], tmp_path / "other", replace(settings, batches=3), True)


def test_a_run_can_start_from_a_refiner(photos, run, tmp_path) -> None:
    start = run / "refiner" / WEIGHTS_FILE
    stage = stage_of(photos, tmp_path, replace(SMALL, start=start))
    loaded = load_refiner(run).model.state_dict()
    assert all(torch.equal(loaded[name], value) for name, value in stage.model.state_dict().items())


def test_crops_have_holes_filled_several_times(photos, tmp_path) -> None:
    stage = stage_of(photos, tmp_path)
    batch = stage.batch(0)
    size, crop = SMALL.crops.batch, SMALL.crops.crop
    assert batch.fills.shape == (size, SMALL.model.fills, 3, crop, crop)
    holes = (~batch.known).any(dim=3).any(dim=2)[:, 0]  # (B,)
    assert holes.sum() >= 2 and batch.known.any(dim=3).any(dim=2).all()
    for target, fills, known in zip(batch.target, batch.fills, batch.known, strict=True):
        changed = (fills != target).any(dim=1)  # (K, crop, crop)
        assert not changed[:, known[0]].any()
        assert changed[:, ~known[0]].float().mean() > 0.5 or known.all()
    again = stage.batch(0)
    assert all(torch.equal(vars(batch)[name], vars(again)[name]) for name in vars(batch))


@pytest.mark.parametrize("alone", [0.0, 1.0])
def test_holes_are_filled_once_or_several_times(photos, tmp_path, alone) -> None:
    stage = stage_of(photos, tmp_path, replace(SMALL, alone=alone))
    batch = stage.batch(0)
    assert batch.fills.shape[1] == (1 if alone else SMALL.model.fills)
    loss, _ = stage.loss(stage.model, batch)
    assert float(loss.detach()) > 0


def with_objects(photos, cache, data, **changes) -> RefinerStage:
    from eie.train.decoder import cut_photos

    changes = {"covered": 1.0, "compressed": 0.0, "picking": "slic", "elements": 16} | changes
    settings = replace(SMALL, objects=str(data / "objects"), **changes)
    photos = cut_photos([Folder(photos)], cache, settings)
    return RefinerStage(settings, photos, None, cutouts=cutouts_of(settings.objects))


@pytest.mark.parametrize("exact", [0.0, 1.0])
def test_what_has_to_go_is_gone_from_the_hole_and_its_remains_are_kept(
    photos, tmp_path, data, exact
) -> None:
    stage = with_objects(photos, tmp_path, data, exact=exact)
    remains = 0
    for step in range(4):
        batch = stage.batch(step)
        known = batch.known.expand_as(batch.target)
        assert (~batch.known).any(dim=3).any(dim=2).all()
        assert all(torch.equal(fill[known], batch.target[known]) for fill in batch.fills.unbind(1))
        assert object_pixels(batch, ~batch.known) == 0
        remains += object_pixels(batch, batch.known)
    assert (remains == 0) == (exact == 1.0)


def object_pixels(batch, where) -> int:
    """Pixels that show the cut-outs' noise; the photos are smooth."""
    rough = (batch.target[..., 1:].int() - batch.target[..., :-1]).abs().amax(dim=1) > 90
    return int((rough & where[:, 0, :, 1:] & where[:, 0, :, :-1]).sum())


def test_clicks_and_masks_pick_objects(photos, tmp_path, data) -> None:
    for decomposed in (0.0, 1.0):
        stage = with_objects(photos, tmp_path, data, exact=0.0, decomposed=decomposed)
        assert not stage.batch(0).known.all()
        assert torch.equal(stage.batch(0).known, stage.batch(0).known)


def test_a_folder_without_cutouts_is_told(photos, tmp_path) -> None:
    settings = replace(SMALL, objects=str(photos))
    with pytest.raises(BadInputError, match="no cut-outs"):
        train_refiner([Folder(photos)], tmp_path / "run", settings, dry_run=True)


def test_where_nothing_is_dropped_a_batch_is_whole(photos, tmp_path) -> None:
    never = replace(SMALL, dropout=replace(SMALL.dropout, share=0.0, known=1.0))
    whole = replace(never, dropout=replace(never.dropout, share=1.0, side=(0.001, 0.002)))
    batch = stage_of(photos, tmp_path, whole).batch(0)
    assert len(batch.target) == SMALL.crops.batch


def test_only_holes_of_a_fit_size_count(photos, tmp_path) -> None:
    stage = stage_of(photos, tmp_path)
    batch = stage.batch(0)
    crop = batch.known.shape[-1]
    known = torch.ones_like(batch.known)
    known[0] = False  # nothing is known: no hole to fill
    known[1, :, 20:40, 20:40] = False
    batch = replace(batch, known=known)
    torch.manual_seed(0)
    target, fills, seen = parts_of(batch, torch.device("cpu"), SMALL)
    assert len(target) == len(seen) == 1 and len(fills) == SMALL.model.fills
    assert seen.shape[-1] == SMALL.side < crop
    assert 0.05 <= 1 - float(seen.mean()) <= 0.9
    for seed in range(20):
        torch.manual_seed(seed)
        _, _, seen = parts_of(batch, torch.device("cpu"), SMALL)
        assert SMALL.unknown[0] <= 1 - float(seen.mean()) <= SMALL.unknown[1] or seen.all()

    batch = replace(batch, known=torch.ones_like(known))
    loss, parts = stage.loss(stage.model, batch)
    assert all(float(value.detach()) == 0 for value in (loss, *parts.values()))


def test_a_step_reduces_the_loss(photos, tmp_path) -> None:
    stage = stage_of(photos, tmp_path, replace(SMALL, absolute_weight=20.0))
    batch = stage.batch(1)
    batch.known[:, :, 20:40, 20:40] = False
    batch = replace(batch, fills=torch.full_like(batch.fills, 255))
    losses, _ = losses_of(stage, batch)
    assert losses[-1] < 0.9 * losses[0]


def test_what_other_fills_show_is_used(photos, tmp_path) -> None:
    """The best fill is white and the second is right: the network learns to take that."""
    stage = stage_of(photos, tmp_path, replace(SMALL, absolute_weight=20.0))
    batch = stage.batch(1)
    batch.known[:, :, 20:40, 20:40] = False
    batch.fills[:, 0] = 255
    batch.fills[:, 1:] = batch.target[:, None]
    losses, _ = losses_of(stage, batch)
    batch.fills[:, 1:] = 255
    blind, _ = losses_of(stage_of(photos, tmp_path, stage.settings), batch)
    assert losses[-1] < 0.9 * blind[-1]


def test_the_loss_is_a_mean_within_the_mask() -> None:
    plane = torch.zeros(2, 1, 4, 4)
    plane[0, 0, 0, 0], plane[1, 0, 0, :2] = 1.0, 1.0
    where = torch.zeros(2, 1, 4, 4)
    where[0, 0, 0, 0], where[1, 0, 0] = 1.0, 1.0
    assert float(mean_over(plane, where)) == pytest.approx((1.0 + 0.5) / 2)
    assert float(mean_over(plane, torch.zeros_like(where))) == 0


def test_equal_pictures_have_no_feature_loss() -> None:
    from eie.models.feature_distance import load_feature_distance

    network = load_feature_distance()
    picture = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    where = torch.ones(1, 1, 64, 64)
    assert float(feature_loss(network, picture, picture, where)) == pytest.approx(0, abs=1e-5)
    assert float(feature_loss(network, picture, 1 - picture, where)) > 0.1
    assert SHIFT < 32
