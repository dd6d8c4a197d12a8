"""Things in photos that people outlined: what a person would click on.

| folder              | holds                                                                     |
|---------------------|---------------------------------------------------------------------------|
| `DIR/ID.jpg`        | a photo                                                                   |
| `DIR/ID.gtK.png`    | its label maps, one a person, K = 0..; the first one is taken             |
| `DIR/things.json`   | `{"ID": [label, ...]}`, the labels that are things, as COCO's panoptic    |
|                     | annotations tell; without it every label is a thing, as in BSDS           |
| `DIR/ID.json`       | instead of a label map: outlines, see :mod:`eie.evaluate.cases.outlines`  |
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eie.errors import BadInputError
from eie.evaluate.cases.annotations import truths_of
from eie.evaluate.cases.outlines import outline_files, read_outlines
from eie.files.folders import ImageFile
from eie.files.labels import read_labels, thing_labels


@dataclass(frozen=True)
class Thing:
    """A thing in a photo.

    Attributes:
        truth: a label map or a file of outlines.
        label: its label there, or its number from 1.
    """

    photo: Path
    truth: Path
    label: int

    @property
    def name(self) -> str:
        """Unlike that of any other thing in the folder."""
        return f"{self.photo.name} {self.label}"

    def mask(self) -> NDArray[np.bool_]:
        """(H, W) bool, its pixels.

        Raises:
            BadInputError: the truth cannot be read.
        """
        if self.truth.suffix == ".json":
            return read_outlines(self.truth, self.photo)[self.label - 1].mask()
        return np.equal(read_labels(self.truth), self.label)


def things_in(
    folder: Path, files: Sequence[ImageFile], smallest: float
) -> tuple[list[Thing], list[str]]:
    """The things of photos that are large enough, and notes about what was left out.

    Args:
        folder: that of the files.
        smallest: least area of a thing, as a share of its photo.

    Raises:
        BadInputError: no photo has a label map or outlines, a file cannot be read, or no thing is
            so large.
    """
    outlined = outline_files(folder, [file for file in files if not file.segmentations])
    chosen = thing_labels(folder)
    found: list[Thing] = []
    without = 0
    for file in files:
        path = outlined.get(file.path) or next(iter(truths_of(file)), None)
        if path is None:
            without += 1
        elif path.suffix == ".json":
            found += _outlined(file.path, path, smallest)
        elif path.suffix == ".png":
            labels = None if chosen is None else chosen.get(file.path.stem, ())
            found += _labelled(file.path, path, smallest, labels)
        else:
            raise BadInputError("a label map is a PNG", where=str(path), hint="name it ID.gt0.png")
    if without == len(files):
        raise BadInputError(
            "no photo in it has a label map or outlines",
            where=str(folder),
            hint="expected ID.gt0.png, or ID.json of SA-1B or LabelMe, beside ID.jpg",
        )
    if not found:
        raise BadInputError(f"no thing in it covers {smallest:.1%} of its photo", where=str(folder))
    words = f"{without} photos have no label map or outlines and were left out"
    return found, [words] if without else []


def _labelled(
    photo: Path, path: Path, smallest: float, chosen: Sequence[int] | None
) -> list[Thing]:
    """The large labels of a map, of all or of the chosen."""
    labels = read_labels(path)
    present, counts = np.unique(labels, return_counts=True)
    large = present[counts >= smallest * labels.size].tolist()
    return [Thing(photo, path, label) for label in large if chosen is None or label in chosen]


def _outlined(photo: Path, path: Path, smallest: float) -> list[Thing]:
    masks = (outline.mask() for outline in read_outlines(path, photo))
    large = [n for n, mask in enumerate(masks, 1) if mask.any() and mask.mean() >= smallest]
    return [Thing(photo, path, number) for number in large]
