"""Renders: what `eie render` makes, waited for, seen and given up."""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
import socket
import time

import httpx
import numpy as np
import pytest
from PIL import Image

import eie
from eie.open import renders, workers
from eie.rendering import render
from eie.rendering.reduced import reduced

from .conftest import TOKEN, move, over

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
