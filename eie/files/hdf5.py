"""HDF5 from strangers: every node is looked at before it is read, every byte carries a checksum.

An HDF5 file can point into other files (external and soft links, external storage, virtual
datasets), call filters that are plugins, and declare arrays far larger than itself. A
:class:`Folder` hands out none of it: only hard links to arrays of the expected type and size, under
the three filters that the element file uses.

Files are written in the format of HDF5 1.8, which every reader of HDF5 knows. It has no checksum
for the index of an array's chunks, nor for values that are in no chunks: an attribute of each array
has one of them. Other programs may store an array otherwise; then damage does not show.
"""

from __future__ import annotations

import io
import os
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from math import prod
from typing import Any

import h5py
import numpy as np
from h5py import h5a, h5d, h5g, h5l, h5o, h5p, h5s, h5t, h5z
from numpy.typing import NDArray

from eie.errors import BadInputError, UsageError
from eie.files import chunks
from eie.files.kinds import HDF5, picture_kind
from eie.files.stores import AnyPath
from eie.files.streams import open_input

OLDEST_SUPERBLOCK = 2
"""The first superblock with a checksum; files that have it carry checksums in all metadata."""

MAX_CHUNK = 1 << 18
"""Most bytes of an unpacked chunk."""

MAX_FOREIGN_CHUNK = 1 << 26
"""Most bytes of an unpacked chunk in files that another program has written."""

SMALL = 1 << 12
"""Bytes up to which an array is in no chunks: the index of one would be larger than the values."""

CHECKSUM = "crc32"
"""Attribute of an array: a checksum of what HDF5 1.8 has none for."""

MAX_ATTRIBUTE = 1 << 15
"""Most bytes of an attribute; beyond 64 KiB HDF5 would store it where no checksum covers it."""

MAX_CHUNKS = 1 << 14
"""Most chunks of an array; HDF5 keeps a record of each while it reads."""

TILE = 256
"""Side of the square chunks of label maps, pixels and affinities."""

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


# What h5py raises on damaged files; TypeError for types that NumPy does not have.
FOREIGN_ERRORS = (OSError, RuntimeError, KeyError, ValueError, TypeError, OverflowError)


@contextmanager
def reading(node: str, origin: str) -> Iterator[None]:
    """Turn whatever h5py says about a node into a `BadInputError` that names node and file."""
    try:
        yield
    except FOREIGN_ERRORS as error:
        reason = error.args[0] if error.args else type(error).__name__
        raise BadInputError(
            f"damaged or not readable: {reason}", where=f"reading {node} in {origin}"
        ) from error


def refuse(message: str, node: str, origin: str, hint: str | None = None) -> BadInputError:
    """The error to raise for a node that is read but not accepted."""
    return BadInputError(message, where=f"reading {node} in {origin}", hint=hint)


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


def open_path(path: AnyPath, origin: str) -> Folder:
    """The root of a file, opened for reading; its arrays are read when they are asked for."""
    with open_input(path, origin) as handle:
        head = handle.read(_HEAD)
        if isinstance(handle, io.BytesIO):  # a pipe, as in `eie info <(…)`, can be read but once
            return open_bytes(handle.getvalue(), origin)
    _check_signature(head, origin)
    with reading("/", origin):
        # Files are replaced and never changed in place, so readers need no lock, and can do
        # without one on file systems that have none.
        file = h5py.File(os.fsencode(str(path)), "r", locking=False)
    return Folder(file, origin, end=_end(head))


def open_bytes(data: bytes, origin: str) -> Folder:
    """The root of a file, from its bytes."""
    _check_signature(data[:_HEAD], origin)
    with reading("/", origin):
        file = h5py.File.in_memory(data)
    return Folder(file, origin, end=_end(data[:_HEAD]))


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


_HEAD = 36
"""Bytes of a file that hold its superblock as far as it is looked at."""


def _check_signature(head: bytes, origin: str) -> None:
    if not head:
        raise BadInputError("the file is empty", where=origin)
    if not head.startswith(HDF5):
        if picture_kind(head) is not None:
            raise BadInputError(
                "is a picture, not an element file",
                where=origin,
                hint=f"eie decompose {origin} makes one of it"
                if origin != "standard input"
                else "eie decompose makes one of it",
            )
        raise BadInputError("not an HDF5 file", where=origin, hint="expected an element file")


def _end(head: bytes) -> int | None:
    """How long the superblock says that the file is; None if it has no checksum."""
    if len(head) < _HEAD or head[8] < OLDEST_SUPERBLOCK:
        return None
    return int.from_bytes(head[28:36], "little")


class Folder:
    """A group of a file that is not trusted.

    Args:
        group: the group.
        origin: name of the file, for messages.
        packing: what tells damage of its arrays.
        end: of the root, how long the file's superblock says that it is; None if that is not sure.
    """

    def __init__(
        self,
        group: h5py.Group,
        origin: str,
        packing: Packing = Packing.SEALED,
        end: int | None = None,
    ) -> None:
        self.group = group
        self.origin = origin
        self.packing = packing
        self.end = end
        self.path: str = group.name.rstrip("/")

    def node(self, name: str) -> str:
        """Absolute name of a child."""
        return f"{self.path}/{name}"

    def names(self) -> list[str]:
        """Names of the children, sorted; all of them plain."""
        with reading(self.path or "/", self.origin):
            names = sorted(name.decode() for name in self.group.id)
        for name in names:
            self._check_link(name)
        return names

    def folder(self, name: str) -> Folder:
        """The group of that name."""
        self._check_link(name)
        with reading(self.node(name), self.origin):
            opened = h5o.open(self.group.id, name.encode())
        if not isinstance(opened, h5g.GroupID):
            raise refuse("expected a group", self.node(name), self.origin)
        return Folder(h5py.Group(opened), self.origin, self.packing)

    def packed(self, packing: Packing) -> Folder:
        """The same group, of a file whose damage is told otherwise."""
        return Folder(self.group, self.origin, packing, self.end)

    def dataset(self, name: str, expected: Array) -> h5py.Dataset:
        """The array of that name, checked but not read."""
        self._check_link(name)
        with reading(self.node(name), self.origin):
            opened = h5o.open(self.group.id, name.encode())
        if not isinstance(opened, h5d.DatasetID):
            raise refuse("expected an array", self.node(name), self.origin)
        with reading(self.node(name), self.origin):
            problem = _problem(opened, expected) or _storage_problem(
                opened, self.node(name), self.packing
            )
        if problem:
            raise refuse(problem, self.node(name), self.origin)
        return h5py.Dataset(opened)

    def is_foreign(self, name: str) -> bool:
        """Whether an array is stored as no eie of format 1.0 has done, though it may be sound."""
        self._check_link(name)
        with reading(self.node(name), self.origin):
            opened = h5o.open(self.group.id, name.encode())
            return isinstance(opened, h5d.DatasetID) and _is_foreign(opened)

    def array(self, name: str, expected: Array) -> NDArray[Any]:
        """The values of the array of that name."""
        return self.values(name, self.dataset(name, expected))

    def values(
        self, name: str, dataset: h5py.Dataset, region: tuple[slice, ...] | None = None
    ) -> NDArray[Any]:
        """The values of an array that was handed out under that name.

        Args:
            region: one slice of step 1 per axis; all of the array if None.
        """
        with reading(self.node(name), self.origin):
            if dataset.chunks is not None:
                return chunks.read(dataset, region, checked=self.packing is not Packing.FOREIGN)
            if self.packing is not Packing.SEALED or not dataset.size:
                found: NDArray[Any] = dataset[() if region is None else region]
                return found
            whole: NDArray[Any] = dataset[()]
            if _stored_checksum(dataset.id) != checksum(self.node(name), whole.tobytes()):
                raise ValueError("a checksum does not fit")
            return whole if region is None else whole[region]

    def number(self, name: str) -> int | None:
        """An integer attribute of the group, if it is there."""
        with reading(f"attribute {name} of {self.path or '/'}", self.origin):
            if not h5a.exists(self.group.id, name.encode()):
                return None
            return _scalar(self.group.id, name, np.dtype("<i8"))

    def text(self, name: str) -> str:
        """A text attribute of the group."""
        return read_text(self.group, name, self.origin)

    def integers(self, name: str, count: int) -> tuple[int, ...]:
        """An attribute of the group with `count` integers."""
        return read_integers(self.group, name, count, self.origin)

    def _check_link(self, name: str) -> None:
        with reading(self.node(name), self.origin):
            if name.encode() not in self.group.id:
                raise refuse("it is missing", self.node(name), self.origin)
            kind = self.group.id.links.get_info(name.encode()).type
        if kind != h5l.TYPE_HARD:
            what = {h5l.TYPE_SOFT: "a soft link", h5l.TYPE_EXTERNAL: "a link into another file"}
            message = f"{what.get(kind, 'a link of an unknown kind')} is not allowed"
            raise refuse(message, self.node(name), self.origin)


def read_text(node: h5py.Group | h5py.Dataset, name: str, origin: str) -> str:
    """A text attribute of a group or array."""
    with _attribute(node, name, origin) as (attribute, where):
        kind = attribute.get_type()
        if not isinstance(kind, h5t.TypeStringID) or kind.is_variable_str():
            raise refuse("expected text of fixed length", where, origin)
        if attribute.shape != () or kind.get_size() > MAX_ATTRIBUTE:
            raise refuse(f"expected one text of at most {MAX_ATTRIBUTE} bytes", where, origin)
        value = np.empty((), dtype=f"S{kind.get_size()}")
        attribute.read(value, mtype=kind)
        return bytes(value[()]).decode()


def read_integers(node: h5py.Group, name: str, count: int, origin: str) -> tuple[int, ...]:
    """An attribute of `count` integers."""
    with _attribute(node, name, origin) as (attribute, where):
        if attribute.shape != (count,) or attribute.get_type() != h5t.STD_I64LE:
            raise refuse(f"expected {count} integers of 64 bits", where, origin)
        values = np.empty(count, dtype=np.int64)
        attribute.read(values)
        return tuple(values.tolist())


@contextmanager
def _attribute(
    node: h5py.Group | h5py.Dataset, name: str, origin: str
) -> Iterator[tuple[h5a.AttrID, str]]:
    where = f"attribute {name} of {node.name}"
    with reading(where, origin):
        if not h5a.exists(node.id, name.encode()):
            raise refuse("it is missing", where, origin)
        yield h5a.open(node.id, name.encode()), where


def _problem(dataset: h5d.DatasetID, expected: Array) -> str | None:
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


def _is_foreign(dataset: h5d.DatasetID) -> bool:
    plan = dataset.get_create_plist()
    if 0 in dataset.shape or plan.get_layout() == h5d.VIRTUAL:
        return False
    if plan.get_layout() != h5d.CHUNKED:
        return True
    large = dataset.dtype.itemsize * prod(plan.get_chunk()) > MAX_CHUNK
    return large or h5z.FILTER_FLETCHER32 not in _filters(plan)


def _filters(plan: h5p.PropDCID) -> list[int]:
    return [plan.get_filter(index)[0] for index in range(plan.get_nfilters())]


def _storage_problem(dataset: h5d.DatasetID, node: str, packing: Packing) -> str | None:
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
    index = _index(dataset)
    if len(index) != count:
        return f"{len(index)} of {count} chunks are stored"
    if int(index[:, -2].max()) > unpacked + unpacked // 4 + 64:
        return "a stored chunk is larger than its values need"
    corners = index[:, : len(step)]
    if (corners % step).any() or (corners >= dataset.shape).any() or _repeats(corners):
        return "the index of its chunks is damaged"
    if packing is Packing.SEALED and _stored_checksum(dataset) != checksum(node, index.tobytes()):
        return "the index of its chunks is damaged: a checksum does not fit"
    return None


def _index(dataset: h5d.DatasetID) -> NDArray[np.uint64]:
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


def _stored_checksum(dataset: h5d.DatasetID) -> int | None:
    if not h5a.exists(dataset, CHECKSUM.encode()):
        return None
    return _scalar(dataset, CHECKSUM, np.dtype("<u4"))


def _scalar(node: h5g.GroupID | h5d.DatasetID, name: str, dtype: np.dtype[Any]) -> int:
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
    data = dataset[()].tobytes() if dataset.chunks is None else _index(dataset.id).tobytes()
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
