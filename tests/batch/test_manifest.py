"""The record of a run, on a disk and in a store, and what a full disk does to it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from eie.batch import Shard, manifest
from eie.batch.manifest import DONE, FAILED, Journal, Record, manifest_of, read_records
from eie.errors import ResourceError
from eie.files.stores import AnyPath, StoredPath


@pytest.fixture(params=["disk", "store"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AnyPath]:
    if request.param == "disk":
        yield tmp_path
        return
    yield StoredPath("memory://out")
    fsspec.filesystem("memory").store.clear()


def record(item: str, state: str = DONE) -> Record:
    return Record(f"photos/{item}", item, state, key="k", outputs={item: "h"})


def opened(path: AnyPath) -> Journal:
    if isinstance(path, Path):
        path.touch()
    return Journal(path)


def items(path: AnyPath) -> list[str]:
    return [json.loads(line)["item"] for line in path.read_bytes().splitlines()]


def test_records_of_all_manifests_are_found_and_the_order_is_the_inputs(folder: AnyPath) -> None:
    own, other = manifest_of(folder, Shard()), manifest_of(folder, Shard(2, 3))
    journal = opened(own)
    for each in (record("b"), record("a", FAILED), record("a"), record("c")):
        journal.add(each)
    journal.finish(["a", "b"])
    assert items(own) == ["a", "b", "c"]
    journal = opened(other)
    journal.add(record("c", FAILED))
    journal.add(record("d"))
    journal.finish(["c", "d"])
    found = read_records(folder, own)
    assert {item: each.state for item, each in found.items()} == dict.fromkeys("abcd", DONE)
    assert read_records(folder, other)["c"].state == FAILED


def test_half_a_line_is_passed_over_and_ended(tmp_path: Path) -> None:
    own = tmp_path / "manifest.jsonl"
    own.write_bytes(record("a").line + b'{"input": "ha')
    Journal(own).add(record("b"))
    assert list(read_records(tmp_path, own)) == ["a", "b"]


def test_a_store_is_written_to_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    own = StoredPath("memory://now/manifest.jsonl")
    journal = Journal(own)
    journal.add(record("a"))
    assert not own.is_file()
    monkeypatch.setattr(journal, "_pause", 0.0)
    journal.add(record("b"))
    assert items(own) == ["a", "b"]
    journal.add(record("c"))
    assert items(own) == ["a", "b"]
    journal.finish([])
    assert items(own) == ["a", "b", "c"]
    fsspec.filesystem("memory").store.clear()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is full")
def test_what_does_not_fit_is_added_when_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "manifest.jsonl"
    own.touch()
    journal = Journal(own)
    journal.add(record("a"))
    append = manifest._append
    monkeypatch.setattr(manifest, "_append", lambda _, lines: append(Path("/dev/full"), lines))
    journal.add(record("b"))
    assert items(own) == ["a"]
    monkeypatch.setattr(manifest, "_append", append)
    journal.add(record("c"))
    assert items(own) == ["a", "b", "c"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is full")
def test_what_never_fits_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "manifest.jsonl"
    own.touch()
    journal = Journal(own)
    monkeypatch.setattr(journal, "_manifest", Path("/dev/full"))
    journal.add(record("a"))
    with pytest.raises(ResourceError, match="No space left on device; what was done last"):
        journal.finish(["a"])
