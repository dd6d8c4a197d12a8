"""Stage 2 from Stable Diffusion: an element model of random weights is trained on."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from PIL import Image

from eie.cli import main
from eie.errors import BadInputError, UsageError
from eie.models.diffusion_checkpoints import load_element_model
from eie.models.from_stable_diffusion import init_model
from eie.train.core.checkpoint import averaged_weights
from eie.train.core.images import Folder
from eie.train.core.settings import CropSettings
from eie.train.diffusion.encoded_photos import ShardedPhotos
from eie.train.diffusion.run import encoded_photos, train_decoder, train_shards
from eie.train.diffusion.settings import DecoderSettings, decoder_settings
from eie.train.diffusion.stage import DecoderStage
from tests.random_diffusion import random_stable_diffusion_xl, save_random_stable_diffusion
from tests.train.conftest import LOOP, save_smooth_photos

CAPTION = "a cat"


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Two photos, the first with a caption."""
    folder = save_smooth_photos(tmp_path_factory.mktemp("photos"), *2 * [(120, 104)])
    (folder / "0.txt").write_text(f"{CAPTION}\n")
    return folder


@pytest.fixture(scope="module", params=["1.x", "XL"])
def base(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    if request.param == "XL":
        random_stable_diffusion_xl().save_pretrained(folder / "sd")
    else:
        save_random_stable_diffusion(folder / "sd")
    init_model(folder / "sd", folder / "base")
    return str(folder / "base")


def settings_of(base: str) -> DecoderSettings:
    """The paper's, for small photos and few steps."""
    crops = CropSettings(crop=64, batch=2, working_size=96, elements=(16,))
    return replace(decoder_settings(base), crops=crops, loop=LOOP, rate=1e-3)


def stage_of(photos, cache, settings: DecoderSettings) -> DecoderStage:
    return DecoderStage(settings, encoded_photos([Folder(photos)], cache, settings), None)


def test_a_run_trains_unet_and_element_attention_and_keeps_the_rest(photos, base, tmp_path) -> None:
    run = tmp_path / "run"
    train_decoder([Folder(photos)], run, settings_of(base))
    before, after = (load_element_model(m, "cpu", torch.float32).pipeline for m in (base, run))
    assert after.config.guidance_scale == 3.0
    assert (
        after.element_attention.config.encoder_hash == before.element_attention.config.encoder_hash
    )
    for part in ("unet", "element_attention"):
        weights = [getattr(pipe, part).state_dict() for pipe in (before, after)]
        changes = [(weights[0][k] - weights[1][k]).abs().max() for k in weights[0]]
        assert max(changes) > 1e-3
    for part in ("vae", "text_encoder", "text_encoder_2"):
        if getattr(before, part) is None:
            continue
        weights = [getattr(pipe, part).state_dict() for pipe in (before, after)]
        for name, value in weights[0].items():
            torch.testing.assert_close(weights[1][name], value, atol=2e-3, rtol=2e-3)
    assert after.scheduler.config.prediction_type == "epsilon"
    average = averaged_weights(run)
    finished = train_decoder([Folder(photos)], run, settings_of(base))
    assert finished["base"] == base
    assert all(torch.equal(averaged_weights(run)[name], value) for name, value in average.items())


def test_untrained_it_predicts_what_its_unet_does_from_the_captions(photos, base, tmp_path) -> None:
    stage = stage_of(photos, tmp_path, replace(settings_of(base), text_dropout=0.0))
    batch = stage.batch(0)
    assert set(batch.captions()) <= {CAPTION, ""}
    noisy, step = torch.randn(2, 4, 8, 8), torch.tensor([500, 20])
    conditions = stage._conditions(batch, torch.device("cpu"))
    pipeline = load_element_model(base, "cpu", torch.float32).pipeline
    for row, caption in enumerate(batch.captions()):
        text = pipeline.encode_prompt(caption, "", guided=False)
        torch.testing.assert_close(conditions[3][row], text.states[0])
        one = slice(row, row + 1)
        with torch.no_grad():
            expected = pipeline.unet(
                noisy[one], step[one], text.states, added_cond_kwargs=text.added((64, 64))
            ).sample
            made = stage.model.eval()(noisy, step, torch.zeros(2, 6, 8, 8), *conditions)[one]
        torch.testing.assert_close(made, expected, atol=1e-4, rtol=1e-4)


def test_captions_are_left_out_now_and_then(photos, base, tmp_path) -> None:
    stage = stage_of(photos, tmp_path, settings_of(base))
    batch = replace(stage.batch(0), caption=torch.tensor([[97, 0, 0], [98, 99, 0]]).byte())
    assert batch.captions() == ["a", "bc"]
    device = torch.device("cpu")
    empty = stage._text(replace(batch, caption=torch.zeros(2, 1).byte()), device).states
    whole, none = (stage._text(batch, device, dropout=share).states for share in (0.0, 1.0))
    assert torch.equal(none, empty) and (whole != empty).any(dim=2).any(dim=1).all()


def test_captions_go_into_shards(photos, base, tmp_path) -> None:
    settings = settings_of(base)
    [shard] = train_shards([Folder(photos)], tmp_path / "shards", settings)
    sharded = ShardedPhotos([shard])
    assert [sharded.caption(index) for index in range(2)] == [CAPTION, ""]
    stage = DecoderStage(settings, sharded, None)
    from_folder = stage_of(photos, tmp_path / "cache", settings)
    for name, value in vars(from_folder.batch(3)).items():
        assert torch.equal(vars(stage.batch(3))[name], value)


def test_a_caption_that_is_no_text_is_named(photos, base, tmp_path) -> None:
    Image.open(photos / "0.png").save(tmp_path / "p.png")
    (tmp_path / "p.txt").write_bytes(b"\xff\xfe\xfd")
    stage = stage_of(tmp_path, tmp_path / "cache", settings_of(base))
    with pytest.raises(BadInputError, match="caption") as failure:
        stage.batch(0)
    assert str(tmp_path / "p.txt") in str(failure.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"objective": "v_prediction"}, "predicts epsilon"),
        ({"light_picture": True}, "takes 4 channels"),
        ({"encoder": "tiny"}, "another encoder"),
        ({"vae": "elsewhere"}, "autoencoder of its own"),
    ],
)
def test_settings_that_do_not_fit_the_model(photos, base, tmp_path, changes, message) -> None:
    if "encoder" in changes:
        from tests.random_diffusion import save_random_content_model

        save_random_content_model(tmp_path / "content")
        changes = {"encoder": str(tmp_path / "content")}
    with pytest.raises(UsageError, match=message):
        train_decoder([Folder(photos)], tmp_path / "run", replace(settings_of(base), **changes))


def test_the_command_takes_the_papers_settings(photos, base, tmp_path, capsys) -> None:
    words = ["train", "decoder", str(photos), "--from", base, "-o", str(tmp_path / "run")]
    with pytest.raises(SystemExit) as left:
        main([*words, "--steps", "7", "--dry-run"])
    assert left.value.code == 0
    options = json.loads(capsys.readouterr().out)
    assert options["base"] == options["encoder"] == base
    assert options["loop"]["steps"] == 7 and options["objective"] == "epsilon"
    assert options["crops"]["crop"] == 512 and not options["light_picture"]
