"""What stage 2 trains, as one module."""

from __future__ import annotations

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor, nn

from eie.models.content_encoder import ContentEncoder
from eie.models.element_attention import ElementAttention


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
