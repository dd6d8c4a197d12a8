"""A small element model with random weights, for tests of what holds for any weights."""

from __future__ import annotations

import string
from typing import Any

import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel

from eie.models.element_attention import ElementAttention
from eie.models.latent_autoencoder import BLOCK, LatentAutoencoder
from eie.models.pipeline import ImageElementsPipeline

EMBEDDING = 6
CHANNELS = 4


def random_unet(in_channels: int = CHANNELS, **options: Any) -> UNet2DConditionModel:
    torch.manual_seed(0)
    sizes = {
        "sample_size": 8,
        "in_channels": in_channels,
        "out_channels": CHANNELS,
        "block_out_channels": (8, 16),
        "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
        "layers_per_block": 1,
        "norm_num_groups": 4,
        "cross_attention_dim": 8,
        "attention_head_dim": 2,
    }
    return UNet2DConditionModel(**sizes | options).eval()


def random_element_attention(unet: UNet2DConditionModel, **options: Any) -> ElementAttention:
    """θ_S with outputs that are not zero, as after some training."""
    torch.manual_seed(1)
    attention = ElementAttention.for_unet(unet, **{"embedding_dim": EMBEDDING} | options).eval()
    for layer in attention.layers.values():
        torch.nn.init.normal_(layer.to_out.weight, std=0.5)
    return attention


def random_latent_autoencoder() -> LatentAutoencoder:
    """An orthogonal encoder, so that latents are as large as pixels."""
    torch.manual_seed(2)
    vae = LatentAutoencoder(latent_channels=CHANNELS, width=12, blocks=1).eval()
    analysis = torch.linalg.qr(torch.randn(BLOCK, CHANNELS)).Q.mT  # (C, 192)
    vae.analysis.copy_(analysis)
    vae.synthesis.data.copy_(analysis.mT)
    return vae


def random_autoencoder_kl() -> AutoencoderKL:
    torch.manual_seed(3)
    return AutoencoderKL(
        block_out_channels=(4, 4, 4, 4),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1,
        latent_channels=CHANNELS,
        norm_num_groups=2,
    ).eval()


def tiny_scheduler() -> DDIMScheduler:
    return DDIMScheduler(
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
        prediction_type="v_prediction",
        clip_sample=False,
    )


def sd_scheduler() -> DDIMScheduler:
    """Stable Diffusion's schedule."""
    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    )


def random_tiny_pipeline(geometry_bias: bool = True, **options: Any) -> ImageElementsPipeline:
    """As the embedded model: sees the picture, reads no text, predicts v."""
    unet = random_unet(2 * CHANNELS + 2)
    attention = random_element_attention(unet, geometry_bias=geometry_bias, **options)
    return quiet(
        ImageElementsPipeline(unet, random_latent_autoencoder(), attention, tiny_scheduler())
    )


def random_sd_pipeline(**parts: Any) -> ImageElementsPipeline:
    """As Stable Diffusion with element attention: the paper's inputs."""
    unet = parts.pop("unet", None) or random_unet()
    attention = parts.pop("element_attention", None) or random_element_attention(unet)
    return quiet(
        ImageElementsPipeline(unet, random_autoencoder_kl(), attention, sd_scheduler(), **parts)
    )


def quiet(pipeline: Any) -> Any:
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def random_elements(count: int = 5, batch: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    """Embeddings (B, N, D) and boxes (B, N, 4)."""
    torch.manual_seed(4)
    return torch.randn(batch, count, EMBEDDING), torch.rand(batch, count, 4) * 0.5 + 0.25


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random_text_encoder(dim: int = 8) -> dict[str, Any]:
    """CLIP with random weights that reads letters: the parts `text_encoder` and `tokenizer`."""
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    letters = list(string.ascii_lowercase)
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    tokenizer = CLIPTokenizer(
        vocab={word: index for index, word in enumerate(words)}, merges=[], model_max_length=16
    )
    torch.manual_seed(5)
    config = CLIPTextConfig(
        vocab_size=len(words),
        hidden_size=dim,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=16,
        bos_token_id=len(words) - 2,
        eos_token_id=len(words) - 1,
        pad_token_id=len(words) - 1,
    )
    return {"text_encoder": CLIPTextModel(config).eval(), "tokenizer": tokenizer}
