"""Element files: a set of elements on disk, as `formats/element-file.md` says."""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO

import h5py
import numpy as np
from numpy.typing import NDArray

from eie import __version__
from eie.elements import (
    Canvas,
    Edit,
    ElementSet,
    ElementTable,
    Embeddings,
    Groups,
    ObjectMasks,
    Source,
    validate,
)
from eie.errors import BadInputError, UsageError
from eie.files import hdf5, values
from eie.files.atomic import write_atomically
from eie.files.history import read_history, write_history
from eie.files.lazy_pixels import StoredPixels
from eie.files.photo import MAX_PIXELS
from eie.files.schema import (
    AFFINITY_STEPS,
    BYTES,
    BYTES_ATTRIBUTE,
    COLUMNS,
    ELEMENT_ARRAYS,
    FORMAT,
    HISTORY_ARRAYS,
    HOME_BOX,
    MAX_SOURCES,
    SOURCE_ARRAYS,
    TURNS,
    VERSION,
)
from eie.files.stores import path_of
from eie.notes import tell

_OBJECTS = frozenset({"object_chances", "object_scores"})
"""Arrays of a source of which both are there, or none."""

FOREIGN = "another program has written it anew, so damage cannot be told"

ROOT_NAMES = ("sources", "elements", "groups", "history", "undone")

FOLDER_ARRAYS: dict[str, dict[str, hdf5.Array]] = {
    "": {"groups": BYTES},
    "/elements": ELEMENT_ARRAYS,
    "/history": HISTORY_ARRAYS,
    "/undone": HISTORY_ARRAYS,
}
"""The arrays of each group that is no source, by its path."""


def load(source: Path | str | bytes | BinaryIO, *, origin: str | None = None) -> ElementSet:
    """Read an element file.

    Label maps and tables are read and checked; pixels stay in the file and are read, as
    :class:`StoredPixels`, when somebody asks for them. Nothing outside the file is ever opened.

    Args:
        source: path, content, or open binary file (read to its end).
        origin: name of the file in messages; known by itself when `source` has one.

    Raises:
        BadInputError: missing, damaged, foreign, unsafe or inconsistent; names the node.
    """
    root = open_source(source, origin)
    elements = read_elements(root)
    if root.packing is hdf5.Packing.FOREIGN:
        tell([FOREIGN], root.origin)
    return elements


def dump(elements: ElementSet) -> bytes:
    """The bytes of the element file of a set; the same set gives the same bytes.

    Stored pixels are copied packed, without decoding.

    Raises:
        BadInputError: the set is inconsistent, or the file its pixels are stored in is damaged.
        UsageError: a part is too large for the format, or not of the documented type.
    """
    validate(elements)
    with hdf5.create() as file:
        _write_elements(file, elements)
        return _sealed(file)


def _sealed(file: h5py.File) -> bytes:
    """The bytes of a file that tells how many they are.

    HDF5 gives unused space at its end back only while it writes, so the size may change once more.
    """
    file.flush()
    size, data = 0, b""
    while len(data) != size or not size:
        size = len(data)
        file.attrs.modify(BYTES_ATTRIBUTE, np.int64(size))
        data = hdf5.image(file)
    return data


def save(elements: ElementSet, target: Path | str) -> None:
    """Write an element file, atomically; it may replace the one that the pixels are stored in.

    Raises:
        BadInputError, UsageError: as `dump`.
        ResourceError: the place cannot be written, or the disk is full.
    """
    data = dump(elements)
    with write_atomically(path_of(target)) as handle:
        handle.write(data)


def open_source(source: Path | str | bytes | BinaryIO, origin: str | None) -> hdf5.SafeGroup:
    """The root of the opened file, whose format and version are known."""
    if isinstance(source, (str, Path)):
        root = hdf5.open_path(path_of(source), origin or str(source))
    else:
        if not isinstance(source, (bytes, bytearray, memoryview)):
            origin = origin or str(getattr(source, "name", "stream"))
            source = source.read()
        root = hdf5.open_bytes(bytes(source), origin or "element file")
    return root.packed(_packing(root))


def _packing(root: hdf5.SafeGroup) -> hdf5.Packing:
    """What tells damage of a file's arrays: of one that is as eie wrote it, its checksums.

    Since version 1.1 such a file says how long it is, and its superblock, which has a checksum,
    says the same. Files of version 1.0 are as they were written if their arrays are in chunks with
    checksums.
    """
    version = _version(root)
    if root.end is None:
        return hdf5.Packing.FOREIGN
    if version >= (1, 1):
        whole = root.number(BYTES_ATTRIBUTE) == root.end
        return hdf5.Packing.SEALED if whole else hdf5.Packing.FOREIGN
    foreign = any(folder.is_foreign(name) for folder, name, _ in known_arrays(root))
    return hdf5.Packing.FOREIGN if foreign else hdf5.Packing.CHUNKS


def known_folders(root: hdf5.SafeGroup) -> Iterator[hdf5.SafeGroup]:
    """The groups that the format knows, as far as they are there."""
    yield root
    names = root.names()
    for name in ("elements", "history", "undone", "sources"):
        if name in names:
            yield root.folder(name)
    if "sources" in names:
        sources = root.folder("sources")
        yield from (sources.folder(name) for name in sources.names())


def known_arrays(root: hdf5.SafeGroup) -> Iterator[tuple[hdf5.SafeGroup, str, hdf5.Array]]:
    """The arrays that the format knows, as far as they are there, and what they must look like."""
    for folder in known_folders(root):
        arrays = FOLDER_ARRAYS.get(folder.path, SOURCE_ARRAYS if folder.path != "/sources" else {})
        yield from ((folder, name, arrays[name]) for name in folder.names() if name in arrays)


def _write_elements(file: h5py.File, elements: ElementSet) -> None:
    hdf5.write_text(file.attrs, "format", FORMAT)
    hdf5.write_text(file.attrs, "version", ".".join(map(str, VERSION)))
    hdf5.write_text(file.attrs, "generator", f"eie {__version__}")
    file.attrs.create(BYTES_ATTRIBUTE, np.int64(0))  # known when all is written
    file.attrs.create("canvas", np.array(elements.canvas, dtype="<i8"))
    hdf5.write_text(file.attrs, "prompt", elements.prompt)
    hdf5.write_text(
        file.attrs, "decomposition", values.json_text(elements.decomposition, "decomposition")
    )
    if len(elements.sources) > MAX_SOURCES:
        raise UsageError(f"{len(elements.sources)} sources, allowed are {MAX_SOURCES}")
    sources = file.create_group("sources")
    for index, source in enumerate(elements.sources):
        _write_source(sources.create_group(str(index)), source)
    table = file.create_group("elements")
    for name, plan in COLUMNS.items():
        if name in TURNS and not getattr(elements.table, name).any():
            continue
        column = values.to_stored(name, [getattr(elements.table, name)])
        hdf5.write_array(table, name, column, plan)
    hdf5.write_array(table, "home_box", elements.home_box, HOME_BOX)
    if elements.groups:
        hdf5.write_array(file, "groups", values.json_lines([elements.groups]), BYTES)
    if elements.history:
        history = file.create_group("history")
        write_history(history, elements.history, elements.table, elements.groups)
    if elements.undone:
        undone = file.create_group("undone")
        write_history(undone, elements.undone, elements.table, elements.groups)


def _write_source(group: h5py.Group, source: Source) -> None:
    plans = SOURCE_ARRAYS
    hdf5.write_array(group, "label_map", source.label_map, plans["label_map"])
    hdf5.write_array(group, "home_box", source.home_box, plans["home_box"])
    if isinstance(source.pixels, StoredPixels):
        source.pixels.copy_into(group, "pixels")
    elif source.pixels is not None:
        hdf5.write_array(group, "pixels", np.asarray(source.pixels), plans["pixels"])
    if source.affinity is not None:
        affinity = np.round(source.affinity.clip(0, 1) * AFFINITY_STEPS).astype(np.uint8)
        hdf5.write_array(group, "affinity", affinity, plans["affinity"])
    if source.objects is not None:
        _write_objects(group, source.objects)
    if (embeddings := source.embeddings) is not None:
        stored = hdf5.write_array(group, "embeddings", embeddings.values, plans["embeddings"])
        hdf5.write_text(stored.attrs, "encoder", embeddings.encoder)
        hdf5.write_text(stored.attrs, "encoder_hash", embeddings.encoder_hash)
    for name in ("icc", "exif"):
        if (blob := getattr(source, name)) is not None:
            hdf5.write_array(group, name, np.frombuffer(blob, dtype=np.uint8), plans[name])


def _write_objects(group: h5py.Group, objects: ObjectMasks) -> None:
    rows = objects.chances.reshape(-1, objects.chances.shape[-1])  # (3·P, P)
    hdf5.write_array(group, "object_chances", rows, SOURCE_ARRAYS["object_chances"])
    scores = objects.scores  # (3, P)
    hdf5.write_array(group, "object_scores", scores, SOURCE_ARRAYS["object_scores"])


def read_elements(root: hdf5.SafeGroup) -> ElementSet:
    """The set in an opened file."""
    newer = _version(root) > VERSION  # additions of which may be passed over
    names = _known_names(root, ROOT_NAMES, newer)
    root.text("generator")
    decomposition = values.parse_json(
        root.text("decomposition"), "attribute decomposition of /", root.origin
    )
    if not isinstance(decomposition, dict):
        raise hdf5.refuse("expected a JSON object", "attribute decomposition of /", root.origin)
    table = _read_table(root.folder("elements"), newer)
    groups = _read_groups(root) if "groups" in names else MappingProxyType({})
    elements = ElementSet(
        canvas=Canvas(*root.integers("canvas", 2)),
        sources=_read_sources(root.folder("sources"), newer),
        table=table,
        groups=groups,
        history=_read_history(root.folder("history"), newer, table, groups)
        if "history" in names
        else (),
        undone=_read_history(root.folder("undone"), newer, table, groups)
        if "undone" in names
        else (),
        prompt=root.text("prompt"),
        decomposition=MappingProxyType(decomposition),
    )
    _validate(elements, root.origin)
    _check_home_boxes(root.folder("elements"), elements)
    return elements


def _validate(elements: ElementSet, origin: str) -> None:
    try:
        validate(elements)
    except BadInputError as error:
        where = f"reading {error.where} in {origin}"
        raise BadInputError(error.message, where=where, hint=error.hint) from error


def _version(root: hdf5.SafeGroup) -> tuple[int, int]:
    """Major and minor version of a file of this format; the major one is known."""
    if root.text("format") != FORMAT:
        raise hdf5.refuse(f"the format is not {FORMAT}", "attribute format of /", root.origin)
    text = root.text("version")
    numbers = text.split(".")
    if len(numbers) != 2 or not all(part.isascii() and part.isdigit() for part in numbers):
        raise hdf5.refuse(f"{text!r} is not a version", "attribute version of /", root.origin)
    major, minor = map(int, numbers)
    if major != VERSION[0]:
        raise hdf5.refuse(
            f"version {text}, this eie reads {VERSION[0]}.x",
            "attribute version of /",
            root.origin,
            hint="upgrade eie" if major > VERSION[0] else None,
        )
    return major, minor


def _known_names(folder: hdf5.SafeGroup, known: Container[str], newer: bool) -> list[str]:
    names = folder.names()
    if not newer and (unknown := [name for name in names if name not in known]):
        raise folder.refusal("an element file of this version has no such node", unknown[0])
    return [name for name in names if name in known]


def _read_sources(folder: hdf5.SafeGroup, newer: bool) -> tuple[Source, ...]:
    names = folder.names()
    count = len(names)
    if set(names) != {str(index) for index in range(count)} or count > MAX_SOURCES:
        raise hdf5.refuse(
            f"expected groups 0, 1, …, at most {MAX_SOURCES}", folder.path, folder.origin
        )
    sources: list[Source] = []
    pixels_left = MAX_PIXELS
    for index in range(count):
        source = _read_source(folder.folder(str(index)), newer, pixels_left)
        pixels_left -= source.label_map.size
        sources.append(source)
    return tuple(sources)


def _read_source(folder: hdf5.SafeGroup, newer: bool, max_pixels: int) -> Source:
    names = _known_names(folder, SOURCE_ARRAYS, newer)

    def array(name: str) -> NDArray[Any] | None:
        return folder.array(name, SOURCE_ARRAYS[name]) if name in names else None

    affinity, icc, exif = array("affinity"), array("icc"), array("exif")
    return Source(
        label_map=folder.array("label_map", replace(SOURCE_ARRAYS["label_map"], limit=max_pixels)),
        home_box=folder.array("home_box", HOME_BOX),
        pixels=StoredPixels(folder, "pixels") if "pixels" in names else None,
        affinity=None if affinity is None else _from_steps(affinity),
        objects=_read_objects(folder) if _OBJECTS.intersection(names) else None,
        embeddings=_read_embeddings(folder) if "embeddings" in names else None,
        icc=None if icc is None else icc.tobytes(),
        exif=None if exif is None else exif.tobytes(),
    )


def _from_steps(affinity: NDArray[Any]) -> NDArray[np.float32]:
    """(P, P) in [0, 1] from bytes, or from the float16 of version 1.0."""
    values: NDArray[np.float32] = affinity.astype(np.float32)
    if affinity.dtype == np.uint8:
        values /= np.float32(AFFINITY_STEPS)
    return values


def _read_objects(folder: hdf5.SafeGroup) -> ObjectMasks:
    rows = folder.array("object_chances", SOURCE_ARRAYS["object_chances"])  # (3·P, P)
    scores = folder.array("object_scores", SOURCE_ARRAYS["object_scores"])  # (3, P)
    if rows.shape != (scores.size, scores.shape[1]):
        raise folder.refusal(
            f"shape {rows.shape} does not fit scores of {scores.shape[1]} patches", "object_chances"
        )
    return ObjectMasks(rows.reshape(*scores.shape, -1), scores.astype(np.float32))


def _read_embeddings(folder: hdf5.SafeGroup) -> Embeddings:
    dataset = folder.dataset("embeddings", SOURCE_ARRAYS["embeddings"])
    return Embeddings(
        values=folder.array("embeddings", SOURCE_ARRAYS["embeddings"]),
        encoder=hdf5.read_text(dataset, "encoder", folder.origin),
        encoder_hash=hdf5.read_text(dataset, "encoder_hash", folder.origin),
    )


def _read_table(folder: hdf5.SafeGroup, newer: bool) -> ElementTable:
    names = _known_names(folder, ELEMENT_ARRAYS, newer)
    columns = {
        name: values.from_stored(folder, name, plan)
        for name, plan in COLUMNS.items()
        if name in names or name not in TURNS
    }
    return ElementTable(**{name: np.zeros(len(columns["id"])) for name in TURNS} | columns)


def _read_groups(root: hdf5.SafeGroup) -> Groups:
    lines = values.parse_json_lines(root, "groups", dict)
    if len(lines) != 1:
        raise hdf5.refuse("expected one JSON object", "/groups", root.origin)
    return values.parse_groups(lines[0], "/groups", root.origin)


def _read_history(
    folder: hdf5.SafeGroup, newer: bool, table: ElementTable, groups: Groups
) -> tuple[Edit, ...]:
    _known_names(folder, HISTORY_ARRAYS, newer)
    return read_history(folder, table, groups)


def _check_home_boxes(folder: hdf5.SafeGroup, elements: ElementSet) -> None:
    """/elements/home_box repeats what the sources say, for readers that join no tables."""
    stored = folder.array("home_box", HOME_BOX)
    if not np.array_equal(stored, elements.home_box):
        raise folder.refusal("boxes do not fit those of the sources", "home_box")
