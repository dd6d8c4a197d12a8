"""Notes: what was done otherwise than the user may have expected, in one plain line each.

The library tells them as warnings of the category :class:`Note`, which Python shows once and which
a program can catch or silence; the command line writes them to standard error.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable


class Note(Warning):
    """What was done otherwise than expected; nothing failed."""


def tell(texts: Iterable[str], where: str | None = None) -> None:
    """Tell notes, each once.

    Args:
        where: the file they are about.
    """
    for text in dict.fromkeys(texts):
        warnings.warn(f"{where}: {text}" if where else text, Note, stacklevel=2)
