"""Photos out: PNG, JPEG, WebP and TIFF, and what these formats can hold."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eie.elements.source import Pixels
from eie.errors import UsageError
from eie.files.atomic import write_atomically
from eie.files.exif import SOFTWARE, parsed, resolution, shortened, true_exif
from eie.files.photo import DAMAGE, Photo
from eie.files.png_chunks import redressed
from eie.notes import tell

FORMATS: Mapping[str, str] = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
}
"""The format of a picture file to write by its extension."""

QUALITY = 95
"""JPEG quality unless another is asked for."""

_LEVEL, _RUN_LENGTHS = 1, 3
"""zlib's level, and its strategy that looks for runs alone: filtered photos hold hardly anything
else that repeats. As small as by its default level, in a fifth of the time."""

_LARGE = 1 << 23
"""Numbers of a picture from which on it pays to code a PNG by OpenCV."""

MOST_SIDE: Mapping[str, int] = {"JPEG": 65_500, "WEBP": 16_383}
"""Pixels that a format's sides may have; the others take any photo's."""

MOST_EXIF: Mapping[str, int] = {"JPEG": 65_533}
"""Bytes of an EXIF block that a format can hold."""

MOST_TEXT = 65_533
"""Bytes of a JPEG's comment."""


def write_photo(
    photo: Photo,
    target: Path | str,
    *,
    quality: int | None = None,
    metadata: bool = True,
    text: Mapping[str, str] | None = None,
) -> None:
    """Write a photo, atomically, in the format of the target's extension.

    Args:
        target: the file to create or replace.
        quality, metadata, text: as in `encode_photo`.

    Raises:
        UsageError: unknown extension, or the format cannot hold the photo.
        ResourceError: the place cannot be written, or the disk is full.
    """
    path = Path(target)
    data = encode_photo(
        photo, photo_format(path), quality=quality, metadata=metadata, text=text, where=str(path)
    )
    with write_atomically(path) as handle:
        handle.write(data)


def photo_format(path: Path | str) -> str:
    """The format of a picture file by its extension: "PNG", "JPEG", "WEBP" or "TIFF".

    Raises:
        UsageError: for any other extension.
    """
    extension = Path(path).suffix.lower()
    if extension not in FORMATS:
        raise UsageError(
            f"the extension {extension!r} is not known" if extension else "has no extension",
            where=str(path),
            hint=f"use one of {' '.join(FORMATS)}",
        )
    return FORMATS[extension]


def encode_photo(
    photo: Photo,
    format: str,
    *,
    quality: int | None = None,
    metadata: bool = True,
    text: Mapping[str, str] | None = None,
    where: str | None = None,
) -> bytes:
    """The bytes of a picture file; the same photo and settings give the same bytes.

    Args:
        format: "PNG", "JPEG", "WEBP" or "TIFF".
        quality: 1 to 100. JPEG: 95 unless given, always without chroma subsampling. WebP: lossless
            unless given. The others are always lossless.
        metadata: whether to write the EXIF block and `text`. The ICC profile stays in any case,
            since the colours would change without it.
        text: provenance, stored as text chunks in PNG, as a JSON comment in JPEG and as JSON in the
            Software tag of WebP and TIFF.
        where: the file's name in messages.

    Raises:
        UsageError: the format cannot hold the photo or knows no such setting.
    """
    from PIL import Image

    where = where or format
    check_quality(quality, format, where)
    check_size(photo.pixels.shape[:2], format, where)
    pixels = _without_alpha(photo.pixels, where) if format == "JPEG" else photo.pixels
    large = format == "PNG" and pixels.size > _LARGE and pixels.shape[2] != 2
    # Of a large PNG what it says beside its pixels: they follow.
    some = pixels[:1, :1] if large else pixels
    image = Image.fromarray(some[..., 0] if pixels.shape[2] == 1 else some)
    exif, notes = _exif_for(photo, format) if metadata else (None, [])
    # A name may hold bytes that are no text.
    words = {
        key: value.encode(errors="backslashreplace").decode() for key, value in (text or {}).items()
    }
    words = words if metadata else {}
    if format == "JPEG" and len(json.dumps(words)) > MOST_TEXT:
        words = {}
        notes.append("a JPEG's comment has no room for how it was made; PNG has")
    options = {
        "PNG": _png_options,
        "JPEG": _jpeg_options,
        "WEBP": _webp_options,
        "TIFF": _tiff_options,
    }[format](quality, exif, words)
    if photo.icc:
        options["icc_profile"] = photo.icc
    if exif and format in ("PNG", "JPEG") and (told := resolution(parsed(exif))):
        options["dpi"] = told  # also where programs look that read no EXIF: pHYs, JFIF
    stream = io.BytesIO()
    try:
        image.save(stream, format=format, **options)
    except DAMAGE as error:
        raise UsageError(f"{format} cannot hold this photo: {error}", where=where) from error
    tell(notes, where)
    data = stream.getvalue()
    return redressed(_large_png(pixels), data) if large else data


def _large_png(pixels: NDArray[np.uint8]) -> bytes:
    """A PNG of (H, W, 1, 3 or 4) pixels and nothing else, whose lines are all filtered by Paeth's
    predictor. Pillow tries all five filters, which takes as long as to pack them does."""
    import cv2

    order = {3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}.get(pixels.shape[2])
    picture = pixels if order is None else cv2.cvtColor(pixels, order)
    options = [cv2.IMWRITE_PNG_COMPRESSION, _LEVEL, cv2.IMWRITE_PNG_STRATEGY, _RUN_LENGTHS]
    if hasattr(cv2, "IMWRITE_PNG_FILTER"):  # since OpenCV 4.12; before, all lines are differences
        options += [cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_PAETH]
    _, coded = cv2.imencode(".png", picture, options)
    return coded.tobytes()


def check_picture(
    format: str,
    size: tuple[int, int],
    pixels: Pixels | None = None,
    *,
    quality: int | None = None,
    where: str | None = None,
) -> None:
    """Find out before a picture is made whether its format can hold it.

    Args:
        size: (H, W).
        pixels: (H, W, C), of the photo whose transparency it keeps.

    Raises:
        UsageError: it cannot, or knows no such quality.
    """
    check_quality(quality, format, where)
    check_size(size, format, where)
    if pixels is not None and pixels.shape[2] in (2, 4) and format == "JPEG":
        check_alpha(np.asarray(pixels), format, where)


def check_size(size: tuple[int, ...], format: str, where: str | None = None) -> None:
    """Refuse a photo whose sides a format cannot hold.

    Args:
        size: (H, W).

    Raises:
        UsageError: it cannot.
    """
    most = MOST_SIDE.get(format)
    if most is not None and max(size) > most:
        name = "WebP" if format == "WEBP" else format
        raise UsageError(
            f"{format} cannot hold this photo: {name} ends at {most:,} pixels a side, this has "
            f"{max(size):,}",
            where=where,
            hint="write .png or .tiff",
        )


def check_alpha(pixels: NDArray[np.uint8], format: str, where: str | None = None) -> None:
    """Refuse a photo that is transparent somewhere for a format that cannot be.

    Raises:
        UsageError: it is, for JPEG.
    """
    if format == "JPEG" and pixels.shape[2] in (2, 4) and pixels[..., -1].min() < 255:
        raise UsageError(
            "JPEG cannot hold transparency", where=where, hint="write .png, .webp or .tiff"
        )


def _exif_for(photo: Photo, format: str) -> tuple[bytes | None, list[str]]:
    """The EXIF block that is true for a photo and fits a format, and what was left out for it."""
    if not photo.exif:
        return None, []
    try:
        block = true_exif(parsed(photo.exif), photo.pixels.shape[:2])
        most = MOST_EXIF.get(format)
        if block is None or most is None or len(block) <= most:
            return block, []
        block, left_out = shortened(block, most)
    except DAMAGE:
        return None, ["the EXIF block is damaged and is left out"]
    names = ", ".join(left_out)
    return block, [f"the EXIF block is too long for a {format}, left out are: {names}"]


def check_quality(quality: int | None, format: str, where: str | None = None) -> None:
    """Refuse a quality that a format does not know.

    Raises:
        UsageError: it does not.
    """
    if quality is None:
        return
    if format not in ("JPEG", "WEBP"):
        raise UsageError(f"{format} is lossless and has no quality", where=where)
    if not 1 <= quality <= 100:
        raise UsageError(f"quality {quality} is not from 1 to 100", where=where)


def _without_alpha(pixels: NDArray[np.uint8], where: str) -> NDArray[np.uint8]:
    """(H, W, 1 or 3) the colours alone, of a photo that is opaque everywhere."""
    if pixels.shape[2] in (1, 3):
        return pixels
    check_alpha(pixels, "JPEG", where)
    return np.ascontiguousarray(pixels[..., :-1])


def _png_options(_: int | None, exif: bytes | None, text: dict[str, str]) -> dict[str, Any]:
    from PIL import PngImagePlugin

    chunks = PngImagePlugin.PngInfo()
    for key, value in text.items():
        chunks.add_text(key, value)
    options: dict[str, Any] = {
        "pnginfo": chunks,
        "compress_level": _LEVEL,
        "compress_type": _RUN_LENGTHS,
    }
    return {**options, "exif": exif} if exif else options


def _jpeg_options(quality: int | None, exif: bytes | None, text: dict[str, str]) -> dict[str, Any]:
    options: dict[str, Any] = {"quality": QUALITY if quality is None else quality, "subsampling": 0}
    if exif:
        options["exif"] = exif
    if text:
        options["comment"] = json.dumps(text).encode()
    return options


def _webp_options(quality: int | None, exif: bytes | None, text: dict[str, str]) -> dict[str, Any]:
    block = _with_software(exif, text)
    lossless = {"lossless": True, "exact": True}
    options: dict[str, Any] = lossless if quality is None else {"quality": quality, "exact": True}
    return {**options, "exif": block} if block else options


def _tiff_options(_: int | None, exif: bytes | None, text: dict[str, str]) -> dict[str, Any]:
    block = _with_software(exif, text)
    # Unpacked: Pillow writes the EXIF folders (exposure, place) into no other kind of TIFF.
    return {"compression": "raw", "exif": block} if block else {"compression": "raw"}


def _with_software(exif: bytes | None, text: dict[str, str]) -> bytes | None:
    """The EXIF block with provenance in its Software tag."""
    from PIL import Image

    if not text:
        return exif
    block = Image.Exif()
    if exif:
        block.load(exif)
    block[SOFTWARE] = json.dumps(text)
    return block.tobytes()
