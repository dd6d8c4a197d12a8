"""Things in photos with label maps: what a person would click on.

| folder              | holds                                                                     |
|---------------------|---------------------------------------------------------------------------|
| `DIR/ID.jpg`        | a photo                                                                   |
| `DIR/ID.gtK.png`    | its label maps, one a person, K = 0..; the first one is taken             |
| `DIR/things.json`   | `{"ID": [label, ...]}`, the labels that are things, as COCO's panoptic    |
|                     | annotations tell; without it every label is a thing, as in BSDS           |
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eie.errors import BadInputError
from eie.evaluate.annotations import annotated_photos
from eie.files.folders import ImageFile
from eie.files.labels import read_labels, thing_labels


@dataclass(frozen=True)
class Thing:
    """A thing in a photo: the pixels of a label map that hold its label."""

    photo: Path
    labels: Path
    label: int

    @property
    def name(self) -> str:
        """Unlike that of any other thing in the folder."""
        return f"{self.photo.name} {self.label}"

    def mask(self) -> NDArray[np.bool_]:
        """(H, W) bool, its pixels.

        Raises:
            BadInputError: the label map cannot be read.
        """
        return np.equal(read_labels(self.labels), self.label)


def things_in(
    folder: Path, files: Sequence[ImageFile], smallest: float
) -> tuple[list[Thing], list[str]]:
    """The things of photos that are large enough, and notes about what was left out.

    Args:
        folder: that of the files.
        smallest: least area of a thing, as a share of its photo.

    Raises:
        BadInputError: no photo has a label map, a file cannot be read, or no thing is so large.
    """
    photos, without = annotated_photos(files)
    notes = [f"{without} photos have no label map and were left out"] if without else []
    chosen = thing_labels(folder)
    found: list[Thing] = []
    for photo in photos:
        path = photo.truths[0]
        if path.suffix != ".png":
            raise BadInputError("a label map is a PNG", where=str(path), hint="name it ID.gt0.png")
        labels = read_labels(path)
        present, counts = np.unique(labels, return_counts=True)
        large = present[counts >= smallest * labels.size].tolist()
        if chosen is not None:
            large = [label for label in large if label in chosen.get(photo.path.stem, ())]
        found += [Thing(photo.path, path, label) for label in large]
    if not found:
        raise BadInputError(f"no thing in it covers {smallest:.1%} of its photo", where=str(folder))
    return found, notes
