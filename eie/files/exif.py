"""EXIF blocks that stay true: what describes the photo is kept, what describes a file is not.

A block that is copied from one file into another must not say how the first one stored its pixels:
a reader of the second would believe it (a TIFF keeps its EXIF and its own structure in one table).
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL import Image

ORIENTATION, SOFTWARE = 0x0112, 0x0131
EXPOSURE, PLACE, INTEROPERABILITY = 0x8769, 0x8825, 0xA005
FOLDERS = (EXPOSURE, PLACE)
WIDTH, HEIGHT = 0xA002, 0xA003
"""Of the exposure's folder: size of the photo in pixels."""

X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 0x011A, 0x011B, 0x0128
INCH, CENTIMETRE = 2, 3
PER_CENTIMETRE = 2.54
MOST_RESOLUTION = 65_535
"""Pixels per inch that a JPEG can state."""

_WHOLE = 0.02
"""What a format that counts by the metre may add to a whole number of pixels per inch."""

DESCRIPTIVE = frozenset(
    {
        0x010D, 0x010E, 0x010F, 0x0110,  # document, description, make, model
        0x011A, 0x011B, 0x0128,  # resolution
        0x0131, 0x0132, 0x013B, 0x013C, 0x8298,  # software, date, artist, computer, copyright
        0x4746, 0x4749, 0x9C9B, 0x9C9C, 0x9C9D, 0x9C9E, 0x9C9F,  # stars and titles, by Windows
        0x9211, 0x9213, 0xC4A5,  # image number and history, print matching
    }
)  # fmt: skip
"""The tags of a block's first table that say nothing of how a file stores its pixels."""

_ALSO_EXPOSURE = range(0x829A, 0xA500)
"""Tags of the exposure that careless programs put into the first table, where they do no harm."""

_STORAGE = frozenset(
    {0x83BB, 0x8649, 0x8773, 0x8829, 0x8769, 0x8825, 0x935C, 0x9216, 0x9217, 0xA005}
)
"""Of that range, others' data: IPTC, Photoshop's, profiles, folders."""


def true_exif(found: Image.Exif, size: tuple[int, int] | None = None) -> bytes | None:
    """A block of what describes the photo alone, without orientation and thumbnail.

    Args:
        found: a block as read.
        size: (H, W) of the upright photo, which the block is made to say where it says any; None
            leaves it as it is.

    Returns:
        "Exif", two NULs, a TIFF header …; None where nothing is left.
    """
    from PIL import Image

    kept = Image.Exif()
    for tag, value in found.items():
        exposure = tag in _ALSO_EXPOSURE and tag not in _STORAGE
        if tag in DESCRIPTIVE or exposure:
            kept[tag] = value
    for folder in FOLDERS:
        content = _folder(found, folder)
        if folder == EXPOSURE and size is not None:
            sizes = {WIDTH: size[1], HEIGHT: size[0]}
            content |= {tag: value for tag, value in sizes.items() if tag in content}
        if content:
            kept[folder] = content
    return kept.tobytes() if len(kept) else None


def resolution(found: Image.Exif) -> tuple[float, float] | None:
    """Pixels per inch to the right and down, as a block tells; None where it tells of no length."""
    unit = found.get(RESOLUTION_UNIT, INCH)
    if unit not in (INCH, CENTIMETRE):
        return None
    try:
        across, down = float(found[X_RESOLUTION]), float(found[Y_RESOLUTION])
    except (KeyError, TypeError, ValueError, ArithmeticError):
        return None
    factor = PER_CENTIMETRE if unit == CENTIMETRE else 1
    told = across * factor, down * factor
    return told if all(0.5 <= value <= MOST_RESOLUTION for value in told) else None


def state_resolution(found: Image.Exif, across: float, down: float) -> None:
    """Let a block tell how many pixels to the right and down there are per inch."""
    for tag, value in ((X_RESOLUTION, across), (Y_RESOLUTION, down)):
        whole = round(value)
        near = Fraction(whole if abs(value - whole) < _WHOLE else value)
        found[tag] = near.limit_denominator(10_000)
    found[RESOLUTION_UNIT] = INCH


def turn_resolution(found: Image.Exif) -> None:
    """Let a block tell the same of a photo that is turned by 90°."""
    if X_RESOLUTION in found and Y_RESOLUTION in found:
        found[X_RESOLUTION], found[Y_RESOLUTION] = found[Y_RESOLUTION], found[X_RESOLUTION]


def parsed(block: bytes) -> Image.Exif:
    """A block to look into; what Pillow raises on a damaged one comes through."""
    from PIL import Image

    found = Image.Exif()
    found.load(block)
    return found


def shortened(block: bytes, limit: int) -> tuple[bytes | None, list[str]]:
    """A block of at most `limit` bytes, its largest entries left out, and their names."""
    from PIL import ExifTags

    found = parsed(block)
    left_out: list[str] = []
    while (written := found.tobytes()) and len(written) > limit:
        folders = {folder: _folder(found, folder) for folder in FOLDERS}
        entries: list[tuple[int, int | None, int]] = [
            (_length(value), None, tag) for tag, value in found.items() if tag not in FOLDERS
        ]
        for folder, content in folders.items():
            entries += [(_length(value), folder, tag) for tag, value in content.items()]
        if not entries:
            return None, [*left_out, "all of it"]
        _, holder, tag = max(entries, key=lambda entry: (entry[0], entry[2]))
        left_out.append(ExifTags.TAGS.get(tag, f"tag {tag}"))
        if holder is None:
            del found[tag]
        else:
            del folders[holder][tag]
            found[holder] = folders[holder]
    return written, left_out


def _folder(found: Image.Exif, folder: int) -> dict[int, Any]:
    content = dict(found.get_ifd(folder))
    # A folder in a folder: Pillow gives it by its place in the file that was read.
    content.pop(INTEROPERABILITY, None)
    return content


def _length(value: Any) -> int:
    return len(value) if isinstance(value, bytes | str | tuple | list) else 8
