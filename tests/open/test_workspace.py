"""No name leads out of the folder."""

from __future__ import annotations

import os

import pytest

from eie.open.failures import RefusedError
from eie.open.workspace import MOST_NAME, Workspace, id_of, plain_name

BAD = (
    "", " ", ".", "..", "../a.jpg", "/etc/passwd", "a/b.jpg", "a\\b.jpg", "C:a.jpg", ".hidden.jpg",
    "a\0.jpg", "a\n.jpg", "\x7f.jpg", " a.jpg", "a.jpg ", "/dev/stdin", "x" * (MOST_NAME + 1),
    "ä" * MOST_NAME, "~/a.jpg", "file:///etc/passwd",
)  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_names_that_lead_elsewhere_are_refused(name):
    with pytest.raises(RefusedError) as refused:
        plain_name(name)
    assert refused.value.status == 400


@pytest.mark.parametrize("name", ["a.jpg", "a b.jpg", "-a.jpg", "ä.h5", "a..b.jpg", "<b>.jpg", "~"])
def test_plain_names_are_taken(name):
    assert plain_name(name) == name


@pytest.fixture
def workspace(tmp_path):
    folder = tmp_path / "shown"
    folder.mkdir()
    return Workspace(folder.resolve())


def test_only_its_own_files_are_there(workspace, tmp_path):
    (tmp_path / "secret.jpg").write_bytes(b"x")
    folder = workspace.folder
    for name in ("a.jpg", "b.PNG", ".c.jpg", "d.txt", "e.h5"):
        (folder / name).write_bytes(b"x")
    (folder / "folder.jpg").mkdir()
    (folder / "out.jpg").symlink_to(tmp_path / "secret.jpg")
    (folder / "none.jpg").symlink_to(folder / "nothing")
    (folder / "round.jpg").symlink_to(folder / "round.jpg")
    (folder / "in.jpg").symlink_to(folder / "a.jpg")
    os.mkfifo(folder / "pipe.jpg")
    assert [path.name for path in workspace.photos()] == ["a.jpg", "b.PNG", "in.jpg"]
    assert [path.name for path in workspace.element_files()] == ["e.h5"]
    for name in ("out.jpg", "none.jpg", "folder.jpg", "pipe.jpg", "c.jpg", "round.jpg"):
        with pytest.raises(RefusedError) as refused:
            workspace.file(name)
        assert refused.value.status == 404, name
    assert workspace.file("in.jpg").name == "in.jpg"


def test_a_link_to_the_folder_itself_is_no_way_out(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.jpg").write_bytes(b"x")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    workspace = Workspace((tmp_path / "link").resolve())
    assert workspace.file("a.jpg").read_bytes() == b"x"


def test_names_that_are_no_text_are_passed_over(workspace):
    try:
        (workspace.folder / os.fsdecode(b"\xff.jpg")).write_bytes(b"x")
    except OSError:
        pytest.skip("this file system takes text only")
    assert workspace.photos() == []


def test_a_free_name_is_like_the_wanted_one(workspace):
    assert workspace.free("a.jpg").name == "a.jpg"
    (workspace.folder / "a.jpg").write_bytes(b"x")
    assert workspace.free("a.jpg").name == "a-2.jpg"
    (workspace.folder / "a-2.jpg").symlink_to("nothing")  # taken, too
    assert workspace.free("a.jpg").name == "a-3.jpg"


def test_a_document_has_the_same_id_after_a_restart():
    assert id_of("photo.h5") == "3940c1e3ab26ed13"
    assert id_of("photo.h5") != id_of("Photo.h5")
