"""Pixels as a file means them, where Pillow gives others without a word, or none.

- 16-bit grey of which 0 is white, and 12 bits a channel, come as they are stored.
- 16-bit colours whose channels lie apart come mixed up, signed numbers as if they were not.
- A PNG's transparent grey of less than 8 bits, or colour of 16, is compared with another depth.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np

from eie.errors import BadInputError
from eie.files.photo import DAMAGE

if TYPE_CHECKING:
    from PIL import Image

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _SAMPLES, _PLANES, _SOFTWARE, _FORMAT = (
    256, 257, 258, 259, 262, 277, 284, 305, 339,
)  # fmt: skip
"""Tags of a TIFF."""

_UNPACKED, _WHITE_IS_ZERO, _APART = 1, 0, 2
_SIGNED = 2
_KINDS = {1: "", 2: "signed ", 3: "floating-point ", 5: "complex ", 6: "complex "}

COLOURS = {"CMYK": "sRGB", "LAB": "sRGB", "YCbCr": "RGB"}
"""What becomes of colours that are not RGB."""


def bits(image: Image.Image) -> int:
    """Bits a channel in the file; Pillow itself cuts 16-bit colours down to 8 without a word."""
    if image.mode == "F":
        return 32
    if image.format == "TIFF":
        return max(_numbers(image, _BITS))
    if image.mode.startswith("I"):
        return 16
    if isinstance(depth := image.info.get("bit_depth"), int):  # of pillow-heif
        return depth
    return 16 if any(";16" in mode for mode in _raw_modes(image)) else 8


def refuse_misread(image: Image.Image, where: str) -> None:
    """Refuse what would be read as something else.

    Raises:
        BadInputError: it would.
    """
    if image.format != "TIFF":
        return
    # Pillow takes what lies beyond the last strip for black.
    boxes = [part[1] for part in getattr(image, "tile", ())]
    width, height = (_numbers(image, tag)[0] for tag in (_WIDTH, _HEIGHT))
    right, bottom = (max((box[side] for box in boxes), default=0) for side in (2, 3))
    if boxes and (right < width or bottom < height):
        raise BadInputError(
            f"it says {width}×{height} and holds pixels of {right}×{bottom}",
            where=where,
            hint="it is damaged or was cut short",
        )
    if _SIGNED in _numbers(image, _FORMAT) and bits(image) <= 8:
        raise BadInputError(
            "its pixels are signed numbers", where=where, hint="save them as 0 to 255"
        )
    apart = _numbers(image, _PLANES)[0] == _APART and _numbers(image, _SAMPLES)[0] > 1
    if apart and bits(image) > 8 and _numbers(image, _COMPRESSION)[0] == _UNPACKED:
        raise BadInputError(
            f"its {bits(image)}-bit channels lie apart",
            where=where,
            hint="save it with 8 bits a channel, or with the channels of a pixel side by side",
        )


def unread_tiff(handle: Any) -> str | None:
    """What a TIFF says of its pixels, of a file that is not read; None if it says nothing.

    Args:
        handle: at the file's beginning.
    """
    from PIL import TiffImagePlugin

    try:
        head = handle.read(8)
        head += handle.read(8) if head[2:3] == b"+" else b""  # BigTIFF
        table = TiffImagePlugin.ImageFileDirectory_v2(head)
        handle.seek(table.next)
        table.load(handle)
        depth, channels = max(table[_BITS]), int(table.get(_SAMPLES, 1))
        kind = _KINDS[table.get(_FORMAT, (1,))[0]]
    except DAMAGE:
        return None
    return f"a TIFF with {channels} × {depth} {kind}bits a pixel"


def remarks(image: Image.Image) -> list[str]:
    """Notes about a TIFF's channels that are neither colours nor transparency, and about bits that
    may be meant otherwise than the file says."""
    if image.format != "TIFF":
        return []
    white = _numbers(image, _PHOTOMETRIC)[0] != _WHITE_IS_ZERO
    tags = image.tag_v2  # type: ignore[attr-defined]
    if image.mode == "1" and not white and str(tags.get(_SOFTWARE)).startswith("tifffile"):
        return ["it says that 0 is white, as tifffile writes of bool arrays without turning them"]
    bands = [band for band in image.getbands() if band != "X"]
    more = _numbers(image, _SAMPLES)[0] - len(bands)
    if more < 1:
        return []
    return [f"{'a channel' if more == 1 else f'{more} channels'} not said to be alpha left out"]


def is_grey(image: Image.Image) -> bool:
    """Whether a picture that is not loaded yet is grey."""
    return image.mode in ("1", "L", "LA") or "LA;16B" in _raw_modes(image)


def mend_transparency(image: Image.Image) -> None:
    """State a PNG's transparent grey or colour as Pillow gives the pixels; before it loads them."""
    clear, modes = image.info.get("transparency"), _raw_modes(image)
    if isinstance(clear, int) and image.mode == "L":
        for mode, depth in (("L;2", 2), ("L;4", 4)):
            if mode in modes:
                image.info["transparency"] = clear * 255 // ((1 << depth) - 1)
        if image.info["transparency"] > 255:
            del image.info["transparency"]
    elif isinstance(clear, int) and image.mode == "1":
        image.info["transparency"] = 255 if clear else 0  # Pillow 11 says 1
    elif isinstance(clear, tuple) and "RGB;16B" in modes:
        image.info["transparency"] = tuple(value >> 8 for value in clear)


def eight_bits(image: Image.Image) -> Image.Image:
    """A grey picture of the higher 8 of more bits; values that all fit 8 stay what they are."""
    from PIL import Image

    values = np.asarray(image)  # uint16, or int32 by older Pillows
    if values.min() < 0 or values.max() > 65_535:
        raise ValueError("its grey levels do not fit 16 bits")
    few = values.max() <= 255
    levels = (values if few else values >> (bits(image) - 8)).astype(np.uint8)
    if image.format == "TIFF" and _numbers(image, _PHOTOMETRIC)[0] == _WHITE_IS_ZERO:
        levels = 255 - levels
    made = Image.fromarray(levels)
    clear = image.info.get("transparency")
    if isinstance(clear, int):
        made.putalpha(Image.fromarray(np.where(values == clear, 0, 255).astype(np.uint8)))
    made_like = like(image, made)
    made_like.info.pop("transparency", None)
    return made_like


def stretched(image: Image.Image) -> Image.Image:
    """A grey picture of one of 32-bit numbers: 1 is white if there is no more, else 255, else the
    highest.

    Raises:
        ValueError: some are negative or not finite.
    """
    from PIL import Image

    values = np.asarray(image, dtype=np.float64)
    if not np.isfinite(values).all() or values.min() < 0:
        raise ValueError("some of its numbers are negative or not finite")
    most = values.max()
    white = 1 if most <= 1 else max(most, 255)
    return like(image, Image.fromarray((values * 255 / white).round().astype(np.uint8)))


def to_rgb(image: Image.Image, icc: bytes | None) -> Image.Image:
    """An RGB picture of one of other colours, by its profile if it has one that works."""
    from PIL import ImageCms

    source: Any = None
    if image.mode == "LAB":
        source = ImageCms.createProfile("LAB")
    elif image.mode == "CMYK" and icc is not None and icc[16:20] == b"CMYK":
        source = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    if source is not None:
        try:
            made = ImageCms.profileToProfile(
                image,
                source,
                ImageCms.createProfile("sRGB"),
                outputMode="RGB",
                renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
                flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
            )
        except (ImageCms.PyCMSError, *DAMAGE):
            made = None
        if made is not None:
            return like(image, made)
    return like(image, image.convert("RGB"))


def like(image: Image.Image, made: Image.Image) -> Image.Image:
    """A picture with what another's file said."""
    made.info = dict(image.info)
    made.format = image.format
    exif = image.getexif() if image.format == "TIFF" else None
    if exif is not None:
        made._exif = exif
        exif._loaded = True
    return made


def _numbers(image: Image.Image, tag: int) -> tuple[int, ...]:
    """What a TIFF says under a tag; (1,) where it does not, as is the default of all used here."""
    value: Any = image.tag_v2.get(tag, 1)  # type: ignore[attr-defined]
    return value if isinstance(value, tuple) else (int(value),)


def _raw_modes(image: Image.Image) -> list[str]:
    """How a file stores its pixels, in Pillow's words, of a picture that is not loaded yet."""
    return [str(tile[3]) for tile in getattr(image, "tile", ())]
