"""Outlines of things in JSON files, one beside each photo.

| from    | file                  | a thing                                                      |
|---------|-----------------------|--------------------------------------------------------------|
| SA-1B   | `DIR/ID.json`         | each of `annotations`, its `segmentation` in COCO's run      |
|         |                       | lengths, as numbers or packed into a text                    |
| LabelMe | `DIR/ID.json`, or the | each of `shapes` that has an area; those of one label and    |
|         | photo's `imagePath`   | one `group_id` together                                      |

Sources: Kirillov et al. 2023 for SA-1B, `maskApi.c` of pycocotools for run lengths,
`utils/shape.py` of LabelMe for what its points mean.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from eie.errors import BadInputError
from eie.evaluate.core.case_result import Mask
from eie.files.folders import ImageFile
from eie.files.labels import THINGS_FILE
from eie.files.photo import MAX_PIXELS
from eie.files.photo_reading import read_photo
from eie.files.streams import open_input

Point = tuple[float, float]

_WITHOUT_AREA = frozenset({"point", "points", "line", "linestrip"})
_POLYGONS = frozenset({"polygon", "oriented_rectangle"})
_NO_THINGS = frozenset({"_background_", "__ignore__"})
"""LabelMe's labels of what is no thing."""

_LONGEST = 7
"""Characters of a number in packed run lengths; 35 bits are more than any picture's pixels."""


@dataclass(frozen=True)
class RunLengths:
    """Pixels told by run lengths: outside, inside, outside …, down the columns from the left.

    Attributes:
        size: (H, W).
        counts: their sum is H · W.
    """

    size: tuple[int, int]
    counts: tuple[int, ...]

    def mask(self) -> Mask:
        """(H, W) bool."""
        inside = np.arange(len(self.counts)) % 2 == 1
        flat = np.repeat(inside, np.array(self.counts, dtype=np.int64))  # (W · H)
        return np.ascontiguousarray(flat.reshape(self.size[::-1]).T)


@dataclass(frozen=True)
class Shape:
    """A shape as LabelMe draws it.

    Attributes:
        kind: "polygon", "rectangle", "circle" or "mask".
        points: corners; a centre and a point on the circle. In pixels, the centre of the first
            pixel being at (.5, .5).
        pixels: (h, w) bool, of a mask, whose first pixel is at its first point.
    """

    kind: str
    points: tuple[Point, ...]
    pixels: Mask | None = None

    def draw(self, mask: Mask) -> None:
        """Mark the pixels whose centres are in the shape."""
        import skimage.draw

        draw: Any = skimage.draw
        (x0, y0), (x1, y1) = self.points[:2]
        if self.pixels is not None:
            _place(self.pixels, mask, round(x0), round(y0))
        elif self.kind == "circle":
            if (radius := math.hypot(x1 - x0, y1 - y0)) > 0:
                mask[draw.disk((y0 - 0.5, x0 - 0.5), radius, shape=mask.shape)] = True
        else:
            corners = self.points
            if self.kind == "rectangle":
                corners = ((x0, y0), (x1, y0), (x1, y1), (x0, y1))
            x, y = np.array(corners).T - 0.5
            mask[draw.polygon(y, x, shape=mask.shape)] = True


@dataclass(frozen=True)
class Shapes:
    """All shapes of one thing in a picture of (H, W) pixels."""

    size: tuple[int, int]
    shapes: tuple[Shape, ...]

    def mask(self) -> Mask:
        """(H, W) bool."""
        mask = np.zeros(self.size, dtype=bool)
        for shape in self.shapes:
            shape.draw(mask)
        return mask


Outline = RunLengths | Shapes


def outline_files(folder: Path, files: Sequence[ImageFile]) -> dict[Path, Path]:
    """Photo ⇒ the JSON file that outlines its things, for those that have one.

    Raises:
        BadInputError: the folder cannot be read.
    """
    beside = {file.path: file.path.with_suffix(".json") for file in files}
    found = {
        photo: path for photo, path in beside.items() if path.is_file() and path.name != THINGS_FILE
    }
    if len(found) == len(files):
        return found
    named = {photo.name: photo for photo in beside if photo not in found}
    for path in sorted({*folder.glob("*.json")} - {*found.values()}):
        photo = named.get(_photo_named_in(path))
        if photo is not None:
            found.setdefault(photo, path)
    return found


@lru_cache(maxsize=1)
def read_outlines(path: Path, photo: Path) -> tuple[Outline, ...]:
    """The things that a file outlines, in its order.

    Args:
        photo: whose size counts where the file tells none.

    Raises:
        BadInputError: it cannot be read, or is of another kind.
    """
    content = _content(path)
    if isinstance(content, Mapping):
        try:
            if isinstance(content.get("annotations"), list):
                return _of_sa1b(content["annotations"])
            if isinstance(content.get("shapes"), list):
                return _of_labelme(content, photo)
        except _WrongError as error:
            raise BadInputError(str(error), where=str(path)) from error
    raise BadInputError(
        "holds neither SA-1B's annotations nor LabelMe's shapes",
        where=str(path),
        hint='expected {"annotations": [...]} or {"shapes": [...]}',
    )


def unpacked(text: str) -> list[int]:
    """Run lengths of a text, six bits a character: five of a number, and whether more follow.

    From the fourth on, they are told by how much they differ from the last but one.

    Raises:
        ValueError: the text is none of run lengths.
    """
    counts: list[int] = []
    number, characters = 0, 0
    for character in text:
        code = ord(character) - 48
        if not 0 <= code < 64 or characters >= _LONGEST:
            raise ValueError(f"packed run lengths with {character!r} in them")
        number |= (code & 31) << (5 * characters)
        characters += 1
        if code & 32:
            continue
        if code & 16:
            number -= 1 << (5 * characters)
        counts.append(number + (counts[-2] if len(counts) > 2 else 0))
        number, characters = 0, 0
    if characters:
        raise ValueError("packed run lengths that are cut off")
    return counts


class _WrongError(Exception):
    """What is wrong in a file, for its reader's message."""


def _content(path: Path) -> Any:
    try:
        with open_input(path) as handle:
            return json.loads(handle.read())
    except (OSError, ValueError, RecursionError) as error:
        raise BadInputError(f"this is not JSON: {error}", where=str(path)) from error


def _photo_named_in(path: Path) -> str:
    """The name of the photo that LabelMe says a file is of, its folder left out; "" if none."""
    try:
        content = _content(path)
    except BadInputError:
        return ""
    name = content.get("imagePath") if isinstance(content, Mapping) else None
    return PurePosixPath(name.replace("\\", "/")).name if isinstance(name, str) else ""


def _of_sa1b(annotations: Sequence[Any]) -> tuple[Outline, ...]:
    outlines = []
    for number, annotation in enumerate(annotations, 1):
        what = f"annotation {number}"
        told = annotation.get("segmentation") if isinstance(annotation, Mapping) else None
        if not isinstance(told, Mapping):
            raise _WrongError(f"{what} has no segmentation by run lengths")
        size = _size(told.get("size"), what)
        counts = told.get("counts")
        if isinstance(counts, str):
            try:
                counts = unpacked(counts)
            except ValueError as error:
                raise _WrongError(f"{what} has {error}") from error
        if not isinstance(counts, list) or not all(type(n) is int and n >= 0 for n in counts):
            raise _WrongError(f"{what} has no run lengths")
        if sum(counts) != math.prod(size):
            raise _WrongError(f"{what} tells of {sum(counts)} pixels of {math.prod(size)}")
        outlines.append(RunLengths(size, tuple(counts)))
    return tuple(outlines)


def _of_labelme(content: Mapping[str, Any], photo: Path) -> tuple[Outline, ...]:
    told = [content.get("imageHeight"), content.get("imageWidth")]
    height, width = read_photo(photo).pixels.shape[:2] if None in told else _size(told, "it")
    things: dict[tuple[object, ...], list[Shape]] = {}
    for number, entry in enumerate(content["shapes"], 1):
        what = f"shape {number}"
        if not isinstance(entry, Mapping):
            raise _WrongError(f"{what} is none")
        label, group = str(entry.get("label")), entry.get("group_id")
        shape = _shape(entry, what)
        if shape is None or label in _NO_THINGS:
            continue
        if not isinstance(group, int | str | None):
            raise _WrongError(f"{what} has the group_id {group!r}, which is no number")
        # A shape without a group is a thing by itself.
        key = (number,) if group is None else (label, group)
        things.setdefault(key, []).append(shape)
    return tuple(Shapes((height, width), tuple(shapes)) for shapes in things.values())


def _shape(entry: Mapping[str, Any], what: str) -> Shape | None:
    """A shape; None for one without an area."""
    kind = entry.get("shape_type") or "polygon"
    if not isinstance(kind, str):
        raise _WrongError(f"{what} has a shape_type that is no text")
    if kind in _WITHOUT_AREA:
        return None
    points = entry.get("points")
    if not isinstance(points, list) or not all(map(_is_point, points)):
        raise _WrongError(f"{what} has points that are no pairs of numbers")
    corners = tuple((float(x), float(y)) for x, y in points)
    if kind in _POLYGONS:
        if len(corners) < 3:
            raise _WrongError(f"{what} is a polygon of {len(corners)} points")
        return Shape("polygon", corners)
    if kind not in ("rectangle", "circle", "mask"):
        raise _WrongError(f"{what} has the shape_type {kind!r}, which is not known")
    if len(corners) != 2:
        raise _WrongError(f"{what} is a {kind} of {len(corners)} points, not 2")
    return Shape(kind, corners, _pixels(entry.get("mask"), what) if kind == "mask" else None)


def _pixels(told: object, what: str) -> Mask:
    """(h, w) bool of a PNG in a text."""
    try:
        data = base64.b64decode(told, validate=True) if isinstance(told, str) else b""
        return np.asarray(read_photo(data, what).pixels[..., 0] > 0)
    except (ValueError, BadInputError) as error:
        raise _WrongError(f"{what} is a mask without a picture: {error}") from error


def _place(pixels: Mask, mask: Mask, left: int, top: int) -> None:
    """Mark in a mask what is marked in a part of it that begins at (left, top)."""
    height, width = mask.shape
    rows, columns = np.nonzero(pixels)
    rows, columns = rows + top, columns + left
    there = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    mask[rows[there], columns[there]] = True


def _size(told: object, what: str) -> tuple[int, int]:
    """(H, W)."""
    if not isinstance(told, list) or [type(side) for side in told] != [int, int]:
        raise _WrongError(f"{what} tells no size in pixels")
    height, width = told
    if height < 1 or width < 1 or height * width > MAX_PIXELS:
        raise _WrongError(f"{what} tells of {width} × {height} pixels, which cannot be")
    return height, width


def _is_point(value: object) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 2
        and all(type(number) in (int, float) and abs(number) <= MAX_PIXELS for number in value)
    )
