"""Numbers of pixels as files mean them, where Pillow alone would give others."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from eie.elements import Canvas
from eie.errors import BadInputError
from eie.files import read_photo
from eie.files.masks import read_mask
from eie.notes import Note
from tests.odd_pictures import chunk, disc, encoded, scene

RGB = scene(40, 30)
DEEP = RGB.astype(np.uint16) * 257
DISC = disc(40, 30, 20, 15, 9)


def packed(rows: np.ndarray, depth: int) -> list[bytes]:
    """Rows of numbers of so many bits, most significant first, filled up to bytes."""
    bits = (rows[..., None] >> np.arange(depth)[::-1]) & 1  # (H, W, depth)
    return [row.tobytes() for row in np.packbits(bits.reshape(len(rows), -1), axis=1)]


def png(rows: np.ndarray, depth: int, kind: int, clear: bytes = b"") -> bytes:
    """A PNG of (H, W · C) numbers, 0 grey, 2 RGB or 4 grey with alpha, of so many bits each."""
    width = rows.shape[1] // {0: 1, 2: 3, 4: 2}[kind]
    size = struct.pack(">IIBBBBB", width, len(rows), depth, kind, 0, 0, 0)
    stored = zlib.compress(b"".join(b"\0" + row for row in packed(rows, depth)))
    parts = [chunk(b"IHDR", size), chunk(b"tRNS", clear) if clear else b"", chunk(b"IDAT", stored)]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts) + chunk(b"IEND", b"")


def tiff(strips: list[bytes], width: int, height: int, **tags: Any) -> bytes:
    """An unpacked TIFF, little-endian, a strip each of whole planes, with some tags' values."""
    samples, depths, extra = tags.get("samples", 1), tags.get("bits", 8), tags.get("extra", [])
    place, starts = 8, []
    for strip in strips:
        starts.append(place)
        place += len(strip) + len(strip) % 2
    entries = [
        (256, 4, [width]), (257, 4, [height]), (258, 3, [depths] * samples), (259, 3, [1]),
        (262, 3, [tags.get("photometric", 1)]), (273, 4, starts), (277, 3, [samples]),
        (278, 4, [height]), (279, 4, [len(strip) for strip in strips]),
        (284, 3, [tags.get("planes", 1)]), (339, 3, [tags.get("format", 1)] * samples),
    ]  # fmt: skip
    entries += [(338, 3, extra)] if extra else []
    if "software" in tags:
        entries.append((305, 2, [*tags["software"], 0]))
    entries.sort()
    more, table = place + 2 + 12 * len(entries) + 4, struct.pack("<H", len(entries))
    values = b""
    for tag, kind, numbers in entries:
        data = struct.pack(f"<{len(numbers)}{' BHI'[kind - 1]}", *numbers)
        table += struct.pack("<HHI", tag, kind, len(numbers))
        if len(data) <= 4:
            table += data.ljust(4, b"\0")
        else:
            table += struct.pack("<I", more + len(values))
            values += data
    body = b"".join(strip + b"\0" * (len(strip) % 2) for strip in strips)
    return b"II*\0" + struct.pack("<I", place) + body + table + bytes(4) + values


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
def test_the_transparent_grey_of_a_png_is_found_at_any_depth(depth: int) -> None:
    most = (1 << depth) - 1
    rows = np.repeat(np.array([[0], [most], [most // 2], [1]]), 8, axis=1)
    for clear in {0, 1, most}:
        photo = read_photo(png(rows, depth, 0, struct.pack(">H", clear)))
        assert (photo.pixels[..., 1] == np.where(rows == clear, 0, 255)).all()
        assert np.abs(photo.pixels[..., 0] - rows * 255.0 / most).max() < 1
    opaque = read_photo(png(rows % 16, 4, 0, struct.pack(">H", 300)))
    assert opaque.pixels.shape == (4, 8, 1)


def test_the_transparent_colour_of_a_deep_png_is_found() -> None:
    rows = np.array([[0x1234, 0x5678, 0x9ABC, 0x3434, 0x7878, 0xBCBC]])
    photo = read_photo(png(rows, 16, 2, struct.pack(">3H", 0x1234, 0x5678, 0x9ABC)))
    assert photo.pixels.tolist() == [[[0x12, 0x56, 0x9A, 0], [0x34, 0x78, 0xBC, 255]]]


def test_deep_grey_with_alpha_stays_grey() -> None:
    rows = np.stack([DEEP[..., 0], DISC * np.uint16(65_535)], axis=2).reshape(30, 80)
    photo = read_photo(png(rows.astype(np.int64), 16, 4))
    assert np.array_equal(photo.pixels, np.dstack([RGB[..., 0], DISC * np.uint8(255)]))


@pytest.mark.parametrize(("depth", "photometric"), [(8, 0), (8, 1), (12, 1), (16, 0), (16, 1)])
def test_grey_of_a_tiff_is_as_bright_as_it_says(depth: int, photometric: int) -> None:
    most = (1 << depth) - 1
    ramp = (np.arange(64) * most // 63).reshape(8, 8)
    stored = ramp if photometric else most - ramp
    strip = stored.astype("<u2").tobytes() if depth == 16 else b"".join(packed(stored, depth))
    photo = read_photo(tiff([strip], 8, 8, bits=depth, photometric=photometric))
    assert np.abs(photo.pixels[..., 0] - ramp * 255 / most).max() < 1


def test_deep_channels_that_lie_apart_are_refused_and_others_read() -> None:
    planes = [np.ascontiguousarray(RGB[..., i]).tobytes() for i in range(3)]
    usual = {"photometric": 2, "samples": 3, "planes": 2}
    assert np.array_equal(read_photo(tiff(planes, 40, 30, **usual)).pixels, RGB)
    deep = [DEEP[..., i].astype("<u2").tobytes() for i in range(3)]
    with pytest.raises(BadInputError, match="16-bit channels lie apart"):
        read_photo(tiff(deep, 40, 30, bits=16, **usual))


def test_signed_and_floating_numbers_are_named() -> None:
    with pytest.raises(BadInputError, match="signed numbers"):
        read_photo(tiff([bytes(64)], 8, 8, format=2))
    with pytest.raises(BadInputError, match="1 × 16 floating-point bits"):
        read_photo(tiff([bytes(128)], 8, 8, bits=16, format=3))
    with pytest.raises(BadInputError, match="2 × 16 bits a pixel"):
        read_photo(tiff([bytes(256)], 8, 8, bits=16, samples=2))


def test_a_tiff_whose_strips_end_early_is_not_filled_up_with_black() -> None:
    short = bytearray(encoded(RGB, "TIFF"))
    place = short.index(struct.pack("<HHII", 257, 4, 1, 30))
    short[place + 8 : place + 12] = struct.pack("<I", 31)
    with pytest.raises(BadInputError, match="says 40×31 and holds pixels of 40×30"):
        read_photo(bytes(short))


def test_channels_that_are_not_read_are_told_of() -> None:
    four = np.dstack([RGB, DISC * np.uint8(255)])
    photo = read_photo(tiff([four.tobytes()], 40, 30, photometric=2, samples=4, extra=[0]))
    assert np.array_equal(photo.pixels, RGB)
    assert photo.notes == ("a channel not said to be alpha left out",)
    assert not read_photo(encoded(four, "TIFF")).notes


def test_lab_becomes_srgb_with_a_note() -> None:
    lab = ImageCms.profileToProfile(
        Image.fromarray(RGB),
        ImageCms.createProfile("sRGB"),
        ImageCms.createProfile("LAB"),
        outputMode="LAB",
    )
    photo = read_photo(encoded(lab, "TIFF"))
    assert np.abs(photo.pixels.astype(int) - RGB).max() <= 6  # steps of 1/255 in L, 1 in a and b
    assert photo.icc is None and photo.notes == ("its LAB colours are converted to sRGB",)


@pytest.mark.parametrize("how", ["Adobe", "plain", "YCCK"])
def test_cmyk_jpegs_of_all_kinds_have_the_same_colours(how: str) -> None:
    ink = np.asarray(Image.fromarray(RGB).convert("CMYK"))
    stored = ink
    if how == "YCCK":  # Adobe's inverted inks as YCbCr, which Pillow stores inverted once more
        ycc = np.asarray(Image.fromarray(ink[..., :3]).convert("YCbCr"))
        stored = np.dstack([255 - ycc, ink[..., 3]])
    data = encoded(
        Image.frombytes("CMYK", (40, 30), stored.tobytes()), "JPEG", quality=100, subsampling=0
    )
    marker = data.index(b"\xff\xee")
    if how == "plain":
        length = int.from_bytes(data[marker + 2 : marker + 4], "big")
        data = data[:marker] + data[marker + 2 + length :]
    elif how == "YCCK":
        transform = data.index(b"Adobe") + 11
        data = data[:transform] + b"\2" + data[transform + 1 :]
    assert np.abs(read_photo(data).pixels.astype(int) - RGB).max() <= 5


@pytest.mark.parametrize("kind", [np.float32, np.int32])
@pytest.mark.parametrize("most", [1, 255, 70_000])
def test_masks_may_be_of_any_numbers_and_photos_not(tmp_path: Path, kind: type, most: int) -> None:
    data = encoded(Image.fromarray((DISC * most).astype(kind)), "TIFF")
    (tmp_path / "m.tif").write_bytes(data)
    assert np.array_equal(read_mask(tmp_path / "m.tif", Canvas(30, 40)), DISC)
    with pytest.raises(BadInputError, match="32 bits a channel"):
        read_photo(data)


def test_numbers_that_mark_nothing_are_refused(tmp_path: Path) -> None:
    for bad in (-1, np.nan, np.inf):
        values = np.where(DISC, bad, 1).astype(np.float32)
        (tmp_path / "m.tif").write_bytes(encoded(Image.fromarray(values), "TIFF"))
        with pytest.raises(BadInputError, match="negative or not finite"):
            read_mask(tmp_path / "m.tif", Canvas(30, 40))


def test_bits_as_tifffile_writes_them_are_told_of(tmp_path: Path) -> None:
    pixels = np.packbits(DISC, axis=1).tobytes()
    usual = read_photo(tiff([pixels], 40, 30, bits=1, photometric=0))
    assert np.array_equal(usual.pixels[..., 0], ~DISC * np.uint8(255)) and not usual.notes
    told = read_photo(tiff([pixels], 40, 30, bits=1, photometric=0, software=b"tifffile.py"))
    assert np.array_equal(told.pixels, usual.pixels)
    assert told.notes == (
        "it says that 0 is white, as tifffile writes of bool arrays without turning them",
    )
    data = tiff([pixels], 40, 30, bits=1, photometric=0, software=b"tifffile.py")
    (tmp_path / "m.tif").write_bytes(data)
    with pytest.warns(Note, match="0 is white, as tifffile writes"):
        assert np.array_equal(read_mask(tmp_path / "m.tif", Canvas(30, 40)), ~DISC)
