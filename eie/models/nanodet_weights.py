"""NanoDet-g's weights as NumPy arrays, and what they were trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

WEIGHTS = Path(__file__).parent / "weights" / "nanodet.safetensors"

STRIDES = (8, 16, 32)
"""At which things are looked for, in pixels."""

# Of blue, green and red values in [0, 255].
PIXEL_MEAN = (103.53, 116.28, 123.675)
PIXEL_STD = (57.375, 57.12, 58.395)

SCALE = ".scale"
"""Behind the name of a weight: its tensor of scales."""


def detector_weights() -> dict[str, Array]:
    """The weights by the names that :class:`eie.models.nanodet.NanoDet` has for them.

    Kernels are kept in 8 bits with one scale for each output channel: what they tell are means over
    elements, and half a bit more or less of a weight does not show in these.
    """
    from safetensors.numpy import load_file

    kept = load_file(WEIGHTS)
    return {
        name: value.astype(np.float32) * kept[name + SCALE].astype(np.float32)[:, None, None, None]
        if name + SCALE in kept
        else value.astype(np.float32)
        for name, value in kept.items()
        if not name.endswith(SCALE)
    }


def quantised(weights: dict[str, Array]) -> dict[str, NDArray[np.generic]]:
    """Weights as they are kept: what :func:`detector_weights` reads."""
    kept: dict[str, NDArray[np.generic]] = {}
    for name, value in weights.items():
        if value.ndim < 2:
            kept[name] = value.astype(np.float16)
            continue
        scale = (np.abs(value).reshape(len(value), -1).max(axis=1) / 127).astype(np.float16)
        whole = np.round(value / scale.astype(np.float32)[:, None, None, None])
        kept[name] = np.ascontiguousarray(np.clip(whole, -127, 127), dtype=np.int8)
        kept[name + SCALE] = scale
    return kept
