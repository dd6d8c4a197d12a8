"""The mask database: shapes of objects, by which elements are dropped (paper §3.4).

cut-outs ⇒ their alpha;  segmented photos ⇒ what people outlined
black-and-white pictures ⇒ their white;  other photos ⇒ objects grown from their elements
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from eie.errors import BadInputError
from eie.files.atomic import check_output
from eie.pictures import around
from eie.train.core.images import Folder, Pixels, read_training_images
from eie.train.diffusion.settings import MaskSettings

Mask = NDArray[np.bool_]

MAX_PHOTO_SIDE = 512


@dataclass(frozen=True, eq=False)
class MaskDatabase:
    """Shapes of objects.

    Attributes:
        shapes: (M, S, S) bool, each stretched from its tight box to a square.
        aspect: (M,) float32, width of the tight box divided by its height.
    """

    shapes: Mask
    aspect: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.aspect)

    def save(self, path: Path) -> None:
        """Write the database, atomically."""
        from eie.files.atomic import write_atomically

        with write_atomically(path) as file:
            np.savez_compressed(
                file,
                shapes=np.packbits(self.shapes, axis=2),
                side=np.array(self.shapes.shape[1]),
                aspect=self.aspect,
            )

    @classmethod
    def load(cls, path: Path) -> MaskDatabase:
        """Read a database.

        Raises:
            BadInputError: the file is missing, damaged or no mask database.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                shapes = np.unpackbits(file["shapes"], axis=2, count=int(file["side"])).astype(bool)
                return cls(shapes, file["aspect"])
        except (OSError, ValueError, KeyError) as error:
            raise BadInputError(
                f"no readable mask database: {error}",
                where=str(path),
                hint="make one with eie train masks",
            ) from error


def draw_mask(
    masks: MaskDatabase | None, crop: int, side: tuple[float, float], random: np.random.Generator
) -> Mask:
    """A random shape at a random place and size, mirrored at random.

    Args:
        masks: None for ellipses.
        crop: side of the crop in pixels.
        side: range of the shape's longer side, as a share of the crop's.

    Returns:
        (crop, crop) bool.
    """
    if masks is None:
        shape, aspect = _ellipse(64), float(np.exp(random.uniform(-0.7, 0.7)))
    else:
        index = int(random.integers(len(masks)))
        shape, aspect = masks.shapes[index], float(masks.aspect[index])
    if random.random() < 0.5:
        shape = shape[:, ::-1]
    longer = np.exp(random.uniform(*np.log(side))) * crop
    width = max(2, round(longer * min(1.0, aspect)))
    height = max(2, round(longer / max(1.0, aspect)))
    # The middle may come near the border, so that holes reach out of the picture too.
    x, y = random.uniform(0.1, 0.9, size=2) * crop
    matrix = np.array(
        [[width / shape.shape[1], 0, x - width / 2], [0, height / shape.shape[0], y - height / 2]]
    )
    laid = cv2.warpAffine(shape.astype(np.uint8) * 255, matrix, (crop, crop))
    return np.asarray(laid > 127)


def build_masks(folders: Sequence[Folder], settings: MaskSettings | None = None) -> MaskDatabase:
    """Collect shapes from folders of images.

    Raises:
        BadInputError: a folder or image cannot be read, or no shape was found.
    """
    settings = settings or MaskSettings()
    images = read_training_images(folders, MAX_PHOTO_SIDE)
    found: list[tuple[Mask, float]] = []
    for cutout in images.cutouts:
        found += _shapes([cutout[:, :, 3] > 127], settings, least=0.0, most=1.0)
    for segmented in images.segmented:
        for labels in segmented.segmentations:
            outlined = [labels == label for label in np.unique(labels)]
            found += _shapes(outlined, settings)
    for photo in images.photos:
        if _black_and_white(photo):
            found += _shapes([photo[:, :, 0] > 127], settings, least=0.0, most=1.0)
        else:
            found += _shapes(_grown_objects(photo, settings), settings)
    if not found:
        raise BadInputError("no object shapes in these folders", where=", ".join(map(str, folders)))
    return MaskDatabase(
        np.stack([shape for shape, _ in found]),
        np.array([aspect for _, aspect in found], dtype=np.float32),
    )


def _shapes(
    masks: Sequence[Mask],
    settings: MaskSettings,
    least: float | None = None,
    most: float | None = None,
) -> Iterator[tuple[Mask, float]]:
    """The masks whose share of the picture suits an object, as (S, S) bool and their aspect."""
    lower, upper = settings.area
    lower, upper = lower if least is None else least, upper if most is None else most
    for mask in masks:
        if not mask.any() or not lower <= mask.mean() <= upper:
            continue
        tight = mask[around(mask).slices]
        shape = cv2.resize(
            tight.astype(np.uint8) * 255, (settings.side,) * 2, interpolation=cv2.INTER_AREA
        )
        yield shape > 127, tight.shape[1] / tight.shape[0]


def _grown_objects(photo: Pixels, settings: MaskSettings) -> list[Mask]:
    """(H, W) bool objects around elements of a photo, spread evenly over its elements."""
    from eie.decomposition import decompose
    from eie.editing.region_growing import object_around

    elements = decompose(photo, segmenter=settings.segmenter)
    source = elements.sources[0]
    everything = np.ones(len(elements.table), dtype=bool)
    starts = np.linspace(0, source.patches - 1, settings.objects_of_photo + 2)[1:-1]
    objects = []
    for start in starts.round().astype(int):
        rows = object_around(elements, int(start), everything)
        objects.append(np.isin(source.label_map, elements.table.patch[rows]))
    return objects


def _black_and_white(photo: Pixels) -> bool:
    """Whether a picture has but black and white, give or take compression."""
    return bool(((photo < 16) | (photo > 239)).all())


def _ellipse(side: int) -> Mask:
    """(side, side) bool, the ellipse that fills the square."""
    middle = (np.arange(side) + 0.5) / side * 2 - 1
    return np.asarray(middle[:, None] ** 2 + middle**2 <= 1)


def train_masks(
    folders: Sequence[Folder], output: Path, settings: MaskSettings | None = None
) -> dict[str, Any]:
    """Build a mask database and save it; what it holds.

    Raises:
        BadInputError: as :func:`build_masks`.
        ResourceError: the output cannot be written.
    """
    check_output(output)
    masks = build_masks(folders, settings)
    masks.save(output)
    return {"data": [str(folder) for folder in folders], "masks": len(masks)}
