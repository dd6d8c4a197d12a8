"""The photos that an evaluation takes: which files, and their pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from eie.errors import UsageError
from eie.evaluate.core.case_result import Pixels
from eie.files.colours import visible_colours
from eie.files.folders import ImageFile, held_out, image_files
from eie.files.photo_reading import read_photo

Fit = Literal["crop", "keep"]


def chosen_files(
    folder: Path, every: int | None = None, limit: int | None = None
) -> list[ImageFile]:
    """The photos of a folder that are evaluated, sorted by name.

    Args:
        every: K takes the files that a training with `FOLDER:K` leaves out, every K-th from the
            first; None takes all.
        limit: at most that many, spread evenly over those; None for no limit.

    Raises:
        BadInputError: the folder is missing or holds no images.
        UsageError: `every` or `limit` is below 1.
    """
    for name, value in (("every", every), ("limit", limit)):
        if value is not None and value < 1:
            raise UsageError(f"{name} is {value}", hint="choose a number from 1 up")
    files = image_files(folder)
    if every is not None:
        files = [files[index] for index in held_out(len(files), every)]
    if limit is not None and limit < len(files):
        files = [files[index * len(files) // limit] for index in range(limit)]
    return files


def read_rgb(path: Path | str) -> Pixels:
    """The photo as (H, W, 3) uint8 RGB, upright; grey is repeated, alpha is left out; what is
    fully transparent has the colour of what is visible beside it.

    Raises:
        BadInputError: it cannot be read.
    """
    pixels = visible_colours(read_photo(path).pixels)
    channels = 3 if pixels.shape[2] >= 3 else 1
    return np.ascontiguousarray(np.broadcast_to(pixels[:, :, :channels], (*pixels.shape[:2], 3)))


def resized(pixels: Pixels, size: int, fit: Fit = "crop") -> Pixels:
    """The photo at the size of an evaluation.

    Args:
        pixels: (H, W, 3) uint8.
        size: of the short side.
        fit: "crop" for the central square, size × size; "keep" for the whole photo, its short
            side `size` and its aspect kept.

    Returns:
        (h, w, 3) uint8, antialiased when made smaller.
    """
    import cv2

    height, width = pixels.shape[:2]
    short = min(height, width)
    if fit == "crop":
        top, left = (height - short) // 2, (width - short) // 2
        pixels = pixels[top : top + short, left : left + short]
        height = width = short
    if short == size:
        return np.ascontiguousarray(pixels)
    scaled = (max(1, round(width * size / short)), max(1, round(height * size / short)))
    method = cv2.INTER_AREA if size < short else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(pixels, scaled, interpolation=method), dtype=np.uint8)
