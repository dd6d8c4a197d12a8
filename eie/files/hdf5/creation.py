"""Arrays and texts ⇒ a new file, in the format of HDF5 1.8; same values give the same bytes."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

import h5py
import numpy as np
from h5py import h5a, h5s, h5t
from numpy.typing import NDArray

from eie.errors import UsageError
from eie.files.hdf5.safe_group import MAX_ATTRIBUTE
from eie.files.hdf5.storage import CHECKSUM, MAX_CHUNK, SMALL, Array, checksum, chunk_index


def create() -> h5py.File:
    """A file in memory, of the format of HDF5 1.8; `image` gives its bytes."""
    # Without a chunk cache every chunk is stored when it is written, in the order of writing, so
    # that chunks which are packed here and chunks which are copied packed make the same file.
    return h5py.File.in_memory(libver=("v108", "v108"), block_size=1 << 22, rdcc_nbytes=0)


def image(file: h5py.File) -> bytes:
    """The bytes of a file made by `create`."""
    file.flush()
    data: bytes = file.id.get_file_image()
    return data


def write_array(group: h5py.Group, name: str, values: NDArray[Any], plan: Array) -> h5py.Dataset:
    """Store `values` under `name`; the same values give the same bytes."""
    node = f"{group.name.rstrip('/')}/{name}"
    if values.dtype != plan.dtype:
        raise UsageError(f"{values.dtype} instead of {plan.dtype.name}", where=node)
    if values.size > plan.limit:
        raise UsageError(f"{values.size} values, allowed are {plan.limit}", where=node)
    dataset = new_dataset(group, name, values.shape, plan)
    for region in tiles(dataset):
        dataset[region] = values[region]
    seal(dataset)
    return dataset


def new_dataset(group: h5py.Group, name: str, shape: tuple[int, ...], plan: Array) -> h5py.Dataset:
    """An array to be filled and sealed.

    One without values is in chunks, too, of which none is stored: to one that is not, h5repack can
    apply no filter, and stops.
    """
    if 0 in shape:
        step, most = tuple(max(1, size) for size in shape), (None,) * len(shape)
        return group.create_dataset(name, shape, plan.dtype, chunks=step, maxshape=most)
    if plan.dtype.itemsize * prod(shape) <= SMALL:
        return group.create_dataset(name, shape, plan.dtype, fillvalue=None)
    return group.create_dataset(
        name,
        shape,
        plan.dtype,
        chunks=plan.chunks(shape),
        shuffle=plan.dtype.itemsize > 1,
        compression=plan.level,
        fletcher32=True,
        fillvalue=None,
    )


def seal(dataset: h5py.Dataset) -> None:
    """Give an array that is filled the checksum that HDF5 1.8 lacks."""
    if not dataset.size:
        return
    data = dataset[()].tobytes() if dataset.chunks is None else chunk_index(dataset.id).tobytes()
    attribute = h5a.create(dataset.id, CHECKSUM.encode(), h5t.STD_U32LE, h5s.create(h5s.SCALAR))
    attribute.write(np.array(checksum(dataset.name, data), dtype="<u4"))


def tiles(dataset: h5py.Dataset) -> Iterator[tuple[slice, ...]]:
    """The regions of a dataset's chunks, in the order in which they are stored.

    Of one that is in no chunks, bands of rows; of an empty one, none.
    """
    if not dataset.size:
        return iter(())
    if dataset.chunks is not None:
        return iter(dataset.iter_chunks())
    rows = max(1, MAX_CHUNK * dataset.shape[0] // (dataset.size * dataset.dtype.itemsize))
    others = tuple(slice(0, size) for size in dataset.shape[1:])
    starts = range(0, dataset.shape[0], rows)
    return ((slice(at, min(at + rows, dataset.shape[0])), *others) for at in starts)


def write_text(attributes: h5py.AttributeManager, name: str, text: str) -> None:
    """Store text as an attribute of fixed length, which is covered by a checksum."""
    try:
        data = text.encode()
    except UnicodeEncodeError as error:
        raise UsageError(f"not valid text: {error.reason}", where=name) from error
    if len(data) > MAX_ATTRIBUTE:
        raise UsageError(f"{len(data)} bytes of text, allowed are {MAX_ATTRIBUTE}", where=name)
    if b"\0" in data:
        raise UsageError("the text contains a NUL character", where=name)
    dtype = h5py.string_dtype("utf-8", max(1, len(data)))
    attributes.create(name, np.array(data, dtype=dtype), dtype=dtype)
