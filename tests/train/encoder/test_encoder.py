"""Training of stage 1 on small synthetic photos with small models."""

import csv
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

import eie
from eie.errors import BadInputError, UsageError
from eie.models.content_checkpoints import load_content_encoder, load_light_decoder
from eie.train.core.checkpoint import averaged_weights
from eie.train.core.decomposed_photos import DecomposedPhotos
from eie.train.core.images import Folder, photo_files
from eie.train.core.loop import train
from eie.train.core.settings import CropSettings
from eie.train.encoder.settings import EncoderConfig, EncoderSettings
from eie.train.encoder.stage import EncoderStage, draw_batch, has_code, train_encoder
from tests.train.conftest import LOOP, save_smooth_photos

SMALL = EncoderSettings(
    model=EncoderConfig(
        patch_size=16,
        embedding_dim=32,
        block_out_channels=(32, 32, 32, 32),
        layers_per_block=1,
        unshuffle=True,
        luma=16,
        chroma=4,
        shape=8,
        token_dim=16,
        self_layers=1,
        trunk_dim=16,
        cross_layers=1,
        heads=2,
        neighbours=4,
    ),
    crops=CropSettings(crop=64, batch=2, working_size=96, elements=(16,)),
    loop=LOOP,
    segmenter="slic",
    basis_patches=40,
)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return save_smooth_photos(tmp_path_factory.mktemp("photos"), *3 * [(128, 96)])


def decomposed(photos, cache) -> DecomposedPhotos:
    return DecomposedPhotos(photo_files([Folder(photos)]), cache, 16, SMALL.crops, "slic")


def test_batches_follow_from_the_seed(photos, tmp_path) -> None:
    data = decomposed(photos, tmp_path)
    first, again, other = (draw_batch(data, SMALL.crops, (0, s)) for s in (1, 1, 2))
    assert torch.equal(first.target, again.target) and torch.equal(first.box, again.box)
    assert first.target.shape == other.target.shape == (2, 3, 64, 64)
    assert not torch.equal(first.target, other.target)


def test_photos_are_decomposed_once(photos, tmp_path) -> None:
    data = decomposed(photos, tmp_path)
    first = data[0]
    (entry,) = tmp_path.iterdir()
    written = entry.stat().st_mtime_ns
    assert np.array_equal(data[0].patches, first.patches)
    assert entry.stat().st_mtime_ns == written


def test_boxes_follow_the_crop(photos, tmp_path) -> None:
    """Pasting each patch's mean at its box gives about the crop: geometry and pixels agree."""
    data = decomposed(photos, tmp_path)
    batch = draw_batch(data, SMALL.crops, (0, 5))
    for row in range(2):
        crop = batch.target[row].float()
        errors = []
        for patch, box in zip(
            batch.patches[row, batch.visible[row]].float(),
            batch.box[row, batch.visible[row]],
            strict=True,
        ):
            x, y = (int(v) for v in box[:2])
            mask = patch[3] > 250
            if 2 < x < 61 and 2 < y < 61 and mask[6:10, 6:10].all():
                centre = patch[:3, 6:10, 6:10].mean(dim=(1, 2))
                errors.append(
                    (crop[:, y - 1 : y + 2, x - 1 : x + 2].mean(dim=(1, 2)) - centre).abs().mean()
                )
        assert errors and torch.stack(errors).mean() < 12


def _train_small(whole, folders, run, settings, dry_run):
    """A training in small sizes; what the command would have taken are the defaults."""
    assert settings == EncoderSettings()
    return whole(folders, run, SMALL, dry_run)


@pytest.fixture(scope="module")
def run(photos, tmp_path_factory):
    """The run folder of `eie train encoder` with small sizes."""
    from eie.cli.train import app

    folder = tmp_path_factory.mktemp("whole") / "run"
    with pytest.MonkeyPatch.context() as patch:
        small = partial(_train_small, train_encoder)
        patch.setattr("eie.train.encoder.stage.train_encoder", small)
        result = CliRunner().invoke(app, ["encoder", str(photos), "-o", str(folder)])
    assert result.exit_code == 0, result.output
    return folder


def test_a_stopped_run_goes_on_exactly(photos, run, tmp_path) -> None:
    parts = tmp_path / "run"
    data = decomposed(photos, run.parent / "decompositions")
    options = train_encoder([Folder(photos)], parts, SMALL, dry_run=True)
    train(EncoderStage(SMALL, data), SMALL.loop, parts, options, stop_after=2)
    train_encoder([Folder(photos)], parts, SMALL)
    first, second = averaged_weights(run), averaged_weights(parts)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_run_starts_from_weights(photos, run) -> None:
    weights = run / "checkpoint" / "average.safetensors"
    data = decomposed(photos, run.parent / "decompositions")
    started = EncoderStage(replace(SMALL, start=weights), data).model.state_dict()
    saved = averaged_weights(run)
    assert all(torch.equal(started[name], saved[name]) for name in saved)


def test_a_decoder_trained_alone_leaves_the_embeddings_valid(photos, run, tmp_path) -> None:
    settings = replace(SMALL, start=run, decoder_only=True, loop=replace(LOOP, steps=2))
    alone = tmp_path / "alone" / "run"
    train_encoder([Folder(photos)], alone, settings)
    before, after = load_content_encoder(run), load_content_encoder(alone)
    assert before.weight_hash == after.weight_hash
    assert load_light_decoder(alone).model.config.encoder_hash == after.weight_hash
    changed = load_light_decoder(run).weight_hash != load_light_decoder(alone).weight_hash
    assert changed


def test_a_start_with_another_code_is_fitted_to(photos, run) -> None:
    data = decomposed(photos, run.parent / "decompositions")
    model = replace(SMALL.model, luma=12, shape=12)
    start = run / "checkpoint" / "average.safetensors"
    started = EncoderStage(replace(SMALL, model=model, start=start), data).model
    assert has_code(started.encoder)
    assert started.encoder.linear.luma_basis.shape[1] == 12
    saved = averaged_weights(run)["decoder.stem.weight"]
    assert torch.equal(started.decoder.stem.weight, saved)


def test_the_closed_form_start_is_what_the_linear_code_alone_gives(photos, run) -> None:
    data = decomposed(photos, run.parent / "decompositions")
    model = EncoderStage(SMALL, data).model.eval()
    patches = torch.from_numpy(data[0].patches).float() / 255
    with torch.no_grad():
        code = model.encoder(patches)
        assert torch.equal(code, model.encoder.linear(patches))
        assert code.std() > 0.1
        again = EncoderStage(SMALL, data, fit=False).model.eval().encoder(patches)
    assert not again.any()


def test_the_run_is_a_model_folder(run) -> None:
    encoder, decoder = load_content_encoder(run), load_light_decoder(run)
    assert decoder.model.config.encoder_hash == encoder.weight_hash


def test_a_run_is_logged_for_people_spreadsheets_and_tensorboard(run) -> None:
    with (run / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["1", "2", "3", "4"]
    assert {"loss", "psnr", "gradient_norm", "learning_rate", "seconds"} <= rows[0].keys()
    assert list(run.glob("events.out.tfevents.*"))
    assert [path.name for path in (run / "samples").iterdir()] == ["000004-reconstruction.png"]


def test_what_was_trained_encodes_and_renders(run) -> None:
    rng = np.random.default_rng(1)
    pixels = np.asarray(
        Image.fromarray(rng.integers(0, 256, (5, 5, 3), dtype=np.uint8)).resize(
            (80, 80), Image.BICUBIC
        )
    )
    elements = eie.encode(eie.decompose(pixels, segmenter="slic", elements=16), model=run)
    picture = eie.render(elements, decoder="light", model=run, free=True).photo.pixels
    assert (
        np.abs(picture.astype(float) - pixels).mean() < np.abs(pixels - pixels.mean((0, 1))).mean()
    )
    with pytest.raises(UsageError, match="other weights"):
        eie.render(elements, decoder="light", free=True)


def test_without_photos_nothing_starts(tmp_path) -> None:
    with pytest.raises(BadInputError, match="no images"):
        train_encoder([Folder(tmp_path)], tmp_path / "run", replace(SMALL))
