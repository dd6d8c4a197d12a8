"""Real edits with known truth: two photos of one scene, in which an object was moved or taken away.

    NAME_1.jpg  NAME_2.jpg             the photos, of one size, taken from one place
    NAME_1_mask.png  NAME_2_mask.png   the object in each, white; black all over where it is not

Each photo is the truth of the other where the object was. A pair gives up to three cases: the
object removed from photo 1, judged where photo 2 does not show it; the same from photo 2; and, if
both show it, moved from its place in photo 1 to that in photo 2. Alignment and exposure are taken
as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eie.errors import BadInputError
from eie.evaluate.cases import Pixels
from eie.evaluate.compositions import scaled_to
from eie.evaluate.edit_case import Area, EditCase, Kind, Mask
from eie.evaluate.photos import read_rgb
from eie.files.folders import IMAGE_SUFFIXES
from eie.files.images import read_photo

FIRST, SECOND = "_1", "_2"
MASK = "_mask.png"

LEAST = 64
"""Pixels from which on a mask counts as an object."""


@dataclass(frozen=True)
class Pair:
    """The files of a pair."""

    name: str
    photos: tuple[Path, Path]
    masks: tuple[Path, Path]


@dataclass(frozen=True)
class PairCase:
    """One case that a pair gives: "1-2" removes the object of photo 1, "move" moves it."""

    name: str
    pair: Pair
    edit: str

    @property
    def kind(self) -> Kind:
        return "move" if self.edit == "move" else "remove"


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


def plan_pairs(pairs: Sequence[Pair], limit: int | None = None) -> list[PairCase]:
    """The cases that pairs give, by what their masks show.

    Args:
        limit: at most that many, spread evenly over all.

    Raises:
        BadInputError: a mask cannot be read, or neither mask of a pair shows an object.
    """
    planned = []
    for pair in pairs:
        shown = [_mask(path).sum() >= LEAST for path in pair.masks]
        if not any(shown):
            raise BadInputError("neither mask shows an object", where=str(pair.masks[0]))
        edits = [edit for edit, there in zip(("1-2", "2-1"), shown, strict=True) if there]
        if all(shown):
            edits.append("move")
        planned += [PairCase(f"{pair.name} {edit}", pair, edit) for edit in edits]
    if limit is None or limit >= len(planned):
        return planned
    return [planned[index * len(planned) // limit] for index in range(limit)]


def paired(case: PairCase, size: int) -> EditCase:
    """Read a case, scaled down to a long side of at most `size` pixels.

    Raises:
        BadInputError: a file cannot be read, or the files of the pair differ in size.
    """
    there, here = (1, 0) if case.edit == "2-1" else (0, 1)
    photos, masks = _read(case.pair, size)
    before, truth = photos[there], photos[here]
    old, other = masks[there], masks[here]
    home = _tight(old)
    nothing = np.zeros_like(old)
    if case.edit == "move":
        new = _tight(other)
        # Centre to centre: sizes differ by a pixel or by perspective, and are not changed.
        left = round(new.left + (new.width - home.width) / 2)
        top = round(new.top + (new.height - home.height) / 2)
        target = Area(left, top, home.width, home.height)
        present, apart = other, nothing
    else:
        target, present, apart = None, nothing, other
    return EditCase(
        name=case.name,
        kind="move" if case.edit == "move" else "remove",
        before=before,
        truth=truth,
        cover=old.astype(np.uint8) * 255,
        gone=old,
        present=present,
        apart=apart,
        home=home,
        target=target,
    )


def _read(pair: Pair, size: int) -> tuple[list[Pixels], list[Mask]]:
    photos = [read_rgb(path) for path in pair.photos]
    masks = [_mask(path) for path in pair.masks]
    for path, array in zip((*pair.photos[1:], *pair.masks), (*photos[1:], *masks), strict=True):
        if array.shape[:2] != photos[0].shape[:2]:
            raise BadInputError(f"its size differs from that of {pair.photos[0]}", where=str(path))
    # A pixel that the object touches at all is the object's: the mask stays exact.
    small = [scaled_to(mask.astype(np.uint8) * 255, size) > 0 for mask in masks]
    return [scaled_to(photo, size) for photo in photos], small


def _mask(path: Path) -> Mask:
    """(H, W) bool, where a picture is more white than black."""
    pixels = read_photo(path).pixels
    colours = pixels[..., :-1] if pixels.shape[2] in (2, 4) else pixels
    return np.asarray(colours.mean(axis=2) >= 128)


def _tight(mask: Mask) -> Area:
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    top, left = int(rows[0]), int(columns[0])
    return Area(left, top, int(columns[-1]) + 1 - left, int(rows[-1]) + 1 - top)
