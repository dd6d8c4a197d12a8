"""Unpack the chunks of an array that is not trusted.

HDF5 takes a chunk's word for what it unpacks to: a stream that is too short makes it read memory
beyond, and one that is too long is unpacked to the end, however long. So chunks are read packed, as
they are stored, and unpacked here: checksum first, then to exactly the bytes of a chunk.
"""

from __future__ import annotations

import zlib
from math import prod

import h5py
import numpy as np
from h5py import h5z
from numpy.typing import NDArray

CHECKSUM_BYTES = 4


def read(
    dataset: h5py.Dataset, region: tuple[slice, ...] | None = None, *, checked: bool = True
) -> NDArray[np.generic]:
    """The values of a chunked array.

    Args:
        dataset: a chunked array, filtered by at most shuffle, deflate and fletcher32.
        region: one slice of step 1 per axis; all of the array if None.
        checked: whether every chunk must carry a checksum; if it does, it must fit anyway.

    Raises:
        ValueError: a chunk is damaged or does not unpack to its size.
    """
    whole = tuple(slice(0, size) for size in dataset.shape)
    bounds = [part.indices(size) for part, size in zip(region or whole, dataset.shape, strict=True)]
    if any(step != 1 for _, _, step in bounds):
        raise ValueError("only slices of step 1 can be read")
    starts = tuple(start for start, _, _ in bounds)
    values = np.empty([max(0, stop - start) for start, stop, _ in bounds], dtype=dataset.dtype)
    if not values.size:
        return values
    skipped = skipped_filters(dataset)
    wanted = tuple(slice(start, stop) for start, stop, _ in bounds)
    for part in dataset.iter_chunks(wanted):
        corner = tuple(
            p.start - p.start % size for p, size in zip(part, dataset.chunks, strict=True)
        )
        _, packed = dataset.id.read_direct_chunk(corner)
        filters = _applied(dataset, skipped[corner])
        if checked and h5z.FILTER_FLETCHER32 not in filters:
            raise ValueError("a chunk carries no checksum")
        chunk = _unpack(packed, filters, dataset)
        inside = tuple(slice(p.start - c, p.stop - c) for p, c in zip(part, corner, strict=True))
        there = tuple(slice(p.start - s, p.stop - s) for p, s in zip(part, starts, strict=True))
        values[there] = chunk[inside]
    return values


def skipped_filters(dataset: h5py.Dataset) -> dict[tuple[int, ...], int]:
    """By the corner of each chunk, a bit for every filter that it was not packed with.

    A filter is skipped where it failed: deflate may, on noise. `read_direct_chunk` says 0 always.
    """
    masks: dict[tuple[int, ...], int] = {}
    dataset.id.chunk_iter(lambda chunk: masks.update({chunk.chunk_offset: chunk.filter_mask}))
    return masks


def check(packed: bytes, skipped: int, dataset: h5py.Dataset) -> None:
    """Check a chunk as it is stored against its checksum, without unpacking it.

    Args:
        packed: the chunk, the checksum being its outermost filter.
        skipped: its entry of :func:`skipped_filters`.
        dataset: the array it belongs to.

    Raises:
        ValueError: it is damaged, or carries no checksum.
    """
    if _applied(dataset, skipped)[-1:] != [h5z.FILTER_FLETCHER32]:
        raise ValueError("a chunk carries no checksum")
    _verified(packed)


def _applied(dataset: h5py.Dataset, skipped: int) -> list[int]:
    """The codes of the filters that a chunk was packed with, in their order."""
    plan = dataset.id.get_create_plist()
    filters = (plan.get_filter(index)[0] for index in range(plan.get_nfilters()))
    return [code for bit, code in enumerate(filters) if not skipped >> bit & 1]


def _unpack(data: bytes, filters: list[int], dataset: h5py.Dataset) -> NDArray[np.generic]:
    """A chunk, in the full shape of one, from what the filters made of it in their order."""
    expected = prod(dataset.chunks) * dataset.dtype.itemsize
    for code in reversed(filters):
        if code == h5z.FILTER_FLETCHER32:
            data = _verified(data)
        elif code == h5z.FILTER_DEFLATE:
            data = _inflated(data, expected)
        elif code == h5z.FILTER_SHUFFLE:
            data = _unshuffled(data, dataset.dtype.itemsize)
        else:
            raise ValueError(f"a chunk is packed by filter {code}")
    if len(data) != expected:
        raise ValueError(f"a chunk has {len(data)} bytes instead of {expected}")
    return np.frombuffer(data, dtype=dataset.dtype).reshape(dataset.chunks)


def _verified(data: bytes) -> bytes:
    """Data less the fletcher32 checksum at its end, which must fit."""
    body, stored = data[:-CHECKSUM_BYTES], data[-CHECKSUM_BYTES:]
    padded = body + b"\0" if len(body) % 2 else body
    # Two sums over big-endian 16-bit words: of the words, and of all partial sums of them. A chunk
    # is small enough for 64 bits to hold both before they are reduced.
    words = np.frombuffer(padded, dtype=">u2").astype(np.int64)
    total = int(words.sum()) % 65535
    weighted = int(words.dot(np.arange(len(words), 0, -1))) % 65535
    low, high = int.from_bytes(stored[:2], "little"), int.from_bytes(stored[2:], "little")
    if len(stored) != CHECKSUM_BYTES or (low % 65535, high % 65535) != (total, weighted):
        raise ValueError("a checksum does not fit")
    return body


def _inflated(data: bytes, expected: int) -> bytes:
    stream = zlib.decompressobj()
    try:
        unpacked = stream.decompress(data, expected + 1)
    except zlib.error as error:
        raise ValueError(str(error)) from error
    if not stream.eof:
        raise ValueError(f"a chunk does not unpack to {expected} bytes")
    return unpacked


def _unshuffled(data: bytes, itemsize: int) -> bytes:
    """First bytes of all values, then their second bytes, … ⇒ values."""
    if len(data) % itemsize:
        raise ValueError(f"a chunk of {len(data)} bytes holds no whole values")
    return np.frombuffer(data, dtype=np.uint8).reshape(itemsize, -1).T.tobytes()
