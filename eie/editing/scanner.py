"""Reading the small texts of the command line: selections, points, factors.

A :class:`Reader` walks over one text, token by token, and fails with the place it stopped at.
"""

from __future__ import annotations

import re
from typing import NoReturn

from eie.errors import UsageError

_BLANKS = re.compile(r"\s*")


class Reader:
    """A position in a text that is taken apart by regular expressions.

    Args:
        text: the text to read.
        what: what it is, for error messages ("selection").
        grammar: the forms it can take, told as a hint when it has none of them.
    """

    def __init__(self, text: str, what: str, grammar: str) -> None:
        self.text = text
        self.what = what
        self.grammar = grammar
        self.position = 0
        self._skip_blanks()

    @property
    def done(self) -> bool:
        return self.position == len(self.text)

    def take(self, token: re.Pattern[str]) -> re.Match[str] | None:
        """The token, if the rest of the text begins with it; passes it and the blanks behind."""
        match = token.match(self.text, self.position)
        if match:
            self.position = match.end()
            self._skip_blanks()
        return match

    def expect(self, token: re.Pattern[str], name: str) -> re.Match[str]:
        """The token, which must come here."""
        return self.take(token) or self.fail(f"expected {name}")

    def finish(self) -> None:
        """Check that nothing is left over."""
        if not self.done:
            self.fail("expected the end")

    def fail(self, problem: str, hint: str | None = None) -> NoReturn:
        """Report a problem at the current position."""
        rest = self.text[self.position : self.position + 20]
        place = f"at {rest!r} (character {self.position + 1})" if rest else "at its end"
        raise UsageError(
            f"{problem} {place}", where=f"{self.what} {self.text[:60]!r}", hint=hint or self.grammar
        )

    def _skip_blanks(self) -> None:
        blanks = _BLANKS.match(self.text, self.position)
        self.position = blanks.end() if blanks else self.position
