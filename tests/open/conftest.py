from __future__ import annotations

import asyncio
import itertools
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import uvicorn
from PIL import Image

import eie
from eie.open.app import create_app
from eie.open.safety import Guard
from eie.open.service import Service
from eie.open.workspace import Workspace
from tests.open.at_the_page import browser, chromium, person, served  # noqa: F401 - fixtures

EXAMPLES = Path(__file__).parents[2] / "examples"
TOKEN = "a-token-of-the-tests"


@dataclass
class Server:
    """A server in this process, its folder, and a client that knows its token."""

    service: Service
    folder: Path
    port: int
    loop: asyncio.AbstractEventLoop
    client: httpx.Client

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def call(self, function: Callable[[], Any]) -> Any:
        """What a function gives that must be called in the server's loop."""

        async def called() -> Any:
            return function()

        return asyncio.run_coroutine_threadsafe(called(), self.loop).result(30)


@pytest.fixture(scope="session")
def element_bytes() -> bytes:
    """An element file of a photo of 640 × 427 pixels, about 60 elements, without candidates."""
    return eie.dump(eie.decompose(EXAMPLES / "rocket.jpg", segmenter="slic", elements=64))


@pytest.fixture(scope="session")
def small_bytes() -> bytes:
    """An element file of a photo of 240 × 160 pixels, quickly rendered."""
    with Image.open(EXAMPLES / "rocket.jpg") as photo:
        pixels = np.asarray(photo.resize((240, 160), Image.Resampling.BOX))
    return eie.dump(eie.decompose(pixels, segmenter="slic", elements=64))


@pytest.fixture(scope="session")
def tiny_bytes() -> bytes:
    """The same by the bundled segmenter, which tells objects."""
    return eie.dump(eie.decompose(EXAMPLES / "rocket.jpg", elements=100))


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests; each works on files of its own."""
    folder = tmp_path_factory.mktemp("workspace")
    shutil.copy(EXAMPLES / "rocket.jpg", folder / "rocket.jpg")
    service = Service(Workspace(folder.resolve()), {"segmenter": "slic", "elements": 40})
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    started = threading.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    def ready() -> None:
        loops.append(asyncio.get_running_loop())
        started.set()

    app = create_app(service, Guard(TOKEN, "127.0.0.1", port), ready)
    running = uvicorn.Server(
        uvicorn.Config(app, log_config=None, lifespan="on", timeout_graceful_shutdown=1)
    )
    thread = threading.Thread(target=running.run, args=([listener],), daemon=True)
    thread.start()
    assert started.wait(60)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    base = f"http://127.0.0.1:{port}/api/v1"
    with httpx.Client(base_url=base, headers=headers, timeout=60) as client:
        yield Server(service, folder, port, loops[0], client)
    running.should_exit = True
    thread.join(20)


@pytest.fixture
def client(server: Server, monkeypatch: pytest.MonkeyPatch) -> httpx.Client:
    """A client of the server, which works in the folder it serves, as `eie open` does."""
    monkeypatch.chdir(server.folder)
    return server.client


_COUNT = itertools.count(1)


@dataclass(frozen=True)
class Opened:
    """A document of one test."""

    client: httpx.Client
    path: Path
    id: str

    def get(self, what: str = "", **query: Any) -> httpx.Response:
        return self.client.get(f"/documents/{self.id}{what}", params=query)

    def post(self, what: str, **body: Any) -> httpx.Response:
        return self.client.post(f"/documents/{self.id}{what}", json=body)

    def edit(self, *operations: dict[str, str], **more: Any) -> dict[str, Any]:
        """The state after an edit that must be possible."""
        answer = self.post("/edits", operations=list(operations), **more)
        assert answer.status_code == 200, answer.text
        state: dict[str, Any] = answer.json()
        return state

    def render(self, **options: Any) -> dict[str, Any]:
        """A render that is over."""
        asked = self.post("/renders", **options)
        assert asked.status_code == 202, asked.text
        return over(self.client, asked.json()["id"])


def over(client: httpx.Client, identity: str) -> dict[str, Any]:
    """What is told of a render when it is finished."""
    deadline = time.monotonic() + 60
    while True:
        told: dict[str, Any] = client.get(f"/renders/{identity}").json()
        if told["state"] in ("done", "failed", "cancelled"):
            return told
        assert time.monotonic() < deadline, told
        time.sleep(0.05)


Open = Callable[[bytes], Opened]


@pytest.fixture
def opened(server: Server, client: httpx.Client) -> Open:
    """Puts an element file into the folder under a name of its own, and opens it."""

    def opened(content: bytes) -> Opened:
        path = server.folder / f"document{next(_COUNT)}.h5"
        path.write_bytes(content)
        answer = client.post("/documents", json={"file": path.name})
        assert answer.status_code == 201, answer.text
        return Opened(client, path, answer.json()["id"])

    return opened


@pytest.fixture
def document(opened: Open, element_bytes: bytes) -> Opened:
    """A document of one's own."""
    return opened(element_bytes)


def move(selection: str = "3", shift: str = "+5,0") -> dict[str, str]:
    """An operation."""
    return {"operation": "move", "selection": selection, "shift": shift}
