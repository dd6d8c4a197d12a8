"""Untrained element models from Stable Diffusion's weights (paper §3.3: stage 2 starts there)."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from eie.errors import BadInputError, MissingModelError, ResourceError, UsageError
from eie.models.finite import check_weights
from eie.models.hub import INDEX, first_line
from eie.models.weight_files import copy_part
from eie.notes import tell

TAKEN = ("unet", "vae", "scheduler", "text_encoder", "tokenizer")
"""The parts of a Stable Diffusion folder that an element model goes on with."""

SECOND = ("text_encoder_2", "tokenizer_2")
"""Those that Stable Diffusion XL has besides."""

CONTENT = ("content_encoder", "light_decoder")

NETWORKS = {"unet": "UNet2DConditionModel", "vae": "AutoencoderKL"}
"""The parts that have weights, with diffusers' classes of them."""


def init_model(
    source: str | Path, output: str | Path, *, encoder: str | Path = "tiny", seed: int = 0
) -> None:
    """Make an element model whose element attention adds nothing yet.

    Weights are copied as they are; only θ_S is new.

    Args:
        source: folder or hub id of a Stable Diffusion 1.x, 2.x or XL pipeline in diffusers' layout.
        output: the model folder to make; must not exist.
        encoder: "tiny", or a model folder or hub id that has a content encoder.
        seed: of the new weights.

    Raises:
        UsageError: `output` is there already.
        MissingModelError: `source` or `encoder` is not there, or of another kind.
        ResourceError: `output` cannot be written.
    """
    from eie.models.diffusion_checkpoints import element_model_folder
    from eie.models.hub import model_folder
    from eie.models.weight_files import WEIGHTS_FILE, file_hash

    output = Path(output)
    if output.exists():
        raise UsageError("it exists already", where=str(output), hint="name a new folder")
    folder = model_folder(source, parts=(*TAKEN, *SECOND))
    index = _index(folder, str(source))
    content = element_model_folder(encoder)
    for part in CONTENT:
        if not (content / part / WEIGHTS_FILE).is_file():
            raise MissingModelError(f"there is no {part} in it", where=str(encoder))
    attention = _new_attention(
        folder / "unet",
        _json(content / CONTENT[0] / "config.json")["embedding_dim"],
        file_hash(content / CONTENT[0] / WEIGHTS_FILE),
        seed,
    )
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=output.parent, prefix=f".{output.name}-") as draft:
            made = Path(draft) / output.name
            for part in (name for name in (*TAKEN, *SECOND) if name in index):
                _copy_part(folder / part, made / part, str(source))
            for part in CONTENT:
                shutil.copytree(content / part, made / part)
            attention.save_pretrained(made / "element_attention")
            (made / INDEX).write_text(json.dumps(index, indent=2, sort_keys=True) + "\n")
            _load_once(made, str(source))
            made.rename(output)
    except OSError as error:
        raise ResourceError(
            f"the model cannot be written: {error.strerror or error}", where=str(output)
        ) from error


def _index(folder: Path, source: str) -> dict[str, Any]:
    """The index of the element model to be; checks that the source is fit for one.

    Raises:
        MissingModelError: it is not.
    """
    from eie.models.pipeline import GUIDANCE

    if not (folder / INDEX).is_file():
        raise MissingModelError(
            f"this is no Stable Diffusion in diffusers' layout (no {INDEX})",
            where=source,
            hint="a single .safetensors or .ckpt file has to be converted by diffusers first",
        )
    index = _json(folder / INDEX)
    _check_parts(folder, index, TAKEN, source)
    unet, vae = (_json(folder / part / "config.json") for part in ("unet", "vae"))
    second = SECOND if unet.get("addition_embed_type") == "text_time" else ()
    _check_parts(folder, index, second, source)
    kind = index.get("_class_name", "a model")
    if index.get("requires_aesthetics_score"):
        raise MissingModelError(
            f"{kind} only refines pictures", where=source, hint="use the base model beside it"
        )
    if unet.get("_class_name") != "UNet2DConditionModel":
        raise MissingModelError(f"{kind} has no U-Net of Stable Diffusion's kind", where=source)
    if unet["in_channels"] != vae["latent_channels"]:
        raise MissingModelError(
            f"its U-Net takes {unet['in_channels']} channels, not the latents' "
            f"{vae['latent_channels']}",
            where=source,
            hint="use a text-to-image model; inpainting models serve --decoder inpaint as they are",
        )
    return {part: index[part] for part in (*TAKEN, *second)} | {
        "_class_name": "ImageElementsPipeline",
        "_diffusers_version": index.get("_diffusers_version"),
        "element_attention": ["eie.models.element_attention", "ElementAttention"],
        "guidance_scale": GUIDANCE,
    }


def _check_parts(folder: Path, index: dict[str, Any], parts: tuple[str, ...], source: str) -> None:
    """Raise a MissingModelError if the folder lacks a part."""
    for part in parts:
        if not (folder / part).is_dir() or not isinstance(index.get(part), list):
            raise MissingModelError(f"it has no {part}", where=source)


def _new_attention(unet: Path, embedding_dim: int, encoder_hash: str, seed: int) -> Any:
    """θ_S for a U-Net, of which only the configuration is read."""
    import torch
    from diffusers import UNet2DConditionModel

    from eie.models.element_attention import ElementAttention

    with torch.device("meta"):
        shape = UNet2DConditionModel.from_config(UNet2DConditionModel.load_config(unet))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return ElementAttention.for_unet(shape, embedding_dim, encoder_hash=encoder_hash)


def _copy_part(source: Path, target: Path, name: str) -> None:
    """Copy a part's folder with one set of its weights.

    Raises:
        MissingModelError: it is a network and has none.
    """
    taken = copy_part(source, target)
    if target.name in (*NETWORKS, "text_encoder", "text_encoder_2"):
        if taken is None:
            raise MissingModelError(
                f"its {target.name} has no weights that are read (.safetensors or .bin)",
                where=name,
                hint="fetch the whole model, or save it by diffusers' save_pretrained",
            )
        if taken.variant:
            tell(
                [f"its {target.name} is there as {taken.variant} only; these weights are taken"],
                name,
            )


def _load_once(made: Path, name: str) -> None:
    """Load the networks of a folder, so that nobody finds out later that they do not load.

    Raises:
        MissingModelError: one does not, or lacks some of its weights.
    """
    import diffusers
    import transformers

    from eie.models.diffusion_checkpoints import quiet_loading

    classes = {part: getattr(diffusers, kind) for part, kind in NETWORKS.items()}
    if (made / "text_encoder").is_dir():
        classes["text_encoder"] = transformers.CLIPTextModel
    if (made / "text_encoder_2").is_dir():
        classes["text_encoder_2"] = transformers.CLIPTextModelWithProjection
    for part, kind in classes.items():
        try:
            with quiet_loading():
                network, info = kind.from_pretrained(made / part, output_loading_info=True)
        except Exception as error:  # damaged files raise all sorts
            raise MissingModelError(
                f"its {part} does not load: {first_line(error)}", where=name
            ) from error
        missing, total = set(info["missing_keys"]), len(network.state_dict())
        missing = {key for key in missing if not key.endswith("position_ids")}
        wrong = sorted(map(str, info.get("mismatched_keys") or ()))
        if wrong or 0 < len(missing) < total:
            first = (wrong or sorted(missing))[0]
            raise MissingModelError(
                f"its {part} is not whole: {len(missing)} of its {total} tensors are missing, "
                f"{len(wrong)} of another size, the first is {first}",
                where=name,
                hint="fetch it again",
            )
        if missing:
            tell([f"the weight file of its {part} is empty: it starts at random"], name)
        else:
            check_weights(network, f"{part} in {name}")


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise BadInputError(f"it cannot be read: {error}", where=str(path)) from error
    if not isinstance(value, dict):
        raise BadInputError("it is no JSON object", where=str(path))
    return value
