"""What a picture says of itself: which way is up, how large it is in print, what else it has."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from eie.files import kinds
from eie.files.exif import (
    MOST_RESOLUTION,
    ORIENTATION,
    PER_CENTIMETRE,
    state_resolution,
    true_exif,
    turn_resolution,
)
from eie.files.photo import DAMAGE

if TYPE_CHECKING:
    from PIL import Image

_GAIN_MAP = re.compile(rb"hdrgm:|hdr-gain-map|HDRGainMap|iso:std:iso:ts:21496", re.IGNORECASE)
_FILM = re.compile(rb"MotionPhoto=\"1|MicroVideo=\"1|MotionPhoto>1|MicroVideo>1")


def orientation_and_exif(
    image: Image.Image, kind: str, notes: list[str]
) -> tuple[int, bytes | None]:
    """The orientation to apply (1 if none), and a true EXIF block, with the file's resolution."""
    from PIL import Image

    try:
        found = image.getexif()
        orientation = found.get(ORIENTATION, 1)
    except DAMAGE:
        notes.append("its EXIF block is damaged and is left out")
        found, orientation = Image.Exif(), 1
    # Pillow looks into XMP, too, which these formats overrule by properties of their own.
    if kind in (kinds.AVIF, kinds.HEIC) and not image.info.get("exif"):
        orientation = 1
    if not isinstance(orientation, int) or orientation not in range(1, 9):
        orientation = 1
    if (stored := _resolution(image, notes)) is not None:
        state_resolution(found, *stored)
    if orientation >= 5:
        turn_resolution(found)
    size = (image.height, image.width)
    try:
        block = true_exif(found, size[::-1] if orientation >= 5 else size)
    except DAMAGE:
        notes.append("its EXIF block is damaged and is left out")
        block = None
    return orientation, block


def _resolution(image: Image.Image, notes: list[str]) -> tuple[float, float] | None:
    """Stored pixels per inch, across and down, as a file tells them outside its EXIF block."""
    info = image.info
    across, down = info.get("jfif_density") or info.get("aspect") or (1, 1)
    told = info.get("dpi") if image.format in ("PNG", "BMP") else None
    if (unit := {1: 1.0, 2: PER_CENTIMETRE}.get(info.get("jfif_unit", 0))) is not None:
        told = (across * unit, down * unit)
    if told is None:
        if across != down:
            notes.append(f"that its pixels are not square ({across}:{down}) is not kept")
        return None
    # What no format can state is no resolution.
    return told if all(0.5 <= value <= MOST_RESOLUTION for value in told) else None


def left_behind(image: Image.Image, head: bytes) -> list[str]:
    """What a file has besides pixels, profile and EXIF, for which an element file has no place."""
    info = image.info
    xmp = info.get("xmp") or b""
    xmp = xmp.encode(errors="replace") if isinstance(xmp, str) else bytes(xmp)
    said = xmp + b"".join(data for _, data in getattr(image, "applist", ()))
    auxiliary = repr(info.get("aux", "")).encode()
    notes = []
    if _GAIN_MAP.search(said) or _GAIN_MAP.search(auxiliary):
        notes.append("its HDR gain map is not kept: the picture is what it is without HDR")
    elif image.format in ("MPO", "HEIF") and getattr(image, "n_frames", 1) > 1:
        notes.append("further pictures in it (depth, stereo …) are not kept")
    if info.get("depth_images"):
        notes.append("its depth map is not kept")
    if _FILM.search(said):
        notes.append("its film is not kept")
    words = ["XMP"] if xmp else []
    words += ["IPTC"] if info.get("photoshop") else []
    texts = getattr(image, "text", None) if b"Xt" in head or b"EXt" in head else None
    ours = ("Software", "XML:com.adobe.xmp", "Raw profile type exif")
    texts = [key for key in texts or () if key not in ours and not key.startswith("eie:")]
    words += ["text"] if texts else []  # a JPEG's comment is its program's, most often
    if words:
        notes.append(f"its {', '.join(words)} {'is' if len(words) == 1 else 'are'} not kept")
    return notes


def coded_colours(head: bytes) -> bytes | None:
    """What an AVIF or HEIC says of its colours without a profile, in the way of a PNG's cICP."""
    found = re.search(rb"colrnclx(..)(..)", head, re.DOTALL)
    if found is None:
        return None
    primaries, curve = (int.from_bytes(part, "big") for part in found.groups())
    # "Unspecified" and television's curves stand for sRGB in pictures.
    primaries, curve = {2: 1}.get(primaries, primaries), {1: 13, 2: 13, 6: 13}.get(curve, curve)
    return bytes([primaries & 255, curve & 255, 0, 1])
