"""Label maps in pictures: whole numbers that must not be taken for brightness."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eie.errors import BadInputError
from eie.files.photo import DAMAGE, MAX_PIXELS
from eie.files.streams import open_input

THINGS_FILE = "things.json"
"""Beside photos with label maps, says which labels are things."""


def read_labels(path: Path) -> NDArray[np.int32]:
    """The numbers of a picture's pixels, in their full depth: of a palette, the places in it.

    Returns:
        (H, W) int32, not negative.

    Raises:
        BadInputError: it cannot be read, or holds no whole numbers.
    """
    from PIL import Image

    try:
        with (
            open_input(path) as handle,
            Image.open(handle, formats=["PNG", "TIFF", "BMP"]) as image,
        ):
            if image.width * image.height > MAX_PIXELS:
                raise ValueError("it is too large")
            values = np.asarray(image)
    except (*DAMAGE, Image.DecompressionBombError) as error:
        raise BadInputError(f"cannot be read as a label map: {error}", where=str(path)) from error
    if values.ndim != 2 or values.dtype.kind not in "bui" or not values.size or values.min() < 0:
        raise BadInputError(
            f"a label map has shape (height, width) and whole numbers, not {values.shape} "
            f"{values.dtype}",
            where=str(path),
        )
    return values.astype(np.int32)


def thing_labels(folder: Path) -> Mapping[str, Sequence[int]] | None:
    """Which labels are things, in a folder of photos with label maps; None if it does not tell.

    :data:`THINGS_FILE` says so, as COCO's panoptic annotations do: the names of the photos, without
    suffix, and a list of labels for each.

    Raises:
        BadInputError: the file is something else.
    """
    path = folder / THINGS_FILE
    if not path.exists():
        return None
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise BadInputError(f"cannot be read: {error}", where=str(path)) from error
    if not isinstance(content, dict) or not all(map(_are_labels, content.values())):
        raise BadInputError(
            "does not tell which labels are things",
            where=str(path),
            hint='it holds {"ID": [label, ...]} for the photos ID.jpg',
        )
    return content


def _are_labels(value: object) -> bool:
    return isinstance(value, list) and all(type(label) is int for label in value)
