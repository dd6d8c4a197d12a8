"""Many clients at once: no error, no wrong picture."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

import eie
from eie.rendering import render

from .conftest import Opened, move, over


def worked(document: Opened, requests: int) -> str:
    """Select, edit and render in turn; the ID of the last render."""
    last = ""
    for number in range(requests):
        kind = number % 3
        if kind == 0:
            told = document.post("/select", selection="@60,75").json()
            assert len(told["ids"]) == 1, told
        elif kind == 1:
            document.edit(move("@60,75", "+1,0"))
        else:
            told = document.render(quick=True)
            assert told["state"] == "done", told
            last = told["id"]
    return last


@pytest.mark.parametrize(
    ("clients", "requests"), [(6, 3), pytest.param(50, 20, marks=pytest.mark.slow)]
)
def test_every_client_gets_its_own_picture(opened, small_bytes, clients, requests):
    documents = [opened(small_bytes) for _ in range(clients)]
    for number, document in enumerate(documents):  # each is another picture
        document.edit(move("0", f"+{number},1"))
    with ThreadPoolExecutor(clients) as pool:
        renders = list(pool.map(lambda document: worked(document, requests), documents))
    for document, identity in zip(documents, renders, strict=True):
        assert over(document.client, identity)["state"] == "done"
        elements = eie.load(document.path)
        assert len(elements.history) == 1 + (requests + 1) // 3
        if requests % 3 == 2:  # an edit came after the last render
            elements = eie.undo(elements)
        answer = document.client.get(f"/renders/{identity}/pictures/0")
        found = np.asarray(Image.open(io.BytesIO(answer.content)))
        assert np.array_equal(found, render(elements).photo.pixels)


def test_many_on_one_document_lose_no_edit(opened, small_bytes):
    document = opened(small_bytes)

    def work(client: int) -> list[str]:
        states = []
        for _ in range(3):
            document.edit(move("0", "+1,0"))
            asked = document.post("/renders", quick=True, client=f"tab {client % 2}").json()["id"]
            states.append(over(document.client, asked)["state"])
        return states

    with ThreadPoolExecutor(6) as pool:
        states = [state for some in pool.map(work, range(6)) for state in some]
    assert set(states) <= {"done", "cancelled"} and "done" in states
    state = document.get().json()
    assert len(state["history"]) == 18
    assert state["elements"][0]["box"][0] - state["elements"][0]["home"][0] == 18
