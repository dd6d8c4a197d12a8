"""The manifest of an output folder: what became of each input, a line of JSON each.

It is how a run goes on that was stopped: what is recorded as done with the same key, and still has
the recorded content, is not done again. Lines are added as work goes on, so that a killed run loses
no more than what it was at; at the end they are written anew, one an input, in the inputs' order.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from eie.batch.inputs import Shard
from eie.files.atomic import write_atomically

DONE, FAILED = "done", "failed"


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


def manifest_of(folder: Path, shard: Shard) -> Path:
    """The manifest of a run: each shard, which may run on another machine, has its own."""
    if shard.count == 1:
        return folder / "manifest.jsonl"
    return folder / f"manifest-{shard.index}-of-{shard.count}.jsonl"


def read_records(folder: Path, own: Path) -> dict[str, Record]:
    """The latest records of all manifests of a folder, by item; those of `own` go before others."""
    records: dict[str, Record] = {}
    others = sorted(path for path in folder.glob("manifest*.jsonl") if path != own)
    for path in [*others, *([own] if own.is_file() else [])]:
        for record in _records(path):
            if path == own or record.state == DONE or record.item not in records:
                records[record.item] = record
    return records


def own_records(manifest: Path) -> dict[str, Record]:
    """The latest records of one manifest, by item."""
    return {record.item: record for record in _records(manifest)} if manifest.is_file() else {}


def _records(path: Path) -> Iterator[Record]:
    """What a manifest holds; lines that a killed run has not ended are passed over."""
    for line in path.read_bytes().splitlines():
        try:
            record = Record(**json.loads(line))
            if isinstance(record.item, str) and isinstance(record.outputs, dict):
                yield record
        except (ValueError, TypeError):
            continue


@contextmanager
def appended(manifest: Path) -> Iterator[BinaryIO]:
    """A manifest opened so that what is added begins a line."""
    with manifest.open("a+b") as handle:
        if handle.tell():
            handle.seek(-1, os.SEEK_END)
            if handle.read(1) != b"\n":
                handle.write(b"\n")
        yield handle


def add(handle: BinaryIO, record: Record) -> None:
    """Record what became of an input, for good."""
    handle.write(record.line)
    handle.flush()
    os.fsync(handle.fileno())


def rewrite(manifest: Path, order: Iterable[str]) -> None:
    """Write a manifest anew: one line an input, those of this run first and in its order."""
    records = own_records(manifest)
    first = dict.fromkeys(item for item in order if item in records)
    with write_atomically(manifest, alone=True) as handle:
        for item in [*first, *(item for item in records if item not in first)]:
            handle.write(records[item].line)


def key_of(*parts: Any) -> str:
    """SHA-256 in hex of JSON values."""
    return sha256(json.dumps(parts, sort_keys=True).encode())


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def content_hash(path: Path) -> str | None:
    """SHA-256 in hex of a file, or of all files of a folder; None if it cannot be read."""
    try:
        if path.is_dir():
            files = sorted(each for each in path.rglob("*") if each.is_file())
            return key_of(
                [(each.relative_to(path).as_posix(), content_hash(each)) for each in files]
            )
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError):
        return None
