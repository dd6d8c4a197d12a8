"""Text files of any of the usual encodings."""

from __future__ import annotations

import codecs

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def decoded(data: bytes) -> tuple[str, str | None]:
    """A text file's content, and a note where its encoding had to be guessed.

    A byte order mark tells the encoding (Windows' editors write one); without one it is UTF-8, or
    else Windows' Western European.

    Raises:
        ValueError: it is no text in any of these.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _text(data.decode(encoding)), None
    try:
        return _text(data.decode("utf-8")), None
    except UnicodeDecodeError:
        return _text(data.decode("cp1252")), "it is no UTF-8 and is read as Windows-1252"


def _text(text: str) -> str:
    if "\0" in text:
        raise ValueError("it holds zero bytes, as no text does")
    return text
