"""Damaged files are refused or read as they were written: rule [E12] of the specification."""

from __future__ import annotations

import contextlib
import random
import re

import numpy as np
import pytest

from eie.elements import ElementSet
from eie.errors import BadInputError
from eie.files import dump, load
from eie.files.inspection import check_file


def read_all(data: bytes) -> ElementSet:
    elements = load(data)
    for source in elements.sources:
        if source.pixels is not None:
            np.asarray(source.pixels)
    return elements


@pytest.mark.parametrize(
    "name",
    ["1.0-minimal", "1.0-edited", "1.0-composition", "1.1-minimal", "1.1-edited", "1.1-objects"],
)
def test_flipped_bits_are_noticed_or_harmless(name: str, samples, differences) -> None:
    """[E12] by random bits and bytes."""
    data = (samples / "good" / f"{name}.h5").read_bytes()
    original, chance, noticed = read_all(data), random.Random(name), 0
    for _ in range(250):
        damaged = bytearray(data)
        damaged[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        if chance.random() < 0.3:
            damaged[chance.randrange(len(data))] = chance.randrange(256)
        try:
            elements = read_all(bytes(damaged))
        except BadInputError:
            noticed += 1
        else:
            assert differences(elements, original) == []
    assert noticed > 100


@pytest.mark.parametrize("name", ["1.0-edited", "1.1-edited"])
def test_truncated_files_are_refused(name: str, samples) -> None:
    """[E12] at every kind of place."""
    data = (samples / "good" / f"{name}.h5").read_bytes()
    for length in [*range(60), *range(60, len(data), 397), len(data) - 1]:
        with pytest.raises(BadInputError):
            read_all(data[:length])


@pytest.mark.parametrize("name", ["1.0-edited", "1.1-edited"])
def test_zeroed_blocks_are_refused_or_harmless(name: str, samples, differences) -> None:
    """[E12] as a disk or a sparse download loses them."""
    data = (samples / "good" / f"{name}.h5").read_bytes()
    original = read_all(data)
    for start in range(0, len(data), 512):
        try:
            elements = read_all(data[:start] + bytes(512) + data[start + 512 :])
        except BadInputError:
            continue
        assert differences(elements, original) == []


def test_indexes_of_chunks_are_covered(make_set, differences) -> None:
    """[E13] HDF5 1.8 has no checksum for them: every byte of one, changed, and each moved."""
    data = dump(make_set(height=200, width=300, patches=9))
    original = read_all(data)
    nodes = [at.start() for at in re.finditer(b"TREE\x01", data)]
    assert len(nodes) == 4  # of the label map, pixels, affinity and chances
    length, chance = 120, random.Random(0)  # as far as they are used
    for node in nodes:
        for at in range(node, node + length):
            damaged = bytearray(data)
            damaged[at] ^= chance.randrange(1, 256)
            with contextlib.suppress(BadInputError):
                assert differences(read_all(bytes(damaged)), original) == []
        for other in nodes:
            damaged = bytearray(data)
            damaged[node : node + length] = data[other : other + length]
            with contextlib.suppress(BadInputError):
                assert differences(read_all(bytes(damaged)), original) == []


def test_the_check_finds_what_loading_does_not_touch(samples) -> None:
    path = samples / "bad" / "flipped-bit.h5"
    load(path)
    report = check_file(path)
    assert [finding.kind for finding in report.findings] == ["error"]
    assert "/sources/0/pixels" in report.findings[0].message
