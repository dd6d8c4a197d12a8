"""Photos in and out: PNG, JPEG, WebP and TIFF with 8 bits a channel, through Pillow.

Pixels pass unchanged: no colour conversion, no premultiplied alpha, grey stays grey. What cannot be
taken as it is (16 bits, CMYK, several pages) is refused with a way out.
"""

from __future__ import annotations

import io
import json
import struct
import warnings
import zlib
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from eie.errors import BadInputError, UsageError
from eie.files.atomic import write_atomically
from eie.files.limits import MAX_PIXELS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL import Image

FORMATS: Mapping[str, str] = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
}
"""The format of a picture file by its extension."""

QUALITY = 95
"""JPEG quality unless another is asked for."""

CHANNELS = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}

# What Pillow and its codecs raise on damaged files.
DAMAGE = (
    OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, OverflowError,
    RuntimeError, struct.error, zlib.error,
)  # fmt: skip

ORIENTATION, SOFTWARE = 0x0112, 0x0131
DESCRIPTIVE_TAGS = (0x010E, 0x010F, 0x0110, 0x011A, 0x011B, 0x0128, 0x0132, 0x013B, 0x8298)
"""Of a TIFF's tags, those that describe the photo (camera, resolution, date, author, copyright);
the others say how that file stores it."""
EXIF_FOLDERS = (0x8769, 0x8825)
"""Exposure and place."""

STRIP_ROWS = 256


@dataclass(frozen=True, eq=False)
class Photo:
    """A picture and what comes with it.

    Attributes:
        pixels: (H, W, C) uint8 in [0, 255], C = 1 grey, 2 grey+alpha, 3 RGB, 4 RGBA with straight
            alpha; upright.
        icc: the ICC profile, or None.
        exif: the EXIF block ("Exif", two NULs, a TIFF header …) without orientation, or None.
    """

    pixels: NDArray[np.uint8]
    icc: bytes | None = None
    exif: bytes | None = None


def read_photo(source: Path | str | bytes, where: str | None = None) -> Photo:
    """Read a photo, upright by its EXIF orientation.

    Palettes are expanded and one-bit pictures become grey, both exactly. The orientation tag is
    removed from the EXIF block, and so is the thumbnail, which would show the photo before its
    edits; a damaged EXIF block is left out. Of a JPEG with further pictures inside (depth maps,
    stereo), the main one is read.

    Args:
        source: path or content of a PNG, JPEG, WebP or TIFF file.
        where: its name in messages; the path by itself.

    Raises:
        BadInputError: missing, damaged, truncated, not a picture, over `MAX_PIXELS`, or of a kind
            that is not handled: 16 bits, floating point, CMYK, several pages, animated.
    """
    from PIL import Image, UnidentifiedImageError

    where = where or ("picture" if isinstance(source, bytes) else str(source))
    with _named_errors(where), warnings.catch_warnings():
        # Pillow warns of what is refused below or does no harm: large pictures, damaged EXIF.
        warnings.simplefilter("ignore")
        with _opened(source, where) as handle:
            try:
                image = Image.open(handle, formats=sorted(set(FORMATS.values())))
            except UnidentifiedImageError:
                raise BadInputError("not a PNG, JPEG, WebP or TIFF picture", where=where) from None
            _refuse_unhandled(image, where)
            image.load()
            return _photo(image)


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
    _check_quality(quality, format, where)
    pixels = _without_alpha(photo.pixels, where) if format == "JPEG" else photo.pixels
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    options = {
        "PNG": _png_options,
        "JPEG": _jpeg_options,
        "WEBP": _webp_options,
        "TIFF": _tiff_options,
    }[format](quality, photo.exif if metadata else None, dict(text or {}) if metadata else {})
    if photo.icc:
        options["icc_profile"] = photo.icc
    stream = io.BytesIO()
    try:
        image.save(stream, format=format, **options)
    except DAMAGE as error:
        raise UsageError(f"{format} cannot hold this photo: {error}", where=where) from error
    return stream.getvalue()


@contextmanager
def _named_errors(where: str) -> Iterator[None]:
    from PIL import Image

    try:
        yield
    except Image.DecompressionBombError as error:
        raise _too_large(where) from error
    except DAMAGE as error:
        reason = getattr(error, "strerror", None)
        message = f"cannot be read: {reason}" if reason else f"the picture is damaged: {error}"
        raise BadInputError(message, where=where) from error


@contextmanager
def _opened(source: Path | str | bytes, where: str) -> Iterator[Any]:
    with io.BytesIO(source) if isinstance(source, bytes) else Path(source).open("rb") as handle:
        if not handle.read(1):
            raise BadInputError("the file is empty", where=where)
        handle.seek(0)
        yield handle


def _too_large(where: str) -> BadInputError:
    return BadInputError(
        f"the picture declares more than {MAX_PIXELS // 1_000_000} megapixels",
        where=where,
        hint="scale it down first",
    )


def _refuse_unhandled(image: Image.Image, where: str) -> None:
    """Refuse, before anything is decoded, what would not come through exactly."""
    if image.width * image.height > MAX_PIXELS:
        raise _too_large(where)
    # A JPEG with further pictures inside is a photo for everybody but Pillow, who says MPO.
    if getattr(image, "is_animated", False) and image.format != "MPO":
        what = "has several pages" if image.format == "TIFF" else "is animated"
        raise BadInputError(
            f"the picture {what}", where=where, hint="save one page or frame as a file of its own"
        )
    if _bits(image) > 8:
        raise BadInputError(
            f"the picture has {_bits(image)} bits a channel",
            where=where,
            hint="convert it to 8 bits a channel first",
        )
    if image.mode not in ("1", "L", "LA", "P", "PA", "RGB", "RGBA"):
        raise BadInputError(
            f"the picture's colours are {image.mode}",
            where=where,
            hint="convert it to RGB or grey first",
        )


def _bits(image: Image.Image) -> int:
    """Bits a channel in the file; Pillow itself cuts 16-bit colours down to 8 without a word."""
    if image.mode.startswith("I"):
        return 16
    if image.mode == "F":
        return 32
    if image.format == "TIFF":
        depths = image.tag_v2.get(0x0102, (1,))  # type: ignore[attr-defined]
        return max(depths) if isinstance(depths, tuple) else int(depths)
    raw = [str(tile[3]) for tile in getattr(image, "tile", ())]
    return 16 if any(";16" in mode for mode in raw) else 8


def _photo(image: Image.Image) -> Photo:
    grey = image.mode in ("1", "L", "LA")
    mode = ("L" if grey else "RGB") + ("A" if image.has_transparency_data else "")
    orientation, exif = _exif(image)
    return Photo(
        pixels=_pixels(image, mode, orientation),
        icc=image.info.get("icc_profile") or None,
        exif=exif,
    )


def _pixels(image: Image.Image, mode: str, orientation: int) -> NDArray[np.uint8]:
    """(H, W, C) upright pixels, in strips: Pillow converts a whole picture through two copies."""
    stored_size = (image.height, image.width)
    size = stored_size[::-1] if orientation >= 5 else stored_size
    upright = np.empty((*size, len(mode)), dtype=np.uint8)
    stored = _as_stored(upright, orientation)
    for top in range(0, image.height, STRIP_ROWS):
        bottom = min(top + STRIP_ROWS, image.height)
        strip = image.crop((0, top, image.width, bottom))
        if image.mode != mode:
            strip = strip.convert(mode)
        stored[top:bottom] = np.asarray(strip).reshape(bottom - top, image.width, len(mode))
    return upright


def _as_stored(upright: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """The view of an upright picture in the order in which a file of that orientation holds it."""
    view: NDArray[np.uint8] = {
        2: lambda u: u[:, ::-1],
        3: lambda u: u[::-1, ::-1],
        4: lambda u: u[::-1],
        5: lambda u: u.swapaxes(0, 1),
        6: lambda u: np.rot90(u, 1),
        7: lambda u: u[::-1, ::-1].swapaxes(0, 1),
        8: lambda u: np.rot90(u, -1),
    }.get(orientation, lambda u: u)(upright)
    return view


def _exif(image: Image.Image) -> tuple[int, bytes | None]:
    """The orientation to apply (1 if none), and the EXIF block without it."""
    from PIL import Image

    try:
        found = image.getexif()
        orientation = found.get(ORIENTATION, 1)
        kept = Image.Exif()
        tags = DESCRIPTIVE_TAGS if image.format == "TIFF" else tuple(found)
        for tag in tags:
            if tag in found and tag not in (ORIENTATION, *EXIF_FOLDERS):
                kept[tag] = found[tag]
        for folder in EXIF_FOLDERS:
            if content := found.get_ifd(folder):
                kept[folder] = content
        block = kept.tobytes() if len(kept) else None
    except DAMAGE:
        return 1, None
    return orientation if orientation in range(1, 9) else 1, block


def _check_quality(quality: int | None, format: str, where: str) -> None:
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
    if pixels[..., -1].min() < 255:
        raise UsageError(
            "JPEG cannot hold transparency", where=where, hint="write .png, .webp or .tiff"
        )
    return np.ascontiguousarray(pixels[..., :-1])


def _png_options(_: int | None, exif: bytes | None, text: dict[str, str]) -> dict[str, Any]:
    from PIL import PngImagePlugin

    chunks = PngImagePlugin.PngInfo()
    for key, value in text.items():
        chunks.add_text(key, value)
    # Level 1 is within a fifth of the smallest size, in a sixth of the default level's time.
    options: dict[str, Any] = {"pnginfo": chunks, "compress_level": 1}
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
