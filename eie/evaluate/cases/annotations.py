"""What people saw in photos: segmentations beside them, and things that a person would click on.

| photo                | what people saw in it                                     |
|----------------------|-----------------------------------------------------------|
| `DIR/ID.jpg`         | `DIR/ID.gtK.png`, a label map a person, K = 0..           |
| `DIR/ID.jpg`         | `DIR/ID.mat`, `groundTruth` as in BSDS500, all people     |
| `images/val/ID.jpg`  | `groundTruth/val/ID.mat`, the layout in which BSDS comes  |
| `DIR/ID.jpg`         | `DIR/ID.json`, see :mod:`eie.evaluate.cases.outlines`     |

Segmentations may also lie in a folder of their own. Things are the labels of the first label map,
or those that `DIR/things.json` names, `{"ID": [label, ...]}`, as COCO's panoptic annotations tell;
without it every label is a thing, as in BSDS. Outlines are things by themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eie.errors import BadInputError
from eie.evaluate.cases.outlines import outline_files, read_outlines
from eie.evaluate.core.case_result import Labels
from eie.files import labels as label_files
from eie.files.folders import SEGMENTATION_NAME, ImageFile
from eie.files.labels import thing_labels


@dataclass(frozen=True)
class AnnotatedPhoto:
    """A photo and the files that hold what people saw in it."""

    path: Path
    truths: tuple[Path, ...]


def annotated_photos(
    files: Sequence[ImageFile], truth: Path | None = None
) -> tuple[list[AnnotatedPhoto], int]:
    """Photos with their segmentations, and the number of photos that have none.

    Args:
        truth: the folder of the segmentations; None for those of the table above.

    Raises:
        BadInputError: no such folder, or no photo has a segmentation.
    """
    if truth is not None and not truth.is_dir():
        raise BadInputError("no such folder", where=str(truth))
    found = [AnnotatedPhoto(file.path, truths_of(file, truth)) for file in files]
    annotated = [photo for photo in found if photo.truths]
    if not annotated:
        raise BadInputError(
            "no photo in it has a human segmentation",
            where=str(files[0].path.parent),
            hint="expected ID.gtK.png or ID.mat for ID.jpg, beside it or in --truth DIR",
        )
    return annotated, len(found) - len(annotated)


def read_labels(photo: AnnotatedPhoto, size: tuple[int, int]) -> list[Labels]:
    """(H, W) label maps from 0, one of each person.

    Args:
        size: (H, W) of the photo.

    Raises:
        BadInputError: a file cannot be read, is no segmentation, or of another size.
    """
    found: list[Labels] = []
    for path in photo.truths:
        for labels in _read(path):
            if labels.shape != size:
                raise BadInputError(
                    f"a segmentation of {labels.shape} pixels for a photo of {size}",
                    where=str(path),
                )
            found.append(labels)
    return found


def truths_of(file: ImageFile, truth: Path | None = None) -> tuple[Path, ...]:
    """The segmentations of a photo, where :func:`annotated_photos` looks for them."""
    name = f"{file.path.stem}.mat"
    if truth is not None:
        pngs = [
            path
            for path in sorted(truth.glob("*.gt*.png"))
            if (match := SEGMENTATION_NAME.fullmatch(path.name))
            and match["photo"] == file.path.stem
        ]
        return tuple(pngs) or _existing(truth / name)
    folder = file.path.parent
    return (
        file.segmentations
        or _existing(folder / name)
        or _existing(folder.parent.parent / "groundTruth" / folder.name / name)
    )


def _existing(path: Path) -> tuple[Path, ...]:
    return (path,) if path.is_file() else ()


def _read(path: Path) -> list[Labels]:
    return _read_mat(path) if path.suffix == ".mat" else [_read_png(path)]


def _read_png(path: Path) -> Labels:
    return _checked(label_files.read_labels(path), path)


def _read_mat(path: Path) -> list[Labels]:
    """`groundTruth{1, k}.Segmentation` of every person k."""
    from scipy.io import loadmat

    try:
        people = loadmat(path)["groundTruth"]
        return [_checked(people[0, k]["Segmentation"][0, 0], path) for k in range(people.shape[1])]
    except BadInputError:
        raise
    except Exception as error:  # damaged files raise all sorts
        raise BadInputError(
            f"holds no groundTruth of BSDS500: {type(error).__name__}: {error}", where=str(path)
        ) from error


def _checked(labels: np.ndarray, path: Path) -> Labels:
    if labels.ndim != 2 or labels.dtype.kind not in "bui" or labels.size == 0:
        raise BadInputError(
            f"a label map has shape (height, width) and whole numbers, not {labels.shape} "
            f"{labels.dtype}",
            where=str(path),
        )
    # Small numbers from 0, whatever the file counts by.
    return np.unique(labels, return_inverse=True)[1].reshape(labels.shape).astype(np.int32)


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
        return np.equal(label_files.read_labels(self.truth), self.label)


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
    labels = label_files.read_labels(path)
    present, counts = np.unique(labels, return_counts=True)
    large = present[counts >= smallest * labels.size].tolist()
    return [Thing(photo, path, label) for label in large if chosen is None or label in chosen]


def _outlined(photo: Path, path: Path, smallest: float) -> list[Thing]:
    masks = (outline.mask() for outline in read_outlines(path, photo))
    large = [n for n, mask in enumerate(masks, 1) if mask.any() and mask.mean() >= smallest]
    return [Thing(photo, path, number) for number in large]
