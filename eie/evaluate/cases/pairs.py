"""Real edits with known truth: two photos of one scene, in which an object was moved or taken away.

    NAME_1.jpg  NAME_2.jpg             the photos, of one size, taken from one place
    NAME_1_mask.png  NAME_2_mask.png   the object in each, white; black all over where it is not

Each photo is the truth of the other where the object was. A pair gives up to four cases: the
object removed from photo 1 ("NAME 1-2") and from photo 2 ("NAME 2-1"); and, if both show it, moved
from its place in photo 1 to that in photo 2 ("NAME move 1-2") and back ("NAME move 2-1"). A move
brings the mask's centroid to that of the other mask, and scales by the root of the masks' areas, to
whole pixels. Alignment and exposure are taken as they are.

Photos blur and masks are drawn, so both masks are dilated by :data:`GROWN` pixels before it is said
where the object was: *revealed* is the old one less the new one, *untouched* what lies in neither,
*object* the new mask itself. Who is given the mask dilates it by :data:`MARGIN` before filling.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eie.errors import BadInputError, UsageError
from eie.evaluate.cases.edit_case import HALF, EditCase, Kind, Plane, dilated
from eie.evaluate.core.case_result import Mask, Pixels
from eie.evaluate.core.photos import read_rgb
from eie.files.folders import IMAGE_SUFFIXES
from eie.files.masks import marked_in
from eie.files.photo_reading import read_photo
from eie.pictures import Window, around, averaged, shrunk

FIRST, SECOND = "_1", "_2"
MASK = "_mask.png"

LEAST = 64
"""Pixels from which on a mask counts as an object."""

GROWN = 4
"""Pixels around a mask, on every side, where the photo may still show the object."""

MARGIN = 3
"""Pixels by which the mask is dilated for what fills it."""

PAIR_KINDS: tuple[Kind, ...] = ("move", "remove")
"""The edits that pairs give."""

_MOVE = "move "


@dataclass(frozen=True)
class Pair:
    """The files of a pair."""

    name: str
    photos: tuple[Path, Path]
    masks: tuple[Path, Path]


@dataclass(frozen=True)
class PairCase:
    """One case that a pair gives: "1-2" removes the object of photo 1, "move 1-2" moves it."""

    name: str
    pair: Pair
    edit: str

    @property
    def kind(self) -> Kind:
        return "move" if self.edit.startswith(_MOVE) else "remove"

    @property
    def edited(self) -> int:
        """Which photo is edited, 0 or 1; the other is the truth."""
        return int(self.edit.endswith("2-1"))


def find_pairs(folder: Path) -> list[Pair]:
    """The pairs in a folder, sorted by name.

    Raises:
        BadInputError: the folder is missing or holds no pairs, or a file of a pair is missing.
    """
    if not folder.is_dir():
        raise BadInputError("no such folder", where=str(folder))
    photos = {
        path.stem: path
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.endswith(MASK)
    }
    names = sorted(stem.removesuffix(FIRST) for stem in photos if stem.endswith(FIRST))
    if not names:
        raise BadInputError(
            "the folder holds no pairs",
            where=str(folder),
            hint="they are called NAME_1.jpg, NAME_2.jpg, NAME_1_mask.png, NAME_2_mask.png",
        )
    return [_pair(folder, name, photos) for name in names]


def _pair(folder: Path, name: str, photos: dict[str, Path]) -> Pair:
    if name + SECOND not in photos:
        raise BadInputError("has no second photo", where=str(folder / f"{name}{SECOND}.jpg"))
    masks = folder / f"{name}{FIRST}{MASK}", folder / f"{name}{SECOND}{MASK}"
    for mask in masks:
        if not mask.is_file():
            raise BadInputError("the mask is missing", where=str(mask))
    return Pair(name, (photos[name + FIRST], photos[name + SECOND]), masks)


def plan_pairs(
    pairs: Sequence[Pair], limit: int | None = None, kinds: Sequence[Kind] = PAIR_KINDS
) -> list[PairCase]:
    """The cases that pairs give, by what their masks show.

    Args:
        limit: at most that many, spread evenly over all.
        kinds: of edits, out of :data:`PAIR_KINDS`.

    Raises:
        UsageError: pairs give no such kind of edit.
        BadInputError: a mask cannot be read, neither mask of a pair shows an object, or no pair
            gives an edit of these kinds.
    """
    for kind in kinds:
        if kind not in PAIR_KINDS:
            raise UsageError(
                f"pairs give no edit '{kind}'", hint=f"there is: {', '.join(PAIR_KINDS)}"
            )
    planned = [case for pair in pairs for case in _cases(pair) if case.kind in kinds]
    if not planned:
        raise BadInputError(
            f"the pairs show none of these edits: {', '.join(kinds)}",
            hint="an object is moved where both masks show it",
        )
    if limit is None or limit >= len(planned):
        return planned
    return [planned[index * len(planned) // limit] for index in range(limit)]


def _cases(pair: Pair) -> list[PairCase]:
    """All that a pair gives."""
    shown = [_mask(path).sum() >= LEAST for path in pair.masks]
    if not any(shown):
        raise BadInputError("neither mask shows an object", where=str(pair.masks[0]))
    edits = [edit for edit, there in zip(("1-2", "2-1"), shown, strict=True) if there]
    if all(shown):
        edits += [_MOVE + edit for edit in edits]
    return [PairCase(f"{pair.name} {edit}", pair, edit) for edit in edits]


def paired(case: PairCase, size: int) -> EditCase:
    """Read a case, scaled down to a long side of at most `size` pixels.

    Raises:
        BadInputError: a file cannot be read, the files of the pair differ in size, or nothing is
            left of the object at this size.
    """
    here, there = case.edited, 1 - case.edited
    photos, covers = _read(case.pair, size)
    masks = [cover >= HALF for cover in covers]
    for index in (here, there) if case.kind == "move" else (here,):
        if not masks[index].any():
            path = str(case.pair.masks[index])
            raise BadInputError(f"the object is too small at {size} pixels", where=path)
    home = around(covers[here] > 0)
    target, present = None, np.zeros_like(masks[there])
    if case.kind == "move":
        target, present = moved_area(home, masks[here], masks[there]), masks[there]
    return EditCase(
        name=case.name,
        kind=case.kind,
        before=photos[here],
        truth=photos[there],
        cover=covers[here],
        gone=dilated(masks[here], GROWN),
        present=present,
        apart=dilated(masks[there], GROWN) & ~present,
        home=home,
        target=target,
        margin=MARGIN,
    )


def moved_area(area: Window, old: Mask, new: Mask) -> Window:
    """Where an area goes with an object that has these masks (H, W) before and after.

    Centroid to centroid, scaled by the root of the ratio of the areas; in whole pixels.
    """
    scale = math.sqrt(new.sum() / old.sum())
    middle = np.array([area.left + area.width / 2, area.top + area.height / 2])
    x, y = _centroid(new) + scale * (middle - _centroid(old))
    width, height = (max(1, round(scale * side)) for side in (area.width, area.height))
    return Window.at(round(x - width / 2), round(y - height / 2), width, height)


def _centroid(mask: Mask) -> NDArray[np.float64]:
    """x and y in pixels, of pixels' middles."""
    return np.asarray(np.argwhere(mask).mean(axis=0)[::-1] + 0.5)


def _read(pair: Pair, size: int) -> tuple[list[Pixels], list[Plane]]:
    """The photos, and how far every pixel is the object's in each."""
    photos = [read_rgb(path) for path in pair.photos]
    masks = [_mask(path) for path in pair.masks]
    for path, array in zip((*pair.photos[1:], *pair.masks), (*photos[1:], *masks), strict=True):
        if array.shape[:2] != photos[0].shape[:2]:
            raise BadInputError(f"its size differs from that of {pair.photos[0]}", where=str(path))
    covers = [averaged(mask.astype(np.uint8) * 255, size) for mask in masks]
    # As sharp as photos of that size are: a blurred truth would excuse a blurred fill.
    return [shrunk(photo, size) for photo in photos], covers


def _mask(path: Path) -> Mask:
    """(H, W) bool, what the picture of a mask marks; nothing if it is black all over."""
    pixels = read_photo(path).pixels
    colours = pixels[..., :-1] if pixels.shape[2] in (2, 4) else pixels
    if not colours.any():
        return np.zeros(pixels.shape[:2], dtype=bool)
    marked, _ = marked_in(pixels, str(path))
    return marked
