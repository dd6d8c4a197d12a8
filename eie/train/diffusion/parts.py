"""What stage 2 trains and what it needs for that: new networks, or those of an element model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from torch import nn

from eie.errors import UsageError
from eie.models.conditioning import conditioned_channels
from eie.models.content_checkpoints import LoadedEncoder
from eie.models.diffusion_checkpoints import load_element_model, load_vae
from eie.models.element_attention import ElementAttention, attend_to_elements
from eie.models.text_encoder import TextReader
from eie.train.diffusion.settings import DecoderConfig, DecoderSettings


@dataclass(frozen=True, eq=False)
class DecoderParts:
    """The parts of a diffusion decoder.

    Attributes:
        unet, attention: float32, to be trained.
        vae: frozen.
        scheduler: of the noise.
        text: reads captions, frozen; None for a U-Net that reads none.
    """

    unet: UNet2DConditionModel
    attention: ElementAttention
    vae: Any
    scheduler: DDIMScheduler
    text: TextReader | None = None


def decoder_parts(settings: DecoderSettings, encoder: LoadedEncoder) -> DecoderParts:
    """The parts of a training, the U-Net attending to elements.

    Args:
        encoder: of the embeddings.

    Raises:
        UsageError: the settings do not fit the element model to train on.
        MissingModelError: that model or the latent autoencoder is not there.
    """
    torch.manual_seed(settings.loop.seed)
    made = _of_model(settings.base, settings, encoder) if settings.base else _new(settings, encoder)
    attend_to_elements(made.unet)
    if settings.checkpointing:
        made.unet.enable_gradient_checkpointing()
    return made


def _new(settings: DecoderSettings, encoder: LoadedEncoder) -> DecoderParts:
    """Untrained networks of the settings' sizes."""
    vae = load_vae(settings.vae)
    unet = build_unet(settings.model, vae.config.latent_channels, settings.sees_features)
    if settings.corrects:  # an untrained U-Net gives back the guess
        for parameter in unet.conv_out.parameters():
            nn.init.zeros_(parameter)
    attention = ElementAttention.for_unet(
        unet,
        embedding_dim=encoder.model.config.embedding_dim,
        token_dim=settings.model.token_dim,
        hidden_dim=settings.model.hidden_dim,
        frequencies=settings.model.frequencies,
        geometry_bias=settings.model.geometry_bias,
        encoder_hash=encoder.weight_hash,
    )
    return DecoderParts(unet, attention, vae, training_scheduler(settings))


def _of_model(base: str, settings: DecoderSettings, encoder: LoadedEncoder) -> DecoderParts:
    """The parts of an element model.

    Raises:
        UsageError: it was made for other embeddings, or sees or predicts something else.
    """
    pipeline = load_element_model(base, "cpu", torch.float32).pipeline
    if pipeline.element_attention.config.encoder_hash != encoder.weight_hash:
        raise UsageError(
            f"it attends to embeddings of another encoder than {settings.encoder}'s",
            where=base,
            hint="give its own as --encoder, or leave that out",
        )
    scheduler = DDIMScheduler.from_config(pipeline.scheduler.config)
    objective = scheduler.config.prediction_type
    if objective != settings.objective:
        raise UsageError(
            f"its U-Net predicts {objective}, not {settings.objective}",
            where=base,
            hint=f"add --objective {objective}",
        )
    given = pipeline.latent_channels
    if settings.light_picture:
        given = conditioned_channels(given, settings.sees_features)
    if pipeline.unet.config.in_channels != given:
        raise UsageError(
            f"its U-Net takes {pipeline.unet.config.in_channels} channels",
            where=base,
            hint="--light-picture and --picture-features must be as in its own training",
        )
    text = TextReader(pipeline)
    for part in (pipeline.vae, *text.encoders):
        part.requires_grad_(False).eval()
    return DecoderParts(
        pipeline.unet.requires_grad_(True),
        pipeline.element_attention.requires_grad_(True),
        pipeline.vae,
        scheduler,
        text or None,
    )


def build_unet(
    config: DecoderConfig, latent_channels: int, sees_features: bool = False
) -> UNet2DConditionModel:
    """An untrained U-Net of Stable Diffusion's class at the tiny decoder's sizes.

    Args:
        sees_features: it is told of the picture's ImageNet features.
    """
    deeper = len(config.block_out_channels) - 1
    return UNet2DConditionModel(
        in_channels=conditioned_channels(latent_channels, sees_features),
        out_channels=latent_channels,
        down_block_types=("DownBlock2D", *["CrossAttnDownBlock2D"] * deeper),
        up_block_types=(*["CrossAttnUpBlock2D"] * deeper, "UpBlock2D"),
        block_out_channels=tuple(config.block_out_channels),
        layers_per_block=config.layers_per_block,
        cross_attention_dim=config.text_dim,
        attention_head_dim=config.heads,  # diffusers' name for the number of heads
    )


def training_scheduler(settings: DecoderSettings) -> DDIMScheduler:
    """Stable Diffusion's noise schedule, ending in pure noise."""
    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        prediction_type=settings.objective,
        # A signal of exactly zero leaves ε nothing to learn from.
        rescale_betas_zero_snr=settings.objective == "v_prediction",
        timestep_spacing="trailing",
    )
