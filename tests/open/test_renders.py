"""Renders: what `eie render` makes, waited for, seen and given up."""

from __future__ import annotations

import asyncio
import io
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

import eie
from eie.editing import read_script
from eie.open import renders, workers
from eie.rendering import render
from eie.rendering.reduced import reduced

from .conftest import EXAMPLES, TOKEN, move, over

EDITS = (
    move("object@120,75", "-30,3"),
    {"operation": "delete", "selection": "12-14"},
)


@pytest.fixture
def document(opened, small_bytes):
    """A document that is quickly rendered."""
    return opened(small_bytes)


def pixels(answer: httpx.Response) -> np.ndarray:
    assert answer.status_code == 200, answer.text
    return np.asarray(Image.open(io.BytesIO(answer.content)))


def test_a_render_is_that_of_the_library(document):
    document.edit(*EDITS)
    told = document.render()
    assert (told["state"], told["done"], told["pictures"]) == ("done", 1.0, 1)
    expected = render(eie.load(document.path))
    answer = document.client.get(f"/renders/{told['id']}/pictures/0")
    assert np.array_equal(pixels(answer), expected.photo.pixels)
    assert told["changed"] == pytest.approx(expected.changed_pixels / (240 * 160))
    assert answer.headers["x-revision"] == told["revision"] == document.get().json()["revision"]
    small = document.client.get(f"/renders/{told['id']}/pictures/0", params={"side": 100})
    assert pixels(small).shape == (67, 100, 3)


def test_a_quick_render_is_smaller(document, monkeypatch):
    monkeypatch.setattr(renders, "QUICK_SIDE", 120)
    document.edit(*EDITS)
    told = document.render(quick=True)
    answer = document.client.get(f"/renders/{told['id']}/pictures/0", params={"side": 1600})
    found = pixels(answer)
    assert found.shape == (80, 120, 3)
    expected = render(reduced(eie.load(document.path), 120)).photo.pixels
    assert np.array_equal(found, expected)


def test_a_full_render_takes_what_a_quick_one_made_of_a_small_photo(document, server):
    document.edit(*EDITS)
    quick = document.post("/renders", quick=True).json()
    full = document.render()
    assert full["state"] == "done" and full["id"] != quick["id"]
    both = [server.service.renders.by_id(told["id"]) for told in (quick, full)]
    assert both[0].pictures[0] is both[1].pictures[0]


def test_variations_differ(document):
    document.edit({"operation": "delete", "selection": "object@120,75"})
    told = document.render(variations=3)
    expected = eie.rendering.variations(eie.load(document.path), 3)
    assert told["pictures"] == len(expected) > 1
    for number, one in enumerate(expected):
        answer = document.client.get(f"/renders/{told['id']}/pictures/{number}")
        assert np.array_equal(pixels(answer), one.photo.pixels)
    missing = document.client.get(f"/renders/{told['id']}/pictures/{len(expected)}")
    assert missing.status_code == 404


def test_what_a_decoder_cannot_do_is_told(opened, element_bytes):
    elements = eie.load(element_bytes)
    from dataclasses import replace

    [source] = elements.sources
    bare = replace(elements, sources=(replace(source, pixels=None),))
    document = opened(eie.dump(bare))
    told = document.render()
    assert told["state"] == "failed"
    assert "no pixels" in told["error"]["message"] and told["error"]["hint"]
    for quick in (False, True):
        assert document.render(quick=quick)["state"] == "failed"
    assert document.get("/picture").status_code == 400
    assert document.get("/download").status_code == 400
    assert document.get("/download", format="h5").status_code == 200


def test_the_events_tell_every_state(document):
    document.edit(*EDITS)
    asked = document.post("/renders").json()
    told = []
    with document.client.stream("GET", f"/renders/{asked['id']}/events") as answer:
        assert answer.headers["content-type"] == "text/event-stream"
        for line in answer.iter_lines():
            if line.startswith("data: "):
                told.append(json.loads(line.removeprefix("data: ")))
    states = [one["state"] for one in told]
    assert states[-1] == "done" and told[-1]["pictures"] == 1
    assert sorted(states, key=["waiting", "running", "done"].index) == states
    assert told[-1] == document.client.get(f"/renders/{asked['id']}").json()
    with document.client.stream("GET", f"/renders/{asked['id']}/events") as answer:
        assert len([line for line in answer.iter_lines() if line]) == 1


def test_the_last_event_is_the_last_state():
    """Also where it changes while the one before is on its way."""

    async def told() -> list[str]:
        render = renders.Render("", "", renders.Options(), ())
        states = []
        async for change in render.changes():
            states.append(change["state"])
            if len(states) == 1:
                render.becomes(state="running")
                render.cancel()
        return states

    assert asyncio.run(told()) == ["waiting", "cancelled"]


def slow(document):
    """A render that takes long, running: of embeddings, in many steps."""
    asked = document.post(
        "/renders", decoder="diffusion", variations=16, seed=3, client="tab"
    ).json()
    deadline = time.monotonic() + 60
    while document.client.get(f"/renders/{asked['id']}").json()["state"] != "running":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return asked["id"]


@pytest.fixture
def hole(document):
    """A document with much to render."""
    document.edit({"operation": "delete", "selection": "0-30"})
    return document


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_cancelled_render_stops_its_process(hole, server):
    team = server.service.workers
    identity = slow(hole)
    [busy] = [worker.pid for worker in team._busy]
    assert hole.client.delete(f"/renders/{identity}").status_code == 204
    assert hole.client.get(f"/renders/{identity}").json()["state"] == "cancelled"
    deadline = time.monotonic() + 60
    while alive(busy):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert busy not in team.pids and len(team.pids) == 2
    assert hole.render(quick=True)["state"] == "done"


def test_a_process_that_dies_is_told_and_replaced(hole, server):
    team = server.service.workers
    identity = slow(hole)
    [busy] = [worker.pid for worker in team._busy]
    os.kill(busy, signal.SIGKILL)
    told = over(hole.client, identity)
    assert told["state"] == "failed"
    assert "SIGKILL" in told["error"]["message"] and told["error"]["hint"]
    assert hole.render()["state"] == "done"
    assert busy not in team.pids and len(team.pids) == 2


def test_a_process_that_holds_much_makes_place_when_it_rests(document, server, monkeypatch):
    monkeypatch.setattr(workers, "HEAVY", 0)
    monkeypatch.setattr(workers, "RESTS", 0.1)
    before = set(server.service.workers.pids)
    assert document.render()["state"] == "done"
    deadline = time.monotonic() + 20
    while len(before & set(server.service.workers.pids)) == 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert len(server.service.workers.pids) == 2


def test_a_short_render_that_is_given_up_costs_no_process(document, server, monkeypatch):
    monkeypatch.setattr(workers, "GRACE", 60.0)  # the machine may be busy with other things
    before = sorted(server.service.workers.pids)
    for number in range(6):  # as somebody does who holds an arrow key
        document.edit(move("3", "+1,0"))
        asked = document.post("/renders", quick=True, seed=number, client="tab").json()["id"]
    assert over(document.client, asked)["state"] == "done"
    assert sorted(server.service.workers.pids) == before


def test_a_listener_that_goes_away_stops_the_render(hole, server):
    identity = slow(hole)
    with hole.client.stream("GET", f"/renders/{identity}/events") as answer:
        next(lines := answer.iter_lines())
        assert hole.client.get(f"/renders/{identity}").json()["state"] == "running"
        del lines
    assert over(hole.client, identity)["state"] == "cancelled"
    deadline = time.monotonic() + 60
    while server.service.workers._busy:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_download_that_nobody_waits_for_stops_its_render(hole, server):
    head = (
        f"GET /api/v1/documents/{hole.id}/download?decoder=diffusion&seed=5 HTTP/1.1\r\n"
        f"Host: 127.0.0.1:{server.port}\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(head.encode())
        deadline = time.monotonic() + 60
        while not (asked := server.call(server.service.renders._unfinished)):
            assert time.monotonic() < deadline
            time.sleep(0.02)
    assert over(hole.client, asked[-1].id)["state"] == "cancelled"


def test_a_second_listener_keeps_it_alive(hole):
    identity = slow(hole)
    with hole.client.stream("GET", f"/renders/{identity}/events") as first:
        next(lines := first.iter_lines())  # an iterator that is dropped closes the answer
        with hole.client.stream("GET", f"/renders/{identity}/events") as second:
            next(second.iter_lines())
        time.sleep(0.3)
        assert hole.client.get(f"/renders/{identity}").json()["state"] == "running"
        del lines
    assert over(hole.client, identity)["state"] == "cancelled"


def test_a_new_render_gives_the_old_one_up(hole):
    identity = slow(hole)
    quick = hole.post("/renders", quick=True, client="tab").json()["id"]
    assert hole.client.get(f"/renders/{identity}").json()["state"] == "running"
    other = hole.post("/renders", seed=1, client="another").json()["id"]
    hole.post("/renders", seed=2)
    assert hole.client.get(f"/renders/{identity}").json()["state"] == "running"
    new = hole.post("/renders", client="tab").json()["id"]
    assert hole.client.get(f"/renders/{identity}").json()["state"] == "cancelled"
    assert {over(hole.client, one)["state"] for one in (new, quick, other)} == {"done"}


def test_an_edit_does_not_change_what_is_rendered(document):
    document.edit(*EDITS)
    expected = render(eie.load(document.path)).photo.pixels
    asked = document.post("/renders").json()
    document.edit(move("40", "+50,0"))
    assert over(document.client, asked["id"])["state"] == "done"
    found = document.client.get(f"/renders/{asked['id']}/pictures/0")
    assert np.array_equal(pixels(found), expected)
    assert found.headers["x-revision"] != document.get().json()["revision"]


def test_too_many_renders_are_refused(hole, opened, element_bytes, monkeypatch):
    monkeypatch.setattr(renders, "MOST_WAITING", 2)
    identity = slow(hole)
    other, third = opened(element_bytes), opened(element_bytes)
    assert other.post("/renders").status_code == 202
    refused = third.post("/renders")
    assert refused.status_code == 429
    assert refused.json()["error"]["hint"]
    hole.client.delete(f"/renders/{identity}")


def test_old_renders_are_forgotten(document, server, monkeypatch):
    monkeypatch.setattr(renders, "MOST_KEPT", 2)
    first = document.render()["id"]
    for _ in range(3):
        last = document.render()["id"]
    assert document.client.get(f"/renders/{first}").status_code == 404
    assert document.client.get(f"/renders/{last}").status_code == 200


def played(command: str, folder: Path) -> None:
    """Run a command line as a person would, in another folder with the same photo."""
    prelude = f'eie() {{ "{sys.executable}" -m eie "$@"; }}\n'
    subprocess.run(["bash", "-ec", prelude + command], cwd=folder, check=True, capture_output=True)


def test_a_download_is_what_the_command_line_makes(server, client, tmp_path):
    name = "a 'photo' $HOME.jpg"
    photo = (EXAMPLES / "rocket.jpg").read_bytes()
    document = client.post("/documents/upload", params={"name": name}, content=photo).json()
    base = f"/documents/{document['id']}"
    stream = io.BytesIO()
    white = np.zeros((427, 640), np.uint8)
    white[100:180, 400:470] = 255
    Image.fromarray(white).save(stream, "PNG")
    mask = client.post(f"{base}/masks", content=stream.getvalue()).json()["selection"]
    again = client.post(f"{base}/masks", content=stream.getvalue()).json()["selection"]
    assert again == mask
    paste = {"operation": "paste", "file": "other.h5", "selection": "3", "place": "50%,20%"}
    (server.folder / "other.h5").write_bytes(
        eie.dump(eie.decompose(EXAMPLES / "coffee.jpg", segmenter="slic", elements=9))
    )
    for operations in (
        [move("object@320,200", "-90,3"), {"operation": "delete", "selection": "20-23"}],
        [{"operation": "scale", "selection": "object@230,200", "factor": "1,2"}],
        [{"operation": "delete", "selection": mask}],
        [{"operation": "group", "group": "left-eye", "selection": "2"}, paste],
        [{"operation": "rotate", "selection": 'group:"left-eye"', "angle": "-12.5"}],
        [{"operation": "drag", "start": "320,330", "end": "300,330"}],
    ):
        state = client.post(f"{base}/edits", json={"operations": operations})
        assert state.status_code == 200, state.text
    state = client.get(base).json()
    for file in (name, "other.h5", *server.folder.glob("*-mask-*.png")):
        (tmp_path / Path(file).name).write_bytes((server.folder / file).read_bytes())
    played(state["command"], tmp_path)
    picture = shlex.split(state["command"])[-1]
    assert picture.endswith("-edited.png")
    made = client.get(f"{base}/download")
    assert made.content == (tmp_path / picture).read_bytes()
    file = client.get(f"{base}/download", params={"format": "h5"}).content
    assert file == (server.folder / state["file"]).read_bytes()
    assert eie.load(tmp_path / state["file"]).table.equals(eie.load(file).table)
    script = client.get(f"{base}/download", params={"format": "json"}).content
    fresh = eie.decompose(EXAMPLES / "rocket.jpg", segmenter="slic", elements=40)
    again = eie.edit(eie.load(eie.dump(fresh)), read_script(script))
    assert again.table.equals(eie.load(file).table)
    made = client.get(f"{base}/download", params={"format": "jpeg", "quality": 70})
    played(f"eie render {shlex.quote(state['file'])} --quality 70 -o made.jpg", tmp_path)
    assert made.content == (tmp_path / "made.jpg").read_bytes()
    assert made.headers["content-disposition"].startswith("attachment;")
    assert made.headers["content-type"] == "image/jpeg"


def test_what_an_undone_mask_has_parted_stays_parted(server, client, tmp_path):
    """What is seen is what is edited; a command line that cannot tell begins with the file."""
    photo = (EXAMPLES / "rocket.jpg").read_bytes()
    state = client.post("/documents/upload", params={"name": "m.jpg"}, content=photo).json()
    base, count = f"/documents/{state['id']}", len(state["elements"])

    def edited(*operations: dict[str, str]) -> dict[str, Any]:
        answer = client.post(f"{base}/edits", json={"operations": operations})
        assert answer.status_code == 200, answer.text
        return answer.json()

    stream = io.BytesIO()
    white = np.zeros((427, 640), np.uint8)
    white[180:300, 280:380] = 255
    Image.fromarray(white).save(stream, "PNG")
    mask = client.post(f"{base}/masks", content=stream.getvalue()).json()["selection"]
    edited(move("object@230,200", "+9,0"))
    edited({"operation": "delete", "selection": mask}, move("1", "+1,0"))
    undone = client.post(f"{base}/undo", json={"steps": 2}).json()
    assert len(undone["elements"]) > count
    for name in ("m.jpg", "m-mask-1.png"):
        (tmp_path / name).write_bytes((server.folder / name).read_bytes())
    played(undone["command"], tmp_path)
    assert (tmp_path / "m.h5").read_bytes() == (server.folder / "m.h5").read_bytes()
    seen = client.post(f"{base}/select", json={"selection": "object@320,200"}).json()["ids"]
    again = edited(move(",".join(map(str, seen)), "-90,0"))
    assert len(again["elements"]) == len(undone["elements"])
    assert again["command"] == "eie render m.h5 -o m-edited.png"
    (tmp_path / "m.h5").write_bytes((server.folder / "m.h5").read_bytes())
    played(again["command"], tmp_path)
    made = client.get(f"{base}/download")
    assert made.content == (tmp_path / "m-edited.png").read_bytes()


def test_a_paste_of_the_document_itself_is_a_command_of_its_own(server, client, tmp_path):
    photo = (EXAMPLES / "rocket.jpg").read_bytes()
    state = client.post("/documents/upload", params={"name": "own.jpg"}, content=photo).json()
    base = f"/documents/{state['id']}"
    for operation in (
        {"operation": "scale", "selection": "20", "factor": "3"},
        {"operation": "paste", "file": "own.h5", "selection": "20", "place": "160,100"},
    ):
        state = client.post(f"{base}/edits", json={"operations": [operation]}).json()
    assert state["command"].count("eie edit") == 2
    (tmp_path / "own.jpg").write_bytes(photo)
    played(state["command"], tmp_path)
    made = client.get(f"{base}/download")
    assert made.content == (tmp_path / "own-edited.png").read_bytes()
