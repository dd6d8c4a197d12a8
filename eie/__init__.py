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

__version__ = "0.1.0"

from pathlib import Path
from typing import BinaryIO

# The stages are packages of the same names as their functions. Importing a package binds its name
# here, so the functions are bound after it, for good; torch and h5py wait until a function runs.
from eie.decomposition import decompose
from eie.editing import edit, reset, undo
from eie.elements import ElementSet
from eie.encoding import encode
from eie.errors import EieError
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
