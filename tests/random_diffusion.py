"""A small element model with random weights, for tests of what holds for any weights."""

from __future__ import annotations

import string
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    StableDiffusionInpaintPipeline,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)

from eie.models.conditioning import conditioned_channels
from eie.models.element_attention import ElementAttention
from eie.models.latent_autoencoder import BLOCK, LatentAutoencoder
from eie.models.pipeline import ImageElementsPipeline

EMBEDDING = 16
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
    """As the embedded model: sees the picture and its features, reads no text, predicts v."""
    unet = random_unet(conditioned_channels(CHANNELS, features=True))
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


def random_text_encoder(dim: int = 8, projects: bool = False) -> dict[str, Any]:
    """CLIP with random weights that reads letters: the parts `text_encoder` and `tokenizer`."""
    from transformers import (
        CLIPTextConfig,
        CLIPTextModel,
        CLIPTextModelWithProjection,
        CLIPTokenizer,
    )

    letters = list(string.ascii_lowercase)
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    tokenizer = CLIPTokenizer(
        vocab={word: index for index, word in enumerate(words)}, merges=[], model_max_length=16
    )
    torch.manual_seed(5)
    config = CLIPTextConfig(
        projection_dim=dim,
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
    kind = CLIPTextModelWithProjection if projects else CLIPTextModel
    return {"text_encoder": kind(config).eval(), "tokenizer": tokenizer}


def save_random_content_model(folder: Path) -> str:
    """Stage 1's models of EMBEDDING numbers a patch; gives the encoder's hash."""
    from eie.models.content_checkpoints import save_content_model
    from eie.models.content_encoder import ContentEncoder
    from eie.models.light_decoder import LightDecoder
    from eie.models.weight_files import WEIGHTS_FILE, file_hash

    torch.manual_seed(7)
    code = {"embedding_dim": EMBEDDING, "patch_size": 16}
    encoder = ContentEncoder(
        **code,
        block_out_channels=(8, 8, 8, 8),
        norm_num_groups=4,
        layers_per_block=1,
        unshuffle=True,
    )
    light = LightDecoder(
        **code, token_dim=16, self_layers=1, trunk_dim=16, cross_layers=1, heads=2, neighbours=4
    )
    save_content_model(folder, encoder, light)
    return file_hash(folder / "content_encoder" / WEIGHTS_FILE)


def save_random_tiny_model(folder: Path, guess_deviation: float = 0.0) -> Path:
    """A model folder as `eie train decoder` makes it."""
    encoder_hash = save_random_content_model(folder)
    pipeline = random_tiny_pipeline(encoder_hash=encoder_hash)
    pipeline.register_to_config(guess_deviation=guess_deviation)
    pipeline.save_pretrained(folder)
    return folder


def save_random_stable_diffusion(folder: Path, **parts: Any) -> Path:
    """A folder as those of Stable Diffusion 1.x on the hub."""
    stock = StableDiffusionPipeline(
        vae=random_autoencoder_kl(),
        unet=parts.pop("unet", None) or random_unet(),
        scheduler=sd_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
        **random_text_encoder(),
    )
    stock.save_pretrained(folder)
    return folder


def save_random_inpainting(folder: Path) -> Path:
    """A folder as that of Stable Diffusion's inpainting weights."""
    StableDiffusionInpaintPipeline(
        vae=random_autoencoder_kl(),
        unet=random_unet(2 * CHANNELS + 1),
        scheduler=sd_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
        **random_text_encoder(),
    ).save_pretrained(folder)
    return folder


def random_stable_diffusion_xl() -> StableDiffusionXLPipeline:
    """Stable Diffusion XL's kind of model: two text encoders, a U-Net that is told of sizes."""
    second = random_text_encoder(8, projects=True)
    torch.manual_seed(6)
    unet = UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(32, 64),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=(2, 4),
        transformer_layers_per_block=(1, 2),
        use_linear_projection=True,
        cross_attention_dim=16,
        addition_embed_type="text_time",
        addition_time_embed_dim=4,
        projection_class_embeddings_input_dim=8 + 6 * 4,
    )
    return quiet(
        StableDiffusionXLPipeline(
            vae=random_autoencoder_kl(),
            unet=unet.eval(),
            scheduler=sd_scheduler(),
            text_encoder_2=second["text_encoder"],
            tokenizer_2=second["tokenizer"],
            add_watermarker=False,
            **random_text_encoder(8),
        )
    )
