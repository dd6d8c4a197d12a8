"""The element set: the one value that every stage takes and gives.

    photo ⇒ decompose ⇒ ElementSet ⇒ encode ⇒ ElementSet ⇒ edit ⇒ ElementSet ⇒ render ⇒ photo

An :class:`ElementSet` holds one or more *sources* (a photo cut into patches by its label map) and a
*table* of elements. An element shows one patch of one source in a box on the canvas; editing
changes the table and never what a source shows, so every edit can be taken back; a mask may part
patches (:mod:`eie.editing.parting`). Everything here is an immutable value: operations return a
changed copy (`dataclasses.replace`).

Boxes are (cx, cy, w, h) in pixels; :mod:`eie.geometry` states the coordinate frame, and how boxes
are turned.
"""

from eie.elements.element_set import Canvas, Edit, ElementSet, Groups
from eie.elements.element_table import MAX_ELEMENTS, STATE, ElementTable
from eie.elements.source import (
    CANDIDATES,
    SHARPNESS,
    SURE,
    Embeddings,
    ObjectMasks,
    Pixels,
    Source,
)
from eie.elements.validation import validate

__all__ = [
    "CANDIDATES",
    "MAX_ELEMENTS",
    "SHARPNESS",
    "STATE",
    "SURE",
    "Canvas",
    "Edit",
    "ElementSet",
    "ElementTable",
    "Embeddings",
    "Groups",
    "ObjectMasks",
    "Pixels",
    "Source",
    "validate",
]
