"""What kind of file the first bytes are of: pictures that are read, and names for the others."""

from __future__ import annotations

import re

HEAD = 512
"""Bytes that are enough to tell."""

HDF5 = b"\x89HDF\r\n\x1a\n"
"""What HDF5 files, such as element files, begin with."""

JPEG, PNG, WEBP, TIFF, BMP = "JPEG", "PNG", "WEBP", "TIFF", "BMP"
HEIC, AVIF = "HEIC", "AVIF"

_BRANDS = {
    HEIC: (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"hevm", b"hevs"),
    AVIF: (b"avif", b"avis"),
}
"""Of ISO base media files (ISO/IEC 23008-12, annex B; AVIF 1.1, section 8)."""

RAW = "a camera's raw file"
DEVELOP = "develop it into a TIFF or JPEG first"

_FOREIGN: tuple[tuple[re.Pattern[bytes], str, str], ...] = tuple(
    (re.compile(pattern, re.DOTALL | re.IGNORECASE), name, way)
    for pattern, name, way in (
        (rb"GIF8[79]a", "a GIF", "save the frame you want as PNG"),
        (rb"8BPS", "a Photoshop document", "export it as PNG or TIFF"),
        (rb"gimp xcf", "a GIMP document", "export it as PNG or TIFF"),
        (rb"\x00\x00\x00\x0cJXL \r\n|\xff\x0a", "a JPEG XL", "convert it to PNG"),
        (rb"\x00\x00\x00\x0cjP  |\xff\x4f\xff\x51", "a JPEG 2000", "convert it to PNG"),
        (rb"\x76\x2f\x31\x01", "an OpenEXR", "convert it to 8 bits, as PNG or TIFF"),
        (rb"#\?RADIANCE", "a Radiance HDR", "convert it to 8 bits, as PNG or TIFF"),
        (rb"\x00\x00\x01\x00", "an icon", "save it as PNG"),
        (rb"%PDF|%!PS", "a document", "export the page as PNG"),
        (rb"\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*(<!DOCTYPE svg[^>]*>\s*)?<svg", "an SVG drawing",
         "export it as PNG"),
        (rb"\s*<(!DOCTYPE )?html", "a web page", "was the picture's download refused?"),
        (rb"version https://git-lfs", "a Git LFS pointer", "fetch the file by git lfs pull"),
        (rb"\x89HDF\r\n", "an HDF5 file", "element files are read by encode, edit and render"),
        (rb"\x00\x05\x16\x07", "what macOS keeps beside a file", "give the file without ._"),
        (rb"PK\x03\x04", "a ZIP archive or a document in one", "export the picture as PNG"),
        (rb".{4}ftypcrx |FUJIFILMCCD-RAW|IIR[OS]|MMOR|IIU\0|.{8}CR\x02", RAW, DEVELOP),
        (rb".{4}ftyp", "a film, or of a kind that is not known", "export the picture as PNG"),
        (rb"\x1aE\xdf\xa3|RIFF.{4}AVI ", "a film", "export the picture as PNG"),
    )
)  # fmt: skip


def picture_kind(head: bytes) -> str | None:
    """JPEG, PNG, WEBP, TIFF, BMP, HEIC or AVIF, by the first bytes; None for others."""
    if head.startswith(b"\xff\xd8\xff"):
        return JPEG
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return PNG
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return WEBP
    if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+") and head[8:11] != b"CR\x02":
        return TIFF
    if head[:2] == b"BM":
        return BMP
    if head[4:8] == b"ftyp":
        return _by_brand(head)
    return None


def foreign_kind(head: bytes) -> tuple[str, str] | None:
    """Of a file that is none of these pictures, what it is and what can be done, if known."""
    for pattern, name, way in _FOREIGN:
        if pattern.match(head):
            return name, way
    return None


def _by_brand(head: bytes) -> str | None:
    """The kind that the brands of an ISO base media file say: the major one, then the others."""
    length = min(int.from_bytes(head[:4], "big"), len(head))
    brands = [head[8:12], *(head[place : place + 4] for place in range(16, length - 3, 4))]
    for brand in brands:
        for kind, names in _BRANDS.items():
            if brand in names:
                return kind
    return HEIC if head[8:12] in (b"mif1", b"msf1") else None
