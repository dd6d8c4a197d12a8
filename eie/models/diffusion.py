"""Loading and saving diffusion decoders: diffusers' folders beside those of stage 1.

MODEL/
  unet/  element_attention/  vae/  scheduler/
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from eie.errors import MissingModelError
from eie.models.content import EMBEDDED, TINY

VAE_FOLDER = "vae"


def load_vae(model: str | Path = TINY) -> Any:
    """The latent autoencoder of a model folder, in evaluation mode, without gradients.

    Args:
        model: "tiny" (embedded), or a folder that has a `vae` folder.

    Raises:
        MissingModelError: there is none, or it cannot be read.
    """
    import torch

    from eie.models.latent_autoencoder import LatentAutoencoder

    folder = (EMBEDDED / TINY if model == TINY else Path(model)) / VAE_FOLDER
    try:
        vae = LatentAutoencoder.from_pretrained(str(folder), torch_dtype=torch.float32)
    except Exception as error:  # damaged files raise all sorts
        raise MissingModelError(
            f"no latent autoencoder could be loaded: {error}",
            where=str(folder),
            hint="make one with eie train autoencoder",
        ) from error
    return vae.eval().requires_grad_(False)


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
