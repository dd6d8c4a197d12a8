#!/bin/sh
# A transaction of fsspec on local files is no atomic write: what is written goes to the system's folder for
# temporary files, not beside its target, and is moved from there. Where that is another file system, as
# /tmp often is, the move is a copy, and who reads meanwhile, or finds what a kill or a full disk left,
# has a part of the file.
# Seen with fsspec 2026.9.0: of a file of 400 MB, dozens of shorter ones while it was moved.
set -eu
folder=$(mktemp -d -p "$HOME")
other=$(mktemp -d -p /dev/shm)
trap 'rm -rf "$folder" "$other"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet 'fsspec==2026.9.0'
cd "$folder"
TMPDIR=$other "$folder/venv/bin/python" - <<'PYTHON'
import os
import tempfile
import threading

import fsspec

SIZE = 400 << 20
target = os.path.abspath("target")
seen = set()
done = threading.Event()


def watch():
    while not done.is_set():
        if os.path.exists(target):
            seen.add(os.path.getsize(target))


watcher = threading.Thread(target=watch)
watcher.start()
system = fsspec.filesystem("file")
with system.transaction:
    with system.open(target, "wb") as file:
        file.write(bytes(SIZE))
        temporary = file.temp
done.set()
watcher.join()
parts = sorted(size for size in seen if 0 < size < SIZE)
print("written to", os.path.dirname(temporary) == tempfile.gettempdir() and "the temporary folder")
print(len(parts), "parts were seen, as", parts[:1], "bytes")
assert os.path.dirname(temporary) == tempfile.gettempdir() != os.path.dirname(target)
assert parts
PYTHON
echo "as described"
