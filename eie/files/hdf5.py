"""HDF5 from strangers: every node is looked at before it is read, every byte carries a checksum.

An HDF5 file can point into other files (external and soft links, external storage, virtual
datasets), call filters that are plugins, and declare arrays far larger than itself. A
:class:`Folder` hands out none of it: only hard links to arrays of the expected type and size, in
chunks of at most `MAX_CHUNK` bytes, under the three filters that the element file uses.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from h5py import h5a, h5d, h5g, h5l, h5o, h5s, h5t, h5z
from numpy.typing import NDArray

from eie.errors import BadInputError, UsageError
from eie.files import chunks
from eie.files.streams import open_input

SIGNATURE = b"\x89HDF\r\n\x1a\n"

OLDEST_SUPERBLOCK = 2
"""The first superblock with a checksum; files that have it carry checksums in all metadata."""

MAX_CHUNK = 1 << 18
"""Most bytes of an unpacked chunk."""

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

    def chunks(self, shape: Sequence[int]) -> tuple[int, ...]:
        """The chunk shape to write an array of `shape` (no zero in it) with."""
        if self.tiled:
            rows = min(shape[0], TILE)
            columns = min(shape[1], TILE * TILE // rows)
            return (min(shape[0], TILE * TILE // columns), columns, *shape[2:])
        row_bytes = self.dtype.itemsize * prod(shape[1:])
        return (max(1, min(MAX_CHUNK // row_bytes, shape[0])), *shape[1:])


def open_path(path: Path, origin: str) -> h5py.File:
    """Open a file for reading; its arrays are read when they are asked for."""
    with open_input(path, origin) as handle:
        _check_signature(handle.read(9), origin)
        if isinstance(handle, io.BytesIO):  # a pipe, as in `eie info <(…)`, can be read but once
            return open_bytes(handle.getvalue(), origin)
    with reading("/", origin):
        # Files are replaced and never changed in place, so readers need no lock, and can do
        # without one on file systems that have none.
        return h5py.File(os.fsencode(path), "r", locking=False)


def open_bytes(data: bytes, origin: str) -> h5py.File:
    """Open the bytes of a file."""
    _check_signature(data[:9], origin)
    with reading("/", origin):
        return h5py.File.in_memory(data)


def create() -> h5py.File:
    """A file in memory whose metadata carries checksums; `image` gives its bytes."""
    # Without a chunk cache every chunk is stored when it is written, in the order of writing, so
    # that chunks which are packed here and chunks which are copied packed make the same file.
    return h5py.File.in_memory(libver=("v110", "v110"), block_size=1 << 22, rdcc_nbytes=0)


def image(file: h5py.File) -> bytes:
    """The bytes of a file made by `create`."""
    file.flush()
    data: bytes = file.id.get_file_image()
    return data


def _check_signature(head: bytes, origin: str) -> None:
    if not head:
        raise BadInputError("the file is empty", where=origin)
    if not head.startswith(SIGNATURE):
        raise BadInputError("not an HDF5 file", where=origin, hint="expected an element file")
    if head[8:9] < bytes([OLDEST_SUPERBLOCK]):
        raise BadInputError(
            "an HDF5 file of a version without checksums, which no eie has written", where=origin
        )


class Folder:
    """A group of a file that is not trusted.

    Args:
        group: the group.
        origin: name of the file, for messages.
    """

    def __init__(self, group: h5py.Group, origin: str) -> None:
        self.group = group
        self.origin = origin
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
        return Folder(h5py.Group(opened), self.origin)

    def dataset(self, name: str, expected: Array) -> h5py.Dataset:
        """The array of that name, checked but not read."""
        self._check_link(name)
        with reading(self.node(name), self.origin):
            opened = h5o.open(self.group.id, name.encode())
        if not isinstance(opened, h5d.DatasetID):
            raise refuse("expected an array", self.node(name), self.origin)
        with reading(self.node(name), self.origin):
            problem = _problem(opened, expected)
        if problem:
            raise refuse(problem, self.node(name), self.origin)
        return h5py.Dataset(opened)

    def array(self, name: str, expected: Array) -> NDArray[Any]:
        """The values of the array of that name."""
        dataset = self.dataset(name, expected)
        with reading(self.node(name), self.origin):
            return chunks.read(dataset)

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
    if kind != h5t.py_create(expected.dtype):
        return f"the type is not {expected.dtype.name}, little-endian"
    if len(shape) != len(expected.shape) or any(
        want is not None and have != want for have, want in zip(shape, expected.shape, strict=True)
    ):
        wanted = tuple("any" if want is None else want for want in expected.shape)
        return f"the shape is {shape} instead of {wanted}".replace("'", "")
    if prod(shape) > expected.limit:
        return f"{prod(shape)} values are declared, allowed are {expected.limit}"
    return _storage_problem(dataset, shape, expected.dtype.itemsize)


def _storage_problem(dataset: h5d.DatasetID, shape: Sequence[int], itemsize: int) -> str | None:
    plan = dataset.get_create_plist()
    layout = plan.get_layout()
    if plan.get_external_count():
        return "values stored in another file are not allowed"
    if layout == h5d.VIRTUAL:
        return "a virtual array is not allowed"
    if 0 in shape:
        return None
    if layout != h5d.CHUNKED:
        return "the values are not in chunks"
    filters = [plan.get_filter(index)[0] for index in range(plan.get_nfilters())]
    if unknown := [code for code in filters if code not in FILTERS]:
        return f"HDF5 filter {unknown[0]} is not allowed"
    if h5z.FILTER_FLETCHER32 not in filters:
        return "the values carry no checksum (filter fletcher32)"
    chunk = plan.get_chunk()
    unpacked = itemsize * prod(chunk)
    if unpacked > MAX_CHUNK:
        return f"a chunk holds {unpacked} bytes, allowed are {MAX_CHUNK}"
    count = prod(-(-have // step) for have, step in zip(shape, chunk, strict=True))
    if count > MAX_CHUNKS:
        return f"{count} chunks, allowed are {MAX_CHUNKS}"
    sizes: list[int] = []
    dataset.chunk_iter(lambda chunk: sizes.append(chunk.size))
    if len(sizes) != count:
        return f"{len(sizes)} of {count} chunks are stored"
    if max(sizes) > unpacked + unpacked // 4 + 64:
        return "a stored chunk is larger than its values need"
    return None


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
    return dataset


def new_dataset(group: h5py.Group, name: str, shape: tuple[int, ...], plan: Array) -> h5py.Dataset:
    """An array to be filled, chunked and with its checksums; one without values has no chunks."""
    if 0 in shape:
        return group.create_dataset(name, shape, plan.dtype)
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


def tiles(dataset: h5py.Dataset) -> Iterator[tuple[slice, ...]]:
    """The regions of a dataset's chunks, in the order in which they are stored."""
    return iter(()) if dataset.chunks is None else dataset.iter_chunks()


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
