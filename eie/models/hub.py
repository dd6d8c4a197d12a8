"""Model folders: local ones, and those that the Hugging Face hub serves."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from eie.errors import MissingModelError

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
"""OWNER/NAME, as every model of the hub that could be ours is called."""

TIMEOUT = 5.0
"""Seconds that the hub is given to answer. It is asked once: who is offline should know soon."""

HINT = "give --model tiny, a local model folder, or an id that the hub can serve"

FILES = ("*.json", "*.safetensors", "*.txt", "*.model")
"""Configurations, weights, and what tokenizers need; no code and no pickles."""


def model_folder(model: str | Path, part: str | None = None) -> Path:
    """The folder of a model, fetched from the hub unless it is local or fetched before.

    Args:
        model: a folder, or a hub id.
        part: the subfolder that is needed; None for all.

    Raises:
        MissingModelError: no such folder, and no such model on the hub or no way to it.
    """
    if Path(model).is_dir():
        return Path(model)
    if not HUB_ID.fullmatch(str(model)):
        raise MissingModelError("there is no such model folder", where=str(model), hint=HINT)
    return snapshot(str(model), part)


def snapshot(name: str, part: str | None = None, **options: Any) -> Path:
    """A model of the hub in its local cache, fetched if it is not there yet.

    Args:
        name: a hub id.
        part: the subfolder that is needed; None for all.
        options: of `huggingface_hub.snapshot_download`.

    Raises:
        MissingModelError: no such model on the hub or no way to it.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import RepositoryNotFoundError

    files = [f"{part}/{file}" if part else file for file in FILES]
    try:
        return Path(snapshot_download(name, allow_patterns=files, etag_timeout=TIMEOUT, **options))
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
    """The first line of an error's text, or its kind if it has none."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


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
    return model.eval().requires_grad_(False)
