"""What the stages train on: folders recognised by their layout.

| layout                                | taken as                              |
|---------------------------------------|---------------------------------------|
| `ID.jpg` beside `ID.gtK.png`, K = 0.. | photos with human segmentations       |
| images that are transparent somewhere | cut-out objects                       |
| other images                          | plain photos                          |

`things.json` beside photos with segmentations says which labels are things
(:func:`eie.files.labels.thing_labels`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eie.errors import BadInputError
from eie.files.folders import ImageFile, held_out, image_files
from eie.files.labels import read_labels, thing_labels
from eie.files.photo_reading import read_photo
from eie.files.stores import AnyPath, path_of
from eie.notes import tell
from eie.pictures import averaged

Pixels = NDArray[np.uint8]

_OPAQUE = 250
"""Alpha from which on rounding alone keeps a photo from being opaque."""


@dataclass(frozen=True, eq=False)
class SegmentedPhoto:
    """A photo and what people saw in it.

    pixels: (H, W, 3) uint8. segmentations: (A, H, W) uint8, a label map of each annotator.
    things: the labels that are things, not what lies around them, with 0 for what nobody labelled;
        None if that is not known. file: the photo's.
    """

    pixels: Pixels
    segmentations: Pixels
    things: frozenset[int] | None = None
    file: Path | None = None


@dataclass(frozen=True, eq=False)
class TrainingImages:
    """Everything that is trained on, decoded.

    photos: (H, W, 3) uint8 each. cutouts: (H, W, 4) uint8 each, straight alpha.
    """

    segmented: tuple[SegmentedPhoto, ...] = ()
    photos: tuple[Pixels, ...] = ()
    cutouts: tuple[Pixels, ...] = ()

    @property
    def all_photos(self) -> tuple[Pixels, ...]:
        """(H, W, 3) uint8 each, those with segmentations last."""
        return (*self.photos, *(photo.pixels for photo in self.segmented))


@dataclass(frozen=True)
class Folder:
    """A folder of training images, or a shard of them, which may lie in a store; every
    `held_out`-th file, from the one with the number `first` on, is left out."""

    path: AnyPath
    held_out: int | None = None
    first: int = 0

    @classmethod
    def parse(cls, text: str) -> Folder:
        """Read `FOLDER`, `FOLDER:K` or `FOLDER:K+J`: every K-th file (sorted) is kept for
        validation, from the first or, with J from 0 to K − 1, from that number on."""
        path, colon, every = text.rpartition(":")
        count, plus, first = every.partition("+")
        if colon and count.isdecimal() and int(count) > 0:
            if not plus:
                return cls(path_of(path), int(count))
            if first.isdecimal() and int(first) < int(count):
                return cls(path_of(path), int(count), int(first))
        return cls(path_of(text))

    @property
    def local(self) -> Path:
        """The folder, for what reads all of it.

        Raises:
            BadInputError: it lies in a store.
        """
        if isinstance(self.path, Path):
            return self.path
        raise BadInputError(
            "folders that are trained on are on this machine",
            where=str(self.path),
            hint="copy it, or train on shards in the store",
        )

    def __str__(self) -> str:
        if self.held_out is None:
            return str(self.path)
        return f"{self.path}:{self.held_out}" + (f"+{self.first}" if self.first else "")


def read_training_images(folders: Sequence[Folder], max_side: int) -> TrainingImages:
    """Decode all images of the folders, photos scaled down to `max_side` pixels.

    Raises:
        BadInputError: a folder is missing or holds no images, or an image cannot be read.
    """
    segmented: list[SegmentedPhoto] = []
    photos: list[Pixels] = []
    cutouts: list[Pixels] = []
    notes: Counter[str] = Counter()
    for folder in folders:
        things = thing_labels(folder.local)
        for file in _images_of(folder):
            pixels = _decode(file.path, notes)
            if file.segmentations:
                of_photo = None if things is None else frozenset(things.get(file.path.stem, ()))
                photo = _segmented_photo(file.path, pixels, file.segmentations)
                segmented.append(replace(photo, things=of_photo))
            elif pixels.shape[2] == 4:
                cutouts.append(pixels)
            else:
                photos.append(averaged(pixels, max_side))
    tell(f"{count} of these images: {text}" for text, count in notes.items())
    return TrainingImages(tuple(segmented), tuple(photos), tuple(cutouts))


def need_photos(images: TrainingImages, folders: Sequence[Folder]) -> None:
    """Refuse folders that hold cut-outs alone, for a training that needs photos.

    Raises:
        BadInputError: there is no photo.
    """
    if not images.all_photos:
        raise BadInputError(
            f"no photos, but {len(images.cutouts)} images that are transparent somewhere: these "
            "are taken for cut-out objects",
            where=", ".join(map(str, folders)),
            hint="add a folder of photos, or flatten these",
        )


def photo_files(folders: Sequence[Folder]) -> list[Path]:
    """The images of the folders, in order, those kept for validation left out.

    Raises:
        BadInputError: a folder is missing or holds no images.
    """
    return [file.path for folder in folders for file in _images_of(folder)]


def _images_of(folder: Folder) -> list[ImageFile]:
    """Images of a folder with their segmentations, those kept for validation left out."""
    images = image_files(folder.local)
    kept = set(held_out(len(images), folder.held_out, folder.first))
    return [image for index, image in enumerate(images) if index not in kept]


def _decode(path: Path, notes: Counter[str]) -> Pixels:
    """(H, W, 3) or, of an image that is transparent somewhere, (H, W, 4) uint8; upright."""
    photo = read_photo(path)
    notes.update(note for note in photo.notes if "not kept" not in note)  # pixels alone are wanted
    pixels, channels = photo.pixels, photo.pixels.shape[2]
    colour = np.broadcast_to(pixels[:, :, : 3 if channels > 2 else 1], (*pixels.shape[:2], 3))
    if channels in (2, 4) and pixels[..., -1].min() < _OPAQUE:
        return np.dstack([colour, pixels[..., -1]])
    return np.ascontiguousarray(colour)


def _segmented_photo(path: Path, pixels: Pixels, segmentations: Sequence[Path]) -> SegmentedPhoto:
    labels = []
    for segmentation in segmentations:
        labels.append(_small(read_labels(segmentation), segmentation))
        if labels[-1].shape != pixels.shape[:2]:
            raise BadInputError(
                f"the label map's size differs from that of {path.name}", where=str(segmentation)
            )
    return SegmentedPhoto(pixels[:, :, :3], np.stack(labels), file=path)


def _small(labels: NDArray[np.int32], path: Path) -> Pixels:
    """(H, W) uint8 labels, counted anew where their numbers are larger."""
    if labels.max() > 255:
        counted = np.unique(labels, return_inverse=True)[1]
        labels = counted.reshape(labels.shape).astype(np.int32)
    if labels.max() > 255:
        raise BadInputError("more than 256 labels", where=str(path))
    return labels.astype(np.uint8)
