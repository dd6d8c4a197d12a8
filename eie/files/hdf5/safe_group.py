"""Groups of a file that is not trusted, and what they hand out."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import h5py
import numpy as np
from h5py import h5a, h5d, h5g, h5l, h5o, h5t
from numpy.typing import NDArray

from eie.errors import BadInputError
from eie.files import chunks
from eie.files.hdf5 import storage
from eie.files.hdf5.storage import Array, Packing
from eie.files.kinds import HDF5, picture_kind
from eie.files.stores import AnyPath
from eie.files.streams import open_input

OLDEST_SUPERBLOCK = 2
"""The first superblock with a checksum; files that have it carry checksums in all metadata."""

MAX_ATTRIBUTE = 1 << 15
"""Most bytes of an attribute; beyond 64 KiB HDF5 would store it where no checksum covers it."""

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


def open_path(path: AnyPath, origin: str) -> SafeGroup:
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
    return SafeGroup(file, origin, end=_end(head))


def open_bytes(data: bytes, origin: str) -> SafeGroup:
    """The root of a file, from its bytes."""
    _check_signature(data[:_HEAD], origin)
    with reading("/", origin):
        file = h5py.File.in_memory(data)
    return SafeGroup(file, origin, end=_end(data[:_HEAD]))


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


class SafeGroup:
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

    def refusal(self, message: str, name: str) -> BadInputError:
        """The error to raise for a child that is read but not accepted."""
        return refuse(message, self.node(name), self.origin)

    def names(self) -> list[str]:
        """Names of the children, sorted; all of them plain."""
        with reading(self.path or "/", self.origin):
            names = sorted(name.decode() for name in self.group.id)
        for name in names:
            self._check_link(name)
        return names

    def folder(self, name: str) -> SafeGroup:
        """The group of that name."""
        self._check_link(name)
        with reading(self.node(name), self.origin):
            opened = h5o.open(self.group.id, name.encode())
        if not isinstance(opened, h5g.GroupID):
            raise self.refusal("expected a group", name)
        return SafeGroup(h5py.Group(opened), self.origin, self.packing)

    def packed(self, packing: Packing) -> SafeGroup:
        """The same group, of a file whose damage is told otherwise."""
        return SafeGroup(self.group, self.origin, packing, self.end)

    def dataset(self, name: str, expected: Array) -> h5py.Dataset:
        """The array of that name, checked but not read."""
        self._check_link(name)
        with reading(self.node(name), self.origin):
            opened = h5o.open(self.group.id, name.encode())
        if not isinstance(opened, h5d.DatasetID):
            raise self.refusal("expected an array", name)
        with reading(self.node(name), self.origin):
            problem = storage.description_problem(opened, expected) or storage.storage_problem(
                opened, self.node(name), self.packing
            )
        if problem:
            raise self.refusal(problem, name)
        return h5py.Dataset(opened)

    def is_foreign(self, name: str) -> bool:
        """Whether an array is stored as no eie of format 1.0 has done, though it may be sound."""
        self._check_link(name)
        with reading(self.node(name), self.origin):
            opened = h5o.open(self.group.id, name.encode())
            return isinstance(opened, h5d.DatasetID) and storage.is_foreign(opened)

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
            if storage.stored_checksum(dataset.id) != storage.checksum(
                self.node(name), whole.tobytes()
            ):
                raise ValueError("a checksum does not fit")
            return whole if region is None else whole[region]

    def number(self, name: str) -> int | None:
        """An integer attribute of the group, if it is there."""
        with reading(f"attribute {name} of {self.path or '/'}", self.origin):
            if not h5a.exists(self.group.id, name.encode()):
                return None
            return storage.scalar(self.group.id, name, np.dtype("<i8"))

    def text(self, name: str) -> str:
        """A text attribute of the group."""
        return read_text(self.group, name, self.origin)

    def integers(self, name: str, count: int) -> tuple[int, ...]:
        """An attribute of the group with `count` integers."""
        return read_integers(self.group, name, count, self.origin)

    def _check_link(self, name: str) -> None:
        with reading(self.node(name), self.origin):
            if name.encode() not in self.group.id:
                raise self.refusal("it is missing", name)
            kind = self.group.id.links.get_info(name.encode()).type
        if kind != h5l.TYPE_HARD:
            what = {h5l.TYPE_SOFT: "a soft link", h5l.TYPE_EXTERNAL: "a link into another file"}
            message = f"{what.get(kind, 'a link of an unknown kind')} is not allowed"
            raise self.refusal(message, name)


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
