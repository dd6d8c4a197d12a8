from __future__ import annotations

import io
import os
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from eie.elements import (
    CANDIDATES,
    SURE,
    Edit,
    ElementSet,
    ElementTable,
    Embeddings,
    ObjectMasks,
    Source,
)
from eie.errors import BadInputError, UsageError
from eie.files import StoredPixels, dump, hdf5, load, save
from eie.files.element_file import open_source

MakeSet = Callable[..., ElementSet]

NAMES = st.text(max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)  # fmt: skip


@st.composite
def sources(draw: st.DrawFn) -> Source:
    height, width = draw(st.integers(1, 12)), draw(st.integers(1, 12))
    cells = npst.arrays(np.int64, (height, width), elements=st.integers(0, 5))
    _, labels = np.unique(draw(cells), return_inverse=True)
    source = Source.from_label_map(labels.reshape(height, width))
    count = source.patches
    channels = draw(st.integers(1, 4))
    noise = np.random.default_rng(draw(st.integers(0, 99)))
    optional = {
        "pixels": noise.integers(0, 256, (height, width, channels), dtype=np.uint8),
        "affinity": noise.integers(0, 256, (count, count)).astype(np.float32) / np.float32(255),
        "objects": ObjectMasks(
            noise.integers(0, SURE + 1, (CANDIDATES, count, count), dtype=np.uint8),
            noise.random((CANDIDATES, count), dtype=np.float32),
        ),
        "embeddings": Embeddings(
            noise.normal(size=(count, draw(st.integers(0, 3)))).astype(np.float32), "tiny", "ab"
        ),
        "icc": draw(st.binary(max_size=20)),
        "exif": draw(st.binary(max_size=20)),
    }
    kept = draw(st.sets(st.sampled_from(sorted(optional))))
    return replace(source, **{name: optional[name] for name in kept})


ANGLES = st.sampled_from([0.0, 0.0, 180.0]) | st.floats(-180, 180, exclude_min=True)


@st.composite
def tables(draw: st.DrawFn, among: list[Source]) -> ElementTable:
    count = draw(st.integers(0, 6))
    source = draw(npst.arrays(np.int32, count, elements=st.integers(0, len(among) - 1)))
    patches = [among[index].patches for index in source]
    patch = [draw(st.integers(0, count - 1)) for count in patches]
    places = st.floats(-1e6, 1e6)
    centre = draw(npst.arrays(np.float64, (count, 2), elements=places))
    size = draw(npst.arrays(np.float64, (count, 2), elements=st.floats(1e-3, 1e6)))
    ids = draw(st.lists(st.integers(0, 2**31 - 1), min_size=count, max_size=count, unique=True))
    return ElementTable(
        id=np.array(ids, dtype=np.int32),
        source=source,
        patch=np.array(patch, dtype=np.int32),
        box=np.concatenate([centre, size], axis=1),
        z=draw(npst.arrays(np.int32, count)),
        visible=draw(npst.arrays(np.bool_, count)),
        flip=draw(npst.arrays(np.bool_, (count, 2))),
        angle=draw(npst.arrays(np.float64, count, elements=ANGLES)),
        shear=draw(npst.arrays(np.float64, count, elements=st.sampled_from([0.0, -0.5, 1e3]))),
    )


def groups(table: ElementTable) -> st.SearchStrategy:
    if not len(table):
        return st.just({})
    members = st.lists(st.sampled_from(table.id.tolist()), max_size=4).map(tuple)
    return st.dictionaries(NAMES, members, max_size=3)


@st.composite
def states(draw: st.DrawFn, among: list[Source]) -> tuple:
    """A table, sometimes a small change of another, and groups."""
    table = draw(tables(among))
    return table, draw(groups(table))


@st.composite
def element_sets(draw: st.DrawFn) -> ElementSet:
    among = draw(st.lists(sources(), min_size=1, max_size=3))
    table, grouped = draw(states(among))
    history: list[Edit] = []
    for _ in range(draw(st.integers(0, 4))):
        known = draw(st.integers(1, len(among)))
        repeats = [(e.table, e.groups) for e in history if e.sources <= known]
        before = draw(st.sampled_from(repeats)) if repeats and draw(st.booleans()) else None
        state, names = before or draw(states(among[:known]))
        if draw(st.booleans()) and len(state):
            state = state.set(np.array([0]), z=draw(st.integers(-5, 5)))
        operation = draw(st.dictionaries(st.text(max_size=4), JSON, max_size=2))
        history.append(Edit(operation, state, names, known))
    return ElementSet(
        canvas=ElementSet.from_source(among[0]).canvas,
        sources=tuple(among),
        table=table,
        groups=MappingProxyType(grouped),
        history=tuple(history),
        undone=tuple(history[draw(st.integers(0, len(history))) :]),
        prompt=draw(st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"))),
        decomposition=draw(st.dictionaries(st.text(max_size=4), JSON, max_size=3)),
    )


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(elements=element_sets())
def test_any_set_comes_back_as_it_was(elements: ElementSet, differences) -> None:
    """[E36] blobs too, [E70] what was undone; by [E09], what was read is written as it was."""
    data = dump(elements)
    back = load(data)
    assert differences(back, elements) == []
    assert dump(back) == data


def test_save_writes_what_dump_gives(make_set: MakeSet, tmp_path: Path) -> None:
    """[E09]"""
    elements = make_set()
    save(elements, tmp_path / "photo.h5")
    assert (tmp_path / "photo.h5").read_bytes() == dump(elements) == dump(make_set())


def test_stored_and_fresh_pixels_make_the_same_file(make_set: MakeSet) -> None:
    """[E09] with more chunks than HDF5 would cache."""
    elements = make_set(height=700, width=900)
    data = dump(elements)
    stored = load(data)
    assert isinstance(stored.sources[0].pixels, StoredPixels)
    assert dump(stored) == data


def test_a_file_may_be_replaced_while_its_pixels_are_in_use(
    make_set: MakeSet, tmp_path: Path
) -> None:
    """[E10]"""
    path = tmp_path / "photo.h5"
    save(make_set(), path)
    first = load(path)
    save(replace(first, prompt="changed"), path)
    assert load(path).prompt == "changed"
    assert np.array_equal(first.sources[0].pixels, load(path).sources[0].pixels)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "wrap", [Path, str, lambda p: Path(p).read_bytes(), lambda p: io.BytesIO(Path(p).read_bytes())]
)
def test_all_kinds_of_sources(make_set: MakeSet, tmp_path: Path, wrap, differences) -> None:
    save(make_set(), tmp_path / "photo.h5")
    assert differences(load(wrap(tmp_path / "photo.h5")), make_set()) == []


def test_a_named_pipe_is_read(make_set: MakeSet, tmp_path: Path) -> None:
    read, write = os.pipe()
    data = dump(make_set(height=16, width=16))
    if os.fork() == 0:
        os.close(read)
        with os.fdopen(write, "wb") as handle:
            handle.write(data)
        os._exit(0)
    os.close(write)
    elements = load(f"/dev/fd/{read}")
    os.close(read)
    os.wait()
    assert dump(elements) == data


def test_a_long_history_of_moves_costs_little(make_set: MakeSet) -> None:
    elements = make_set()
    bare = len(dump(elements))
    for step in range(1000):
        box = elements.table.box.copy()
        box[step % len(box)] += [1, 2, 0, 0]
        edit = Edit({"move": [str(step), "1,2"]}, elements.table, elements.groups, 1)
        table = replace(elements.table, box=box)
        elements = replace(elements, table=table, history=(*elements.history, edit))
    data = dump(elements)
    assert len(data) - bare < 100 * 1000
    last = load(data).history[-1].table
    assert np.shares_memory(last.z, load(data).history[0].table.z) is False
    loaded = load(data)
    assert loaded.history[0].table.z is loaded.table.z


def test_no_trace_of_the_time(make_set: MakeSet) -> None:
    """[E09] no object header of the file carries times."""
    with h5py.File.in_memory(dump(make_set())) as file:
        stamps: list[int] = []
        file.visititems(lambda name, node: stamps.append(h5py.h5o.get_info(node.id).mtime))
    assert stamps and not any(stamps)


def put_version(data: bytes, version: str, also: Callable[[h5py.File], None]) -> bytes:
    with h5py.File.in_memory(data) as file:
        hdf5.write_text(file.attrs, "version", version)
        also(file)
        return hdf5.image(file)


def test_a_newer_minor_version_is_read_without_its_additions(make_set, differences) -> None:
    """[E21] and [E11]"""
    data = dump(make_set())

    def add(file: h5py.File) -> None:
        for group in ("/", "/sources/0", "/elements"):
            file[group].create_group("lighting")

    assert differences(load(put_version(data, "1.7", add)), make_set()) == []
    with pytest.raises(BadInputError, match="no such node"):
        load(put_version(data, "1.1", add))


def test_a_newer_minor_version_may_not_point_elsewhere(make_set: MakeSet) -> None:
    """[E02] also where nodes are passed over."""

    def add(file: h5py.File) -> None:
        file["elements/lighting"] = h5py.ExternalLink("/etc/passwd", "/")

    with pytest.raises(BadInputError, match="another file"):
        load(put_version(dump(make_set()), "1.7", add))


def test_affinity_is_kept_to_the_next_of_255_steps(make_set: MakeSet) -> None:
    """[E34]"""
    source = make_set().sources[0]
    fine = np.random.default_rng(1).random((16, 16), dtype=np.float32)
    data = dump(replace(make_set(), sources=(replace(source, affinity=fine),)))
    kept = load(data).sources[0].affinity
    assert np.abs(kept - fine).max() <= 0.5 / 255 + 1e-7
    assert dump(load(data)) == data


def test_a_file_says_how_long_it_is_and_seals_its_arrays(make_set: MakeSet) -> None:
    """[E13]"""
    data = dump(make_set())
    root = open_source(data, None)
    assert root.packing is hdf5.Packing.SEALED
    assert root.number("bytes") == root.end == len(data)
    with h5py.File.in_memory(data) as file:
        arrays: list[h5py.Dataset] = []
        file.visititems(lambda _, node: arrays.append(node) if hasattr(node, "shape") else None)
        assert all("crc32" in array.attrs for array in arrays if array.size)
        small = file["elements/id"]
        assert small.attrs["crc32"] == zlib.crc32(b"/elements/id" + small[()].tobytes())
        pixels = file["sources/0/pixels"]
        at = pixels.id.get_chunk_info(0)
        row = np.array([*at.chunk_offset, at.byte_offset, at.size, at.filter_mask], dtype="<u8")
        assert pixels.attrs["crc32"] == zlib.crc32(b"/sources/0/pixels" + row.tobytes())


def test_what_follows_a_file_does_not_matter(make_set: MakeSet, differences) -> None:
    assert open_source(dump(make_set()) + b"more", None).packing is hdf5.Packing.SEALED


@pytest.mark.parametrize("name", ["object_chances", "object_scores"])
def test_chances_and_scores_of_objects_come_together(make_set: MakeSet, name: str) -> None:
    """[E37]"""

    def drop(file: h5py.File) -> None:
        del file[f"sources/0/{name}"]

    with pytest.raises(BadInputError, match="it is missing"):
        load(put_version(dump(make_set()), "1.1", drop))


def test_limits_hold_for_all_label_maps_together(make_set, monkeypatch) -> None:
    """[E31]"""
    elements = make_set()
    two = replace(elements, sources=elements.sources * 2)
    monkeypatch.setattr("eie.files.element_file.MAX_PIXELS", 40 * 60 * 2 - 1)
    with pytest.raises(BadInputError, match="2400 values are declared, allowed are 2399"):
        load(dump(two))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"prompt": "a" * 40_000}, "40000 bytes of text"),
        ({"prompt": "nul \0"}, "NUL"),
        ({"prompt": "\ud800"}, "not valid text"),
        ({"decomposition": {"beta": float("nan")}}, "not a JSON value"),
        ({"decomposition": {"a": np.zeros(2)}}, "not a JSON value"),
        ({"decomposition": {3: "a"}}, "keys must be text"),
    ],
)
def test_what_the_format_cannot_hold_is_refused(make_set, change, message, tmp_path) -> None:
    """[E08] and [E60] when writing; nothing is written."""
    with pytest.raises(UsageError, match=message):
        save(replace(make_set(), **change), tmp_path / "photo.h5")
    assert not list(tmp_path.iterdir())


def test_arrays_of_other_types_are_refused(make_set: MakeSet) -> None:
    """[E06] when writing"""
    source = make_set().sources[0]
    odd = replace(source, label_map=source.label_map.astype(np.int64))
    with pytest.raises(UsageError, match="/sources/0/label_map: int64 instead of uint16"):
        dump(replace(make_set(), sources=(odd,)))


def test_inconsistent_sets_are_not_written(make_set: MakeSet, tmp_path: Path) -> None:
    elements = make_set()
    box = elements.table.box * np.nan
    with pytest.raises(BadInputError, match="not finite"):
        save(replace(elements, table=replace(elements.table, box=box)), tmp_path / "photo.h5")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("place", ["missing/photo.h5", "photo.h5/inside.h5", "."])
def test_places_that_cannot_be_written(make_set: MakeSet, tmp_path: Path, place: str) -> None:
    save(make_set(), tmp_path / "photo.h5")
    before = (tmp_path / "photo.h5").read_bytes()
    with pytest.raises(UsageError) as caught:
        save(make_set(seed=1), tmp_path / place)
    assert str(tmp_path) in str(caught.value)
    assert (tmp_path / "photo.h5").read_bytes() == before


@pytest.mark.parametrize(
    ("name", "message"),
    [("missing.h5", "No such file"), (".", "directory"), ("text.h5", "not an HDF5 file")],
)
def test_files_that_cannot_be_read(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "text.h5").write_text("hello")
    with pytest.raises(BadInputError, match=message) as caught:
        load(tmp_path / name)
    assert str(tmp_path) in str(caught.value)


def test_streams_are_named(make_set: MakeSet) -> None:
    with pytest.raises(BadInputError, match=r"^standard input: the file is empty"):
        load(io.BytesIO(b""), origin="standard input")
    with pytest.raises(BadInputError, match="in standard input"):
        load(dump(make_set())[:-10], origin="standard input")
