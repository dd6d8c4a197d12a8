"""Editable image elements: take a photo apart, change the elements, get a photo back.

    import eie
    from eie.editing import Delete, Move

    elements = eie.decompose("photo.jpg")                              # photo ⇒ ElementSet
    elements = eie.edit(elements, [Move("object@300,200", "+40,0")])   # numbers change, no pixels
    eie.render(elements).save("edited.png")                            # ElementSet ⇒ photo

An `ElementSet` is an immutable value: every function gives a new one. `eie.save` and `eie.load`
keep it in an element file, with all its edits; `eie.undo` takes them back. On the command line:

    eie decompose photo.jpg | eie edit --move object@300,200 +40,0 | eie render > edited.png

The method is Mu et al., "Editable Image Elements for Controllable Synthesis", ECCV 2024.
"""

from __future__ import annotations

__version__ = "0.1.0"

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from eie.errors import EieError

if TYPE_CHECKING:
    from eie.decomposition import decompose
    from eie.editing import edit, reset, undo
    from eie.elements import ElementSet
    from eie.encoding import encode
    from eie.rendering import render

__all__ = [
    "EieError",
    "ElementSet",
    "decompose",
    "dump",
    "edit",
    "encode",
    "load",
    "render",
    "reset",
    "save",
    "undo",
]


_HOMES = {
    "ElementSet": "eie.elements",
    "decompose": "eie.decomposition",
    "edit": "eie.editing",
    "encode": "eie.encoding",
    "render": "eie.rendering",
    "reset": "eie.editing",
    "undo": "eie.editing",
}
"""Where names are from that are imported when somebody asks for them: no command needs all, and
`python -m eie` sets what NumPy reads as it loads."""


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})


def load(source: Path | str | bytes | BinaryIO, *, origin: str | None = None) -> ElementSet:
    """Read an element file; its photos stay in the file until somebody asks for their pixels.

    Args:
        source: path, content, or open binary file.
        origin: name of the file in messages; known by itself when `source` has one.

    Raises:
        BadInputError: missing, damaged, foreign, unsafe or inconsistent; names the node.
    """
    from eie.files import element_file

    return element_file.load(source, origin=origin)


def save(elements: ElementSet, target: Path | str) -> None:
    """Write an element file, atomically; it may replace the one that the set was loaded from.

    Raises:
        BadInputError: the set is inconsistent.
        ResourceError: the place cannot be written, or the disk is full.
    """
    from eie.files import element_file

    element_file.save(elements, target)


def dump(elements: ElementSet) -> bytes:
    """The bytes of the element file of a set; the same set gives the same bytes.

    Raises:
        BadInputError: the set is inconsistent.
    """
    from eie.files import element_file

    return element_file.dump(elements)
