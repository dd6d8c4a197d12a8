"""Pixels that stay in their element file until they are asked for."""

from __future__ import annotations

from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from eie.files import chunks, hdf5
from eie.files.photo import MAX_PIXELS
from eie.files.schema import SOURCE_ARRAYS

PIXELS = SOURCE_ARRAYS["pixels"]


class StoredPixels:
    """(H, W, C) uint8 pixels of a source, read from the open file at every use.

    Satisfies :class:`eie.elements.Pixels`; `stored[10:20, 30:40, :]` reads a region. The file stays
    open as long as the pixels are in use. Reading raises `BadInputError` where the file is damaged.

    Args:
        folder: the source's group.
        name: name of the array in it.
    """

    def __init__(self, folder: hdf5.SafeGroup, name: str) -> None:
        self._dataset = folder.dataset(name, PIXELS)
        # A file closes with the last reference to it, and takes its datasets with it.
        self._file = self._dataset.file
        self._folder, self._name = folder, name
        self._node, self._origin = folder.node(name), folder.origin
        self.shape: tuple[int, ...] = self._dataset.shape
        if not 1 <= self.shape[2] <= 4 or self.shape[0] * self.shape[1] > MAX_PIXELS:
            raise hdf5.refuse(f"the shape is {self.shape}", self._node, self._origin)

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(np.uint8)

    @property
    def stored_bytes(self) -> int:
        """Bytes that the packed pixels take in the file."""
        return int(self._dataset.id.get_storage_size())

    def __getitem__(self, region: tuple[slice, ...]) -> NDArray[np.uint8]:
        """The pixels of a region: one slice of step 1 for rows, columns and channels each."""
        values: NDArray[np.uint8] = self._folder.values(self._name, self._dataset, region)
        return values

    def __array__(
        self, dtype: np.dtype[Any] | None = None, copy: bool | None = None
    ) -> NDArray[np.uint8]:
        if copy is False:
            raise ValueError("stored pixels are read from their file, which makes a copy")
        values = self[:, :, :]
        return values if dtype is None else values.astype(dtype, copy=False)

    def copy_into(self, group: h5py.Group, name: str) -> None:
        """Write these pixels to another file: packed as they are, or anew from another packing.

        Raises:
            BadInputError: they are damaged: no damage is carried on into another file.
        """
        target = hdf5.new_dataset(group, name, self.shape, PIXELS)
        if not _same_packing(self._dataset, target):
            for region in hdf5.tiles(target):
                target[region] = self[region]
            hdf5.seal(target)
            return
        with hdf5.reading(self._node, self._origin):
            skipped = chunks.skipped_filters(self._dataset)
            for region in hdf5.tiles(target):
                corner = tuple(part.start for part in region)
                _, packed = self._dataset.id.read_direct_chunk(corner)
                chunks.check(packed, skipped[corner], self._dataset)
                target.id.write_direct_chunk(corner, packed, skipped[corner])
        hdf5.seal(target)


def _same_packing(one: h5py.Dataset, other: h5py.Dataset) -> bool:
    names = ("chunks", "shuffle", "compression", "compression_opts", "fletcher32")
    alike = all(getattr(one, name) == getattr(other, name) for name in names)
    return alike and other.chunks is not None
