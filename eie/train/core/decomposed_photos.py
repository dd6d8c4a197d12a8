"""What is made once and kept: decomposed photos, with random views of them, and batches."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from eie.elements import Source
from eie.geometry import corners
from eie.train.core.settings import CropSettings

Batch = TypeVar("Batch")
"""A dataclass of tensors."""


def repeated(
    kind: type[Batch], draw: Callable[[int], Batch], folder: Path | None, count: int | None
) -> Callable[[int], Batch]:
    """What draws the batch of a step, by files in a folder where batches come again.

    Args:
        kind: of the batches.
        draw: makes a batch by its number; −1 is that of sample pictures.
        folder: of the files; None for new batches all along.
        count: of different batches, which come over and over; None for new ones all along.
    """
    if folder is None or not count:
        return draw
    return CachedBatches(kind, draw, folder, count)


@dataclass(frozen=True)
class CachedBatches(Generic[Batch]):
    """The first `count` batches, repeated in their order, each drawn where there is no file yet.

    Attributes as the arguments of :func:`repeated`.
    """

    kind: type[Batch]
    draw: Callable[[int], Batch]
    folder: Path
    count: int

    def __call__(self, step: int) -> Batch:
        """The batch of a step; step −1 is that of sample pictures."""
        from safetensors.torch import load_file, save

        from eie.files.atomic import write_atomically

        number = step % self.count if step >= 0 else step
        path = self.folder / f"{number}.safetensors"
        if path.exists():
            return self.kind(**load_file(path))
        batch = self.draw(number)
        self.folder.mkdir(parents=True, exist_ok=True)
        with write_atomically(path) as file:
            file.write(save(vars(batch)))
        return batch


@dataclass(frozen=True, eq=False)
class Decomposed:
    """A photo of the training set.

    Attributes:
        pixels: (H, W, 3) uint8.
        label_map: (H, W) uint16.
        box: (P, 4) home boxes in pixels.
        patches: (P, 4, S, S) uint8 masked RGB and mask.
    """

    pixels: np.ndarray
    label_map: np.ndarray
    box: np.ndarray
    patches: np.ndarray


class DecomposedPhotos:
    """Photos with their elements, computed once and kept in a cache folder.

    Args:
        files: the photos.
        cache: folder of the cache; entries are named by content and settings.
        patch_size: side of the patches.
        settings: of the crops.
        segmenter: as of `eie decompose`.
    """

    def __init__(
        self,
        files: Sequence[Path],
        cache: Path,
        patch_size: int,
        settings: CropSettings,
        segmenter: str,
    ) -> None:
        self.files, self.cache, self.patch_size = list(files), cache, patch_size
        self.settings, self.segmenter = settings, segmenter

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Decomposed:
        path = self._entry(index)
        if not path.exists():
            self._decompose(index, path)
        return Decomposed(**read_entry(path))

    def _elements(self, index: int) -> int:
        return self.settings.elements[index % len(self.settings.elements)]

    def key(self, index: int) -> str:
        """The name of a photo's entry, by content and settings."""
        stat = self.files[index].stat()
        key = (
            str(self.files[index].resolve()), stat.st_size, stat.st_mtime_ns, self.patch_size,
            self.settings.working_size, self._elements(index), self.segmenter,
            [field.name for field in fields(Decomposed)],
        )  # fmt: skip
        return hashlib.sha256(repr(key).encode()).hexdigest()[:24]

    def _entry(self, index: int) -> Path:
        return self.cache / f"{self.key(index)}.npz"

    def _decompose(self, index: int, path: Path) -> None:
        from eie.decomposition import decompose
        from eie.encoding.patches import cut_patches

        pixels = _working_photo(self.files[index], self.settings)
        elements = decompose(pixels, segmenter=self.segmenter, elements=self._elements(index))
        source: Source = elements.sources[0]
        patches = cut_patches(source, self.patch_size)  # (P, 4, S, S)
        patches = np.round(patches * 255).astype(np.uint8)
        write_entry(path, Decomposed(pixels, source.label_map, source.home_box, patches))


def write_entry(path: Path, entry: Any) -> None:
    """Write the arrays of a dataclass to a cache, atomically; its folder is created if need be."""
    from eie.files.atomic import write_atomically

    path.parent.mkdir(parents=True, exist_ok=True)
    with write_atomically(path) as file:
        np.savez(file, **vars(entry))


def read_entry(path: Path) -> dict[str, Any]:
    """The arrays of an entry by name."""
    with np.load(path, allow_pickle=False) as entry:
        return {name: entry[name] for name in entry.files}


def _working_photo(file: Path, settings: CropSettings) -> np.ndarray:
    """(H, W, 3) uint8, short side resized to the working size, very long ones cut to 2:1."""
    import cv2

    from eie.files.colours import visible_colours
    from eie.files.photo_reading import read_photo

    pixels = visible_colours(read_photo(file).pixels)
    pixels = np.repeat(pixels[:, :, :1], 3, 2) if pixels.shape[2] < 3 else pixels[:, :, :3]
    height, width = pixels.shape[:2]
    factor = settings.working_size / min(height, width)
    size = (max(settings.crop, round(width * factor)), max(settings.crop, round(height * factor)))
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    resized = cv2.resize(np.ascontiguousarray(pixels), size, interpolation=method)
    longest = 2 * settings.working_size
    return np.ascontiguousarray(resized[:longest, :longest])


def random_view(
    shape: tuple[int, ...], settings: CropSettings, random: np.random.Generator
) -> tuple[tuple[slice, slice], NDArray[np.float64]]:
    """Rows and columns of a photo that a crop shows, and pixels of the crop per photo pixel.

    Args:
        shape: height and width of the photo.

    Returns:
        The view, and (2,) the factors along x and y.
    """
    size = np.array(shape[1::-1], dtype=np.float64)  # (width, height)
    zoom = settings.zoom ** random.uniform(-1, 1)
    factor = zoom * settings.stretch ** (random.uniform(-0.5, 0.5) * np.array([1, -1]))
    factor = np.maximum(factor, settings.crop / size)
    cut = np.floor(settings.crop / factor).astype(int)  # pixels of the photo, x and y
    x, y = (int(random.integers(0, s - c + 1)) for s, c in zip(size, cut, strict=True))
    return np.s_[y : y + int(cut[1]), x : x + int(cut[0])], settings.crop / cut


def boxes_in_view(
    box: NDArray[np.float64], view: tuple[slice, slice], factor: NDArray[np.float64], crop: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Boxes of a photo on the crop that shows a view, and which of them reach into it.

    Args:
        box: (P, 4) in pixels of the photo.
        view, factor: of :func:`random_view`.

    Returns:
        (P, 4) in pixels of the crop, and (P,).
    """
    box = box.astype(np.float64)
    box[:, :2] = (box[:, :2] - (view[1].start, view[0].start)) * factor
    box[:, 2:] *= factor
    edge = corners(box)
    near = (edge[:, :2] < crop).all(axis=1) & (edge[:, 2:] > 0).all(axis=1)
    return box, np.asarray(near)
