"""The diffusion pipeline with small random weights."""

from __future__ import annotations

from typing import Any

import diffusers
import pytest
import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline
from torch import Tensor

from eie.models.conditioning import FEATURE_CHANNELS, Scaling
from eie.models.element_attention import ElementAttention, ElementLayer
from eie.models.pipeline import ImageElementsPipeline
from eie.models.text_encoder import PARTS
from tests.random_diffusion import (
    CHANNELS,
    EMBEDDING,
    quiet,
    random_autoencoder_kl,
    random_elements,
    random_sd_pipeline,
    random_stable_diffusion_xl,
    random_text_encoder,
    random_tiny_pipeline,
    random_unet,
    sd_scheduler,
    seeded,
)

SCHEDULERS = [
    "EulerDiscreteScheduler",
    "DPMSolverMultistepScheduler",
    "PNDMScheduler",
    "HeunDiscreteScheduler",
    "UniPCMultistepScheduler",
    "DDPMScheduler",
]


def latents_of(pipeline: ImageElementsPipeline, **options: Any) -> Tensor:
    options = {"generator": seeded(), "num_inference_steps": 3, "output_type": "latent"} | options
    elements = options.pop("elements", None) or random_elements()
    return pipeline(*elements, **options).images


def images_of(pipeline: ImageElementsPipeline, **options: Any) -> Tensor:
    """(B, 3, H, W) in [0, 1]."""
    return latents_of(pipeline, output_type="pt", **options)


def half_known() -> dict[str, Tensor]:
    """A picture of 64×96 pixels of which the middle is unknown."""
    torch.manual_seed(6)
    known = torch.ones(1, 1, 64, 96)
    known[..., 16:48, 12:64] = 0
    return {"picture": torch.rand(1, 3, 64, 96) * 2 - 1, "known": known}


def test_before_training_it_is_stable_diffusion() -> None:
    unet, text = random_unet(), random_text_encoder()
    stock = quiet(
        StableDiffusionPipeline(
            vae=random_autoencoder_kl(),
            unet=unet,
            scheduler=sd_scheduler(),
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
            **text,
        )
    )
    noise = torch.randn(1, CHANNELS, 8, 8, generator=seeded())
    options = {"prompt": "a cat", "negative_prompt": "blurred", "latents": noise}
    expected = stock(
        **options, guidance_scale=3.0, num_inference_steps=3, output_type="latent"
    ).images
    ours = random_sd_pipeline(
        unet=unet, element_attention=ElementAttention.for_unet(unet, EMBEDDING), **text
    )
    assert torch.equal(latents_of(ours, **options, height=64, width=64), expected)
    other = latents_of(ours, **options | {"prompt": "a dog"}, height=64, width=64)
    assert not torch.equal(other, expected)


def test_before_training_it_is_stable_diffusion_xl() -> None:
    stock = random_stable_diffusion_xl()
    noise = torch.randn(1, CHANNELS, 8, 8, generator=seeded())
    options = {"prompt": "a cat", "negative_prompt": "blurred", "latents": noise}
    size = {"height": 64, "width": 64}
    expected = stock(
        **options, **size, guidance_scale=3.0, num_inference_steps=3, output_type="latent"
    ).images
    parts = {name: getattr(stock, name) for name in PARTS}
    attention = ElementAttention.for_unet(stock.unet, EMBEDDING)
    ours = random_sd_pipeline(unet=stock.unet, element_attention=attention, **parts)
    # Both texts are read at once, which rounds otherwise.
    made = latents_of(ours, **options, **size)
    torch.testing.assert_close(made, expected, atol=1e-4, rtol=1e-4)
    other = latents_of(ours, **options | {"prompt": "a dog"}, **size)
    assert (other - expected).abs().max() > 1e-3


def test_keys_and_values_are_computed_once_a_render(monkeypatch) -> None:
    calls = []
    plain = ElementLayer.keys_values

    def counted(self: ElementLayer, tokens: Tensor) -> tuple[Tensor, Tensor]:
        calls.append(len(tokens))
        return plain(self, tokens)

    monkeypatch.setattr(ElementLayer, "keys_values", counted)
    pipeline = random_sd_pipeline()
    latents_of(pipeline, height=64, width=64, num_inference_steps=5, num_images=3)
    # Once a layer, whatever the steps and variations; the null set needs none of its own.
    assert calls == [1] * len(pipeline.element_attention.layers)


def test_elements_matter_and_padding_does_not() -> None:
    pipeline = random_sd_pipeline()
    embeddings, box = random_elements()
    whole = latents_of(pipeline, height=64, width=64)
    moved = latents_of(pipeline, elements=(embeddings, box + 0.2), height=64, width=64)
    assert not torch.allclose(whole, moved, atol=1e-3)
    padded = (
        torch.cat([embeddings, torch.ones(1, 2, EMBEDDING)], dim=1),
        torch.cat([box, torch.ones(1, 2, 4)], dim=1),
        torch.tensor([[True] * 5 + [False] * 2]),
    )
    again = latents_of(pipeline, elements=padded, height=64, width=64)
    torch.testing.assert_close(again, whole, atol=1e-4, rtol=1e-4)


def test_guidance_leads_away_from_the_null_set() -> None:
    """One step is linear in w, so three weights lie on a line; w = 1 needs no null set."""
    pipeline = random_tiny_pipeline()
    one, two, three = (
        latents_of(pipeline, **half_known(), num_inference_steps=1, guidance_scale=w)
        for w in (1.0, 2.0, 3.0)
    )
    torch.testing.assert_close(2 * two - three, one, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(two, three, atol=1e-2)


def test_temperature_leads_from_what_is_expected_to_a_sample() -> None:
    pipeline, options = random_tiny_pipeline(), half_known()
    mean, sample = (latents_of(pipeline, temperature=t, **options) for t in (0.0, 1.0))
    assert torch.equal(sample, latents_of(pipeline, **options))
    assert not torch.allclose(mean, sample, atol=1e-2)
    some = latents_of(pipeline, temperature=0.3, **options)
    torch.testing.assert_close(some, torch.lerp(mean, sample, 0.3))
    pipeline.register_to_config(temperature=0.3)
    torch.testing.assert_close(latents_of(pipeline, **options), some)


@pytest.mark.parametrize("objective", ["epsilon", "v_prediction"])
def test_what_is_expected_takes_one_step(objective) -> None:
    """It is what the scheduler itself takes to be under the noise after the first."""
    pipeline, options = random_tiny_pipeline(), half_known()
    pipeline.scheduler = DDIMScheduler.from_config(
        pipeline.scheduler.config,
        prediction_type=objective,
        rescale_betas_zero_snr=objective == "v_prediction",
    )
    steps, step = [], pipeline.scheduler.step

    def watched(*arguments, **options):
        steps.append(step(*arguments, **options | {"return_dict": True}))
        return (steps[-1].prev_sample,)

    pipeline.scheduler.step = watched
    mean = latents_of(pipeline, temperature=0.0, **options)
    (first,) = steps
    clean = pipeline.encode_picture(options["picture"], options["known"], None, 1)
    expected = torch.lerp(first.pred_original_sample, clean.latents, clean.held)
    torch.testing.assert_close(mean, expected, atol=1e-4, rtol=1e-4)


def test_the_default_guidance_is_the_models() -> None:
    pipeline = random_sd_pipeline()
    pipeline.register_to_config(guidance_scale=1.5)
    options = {"height": 64, "width": 64}
    expected = latents_of(pipeline, guidance_scale=1.5, **options)
    assert torch.equal(latents_of(pipeline, **options), expected)


@pytest.mark.parametrize("make", [random_tiny_pipeline, random_sd_pipeline])
def test_what_is_known_is_held_at_every_step(make) -> None:
    pipeline, picture = make(), half_known()
    anchor = pipeline.encode_picture(**picture, covered=None, num_images=1)
    held = anchor.held.expand_as(anchor.latents) > 0
    assert held.any() and not held.all()
    noise = torch.randn(1, CHANNELS, 8, 12, generator=seeded(1))
    seen = []

    def look(pipe, index, timestep, tensors):
        following = pipe.scheduler.timesteps[index + 1 : index + 2]
        expected = anchor.latents
        if len(following):
            expected = pipe.scheduler.add_noise(expected, noise, following)
        assert torch.equal(tensors["latents"][held], expected[held])
        seen.append(int(timestep))
        return tensors

    final = latents_of(
        pipeline, **picture, latents=noise, num_inference_steps=4, callback_on_step_end=look
    )
    assert len(seen) == 4
    assert torch.equal(final[held], anchor.latents[held])
    assert not torch.allclose(final[~held], anchor.latents[~held], atol=0.1)


def test_a_latent_that_is_partly_known_is_not_held() -> None:
    picture = half_known()
    anchor = random_tiny_pipeline().encode_picture(**picture, covered=None, num_images=2)
    assert anchor.latents.shape == (2, CHANNELS, 8, 12)
    assert anchor.known[0, 0, 3, 1] == 0.5 and anchor.held[0, 0, 3, 1] == 0
    assert anchor.channels.shape == (2, CHANNELS + FEATURE_CHANNELS + 2, 8, 12)


def test_variations_are_as_rendered_one_by_one() -> None:
    pipeline = random_tiny_pipeline()
    together = latents_of(pipeline, **half_known(), num_images=2, generator=[seeded(7), seeded(8)])
    alone = [latents_of(pipeline, **half_known(), generator=seeded(seed)) for seed in (7, 8)]
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-4, rtol=1e-4)
    assert not torch.allclose(*alone, atol=1e-3)
    assert torch.equal(latents_of(pipeline, **half_known(), generator=seeded(7)), alone[0])


@pytest.mark.parametrize("name", SCHEDULERS)
@pytest.mark.parametrize("make", [random_tiny_pipeline, random_sd_pipeline])
def test_schedulers_are_interchangeable(make, name: str) -> None:
    pipeline, picture = make(), half_known()
    picture["num_inference_steps"] = 4
    before = latents_of(pipeline, **picture)
    pipeline.scheduler = getattr(diffusers, name).from_config(pipeline.scheduler.config)
    anchor = pipeline.encode_picture(**half_known(), covered=None, num_images=1)
    held = anchor.held.expand_as(anchor.latents) > 0
    result = latents_of(pipeline, **picture)
    assert result.isfinite().all() and not torch.equal(result, before)
    assert torch.equal(result[held], anchor.latents[held])


def test_eta_makes_ddim_random_but_seeded() -> None:
    pipeline = random_sd_pipeline()
    plain, noisy, again = (latents_of(pipeline, **half_known(), eta=e) for e in (0.0, 1.0, 1.0))
    assert not torch.allclose(plain, noisy, atol=1e-3)
    assert torch.equal(noisy, again)


@pytest.mark.parametrize("text", [False, True])
def test_saved_and_loaded(tmp_path, text: bool) -> None:
    pipeline = random_sd_pipeline(**random_text_encoder()) if text else random_tiny_pipeline()
    pipeline.register_to_config(guidance_scale=2.5)
    options = half_known() | ({"prompt": "a cat"} if text else {})
    expected = latents_of(pipeline, **options)
    pipeline.save_pretrained(tmp_path)
    again = quiet(ImageElementsPipeline.from_pretrained(tmp_path))
    assert again.config.guidance_scale == 2.5
    assert torch.equal(latents_of(again, **options), expected)


def test_less_memory_gives_the_same_picture() -> None:
    pipeline = random_sd_pipeline()
    expected = latents_of(pipeline, height=64, width=64)
    pipeline.enable_attention_slicing()
    pipeline.vae.enable_slicing()
    sliced = latents_of(pipeline, height=64, width=64)
    torch.testing.assert_close(sliced, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kind", ["pil", "np", "pt"])
def test_output_types(kind: str) -> None:
    images = latents_of(random_tiny_pipeline(), **half_known(), output_type=kind, num_images=2)
    assert len(images) == 2
    if kind == "pil":
        assert images[0].size == (96, 64)
    else:
        assert tuple(images.shape) == ((2, 64, 96, 3) if kind == "np" else (2, 3, 64, 96))
        assert images.min() >= 0 and images.max() <= 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"height": 60, "width": 64}, "multiples of 16"),
        ({"height": 64, "width": 64, "prompt": "a cat"}, "reads no text"),
        ({"known": torch.ones(1, 1, 64, 64)}, "needs a picture"),
        ({"picture": torch.ones(1, 3, 60, 64)}, "multiples of 16"),
        ({"height": 64, "width": 64, "latents": torch.ones(1, 4, 4, 4)}, "needed are"),
    ],
)
def test_wrong_arguments(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        latents_of(random_sd_pipeline(), **options)


def test_a_unet_of_other_channels_is_refused() -> None:
    with pytest.raises(ValueError, match="takes 9 channels"):
        random_sd_pipeline(unet=random_unet(9))


def correcting_pipeline(deviation: float = 0.5, silent: bool = False) -> ImageElementsPipeline:
    """One whose U-Net corrects what it sees; a silent one has nothing to add."""
    pipeline = random_tiny_pipeline()
    pipeline.register_to_config(guess_deviation=deviation)
    if silent:
        for parameter in pipeline.unet.conv_out.parameters():
            torch.nn.init.zeros_(parameter)
    return pipeline


def test_a_guess_is_corrected_where_it_is_not_known() -> None:
    pipeline = correcting_pipeline()
    options = half_known()
    made = latents_of(pipeline, **options)
    guess = pipeline.encode_picture(options["picture"], options["known"], None, 1)
    held = guess.held.expand_as(made) > 0
    torch.testing.assert_close(made[held], guess.latents[held])
    assert (made - guess.latents)[~held].abs().mean() > 0.1
    # Of itself, only about the deviation is added.
    close = latents_of(correcting_pipeline(1e-4, silent=True), **options)
    assert (close - guess.latents).abs().max() < 0.01


@pytest.mark.parametrize("name", ["EulerDiscreteScheduler", "DPMSolverMultistepScheduler"])
def test_a_guess_is_corrected_by_any_scheduler(name: str) -> None:
    pipeline = correcting_pipeline(1e-4, silent=True)
    pipeline.scheduler = getattr(diffusers, name).from_config(pipeline.scheduler.config)
    options = half_known()
    guess = pipeline.encode_picture(options["picture"], options["known"], None, 1)
    assert (latents_of(pipeline, **options) - guess.latents).abs().max() < 0.02


def test_without_additions_the_guess_is_not_touched() -> None:
    """Not even by the autoencoder, whose weights are random here."""
    pipeline = correcting_pipeline(1e-5, silent=True)
    options = half_known()
    made = images_of(pipeline, **options)
    torch.testing.assert_close(made, (options["picture"] + 1) / 2, atol=1e-3, rtol=0)
    assert (images_of(correcting_pipeline(), **options) - made).abs().max() > 0.01


def test_scaling_is_the_best_linear_prediction() -> None:
    """Of the velocity of latents of that deviation, from the noisy ones."""
    torch.manual_seed(0)
    signal, deviation = torch.tensor(0.7), 0.3
    latents, noise = deviation * torch.randn(400_000), torch.randn(400_000)
    noisy = signal.sqrt() * latents + (1 - signal).sqrt() * noise
    velocity = signal.sqrt() * noise - (1 - signal).sqrt() * latents
    scaling = Scaling.at(signal, deviation)
    assert (scaling.scale * noisy).std() == pytest.approx(1.0, abs=0.01)
    rest = velocity - scaling.kept * noisy
    assert (rest * noisy).mean() == pytest.approx(0.0, abs=0.01)
    assert rest.std() == pytest.approx(deviation * float(scaling.scale), abs=0.01)


def test_what_sees_no_picture_has_no_guess() -> None:
    sd = random_sd_pipeline()
    with pytest.raises(ValueError, match="sees no picture"):
        ImageElementsPipeline(
            sd.unet, sd.vae, sd.element_attention, sd.scheduler, guess_deviation=0.5
        )
