"""Files that lie elsewhere: s3://, gs://, memory:// … and all else that fsspec knows.

What lies on this machine is a :class:`pathlib.Path`, file:// or not; what does not is a
:class:`StoredPath`, which has as much of a path's methods as is wanted of both.
"""

from __future__ import annotations

import glob
import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath
from typing import Any, BinaryIO

from eie.errors import BadInputError, EieError, MissingModelError, ResourceError, UsageError

_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]+)://(?P<rest>.*)", re.DOTALL)

_WHOLE = frozenset(
    {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "oss", "oci", "hf", "memory"}
)
"""Stores in which an object appears whole or not at all. In others a file is written under another
name and moved."""

_NO_PATTERNS = frozenset({"http", "https"})
"""Stores whose names hold question marks."""


_BLOCK = 1 << 16
"""Bytes that are fetched beyond what is asked for."""


@dataclass(frozen=True, order=True)
class StoredPath:
    """A file or folder of a store.

    Attributes:
        url: its name, without a slash at the end.
    """

    url: str

    def __str__(self) -> str:
        return self.url

    def __truediv__(self, part: str | PurePath) -> StoredPath:
        below = part.as_posix() if isinstance(part, PurePath) else part
        return self if below in ("", ".") else StoredPath(f"{self.url}/{below}")

    @property
    def name(self) -> str:
        return self.url.rpartition("/")[2]

    @property
    def suffix(self) -> str:
        return PurePosixPath(self.name).suffix

    @property
    def parent(self) -> StoredPath:
        """The folder it lies in; of a bucket, it itself."""
        above = self.url.rpartition("/")[0]
        return self if above.endswith(("/", ":")) else StoredPath(above)

    @property
    def scheme(self) -> str:
        return self.url.partition(":")[0].lower()

    @property
    def may_be_pattern(self) -> bool:
        return self.scheme not in _NO_PATTERNS

    def is_file(self) -> bool:
        with _reading(self):
            system, path = _opened(self)
            return bool(system.isfile(path))

    def is_dir(self) -> bool:
        with _reading(self):
            system, path = _opened(self)
            return bool(system.isdir(path))

    def read_bytes(self) -> bytes:
        """All of the file.

        Raises:
            BadInputError: it is missing or cannot be read.
        """
        with _reading(self):
            system, path = _opened(self)
            return bytes(system.cat_file(path))

    def open(self, mode: str = "rb") -> BinaryIO:
        """The file, opened to be read here and there: no more is fetched than what is read.

        Raises:
            BadInputError: it is missing or cannot be read.
        """
        with _reading(self):
            system, path = _opened(self)
            handle: BinaryIO = system.open(path, mode, block_size=_BLOCK)
            return handle

    def write_bytes(self, content: bytes) -> None:
        """Write the file, so that a reader meets the old content or the new, never a part.

        Raises:
            ResourceError: it cannot be written.
        """
        with _in_words(self, "written", ResourceError):
            system, path = _opened(self)
            if self.scheme in _WHOLE:
                system.pipe_file(path, content)
                return
            parent, _, name = path.rpartition("/")
            temporary = f"{parent}/{_hidden(name)}"
            try:
                system.makedirs(parent, exist_ok=True)
                system.pipe_file(temporary, content)
                system.mv(temporary, path)
            except BaseException:
                with suppress(Exception):
                    system.rm_file(temporary)
                raise

    def unlink(self, missing_ok: bool = False) -> None:
        with _in_words(self, "removed", ResourceError):
            system, path = _opened(self)
            if not missing_ok or system.exists(path):
                system.rm_file(path)

    def mkdir(self, parents: bool = True, exist_ok: bool = True) -> None:
        """Nothing: stores have no empty folders, and where they have, writing makes them."""

    def files(self, recursive: bool = False) -> list[PurePosixPath]:
        """The files below, by their paths from here; those of a folder before its folders'.

        Raises:
            BadInputError: they cannot be listed.
        """
        with _reading(self):
            system, path = _opened(self)
            found = system.find(path, maxdepth=None if recursive else 1)
        return sorted((_below(path, name) for name in found), key=_files_first)

    def glob(self, pattern: str) -> list[PurePosixPath]:
        """The files below that a pattern finds, by their paths from here."""
        with _reading(self):
            system, path = _opened(self)
            found = [name for name in system.glob(f"{path}/{pattern}") if system.isfile(name)]
        return sorted(_below(path, name) for name in found)


AnyPath = Path | StoredPath


def path_of(name: str | PurePath | StoredPath) -> AnyPath:
    """The file or folder of a name: a path of this machine, or an address SCHEME://…"""
    if isinstance(name, StoredPath):
        return name
    if isinstance(name, PurePath) or not (found := _URL.fullmatch(name)):
        return Path(name)
    if found["scheme"].lower() == "file":
        return Path(re.sub(r"^/(?=[A-Za-z]:)", "", found["rest"]))  # file:///C:/x
    return StoredPath(name.rstrip("/"))


def parted(pattern: AnyPath) -> tuple[AnyPath, str]:
    """The folder of a pattern down to its first part that stands for several, and the rest."""
    separators = r"(?<=[/\\])" if os.name == "nt" else "(?<=/)"
    parts = re.split(separators, str(pattern))
    fixed = next(index for index, part in enumerate(parts) if glob.has_magic(part))
    return path_of("".join(parts[:fixed]) or "."), "".join(parts[fixed:])


def in_folder(folder: AnyPath, name: str) -> AnyPath:
    """A file of a folder, or what it leads to by itself."""
    path = path_of(name)
    return path if isinstance(path, StoredPath) or path.is_absolute() else folder / path


def check_store(path: StoredPath) -> None:
    """Find out before the work whether there is software for a store.

    Raises:
        MissingModelError, UsageError: there is none.
    """
    with _in_words(path, "reached", ResourceError):
        _opened(path)


def _opened(path: StoredPath) -> tuple[Any, str]:
    """fsspec's file system of a store, which lists anew each time, and the name in it."""
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise MissingModelError(
            f"{path.scheme}:// needs fsspec, which is not installed",
            where=str(path),
            hint='pip install "eie[remote]"',
        ) from error
    try:
        system, name = url_to_fs(path.url, use_listings_cache=False)
    except ImportError as error:  # "Install s3fs to access S3"
        raise MissingModelError(_line(error), where=str(path)) from error
    except ValueError as error:
        raise UsageError(f"no such store: {_line(error)}", where=str(path)) from error
    return system, str(name)


def _reading(path: StoredPath) -> Any:
    return _in_words(path, "read", BadInputError)


@contextmanager
def _in_words(path: StoredPath, done: str, kind: type[EieError]) -> Iterator[None]:
    """Errors of stores, which are of whatever kinds their libraries have."""
    try:
        yield
    except EieError:
        raise
    except FileNotFoundError as error:
        raise kind(f"cannot be {done}: No such file or directory", where=str(path)) from error
    except Exception as error:
        reason = getattr(error, "strerror", None) or _line(error)
        raise kind(f"cannot be {done}: {reason}", where=str(path)) from error


def _line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _hidden(name: str) -> str:
    """The name that a file has until it is whole: the same each time, so that what a killed process
    left is replaced."""
    return f".eie-{hashlib.sha256(name.encode(errors='replace')).hexdigest()[:16]}.tmp"


def _files_first(path: PurePosixPath) -> list[tuple[bool, str]]:
    """By what files are sorted so that those of a folder come before its folders'."""
    return [*((True, folder) for folder in path.parts[:-1]), (False, path.name)]


def _below(folder: str, name: str) -> PurePosixPath:
    return PurePosixPath(name.removeprefix(folder.rstrip("/")).lstrip("/"))
