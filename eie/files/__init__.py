"""Element files, photos and streams: everything that crosses the program's border."""

from eie.files.atomic import write_atomically
from eie.files.element_file import dump, load, save
from eie.files.images import Photo, encode_photo, photo_format, read_photo, write_photo
from eie.files.pixels import StoredPixels
from eie.files.streams import read_input, write_output

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
