"""Make the sample element files: `python formats/samples/make.py [FOLDER]`.

`good/VERSION-NAME.h5` is written once per released version of the format and then kept, so that
later readers are tested against it; run this script only when the version changes. `bad/NAME.h5`
breaks one rule of `element-file.md` each; `bad/messages.json` says which, and what a reader says.
`rewritten/NAME.h5` are what other programs make of a file: read, with a note.

The photos are scikit-image's `chelsea` (the cat) and `rocket`, both CC0, scaled down.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import h5py
from bad import CHANGED, REWRITTEN, SEALED, change_file, sealed
from good import GOOD, edited, minimal

from eie.files import dump, hdf5
from eie.files.schema import VERSION

HERE = Path(__file__).parent


def anew(data: bytes, libver: str, **options: Any) -> bytes:
    """A file written anew, node by node, as copying programs do."""
    with h5py.File.in_memory(data) as old, h5py.File.in_memory(libver=libver) as new:
        new.attrs.update(old.attrs)

        def copy(name: str, node: h5py.Group | h5py.Dataset) -> None:
            if isinstance(node, h5py.Group):
                made: h5py.Group | h5py.Dataset = new.create_group(name)
            else:
                wanted = options if node.size else {}
                made = new.create_dataset(name, data=node[()], **wanted)
            for attribute, value in node.attrs.items():
                made.attrs[attribute] = value

        old.visititems(copy)
        return hdf5.image(new)


ANEW: dict[str, dict[str, Any]] = {
    "old-superblock": {"libver": "earliest", "chunks": True, "fletcher32": True},
    "contiguous": {"libver": "earliest"},
    "gzip": {"libver": "earliest", "chunks": True, "compression": "gzip"},
    "latest": {"libver": "latest", "chunks": True, "shuffle": True, "compression": 9},
}


def write_good(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in GOOD.items():
        path = folder / f"{VERSION[0]}.{VERSION[1]}-{name}.h5"
        path.write_bytes(dump(make()))


def write_bad(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    base = dump(minimal())
    for name, (_, _, rewrite) in REWRITTEN.items():
        (folder / f"{name}.h5").write_bytes(rewrite(base))
    for name, (_, _, change) in {**CHANGED, **SEALED}.items():
        path = folder / f"{name}.h5"
        path.write_bytes(base)
        if name in SEALED:
            sealed(change)(path)
        else:
            change_file(path, lambda file: file.attrs.pop("bytes"))
            change_file(path, change)
    messages = {
        f"{name}.h5": {"rule": rule, "message": message}
        for name, (rule, message, _) in sorted({**REWRITTEN, **CHANGED, **SEALED}.items())
    }
    (folder / "messages.json").write_text(json.dumps(messages, indent=2) + "\n")


def write_rewritten(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    data = dump(edited())
    for name, how in ANEW.items():
        (folder / f"{name}.h5").write_bytes(anew(data, **how))


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    write_good(target / "good")
    write_bad(target / "bad")
    write_rewritten(target / "rewritten")
