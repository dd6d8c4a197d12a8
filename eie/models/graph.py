"""Networks as ONNX graphs, run by ONNX Runtime: what the bundled models need is no PyTorch.

graphs/NAME.onnx    the arithmetic of a network, without weights
graphs/index.json   which weights each graph takes, by name and shape

The weights stay where training puts them, in safetensors files; `tools/onnx_graphs.py` makes the
graphs from the networks. PyTorch takes a second to be imported, ONNX Runtime a fiftieth of it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eie.models.finite import check_tensor, finite

GRAPHS = Path(__file__).parent / "graphs"
INDEX = "index.json"

Tensors = Mapping[str, NDArray[Any]]
Shapes = Mapping[str, list[int]]

_ERRORS = 3
"""ONNX Runtime's severity from which on it writes to standard error."""


class Graph:
    """A network with its weights.

    Args:
        name: of the graph.
        tensors: float16 or float32 weights, among others.
        what: the network's name in messages.
        weights: which weights to take; None for all that the graph is made of, fewer if it is given
            some as inputs.
        convolves: whether most of the work is convolutions, so that it pays to arrange the graph
            for them at every start. All else is arranged when the graph is made.
        threads: that share the work, whose number shows in the last digits of what comes out; None
            for OMP_NUM_THREADS, as PyTorch has it, or one for every core.
    """

    def __init__(
        self,
        name: str,
        tensors: Tensors,
        what: str,
        weights: Collection[str] | None = None,
        *,
        convolves: bool = False,
        threads: int | None = None,
    ) -> None:
        import onnxruntime

        values = {
            weight: onnxruntime.OrtValue.ortvalue_from_numpy(
                np.asarray(tensors[weight], np.float32, order="C")
            )
            for weight in (weights_of(name) if weights is None else weights)
        }
        options = onnxruntime.SessionOptions()
        options.log_severity_level = _ERRORS
        level = onnxruntime.GraphOptimizationLevel
        options.graph_optimization_level = (
            level.ORT_ENABLE_ALL if convolves else level.ORT_DISABLE_ALL
        )
        options.enable_cpu_mem_arena = False  # each network runs once or twice: memory goes back
        if threads is None:
            threads = int(os.environ.get("OMP_NUM_THREADS", 0))
        options.intra_op_num_threads = threads
        # Threads that look for work all the time take processor time from others.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_external_initializers(list(values), list(values.values()))
        self.what = what
        self._session = onnxruntime.InferenceSession(
            GRAPHS / f"{name}.onnx", options, providers=["CPUExecutionProvider"]
        )

    def __call__(self, **inputs: NDArray[Any]) -> list[NDArray[np.float32]]:
        """The outputs, in order.

        Raises:
            MissingModelError: one is not all finite numbers.
        """
        outputs: list[NDArray[np.float32]] = self._session.run(None, inputs)
        for output in outputs:
            finite(output, self.what)
        return outputs


def network_input(
    pixels: NDArray[np.uint8],
    size: tuple[int, int],
    mean: Sequence[float],
    deviation: Sequence[float],
) -> NDArray[np.float32]:
    """(1, 3, *size) pixels (h, w, 3) normalised by channel, with zeros beyond them."""
    padded = np.zeros((1, 3, *size), np.float32)
    middle, spread = (np.array(of, np.float32) for of in (mean, deviation))
    scaled = (pixels.astype(np.float32) - middle) / spread  # (h, w, 3)
    padded[0, :, : pixels.shape[0], : pixels.shape[1]] = scaled.transpose(2, 0, 1)
    return padded


def product(rows: NDArray[np.float32], table: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, Q), (Q, P) ⇒ (N, P), each row as if it were alone with any other."""
    alone = len(rows) == 1  # one row goes another way, and rounds otherwise
    (values,) = _product()(rows=np.repeat(rows, 2, axis=0) if alone else rows, table=table)
    return values[:1] if alone else values


@cache
def _product() -> Graph:
    return Graph("product", {}, "a matrix product")


@cache
def index() -> Mapping[str, Shapes]:
    """Shapes of the weights of all graphs and of the files that they are in, by name."""
    content: dict[str, Shapes] = json.loads((GRAPHS / INDEX).read_bytes())
    return content


def weights_of(name: str) -> Shapes:
    """Names and shapes of the weights that a graph takes."""
    return index()[name]


def is_known(name: str, tensors: Tensors) -> bool:
    """Whether tensors are just those of a network that graphs were made of: names and shapes."""
    return index()[name] == {weight: list(value.shape) for weight, value in tensors.items()}


def read_tensors(path: Path) -> dict[str, NDArray[Any]] | None:
    """The tensors of a safetensors file; None if NumPy can't hold them, or there is no such file.

    Raises:
        MissingModelError: one is not all finite numbers.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        tensors = load_file(path)
    except (SafetensorError, OSError, TypeError, ValueError, KeyError, AttributeError):
        return None
    if any(value.dtype.kind not in "fiub" for value in tensors.values()):
        return None  # bfloat16, where a package that knows it happens to be imported
    for name, value in tensors.items():
        check_tensor(bool(np.isfinite(value).all()), name, str(path))
    return tensors
