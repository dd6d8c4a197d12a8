"""What a reader finds in a file, as JSON: `python nodes.py READER FILE.h5`.

Each node by its path: shape, type and SHA-256 of the values (little-endian, C order), attributes as
text or as lists of integers. A node that cannot be read says why.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np


def plain(value: Any) -> Any:
    """An attribute as text or integers."""
    if isinstance(value, bytes):
        return value.rstrip(b"\0").decode()
    if isinstance(value, str):
        return value.rstrip("\0")
    array = np.asarray(value)
    if array.dtype.kind in "SU":
        return plain(array.item())
    return array.astype(np.int64).ravel().tolist()


def described(values: Any, attributes: dict[str, Any]) -> dict[str, Any]:
    values = np.asarray(values)
    data = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<")).tobytes()
    return {
        "shape": list(values.shape),
        "type": values.dtype.newbyteorder("<").str,
        "sha256": hashlib.sha256(data).hexdigest(),
        "attributes": {name: plain(value) for name, value in attributes.items()},
    }


def h5py_like(opened: Any) -> Iterator[tuple[str, Callable[[], dict[str, Any]]]]:
    """The nodes of a reader whose groups are mappings: h5py, pyfive."""
    yield "/", lambda: {"attributes": {n: plain(opened.attrs[n]) for n in opened.attrs}}
    waiting = [("", opened)]
    while waiting:
        path, group = waiting.pop()
        for name in group:
            node = group[name]
            if hasattr(node, "shape"):
                yield f"{path}/{name}", lambda node=node: described(node[...], dict(node.attrs))
            else:
                waiting.append((f"{path}/{name}", node))


def read_h5py(file: str) -> Iterator[tuple[str, Callable[[], dict[str, Any]]]]:
    import h5py

    return h5py_like(h5py.File(file))


def read_pyfive(file: str) -> Iterator[tuple[str, Callable[[], dict[str, Any]]]]:
    import pyfive

    return h5py_like(pyfive.File(file))


def netcdf_like(opened: Any, attributes: Callable[[Any], dict[str, Any]]) -> Iterator[Any]:
    """The nodes of a reader with groups and variables: h5netcdf, netCDF4."""
    yield "/", lambda: {"attributes": {n: plain(v) for n, v in attributes(opened).items()}}
    waiting = [("", opened)]
    while waiting:
        path, group = waiting.pop()
        for name, node in group.variables.items():
            yield (
                f"{path}/{name}",
                lambda node=node: described(np.ma.getdata(node[...]), attributes(node)),
            )
        waiting += [(f"{path}/{name}", node) for name, node in group.groups.items()]


def read_h5netcdf(file: str) -> Iterator[Any]:
    import h5netcdf

    return netcdf_like(h5netcdf.File(file, "r", phony_dims="sort"), lambda node: dict(node.attrs))


def read_xarray(file: str) -> Iterator[Any]:
    import xarray

    tree = xarray.open_datatree(
        file, engine="h5netcdf", phony_dims="sort", decode_cf=False, cache=False
    )
    yield "/", lambda: {"attributes": {n: plain(v) for n, v in tree.attrs.items()}}
    for group in tree.subtree:
        for name, node in group.data_vars.items():
            path = f"{group.path.rstrip('/')}/{name}"
            yield path, lambda node=node: described(node.values, node.attrs)


def read_netcdf4(file: str) -> Iterator[Any]:
    import netCDF4

    opened = netCDF4.Dataset(file)
    opened.set_auto_mask(False)
    return netcdf_like(opened, lambda node: {n: node.getncattr(n) for n in node.ncattrs()})


def read_pytables(file: str) -> Iterator[Any]:
    import tables

    opened = tables.open_file(file)

    def attributes(node: Any) -> dict[str, Any]:
        return {name: node._v_attrs[name] for name in node._v_attrs._f_list("all")}

    root = opened.root
    yield "/", lambda: {"attributes": {n: plain(v) for n, v in attributes(root).items()}}
    for node in opened.walk_nodes("/", "Array"):
        yield node._v_pathname, lambda node=node: described(node.read(), attributes(node))


READERS = {
    "h5py": read_h5py,
    "pyfive": read_pyfive,
    "h5netcdf": read_h5netcdf,
    "xarray": read_xarray,
    "netCDF4": read_netcdf4,
    "tables": read_pytables,
}


def main(reader: str, file: str) -> None:
    found = {}
    for path, read in READERS[reader](file):
        try:
            found[path] = read()
        except Exception as error:
            found[path] = {"error": f"{type(error).__name__}: {error}"}
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
