"""Loading and saving diffusion decoders: diffusers' folders beside those of stage 1.

MODEL/
  unet/  element_attention/  vae/  scheduler/
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from eie.models.content import EMBEDDED, TINY
from eie.models.hub import load_part

VAE_FOLDER = "vae"


def load_vae(model: str | Path = TINY) -> Any:
    """The latent autoencoder of a model folder, in evaluation mode, without gradients.

    Args:
        model: "tiny" (embedded), or a folder that has a `vae` folder.

    Raises:
        MissingModelError: there is none, or it cannot be read.
    """
    from eie.models.latent_autoencoder import LatentAutoencoder

    folder = (EMBEDDED / TINY if model == TINY else Path(model)) / VAE_FOLDER
    hint = "make one with eie train autoencoder"
    return load_part(LatentAutoencoder, folder, "latent autoencoder", hint)


def save_diffusion_model(
    folder: Path, unet: Any, attention: Any, vae: Any, scheduler: Any, **options: Any
) -> None:
    """Save a diffusion decoder in half precision, as a model folder.

    Args:
        options: further arguments of :class:`eie.models.pipeline.ImageElementsPipeline`.
    """
    import torch

    from eie.models.pipeline import ImageElementsPipeline

    # diffusers' own `to` warns of layers to be kept in float32, of which there are none.
    for part in (unet, vae, attention):
        torch.nn.Module.to(part, torch.float16)
    pipeline = ImageElementsPipeline(
        unet=unet, vae=vae, element_attention=attention, scheduler=scheduler, **options
    )
    pipeline.save_pretrained(folder)
