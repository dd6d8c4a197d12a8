"""Folders of images, in the one order that trainings and evaluations share.

A training leaves out every K-th image (`FOLDER:K`) and an evaluation takes exactly those
(`--every K`), so both must count alike: by sorted name, label maps of people not counted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from eie.errors import BadInputError
from eie.notes import tell

IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".avif", ".heic", ".heif"}
)
SEGMENTATION_NAME = re.compile(r"(?P<photo>.+)\.gt\d+\.png")


@dataclass(frozen=True)
class ImageFile:
    """An image and the label maps that people drew of it, `ID.gtK.png` beside `ID.jpg`."""

    path: Path
    segmentations: tuple[Path, ...] = ()


def image_files(folder: Path) -> list[ImageFile]:
    """The images of a folder, sorted by name; hidden files and folders within are passed over.

    Raises:
        BadInputError: the folder is missing or holds no images.
    """
    if not folder.is_dir():
        raise BadInputError("no such folder", where=str(folder))
    segmentations: dict[str, list[Path]] = {}
    images: list[Path] = []
    within: list[str] = []
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        raise BadInputError(f"cannot be read: {error.strerror}", where=str(folder)) from error
    for path in paths:
        if _hidden(path):
            continue
        if path.is_dir():
            within += [path.name] if _holds_images(path) else []
        elif match := SEGMENTATION_NAME.fullmatch(path.name):
            segmentations.setdefault(match["photo"], []).append(path)
        elif path.suffix.lower() in IMAGE_SUFFIXES:
            images.append(path)
    if within:
        named = ", ".join(within[:3]) + (" …" if len(within) > 3 else "")
        told = f"{len(within)} folders in it hold images that are not taken: {named}"
        if not images:
            raise BadInputError(
                f"the folder holds no images itself; {told}",
                where=str(folder),
                hint="name these folders, as many as you like",
            )
        tell([told], str(folder))
    if not images:
        raise BadInputError(
            "the folder holds no images",
            where=str(folder),
            hint=f"known are {' '.join(sorted(IMAGE_SUFFIXES))}",
        )
    return [ImageFile(path, tuple(segmentations.get(path.stem, ()))) for path in images]


def _hidden(path: Path) -> bool:
    """Whether a file is a system's own (`._a.jpg` of macOS, `.DS_Store`), or no file at all."""
    return path.name.startswith(".") or path.name == "__MACOSX"


def _holds_images(folder: Path) -> bool:
    try:
        return any(
            path.suffix.lower() in IMAGE_SUFFIXES and not _hidden(path) for path in folder.iterdir()
        )
    except OSError:
        return False


def held_out(count: int, every: int | None, first: int = 0) -> list[int]:
    """Of `count` files in order, those that a training with `FOLDER:every+first` leaves out: every
    so many, from the number `first` on; none of them for None."""
    return [] if every is None else list(range(first, count, every))
