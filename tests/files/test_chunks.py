from __future__ import annotations

import zlib

import h5py
import numpy as np
import pytest
from h5py import h5z
from hypothesis import given, settings
from hypothesis import strategies as st

from eie.errors import BadInputError
from eie.files import chunks, hdf5

FILTERS = [h5z.FILTER_DEFLATE, h5z.FILTER_FLETCHER32]


def fletcher32(data: bytes) -> bytes:
    """The checksum as HDF5's documentation defines it, word by word."""
    one = two = 0
    padded = data + b"\0" * (len(data) % 2)
    for index in range(0, len(padded), 2):
        one = (one + int.from_bytes(padded[index : index + 2], "big")) % 65535
        two = (two + one) % 65535
    return (two << 16 | one).to_bytes(4, "little")


@settings(max_examples=40, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 20), st.integers(1, 20)),
    chunk=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    dtype=st.sampled_from(["u1", "<u2", "<i4", "<f8"]),
    shuffle=st.booleans(),
    level=st.sampled_from([None, 1, 9]),
    seed=st.integers(0, 9),
)
def test_reads_what_hdf5_writes(shape, chunk, dtype, shuffle, level, seed) -> None:
    noise = np.random.default_rng(seed)
    values = (noise.random(shape) * 200 * noise.integers(0, 2)).astype(dtype)
    chunk = tuple(min(pair) for pair in zip(shape, chunk, strict=True))
    with h5py.File.in_memory() as file:
        dataset = file.create_dataset(
            "values", data=values, chunks=chunk, shuffle=shuffle, compression=level, fletcher32=True
        )
        file.flush()
        assert np.array_equal(chunks.read(dataset), values)
        rows, columns = (sorted(noise.integers(0, size + 1, 2)) for size in shape)
        region = (slice(*map(int, rows)), slice(*map(int, columns)))
        assert np.array_equal(chunks.read(dataset, region), values[region])


def stored(packed: bytes, *, skipped: int = 0, shape: tuple[int, ...] = (300, 300)) -> h5py.Dataset:
    """An array of bytes whose only chunk holds whatever it is given."""
    file = h5py.File.in_memory()
    dataset = file.create_dataset("a", shape, "u1", chunks=shape, compression=1, fletcher32=True)
    dataset.id.write_direct_chunk((0,) * len(shape), packed, skipped)
    file.flush()
    return dataset


def pack(data: bytes) -> bytes:
    packed = zlib.compress(data)
    return packed + fletcher32(packed)


def test_a_chunk_of_the_right_size_is_taken() -> None:
    data = np.random.default_rng(0).bytes(90_000)
    assert chunks.read(stored(pack(data))).tobytes() == data


@pytest.mark.parametrize("size", [0, 10, 89_999, 90_001, 50_000_000])
def test_chunks_that_unpack_to_another_size_are_refused(size: int) -> None:
    """[E05] HDF5 itself would read beyond a short one, and unpack a long one to its end."""
    with pytest.raises(ValueError, match=r"90000"):
        chunks.read(stored(pack(bytes(size))))


def test_a_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    """[E05]"""
    grown: list[int] = []
    original = chunks._inflated

    def watched(data: bytes, expected: int) -> bytes:
        unpacked = zlib.decompressobj().decompress(data, expected + 1)
        grown.append(len(unpacked))
        return original(data, expected)

    monkeypatch.setattr(chunks, "_inflated", watched)
    with pytest.raises(ValueError, match="does not unpack"):
        chunks.read(stored(pack(bytes(50_000_000))))
    assert grown == [90_001]


@pytest.mark.parametrize(
    ("packed", "skipped", "message"),
    [
        (zlib.compress(bytes(90_000)) + b"abcd", 0, "checksum does not fit"),
        (b"ab", 0, "checksum does not fit"),
        (b"nonsense" + fletcher32(b"nonsense"), 0, "incorrect header"),
        (pack(bytes(90_000)), 0b10, "carries no checksum"),
        (pack(bytes(90_000)), 0b01, "bytes instead of 90000"),
    ],
)
def test_chunks_that_are_not_what_they_should_be(packed, skipped, message) -> None:
    """[E12]"""
    with pytest.raises(ValueError, match=message):
        chunks.read(stored(packed, skipped=skipped))


def test_a_chunk_may_skip_deflate() -> None:
    data = bytes(range(200)) * 450
    packed = data + fletcher32(data)
    assert chunks.read(stored(packed, skipped=0b01)).tobytes() == data


def test_steps_are_refused() -> None:
    with pytest.raises(ValueError, match="step"):
        chunks.read(stored(pack(bytes(90_000))), (slice(0, 10, 2), slice(0, 10)))


def test_chunks_that_are_far_larger_than_their_values_are_refused() -> None:
    """[E05] unpacking them would take hours."""
    file = h5py.File.in_memory()
    options = {"chunks": (1, 1 << 22), "maxshape": (None, None), "compression": 9}
    file.create_dataset("a", data=np.zeros((40, 1), "u1"), **options)
    folder = hdf5.SafeGroup(file, "stranger.h5", hdf5.Packing.FOREIGN)
    with pytest.raises(BadInputError, match="167772160 bytes are in chunks, of 40 bytes"):
        folder.array("a", hdf5.Array(np.dtype("u1"), (None, None), 1000))
