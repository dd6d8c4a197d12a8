"""Standard input and output as carriers of files.

Standard output carries the payload and nothing else; a terminal is never given binary data, nor
asked for it.
"""

from __future__ import annotations

import io
import os
import stat
import sys
from contextlib import suppress
from typing import BinaryIO

from eie.errors import BadInputError, ResourceError, UsageError
from eie.files.stores import AnyPath, StoredPath, path_of

STREAM = "-"
"""The file name that means standard input or output."""


MOST_PIPED = 1 << 30
"""Bytes that are read of what tells no size: a pipe or a device may never end."""


def open_input(source: AnyPath | str, where: str | None = None) -> BinaryIO:
    """A named file, opened to be sought in; what cannot be sought in (a pipe) is read to its end,
    and so is a file of a store.

    Args:
        where: its name in messages; the path by itself.

    Raises:
        BadInputError: it is missing, a folder, a device, or cannot be read.
        UsageError: it is a terminal.
    """
    where = where or str(source)
    path = path_of(source)
    if isinstance(path, StoredPath):
        return io.BytesIO(path.read_bytes())
    try:
        handle = path.open("rb")
        if stat.S_ISREG(os.fstat(handle.fileno()).st_mode):
            return handle
        with handle:
            return io.BytesIO(_read_stream(handle, where))
    except OSError as error:
        reason = error.strerror or str(error)
        raise BadInputError(f"cannot be read: {reason}", where=where) from error
    except ValueError as error:  # a NUL in the name
        raise BadInputError(f"cannot be read: {error}", where=where) from error


def _read_stream(handle: BinaryIO, where: str) -> bytes:
    """All of what is no regular file."""
    kind = os.fstat(handle.fileno()).st_mode
    if handle.isatty():
        raise UsageError(
            "a file is expected, not typing", where=where, hint="name a file or pipe one in"
        )
    null = stat.S_ISCHR(kind) and os.fstat(handle.fileno()).st_rdev == _null_device()
    if stat.S_ISBLK(kind) or (stat.S_ISCHR(kind) and not null):
        raise BadInputError("is a device, not a file", where=where)
    data = handle.read(MOST_PIPED + 1)
    if len(data) > MOST_PIPED:
        raise BadInputError(
            f"more than {MOST_PIPED >> 30} GiB come from it", where=where, hint="name a file"
        )
    return data


def _null_device() -> int:
    try:
        return os.stat(os.devnull).st_rdev  # noqa: PTH116 - it is no path of a file
    except OSError:
        return -1


def read_input(stream: BinaryIO | None = None) -> bytes:
    """All of standard input.

    Args:
        stream: read this instead.

    Raises:
        UsageError: it is a terminal.
        BadInputError: it is closed, empty or cannot be read.
    """
    where = "standard input"
    source = _binary(sys.stdin) if stream is None else stream
    if source is None:
        raise BadInputError("is closed", where=where)
    if source.isatty():
        raise UsageError(
            "a file is expected, not typing", where=where, hint="name a file or pipe one in"
        )
    try:
        data = source.read(MOST_PIPED + 1)
    except OSError as error:
        raise BadInputError(f"cannot be read: {error.strerror}", where=where) from error
    if len(data) > MOST_PIPED:
        raise BadInputError(
            f"more than {MOST_PIPED >> 30} GiB come in", where=where, hint="name a file"
        )
    if not data:
        raise BadInputError("nothing came in", where=where, hint="did the command before it fail?")
    return data


def write_output(data: bytes, stream: BinaryIO | None = None) -> None:
    """Write a file to standard output, to the last byte.

    Args:
        data: the file's content.
        stream: write to this instead.

    Raises:
        UsageError: it is a terminal.
        ResourceError: it is closed or full.
        BrokenPipeError: the reader has gone away, which is no error of ours; the output is muted,
            so that nothing more is said about it when Python exits.
    """
    where = "standard output"
    target = _binary(sys.stdout) if stream is None else stream
    if target is None:
        raise ResourceError("is closed", where=where)
    if target.isatty():
        raise UsageError(
            "binary data does not go to a terminal",
            where=where,
            hint="give a file with -o, or pipe the output on",
        )
    try:
        target.write(data)
        target.flush()
    except BrokenPipeError:
        _mute(target)
        raise
    except OSError as error:
        _mute(target)
        raise ResourceError(f"cannot be written: {error.strerror}", where=where) from error


def _binary(stream: object) -> BinaryIO | None:
    """The bytes beneath a text stream; None where there is none or it is closed."""
    buffer: BinaryIO | None = getattr(stream, "buffer", None)
    return None if buffer is None or buffer.closed else buffer


def _mute(stream: BinaryIO) -> None:
    """Send what is left in the buffer nowhere: flushing it at exit would fail once more."""
    with suppress(OSError, ValueError):
        descriptor = os.open(os.devnull, os.O_WRONLY)
        os.dup2(descriptor, stream.fileno())
        os.close(descriptor)
