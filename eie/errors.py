"""What can go wrong, in words for people.

Every foreseeable failure is an :class:`EieError`: what was wrong, where, and what to do.
The command line turns it into one line on stderr and the kind's exit code; anything else that
escapes is a bug and exits with 1.
"""

from __future__ import annotations

import errno
import re
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


BUG = 1
"""Exit code of anything that was not foreseen."""

_NO_MEMORY = re.compile(
    r"OutOfMemoryError|failed to map segment"
    r"|(?i:not enough memory|can't allocate memory|insufficient memory)"
)
"""What torch, OpenCV and the loader of libraries say; their errors are of no kind of their own, or
of one that must not be imported to know it."""


def explained(error: BaseException) -> tuple[str, int]:
    """The line and the exit code for anything that the library may raise."""
    if isinstance(error, EieError):
        return str(error), error.exit_code
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
