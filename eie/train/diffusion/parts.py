"""What stage 2 trains, new networks or those of an element model, and the terms of its loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from torch import Tensor, nn

from eie.errors import UsageError
from eie.models.conditioning import conditioned_channels, decode_latents
from eie.models.content_checkpoints import LoadedEncoder
from eie.models.content_encoder import ContentEncoder
from eie.models.diffusion_checkpoints import load_element_model, load_vae
from eie.models.element_attention import ElementAttention, attend_to_elements
from eie.models.feature_distance import FeatureDistance
from eie.models.text_encoder import TextReader
from eie.train.diffusion.settings import DecoderConfig, DecoderSettings


class DiffusionDecoderModel(nn.Module):
    """U-Net and element attention as one module, as they are trained; the encoder if it is too."""

    def __init__(
        self,
        unet: UNet2DConditionModel,
        attention: ElementAttention,
        encoder: ContentEncoder | None,
    ) -> None:
        super().__init__()
        self.unet, self.element_attention = unet, attention
        self.content_encoder: ContentEncoder | None = encoder

    def forward(
        self,
        noisy: Tensor,
        step: Tensor,
        extra: Tensor,
        appearance: Tensor,
        box: Tensor,
        present: Tensor,
        text: Tensor | None = None,
        added: dict[str, Tensor] | None = None,
    ) -> Tensor:
        """Predict the objective.

        Args:
            noisy: (B, C, h, w) latents.
            step: (B,) of the noise schedule.
            extra: (B, C + F + 2, h, w) further channels, which a U-Net with as many input channels
                as latents have is not given.
            appearance: (B, N, D) embeddings or, with an encoder, (B, N, 4, S, S) patches.
            box: (B, N, 4) in shares of the crop.
            present: (B, N) bool.
            text: (B, L, T) what is read of the text; None for nothing.
            added: what else Stable Diffusion XL's U-Net is told.

        Returns:
            (B, C, h, w).
        """
        embeddings = appearance
        if self.content_encoder is not None:
            patches = appearance.flatten(0, 1)  # (B·N, 4, S, S)
            embeddings = self.content_encoder(patches).unflatten(0, present.shape)  # (B, N, D)
        context = self.element_attention(embeddings, box, present)
        if text is None:
            text = noisy.new_zeros(len(noisy), 1, self.unet.config.cross_attention_dim)
        told = self.unet.config.in_channels > noisy.shape[1]
        return self.unet(
            torch.cat([noisy, extra], dim=1) if told else noisy, step, text,
            cross_attention_kwargs={"elements": context}, added_cond_kwargs=added,
        ).sample  # fmt: skip


SHIFT = 16
"""Pixels of a side that are cut off at random before features are compared, so that a picture
cannot please the network's own grid alone."""


def feature_loss(network: FeatureDistance, made: Tensor, target: Tensor, where: Tensor) -> Tensor:
    """Mean distance in features within a mask, each picture counting alike.

    Args:
        made, target: (B, 3, H, W) in [0, 1].
        where: (B, 1, H, W) in [0, 1].
    """
    top, left = torch.randint(SHIFT, (2,)).tolist()
    seen, photo = (
        pixels[..., top:, left:].contiguous(memory_format=torch.channels_last)
        for pixels in (made, target)
    )
    distance = network(seen, photo).float()  # (B, 1, H − top, W − left)
    return mean_over(distance, where[..., top:, left:])


def mean_over(plane: Tensor, where: Tensor) -> Tensor:
    """The mean of (B, 1, H, W) over a mask within each picture, then over pictures."""
    total = where.sum(dim=(1, 2, 3)).clamp_min(1)  # (B,)
    return ((plane * where).sum(dim=(1, 2, 3)) / total).mean()


def loss_weight(signal: Tensor, settings: DecoderSettings) -> Tensor:
    """min-SNR-γ weights (Hang et al. 2023) of the objective's squared error.

    Args:
        signal: (B,) ᾱ, the share of signal in the noisy latents' variance.
    """
    if not settings.min_snr:
        return torch.ones_like(signal)
    ratio = signal / (1 - signal).clamp_min(1e-8)  # (B,)
    clipped = ratio.clamp(max=settings.min_snr)
    if settings.objective == "v_prediction":
        return clipped / (ratio + 1)
    return clipped / ratio.clamp_min(1e-8)


@torch.no_grad()
def channel_weights(vae: Any, power: float) -> Tensor:
    """(C,) how much each latent channel counts, 1 on average: what it does to pixels, to a power.

    Measured on a grey picture, so that it holds for any autoencoder.
    """
    channels = int(vae.config.latent_channels)
    single = torch.eye(channels)[:, :, None, None].expand(-1, -1, 3, 3)  # (C, C, 3, 3)
    nothing = torch.zeros(1, channels, 3, 3)
    change = decode_latents(vae, single) - decode_latents(vae, nothing)  # (C, 3, H, W)
    weight = change.square().mean(dim=(1, 2, 3)).sqrt() ** power  # (C,)
    return weight / weight.mean()


def square_about(unknown: Tensor, side: int) -> tuple[int, int]:
    """Top and left, multiples of 8, of a square of so many pixels about a plane's True pixels.

    Args:
        unknown: (H, H) bool.
    """
    size = unknown.shape[0]
    places = unknown.nonzero().float()  # (K, 2)
    middle = places.mean(dim=0) if len(places) else torch.full((2,), size / 2)
    top, left = (((middle - side / 2) / 8).round() * 8).clamp(0, size - side).int().tolist()
    return top, left


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
