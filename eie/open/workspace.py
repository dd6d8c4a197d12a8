"""The workspace: the one folder whose photos and element files a server shows.

No name from a request leads anywhere else: names are those of files right in the folder, and
neither hidden ones nor links that lead out of it count.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from eie.files.folders import IMAGE_SUFFIXES
from eie.open.failures import RefusedError

ELEMENT_SUFFIXES = frozenset({".h5", ".hdf5", ".hdf", ".he5"})

_SEPARATORS = re.compile(r"[/\\\x00-\x1f\x7f]")
_DRIVE = re.compile(r"[A-Za-z]:")

_MASK = re.compile(r"-mask-\d+\.png$")
"""How the names of kept masks end, behind the document's stem."""

MOST_NAME = 200
"""Bytes of a file's name that a request may give."""


@dataclass(frozen=True)
class Workspace:
    """A folder.

    Attributes:
        folder: its resolved path.
    """

    folder: Path

    def file(self, name: str) -> Path:
        """The file of that name.

        Raises:
            RefusedError: 400 for what is no plain name, 404 where there is no such file.
        """
        path = self.folder / plain_name(name)
        if not self.holds(path):
            raise RefusedError(404, "there is no such file", where=name)
        return path

    def holds(self, path: Path) -> bool:
        """Whether a path is that of a regular file in the folder, which is not hidden, nor a link
        that leads out."""
        if path.name.startswith(".") or not path.is_file():
            return False
        return path.resolve().parent == self.folder if path.is_symlink() else True

    def photos(self) -> list[Path]:
        """Its photos, by name; masks that were kept are none."""
        return [path for path in self._files(IMAGE_SUFFIXES) if not _MASK.search(path.name)]

    def masks(self, stem: str) -> list[Path]:
        """The masks that were kept for the document `STEM.h5`."""
        pictures = self._files(frozenset({".png"}))
        return [path for path in pictures if _MASK.sub("", path.name) == stem]

    def element_files(self) -> list[Path]:
        """Its files that are named like element files, by name."""
        return list(self._files(ELEMENT_SUFFIXES))

    def _files(self, suffixes: frozenset[str]) -> Iterator[Path]:
        with os.scandir(self.folder) as entries:
            names = sorted(entry.name for entry in entries)
        for name in names:
            path = self.folder / name
            if path.suffix.lower() in suffixes and _is_text(name) and self.holds(path):
                yield path

    def free(self, name: str) -> Path:
        """A path of that name, or of one like it, that is not there yet: `a.jpg`, `a-2.jpg` …"""
        wanted = self.folder / plain_name(name)
        path, number = wanted, 1
        while os.path.lexists(path):
            number += 1
            path = wanted.with_stem(f"{wanted.stem}-{number}")
        return path


def plain_name(name: str) -> str:
    """The name, if it can only be that of a file in a folder.

    Raises:
        RefusedError: 400, it may lead elsewhere or is hidden.
    """
    bad = _SEPARATORS.search(name) or _DRIVE.match(name) or name.startswith(".")
    if not name.strip() or bad or name != name.strip():
        raise RefusedError(
            400,
            "is no name of a file in this folder",
            where=name[:80],
            hint="no path, no hidden file",
        )
    if len(os.fsencode(name)) > MOST_NAME:
        raise RefusedError(400, f"the name has more than {MOST_NAME} bytes", where=name[:80])
    return name


def _is_text(name: str) -> bool:
    """Whether a file's name is one that JSON can hold."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def id_of(name: str) -> str:
    """What stands for a document in addresses: the same after a restart."""
    return hashlib.sha256(os.fsencode(name)).hexdigest()[:16]
