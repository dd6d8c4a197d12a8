"""HDF5 from strangers: every node is looked at before it is read, every byte carries a checksum.

An HDF5 file can point into other files (external and soft links, external storage, virtual
datasets), call filters that are plugins, and declare arrays far larger than itself. A
:class:`SafeGroup` hands out none of it: only hard links to arrays of the expected type and size,
under the three filters that the element file uses.

Files are written in the format of HDF5 1.8, which every reader of HDF5 knows. It has no checksum
for the index of an array's chunks, nor for values that are in no chunks: an attribute of each array
has one of them. Other programs may store an array otherwise; then damage does not show.
"""

from eie.files.hdf5.creation import create, image, new_dataset, seal, tiles, write_array, write_text
from eie.files.hdf5.safe_group import SafeGroup, open_bytes, open_path, read_text, reading, refuse
from eie.files.hdf5.storage import CHECKSUM, FILTERS, Array, Packing

__all__ = [
    "CHECKSUM",
    "FILTERS",
    "Array",
    "Packing",
    "SafeGroup",
    "create",
    "image",
    "new_dataset",
    "open_bytes",
    "open_path",
    "read_text",
    "reading",
    "refuse",
    "seal",
    "tiles",
    "write_array",
    "write_text",
]
