"""The bundled content encoder's build as a graph: see :mod:`eie.models.content_encoder` for what it
computes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eie.models.folders import CONFIG_FILE, WEIGHTS_FILE
from eie.models.graph import Graph, Tensors, is_known, read_tensors
from eie.models.linear_code import LinearCode

ENCODER = "content_encoder"
ENCODER_WEIGHTS = "tiny-content-encoder"
"""The whole network's tensors in the index of graphs."""

BASES = ("luma_basis", "chroma_basis", "shape_basis", "shape_mean")


class EncoderGraph:
    """The content encoder on the CPU.

    Args:
        tensors: all of its weights.
        config: the arguments it was made with.
    """

    def __init__(self, tensors: Tensors, config: dict[str, Any]) -> None:
        self.patch_size: int = config["patch_size"]
        self._code = linear_code(tensors, "linear.", config)
        self._convolutions = Graph(ENCODER, tensors, "the content encoder")

    def embed(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """(N, 4, S, S) masked RGB and mask, in [0, 1] ⇒ (N, D) embeddings."""
        (added,) = self._convolutions(patches=patches)
        embeddings: NDArray[np.float32] = self._code.code(patches, added)
        return embeddings


def linear_code(tensors: Tensors, prefix: str, config: dict[str, Any]) -> LinearCode:
    """The closed-form code among a network's weights."""
    lengths = (config["luma"], config["chroma"], config["chroma"], config["shape"])
    bases: Any = (np.array(tensors[prefix + name], np.float32, order="C") for name in BASES)
    return LinearCode(lengths, *bases)


def load_encoder_graph(folder: Path) -> EncoderGraph | None:
    """The content encoder of a folder, None if it is of another build than the bundled one."""
    tensors, config = read_folder(folder)
    return EncoderGraph(tensors, config) if is_known(ENCODER_WEIGHTS, tensors) else None


def read_folder(folder: Path) -> tuple[Tensors, dict[str, Any]]:
    """The weights and the arguments of a network; nothing if they can't be read."""
    try:
        config = json.loads((folder / CONFIG_FILE).read_bytes())
    except (OSError, ValueError):
        return {}, {}
    return read_tensors(folder / WEIGHTS_FILE) or {}, config
