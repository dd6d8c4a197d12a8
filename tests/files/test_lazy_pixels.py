from __future__ import annotations

import h5py
import numpy as np
import pytest

from eie.errors import BadInputError
from eie.files import StoredPixels, dump, hdf5, load


def test_pixels_are_read_when_asked_for(make_set) -> None:
    elements = make_set(height=300, width=600)
    fresh, stored = elements.sources[0].pixels, load(dump(elements)).sources[0].pixels
    assert isinstance(stored, StoredPixels)
    assert (stored.shape, stored.dtype) == (fresh.shape, fresh.dtype)
    assert np.array_equal(np.asarray(stored), fresh)
    assert np.array_equal(stored[250:260, 100:590, :], fresh[250:260, 100:590])
    assert np.array_equal(stored[:, 5:6, 1:2], fresh[:, 5:6, 1:2])
    assert np.asarray(stored, dtype=np.float32).dtype == np.float32


def test_a_view_without_a_copy_is_refused(make_set) -> None:
    stored = load(dump(make_set())).sources[0].pixels
    with pytest.raises(ValueError, match="copy"):
        np.array(stored, copy=False)


def test_damage_is_told_when_pixels_are_read(samples) -> None:
    """[E12]"""
    elements = load(samples / "bad" / "flipped-bit.h5")
    with pytest.raises(BadInputError, match=r"reading /sources/0/pixels in .*checksum"):
        np.asarray(elements.sources[0].pixels)


def test_pixels_of_another_packing_are_packed_anew(make_set) -> None:
    elements = make_set(height=90, width=90)
    data = dump(elements)
    with h5py.File.in_memory(data) as file:
        pixels = file["sources/0/pixels"][()]
        del file["sources/0/pixels"]
        file.create_dataset(
            "sources/0/pixels", data=pixels, chunks=(7, 90, 2), compression=9, fletcher32=True
        )
        other = hdf5.image(file)
    assert dump(load(other)) == data


def test_a_damaged_chunk_is_not_copied(samples) -> None:
    """[E12] what is written on, in place too, is whole."""
    damaged = load(samples / "bad" / "flipped-bit.h5")
    with pytest.raises(BadInputError, match=r"reading /sources/0/pixels in .*checksum"):
        dump(damaged)
