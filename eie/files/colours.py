"""What a file says of its colours: profiles told in other ways, and conversion between them."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from eie.errors import BadInputError

if TYPE_CHECKING:
    from PIL import ImageCms

Intent = Literal["relative", "perceptual"]
"""What becomes of colours beyond the other profile: the nearest are taken, or all move together."""

Chromaticities = tuple[float, ...]
"""x and y of white, red, green, blue."""

SRGB: Chromaticities = (0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
_PRIMARIES: dict[int, Chromaticities] = {
    1: SRGB,
    9: (0.3127, 0.3290, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),
    12: (0.3127, 0.3290, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
}
"""By their number in ITU-T H.273, as cICP gives them: BT.709, BT.2020, Display P3."""

_CURVES: dict[int, Sequence[float]] = {
    1: (1 / 0.45, 1 / 1.099, 0.099 / 1.099, 1 / 4.5, 0.081),
    4: (2.2,),
    5: (2.8,),
    6: (1 / 0.45, 1 / 1.099, 0.099 / 1.099, 1 / 4.5, 0.081),
    8: (1.0,),
    13: (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045),
    14: (1 / 0.45, 1 / 1.099, 0.099 / 1.099, 1 / 4.5, 0.081),
    15: (1 / 0.45, 1 / 1.099, 0.099 / 1.099, 1 / 4.5, 0.081),
}
"""Transfer curves by their number there: a gamma, or ICC's parametric curve of type 3."""

_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
_D50 = np.array([0.96420288, 1.0, 0.82490540])

_BAND = 1 << 20
"""Pixels that are converted at a time."""

_LEAST = 2
"""Levels by which two profiles must show a colour apart to be told apart at all."""


def profile_of_png(info: dict[Any, Any], cicp: bytes | None) -> tuple[bytes | None, str | None]:
    """The ICC profile that a PNG's other colour chunks amount to, and a note about it.

    cICP goes before sRGB, and that before gAMA and cHRM (PNG, third edition, section 4.3).

    Args:
        info: Pillow's of the file, without an ICC profile.
        cicp: content of the chunk, if there is one.

    Returns:
        None for sRGB, or where there is no such profile; the note then says what was dropped.
    """
    if cicp is not None and len(cicp) >= 4:
        primaries, curve, matrix, whole = cicp[:4]
        if (primaries, curve) == (1, 13):
            return None, None
        if primaries in _PRIMARIES and curve in _CURVES and matrix == 0 and whole:
            name = f"cICP {primaries}/{curve}"
            return (
                matrix_profile(_PRIMARIES[primaries], _CURVES[curve], name),
                f"its {name} colours are kept as an ICC profile",
            )
        return None, f"its cICP colours ({primaries}/{curve}, HDR or rare) are taken for sRGB"
    if "srgb" in info:
        return None, None
    gamma, places = info.get("gamma"), info.get("chromaticity")
    usual_gamma = not gamma or abs(gamma - 1 / 2.2) < 0.01
    usual_places = not places or np.abs(np.subtract(places, SRGB)).max() < 0.002
    if usual_gamma and usual_places:
        return None, None
    if gamma and not 0.1 <= gamma <= 10:
        return None, f"its gAMA chunk says {gamma:g}, which cannot be; it is taken for sRGB"
    exponents: Sequence[float] = (1 / gamma,) if gamma else _CURVES[13]
    named = [name for name, value in (("gAMA", gamma), ("cHRM", places)) if value]
    try:
        profile = matrix_profile(places or SRGB, exponents, " ".join(named))
    except (ValueError, ZeroDivisionError, np.linalg.LinAlgError, OverflowError, struct.error):
        return None, f"its {' and '.join(named)} chunks make no sense; it is taken for sRGB"
    return profile, f"its {' and '.join(named)} colours are kept as an ICC profile"


def matrix_profile(places: Chromaticities, curve: Sequence[float], name: str) -> bytes:
    """A display profile of three primaries (ICC.1:2010, version 4.3).

    Args:
        places: (x, y) of white, red, green and blue.
        curve: a gamma, or g, a, b, c, d of the parametric curve of type 3.
        name: its description.

    Raises:
        ValueError: there is no such colour space.
    """
    xy = np.array(places, dtype=np.float64).reshape(4, 2)
    if not np.isfinite(xy).all() or (xy[:, 1] <= 0).any():
        raise ValueError("no chromaticities")
    xyz = np.stack([xy[:, 0] / xy[:, 1], np.ones(4), (1 - xy.sum(axis=1)) / xy[:, 1]])  # (3, 4)
    white, primaries = xyz[:, 0], xyz[:, 1:]
    adapted = _adaptation(white) @ primaries * np.linalg.solve(primaries, white)  # columns at D50
    if np.abs(adapted).max() > 10:
        raise ValueError("primaries that cannot be")
    kind = struct.pack(">4sIHH", b"para", 0, 0 if len(curve) == 1 else 3, 0)
    tags = {
        b"desc": _text(name),
        b"cprt": _text("CC0"),
        b"wtpt": b"XYZ " + bytes(4) + _fixed(*_D50),
        b"chad": b"sf32" + bytes(4) + _fixed(*_adaptation(white).ravel()),
    }
    for column, letter in zip(adapted.T, (b"r", b"g", b"b"), strict=True):
        tags[letter + b"XYZ"] = b"XYZ " + bytes(4) + _fixed(*column)
        tags[letter + b"TRC"] = kind + _fixed(*curve)
    table, data, start = b"", b"", 132 + 12 * len(tags)
    for tag, value in tags.items():
        table += tag + struct.pack(">II", start + len(data), len(value))
        data += value + bytes(-len(value) % 4)
    body = struct.pack(">I", len(tags)) + table + data
    head = struct.pack(
        ">I4s4s4s4s4s", 128 + len(body), bytes(4), b"\x04\x30\0\0", b"mntr", b"RGB ", b"XYZ "
    )
    head += struct.pack(">6H", 2000, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + _fixed(*_D50)
    return head.ljust(128, b"\0") + body


def profile_problem(icc: bytes, colours: int) -> str | None:
    """Why a profile cannot be that of these pixels; None if it can.

    Args:
        colours: channels without alpha, 1 or 3.
    """
    if len(icc) < 132 or icc[36:40] != b"acsp":
        return "its ICC profile is damaged and is left out"
    space = icc[16:20]
    # Grey pixels may well have a profile of equal red, green and blue.
    if space == b"RGB " or (space == b"GRAY" and colours == 1):
        return None
    return f"its ICC profile is for {space.decode('latin-1').strip()} and is left out"


def profile_name(icc: bytes | None) -> str:
    """What a profile calls itself, for notes; sRGB without one."""
    from PIL import ImageCms

    if icc is None:
        return "sRGB"
    try:
        name = ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(icc)))
    except Exception:  # damaged profiles raise all sorts
        return "a damaged profile"
    return " ".join(name.split())[:60] or "a nameless profile"


def conversion(
    source: bytes | None, target: bytes | None, intent: Intent = "relative", colours: int = 3
) -> Callable[[NDArray[np.uint8]], NDArray[np.uint8]] | None:
    """What converts pixels from a profile to another; None where both show the same colours.

    Args:
        source, target: ICC profiles; None is sRGB. A target that is not for RGB is taken for sRGB.
        intent: of colours that the target has not.
        colours: channels of the source without alpha, 1 or 3.

    Returns:
        (H, W, C) uint8 ⇒ the same with its alpha kept; grey with a profile for grey stays grey.

    Raises:
        BadInputError: the source's profile is damaged.
    """
    from PIL import Image, ImageCms

    if source == target or (colours == 1 and source is None):
        return None
    target = target if target is not None and target[16:20] == b"RGB " else None
    mode = "L" if source is not None and source[16:20] == b"GRAY" else "RGB"
    meant = {
        "relative": ImageCms.Intent.RELATIVE_COLORIMETRIC,
        "perceptual": ImageCms.Intent.PERCEPTUAL,
    }[intent]
    flags = ImageCms.Flags.BLACKPOINTCOMPENSATION
    try:
        way = ImageCms.buildTransform(
            _opened(source), _opened(target), mode, "RGB", renderingIntent=meant, flags=flags
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError) as error:
        raise BadInputError(f"its ICC profile is damaged: {error}") from error

    def through(colour: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(h, w, K) ⇒ (h, w, 3)."""
        if mode == "RGB" and colour.shape[2] == 1:
            colour = np.repeat(colour, 3, axis=2)
        picture = Image.fromarray(np.ascontiguousarray(colour[..., 0] if mode == "L" else colour))
        return np.asarray(ImageCms.applyTransform(picture, way), dtype=np.uint8)

    steps = np.linspace(0, 255, 9).round().astype(np.uint8)
    probe = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(1, -1, 3)
    probe = probe[..., :1] if mode == "L" else probe
    if np.abs(through(probe).astype(int) - probe).max() < _LEAST:
        return None

    def convert(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        height, width, channels = pixels.shape
        alpha = channels in (2, 4)
        made = np.empty((height, width, 3 + alpha), dtype=np.uint8)
        rows = max(1, _BAND // width)
        for top in range(0, height, rows):
            band = slice(top, top + rows)
            made[band, :, :3] = through(pixels[band, :, : channels - alpha])
        if alpha:
            made[..., 3] = pixels[..., -1]
        return made

    return convert


def visible_colours(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pixels whose colours under full transparency are those of the visible ones nearby.

    Whatever an eraser left there must not be seen in what is made of a picture. All of a picture
    that is transparent everywhere becomes black.

    Args:
        pixels: (H, W, C) uint8, alpha straight if there is any.

    Returns:
        (H, W, C) uint8; the same array where nothing is hidden.
    """
    if pixels.shape[2] in (1, 3) or pixels[..., -1].all():
        return pixels
    import cv2

    hidden = pixels[..., -1] == 0
    shown = pixels.copy()
    if hidden.all():
        shown[..., :-1] = 0
        return shown
    kind = cv2.DIST_LABEL_PIXEL
    _, nearest = cv2.distanceTransformWithLabels(
        hidden.astype(np.uint8), cv2.DIST_L2, 5, labelType=kind
    )  # (H, W) the number of the nearest visible pixel
    rows, columns = np.nonzero(~hidden)
    place = np.empty(nearest.max() + 1, dtype=np.intp)
    place[nearest[rows, columns]] = np.arange(len(rows))
    of = place[nearest[hidden]]
    shown[hidden, :-1] = pixels[rows[of], columns[of], :-1]
    return shown


def _opened(icc: bytes | None) -> ImageCms.ImageCmsProfile:
    from PIL import ImageCms

    if icc is None:
        return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    return ImageCms.ImageCmsProfile(io.BytesIO(icc))


def _adaptation(white: NDArray[np.float64]) -> NDArray[np.float64]:
    """(3, 3) from XYZ under a white to XYZ under D50, by Bradford."""
    share = (_BRADFORD @ _D50) / (_BRADFORD @ white)
    adapted: NDArray[np.float64] = np.linalg.inv(_BRADFORD) @ np.diag(share) @ _BRADFORD
    return adapted


def _fixed(*values: float) -> bytes:
    """s15Fixed16Number."""
    return b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def _text(text: str) -> bytes:
    """multiLocalizedUnicodeType with one English record."""
    words = text.encode("utf-16-be")
    return struct.pack(">4sIII2s2sII", b"mluc", 0, 1, 12, b"en", b"US", len(words), 28) + words
