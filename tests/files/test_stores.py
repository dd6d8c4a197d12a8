"""Files of stores: what is read, listed and written as on this machine, and what fails plainly."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import fsspec
import pytest

import eie
from eie.elements import Canvas
from eie.errors import BadInputError, MissingModelError, ResourceError, UsageError
from eie.files.atomic import check_folder, write_atomically
from eie.files.masks import read_mask
from eie.files.stores import StoredPath, in_folder, path_of
from eie.files.streams import open_input

ROCKET = Path(__file__).parents[2] / "examples" / "rocket.jpg"


@pytest.fixture(params=["memory", "local"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StoredPath]:
    """A folder in a store whose files appear at once, and in one whose files grow."""
    if request.param == "local":
        yield StoredPath(f"local://{tmp_path.as_posix()}/box")
        return
    yield StoredPath("memory://box")
    fsspec.filesystem("memory").rm("/box", recursive=True)


def fill(store: StoredPath, *names: str) -> None:
    for name in names:
        (store / name).write_bytes(name.encode())


def test_what_is_written_is_read_and_listed(store: StoredPath) -> None:
    fill(store, "a/b.txt", "a/c/d.txt", "a/a.txt", "e.png")
    assert (store / "a" / "b.txt").read_bytes() == b"a/b.txt"
    assert [str(p) for p in (store / "a").files()] == ["a.txt", "b.txt"]
    assert [str(p) for p in store.files(recursive=True)] == [
        "e.png", "a/a.txt", "a/b.txt", "a/c/d.txt",
    ]  # fmt: skip
    assert [str(p) for p in store.glob("**/*.txt")] == ["a/a.txt", "a/b.txt", "a/c/d.txt"]
    assert [str(p) for p in store.glob("*/b.*")] == ["a/b.txt"]
    assert (store.is_dir(), (store / "a").is_dir(), (store / "e.png").is_dir()) == (1, 1, 0)
    assert ((store / "e.png").is_file(), (store / "f.png").is_file()) == (True, False)
    (store / "e.png").unlink()
    (store / "e.png").unlink(missing_ok=True)
    assert not (store / "e.png").is_file()


def test_a_file_appears_whole_or_not_at_all(
    store: StoredPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = store / "a.txt"
    target.write_bytes(b"old")
    with pytest.raises(KeyError), write_atomically(target) as handle:
        handle.write(b"half of")
        raise KeyError("x")
    assert target.read_bytes() == b"old"
    with write_atomically(target) as handle:
        handle.write(b"new")
    assert target.read_bytes() == b"new"
    assert [str(name) for name in store.files()] == ["a.txt"]


def test_a_full_disk_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fsspec.implementations.local import LocalFileSystem

    def full(self: object, path: str, content: bytes, **_: object) -> None:
        Path(path).write_bytes(content[:2])
        raise OSError(28, "No space left on device")

    target = StoredPath(f"local://{tmp_path.as_posix()}/a.txt")
    target.write_bytes(b"old")
    monkeypatch.setattr(LocalFileSystem, "pipe_file", full)
    with pytest.raises(ResourceError, match=r"a.txt: cannot be written: No space left"):
        target.write_bytes(b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    assert target.read_bytes() == b"old"


def test_names_of_this_machine_are_paths() -> None:
    assert path_of("file:///a/b c.png") == Path("/a/b c.png")
    assert path_of("file:///C:/a.png") == Path("C:/a.png")
    assert path_of("a/b.png") == Path("a/b.png")
    assert path_of("C:\\a.png") == Path("C:\\a.png")
    assert path_of("s3://box/a/") == StoredPath("s3://box/a")
    assert in_folder(Path("a"), "b") == Path("a/b")
    assert in_folder(StoredPath("s3://box"), "b") == StoredPath("s3://box/b")
    assert in_folder(Path("a"), "s3://box/b") == StoredPath("s3://box/b")


def test_parts_of_a_name() -> None:
    path = StoredPath("s3://box/a/b.PNG")
    assert (path.name, path.suffix, path.scheme) == ("b.PNG", ".PNG", "s3")
    assert path.parent == StoredPath("s3://box/a")
    assert path.parent.parent.parent == StoredPath("s3://box")


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: StoredPath("memory://x/gone").read_bytes(), BadInputError, "No such file"),
        (lambda: open_input("memory://x/gone"), BadInputError, "x/gone: cannot be read: No such"),
        (lambda: check_folder(path_of("nowhere://x")), UsageError, "no such store: Protocol"),
        (lambda: StoredPath("s3://x/a").read_bytes(), MissingModelError, "Install s3fs"),
    ],
)
def test_what_fails_is_named(
    call: Callable[[], object],
    kind: type[Exception],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(kind, match=message):
        call()


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(MissingModelError, match=r"s3:// needs fsspec.*eie\[remote\]"):
        StoredPath("s3://x/a").read_bytes()


def test_photos_masks_and_element_files_are_read_from_stores(store: StoredPath) -> None:
    elements = eie.decompose(ROCKET, segmenter="slic", elements=16)
    eie.save(elements, str(store / "e.h5"))
    assert len(eie.load(str(store / "e.h5"))) == len(elements)
    (store / "rocket.jpg").write_bytes(ROCKET.read_bytes())
    again = eie.decompose(str(store / "rocket.jpg"), segmenter="slic", elements=16)
    assert eie.dump(again) == eie.dump(elements)
    from io import BytesIO

    from PIL import Image

    mask = Image.new("L", (8, 4))
    mask.paste(255, (0, 0, 4, 4))
    content = BytesIO()
    mask.save(content, "PNG")
    (store / "m.png").write_bytes(content.getvalue())
    assert read_mask(store / "m.png", Canvas(4, 8)).sum() == 16
