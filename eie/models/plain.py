"""Folders of the networks that every photo passes through, read and written without diffusers.

    FOLDER/config.json            the arguments the network is made with
    FOLDER/model.safetensors      its weights, in half precision

To import diffusers takes longer than to run them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from eie.models.hub import loaded

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"

Network = TypeVar("Network", bound=nn.Module)


def save_plain(network: nn.Module, folder: Path, config: Mapping[str, Any]) -> None:
    """Write a network's folder, one file after the other, each whole or not at all.

    Args:
        config: the arguments it was made with, as JSON values.
    """
    from safetensors.torch import save

    from eie.files.atomic import write_atomically

    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: value.half().contiguous() for name, value in network.state_dict().items()}
    for name, content in (
        (CONFIG_FILE, json.dumps(config, indent=2).encode() + b"\n"),
        (WEIGHTS_FILE, save(weights)),
    ):
        with write_atomically(folder / name) as file:
            file.write(content)


def load_plain(kind: Callable[..., Network], folder: Path, what: str, hint: str) -> Network:
    """A network in float32: :func:`eie.models.hub.load_part` for these folders."""
    from safetensors.torch import load_file

    def read() -> Network:
        config = json.loads((folder / CONFIG_FILE).read_bytes())
        weights = load_file(folder / WEIGHTS_FILE)
        # Its random start is not needed, and takes longer than reading the weights.
        with torch.device("meta"):
            network = kind(**config)
        network.load_state_dict({n: w.float() for n, w in weights.items()}, assign=True)
        return network

    network: Network = loaded(read, folder, what, hint)
    return network
