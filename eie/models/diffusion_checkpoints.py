"""Loading and saving diffusion models: a diffusion decoder beside the models of stage 1.

MODEL/
  model_index.json  unet/  element_attention/  vae/  scheduler/     the pipeline
  text_encoder/  tokenizer/                                         if it reads text
  content_encoder/  light_decoder/                  see eie.models.content_checkpoints
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eie.errors import MissingModelError
from eie.models.content_checkpoints import EMBEDDED, TINY
from eie.models.devices import choose_device, half_precision
from eie.models.finite import check_complete, check_weights, watched
from eie.models.hub import INDEX, first_line, load_part, model_folder
from eie.models.model_cache import keepable
from eie.models.weight_files import file_hash, tensor_names, variant_of

if TYPE_CHECKING:
    import torch

    from eie.models.pipeline import ImageElementsPipeline

VAE_FOLDER = "vae"

PARTS = (
    "unet",
    "element_attention",
    "vae",
    "text_encoder",
    "text_encoder_2",
    "light_decoder",
)
"""The parts whose weights determine a picture, as far as a model has them."""


@dataclass(frozen=True, eq=False)
class ElementModel:
    """A diffusion decoder ready to render.

    Attributes:
        pipeline: on its device, in the precision that this is fast in.
        name: of the model.
        folder: where it lies.
    """

    pipeline: ImageElementsPipeline
    name: str
    folder: Path


def element_model_folder(model: str | Path = TINY) -> Path:
    """The folder of "tiny" (embedded), of a local model, or of one fetched from the hub.

    Raises:
        MissingModelError: there is none.
    """
    return EMBEDDED / TINY if model == TINY else model_folder(model)


@keepable
def load_element_model(
    model: str | Path = TINY, device: str | None = None, precision: torch.dtype | None = None
) -> ElementModel:
    """Load a diffusion decoder.

    Args:
        model: "tiny" (embedded), a folder as above, or the id of such a folder on the hub.
        device: as :func:`eie.models.devices.choose_device`.
        precision: of all but the autoencoder, which has float32; None for what the device is fast
            in.

    Raises:
        MissingModelError: it is not there, damaged, or of another kind.
    """
    import torch

    from eie.models.pipeline import ImageElementsPipeline

    folder = element_model_folder(model)
    if not (folder / INDEX).is_file():
        raise MissingModelError(
            f"there is no diffusion decoder in it (no {INDEX})",
            where=str(model),
            hint="make one by eie train decoder or eie models init, or use another --decoder",
        )
    place = choose_device(device)
    # The autoencoder's pixels would show half precision's steps.
    precisions = {"default": precision or half_precision(place), "vae": torch.float32}
    pipeline = _loaded(
        ImageElementsPipeline,
        folder,
        str(model),
        precisions,
        kind="diffusion decoder",
        hint="give a folder made by eie train decoder or eie models init",
    ).to(place)
    for part in (pipeline.unet, pipeline.vae):
        part.to(memory_format=torch.channels_last)
    return ElementModel(pipeline, Path(model).name, folder)


def watch_pipeline(pipeline: Any, name: str, folder: Path) -> None:
    """Stop the work as soon as a part of a pipeline has or gives what is not finite.

    Args:
        name: of the model, for messages.
        folder: where it lies.

    Raises:
        MissingModelError: the weights of a part are not finite, or some are missing.
    """
    for part in ("unet", "transformer", "vae", "element_attention"):
        stored = tensor_names(folder / part)
        if stored is not None and (network := getattr(pipeline, part, None)) is not None:
            check_complete(network, stored, f"{part} in {name}")
    for part in ("unet", "transformer", "text_encoder", "text_encoder_2", "element_attention"):
        if (network := getattr(pipeline, part, None)) is not None:
            check_weights(network, f"{part} in {name}")
    for part in ("unet", "transformer"):
        if (network := getattr(pipeline, part, None)) is not None:
            watched(network, f"the {part} of {name}")
    if (vae := getattr(pipeline, "vae", None)) is not None:
        check_weights(vae, f"vae in {name}")
        # Their `encode` and `decode` are no calls of the module itself.
        for side in ("encoder", "decoder"):
            if (network := getattr(vae, side, None)) is not None:
                watched(network, f"the vae's {side} of {name}")


@contextmanager
def quiet_loading() -> Iterator[None]:
    """Keep the libraries' bars off standard error while a pipeline loads."""
    from diffusers.utils import logging

    libraries = [logging]
    with suppress(ImportError):  # not all models read text
        from transformers.utils import logging as of_transformers

        libraries.append(of_transformers)
    shown = [library for library in libraries if library.is_progress_bar_enabled()]
    for library in libraries:
        library.disable_progress_bar()
    try:
        yield
    finally:
        for library in shown:
            library.enable_progress_bar()


def weight_hashes(folder: Path, parts: tuple[str, ...] = PARTS) -> Mapping[str, str]:
    """SHA-256 in hex of the weight files of a model's parts, by their path in the folder."""
    return {
        path.relative_to(folder).as_posix(): file_hash(path)
        for part in parts
        for path in sorted((folder / part).glob("*"))
        if path.suffix in (".safetensors", ".bin") and path.is_file()
    }


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


def inpainting_folder(model: str) -> Path:
    """The local folder of a pipeline, fetched from the hub if it is not there.

    Raises:
        MissingModelError: there is none.
    """
    folder = model_folder(model)
    if not (folder / INDEX).is_file():
        raise MissingModelError(
            f"this is no folder of a diffusers pipeline (no {INDEX})",
            where=model,
            hint="give one made by save_pretrained, or a hub id",
        )
    return folder


@keepable
def load_inpainting(model: str, device: str | None = None) -> Any:
    """A pipeline that inpaints, on its device, in the precision that this is fast in.

    Args:
        model: folder or hub id of a pipeline that `AutoPipelineForInpainting` takes.
        device: as :func:`eie.models.devices.choose_device`.

    Raises:
        MissingModelError: it is not there, damaged, or does not inpaint.
    """
    from diffusers import AutoPipelineForInpainting

    folder = inpainting_folder(model)
    place = choose_device(device)
    return _loaded(
        AutoPipelineForInpainting,
        folder,
        model,
        half_precision(place),
        kind="inpainting pipeline",
        hint="give a folder or hub id of Stable Diffusion or another inpainting pipeline",
    ).to(place)


def _loaded(
    pipelines: Any, folder: Path, model: str, precision: Any, *, kind: str, hint: str
) -> Any:
    """A pipeline that shows no progress, on the CPU.

    Args:
        pipelines: a class of diffusers' that loads it.
        model: its name, for messages.
        precision: as `from_pretrained` takes it.

    Raises:
        MissingModelError: it is damaged, or of another kind.
    """
    variant = variant_of(folder, [path.name for path in folder.iterdir()])
    try:
        with quiet_loading():
            pipeline = pipelines.from_pretrained(folder, torch_dtype=precision, variant=variant)
    except Exception as error:  # damaged files and foreign kinds raise all sorts
        raise MissingModelError(
            f"no {kind} could be loaded: {first_line(error)}", where=model, hint=hint
        ) from error
    watch_pipeline(pipeline, model, folder)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline
