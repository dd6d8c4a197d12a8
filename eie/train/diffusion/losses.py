"""Terms and weights of stage 2's loss."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from eie.models.conditioning import decode_latents
from eie.models.feature_distance import FeatureDistance
from eie.train.diffusion.settings import DecoderSettings

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
