"""What is told and seen of a document: its state as JSON values, maps and pictures for a screen."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eie.editing import script_of
from eie.editing.account import description, doubts, share_of
from eie.editing.all_objects import all_objects, has_objects
from eie.editing.picking import rows_on_canvas
from eie.editing.script import is_later, told
from eie.editing.selection import parse_selection
from eie.editing.table_changes import centre_of, commonest_turn
from eie.elements import MAX_ELEMENTS, Canvas, ElementSet
from eie.errors import UsageError
from eie.files.photo import Photo
from eie.geometry import common_box, corners
from eie.open.command_line import command_line, text_of
from eie.pictures import Picture, bounds
from eie.preview.cutout import cutout
from eie.rendering.anchored import Scene, dilation_of, stage
from eie.rendering.reduced import reduced_pixels

MOST_WITH_OBJECTS = 4096
"""Elements up to which the objects of all are told at once."""


def state_of(
    elements: ElementSet,
    *,
    identity: str,
    file: str,
    photo: str | None,
    revision: str,
    checkpoint: str | None = None,
) -> dict[str, Any]:
    """The whole state of a document.

    Args:
        elements: the set.
        identity, file, revision: of the document.
        photo: name of the photo it was made of, if that is in the workspace.
        checkpoint: path of the segmenter that photos are decomposed by, if it has no name.
    """
    pixels = elements.sources[0].pixels
    return {
        "id": identity,
        "file": file,
        "photo": photo,
        "revision": revision,
        "canvas": {"width": elements.canvas.width, "height": elements.canvas.height},
        "depth": 8,
        "alpha": pixels is not None and pixels.shape[2] in (2, 4),
        "elements": rows_of(elements),
        "groups": {name: list(members) for name, members in elements.groups.items()},
        "history": [_entry(edit.operation) for edit in elements.history],
        "undone": [_entry(edit.operation) for edit in reversed(elements.undone)],
        "has_objects": len(elements) <= MOST_WITH_OBJECTS and has_objects(elements),
        "command": command_line(elements, file, photo, checkpoint),
        "script": script_of(elements),
    }


def rows_of(elements: ElementSet) -> list[dict[str, Any]]:
    """The rows of the element table, each with its home box."""
    table = elements.table
    columns: dict[str, NDArray[Any]] = {
        "id": table.id,
        "source": table.source,
        "patch": table.patch,
        "box": table.box,
        "angle": table.angle,
        "shear": table.shear,
        "flip_x": table.flip[:, 0],
        "flip_y": table.flip[:, 1],
        "z": table.z,
        "visible": table.visible,
        "home": elements.home_box,
    }
    values = zip(*(column.tolist() for column in columns.values()), strict=True)
    return [dict(zip(columns, row, strict=True)) for row in values]


def _entry(operation: Mapping[str, Any]) -> dict[str, Any]:
    """An entry of the history with its text, as it is typed, and whether it was done in one edit
    with the one before it."""
    entry = told(operation)
    return {**entry, "text": text_of(entry), "later": is_later(operation)}


def selection_of(
    elements: ElementSet, text: str, *, tolerance: float | None = None, deleted: bool = False
) -> dict[str, Any]:
    """What a selection takes.

    Raises:
        UsageError: it cannot be read, or means nothing in the set.
        BadInputError: a mask cannot be read or does not fit.
    """
    selection = parse_selection(text)
    if tolerance is not None:
        selection = selection.with_tolerance(tolerance)
    rows = selection.rows(elements, deleted=deleted)
    return {
        "ids": elements.table.id[rows].tolist(),
        "rows": rows.tolist(),
        "box": _edges(elements, rows).tolist(),
        "centre": centre_of(elements, rows).tolist(),
        "angle": commonest_turn(elements, rows)[0],
        "share": share_of(elements, rows),
        "text": description(elements, rows),
        "warnings": list(doubts(elements, rows, [selection], torn=not deleted)),
    }


def _edges(elements: ElementSet, rows: NDArray[np.intp]) -> NDArray[np.float64]:
    """(4,) x0, y0, x1, y1 of what is around elements on the canvas."""
    return corners(common_box(elements.table.upright_box[rows]))


NOTHING = 0xFFFF
"""Where no element is, in maps of two bytes a pixel; :data:`NOTHING_WIDE` in those of four."""

NOTHING_WIDE = 0xFFFFFFFF

SIDES = (16, 8192)
"""Least and most pixels of the longer side of what is made for a screen."""


class Labels(NamedTuple):
    """The rows of the elements that are seen, by pixel.

    data: (h, w) little-endian, of `width` bytes a pixel.
    """

    data: bytes
    height: int
    width: int
    bytes: int


class Encoded(NamedTuple):
    """A picture file and its media type."""

    data: bytes
    kind: str


def fitted(canvas: Canvas, side: int) -> tuple[int, int]:
    """Height and width of a canvas whose longer side has at most so many pixels."""
    factor = min(1.0, side / max(canvas))
    return max(1, round(canvas.height * factor)), max(1, round(canvas.width * factor))


def labels(elements: ElementSet, side: int) -> Labels:
    """Which element is in front, at each pixel of a smaller canvas: what `@x,y` takes there."""
    height, width = fitted(elements.canvas, side)
    rows = rows_on_canvas(elements, elements.table.visible, (height, width))
    if len(elements) < MAX_ELEMENTS:
        return Labels(np.where(rows < 0, NOTHING, rows).astype("<u2").tobytes(), height, width, 2)
    return Labels(rows.astype("<i4").view("<u4").tobytes(), height, width, 4)


def objects(elements: ElementSet) -> bytes:
    """What `object@` takes at each element, as bits: N × 3 rows of ⌈N / 8⌉ bytes.

    Raises:
        UsageError: the file tells no objects.
    """
    return np.packbits(all_objects(elements), axis=2).tobytes()


def current(elements: ElementSet) -> Photo:
    """What the canvas shows of a set before anything is filled in: holes are transparent."""
    scene = stage(elements, dilation_of(elements), edge="hard")  # traces stay until it is rendered
    if not scene.hole.any():
        return Photo(scene.picture, elements.sources[0].icc)
    return Photo(_with_holes(scene), elements.sources[0].icc)


def _with_holes(scene: Scene) -> Picture:
    """(H, W, 2 or 4) the scene's picture, its hole transparent."""
    picture = scene.picture
    if picture.shape[2] in (1, 3):
        opaque = np.full((*picture.shape[:2], 1), 255, dtype=np.uint8)
        picture = np.concatenate([picture, opaque], axis=2)
    picture = picture.copy()
    picture[scene.hole] = 0
    return picture


def unedited(elements: ElementSet) -> Photo:
    """The photo as it was.

    Raises:
        UsageError: the file has no pixels.
    """
    source = elements.sources[0]
    if source.pixels is None:
        raise UsageError("the file has no pixels", hint="run eie decompose without --no-pixels")
    return Photo(np.asarray(source.pixels), source.icc)


def cut_out(elements: ElementSet, ids: Sequence[int]) -> tuple[Photo, tuple[int, int, int, int]]:
    """Elements as they are now on nothing, and where that lies: left, top, right, bottom.

    Raises:
        UsageError: nothing of them is seen.
    """
    photo = cutout(elements, ids)
    window = bounds(photo.pixels[..., -1] > 0)
    if window is None:
        raise UsageError("nothing of the selection is seen")
    part = np.ascontiguousarray(photo.pixels[window.slices])
    return Photo(part, photo.icc), (window.left, window.top, window.right, window.bottom)


def to_side(photo: Photo, side: int | None) -> Photo:
    """A photo whose longer side has at most so many pixels."""
    height, width = photo.pixels.shape[:2]
    size = fitted(Canvas(height, width), side or max(height, width))
    return Photo(reduced_pixels(photo.pixels, size), photo.icc)


def for_screen(photo: Photo, *, exact: bool = True) -> Encoded:
    """A picture file for the screen, quickly made; it keeps the profile.

    Args:
        exact: whether no pixel may change; else what is opaque becomes a JPEG.
    """
    from PIL import Image

    pixels = photo.pixels
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    stream = io.BytesIO()
    profile = {"icc_profile": photo.icc} if photo.icc else {}
    if exact or pixels.shape[2] in (2, 4):
        image.save(stream, "PNG", compress_level=1, **profile)
        return Encoded(stream.getvalue(), "image/png")
    image.save(stream, "JPEG", quality=92, **profile)
    return Encoded(stream.getvalue(), "image/jpeg")
