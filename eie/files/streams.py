"""Standard input and output as carriers of files.

Standard output carries the payload and nothing else; a terminal is never given binary data, nor
asked for it.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import BinaryIO

from eie.errors import BadInputError, ResourceError, UsageError

STREAM = "-"
"""The file name that means standard input or output."""


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
        data = source.read()
    except OSError as error:
        raise BadInputError(f"cannot be read: {error.strerror}", where=where) from error
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


def is_piped_in() -> bool:
    """Whether standard input is a pipe or file rather than a terminal."""
    source = _binary(sys.stdin)
    return source is not None and not source.isatty()


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
