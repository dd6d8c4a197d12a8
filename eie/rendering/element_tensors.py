"""Elements as learned decoders take them: embeddings of their encoder, and arrays by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from eie.elements import ElementSet
from eie.errors import UsageError


def embedded(
    elements: ElementSet, encoder_hash: str, model: str | Path, device: str | None = None
) -> ElementSet:
    """The set with embeddings that a decoder can read; without any, they are made.

    Args:
        encoder_hash: SHA-256 of the weights of the encoder that the decoder was trained with.
        model: the model folder that holds that encoder.

    Raises:
        UsageError: the set has embeddings of another encoder.
    """
    for index, source in enumerate(elements.sources):
        if source.embeddings and source.embeddings.encoder_hash != encoder_hash:
            raise UsageError(
                f"it was embedded by '{source.embeddings.encoder}' with other weights than those "
                f"that the decoder of '{model}' was trained with",
                where=f"source {index}",
                hint=f"run: eie encode --model {model}",
            )
    if all(source.embeddings for source in elements.sources):
        return elements
    from eie.encoding import encode

    return encode(elements, model=model, device=device)


def element_inputs(elements: ElementSet) -> dict[str, np.ndarray]:
    """All elements of an embedded set as arrays: embeddings, box, visible, rank, flip, and frame
    if some are turned.

    Shapes and meanings as :class:`eie.models.light_decoder.LightDecoder` takes them, without the
    batch's axis; boxes are in pixels of the canvas.
    """
    table = elements.table
    length = max(s.embeddings.values.shape[1] for s in elements.sources if s.embeddings)
    embeddings = np.zeros((len(table), length), dtype=np.float32)
    for index, source in enumerate(elements.sources):
        rows = table.source == index
        if source.embeddings is not None:
            embeddings[rows] = source.embeddings.values[table.patch[rows]]
    depth = np.stack([table.z, ~elements.untouched], axis=1)  # (N, 2) sorts as paint order does
    _, rank = np.unique(depth, axis=0, return_inverse=True)
    inputs = {
        "embeddings": embeddings,
        "box": table.box.astype(np.float32),
        "visible": np.array(table.visible),
        "rank": rank.reshape(-1).astype(np.int64),
        "flip": np.array(table.flip),
    }
    if table.turned.any():
        inputs["frame"] = table.frame.astype(np.float32)
    return inputs


def stretched_inputs(
    inputs: Mapping[str, np.ndarray], stretch: np.ndarray, corner: np.ndarray
) -> dict[str, np.ndarray]:
    """Inputs whose boxes are in pixels of a part of the canvas at another size.

    Args:
        inputs: of the canvas, as :func:`element_inputs` gives them.
        stretch: (2,) pixels to one of the canvas, in x and y.
        corner: (2,) of the part on the canvas, x and y.
    """
    box = inputs["box"]
    centre = (box[:, :2] - corner) * stretch
    changed = {"box": np.concatenate([centre, box[:, 2:] * stretch], axis=1).astype(np.float32)}
    if "frame" in inputs:
        # diag(stretch) · frame · diag(size) = frame' · diag(stretch · size)
        frame = inputs["frame"] * (stretch[:, None] / stretch)
        changed["frame"] = frame.astype(np.float32)
    return {**inputs, **changed}
