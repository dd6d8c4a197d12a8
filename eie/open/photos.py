"""Photos of the workspace, and which document is of which photo."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from eie.elements import ElementSet
from eie.errors import EieError
from eie.files import read_photo
from eie.open.documents import revision_of
from eie.open.views import Encoded, for_screen, to_side
from eie.open.workspace import Workspace, id_of

MOST_SIDE = 256
"""Pixels of the longer side of thumbnails that are remembered."""

_PLAIN = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})
"""Photos of which Pillow tells the size at once; others have pages, or turn by other means."""

MOST_REMEMBERED = 4096
"""Things that are remembered of files."""


class Photos:
    """What is known of the photos of a workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._same: WeakKeyDictionary[Any, dict[tuple[Path, str], bool]] = WeakKeyDictionary()

    def listed(self) -> list[dict[str, Any]]:
        """Name, size and document of each photo; those that cannot be read are left out."""
        files = self.workspace.element_files()
        told = []
        photos = self.workspace.photos()
        for path in photos:
            size = self.size(path)
            if size is not None:
                document = next(self._documents_among(files, path, photos), None)
                told.append(
                    {
                        "name": path.name,
                        "document": None if document is None else id_of(document.name),
                        "width": size[1],
                        "height": size[0],
                    }
                )
        return told

    def size(self, path: Path) -> tuple[int, int] | None:
        """Height and width of a photo, upright; None if it is none."""
        found: tuple[int, int] | None = _remembered(_size, path, revision_of(path))
        return found

    def thumbnail(self, path: Path, side: int) -> Encoded:
        """A small JPEG or PNG of a photo."""
        if side > MOST_SIDE:
            return _thumbnail(path, side)
        small: Encoded = _remembered(_thumbnail, path, revision_of(path), side)
        return small

    def documents_of(self, photo: Path) -> list[Path]:
        """The element files that seem to be of a photo by name and size, the likeliest first."""
        files, photos = self.workspace.element_files(), self.workspace.photos()
        return [*self._documents_among(files, photo, photos)]

    def _documents_among(
        self, files: list[Path], photo: Path, photos: list[Path]
    ) -> Iterator[Path]:
        size, stems = self.size(photo), {path.stem for path in photos}
        for path in sorted(files, key=lambda path: (path.stem != photo.stem, path.name)):
            # `cat-2.h5` is of `cat-2.jpg`, if there is one.
            fits = path.stem == photo.stem or (names_fit(path, photo) and path.stem not in stems)
            if size is not None and fits and _remembered(_canvas, path, revision_of(path)) == size:
                yield path

    def photo_of(self, file: Path, elements: ElementSet) -> Path | None:
        """The photo of the workspace that a document was made of: the same pixels."""
        for path in self.workspace.photos():
            if names_fit(file, path) and self.is_of(elements, path):
                return path
        return None

    def is_of(self, elements: ElementSet, photo: Path) -> bool:
        """Whether a set was made of a photo."""
        pixels = elements.sources[0].pixels
        if pixels is None or self.size(photo) != tuple(elements.canvas):
            return False
        known = self._same.setdefault(pixels, {})  # as long as the pixels are loaded
        key = photo, revision_of(photo)
        if key not in known:
            known[key] = _same(pixels, photo)
        return known[key]


@lru_cache(maxsize=MOST_REMEMBERED)
def _remembered(find_out: Callable[..., Any], path: Path, _: str, *more: int) -> Any:
    """What is found out of a file, remembered by its revision."""
    return find_out(path, *more)


def _thumbnail(path: Path, side: int) -> Encoded:
    return for_screen(to_side(read_photo(path, path.name), side), exact=False)


def names_fit(file: Path, photo: Path) -> bool:
    """Whether an element file is named as one of a photo is: `a.h5`, `a-2.h5` …"""
    if file.stem == photo.stem:
        return True
    head, dash, number = file.stem.rpartition("-")
    return bool(dash) and head == photo.stem and number.isdecimal()


def _size(path: Path) -> tuple[int, int] | None:
    from PIL import Image

    from eie.files.exif import ORIENTATION
    from eie.files.photo import DAMAGE

    if path.suffix.lower() not in _PLAIN:
        return _size_of_read(path)
    try:
        with Image.open(path) as image:
            width, height = image.size
            turned = image.getexif().get(ORIENTATION, 1) in (5, 6, 7, 8)
    except (*DAMAGE, Image.DecompressionBombError):
        return _size_of_read(path)
    return (width, height) if turned else (height, width)


def _size_of_read(path: Path) -> tuple[int, int] | None:
    """As :func:`_size`, of what is read for that."""
    try:
        height, width = read_photo(path, path.name).pixels.shape[:2]
    except EieError:
        return None
    return height, width


def _canvas(path: Path) -> tuple[int, int] | None:
    """Height and width of the canvas of an element file; None if it is none."""
    from eie.files.element_file import open_source

    try:
        height, width = open_source(path, None).integers("canvas", 2)
    except EieError:
        return None
    return int(height), int(width)


def _same(pixels: Any, photo: Path) -> bool:
    try:
        return np.array_equal(np.asarray(pixels), read_photo(photo, photo.name).pixels)
    except EieError:
        return False
