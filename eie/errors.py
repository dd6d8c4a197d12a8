"""What can go wrong, in words for people.

Every foreseeable failure is an :class:`EieError`: what was wrong, where, and what to do.
The command line turns it into one line on stderr and the kind's exit code; anything else that
escapes is a bug and exits with 1.
"""

from __future__ import annotations

from typing import ClassVar


class EieError(Exception):
    """A failure that is not a bug of eie.

    Args:
        message: what was wrong, without a final full stop.
        where: the file, node, option or element it was found in ("/elements/box in photo.h5").
        hint: what the reader can do about it.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, where: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        """One line: "where: message (hint)"; line breaks of foreign messages are folded."""
        text = f"{self.where}: {self.message}" if self.where else self.message
        if self.hint:
            text = f"{text} ({self.hint})"
        return " ".join(text.split())


class UsageError(EieError):
    """The command or call does not make sense: unknown element, bad number, missing option."""

    exit_code = 2


class BadInputError(EieError):
    """A file or array is not what it should be: damaged, foreign, unsafe, unreadable or missing."""

    exit_code = 3


class MissingModelError(EieError):
    """Weights or an optional dependency are absent, damaged or of another kind."""

    exit_code = 4


class ResourceError(EieError):
    """Memory or disk ran out, or a place cannot be written."""

    exit_code = 5
