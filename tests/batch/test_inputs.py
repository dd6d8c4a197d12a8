"""What names stand for: files, folders, patterns; clashes and shards."""

from __future__ import annotations

from pathlib import Path

import pytest

from eie.batch import Item, Shard, is_several, items_of
from eie.batch.inputs import refuse_clashes
from eie.errors import BadInputError, UsageError
from eie.files.stores import StoredPath

SUFFIXES = (".jpg", ".png")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("a.jpg", "b.JPG", ".c.jpg", "a.gt0.png", "n.txt", "x/a.jpg", "x/y/d.png"):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def relative(names: list[str], **options: object) -> list[str]:
    return [item.relative.as_posix() for item in items_of(names, SUFFIXES, **options)]


def test_folders_and_patterns_keep_paths_below_them(folder: Path) -> None:
    assert relative(["photos"]) == ["a.jpg", "b.JPG"]
    everything = ["a.jpg", "b.JPG", "x/a.jpg", "x/y/d.png"]
    assert relative(["photos"], recursive=True) == everything
    assert sorted(relative(["photos/**/*"])) == everything
    assert relative(["photos/x/**/*.png"]) == ["y/d.png"]
    assert relative(["photos/x/a.jpg", "photos/a.jpg"]) == ["a.jpg", "a.jpg"]
    assert relative(["photos/a.jpg", "photos"]) == ["a.jpg", "b.JPG"]
    assert relative(["gone.jpg"]) == ["gone.jpg"]


def test_the_output_folder_is_no_input(folder: Path) -> None:
    assert relative(["photos"], recursive=True, without=Path("photos/x")) == ["a.jpg", "b.JPG"]
    assert relative(["photos/**/*.jpg"], without=Path("photos/x")) == ["a.jpg"]
    assert relative(["photos/*.jpg"], without=Path("photos")) == ["a.jpg"]
    assert relative(["photos/x"], without=Path("photos/x")) == ["a.jpg"]


def test_a_name_with_brackets_is_a_file_if_there_is_one(folder: Path) -> None:
    (folder / "a[1].jpg").touch()
    assert relative(["a[1].jpg"]) == ["a[1].jpg"]
    assert not is_several(["a[1].jpg"])
    assert is_several(["b[1].jpg"])
    assert is_several(["photos"])


def test_what_finds_nothing_is_refused(folder: Path) -> None:
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "deep" / "er" / "a.jpg").touch()
    with pytest.raises(BadInputError, match="folders in it do: use --recursive"):
        items_of(["deep"], SUFFIXES)
    with pytest.raises(BadInputError, match=r"photos/\*\.gif: the pattern finds no file"):
        items_of(["photos/*.gif"], SUFFIXES)


def test_two_inputs_of_one_output_are_refused() -> None:
    items = [Item(Path("x/a.jpg"), Path("a.jpg")), Item(Path("y/a.png"), Path("a.png"))]
    with pytest.raises(UsageError, match=r"x/a.jpg and y/a.png would both become out/a.h5"):
        refuse_clashes(items, lambda item: [item.relative.with_suffix(".h5")], Path("out"))
    with pytest.raises(UsageError, match=r"x/a.jpg would be written over an input"):
        refuse_clashes(items[:1], lambda item: [item.relative], Path("x"))


def test_shards_are_all_and_apart() -> None:
    items = [Item(Path(str(n)), Path(str(n))) for n in range(10)]
    parts = [Shard.parse(f"{k}/3").of(items) for k in (1, 2, 3)]
    assert sorted((item for part in parts for item in part), key=items.index) == items
    for text in ("0/3", "4/3", "3", "a/b", "1/2/3", "-1/3"):
        with pytest.raises(UsageError, match="shard"):
            Shard.parse(text)


def test_stores_are_searched_as_folders_are(folder: Path) -> None:
    box = f"local://{folder.as_posix()}"
    photos = f"{box}/photos"
    assert relative([photos]) == ["a.jpg", "b.JPG"]
    assert relative([f"{photos}/"], recursive=True) == relative(["photos"], recursive=True)
    assert relative([f"{photos}/**/*.jpg"]) == ["a.jpg", "x/a.jpg"]
    assert relative([f"{photos}/x/a.jpg"]) == ["a.jpg"]
    without = StoredPath(f"{photos}/x")
    assert relative([photos], recursive=True, without=without) == ["a.jpg", "b.JPG"]
    assert relative([f"{photos}/**/*.jpg"], without=without) == ["a.jpg"]
    assert relative([f"{photos}/x"], without=without) == ["a.jpg"]
    assert [str(item.path) for item in items_of([f"{photos}/*.jpg"], SUFFIXES)] == [
        f"{photos}/a.jpg"
    ]
    assert relative([f"file://{folder.as_posix()}/photos"]) == ["a.jpg", "b.JPG"]
    assert is_several([f"{photos}/a.jpg"])
    with pytest.raises(BadInputError, match=r"local://.*folders in it do: use --recursive"):
        (folder / "deep" / "er").mkdir(parents=True)
        (folder / "deep" / "er" / "a.jpg").touch()
        items_of([f"{box}/deep"], SUFFIXES)
    items = items_of([photos], SUFFIXES)
    with pytest.raises(UsageError, match=r"a.jpg would be written over an input"):
        refuse_clashes(items, lambda item: [item.relative], StoredPath(photos))
