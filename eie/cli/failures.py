"""Every failure is one line on stderr and an exit code."""

from __future__ import annotations

import errno
import logging
import os
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import typer

from eie.cli.payload import note
from eie.errors import BadInputError, EieError, MissingModelError, ResourceError, UsageError
from eie.notes import Note

BUG = 1

_NO_MEMORY = re.compile(
    r"OutOfMemoryError|failed to map segment"
    r"|(?i:not enough memory|can't allocate memory|insufficient memory)"
)
"""What torch, OpenCV and the loader of libraries say; their errors are of no kind of their own, or
of one that must not be imported to know it."""


_LEFT_OVER = re.compile(r"Got unexpected extra arguments?(?:\(s\))? \((.*)\)$")
"""What is said of words that no argument takes, as of a second photo."""


def traceback_wanted(arguments: Sequence[str]) -> bool:
    """Whether the user asked for tracebacks by --debug before the command or by EIE_TRACEBACK."""
    return "--debug" in arguments or os.environ.get("EIE_TRACEBACK", "0") not in ("", "0")


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Keep the warnings and log lines of libraries, which mean nothing to the user, off stderr.

    Notes of ours are shown, each as a line.
    """
    disabled = logging.root.manager.disable
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", Note)
        warnings.showwarning = _show  # restored by catch_warnings
        logging.disable()
        try:
            yield
        finally:
            logging.disable(disabled)


def _show(message: Warning | str, *_: object, **__: object) -> None:
    """Write a warning that is shown at all: a note."""
    note(" ".join(str(message).split()))


def explain(error: Exception) -> tuple[str, int]:
    """The line and the exit code for anything that a command may raise."""
    if isinstance(error, EieError):
        return str(error), error.exit_code
    if isinstance(error, typer.TyperException):
        message = " ".join(error.format_message().split())
        if left := _LEFT_OVER.match(message):
            message = f"one file at a time: {left[1]} is left over"
        return f"{message} (see {_help_command(error)})", UsageError.exit_code
    if isinstance(error, MemoryError) or _NO_MEMORY.search(f"{type(error).__name__}: {error}"):
        return "out of memory (try a smaller photo or fewer elements)", ResourceError.exit_code
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk is full: {error.strerror}", ResourceError.exit_code
    if isinstance(error, PermissionError) and error.filename:
        # Even asking whether there is a file may not be allowed.
        return f"{error.filename}: cannot be opened: {error.strerror}", BadInputError.exit_code
    if isinstance(error, UnicodeEncodeError) and "surrogates" in error.reason:
        return "a name holds bytes that are no UTF-8 (rename the file)", UsageError.exit_code
    if isinstance(error, ModuleNotFoundError) and error.name and not error.name.startswith("eie"):
        package = error.name.split(".")[0].replace("_", "-")
        missing = f"this needs {package}, which is not installed (pip install {package})"
        return missing, MissingModelError.exit_code
    what = " ".join(f"{type(error).__name__}: {error}".split())
    return f"this is a bug, please report it: {what} (EIE_TRACEBACK=1 shows where)", BUG


def _help_command(error: typer.TyperException) -> str:
    context = getattr(error, "ctx", None)
    return f"{context.command_path if context else 'eie'} --help"
