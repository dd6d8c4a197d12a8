"""The latent space of the `tiny` diffusion decoder: pixels ⇔ latents at 1/8 of the resolution.

Stable Diffusion's autoencoder spends its arithmetic on thin layers at full resolution, which a
laptop's processor does slowly. Here the photo is unshuffled first: an 8×8 block of pixels is one
vector of 192 numbers, and all layers work at 1/8 and 1/4 of the resolution. The encoder is the
optimal linear one (the blocks' principal components, in closed form), so latents stay what they
are while the decoder learns.

    pixels ⇒ 8×8 blocks ⇒ principal components ⇒ latents
    latents ⇒ blocks, plus what a convolutional network knows of their surroundings ⇒ pixels
"""

from __future__ import annotations

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTinyOutput
from diffusers.models.autoencoders.vae import DecoderOutput
from torch import Tensor, nn
from torch.nn import functional as F


class ResidualBlock(nn.Module):
    """Two convolutions beside a skip; no normalisation, which a processor does slowly."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        # Starts as the identity, so that depth does no harm before it has learnt anything.
        for parameter in self.second.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) ⇒ same."""
        return x + self.second(F.silu(self.first(F.silu(x))))


DOWNSCALE = 8
"""Pixels along the side of a latent, as in Stable Diffusion."""

BLOCK = 3 * DOWNSCALE**2
"""Numbers in a block of RGB pixels."""


class LatentAutoencoder(ModelMixin, ConfigMixin):
    """Linear encoder and convolutional decoder, called as diffusers' `AutoencoderTiny`.

    Args:
        latent_channels: C, the principal components kept of a block.
        width: channels of the decoder at 1/8 of the resolution; a third of them at 1/4.
        blocks: residual blocks at 1/8.
        fine_blocks: residual blocks at 1/4.
        scaling_factor: what latents are multiplied with for the diffusion model; 1, since the
            encoder levels them itself.
    """

    mean: Tensor
    analysis: Tensor

    @register_to_config
    def __init__(
        self,
        latent_channels: int = 16,
        width: int = 192,
        blocks: int = 3,
        fine_blocks: int = 1,
        scaling_factor: float = 1.0,  # noqa: ARG002 - kept in the configuration
    ) -> None:
        super().__init__()
        fine = width // 3
        self.register_buffer("mean", torch.zeros(BLOCK))
        self.register_buffer("analysis", torch.zeros(latent_channels, BLOCK))
        self.synthesis = nn.Parameter(torch.zeros(BLOCK, latent_channels))
        self.stem = nn.Conv2d(latent_channels, width, 3, padding=1)
        self.coarse = nn.Sequential(*(ResidualBlock(width) for _ in range(blocks)))
        self.to_fine = nn.Conv2d(width, 4 * fine, 1)
        self.fine = nn.Sequential(*(ResidualBlock(fine) for _ in range(fine_blocks)))
        self.head = nn.Conv2d(fine, 3 * (DOWNSCALE // 2) ** 2, 3, padding=1)
        for parameter in self.head.parameters():
            nn.init.zeros_(parameter)

    def encode(self, x: Tensor, return_dict: bool = True) -> AutoencoderTinyOutput | tuple[Tensor]:
        """(B, 3, H, W) RGB in [−1, 1], sides multiples of 8 ⇒ latents (B, C, H/8, W/8)."""
        blocks = F.pixel_unshuffle(x, DOWNSCALE)  # (B, 192, H/8, W/8)
        centred = blocks - self.mean[:, None, None].to(x.dtype)
        latents = F.conv2d(centred, self.analysis[:, :, None, None].to(x.dtype))
        return AutoencoderTinyOutput(latents=latents) if return_dict else (latents,)

    def decode(self, x: Tensor, return_dict: bool = True) -> DecoderOutput | tuple[Tensor]:
        """Latents (B, C, h, w) ⇒ (B, 3, 8h, 8w) RGB, about [−1, 1], not clipped."""
        linear = F.conv2d(x, self.synthesis[:, :, None, None], self.mean.to(x.dtype))
        linear = F.pixel_shuffle(linear, DOWNSCALE)  # (B, 3, 8h, 8w)
        features = self.coarse(self.stem(x))  # (B, width, h, w)
        features = F.pixel_shuffle(self.to_fine(features), 2)  # (B, width/3, 2h, 2w)
        detail = self.head(self.fine(features))  # (B, 48, 2h, 2w)
        sample = linear + F.pixel_shuffle(detail, DOWNSCALE // 2)  # (B, 3, 8h, 8w)
        return DecoderOutput(sample=sample) if return_dict else (sample,)

    def forward(self, sample: Tensor) -> Tensor:
        """(B, 3, H, W) RGB in [−1, 1] ⇒ its reconstruction, same shape."""
        latents = self.encode(sample, return_dict=False)[0]
        return self.decode(latents, return_dict=False)[0]

    @torch.no_grad()
    def fit(self, pixels: Tensor) -> None:
        """Set the encoder, and the linear part of the decoder, to the pixels' components.

        Latents are the components at unit variance.

        Args:
            pixels: (B, 3, H, W) RGB in [−1, 1], sides multiples of 8.
        """
        blocks = F.pixel_unshuffle(pixels.double(), DOWNSCALE).permute(0, 2, 3, 1).flatten(0, 2)
        mean = blocks.mean(dim=0)  # (192,)
        covariance = (blocks - mean).mT @ (blocks - mean) / len(blocks)  # (192, 192)
        variance, vectors = torch.linalg.eigh(covariance)  # ascending
        kept = self.config.latent_channels
        components = vectors.flip(1)[:, :kept]  # (192, C)
        # The sign of an eigenvector is arbitrary; a fixed one keeps fits comparable.
        components = components * components.sum(dim=0).sign().where(components.sum(0) != 0, 1.0)
        # Latents of unit variance: what the diffusion model's noise schedule is made for.
        deviation = variance.flip(0)[:kept].sqrt()  # (C,)
        self.mean.copy_(mean)
        self.analysis.copy_((components / deviation).mT)
        self.synthesis.copy_(components * deviation)
