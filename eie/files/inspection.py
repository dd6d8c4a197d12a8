"""What is in an element file: facts for `eie info`, findings for `eie validate`, its layout."""

from __future__ import annotations

from collections.abc import Container, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

import h5py

from eie.elements import ElementSet, Source
from eie.errors import BadInputError
from eie.files import element_file, hdf5
from eie.files.lazy_pixels import StoredPixels
from eie.files.schema import BYTES_ATTRIBUTE, SOURCE_ARRAYS

ROOT_ATTRIBUTES = (
    BYTES_ATTRIBUTE,
    "canvas",
    "decomposition",
    "format",
    "generator",
    "prompt",
    "version",
)
EMBEDDING_ATTRIBUTES = ("encoder", "encoder_hash")


@dataclass(frozen=True)
class Finding:
    """Something about a file that its reader should know.

    Attributes:
        kind: "error" if the file cannot be used as it is, "note" if it can.
        message: one line that names the node.
    """

    kind: Literal["error", "note"]
    message: str


@dataclass(frozen=True)
class Report:
    """The outcome of checking a file: valid unless a finding is an error."""

    origin: str
    findings: tuple[Finding, ...]

    @property
    def valid(self) -> bool:
        return all(finding.kind != "error" for finding in self.findings)


def check_file(source: Path | str | bytes | BinaryIO, *, origin: str | None = None) -> Report:
    """Check all of an element file: every byte of every array, and every rule among them.

    Args:
        source, origin: as in :func:`eie.files.load`.

    Returns:
        What was found, errors first; damage is reported for every array, a broken rule for the
        first one. A file that cannot be opened gives a report with that error.
    """
    findings: list[Finding] = []
    name = origin or (str(source) if isinstance(source, (str, Path)) else "element file")
    with _collecting(findings):
        root = element_file.open_source(source, origin)
        if root.packing is hdf5.Packing.FOREIGN:
            findings.append(Finding("note", element_file.FOREIGN))
        with _collecting(findings):
            elements = element_file.read_elements(root)
            findings.extend(_history_notes(elements))
        for folder, array, expected in element_file.known_arrays(root):
            with _collecting(findings):
                _read_through(folder, array, expected)
        findings.extend(_unknown(root))
    unique = dict.fromkeys(findings)
    return Report(name, tuple(sorted(unique, key=lambda finding: finding.kind)))


def facts(source: Path | str | bytes | BinaryIO, *, origin: str | None = None) -> dict[str, Any]:
    """What an element file holds, in JSON values; sizes in pixels or bytes.

    Args:
        source, origin: as in :func:`eie.files.load`.

    Raises:
        BadInputError: as :func:`eie.files.load`; pixels are not read.
    """
    root = element_file.open_source(source, origin)
    elements = element_file.read_elements(root)
    table = elements.table
    away = (table.box != elements.home_box).any(axis=1)
    return {
        "file": root.origin,
        "bytes": root.group.file.id.get_filesize(),
        "version": root.text("version"),
        "generator": root.text("generator"),
        "canvas": {"height": elements.canvas.height, "width": elements.canvas.width},
        "elements": {
            "count": len(elements),
            "visible": int(table.visible.sum()),
            "deleted": int((~table.visible).sum()),
            "moved or resized": int((table.visible & away).sum()),
            "turned": int((table.visible & table.turned).sum()),
            "flipped": int((table.visible & table.flip.any(axis=1)).sum()),
            "untouched": int(elements.untouched.sum()),
        },
        "sources": [_source_facts(part) for part in elements.sources],
        "groups": {group: len(members) for group, members in elements.groups.items()},
        "history": [dict(edit.operation) for edit in elements.history],
        "prompt": elements.prompt,
        "decomposition": dict(elements.decomposition),
    }


def layout(source: Path | str | bytes | BinaryIO, *, origin: str | None = None) -> dict[str, Any]:
    """Groups, arrays and attributes of an element file by path, as `element-file.schema.json` says.

    Raises:
        BadInputError: not an element file, or one with links that are not allowed.
    """
    root = element_file.open_source(source, origin)
    nodes: dict[str, Any] = {"/": {"attributes": _attribute_layout(root.group)}}
    for folder in element_file.known_folders(root):
        for child in folder.names():
            with hdf5.reading(folder.node(child), root.origin):
                node = folder.group[child]
                described: dict[str, Any] = {"attributes": _attribute_layout(node)}
                if isinstance(node, h5py.Dataset):
                    described |= _array_layout(node)
                nodes[folder.node(child)] = described
    return nodes


def _array_layout(dataset: h5py.Dataset) -> dict[str, Any]:
    plan = dataset.id.get_create_plist()
    codes = [plan.get_filter(index)[0] for index in range(plan.get_nfilters())]
    return {
        "type": dataset.dtype.str,
        "shape": list(dataset.shape),
        "chunks": None if dataset.chunks is None else list(dataset.chunks),
        "filters": [hdf5.FILTERS.get(code, code) for code in codes],
    }


def _attribute_layout(node: h5py.Group | h5py.Dataset) -> dict[str, str]:
    return {
        name: "text" if kind.dtype.kind == "S" else f"{kind.dtype.str}{list(kind.shape)}"
        for name in sorted(node.attrs)
        for kind in [node.attrs.get_id(name)]
    }


def _source_facts(source: Source) -> dict[str, Any]:
    height, width = source.label_map.shape
    embeddings = source.embeddings
    return {
        "height": height,
        "width": width,
        "patches": source.patches,
        "channels": source.pixels.shape[2] if source.pixels is not None else None,
        "pixel bytes": source.pixels.stored_bytes
        if isinstance(source.pixels, StoredPixels)
        else None,
        "affinity": source.affinity is not None,
        "objects": source.objects is not None,
        "embeddings": None
        if embeddings is None
        else {
            "encoder": embeddings.encoder,
            "encoder_hash": embeddings.encoder_hash,
            "size": embeddings.values.shape[1],
        },
        "icc bytes": len(source.icc or b""),
        "exif bytes": len(source.exif or b""),
    }


def _read_through(folder: hdf5.SafeGroup, name: str, expected: hdf5.Array) -> None:
    """Unpack every chunk of an array, which checks its checksum, one at a time."""
    dataset = folder.dataset(name, expected)
    for region in hdf5.tiles(dataset):
        folder.values(name, dataset, region)


def _history_notes(elements: ElementSet) -> Iterator[Finding]:
    counts = [*(edit.sources for edit in elements.history), len(elements.sources)]
    if counts != sorted(counts):
        yield Finding("note", "/history/sources: a source disappears between two steps")


def _unknown(root: hdf5.SafeGroup) -> Iterator[Finding]:
    """Notes on what a reader passes over and a writer does not keep."""
    known: dict[str, Container[str]] = {
        **element_file.FOLDER_ARRAYS,
        "": element_file.ROOT_NAMES,
    }
    unknown = [f"attribute {name}" for name in root.group.attrs if name not in ROOT_ATTRIBUTES]
    for folder in element_file.known_folders(root):
        names = known.get(folder.path, SOURCE_ARRAYS)
        if folder.path != "/sources":
            unknown += [folder.node(name) for name in folder.names() if name not in names]
        if folder.path:
            unknown += [f"attribute {name} of {folder.path}" for name in folder.group.attrs]
        for child in folder.names():
            attributes = folder.group[child].attrs if child in names else ()
            known_here = EMBEDDING_ATTRIBUTES if child == "embeddings" else ()
            known_here = (hdf5.CHECKSUM, *known_here)
            unknown += [
                f"attribute {name} of {folder.node(child)}"
                for name in attributes
                if name not in known_here and isinstance(folder.group[child], h5py.Dataset)
            ]
    return (
        Finding("note", f"{node} is not known and would be lost by an edit") for node in unknown
    )


@contextmanager
def _collecting(findings: list[Finding]) -> Iterator[None]:
    try:
        yield
    except BadInputError as error:
        findings.append(Finding("error", str(error)))
