"""Model folders: local ones, and those that the Hugging Face hub serves."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from eie.errors import MissingModelError
from eie.models.finite import check_complete, check_weights, watched
from eie.models.weight_files import VARIANTS, tensor_names, weights_of

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
"""OWNER/NAME, as every model of the hub that could be ours is called."""

INDEX = "model_index.json"
"""Of a pipeline in diffusers' layout: its parts and their classes."""

WITHOUT = ("scheduler", "tokenizer", "tokenizer_2", "feature_extractor")
"""Parts that have no weights."""

TIMEOUT = 5.0
"""Seconds that the hub is given to answer. It is asked once: who is offline should know soon."""

HINT = "give --model tiny, a local model folder, or an id that the hub can serve"

FILES = ("*.json", "*.safetensors", "*.txt", "*.model")
"""Configurations, weights, and what tokenizers need; no code and no pickles."""

ROOT = ("*.json", "*/*.safetensors", "*.txt", "*.model")
"""The same of a whole pipeline: weights beside its parts hold these once more."""

AGAIN = (
    *(f"*.{variant}{rest}" for variant in (*VARIANTS, "non_ema") for rest in (".*", "-*")),
    "*.index.*.json",
)
"""Weights that a repository holds besides those that are taken."""


def model_folder(
    model: str | Path, part: str | None = None, parts: Sequence[str] | None = None
) -> Path:
    """The folder of a model, fetched from the hub unless it is local or fetched before.

    Args:
        model: a folder, or a hub id.
        part: the subfolder that is needed, of a repository that keeps one set of weights; None for
            all.
        parts: the subfolders of a pipeline that are needed, and its index; None for all.

    Raises:
        MissingModelError: no such folder, and no such model on the hub or no way to it.
    """
    if Path(model).is_dir():
        return Path(model)
    if not HUB_ID.fullmatch(str(model)):
        raise MissingModelError("there is no such model folder", where=str(model), hint=HINT)
    if part is not None:
        return snapshot(str(model), part)
    return pipeline_folder(str(model), parts)


def pipeline_folder(name: str, parts: Sequence[str] | None = None, **options: Any) -> Path:
    """A pipeline of the hub in its local cache, each part with one set of weights.

    Args:
        name: a hub id.
        parts: those that are needed; None for all.
        options: as :func:`snapshot`.

    Raises:
        MissingModelError: no such model on the hub or no way to it.
    """
    if parts is None:
        parts = _parts_in(_fetched(name, allow_patterns=[INDEX], **options) / INDEX)
    wanted = list(ROOT)
    if parts is not None:
        wanted = [INDEX, *(f"{part}/{file}" for part in parts for file in FILES)]
    folder = _fetched(name, allow_patterns=wanted, ignore_patterns=list(AGAIN), **options)
    bare = [
        path.parent.name
        for path in folder.glob("*/config.json")
        if weights_of(file.name for file in path.parent.iterdir()) is None
        and (parts is None or path.parent.name in parts)
        and path.parent.name not in WITHOUT
    ]
    if bare:  # a part that the repository has as a variant only
        some = [f"{part}/*.{variant}*" for part in bare for variant in VARIANTS]
        folder = _fetched(name, allow_patterns=some, ignore_patterns=["*.bin"], **options)
    return folder


def _parts_in(index: Path) -> list[str] | None:
    """The parts that a pipeline's index names; None for a model of ours, which has others, too."""
    try:
        content = json.loads(index.read_bytes())
        if content.get("_class_name") == "ImageElementsPipeline":
            return None
        return [
            part for part, kind in content.items() if isinstance(kind, list) and kind[0] is not None
        ]
    except (OSError, ValueError, AttributeError, IndexError):
        return None


def snapshot(name: str, part: str | None = None, **options: Any) -> Path:
    """A model of the hub in its local cache, fetched if it is not there yet.

    Args:
        name: a hub id.
        part: the subfolder that is needed; None for all.
        options: of `huggingface_hub.snapshot_download`.

    Raises:
        MissingModelError: no such model on the hub or no way to it.
    """
    files = [f"{part}/{file}" if part else file for file in FILES]
    return _fetched(name, allow_patterns=files, **options)


def _fetched(name: str, **options: Any) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        return Path(snapshot_download(name, etag_timeout=TIMEOUT, **options))
    except RepositoryNotFoundError as error:
        raise MissingModelError(
            "there is no such model folder, and the hub has no such model that is public",
            where=name,
            hint=HINT,
        ) from error
    except Exception as error:  # the hub's client raises what its transport does
        raise MissingModelError(
            f"there is no such model folder, and the hub did not serve it: {first_line(error)}",
            where=name,
            hint=HINT,
        ) from error


def first_line(error: Exception) -> str:
    """The first line of an error's text, or its kind if it has none; of a heading what it heads."""
    lines = str(error).strip().splitlines()
    if not lines:
        return type(error).__name__
    headed = lines[0].endswith(":") and len(lines) > 1
    return " ".join(lines[1].split())[:300] if headed else lines[0]


def load_part(kind: Any, folder: Path, what: str, hint: str) -> Any:
    """A model of diffusers' layout in float32, in evaluation mode, without gradients.

    Args:
        kind: its class.
        folder: where it lies.
        what: the name of its kind, for the error.
        hint: for the error, how to get one.

    Raises:
        MissingModelError: there is none, or it cannot be read.
    """
    import torch

    if not folder.is_dir():  # diffusers would ask the hub for it
        raise MissingModelError(f"there is no {what}", where=str(folder), hint=hint)

    def read() -> Any:
        return kind.from_pretrained(str(folder), torch_dtype=torch.float32)

    return loaded(read, folder, what, hint)


def loaded(read: Callable[[], Any], folder: Path, what: str, hint: str) -> Any:
    """What `read` gives, a network, in evaluation mode, without gradients.

    Args:
        folder, what, hint: as :func:`load_part`, which raises the same.
    """
    try:
        model = read()
    except Exception as error:  # damaged files raise all sorts
        raise MissingModelError(
            f"no {what} could be loaded: {error}", where=str(folder), hint=hint
        ) from error
    if (stored := tensor_names(folder)) is not None:
        check_complete(model, stored, str(folder))
    check_weights(model, str(folder))
    return watched(model.eval().requires_grad_(False), f"the {what} in {folder}")
