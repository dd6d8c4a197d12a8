"""Pictures as cameras, phones and other programs leave them."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, TiffImagePlugin

Entry = tuple[int, int, int, bytes]


def scene(width: int, height: int, seed: int = 0) -> np.ndarray:
    """(H, W, 3) uint8, a soft ground with some discs of other colours."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    picture = np.stack([90 + 60 * x / width, 110 + 50 * y / height, 150 - 50 * x / width], axis=2)
    for _ in range(7):
        cx, cy = random.uniform(0, width), random.uniform(0, height)
        radius = random.uniform(0.08, 0.2) * min(width, height)
        picture[(x - cx) ** 2 + (y - cy) ** 2 < radius**2] = random.uniform(30, 220, 3)
    return (picture + random.uniform(-2, 2, picture.shape)).clip(0, 255).astype(np.uint8)


def disc(width: int, height: int, cx: float, cy: float, radius: float) -> np.ndarray:
    """(H, W) bool."""
    y, x = np.mgrid[:height, :width]
    return (x - cx) ** 2 + (y - cy) ** 2 < radius**2


def encoded(pixels: np.ndarray | Image.Image, format: str, **options: object) -> bytes:
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    stream = io.BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()


def short(tag: int, *values: int) -> Entry:
    return (tag, 3, len(values), struct.pack(f"<{len(values)}H", *values))


def long(tag: int, *values: int) -> Entry:
    return (tag, 4, len(values), struct.pack(f"<{len(values)}I", *values))


def text(tag: int, value: bytes) -> Entry:
    return (tag, 2, len(value) + 1, value + b"\0")


def exif(*entries: Entry) -> bytes:
    """An EXIF block with these tags, types as given."""
    ordered = sorted(entries)
    place = 8 + 2 + 12 * len(ordered) + 4
    head, data = struct.pack("<H", len(ordered)), b""
    for tag, kind, count, value in ordered:
        if len(value) <= 4:
            head += struct.pack("<HHI", tag, kind, count) + value.ljust(4, b"\0")
        else:
            head += struct.pack("<HHII", tag, kind, count, place + len(data))
            data += value
    return b"Exif\0\0II*\0" + struct.pack("<I", 8) + head + bytes(4) + data


def chunk(kind: bytes, data: bytes, checksum: int | None = None) -> bytes:
    right = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum or right)


def png(pixels: np.ndarray, *chunks: bytes) -> bytes:
    """A PNG of (H, W, 3) uint8 or uint16 with further chunks before its pixels."""
    height, width = pixels.shape[:2]
    depth = 8 * pixels.dtype.itemsize
    stored = pixels if depth == 8 else pixels.astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in stored)
    size = struct.pack(">IIBBBBB", width, height, depth, 2, 0, 0, 0)
    parts = [chunk(b"IHDR", size), *chunks, chunk(b"IDAT", zlib.compress(rows))]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts) + chunk(b"IEND", b"")


def chunks_of(data: bytes) -> list[bytes]:
    place, names = 8, []
    while place < len(data):
        names.append(data[place + 4 : place + 8])
        place += 12 + struct.unpack(">I", data[place : place + 4])[0]
    return names


def tiff_of_pages(path: Path, *pages: tuple[tuple[int, int], int]) -> Path:
    """A TIFF with a page of each size, marked with its kind (tag 254)."""
    with TiffImagePlugin.AppendingTiffWriter(path, True) as tiff:
        for size, kind in pages:
            Image.fromarray(scene(*size)).save(tiff, format="TIFF", tiffinfo={254: kind})
            tiff.newFrame()
    return path
