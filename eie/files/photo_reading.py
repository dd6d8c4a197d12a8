"""The one reader of pictures: photos, masks, and all that is trained on or measured.

Pixels of 8 bits pass unchanged: no colour conversion, no premultiplied alpha, grey stays grey. More
bits are cut to 8 and CMYK becomes sRGB, each with a note. What a file says about itself never costs
its pixels; what is not read is named.
"""

from __future__ import annotations

import io
import os
import warnings
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from eie.errors import BadInputError, EieError, MissingModelError
from eie.files import kinds, pillow_quirks, png_chunks
from eie.files.colours import profile_of_png, profile_problem
from eie.files.metadata import coded_colours, left_behind, orientation_and_exif
from eie.files.photo import DAMAGE, MAX_PIXELS, Photo
from eie.files.streams import open_input

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from PIL import Image

READABLE = "PNG, JPEG, WebP or TIFF picture, nor a BMP, AVIF or HEIC"

STRIP_ROWS = 256

RAW_SUFFIXES = frozenset(
    {
        ".dng", ".nef", ".nrw", ".cr2", ".cr3", ".arw", ".sr2", ".srf", ".orf", ".rw2", ".pef",
        ".srw", ".raf", ".3fr", ".iiq", ".dcr", ".kdc", ".erf", ".mef", ".mos", ".mrw", ".rwl",
        ".x3f",
    }
)  # fmt: skip

_SUBFILE, _PAGES_DNG, _SUB_TABLES = 0x00FE, 0xC612, 0x014A
_REDUCED, _MASK = 1, 4
"""Of a TIFF's pages: a smaller copy of another, and what is transparent in another."""


def read_photo(
    source: Path | str | bytes,
    where: str | None = None,
    *,
    numbers: bool = False,
    fits: Callable[[int, int], None] | None = None,
) -> Photo:
    """Read a photo, upright by its EXIF orientation.

    Palettes are expanded and one-bit pictures become grey, both exactly. Of 16 bits a channel the
    higher 8 are kept, CMYK becomes sRGB by its profile. Of the EXIF block what describes the photo
    is kept: its orientation, its thumbnail, which would show the photo before its edits, and what
    tells how the file stores pixels are left out, and so is a damaged block. Of a JPEG or HEIC
    with further pictures inside (depth maps, stereo, gain maps), the main one is read, of a TIFF
    the first page that is no smaller copy of another, of an animation the first frame.

    Args:
        source: path or content of a PNG, JPEG, WebP, TIFF, BMP, AVIF or HEIC file; the path may be
            that of a pipe.
        where: its name in messages; the path by itself.
        numbers: whether grey of 32 bits is read, too, whole numbers or floating point, so that 1,
            255 or what is more is white. It may be anything in a photo, but not in a mask.
        fits: told the width and height as stored before any pixel is decoded; it raises where that
            many or these proportions are not wanted.

    Raises:
        BadInputError: missing, damaged, truncated, not a picture, over `MAX_PIXELS`, or of a kind
            that is not handled: floating point, a camera's raw file.
        MissingModelError: HEIC, and pillow-heif is not installed.
    """
    where = where or ("picture" if isinstance(source, bytes) else str(source))
    with _named_errors(where), warnings.catch_warnings():
        # Pillow warns of what is refused below or does no harm: large pictures, damaged EXIF.
        warnings.simplefilter("ignore")
        with _opened(source, where) as handle:
            kind = _kind(handle, where)
            try:
                return _read(handle, kind, where, numbers, fits)
            except EieError:
                raise
            except DAMAGE:
                if kind != kinds.PNG:
                    raise
                return _read_tidied(handle, where, fits)


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
    """A handle that can be sought in, of a file that is not empty."""
    with io.BytesIO(source) if isinstance(source, bytes) else open_input(source, where) as handle:
        if not handle.read(1):
            raise BadInputError("the file is empty", where=where)
        handle.seek(0)
        yield handle


def _kind(handle: Any, where: str) -> str:
    """The kind of a picture.

    Raises:
        BadInputError: it is none that is read.
    """
    head = handle.read(kinds.HEAD)
    handle.seek(0)
    kind = kinds.picture_kind(head)
    suffix = Path(where).suffix.lower()
    if suffix in RAW_SUFFIXES and kind in (None, kinds.TIFF):
        raise BadInputError(f"this is {kinds.RAW}", where=where, hint=kinds.DEVELOP)
    if kind is None:
        foreign = kinds.foreign_kind(head)
        message = f"not a {READABLE}"
        if foreign:
            message = f"this is {foreign[0]}, {message}"
        raise BadInputError(message, where=where, hint=foreign[1] if foreign else None)
    return kind


def _read(
    handle: Any,
    kind: str,
    where: str,
    numbers: bool = False,
    fits: Callable[[int, int], None] | None = None,
) -> Photo:
    from PIL import Image, UnidentifiedImageError

    formats = [kind]
    if kind == kinds.HEIC:
        formats = [_heif_opener(where)]
    elif kind == kinds.AVIF:
        _need_avif(where)
    try:
        image = Image.open(handle, formats=formats)
    except UnidentifiedImageError:
        handle.seek(0)
        if kind == kinds.TIFF and (found := pillow_quirks.unread_tiff(handle)) is not None:
            raise BadInputError(
                f"this is {found}, a kind that is not read",
                where=where,
                hint="save it as PNG",
            ) from None
        raise SyntaxError(f"it begins as a {kind} and does not go on as one") from None
    notes = _choose_page(image, where)
    numbers = numbers and image.mode in ("I", "F")
    _refuse_unhandled(image, where, numbers)
    if fits:
        fits(image.width, image.height)
    head = _head(handle)
    if (bits := pillow_quirks.bits(image)) > 8 and not numbers:
        notes.append(f"its {bits} bits a channel are cut to 8")
    notes += pillow_quirks.remarks(image)
    pillow_quirks.mend_transparency(image)
    grey = pillow_quirks.is_grey(image)
    with _quiet_decoder() if kind == kinds.TIFF else nullcontext():
        image.load()
    loaded = pillow_quirks.stretched(image) if numbers else image
    return _photo(loaded, head, kind, notes, grey or numbers)


@contextmanager
def _quiet_decoder() -> Iterator[None]:
    """Keep libtiff's remarks off standard error, to which it writes past Python."""
    kept = None
    with suppress(OSError):
        kept = os.dup(2)
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, 2)
        os.close(nothing)
    try:
        yield
    finally:
        if kept is not None:
            os.dup2(kept, 2)
            os.close(kept)


def _heif_opener(where: str) -> str:
    """Pillow's name of the format that pillow-heif reads; it is told of it."""
    try:
        import pillow_heif
    except ImportError:
        raise MissingModelError(
            "this is a HEIC picture, and pillow-heif, which reads it, is not installed",
            where=where,
            hint='pip install "eie[heic]", or convert it to JPEG',
        ) from None
    pillow_heif.register_heif_opener()
    return "HEIF"


def _need_avif(where: str) -> None:
    from PIL import features

    if not features.check("avif"):
        raise MissingModelError(
            "this is an AVIF picture, and this build of Pillow does not read it",
            where=where,
            hint="install Pillow 11.3 or newer from PyPI, or convert the picture to PNG",
        )


def _too_large(where: str) -> BadInputError:
    return BadInputError(
        f"the picture declares more than {MAX_PIXELS // 1_000_000} megapixels",
        where=where,
        hint="scale it down first",
    )


def _choose_page(image: Image.Image, where: str) -> list[str]:
    """Turn to a TIFF's first page that is a picture in its own right, or to the first frame, and
    say what was left."""
    if image.format != "TIFF":
        # A JPEG with further pictures inside is a photo for everybody but Pillow, who says MPO.
        frames = getattr(image, "is_animated", False) and image.format not in ("MPO", "HEIF")
        return ["it is animated, its first frame is taken"] if frames else []
    pages = int(getattr(image, "n_frames", 1))
    whole: list[int] = []
    smaller = 0
    for page in range(pages):
        image.seek(page)
        tags = image.tag_v2  # type: ignore[attr-defined]
        if _PAGES_DNG in tags:
            raise BadInputError(f"this is {kinds.RAW} (DNG)", where=where, hint=kinds.DEVELOP)
        subfile = tags.get(_SUBFILE, 0)
        if isinstance(subfile, int) and subfile & (_REDUCED | _MASK):
            smaller += 1
            if not page and _SUB_TABLES in tags:
                raise BadInputError(
                    "the first page is the thumbnail of a camera's raw file or of another picture "
                    "within",
                    where=where,
                    hint=kinds.DEVELOP,
                )
        else:
            whole.append(page)
    image.seek(whole[0] if whole else 0)
    if not whole:
        return ["all it holds is a thumbnail or preview"]
    notes = [f"of its {pages} pages, smaller copies and masks are left out"] if smaller else []
    return notes + ([f"the first of its {len(whole)} pages is taken"] if len(whole) > 1 else [])


def _refuse_unhandled(image: Image.Image, where: str, numbers: bool) -> None:
    """Refuse, before anything is decoded, what cannot be taken; numbers of 32 bits may be."""
    if image.width * image.height > MAX_PIXELS:
        raise _too_large(where)
    bits = pillow_quirks.bits(image)
    if bits > 16 and not numbers:
        raise BadInputError(
            f"the picture has {bits} bits a channel",
            where=where,
            hint="convert it to 8 bits a channel first",
        )
    pillow_quirks.refuse_misread(image, where)
    known = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", *pillow_quirks.COLOURS)
    if image.mode not in known and not image.mode.startswith("I") and not numbers:
        raise BadInputError(
            f"the picture's colours are {image.mode}",
            where=where,
            hint="convert it to RGB or grey first",
        )


def _photo(image: Image.Image, head: bytes, kind: str, notes: list[str], grey: bool) -> Photo:
    icc = image.info.get("icc_profile") or None
    if (target := pillow_quirks.COLOURS.get(image.mode)) is not None:
        notes.append(f"its {image.mode} colours are converted to {target}")
        image, icc = pillow_quirks.to_rgb(image, icc), None if target == "sRGB" else icc
    if image.mode.startswith("I"):
        image, grey = pillow_quirks.eight_bits(image), True
    mode = ("L" if grey else "RGB") + ("A" if image.has_transparency_data else "")
    orientation, exif = orientation_and_exif(image, kind, notes)
    if icc is None and kind in (kinds.PNG, kinds.AVIF, kinds.HEIC):
        coded = png_chunks.first_chunk(head, b"cICP") if kind == kinds.PNG else coded_colours(head)
        icc, note = profile_of_png(image.info if kind == kinds.PNG else {}, coded)
        notes += [note] if note else []
    if icc is not None and (problem := profile_problem(icc, 1 if grey else 3)):
        notes.append(problem)
        icc = None
    notes += left_behind(image, head)
    pixels = _pixels(image, mode, orientation)
    return Photo(pixels, icc, exif, tuple(notes), orientation)


def _pixels(image: Image.Image, mode: str, orientation: int) -> NDArray[np.uint8]:
    """(H, W, C) upright pixels, in strips: Pillow converts a whole picture through two copies."""
    stored_size = (image.height, image.width)
    size = stored_size[::-1] if orientation >= 5 else stored_size
    upright = np.empty((*size, len(mode)), dtype=np.uint8)
    stored = as_stored(upright, orientation)
    for top in range(0, image.height, STRIP_ROWS):
        bottom = min(top + STRIP_ROWS, image.height)
        strip = image.crop((0, top, image.width, bottom))
        if image.mode != mode:
            strip = strip.convert(mode)
        stored[top:bottom] = np.asarray(strip).reshape(bottom - top, image.width, len(mode))
    return upright


def as_stored(upright: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
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


def _head(handle: Any) -> bytes:
    """The beginning of a file, where it says what it is."""
    place = handle.tell()
    handle.seek(0)
    head = bytes(handle.read(1 << 16))
    handle.seek(place)
    return head


def _read_tidied(handle: Any, where: str, fits: Callable[[int, int], None] | None = None) -> Photo:
    """A PNG without the chunks that hold no pixels: first the damaged and long ones, then all.

    Raises:
        what Pillow does: its pixels are damaged.
    """
    handle.seek(0)
    failure: Exception = ValueError("no chunks")
    for data in png_chunks.tidied(handle.read()):
        try:
            photo = _read(io.BytesIO(data), kinds.PNG, where, fits=fits)
        except DAMAGE as error:
            failure = error
            continue
        note = "chunks that are damaged or too long and hold no pixels are left out"
        return replace(photo, notes=(note, *photo.notes))
    raise failure
