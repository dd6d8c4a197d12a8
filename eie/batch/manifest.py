"""The manifest of an output folder: what became of each input, a line of JSON each.

It is how a run goes on that was stopped: what is recorded as done with the same key, and still has
the recorded content, is not done again. Lines are added as work goes on, so that a killed run loses
no more than what it was at; at the end they are written anew, one an input, in the inputs' order.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePath
from typing import Any

from eie.batch.inputs import Shard
from eie.errors import BadInputError, EieError, ResourceError
from eie.files.atomic import write_atomically
from eie.files.stores import AnyPath, StoredPath

DONE, FAILED = "done", "failed"

_MANIFEST = re.compile(r"manifest.*\.jsonl")

_PAUSE = 5.0
"""Seconds at least between two writings of a manifest in a store."""


@dataclass(frozen=True)
class Record:
    """What became of an input.

    Attributes:
        input: its path, as given.
        item: its path in the run, which tells it apart from others.
        state: "done" or "failed".
        reason: why it failed; None for what is done.
        code: the exit code of that; 0 for what is done.
        key: SHA-256 in hex of all that the outputs depend on; "" for what failed.
        outputs: the SHA-256 in hex of each output, by its path below the output folder.
    """

    input: str
    item: str
    state: str
    reason: str | None = None
    code: int = 0
    key: str = ""
    outputs: Mapping[str, str] = field(default_factory=dict)

    @property
    def line(self) -> bytes:
        return json.dumps(asdict(self), ensure_ascii=True).encode() + b"\n"


def manifest_of(folder: AnyPath, shard: Shard) -> AnyPath:
    """The manifest of a run: each shard, which may run on another machine, has its own."""
    if shard.count == 1:
        return folder / "manifest.jsonl"
    return folder / f"manifest-{shard.index}-of-{shard.count}.jsonl"


def read_records(folder: AnyPath, own: AnyPath) -> dict[str, Record]:
    """The latest records of all manifests of a folder, by item; those of `own` go before others."""
    records: dict[str, Record] = {}
    names = sorted(path.name for path in _files(folder) if _MANIFEST.fullmatch(path.name))
    for name in sorted(names, key=lambda name: name == own.name):
        for record in _records(folder / name):
            if name == own.name or record.state == DONE or record.item not in records:
                records[record.item] = record
    return records


def _files(folder: AnyPath) -> Iterable[PurePath]:
    if isinstance(folder, StoredPath):
        return folder.files() if folder.is_dir() else []
    return [path for path in folder.iterdir() if path.is_file()]


def _records(path: AnyPath) -> Iterator[Record]:
    """What a manifest holds; lines that a killed run has not ended are passed over."""
    for line in path.read_bytes().splitlines():
        try:
            record = Record(**json.loads(line))
            if isinstance(record.item, str) and isinstance(record.outputs, dict):
                yield record
        except (ValueError, TypeError):
            continue


class Journal:
    """A manifest that records are added to as work goes on.

    On this machine each is on the disk when :meth:`add` returns. A store has no files that grow:
    there the manifest is written anew every few seconds, and what a killed run had not told is
    done again. What does not fit on a full disk is kept, and tried again with the next record.
    """

    def __init__(self, manifest: AnyPath) -> None:
        self._manifest = manifest
        self._records: dict[str, Record] = {}
        self._left = b""
        self._put_at = time.monotonic()
        self._pause = _PAUSE
        if isinstance(manifest, StoredPath) and not manifest.is_file():
            return
        for record in _records(manifest):
            self._records[record.item] = record
        self._left = b"" if manifest.read_bytes()[-1:] in (b"", b"\n") else b"\n"

    def add(self, record: Record) -> None:
        """Record what became of an input."""
        self._records[record.item] = record
        self._left += record.line
        with suppress(OSError, EieError):  # told at the end, if it is not better by then
            if isinstance(self._manifest, Path):
                _append(self._manifest, self._left)
                self._left = b""
            elif time.monotonic() - self._put_at >= self._pause:
                start = time.monotonic()
                self._write([])
                self._put_at = time.monotonic()
                self._pause = max(_PAUSE, 20 * (self._put_at - start))

    def finish(self, order: Iterable[str]) -> None:
        """Write all anew: one line an input, those of this run first and in its order.

        Raises:
            ResourceError: it cannot be written, and records are missing in it.
        """
        try:
            self._write(order)
        except ResourceError as error:
            if self._left:
                raise ResourceError(
                    f"{error.message}; what was done last is not recorded",
                    where=str(self._manifest),
                    hint="the same command does it again",
                ) from error

    def _write(self, order: Iterable[str]) -> None:
        first = dict.fromkeys(item for item in order if item in self._records)
        with write_atomically(self._manifest, alone=True) as handle:
            for item in [*first, *(item for item in self._records if item not in first)]:
                handle.write(self._records[item].line)
        self._left = b""


def _append(path: Path, lines: bytes) -> None:
    """Add to a file, for good: all or nothing."""
    with path.open("ab", buffering=0) as handle:
        end = handle.tell()
        try:
            left = memoryview(lines)
            while left:
                left = left[handle.write(left) :]
            os.fsync(handle.fileno())
        except OSError:
            handle.truncate(end)
            raise


def key_of(*parts: Any) -> str:
    """SHA-256 in hex of JSON values."""
    return sha256(json.dumps(parts, sort_keys=True).encode())


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def content_hash(path: AnyPath) -> str | None:
    """SHA-256 in hex of a file, or of all files of a folder; None if it cannot be read."""
    try:
        if isinstance(path, StoredPath):
            return sha256(path.read_bytes())
        if path.is_dir():
            files = sorted(each for each in path.rglob("*") if each.is_file())
            return key_of(
                [(each.relative_to(path).as_posix(), content_hash(each)) for each in files]
            )
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError, BadInputError):
        return None
