"""Loading diffusers' inpainting pipelines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from eie.errors import MissingModelError
from eie.models.devices import choose_device, half_precision
from eie.models.element_model import quiet_loading, watch_pipeline
from eie.models.hub import INDEX, first_line, model_folder
from eie.models.model_cache import keepable
from eie.models.weight_files import variant_of


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
    variant = variant_of(folder, [path.name for path in folder.iterdir()])
    try:
        with quiet_loading():
            pipeline = AutoPipelineForInpainting.from_pretrained(
                folder, torch_dtype=half_precision(place), variant=variant
            )
    except Exception as error:  # damaged files and foreign kinds raise all sorts
        raise MissingModelError(
            f"no inpainting pipeline could be loaded: {first_line(error)}",
            where=model,
            hint="give a folder or hub id of Stable Diffusion or another inpainting pipeline",
        ) from error
    watch_pipeline(pipeline, model, folder)
    pipeline.to(place)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline
