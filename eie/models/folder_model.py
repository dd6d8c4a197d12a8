"""Networks in diffusers' folders, read and written without diffusers, whose import is slow.

FOLDER/config.json                               the arguments the network is made with
FOLDER/diffusion_pytorch_model.safetensors       its weights
"""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import torch
from torch import nn

from eie.models.weight_files import CONFIG_FILE, WEIGHTS_FILE


class FolderModel(nn.Module):
    """A network that knows the arguments it was made with, as `config`.

    Its folders are those of diffusers' `ModelMixin.save_pretrained`.
    """

    config: SimpleNamespace

    def _configure(self, arguments: dict[str, Any]) -> None:
        """Keep a constructor's arguments, given its `locals()`."""
        names = inspect.signature(type(self)).parameters
        self.config = SimpleNamespace(**{name: arguments[name] for name in names})

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        return next(self.parameters()).dtype

    def save_pretrained(self, folder: str | Path) -> None:
        """Write the folder, each file whole or not at all."""
        from safetensors.torch import save

        from eie.files.atomic import write_atomically

        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        config = {"_class_name": type(self).__name__, **vars(self.config)}
        weights = {name: value.contiguous() for name, value in self.state_dict().items()}
        for name, content in (
            (CONFIG_FILE, json.dumps(config, indent=2, sort_keys=True).encode() + b"\n"),
            (WEIGHTS_FILE, save(weights)),
        ):
            with write_atomically(folder / name) as file:
                file.write(content)

    @classmethod
    def from_folder(cls, folder: Path) -> Self:
        """The network of a folder, in float32.

        Raises:
            OSError, ValueError, KeyError, TypeError, RuntimeError: the folder is damaged or of
                another kind.
        """
        from safetensors.torch import load

        config = json.loads((folder / CONFIG_FILE).read_bytes())
        arguments = {name: value for name, value in config.items() if not name.startswith("_")}
        weights = load((folder / WEIGHTS_FILE).read_bytes())
        # Its random start is not needed, and takes longer than reading the weights.
        with torch.device("meta"):
            network = cls(**arguments)
        network.load_state_dict({n: w.float() for n, w in weights.items()}, assign=True)
        return network
