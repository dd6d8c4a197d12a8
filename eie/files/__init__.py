"""Element files, photos and streams: everything that crosses the program's border.

    element_file, schema, history, values, lazy_pixels   element sets ⇔ nodes of an element file
    hdf5, chunks                                         what may be read of a file from a stranger
    inspection                                           what is in a file, and whether it is sound
    photo_reading, kinds, pillow_quirks                  pictures of all kinds ⇒ pixels of 8 bits
    metadata, exif, colours, png_chunks                  what pictures say besides
    photo_writing, photo                                 photos ⇒ PNG, JPEG, WebP, TIFF
    masks, labels                                        pictures that mark something; label maps
    folders, stores, streams                             where files are: folders, stores, pipes
    atomic                                               whole files or none, one at a time
    run_folders                                          what folders of runs say of themselves

Element files need h5py, which is imported when one of their names is asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from eie.files.atomic import write_atomically
from eie.files.photo import Photo
from eie.files.photo_reading import read_photo
from eie.files.photo_writing import encode_photo, photo_format, write_photo
from eie.files.streams import read_input, write_output

if TYPE_CHECKING:
    from eie.files.element_file import dump, load, save
    from eie.files.lazy_pixels import StoredPixels

__all__ = [
    "Photo",
    "StoredPixels",
    "dump",
    "encode_photo",
    "load",
    "photo_format",
    "read_input",
    "read_photo",
    "save",
    "write_atomically",
    "write_output",
    "write_photo",
]


def __getattr__(name: str) -> Any:
    if name in ("dump", "load", "save"):
        return getattr(import_module("eie.files.element_file"), name)
    if name == "StoredPixels":
        return import_module("eie.files.lazy_pixels").StoredPixels
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
