from __future__ import annotations

import pytest

from eie.files.text import decoded


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_unicode_is_read_without_a_word(encoding: str) -> None:
    assert decoded("größer 猫\n".encode(encoding)) == ("größer 猫\n", None)


def test_windows_letters_are_read_with_a_note() -> None:
    text, note = decoded("größer".encode("cp1252"))
    assert text == "größer" and note is not None and "1252" in note


@pytest.mark.parametrize("data", [b"\xff\xfe\xfd", b"a\0b", b"\x81\x8d\xff", b"a\0b\0\xff"])
def test_what_is_no_text_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        decoded(data)
