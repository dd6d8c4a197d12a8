"""The arrays of an element file, version 1.1: `formats/element-file.md` in code."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from eie.elements import CANDIDATES, MAX_ELEMENTS
from eie.files.hdf5 import Array
from eie.files.photo import MAX_PIXELS

FORMAT = "editable-image-elements"
VERSION = (1, 1)

MAX_SOURCES = 1024
MAX_STEPS = 1 << 17
MAX_HISTORY_ROWS = 1 << 23
MAX_TEXT = 1 << 23
"""Most bytes of an ICC profile, an EXIF block, the groups or the recorded operations."""

MAX_MATRIX = 1 << 26
"""Most values of an affinity (8192 patches) or of embeddings."""

U8, U16, I32 = np.dtype("u1"), np.dtype("<u2"), np.dtype("<i4")
F16, F32, F64 = np.dtype("<f2"), np.dtype("<f4"), np.dtype("<f8")

BYTES_ATTRIBUTE = "bytes"
"""Attribute of /: the size of the file, as long as no other program writes it anew."""

AFFINITY_STEPS = 255
"""What an affinity of 1 is in a file."""

BYTES = Array(U8, (None,), MAX_TEXT)
HOME_BOX = Array(F64, (None, 4), 4 * MAX_ELEMENTS)

SOURCE_ARRAYS: dict[str, Array] = {
    "label_map": Array(U16, (None, None), MAX_PIXELS, tiled=True, level=1),
    "home_box": HOME_BOX,
    "pixels": Array(U8, (None, None, None), 4 * MAX_PIXELS, tiled=True, level=1),
    "affinity": Array(U8, (None, None), MAX_MATRIX, tiled=True, level=1, older=F16),
    "object_chances": Array(U8, (None, None), CANDIDATES * MAX_MATRIX),
    "object_scores": Array(F32, (CANDIDATES, None), CANDIDATES * MAX_ELEMENTS, older=F16),
    "embeddings": Array(F32, (None, None), MAX_MATRIX, level=1),
    "icc": BYTES,
    "exif": BYTES,
}
"""/sources/K; label_map and home_box are always there."""

COLUMNS = {
    "id": Array(I32, (None,), MAX_ELEMENTS),
    "source": Array(I32, (None,), MAX_ELEMENTS),
    "patch": Array(I32, (None,), MAX_ELEMENTS),
    "box": Array(F64, (None, 4), 4 * MAX_ELEMENTS),
    "z": Array(I32, (None,), MAX_ELEMENTS),
    "visible": Array(U8, (None,), MAX_ELEMENTS),
    "flip": Array(U8, (None, 2), 2 * MAX_ELEMENTS),
    "angle": Array(F64, (None,), MAX_ELEMENTS),
    "shear": Array(F64, (None,), MAX_ELEMENTS),
}
"""The columns of the element table, in the order that /history/changed uses."""

TURNS = ("angle", "shear")
"""The columns that a file has only if something is turned; the last ones."""

ELEMENT_ARRAYS = {**COLUMNS, "home_box": HOME_BOX}
"""/elements; all but :data:`TURNS` are always there."""

STEPS = Array(I32, (None,), MAX_STEPS)

HISTORY_ARRAYS = {
    "operations": BYTES,
    "sources": STEPS,
    "rows": STEPS,
    "groups": BYTES,
    "changed": Array(U8, (None, None), MAX_STEPS * len(COLUMNS)),
    # The columns of all steps, one after the other.
    **{
        name: replace(column, limit=MAX_HISTORY_ROWS * (column.limit // MAX_ELEMENTS))
        for name, column in COLUMNS.items()
    },
}
"""/history, and /undone; all but :data:`TURNS` are there if it is."""
