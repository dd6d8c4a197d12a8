"""The chunks of a PNG: what it says beside its pixels, and which of them hold pixels at all."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

_CRITICAL = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS"})
_USEFUL = frozenset({b"iCCP", b"sRGB", b"gAMA", b"cHRM", b"cICP", b"eXIf", b"acTL"})


def chunks(data: bytes) -> Iterator[tuple[bytes, bytes, bool]]:
    """The chunks of a PNG: kind, all of it, and whether its checksum is right."""
    place = 8
    while place + 12 <= len(data):
        length = int.from_bytes(data[place : place + 4], "big")
        whole = data[place : place + 12 + length]
        kind = whole[4:8]
        good = len(whole) == 12 + length and zlib.crc32(whole[4:-4]) == int.from_bytes(
            whole[-4:], "big"
        )
        yield kind, whole, good
        place += 12 + length


def first_chunk(head: bytes, wanted: bytes) -> bytes | None:
    """The content of one of a PNG's first chunks, if it is there and whole."""
    for kind, whole, good in chunks(head):
        if kind == wanted and good:
            return whole[8:-4]
        if kind == b"IDAT":
            break
    return None


def tidied(data: bytes) -> Iterator[bytes]:
    """A PNG without the chunks that hold no pixels: first the damaged and long ones, then all."""
    found = list(chunks(data))
    for useful in (_USEFUL, frozenset[bytes]()):
        kept = (
            whole for kind, whole, good in found if kind in _CRITICAL or (kind in useful and good)
        )
        yield data[:8] + b"".join(kept)
