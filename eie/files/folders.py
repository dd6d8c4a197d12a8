"""Folders of images, in the one order that trainings and evaluations share.

A training leaves out every K-th image (`FOLDER:K`) and an evaluation takes exactly those
(`--every K`), so both must count alike: by sorted name, label maps of people not counted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from eie.errors import BadInputError

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})
SEGMENTATION_NAME = re.compile(r"(?P<photo>.+)\.gt\d+\.png")


@dataclass(frozen=True)
class ImageFile:
    """An image and the label maps that people drew of it, `ID.gtK.png` beside `ID.jpg`."""

    path: Path
    segmentations: tuple[Path, ...] = ()


def image_files(folder: Path) -> list[ImageFile]:
    """The images of a folder, sorted by name.

    Raises:
        BadInputError: the folder is missing or holds no images.
    """
    if not folder.is_dir():
        raise BadInputError("no such folder", where=str(folder))
    segmentations: dict[str, list[Path]] = {}
    images: list[Path] = []
    for path in sorted(folder.iterdir()):
        if match := SEGMENTATION_NAME.fullmatch(path.name):
            segmentations.setdefault(match["photo"], []).append(path)
        elif path.suffix.lower() in IMAGE_SUFFIXES:
            images.append(path)
    if not images:
        raise BadInputError("the folder holds no images", where=str(folder))
    return [ImageFile(path, tuple(segmentations.get(path.stem, ()))) for path in images]


def held_out(count: int, every: int | None) -> list[int]:
    """Of `count` files in order, those that a training with `FOLDER:every` leaves out: every so
    many, from the first; none of them for None."""
    return [] if every is None else list(range(0, count, every))
