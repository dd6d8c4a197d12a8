"""Loading element models: a diffusion decoder beside the models of stage 1.

MODEL/
  model_index.json  unet/  element_attention/  vae/  scheduler/     the pipeline
  text_encoder/  tokenizer/                                         if it reads text
  content_encoder/  light_decoder/                                  see eie.models.content
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eie.errors import MissingModelError
from eie.models.content import EMBEDDED, TINY
from eie.models.devices import choose_device, half_precision
from eie.models.finite import check_complete, check_weights, watched
from eie.models.hub import INDEX, first_line, model_folder
from eie.models.model_cache import keepable
from eie.models.weight_files import tensor_names, variant_of
from eie.models.weight_hash import file_hash

if TYPE_CHECKING:
    import torch

    from eie.models.pipeline import ImageElementsPipeline

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
    variant = variant_of(folder, [path.name for path in folder.iterdir()])
    # The autoencoder's pixels would show half precision's steps.
    precisions = {"default": precision or half_precision(place), "vae": torch.float32}
    try:
        with quiet_loading():
            pipeline = ImageElementsPipeline.from_pretrained(
                folder, torch_dtype=precisions, variant=variant
            )
    except Exception as error:  # damaged files and foreign kinds raise all sorts
        raise MissingModelError(
            f"no diffusion decoder could be loaded: {first_line(error)}",
            where=str(model),
            hint="give a folder made by eie train decoder or eie models init",
        ) from error
    watch_pipeline(pipeline, str(model), folder)
    pipeline.to(place)
    for part in (pipeline.unet, pipeline.vae):
        part.to(memory_format=torch.channels_last)
    pipeline.set_progress_bar_config(disable=True)
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
