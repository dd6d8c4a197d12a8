"""Someone in front of the page, in a real browser."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WIDE, NARROW = (1440, 900), (390, 844)
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WAIT = 30_000  # milliseconds, far more than anything takes
LATE = 900  # milliseconds that a slow server takes longer
TOWER = (452, 300)  # places in examples/rocket.jpg
SKY = (560, 60)
ROCKET = (323, 200)
FAR_TOWER = (195, 300)


@pytest.fixture(scope="module")
def chromium() -> str:
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        reason = f"none of {', '.join(BROWSERS)} is on the PATH"
        if os.environ.get("EIE_BROWSER") == "required":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@pytest.fixture(scope="module")
def browser(chromium) -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        yield started
        started.close()


@dataclass
class Served:
    """A running `eie open`: its folder and address."""

    folder: Path
    address: str

    @property
    def origin(self) -> str:
        return self.address.partition("/?")[0]


@pytest.fixture(scope="module")
def served(tmp_path_factory, chromium) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("photos")
    shutil.copy(EXAMPLES / "rocket.jpg", folder)
    command = [sys.executable, "-m", "eie", "open", "rocket.jpg", "--no-browser"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr
    for line in process.stderr:
        address = re.search(r"http://\S+", line)
        if address:
            break
    else:
        pytest.fail("eie open said no address")
    yield Served(folder, address[0])
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0


class Person:
    """Someone in front of the page."""

    def __init__(self, page: Any, served: Served) -> None:
        self.page = page
        self.served = served
        self.troubles: list[str] = []
        page.set_default_timeout(WAIT)
        page.on("pageerror", lambda error: self.troubles.append(str(error)))
        page.on("console", lambda message: self._heed(message))
        page.on("request", lambda request: self._watch(request.url))

    def _heed(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.troubles.append(message.text)

    def _watch(self, url: str) -> None:
        if not url.startswith((self.served.origin, "blob:", "data:")):
            self.troubles.append(f"asked {url}")

    def forgive(self, text: str) -> None:
        """Forget the troubles that a test has asked for."""
        self.troubles = [trouble for trouble in self.troubles if text not in trouble]

    def open(self, name: str) -> None:
        """Open a copy of the rocket's photo, with its element file if there is one."""
        photo = self.served.folder / name
        if not photo.exists():
            shutil.copy(EXAMPLES / "rocket.jpg", photo)
            shutil.copy(self.served.folder / "clean.h5", photo.with_suffix(".h5"))
        self.page.goto(self.served.address)
        self.settle()
        self.page.get_by_role("button", name="Photos", exact=True).click()
        self.page.get_by_role("button", name=name).click()
        self.page.get_by_role("heading", name=name).wait_for()
        self.settle()

    def settle(self) -> None:
        """Wait until the server has done all that was asked."""
        self.page.locator("main[aria-busy=false] [data-view]").wait_for()

    def see(self) -> None:
        """Wait until all is rendered."""
        self.page.locator(".notice.faint").wait_for()

    def at(self, x: float, y: float) -> tuple[float, float]:
        """A place of the photo in the window."""
        stage = self.page.locator("[data-stage]")
        scale, left, top = map(float, stage.get_attribute("data-view").split())
        box = stage.bounding_box()
        return box["x"] + left + x * scale, box["y"] + top + y * scale

    def under(self, x: float, y: float) -> tuple[float, float]:
        """The place of the photo at one of the window."""
        left, top = self.at(0, 0)
        right, bottom = self.at(1, 1)
        return (x - left) / (right - left), (y - top) / (bottom - top)

    def click(self, x: float, y: float, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.down(key)
        self.page.mouse.click(*self.at(x, y))
        for key in keys:
            self.page.keyboard.up(key)

    def drag(self, start: tuple[float, float], *way: tuple[float, float]) -> None:
        self.page.mouse.move(*self.at(*start))
        self.page.mouse.down()
        for place in way:
            self.page.mouse.move(*self.at(*place), steps=4)
        self.page.mouse.up()

    def handle(self, side: str) -> tuple[float, float]:
        """A corner of what is selected, on the photo."""
        ids = {element["id"]: element for element in self.state()["elements"]}
        chosen = [ids[i] for i in self.selected()["ids"]]
        xs = [e["box"][0] + s * e["box"][2] / 2 for e in chosen for s in (-1, 1)]
        ys = [e["box"][1] + s * e["box"][3] / 2 for e in chosen for s in (-1, 1)]
        return (max(xs) if "e" in side else min(xs)), (max(ys) if "s" in side else min(ys))

    def about(self) -> str:
        """What the panel says of the selection, once the server has told it."""
        about = self.page.locator(".about")
        about.filter(has_text=re.compile(r"\d")).wait_for()
        return about.inner_text()

    def button(self, name: str) -> Any:
        return self.page.get_by_role("button", name=name, exact=True)

    def state(self) -> dict[str, Any]:
        """The document, as the server has it."""
        identity = re.search(r"file=(\w+)", self.page.url)
        assert identity
        answer = self.page.request.get(f"{self.served.origin}/api/v1/documents/{identity[1]}")
        assert answer.ok
        return answer.json()

    def selected(self) -> dict[str, Any]:
        """What `group:last` is, as the server has it."""
        return self.ask({"selection": "group:last"})

    def ask(self, body: dict[str, Any]) -> dict[str, Any]:
        identity = self.state()["id"]
        url = f"{self.served.origin}/api/v1/documents/{identity}/select"
        return self.page.request.post(url, data=body).json()

    def history(self) -> list[str]:
        return [entry["text"] for entry in self.state()["history"]]

    def until(self, edits: int) -> None:
        """Wait until so many edits are done."""
        current = f".history li:nth-child({edits + 1}) > [aria-current]"
        self.page.locator(current).wait_for(state="attached")
        self.settle()


@pytest.fixture
def person(browser, served) -> Iterator[Person]:
    yield from at_the_page(browser, served, WIDE)


def at_the_page(
    browser: Any, served: Served, size: tuple[int, int], **more: Any
) -> Iterator[Person]:
    if not (served.folder / "clean.h5").exists():
        shutil.copy(served.folder / "rocket.h5", served.folder / "clean.h5")
    viewport = {"width": size[0], "height": size[1]}
    context = browser.new_context(viewport=viewport, accept_downloads=True, **more)
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=served.origin)
    person = Person(context.new_page(), served)
    yield person
    assert person.troubles == []
    context.close()
