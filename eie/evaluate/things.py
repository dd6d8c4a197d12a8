"""Things in photos with label maps: what a person would click on.

| folder              | holds                                                                     |
|---------------------|---------------------------------------------------------------------------|
| `DIR/ID.jpg`        | a photo                                                                   |
| `DIR/ID.gtK.png`    | its label maps, one a person, K = 0..; the first one is taken             |
| `DIR/things.json`   | `{"ID": [label, ...]}`, the labels that are things, as COCO's panoptic    |
|                     | annotations tell; without it every label is a thing, as in BSDS           |
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eie.errors import BadInputError
from eie.evaluate.annotations import annotated_photos
from eie.files.folders import ImageFile
from eie.files.labels import read_labels

THINGS_FILE = "things.json"


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
    chosen = _chosen_labels(folder / THINGS_FILE)
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


def _chosen_labels(path: Path) -> Mapping[str, Sequence[int]] | None:
    """Photo ⇒ the labels that are things; None without the file.

    Raises:
        BadInputError: it is something else.
    """
    if not path.exists():
        return None
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise BadInputError(f"cannot be read: {error}", where=str(path)) from error
    if not isinstance(content, dict) or not all(map(_are_labels, content.values())):
        raise BadInputError(
            "does not tell which labels are things",
            where=str(path),
            hint='it holds {"ID": [label, ...]} for the photos ID.jpg',
        )
    return content


def _are_labels(value: object) -> bool:
    return isinstance(value, list) and all(type(label) is int for label in value)
