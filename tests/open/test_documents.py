"""Documents: what is told of them, edits, and their files."""

from __future__ import annotations

import shutil
import threading
from dataclasses import replace

import pytest
from PIL import Image

import eie
from eie.cli import main
from eie.editing import Move, script_of

from .conftest import EXAMPLES, move


def command(*words: str) -> None:
    with pytest.raises(SystemExit) as stop:
        main(list(words))
    assert stop.value.code == 0


def test_the_state_is_what_the_file_holds(document):
    state = document.edit(
        move("3,7", "+40,-2"),
        {"operation": "flip", "selection": "7", "direction": "h"},
        {"operation": "delete", "selection": "5"},
        {"operation": "group", "group": "cup", "selection": "3,7"},
    )
    elements = eie.load(document.path)
    assert state == document.get().json()
    assert state["canvas"] == {"width": 640, "height": 427}
    assert state["groups"] == {"cup": [3, 7]} == {k: list(v) for k, v in elements.groups.items()}
    table = elements.table
    for row, told in enumerate(state["elements"]):
        assert told["id"] == table.id[row]
        assert told["box"] == table.box[row].tolist()
        assert told["home"] == elements.home_box[row].tolist()
        assert told["visible"] == table.visible[row]
        assert [told["flip_x"], told["flip_y"]] == table.flip[row].tolist()
        assert told["z"] == table.z[row] and told["angle"] == table.angle[row]
    assert state["script"] == script_of(elements)
    first, second, *_ = state["history"]
    assert first == {**move("3,7", "+40,-2"), "text": "--move 3,7 +40,-2", "later": False}
    assert second["later"] is True
    assert state["has_objects"] is True
    assert (state["depth"], state["alpha"]) == (8, False)


def test_operations_of_one_edit_mean_the_picture_before_it(document):
    state = document.edit(move("@320,200", "+60,0"), move("@320,200", "+0,9"))
    [changed] = [e for e in state["elements"] if e["box"] != e["home"]]
    assert [round(a - b) for a, b in zip(changed["box"], changed["home"], strict=True)][:2] == [
        60,
        9,
    ]


def test_an_edit_is_all_or_nothing(document):
    before = document.path.read_bytes()
    answer = document.post("/edits", operations=[move("3"), move("99999")])
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert "there is no element 99999" in error["message"]
    assert "ids go from" in error["hint"]
    assert document.path.read_bytes() == before


def test_undo_redo_and_reset(document):
    home = document.get().json()
    moved = document.edit(move())
    undone = document.post("/undo").json()
    assert undone["elements"] == home["elements"]
    assert [entry["text"] for entry in undone["undone"]] == ["--move 3 +5,0"]
    assert undone["history"] == []
    redone = document.post("/redo").json()
    assert redone["elements"] == moved["elements"] and redone["undone"] == []
    document.edit(move("4"))
    document.edit(move("5"))
    back = document.post("/undo", steps=2).json()
    assert [entry["text"] for entry in back["undone"]] == ["--move 4 +5,0", "--move 5 +5,0"]
    reset = document.post("/reset").json()
    assert reset["elements"] == home["elements"]
    assert document.post("/undo").json()["elements"] == moved["elements"]
    for what, words in (("/redo", "cannot redo 9"), ("/undo", "cannot undo 9")):
        refused = document.post(what, steps=9)
        assert refused.status_code == 400 and words in refused.json()["error"]["message"]


def test_another_revision_is_refused(document):
    revision = document.get().json()["revision"]
    document.edit(move(), revision=revision)
    for what, body in (
        ("/edits", {"operations": [move()]}),
        ("/undo", {}),
        ("/redo", {}),
        ("/reset", {}),
    ):
        stale = document.post(what, revision=revision, **body)
        assert stale.status_code == 409, what
        assert "changed meanwhile" in stale.json()["error"]["message"]
    assert len(document.get().json()["history"]) == 1


def test_a_tolerance_is_recorded(document):
    document.edit(move("object@320,200"), tolerance=0.3)
    assert document.get().json()["history"][0]["selection"] == "object@320,200~0.3"


def test_what_a_command_edits_is_seen(document):
    revision = document.get().json()["revision"]
    document.edit(move())
    command("edit", str(document.path), "--delete", "9")
    state = document.get().json()
    assert [entry["text"] for entry in state["history"]] == ["--move 3 +5,0", "--delete 9"]
    assert state["revision"] != revision
    document.edit(move("4"))
    assert len(eie.load(document.path).history) == 3


def test_edits_of_two_sides_are_all_kept(document):
    def by_command() -> None:
        for _ in range(6):
            eie_file = document.path
            from eie.cli.input_output import change_elements
            from eie.editing import Move, edit

            change_elements(str(eie_file), None, lambda e: edit(e, [Move("3", "+1,0")]))

    thread = threading.Thread(target=by_command)
    thread.start()
    for _ in range(6):
        document.edit(move("4", "+1,0"))
    thread.join()
    texts = [entry["text"] for entry in document.get().json()["history"]]
    assert sorted(texts) == ["--move 3 +1,0"] * 6 + ["--move 4 +1,0"] * 6


def test_many_edits_at_once_are_all_kept(document):
    def some() -> None:
        for _ in range(4):
            document.edit(move("4", "+1,0"))

    threads = [threading.Thread(target=some) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    state = document.get().json()
    assert len(state["history"]) == 20
    [row] = [e for e in state["elements"] if e["id"] == 4]
    assert row["box"][0] - row["home"][0] == 20


def test_a_file_that_is_gone_is_told(document):
    document.path.unlink()
    for answer in (document.get(), document.get("/labels"), document.post("/undo")):
        assert answer.status_code == 404
        assert answer.json()["error"]["message"]


def test_a_file_that_is_damaged_meanwhile_is_told_and_the_server_goes_on(document, element_bytes):
    document.path.write_bytes(element_bytes[: len(element_bytes) // 2])
    answer = document.get()
    assert answer.status_code == 422, answer.text
    document.path.write_bytes(element_bytes)
    assert document.get().status_code == 200


def test_a_file_that_is_written_over_is_loaded_anew(document, element_bytes, small_bytes):
    document.get("/labels")
    document.path.write_bytes(small_bytes)  # in place, as cp does
    assert document.get().json()["canvas"] == {"width": 240, "height": 160}
    assert document.get("/labels").headers["x-width"] == "240"
    assert document.get("/picture").status_code == 200


def test_files_larger_than_what_is_read_are_refused(document, monkeypatch):
    from eie.open import documents

    monkeypatch.setattr(documents, "MOST_PIPED", 1000)
    document.path.touch()
    answer = document.get()
    assert answer.status_code == 422 and "has more than" in answer.json()["error"]["message"]


def test_the_files_of_the_folder_are_listed(document, server, client):
    told = client.get("/workspace").json()
    assert {"id": document.id, "file": document.path.name, "name": document.path.stem} in told[
        "documents"
    ]
    assert told["version"] == eie.__version__
    assert told["default_decoder"] in told["decoders"]
    [rocket] = [photo for photo in told["photos"] if photo["name"] == "rocket.jpg"]
    assert (rocket["width"], rocket["height"]) == (640, 427)


def test_a_photo_is_decomposed_once(server, client):
    shutil.copy(EXAMPLES / "coffee.jpg", server.folder / "cup of coffee.jpg")
    answer = client.post("/documents", json={"photo": "cup of coffee.jpg"})
    assert answer.status_code == 201, answer.text
    state = answer.json()
    assert (state["file"], state["photo"]) == ("cup of coffee.h5", "cup of coffee.jpg")
    assert state["command"].startswith("eie decompose 'cup of coffee.jpg' --segmenter slic")
    client.post(f"/documents/{state['id']}/edits", json={"operations": [move()]})
    again = client.post("/documents", json={"photo": "cup of coffee.jpg"}).json()
    assert again["id"] == state["id"] and len(again["history"]) == 1
    listed = client.get("/workspace").json()["photos"]
    assert {
        "name": "cup of coffee.jpg",
        "document": state["id"],
        "width": 600,
        "height": 400,
    } in listed
    # another photo of the same name is another document
    (server.folder / "cup of coffee.jpg").unlink()
    Image.open(EXAMPLES / "coffee.jpg").transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(
        server.folder / "cup of coffee.jpg"
    )
    other = client.post("/documents", json={"photo": "cup of coffee.jpg"}).json()
    assert other["file"] == "cup of coffee-2.h5" and other["history"] == []


def test_a_tiff_with_a_smaller_first_page_is_decomposed_once(server, client):
    large = Image.open(EXAMPLES / "coffee.jpg").resize((120, 80))
    small = large.resize((30, 20))
    path = server.folder / "pages.tif"
    small.encoderinfo, large.encoderinfo = {"tiffinfo": {254: 1}}, {"tiffinfo": {254: 0}}
    small.save(path, save_all=True, append_images=[large], tiffinfo={254: 1})
    state = client.post("/documents", json={"photo": path.name}).json()
    assert state["canvas"] == {"width": 120, "height": 80}
    again = client.post("/documents", json={"photo": path.name}).json()
    assert again["id"] == state["id"] and state["photo"] == "pages.tif"


def test_opening_says_what_is_meant(client):
    for body in ({}, {"photo": "rocket.jpg", "file": "x.h5"}):
        answer = client.post("/documents", json=body)
        assert answer.status_code == 400
    assert client.post("/documents", json={"photo": "none.jpg"}).status_code == 404
    assert client.post("/documents", json={"file": "rocket.jpg"}).status_code == 415


def test_photos_of_like_names_and_sizes_keep_their_documents(server, client):
    for name, source in (("pair.jpg", "rocket.jpg"), ("pair-2.jpg", "rocket.jpg")):
        photo = Image.open(EXAMPLES / source)
        shade = photo.point(lambda value: value // 2) if "-2" in name else photo
        shade.resize((96, 64)).save(server.folder / name, quality=95)
    opened = [
        client.post("/documents", json={"photo": name}).json()["file"]
        for name in ("pair.jpg", "pair-2.jpg", "pair.jpg", "pair-2.jpg", "pair.jpg")
    ]
    assert opened == ["pair.h5", "pair-2.h5", "pair.h5", "pair-2.h5", "pair.h5"]
    listed = {
        photo["name"]: photo["document"] for photo in client.get("/workspace").json()["photos"]
    }
    states = [client.post("/documents", json={"photo": f"pair{n}.jpg"}).json() for n in ("", "-2")]
    assert [listed["pair.jpg"], listed["pair-2.jpg"]] == [state["id"] for state in states]


def test_who_looks_does_not_wait_for_an_edit_under_way(server, document):
    begun, go_on = threading.Event(), threading.Event()

    def slow(elements):
        begun.set()
        assert go_on.wait(30)
        return elements

    inside = server.service.documents.by_id(document.id)
    thread = threading.Thread(target=inside.change, args=(slow,))
    thread.start()
    try:
        assert begun.wait(30)
        assert document.get().status_code == 200
    finally:
        go_on.set()
        thread.join()


def test_a_history_of_a_later_version_is_shown_and_rendered_from_the_file(
    server, client, element_bytes
):
    elements = eie.edit(eie.load(element_bytes), [Move("3", "+9,0")])
    edit = replace(elements.history[0], operation={"operation": "frobnicate", "how": "much"})
    eie.save(replace(elements, history=(edit,)), server.folder / "later.h5")
    state = client.post("/documents", json={"file": "later.h5"}).json()
    assert "frobnicate" in state["history"][0]["text"]
    assert state["command"].startswith("eie render")
