"""Element files, photos and streams: everything that crosses the program's border."""

from eie.files.atomic import write_atomically
from eie.files.element_file import dump, load, save
from eie.files.pixels import StoredPixels

__all__ = ["StoredPixels", "dump", "load", "save", "write_atomically"]
