"""Training of the latent autoencoder and of stage 2 on small synthetic photos, small models."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import UNet2DConditionModel

import eie
from eie.errors import UsageError
from eie.models.conditioning import Scaling, conditioned_channels, encode_pixels
from eie.models.content_checkpoints import load_content_encoder, load_light_decoder
from eie.models.diffusion_checkpoints import load_element_model, load_vae
from eie.models.element_attention import ElementAttention
from eie.rendering import ClassicalDecoder
from eie.train.autoencoder.stage import train_autoencoder
from eie.train.core.checkpoint import averaged_weights
from eie.train.core.images import Folder
from eie.train.core.loop import train
from eie.train.diffusion.decoder_data import draw_batch
from eie.train.diffusion.parts import loss_weight, training_scheduler
from eie.train.diffusion.run import train_decoder
from eie.train.diffusion.settings import (
    DropoutSettings,
)
from eie.train.diffusion.stage import DecoderStage
from tests.train.conftest import LOOP
from tests.train.diffusion.conftest import SMALL, SMALL_VAE, encoded


def test_the_autoencoder_is_a_model_folder(vae) -> None:
    model = load_vae(vae)
    assert model.config.latent_channels == 4
    assert list((vae / "samples").glob("*.png"))


def test_an_autoencoder_can_start_from_another(photos, vae, tmp_path) -> None:
    start = vae / "vae" / "diffusion_pytorch_model.safetensors"
    short = replace(SMALL_VAE, start=start, loop=replace(LOOP, steps=1))
    train_autoencoder([Folder(photos)], tmp_path / "run", short)
    # The linear encoder, and with it the latents, stay.
    assert torch.equal(load_vae(tmp_path / "run").analysis, load_vae(vae).analysis)


@pytest.mark.parametrize("foreign", [False, True])
def test_photos_are_encoded_once(photos, tmp_path, foreign) -> None:
    from eie.elements import Source
    from eie.encoding.patches import cut_patches

    data = encoded(photos, tmp_path)
    photo = data.get(0, foreign)
    times = [path.stat().st_mtime_ns for path in sorted((tmp_path / "encoded").iterdir())]
    assert np.array_equal(data.get(0, foreign).embeddings, photo.embeddings)
    again = [path.stat().st_mtime_ns for path in sorted((tmp_path / "encoded").iterdir())]
    assert times == again
    source = Source.from_label_map(photo.label_map, pixels=photo.pixels)
    expected = (
        load_content_encoder().model(torch.from_numpy(cut_patches(source, 32))).detach().numpy()
    )
    np.testing.assert_allclose(photo.embeddings, expected, atol=1e-4)


def test_the_random_partition_is_another_photos(photos, tmp_path) -> None:
    data = encoded(photos, tmp_path)
    own, foreign = data.get(0, False), data.get(0, True)
    assert np.array_equal(own.pixels, foreign.pixels)
    assert own.label_map.shape == foreign.label_map.shape
    assert not np.array_equal(own.label_map, foreign.label_map)
    assert np.array_equal(np.unique(foreign.label_map), np.arange(len(foreign.box)))


def test_batches_follow_from_the_seed(photos, tmp_path) -> None:
    data = encoded(photos, tmp_path)
    first, again, other = (
        draw_batch(data, None, SMALL.crops, SMALL.dropout, (0, step)) for step in (1, 1, 2)
    )
    assert torch.equal(first.target, again.target)
    assert torch.equal(first.appearance, again.appearance)
    assert not torch.equal(first.target, other.target)
    assert first.target.shape == first.guess.shape == (2, 3, 64, 64)
    assert first.known.shape == first.covered.shape == (2, 1, 64, 64)


def test_prepared_batches_come_again(photos, vae, tmp_path) -> None:
    settings = replace(SMALL, vae=str(vae), batches=2)
    stage = DecoderStage(settings, encoded(photos, tmp_path), None, tmp_path / "batches")
    plain = DecoderStage(replace(settings, batches=None), encoded(photos, tmp_path), None)
    for step, same in ((-1, -1), (0, 0), (1, 1), (2, 0), (5, 1), (-1, -1)):
        batch, drawn = stage.batch(step), plain.batch(same)
        assert all(torch.equal(getattr(batch, name), value) for name, value in vars(drawn).items())
    assert sorted(file.name for file in (tmp_path / "batches").iterdir()) == [
        "-1.safetensors", "0.safetensors", "1.safetensors",
    ]  # fmt: skip


def test_an_encoder_that_is_trained_gets_patches(photos, tmp_path) -> None:
    data = encoded(photos, tmp_path)
    drawn = [
        draw_batch(data, None, SMALL.crops, SMALL.dropout, (0, 1), patches=patches)
        for patches in (False, True)
    ]
    assert drawn[0].appearance.shape[:2] == drawn[1].appearance.shape[:2]
    assert drawn[0].appearance.ndim == 3
    assert drawn[1].appearance.shape[2:] == (4, 32, 32)
    assert drawn[1].appearance.dtype == torch.uint8


def test_dropped_elements_leave_a_hole(photos, tmp_path) -> None:
    data = encoded(photos, tmp_path)
    always = DropoutSettings(share=1.0, known=1.0, random_partition=False)
    holes = 0
    for step in range(4):
        batch = draw_batch(data, None, SMALL.crops, always, (0, step))
        for row in range(2):
            covered, known = batch.covered[row, 0], batch.known[row, 0]
            assert not (known & ~covered).any()  # nothing under a dropped element is known
            real = batch.box[row][batch.appearance[row].abs().sum(dim=1) > 0]
            missing = len(real) - int(batch.present[row].sum())
            # Some elements lie outside the crop or under no label of it; holes need one inside.
            assert missing >= (1 if (~covered).any() else 0)
            holes += int((~covered).sum())
    assert holes > 0


def test_without_dropout_everything_is_there_and_nothing_known(photos, tmp_path) -> None:
    data = encoded(photos, tmp_path)
    batch = draw_batch(data, None, SMALL.crops, DropoutSettings(share=0.0), (0, 0))
    assert batch.covered.all()
    assert not batch.known.any()
    assert int(batch.present.sum()) == int((batch.appearance.abs().sum(dim=2) > 0).sum())


def test_a_stopped_run_goes_on_exactly(photos, vae, tmp_path) -> None:
    settings = replace(SMALL, vae=str(vae))
    whole, parts = tmp_path / "a" / "run", tmp_path / "b" / "run"
    train_decoder([Folder(photos)], whole, settings)
    data = encoded(photos, tmp_path / "b")
    options = train_decoder([Folder(photos)], parts, settings, dry_run=True)
    train(DecoderStage(settings, data, None), LOOP, parts, options, stop_after=2)
    train_decoder([Folder(photos)], parts, settings)
    first, second = averaged_weights(whole), averaged_weights(parts)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert list((whole / "samples").glob("*-filled.png"))


def test_the_run_is_a_model_folder(photos, vae, tmp_path) -> None:
    train_decoder([Folder(photos)], tmp_path / "run", replace(SMALL, vae=str(vae)))
    model = load_element_model(tmp_path / "run", "cpu")
    assert model.pipeline.config.guidance_scale == SMALL.guidance
    assert model.pipeline.config.guess_deviation == SMALL.guess_deviation
    assert load_light_decoder(tmp_path / "run").model.config.encoder_hash == (
        load_content_encoder(tmp_path / "run").weight_hash
    )
    unet = UNet2DConditionModel.from_pretrained(tmp_path / "run", subfolder="unet")
    attention = ElementAttention.from_pretrained(tmp_path / "run", subfolder="element_attention")
    assert unet.config.in_channels == conditioned_channels(4, features=True)
    assert len(attention.config.layer_sizes) > 0
    assert load_vae(tmp_path / "run").config.latent_channels == 4


@pytest.mark.parametrize("joint", [False, True])
def test_an_encoder_that_is_not_frozen_learns(photos, vae, tmp_path, joint) -> None:
    settings = replace(SMALL, vae=str(vae), freeze=False, joint=joint, light_picture=False)
    stage = DecoderStage(settings, encoded(photos, tmp_path), None)
    # Beyond the zeros that θ_S starts with, gradients reach the encoder.
    for layer in stage.model.element_attention.layers.values():
        torch.nn.init.normal_(layer.to_out.weight)
    torch.manual_seed(0)
    loss, _ = stage.loss(stage.model, stage.batch(1))
    loss.backward()
    gradient = stage.model.content_encoder.convolutions.conv_out.weight.grad
    assert gradient.abs().sum() > 0
    assert (stage.model.content_encoder.linear is None) == joint


@pytest.mark.parametrize("joint", [False, True])
def test_an_encoder_that_was_trained_along_renders(photos, vae, tmp_path, joint) -> None:
    settings = replace(SMALL, vae=str(vae), freeze=False, joint=joint, light_picture=False)
    run = tmp_path / "run"
    train_decoder([Folder(photos)], run, settings)
    assert load_content_encoder(run).weight_hash != load_content_encoder().weight_hash
    elements = eie.decompose(photos / "0.png", segmenter="slic", elements=9)
    encoded = eie.encode(elements, model=run)
    rendering = eie.render(encoded, decoder="diffusion", free=True, model=str(run), steps=2)
    assert rendering.photo.pixels.shape == elements.sources[0].pixels.shape


def test_senseless_settings_are_refused(photos, tmp_path) -> None:
    with pytest.raises(UsageError, match="not frozen"):
        train_decoder([Folder(photos)], tmp_path / "run", replace(SMALL, joint=True), dry_run=True)
    with pytest.raises(UsageError, match="light decoder"):
        train_decoder([Folder(photos)], tmp_path / "run", replace(SMALL, freeze=False))


@pytest.mark.parametrize("objective", ["epsilon", "v_prediction"])
def test_weights_are_those_of_min_snr(objective) -> None:
    """Both weigh the error of the denoised latents by min(SNR, γ)."""
    settings = replace(SMALL, objective=objective, min_snr=5.0)
    signal = torch.tensor([0.9, 0.5, 0.1])
    ratio = signal / (1 - signal)
    per_latent_error = {"epsilon": 1 / ratio, "v_prediction": 1 / (ratio + 1)}[objective]
    expected = ratio.clamp(max=5.0) * per_latent_error
    torch.testing.assert_close(loss_weight(signal, settings), expected)


def test_the_last_step_is_pure_noise_for_v_prediction() -> None:
    assert training_scheduler(SMALL).alphas_cumprod[-1] == pytest.approx(0.0, abs=1e-6)
    noisy = replace(SMALL, objective="epsilon")
    assert training_scheduler(noisy).alphas_cumprod[-1] > 1e-3


def test_known_latents_count_less(photos, vae, tmp_path) -> None:
    settings = replace(
        SMALL, vae=str(vae), known_weight=0.0, guess_deviation=0.0, feature_weight=0.0
    )
    stage = DecoderStage(settings, encoded(photos, tmp_path), None)
    batch = stage.batch(1)
    everything = replace(batch, known=torch.ones_like(batch.known))
    everything.known[..., :8, :8] = False
    perfect = torch.zeros(())

    class Model(torch.nn.Module):
        """Right everywhere but at the known latents."""

        content_encoder = None

        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(perfect)

        def forward(self, noisy, step, extra, embeddings, box, present, text, added):
            wrong = extra[:, -2:-1]
            return self.truth + wrong

    model = Model()
    torch.manual_seed(3)
    pictures = stage._pixels(everything, torch.device("cpu"))
    latents, _, _ = stage._latents(everything, *pictures)
    noise = torch.randn_like(latents)
    step = stage._steps(len(latents), latents.device)
    model.truth = stage.scheduler.get_velocity(latents, noise, step)
    torch.manual_seed(3)
    loss, parts = stage.loss(model, everything)
    assert loss < 1e-9
    assert parts["error"] > 0.5


def test_the_classical_fill_is_the_first_guess_of_what_is_not_known(photos, tmp_path) -> None:
    data = encoded(photos, tmp_path)
    anchored = DropoutSettings(share=1.0, known=1.0)
    plain, filled = (
        draw_batch(data, None, SMALL.crops, anchored, (0, 3), filled) for filled in (False, True)
    )
    holed = [row for row in range(2) if not plain.known[row].all()]
    assert holed
    for row in holed:
        known = plain.known[row].numpy()
        assert torch.equal(filled.target[row], plain.target[row])
        assert filled.guessed[row].all() and not plain.guessed[row].all()
        photo = np.moveaxis(plain.target[row].numpy(), 0, 2)
        expected = ClassicalDecoder().fills(photo, ~known[0])[0]
        assert np.array_equal(np.moveaxis(filled.guess[row].numpy(), 0, 2), expected)


def test_a_network_that_adds_nothing_leaves_the_guess(photos, vae, tmp_path) -> None:
    """With a small deviation the noise hardly shows: what comes out is the guess."""
    anchored = DropoutSettings(share=1.0, known=1.0)
    settings = replace(SMALL, vae=str(vae), guess_deviation=1e-3, dropout=anchored)
    stage = DecoderStage(settings, encoded(photos, tmp_path), None)
    batch = stage.batch(2)

    class Nothing(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(()))

        def forward(self, noisy, *_):
            return torch.zeros_like(noisy)

    picture = stage.samples(Nothing(), batch)["filled"]
    truth, guess, made = np.split(picture, 3, axis=0)
    assert np.abs(made.astype(int) - guess).mean() < np.abs(truth.astype(int) - guess).mean()
    _, parts = stage.loss(Nothing(), batch)
    assert 0 < parts["features"] < 4


def test_an_untrained_decoder_gives_back_the_guess(photos, vae, tmp_path) -> None:
    settings = replace(SMALL, vae=str(vae), temperature=0.0)
    stage = DecoderStage(settings, encoded(photos, tmp_path), None)
    batch = stage.batch(2)
    _, guess, made = np.split(stage.samples(stage.model, batch)["filled"], 3, axis=0)
    known = batch.known[0, 0].numpy()
    side = len(known)
    differ = np.abs(made.astype(int) - guess)[:side, :side].max(axis=2)
    assert differ[~known].max() <= 1


def test_a_right_prediction_gives_the_photo(photos, vae, tmp_path) -> None:
    """Whatever the noise: the velocity is that of what is missing in the guess."""
    stage = DecoderStage(replace(SMALL, vae=str(vae)), encoded(photos, tmp_path), None)
    batch = stage.batch(1)
    truth, guess = stage._pixels(batch, torch.device("cpu"))
    missing, extra, _ = stage._latents(batch, truth, guess)
    noise, step = torch.randn_like(missing), torch.tensor([400, 999])
    noisy = stage.scheduler.add_noise(missing, noise, step)
    velocity = stage.scheduler.get_velocity(missing, noise, step)
    signal = stage._signal(step)
    scaling = Scaling.at(signal, stage.settings.guess_deviation)

    def right(*_):
        return (velocity - scaling.kept * noisy) / scaling.scale

    predicted, _ = stage._predict(right, noisy, step, extra, ())
    denoised = signal.sqrt() * noisy - (1 - signal).sqrt() * predicted
    torch.testing.assert_close(
        denoised + extra[:, : missing.shape[1]], encode_pixels(stage.vae, truth),
        atol=1e-4, rtol=1e-4,
    )  # fmt: skip


def test_steps_are_drawn_as_set(photos, vae, tmp_path) -> None:
    data = encoded(photos, tmp_path)
    few = DecoderStage(replace(SMALL, vae=str(vae)), data, None)
    device = torch.device("cpu")
    assert (few._steps(4000, device) == 999).float().mean() < 0.01
    much = DecoderStage(replace(SMALL, vae=str(vae), last_share=0.5), data, None)
    assert (much._steps(4000, device) == 999).float().mean() == pytest.approx(0.5, abs=0.05)
