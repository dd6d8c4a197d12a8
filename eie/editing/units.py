"""What is typed: points, shifts, factors and angles, and how such small texts are read.

`120,80`, `+40,0`, `-5%,10.5%`, `1.5`, `150%,80%`, `-30`: a length is a decimal number in canvas
pixels, or with `%` in hundredths of the canvas: of its width in x, of its height in y. The frame is
that of :mod:`eie.geometry`. A :class:`Reader` walks over one text, token by token, and fails with
the place it stopped at.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from eie.elements import Canvas
from eie.errors import UsageError
from eie.geometry import normal_angle

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


MAX_EXTENT = 1_000_000.0
"""Farthest coordinate and largest size, in pixels (and largest number that can be typed)."""

_NUMBER = re.compile(r"([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))(%?)")
_COMMA = re.compile(",")
_DEGREES = re.compile("°")

_FINEST_ANGLE = 2.0**-32


@dataclass(frozen=True)
class Length:
    """A number, in pixels or in hundredths of the canvas."""

    value: float
    percent: bool = False

    def of(self, whole: float) -> float:
        """The length in pixels on a canvas that measures `whole` pixels in this direction."""
        return self.value * whole / 100 if self.percent else self.value

    def __str__(self) -> str:
        return np.format_float_positional(self.value, trim="-") + ("%" if self.percent else "")


@dataclass(frozen=True)
class Point:
    """A place on the canvas, or a shift."""

    x: Length
    y: Length

    def on(self, canvas: Canvas) -> NDArray[np.float64]:
        """(2,) x and y in pixels of the canvas."""
        return np.array([self.x.of(canvas.width), self.y.of(canvas.height)])

    def shift_on(self, canvas: Canvas) -> NDArray[np.float64]:
        """(2,) x and y in pixels; those typed in `%` are rounded to whole pixels.

        A photo moved by whole pixels stays as sharp as it was, one moved by 25.6 does not.
        """
        x, y = self.on(canvas)
        return np.array(
            [
                whole_pixels(x) if self.x.percent else x,
                whole_pixels(y) if self.y.percent else y,
            ]
        )

    def __str__(self) -> str:
        return f"{self.x},{self.y}"


def whole_pixels(lengths: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lengths in pixels, rounded to whole ones, halves upwards."""
    return np.floor(np.asarray(lengths) + 0.5)


def read_length(reader: Reader) -> Length:
    """A number and, maybe, its `%`."""
    start = reader.position
    number, percent = reader.expect(_NUMBER, "a number").groups()
    value = float(number)
    if not abs(value) <= MAX_EXTENT:
        reader.position = start
        reader.fail("the number is too large", hint=f"at most {MAX_EXTENT:,.0f}")
    return Length(value, bool(percent))


def read_lengths(reader: Reader, count: int) -> tuple[Length, ...]:
    """`count` numbers with commas between."""
    lengths = [read_length(reader)]
    while len(lengths) < count:
        reader.expect(_COMMA, "a comma and another number")
        lengths.append(read_length(reader))
    return tuple(lengths)


def read_point(reader: Reader) -> Point:
    """Two numbers with a comma between."""
    return Point(*read_lengths(reader, 2))


def parse_point(text: str) -> Point:
    """`x,y`, nothing before or behind.

    Raises:
        UsageError: with the character at which the text stops being a point.
    """
    return _whole_point(text, "point", "write x,y in pixels or %, for example 120,80 or 50%,50%")


def parse_shift(text: str) -> Point:
    """`dx,dy`, nothing before or behind.

    Raises:
        UsageError: with the character at which the text stops being a shift.
    """
    return _whole_point(text, "shift", "write dx,dy in pixels or %, for example +40,0 or -5%,10%")


def _whole_point(text: str, what: str, grammar: str) -> Point:
    reader = Reader(text, what, grammar)
    point = read_point(reader)
    reader.finish()
    return point


def parse_factors(text: str) -> NDArray[np.float64]:
    """`f` or `fx,fy`: factors > 0 in x and y; `150%` is 1.5.

    Raises:
        UsageError: with the character at which the text stops being a factor.
    """
    reader = Reader(text, "factor", "write f or fx,fy, for example 1.5 or 100%,80%")
    factors = [_read_factor(reader)]
    if reader.take(_COMMA):
        factors.append(_read_factor(reader))
    reader.finish()
    return np.array([factors[0], factors[-1]])


def parse_angle(text: str) -> float:
    """Degrees, with `°` or without: in (−180, 180], a multiple of 2⁻³².

    Raises:
        UsageError: with the character at which the text stops being an angle.
    """
    reader = Reader(text, "angle", "write degrees, clockwise: for example 30 or -12.5")
    angle = read_length(reader)
    if angle.percent:
        reader.position -= 1
        reader.fail("an angle is in degrees, not in %")
    reader.take(_DEGREES)
    reader.finish()
    return float(normal_angle(round(angle.value / _FINEST_ANGLE) * _FINEST_ANGLE))


def _read_factor(reader: Reader) -> float:
    start = reader.position
    factor = read_length(reader).of(1.0)
    if factor <= 0:
        reader.position = start
        reader.fail("a factor must be larger than 0", hint="--flip mirrors, --delete removes")
    return factor
