"""Every failure is one line on stderr and an exit code."""

from __future__ import annotations

import logging
import os
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import typer

from eie.cli.input_output import note
from eie.errors import UsageError, explained
from eie.notes import Note

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
    if isinstance(error, typer.TyperException):
        message = " ".join(error.format_message().split())
        if left := _LEFT_OVER.match(message):
            message = f"one file at a time: {left[1]} is left over"
        return f"{message} (see {_help_command(error)})", UsageError.exit_code
    return explained(error)


def _help_command(error: typer.TyperException) -> str:
    context = getattr(error, "ctx", None)
    return f"{context.command_path if context else 'eie'} --help"
