"""What is wrong with bad sample files, each by one rule, and what a reader says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from good import minimal

from eie.elements import ElementSet, Source
from eie.files import dump, hdf5
from eie.files.schema import BYTES, COLUMNS, HISTORY_ARRAYS, HOME_BOX, SOURCE_ARRAYS, TURNS


def put(file: h5py.File, node: str, values: np.ndarray, plan: hdf5.Array) -> None:
    """Replace an array, in the packing of the format."""
    folder, name = node.rsplit("/", 1)
    group = file[folder or "/"]
    if name in group:
        del group[name]
    hdf5.write_array(group, name, values, plan)


def put_column(name: str, values: Any) -> Callable[[h5py.File], None]:
    """Replace a column of the table."""
    plan = COLUMNS[name]
    return lambda file: put(file, f"/elements/{name}", np.array(values, dtype=plan.dtype), plan)


def put_text(node: str, text: str) -> Callable[[h5py.File], None]:
    plan = HISTORY_ARRAYS["operations"] if "history" in node else BYTES
    return lambda file: put(file, node, np.frombuffer(text.encode(), dtype=np.uint8), plan)


def put_objects(file: h5py.File, chances: np.ndarray, scores: np.ndarray) -> None:
    """Add what points stand for to the first source."""
    for name, values in (("chances", chances), ("scores", scores)):
        put(file, f"/sources/0/object_{name}", values, SOURCE_ARRAYS[f"object_{name}"])


def put_attribute(name: str, text: str) -> Callable[[h5py.File], None]:
    return lambda file: hdf5.write_text(file.attrs, name, text)


def put_label_map(values: np.ndarray) -> Callable[[h5py.File], None]:
    return lambda file: put(
        file, "/sources/0/label_map", values.astype(np.uint16), SOURCE_ARRAYS["label_map"]
    )


def sealed(change: Callable[[h5py.File], None]) -> Callable[[Path], None]:
    """A change of a file that goes on saying that eie has written all of it."""

    def rewrite(path: Path) -> None:
        change_file(path, change)
        while (end := int.from_bytes(path.read_bytes()[28:36], "little")) != length_told(path):
            change_file(path, lambda file: file.attrs.modify("bytes", np.int64(end)))

    return rewrite


def change_file(path: Path, change: Callable[[h5py.File], None]) -> None:
    with h5py.File(path, "r+", libver=("v108", "latest")) as file:
        change(file)


def length_told(path: Path) -> int:
    with h5py.File(path) as file:
        return int(file.attrs["bytes"])


def recreate(node: str, **options: Any) -> Callable[[h5py.File], None]:
    """Replace an array by one that h5py is told how to make."""

    def change(file: h5py.File) -> None:
        values = file[node][()]
        del file[node]
        file.create_dataset(node, **{"data": values, **options})

    return change


def soft_link(file: h5py.File) -> None:
    del file["elements/home_box"]
    file["elements/home_box"] = h5py.SoftLink("/sources/0/home_box")


def external_link(file: h5py.File) -> None:
    del file["sources/0/pixels"]
    file["sources/0/pixels"] = h5py.ExternalLink("secret.h5", "/sources/0/pixels")


def external_storage(file: h5py.File) -> None:
    shape = file["sources/0/pixels"].shape
    del file["sources/0/pixels"]
    # Without values, which HDF5 would write to that other file.
    file.create_dataset("sources/0/pixels", shape, "u1", external=[("secret.bin", 0, 48)])


def virtual_dataset(file: h5py.File) -> None:
    shape = file["sources/0/pixels"].shape
    plan = h5py.VirtualLayout(shape=shape, dtype="u1")
    plan[...] = h5py.VirtualSource("secret.h5", "pixels", shape=shape)
    del file["sources/0/pixels"]
    file.create_virtual_dataset("sources/0/pixels", plan)


def object_reference(file: h5py.File) -> None:
    del file["elements/z"]
    references = np.array([file.ref, file.ref], dtype=h5py.ref_dtype)
    file.create_dataset("elements/z", data=references, dtype=h5py.ref_dtype)


def gigantic_shape(file: h5py.File) -> None:
    del file["sources/0/label_map"]
    file.create_dataset(
        "sources/0/label_map", (10**6, 10**6), "<u2", chunks=(256, 256), compression=1,
        fletcher32=True,
    )  # fmt: skip


def missing_chunks(file: h5py.File) -> None:
    recreate_pixels(file, chunks=(8, 6, 1))


def recreate_pixels(file: h5py.File, **options: Any) -> None:
    """An array of the pixels' shape without values."""
    del file["sources/0/pixels"]
    file.create_dataset("sources/0/pixels", (8, 6, 1), "u1", **options)


def missing_values(file: h5py.File) -> None:
    recreate_pixels(file)


def oversized_chunk(file: h5py.File) -> None:
    recreate_pixels(file, chunks=(8, 6, 1), compression=1, fletcher32=True)
    file["sources/0/pixels"].id.write_direct_chunk((0, 0, 0), bytes(10_000))


def huge_chunks(file: h5py.File) -> None:
    del file["sources/0/pixels"]
    file.create_dataset(
        "sources/0/pixels", (9000, 9000, 1), "u1", chunks=(9000, 9000, 1), compression=9
    )


def too_many_chunks(file: h5py.File) -> None:
    del file["sources/0/label_map"]
    file.create_dataset(
        "sources/0/label_map", (10**4, 10**4), "<u2", chunks=(1, 1), compression=1, fletcher32=True
    )  # fmt: skip


def extra_source(file: h5py.File) -> None:
    file["sources"].move("0", "1")


def variable_text(file: h5py.File) -> None:
    del file.attrs["prompt"]
    file.attrs["prompt"] = "text of variable length"


def long_text(file: h5py.File) -> None:
    file.attrs["prompt"] = np.bytes_("a" * 40_000)


def history_of(**arrays: Any) -> Callable[[h5py.File], None]:
    """A history of one move, with some arrays replaced."""

    def change(file: h5py.File) -> None:
        line = b'{"move":["0","1,0"]}\n'
        parts = {
            "operations": line, "groups": b"null\n", "sources": [1], "rows": [2],
            "changed": [[0] * 7], **{name: np.empty((0, *plan.shape[1:])) for name, plan
                                     in COLUMNS.items() if name not in TURNS}, **arrays,
        }  # fmt: skip
        group = file.create_group("history")
        for name, values in parts.items():
            if isinstance(values, bytes):
                values = np.frombuffer(values, dtype=np.uint8)
            plan = HISTORY_ARRAYS[name]
            hdf5.write_array(group, name, np.array(values, dtype=plan.dtype), plan)

    return change


HOME = minimal().sources[0].home_box
LABELS = minimal().sources[0].label_map
ZEROS = np.zeros((2, 4))

# name: (rule, what the reader says, the change to the minimal file)
CHANGED: dict[str, tuple[str, str, Callable[[h5py.File], None]]] = {
    "soft-link": ("E02", "a soft link is not allowed", soft_link),
    "external-link": ("E02", "a link into another file is not allowed", external_link),
    "external-storage": ("E03", "values stored in another file", external_storage),
    "virtual-dataset": ("E03", "a virtual array is not allowed", virtual_dataset),
    "unknown-filter": ("E04", "HDF5 filter 32000 is not allowed", recreate(
        "elements/box", chunks=(2, 4), compression="lzf", fletcher32=True)),
    "huge-chunks": ("E05", "a chunk holds 81000000 bytes, allowed are 67108864", huge_chunks),
    "too-many-chunks": ("E05", "100000000 chunks, allowed are 16384", too_many_chunks),
    "missing-chunks": ("E05", "0 of 1 chunks are stored", missing_chunks),
    "missing-values": ("E05", "0 of 48 bytes are stored", missing_values),
    "oversized-chunk": ("E05", "a stored chunk is larger", oversized_chunk),
    "wrong-type": ("E06", "the type is not uint16", recreate(
        "sources/0/label_map", dtype="<i4", chunks=(8, 6), fletcher32=True)),
    "object-reference": ("E06", "the type is not int32", object_reference),
    "not-an-array": ("E06", "expected an array", lambda file: (
        file["elements"].pop("z"), file.create_group("elements/z"))),
    "wrong-shape": ("E07", "the shape is (2, 3) instead of (any, 4)", recreate(
        "elements/box", data=np.ones((2, 3)), chunks=(2, 3), fletcher32=True)),
    "gigantic-shape": ("E07", "1000000000000 values are declared", gigantic_shape),
    "missing-array": ("E07", "it is missing", lambda file: file["elements"].pop("z")),
    "variable-text": ("E08", "expected text of fixed length", variable_text),
    "long-text": ("E08", "at most 32768 bytes", long_text),
    "unknown-node": ("E11", "has no such node", lambda file: file.create_group("elements/colour")),
    "other-format": ("E20", "the format is not", put_attribute("format", "a-cookbook")),
    "no-format": ("E20", "it is missing", lambda file: file.attrs.pop("format")),
    "newer-major": ("E21", "upgrade eie", put_attribute("version", "2.0")),
    "odd-version": ("E21", "'one' is not a version", put_attribute("version", "one")),
    "canvas-mismatch": ("E22", "the canvas is (9, 6)", lambda file: file.attrs.create(
        "canvas", np.array([9, 6], dtype="<i8"))),
    "decomposition-not-json": ("E23", "not readable", put_attribute("decomposition", "{")),
    "no-source-0": ("E30", "expected groups 0, 1", extra_source),
    "label-without-patch": ("E31", "label 2 but only 2 patches", put_label_map(LABELS + 1)),
    "patch-without-pixels": ("E31", "patch 0 has no pixels", put_label_map(LABELS * 0 + 1)),
    "home-box-mismatch": ("E32", "boxes do not fit the label map", lambda file: put(
        file, "/sources/0/home_box", HOME + 1, HOME_BOX)),
    "pixels-mismatch": ("E33", "does not fit a label map", lambda file: put(
        file, "/sources/0/pixels", np.zeros((6, 8, 3), np.uint8), SOURCE_ARRAYS["pixels"])),
    "five-channels": ("E33", "the shape is (8, 6, 5)", lambda file: put(
        file, "/sources/0/pixels", np.zeros((8, 6, 5), np.uint8), SOURCE_ARRAYS["pixels"])),
    "affinity-mismatch": ("E34", "does not fit 2 patches", lambda file: put(
        file, "/sources/0/affinity", np.zeros((3, 3), np.uint8), SOURCE_ARRAYS["affinity"])),
    "embeddings-without-encoder": ("E35", "it is missing", lambda file: put(
        file, "/sources/0/embeddings", np.zeros((2, 3), np.float32), SOURCE_ARRAYS["embeddings"])),
    "objects-mismatch": ("E37", "does not fit scores of 2 patches", lambda file: put_objects(
        file, np.zeros((9, 3), np.uint8), np.zeros((3, 2), np.float32))),
    "objects-without-scores": ("E37", "it is missing", lambda file: put(
        file, "/sources/0/object_chances", np.zeros((6, 2), np.uint8),
        SOURCE_ARRAYS["object_chances"])),
    "object-chance-eight": ("E37", "a chance is above 7", lambda file: put_objects(
        file, np.full((6, 2), 8, np.uint8), np.zeros((3, 2), np.float32))),
    "object-score-nan": ("E37", "a score is not in [0, 1]", lambda file: put_objects(
        file, np.zeros((6, 2), np.uint8), np.full((3, 2), np.nan, np.float32))),
    "column-lengths": ("E40", "shape (3,) instead of (2,)", put_column("z", [0, 0, 0])),
    "duplicate-id": ("E41", "ids must be unique", put_column("id", [1, 1])),
    "unknown-source": ("E42", "source is not in the file", put_column("source", [0, 1])),
    "unknown-patch": ("E42", "patch is not in its source", put_column("patch", [0, 2])),
    "nan-box": ("E43", "a box is not finite", put_column("box", ZEROS + np.nan)),
    "flat-box": ("E43", "a box has no size", put_column("box", ZEROS)),
    "visible-two": ("E44", "neither 0 nor 1", put_column("visible", [1, 2])),
    "angle-nan": ("E46", "an angle is not in", put_column("angle", [0, np.nan])),
    "angle-beyond": ("E46", "an angle is not in", put_column("angle", [0, 270])),
    "shear-infinite": ("E46", "a shear is beyond", put_column("shear", [np.inf, 0])),
    "elements-home-box-mismatch": ("E45", "do not fit those of the sources", lambda file: put(
        file, "/elements/home_box", HOME + 1, HOME_BOX)),
    "group-of-unknown": ("E50", "element 7 does not exist", put_text("/groups", '{"a":[7]}\n')),
    "groups-not-lists": ("E50", "expected lists of element ids", put_text("/groups", '{"a":1}\n')),
    "operations-not-json": ("E60", "not readable", history_of(operations=b"move 3\n")),
    "operation-nan": ("E60", "NaN is not a JSON number", history_of(operations=b'{"a":NaN}\n')),
    "history-rows": ("E61", "instead of (1,)", history_of(rows=[2, 2])),
    "history-groups": ("E61", "2 lines for 1 steps", history_of(groups=b"null\nnull\n")),
    "history-columns": ("E62", "the shape is (0,) instead of (2,)", history_of(
        changed=[[0, 0, 0, 0, 1, 0, 0]])),
    "history-widths": ("E61", "instead of (1, 7) or (1, 9)", history_of(changed=[[0] * 8])),
    "history-lengths": ("E62", "columns of step 0 differ in length", history_of(rows=[1])),
    "history-table": ("E63", "/history/0/patch", history_of(
        changed=[[0, 0, 1, 0, 0, 0, 0]], patch=[0, 9])),
    "history-sources": ("E63", "3 sources recorded", history_of(sources=[3])),
}  # fmt: skip


def big(file: h5py.File) -> None:
    """More of the same patches, so that arrays are in chunks."""
    for node, plan in (("label_map", "label_map"), ("pixels", "pixels")):
        values = file[f"sources/0/{node}"][()]
        values = np.repeat(np.repeat(values, 90, axis=0), 120, axis=1)  # (720, 720, …)
        put(file, f"/sources/0/{node}", values, SOURCE_ARRAYS[plan])
    for node in ("sources/0/home_box", "elements/home_box", "elements/box"):
        put(file, f"/{node}", file[node][()] * [120, 90, 120, 90], HOME_BOX)
    file.attrs["canvas"] = np.array([720, 720])


def unsealed_array(file: h5py.File) -> None:
    del file["elements/box"].attrs["crc32"]


# name: (rule, what the reader says, the change to the minimal file, which stays sealed)
SEALED: dict[str, tuple[str, str, Callable[[h5py.File], None]]] = {
    "contiguous": ("E04", "the values are not in chunks", recreate(
        "sources/0/pixels", data=np.zeros((80, 60, 1), np.uint8))),
    "no-checksum": ("E04", "carry no checksum", recreate(
        "elements/box", chunks=(2, 4), compression=1)),
    "large-chunks": ("E05", "a chunk holds 518400 bytes, allowed are 262144", lambda file: (
        big(file), recreate("sources/0/pixels", chunks=(720, 720, 1), compression=9,
                            fletcher32=True)(file))),
    "unsealed-array": ("E13", "a checksum does not fit", unsealed_array),
    "moved-array": ("E13", "a checksum does not fit", lambda file: (
        file["elements"].move("patch", "p"), file["elements"].move("id", "patch"),
        file["elements"].move("p", "id"))),
}  # fmt: skip


def truncated(data: bytes) -> bytes:
    return data[: len(data) * 2 // 3]


def flipped_bit(data: bytes) -> bytes:
    """One bit of the pixels."""
    at = whole_at(data, "sources/0/pixels") + 5
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def whole_at(data: bytes, node: str) -> int:
    """Where the values of an array that is in no chunks begin."""
    with h5py.File.in_memory(data) as file:
        return int(file[node].id.get_offset())


def swapped_chunks(_: bytes) -> bytes:
    """Two chunks of a label map, exchanged in their index, which HDF5 1.8 has no checksum for."""
    labels = np.repeat(np.repeat([[0, 1], [2, 3]], 256, axis=0), 256, axis=1)
    data = dump(ElementSet.from_source(Source.from_label_map(labels)))
    with h5py.File.in_memory(data) as file:
        places = [file["sources/0/label_map"].id.get_chunk_info(n).byte_offset for n in (0, 3)]
    one, other = (place.to_bytes(8, "little") for place in places)
    return data.replace(one, b"x" * 8).replace(other, one).replace(b"x" * 8, other)


# name: (rule, what the reader says, the bytes made of those of the minimal file)
REWRITTEN: dict[str, tuple[str, str, Callable[[bytes], bytes]]] = {
    "empty": ("E01", "the file is empty", lambda _: b""),
    "text": ("E01", "not an HDF5 file", lambda _: b"An element file is made by `eie decompose`.\n"),
    "user-block": ("E01", "not an HDF5 file", lambda data: bytes(512) + data),
    "truncated": ("E12", "truncated", truncated),
    "flipped-bit": ("E12", "/sources/0/pixels", flipped_bit),
    "swapped-chunks": ("E13", "the index of its chunks is damaged", swapped_chunks),
}
