"""What an array must look like and how it is stored, looked at before any value of it is read; what
tells damage of it."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from math import prod
from typing import Any

import numpy as np
from h5py import h5a, h5d, h5g, h5p, h5s, h5t, h5z
from numpy.typing import NDArray

MAX_CHUNK = 1 << 18
"""Most bytes of an unpacked chunk."""

SMALL = 1 << 12
"""Bytes up to which an array is in no chunks: the index of one would be larger than the values."""

TILE = 256
"""Side of the square chunks of label maps, pixels and affinities."""


@dataclass(frozen=True)
class Array:
    """What an array in the file must look like.

    Attributes:
        dtype: its type, exact to the byte order.
        older: the type that it had in files of version 1.0, if another.
        shape: its size along each axis; None where any size is allowed.
        limit: most items it may have.
        tiled: whether chunks are squares (images, matrices) or runs of whole rows (tables).
        level: deflate level to write with.
    """

    dtype: np.dtype[Any]
    shape: tuple[int | None, ...]
    limit: int
    tiled: bool = False
    level: int = 4
    older: np.dtype[Any] | None = None

    def chunks(self, shape: Sequence[int]) -> tuple[int, ...]:
        """The chunk shape to write an array of `shape` (no zero in it) with."""
        if self.tiled:
            rows = min(shape[0], TILE)
            columns = min(shape[1], TILE * TILE // rows)
            return (min(shape[0], TILE * TILE // columns), columns, *shape[2:])
        row_bytes = self.dtype.itemsize * prod(shape[1:])
        return (max(1, min(MAX_CHUNK // row_bytes, shape[0])), *shape[1:])


MAX_FOREIGN_CHUNK = 1 << 26
"""Most bytes of an unpacked chunk in files that another program has written."""

CHECKSUM = "crc32"
"""Attribute of an array: a checksum of what HDF5 1.8 has none for."""

MAX_CHUNKS = 1 << 14
"""Most chunks of an array; HDF5 keeps a record of each while it reads."""

FILTERS = {
    h5z.FILTER_SHUFFLE: "shuffle",
    h5z.FILTER_DEFLATE: "deflate",
    h5z.FILTER_FLETCHER32: "fletcher32",
}


class Packing(Enum):
    """What tells damage of the arrays in a file."""

    SEALED = "checksums of chunks, of their index, and of values that are in no chunks"
    CHUNKS = "checksums of chunks, whose index HDF5 1.10 has checksums for itself"
    FOREIGN = "nothing: another program has written them"


def description_problem(dataset: h5d.DatasetID, expected: Array) -> str | None:
    """Why an array may not be read, or None. Looks at its description only."""
    if dataset.get_space().get_simple_extent_type() != h5s.SIMPLE:
        return "expected an array of numbers"
    shape, kind = dataset.shape, dataset.get_type()
    kinds = [kind for kind in (expected.dtype, expected.older) if kind is not None]
    if not any(kind == h5t.py_create(known) for known in kinds):
        return f"the type is not {expected.dtype.name}, little-endian"
    if len(shape) != len(expected.shape) or any(
        want is not None and have != want for have, want in zip(shape, expected.shape, strict=True)
    ):
        wanted = tuple("any" if want is None else want for want in expected.shape)
        return f"the shape is {shape} instead of {wanted}".replace("'", "")
    if prod(shape) > expected.limit:
        return f"{prod(shape)} values are declared, allowed are {expected.limit}"
    return None


def is_foreign(dataset: h5d.DatasetID) -> bool:
    plan = dataset.get_create_plist()
    if 0 in dataset.shape or plan.get_layout() == h5d.VIRTUAL:
        return False
    if plan.get_layout() != h5d.CHUNKED:
        return True
    large = dataset.dtype.itemsize * prod(plan.get_chunk()) > MAX_CHUNK
    return large or h5z.FILTER_FLETCHER32 not in _filters(plan)


def _filters(plan: h5p.PropDCID) -> list[int]:
    return [plan.get_filter(index)[0] for index in range(plan.get_nfilters())]


def storage_problem(dataset: h5d.DatasetID, node: str, packing: Packing) -> str | None:
    """Why the values of an array may not be read, or None. Looks at no value."""
    plan = dataset.get_create_plist()
    layout = plan.get_layout()
    if plan.get_external_count():
        return "values stored in another file are not allowed"
    if layout == h5d.VIRTUAL:
        return "a virtual array is not allowed"
    if 0 in dataset.shape:
        return None
    if layout != h5d.CHUNKED:
        return _whole_problem(dataset, packing)
    filters = _filters(plan)
    if unknown := [code for code in filters if code not in FILTERS]:
        return f"HDF5 filter {unknown[0]} is not allowed"
    if packing is not Packing.FOREIGN and h5z.FILTER_FLETCHER32 not in filters:
        return "the values carry no checksum (filter fletcher32)"
    return _chunk_problem(dataset, plan.get_chunk(), node, packing)


def _whole_problem(dataset: h5d.DatasetID, packing: Packing) -> str | None:
    size = dataset.dtype.itemsize * prod(dataset.shape)
    if packing is Packing.CHUNKS or (packing is Packing.SEALED and size > SMALL):
        return "the values are not in chunks"
    if dataset.get_storage_size() != size:
        return f"{dataset.get_storage_size()} of {size} bytes are stored"
    return None


def _chunk_problem(
    dataset: h5d.DatasetID, step: tuple[int, ...], node: str, packing: Packing
) -> str | None:
    unpacked = dataset.dtype.itemsize * prod(step)
    most = MAX_FOREIGN_CHUNK if packing is Packing.FOREIGN else MAX_CHUNK
    if unpacked > most:
        return f"a chunk holds {unpacked} bytes, allowed are {most}"
    count = prod(-(-have // size) for have, size in zip(dataset.shape, step, strict=True))
    if count > MAX_CHUNKS:
        return f"{count} chunks, allowed are {MAX_CHUNKS}"
    size = dataset.dtype.itemsize * prod(dataset.shape)
    if count * unpacked > 8 * size + MAX_FOREIGN_CHUNK:  # edges of three axes make it 8 at most
        return f"{count * unpacked} bytes are in chunks, of {size} bytes of values"
    index = chunk_index(dataset)
    if len(index) != count:
        return f"{len(index)} of {count} chunks are stored"
    if int(index[:, -2].max()) > unpacked + unpacked // 4 + 64:
        return "a stored chunk is larger than its values need"
    corners = index[:, : len(step)]
    if (corners % step).any() or (corners >= dataset.shape).any() or _repeats(corners):
        return "the index of its chunks is damaged"
    if packing is Packing.SEALED and stored_checksum(dataset) != checksum(node, index.tobytes()):
        return "the index of its chunks is damaged: a checksum does not fit"
    return None


def chunk_index(dataset: h5d.DatasetID) -> NDArray[np.uint64]:
    """(C, axes + 3): corner, address, stored size and skipped filters of each chunk, in C order."""
    rows: list[tuple[int, ...]] = []
    dataset.chunk_iter(
        lambda at: rows.append((*at.chunk_offset, at.byte_offset, at.size, at.filter_mask))
    )
    return np.array(sorted(rows), dtype="<u8").reshape(len(rows), len(dataset.shape) + 3)


def _repeats(corners: NDArray[np.uint64]) -> bool:
    """Whether two neighbours of sorted rows are equal."""
    return bool((corners[1:] == corners[:-1]).all(axis=1).any())


def checksum(node: str, data: bytes) -> int:
    """CRC-32 of an array's path and of what HDF5 has no checksum for."""
    return zlib.crc32(data, zlib.crc32(node.encode()))


def stored_checksum(dataset: h5d.DatasetID) -> int | None:
    if not h5a.exists(dataset, CHECKSUM.encode()):
        return None
    return scalar(dataset, CHECKSUM, np.dtype("<u4"))


def scalar(node: h5g.GroupID | h5d.DatasetID, name: str, dtype: np.dtype[Any]) -> int:
    """An attribute that is one integer.

    Raises:
        ValueError: it is something else.
    """
    attribute = h5a.open(node, name.encode())
    if attribute.shape != () or attribute.get_type() != h5t.py_create(dtype):
        raise ValueError(f"attribute {name} is not one {dtype.name}")
    value = np.empty((), dtype=dtype)
    attribute.read(value)
    return int(value)
