"""The page in a real browser: what people do with a mouse, keys and fingers."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

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
class Opened:
    """A running `eie open`: its folder and address."""

    folder: Path
    address: str

    @property
    def origin(self) -> str:
        return self.address.partition("/?")[0]


@pytest.fixture(scope="module")
def opened(tmp_path_factory, chromium) -> Iterator[Opened]:
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
    yield Opened(folder, address[0])
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0


class Person:
    """Someone in front of the page."""

    def __init__(self, page: Any, opened: Opened) -> None:
        self.page = page
        self.opened = opened
        self.troubles: list[str] = []
        page.set_default_timeout(WAIT)
        page.on("pageerror", lambda error: self.troubles.append(str(error)))
        page.on("console", lambda message: self._heed(message))
        page.on("request", lambda request: self._watch(request.url))

    def _heed(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.troubles.append(message.text)

    def _watch(self, url: str) -> None:
        if not url.startswith((self.opened.origin, "blob:", "data:")):
            self.troubles.append(f"asked {url}")

    def forgive(self, text: str) -> None:
        """Forget the troubles that a test has asked for."""
        self.troubles = [trouble for trouble in self.troubles if text not in trouble]

    def open(self, name: str) -> None:
        """Open a copy of the rocket's photo, with its element file if there is one."""
        photo = self.opened.folder / name
        if not photo.exists():
            shutil.copy(EXAMPLES / "rocket.jpg", photo)
            shutil.copy(self.opened.folder / "clean.h5", photo.with_suffix(".h5"))
        self.page.goto(self.opened.address)
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
        answer = self.page.request.get(f"{self.opened.origin}/api/v1/documents/{identity[1]}")
        assert answer.ok
        return answer.json()

    def selected(self) -> dict[str, Any]:
        """What `group:last` is, as the server has it."""
        return self.ask({"selection": "group:last"})

    def ask(self, body: dict[str, Any]) -> dict[str, Any]:
        identity = self.state()["id"]
        url = f"{self.opened.origin}/api/v1/documents/{identity}/select"
        return self.page.request.post(url, data=body).json()

    def history(self) -> list[str]:
        return [entry["text"] for entry in self.state()["history"]]

    def until(self, edits: int) -> None:
        """Wait until so many edits are done."""
        current = f".history li:nth-child({edits + 1}) > [aria-current]"
        self.page.locator(current).wait_for(state="attached")
        self.settle()


@pytest.fixture
def person(browser, opened) -> Iterator[Person]:
    yield from at_the_page(browser, opened, WIDE)


def at_the_page(
    browser: Any, opened: Opened, size: tuple[int, int], **more: Any
) -> Iterator[Person]:
    if not (opened.folder / "clean.h5").exists():
        shutil.copy(opened.folder / "rocket.h5", opened.folder / "clean.h5")
    viewport = {"width": size[0], "height": size[1]}
    context = browser.new_context(viewport=viewport, accept_downloads=True, **more)
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=opened.origin)
    person = Person(context.new_page(), opened)
    yield person
    assert person.troubles == []
    context.close()


def test_what_was_done_by_hand_is_what_the_copied_command_line_does(person, tmp_path):
    person.open("first.jpg")
    person.page.mouse.move(*person.at(*TOWER))
    person.click(*TOWER)
    assert "element" in person.about()
    person.drag(TOWER, (TOWER[0] + 30, TOWER[1]), (TOWER[0] + 60, TOWER[1] + 5))
    person.until(1)
    assert re.fullmatch(r"--move object@[\d.,]+:object \+60,\+5", person.history()[0])
    corner = person.handle("ne")
    person.drag(corner, (corner[0] - 4, corner[1] + 30))
    person.until(2)
    assert [text.split()[0] for text in person.history()[1:]] == ["--scale", "--move"]
    person.click(*FAR_TOWER)
    person.about()
    person.page.keyboard.press("Delete")
    person.until(3)
    deleted = person.state()
    person.page.keyboard.press("Control+z")
    person.until(2)
    assert all(element["visible"] for element in person.state()["elements"])
    person.page.keyboard.press("Control+Shift+z")
    person.until(3)
    assert person.state()["elements"] == deleted["elements"]
    person.see()

    person.page.keyboard.press("Control+s")
    dialog = person.page.get_by_role("dialog", name="Save")
    dialog.get_by_role("button", name="Copy").click()
    dialog.get_by_role("button", name="Copied").wait_for()
    command = person.page.evaluate("navigator.clipboard.readText()")
    with person.page.expect_download() as download:
        dialog.get_by_role("button", name="Save").click()
    saved = Path(download.value.path()).read_bytes()

    shutil.copy(EXAMPLES / "rocket.jpg", tmp_path / "first.jpg")
    play(command, tmp_path)
    assert saved == (tmp_path / download.value.suggested_filename).read_bytes()


def play(command: str, folder: Path) -> None:
    """Run a command line as a shell does, by the eie of these tests."""
    (folder / "bin").mkdir()
    eie = folder / "bin" / "eie"
    eie.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m eie "$@"\n')
    eie.chmod(0o755)
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "OMP_NUM_THREADS": "1"}
    subprocess.run(["sh", "-ec", command], cwd=folder, env=environment, check=True)


def test_all_is_done_by_keys_alone(person):
    person.open("keys.jpg")
    press = person.page.keyboard.press
    for _ in range(40):  # the tab key comes to the canvas
        if person.page.evaluate("document.activeElement.hasAttribute('data-stage')"):
            break
        press("Tab")
    told = person.page.locator("[role=status].unseen")
    press("ArrowRight")
    assert told.inner_text().startswith("Element ")
    press("ArrowUp")
    first = told.inner_text()
    press("Enter")
    assert "element" in person.about()
    press("Control+ArrowLeft")
    assert told.inner_text() != first
    press("Shift+Enter")
    told.filter(has_text=re.compile("^Selected")).wait_for(state="attached")
    for _ in range(3):
        press("ArrowRight")
    press("Shift+ArrowDown")
    person.until(1)
    assert person.history()[0].endswith(" +3,+10")
    assert person.history()[0].count("object@") == 2
    press("f")
    person.until(2)
    press("Control+d")
    person.until(3)
    press("Delete")
    person.until(4)
    assert [text.split()[0] for text in person.history()] == [
        "--move",
        "--flip",
        "--copy",
        "--delete",
    ]
    press("Control+z")
    person.until(3)
    press("?")
    person.page.get_by_role("dialog", name="Keys").wait_for()
    press("Escape")
    person.page.get_by_role("dialog").wait_for(state="detached")


def test_fingers_pick_move_zoom_and_delete(browser, opened):
    for person in at_the_page(browser, opened, NARROW, has_touch=True, is_mobile=True):
        person.open("touch.jpg")
        person.page.touchscreen.tap(*person.at(*TOWER))
        person.button("Delete").first.wait_for()
        person.button("A click adds").click()
        person.page.touchscreen.tap(*person.at(*FAR_TOWER))
        person.button("A click selects anew").click()
        scale = float(view(person)[0])
        touch = person.page.context.new_cdp_session(person.page)
        left, right = person.at(100, 200), person.at(300, 200)
        fingers(touch, "touchStart", left, right)
        fingers(touch, "touchMove", (left[0] - 20, left[1]), (right[0] + 20, right[1]))
        fingers(touch, "touchMove", (left[0] - 40, left[1]), (right[0] + 40, right[1]))
        fingers(touch, "touchEnd")
        person.page.wait_for_timeout(100)
        assert float(view(person)[0]) > 1.5 * scale
        person.button("More").click()
        person.page.get_by_role("heading", name="History").wait_for()
        assert "element" in person.about()
        person.page.locator(".sheet-close button").click()
        start = person.at(*TOWER)
        fingers(touch, "touchStart", start)
        for step in range(1, 5):
            fingers(touch, "touchMove", (start[0] - 6 * step, start[1]))
        fingers(touch, "touchEnd")
        person.until(1)
        assert re.search(r"--move object@\S+\+object@\S+ -\d+,\+0", person.history()[0])
        person.page.locator(".action-bar").get_by_role("button", name="Delete").click()
        person.until(2)
        width = person.page.evaluate("document.documentElement.scrollWidth")
        assert width == NARROW[0]


def view(person: Person) -> list[str]:
    return person.page.locator("[data-stage]").get_attribute("data-view").split()


def fingers(session: Any, kind: str, *places: tuple[float, float]) -> None:
    points = [{"x": x, "y": y, "id": index} for index, (x, y) in enumerate(places)]
    session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})


def test_selections_are_composed_and_by_boxes_lassos_and_brushes(person):
    person.open("selections.jpg")
    person.click(*ROCKET)
    person.about()
    person.click(*FAR_TOWER, "Shift")
    person.click(*TOWER, "Alt")
    person.page.wait_for_timeout(300)
    person.page.keyboard.press("]")
    person.until(1)
    text = person.history()[0]
    assert re.fullmatch(r"--front object@[\d.,]+\+object@[\d.,]+-object@[\d.,]+", text)

    person.page.keyboard.press("m")
    person.drag((425, 95), (485, 410))
    person.about()
    person.page.keyboard.press("]")
    person.until(2)
    assert person.history()[1].startswith("--front object@425,95,485,410")

    person.page.keyboard.press("l")
    person.drag((420, 100), (480, 100), (490, 400), (420, 400))
    person.about()
    person.page.keyboard.press("Delete")
    person.until(3)
    assert person.history()[2] == "--delete mask:selections-mask-1.png"
    assert (person.opened.folder / "selections-mask-1.png").exists()

    person.page.keyboard.press("p")
    person.drag((200, 150), (200, 350))
    person.about()
    person.page.keyboard.press("v")
    person.drag((200, 250), (240, 250))
    person.until(4)
    assert person.history()[3] == "--move mask:selections-mask-2.png +40,+0"

    person.page.keyboard.press("Escape")
    person.page.keyboard.press("Control+a")
    person.about()
    person.page.get_by_label("Name for a group").fill("everything here")
    person.page.keyboard.press("Enter")
    person.until(5)
    assert "everything here" in person.state()["groups"]
    person.button("The photo").click()
    person.until(0)
    assert person.state()["groups"] == {}


def test_things_are_swapped_and_carried_to_another_photo(person):
    person.open("other.jpg")
    person.page.keyboard.press(",")  # less than the object: towers share none of their parts
    person.click(*TOWER)
    person.about()
    person.button("Swap with …").click()
    person.click(*FAR_TOWER)
    person.until(1)
    assert person.history()[0].count(":part") == 2
    person.page.keyboard.press("Control+c")
    person.open("target.jpg")
    person.page.mouse.move(*person.at(100, 100))
    person.page.keyboard.press("Control+v")
    person.until(1)
    assert re.fullmatch(r"--paste other\.h5:\S+ 100,100", person.history()[0])
    person.button("Before and after").click()
    divider = person.page.get_by_role("slider", name="Where the photo ends")
    divider.press("ArrowLeft")
    assert divider.get_attribute("aria-valuenow") == "48"
    person.button("Back to the photo").click()
    person.until(2)


def test_two_tabs_tell_each_other_and_go_on(person):
    person.open("tabs.jpg")
    state = person.state()
    operation = {"operation": "delete", "selection": f"object@{ROCKET[0]},{ROCKET[1]}"}
    url = f"{person.opened.origin}/api/v1/documents/{state['id']}/edits"
    answer = person.page.request.post(url, data={"operations": [operation]})
    assert answer.ok
    person.click(*FAR_TOWER)
    person.about()
    person.page.keyboard.press("Delete")
    person.page.get_by_role("alert").wait_for()
    person.until(1)  # what the other tab did is shown, and nothing was done twice
    person.forgive("409")
    person.page.get_by_role("alert").get_by_role("button", name="Close").click()
    person.click(*FAR_TOWER)
    person.about()
    person.page.keyboard.press("Delete")
    person.until(2)


def test_files_come_in_by_the_button_and_what_is_none_is_told(person):
    person.open("upload.jpg")
    person.button("Photos").click()
    broken = person.opened.folder.parent / "broken.jpg"
    broken.write_bytes(b"no photo at all")
    add(person, broken)
    alert = person.page.get_by_role("alert")
    alert.wait_for()
    assert "broken.jpg" in alert.inner_text()
    person.forgive("415")
    came = person.opened.folder.parent / "came.h5"
    shutil.copy(person.opened.folder / "clean.h5", came)
    add(person, came)
    person.page.get_by_role("dialog").wait_for(state="detached")
    person.page.get_by_role("heading", name="came.h5").wait_for()
    person.settle()
    assert (person.opened.folder / "came.h5").read_bytes() == came.read_bytes()
    assert person.state()["file"] == "came.h5"


def add(person: Person, file: Path) -> None:
    with person.page.expect_file_chooser() as chooser:
        person.button("Add a photo").click()
    chooser.value.set_files(str(file))


def test_a_server_that_is_away_loses_nothing(person):
    person.open("away.jpg")
    person.click(*ROCKET)
    person.about()
    person.page.context.set_offline(True)
    person.page.keyboard.press("Delete")
    alert = person.page.get_by_role("alert")
    alert.wait_for()
    assert "eie does not answer" in alert.inner_text()
    person.settle()
    person.page.context.set_offline(False)
    person.forgive("DISCONNECTED")
    person.click(*ROCKET)
    person.about()
    person.page.keyboard.press("Delete")
    person.until(1)
    assert alert.count() == 0


def slow(person: Person) -> None:
    """Let the server's answers about documents come late from now on."""

    def late(route: Any) -> None:
        person.page.wait_for_timeout(LATE)
        route.continue_()

    person.page.route(re.compile("/(edits|select|undo|redo|labels|objects)($|[?])"), late)


def moved(state: dict[str, Any]) -> dict[int, list[float]]:
    """How far elements are from home, of those that are not there."""
    ways = {
        row["id"]: [round(row["box"][axis] - row["home"][axis], 3) for axis in (0, 1)]
        for row in state["elements"]
    }
    return {identity: way for identity, way in ways.items() if any(way)}


def test_keys_that_outrun_a_slow_server_mean_what_was_edited_last(person):
    person.open("slow.jpg")
    person.click(*FAR_TOWER)
    person.about()
    slow(person)
    press = person.page.keyboard.press
    for _ in range(5):  # so far that nothing of it is where it was clicked
        press("Shift+ArrowRight")
    press("Delete")
    press("Control+z")
    press("Control+y")
    person.until(2)
    assert [text.split()[0] for text in person.history()] == ["--move", "--delete"]
    state = person.state()
    deleted = {row["id"] for row in state["elements"] if not row["visible"]}
    assert deleted
    assert moved(state) == {identity: [50, 0] for identity in deleted}
    assert person.button("Delete").count() == 0  # nothing is selected


def test_a_copy_is_nudged_even_before_a_slow_server_has_made_it(person):
    person.open("slow-copy.jpg")
    before = {row["id"]: row for row in person.state()["elements"]}
    person.click(*FAR_TOWER)
    person.about()
    slow(person)
    press = person.page.keyboard.press
    press("Control+d")
    press("ArrowRight")
    press("ArrowDown")
    person.page.wait_for_timeout(700)  # until no more arrow keys are waited for
    press("Shift+ArrowDown")
    person.page.wait_for_timeout(200)
    press("[")
    person.until(3)
    assert [text.split()[0] for text in person.history()] == ["--copy", "--move", "--back"]
    assert person.history()[1].endswith(" +1,+11")
    after = {row["id"]: row for row in person.state()["elements"]}
    assert len(after) > len(before)
    assert {identity: after[identity] for identity in before} == before
    made = after.keys() - before.keys()
    assert max(after[i]["z"] for i in made) < min(row["z"] for row in before.values())


def test_a_photo_opened_during_an_edit_stays_open_and_the_edit_is_done(person):
    person.open("next.jpg")
    person.open("slow-open.jpg")
    first = person.state()["id"]
    person.click(*FAR_TOWER)
    person.about()
    slow(person)
    person.page.keyboard.press("f")
    person.page.keyboard.press("ArrowRight")
    person.page.keyboard.press("ArrowRight")
    person.button("Photos").click()
    person.page.get_by_role("button", name="next.jpg").click()
    person.page.get_by_role("heading", name="next.jpg").wait_for()
    person.settle()
    person.page.wait_for_timeout(2 * LATE)
    assert person.page.get_by_role("heading", name="next.jpg").count() == 1
    assert person.history() == []
    answer = person.page.request.get(f"{person.opened.origin}/api/v1/documents/{first}")
    texts = [entry["text"] for entry in answer.json()["history"]]
    assert [text.split()[0] for text in texts] == ["--flip", "--move"]
    assert texts[1].endswith(" +2,+0")


def test_every_control_has_a_name(person):
    person.open("names.jpg")
    person.click(*ROCKET)
    person.about()
    nameless = person.page.evaluate(
        """[...document.querySelectorAll('button, input, select, canvas[tabindex]')]
        .filter((control) => !control.ariaLabel && !control.ariaHidden
          && !control.textContent.trim() && !control.labels?.length)
        .map((control) => control.outerHTML)"""
    )
    assert nameless == []
    tree = person.page.locator("body").aria_snapshot()
    for name in ('application "Photo names.jpg"', 'toolbar "Change what is selected"', "slider"):
        assert name in tree


def test_the_view_zooms_at_the_pointer_moves_and_shows_the_photo_before(person):
    person.open("view.jpg")
    whole = view(person)
    place = tuple(map(round, person.at(100, 90)))  # wheels tell whole pixels only
    there = person.under(*place)
    person.page.mouse.move(*place)
    for _ in range(6):
        person.page.mouse.wheel(0, -200)
    person.page.wait_for_timeout(150)
    assert float(view(person)[0]) > 5 * float(whole[0])
    assert person.under(*place) == pytest.approx(there, abs=0.01)
    person.page.keyboard.down(" ")
    person.page.mouse.down()
    person.page.mouse.move(place[0] + 50, place[1] + 20, steps=3)
    person.page.mouse.up()
    person.page.keyboard.up(" ")
    person.page.wait_for_timeout(100)
    assert person.under(place[0] + 50, place[1] + 20) == pytest.approx(there, abs=0.01)
    person.page.keyboard.press("0")
    person.page.wait_for_timeout(100)
    assert view(person) == whole
    assert person.history() == []

    person.click(*ROCKET)
    person.about()
    person.page.keyboard.press("Delete")
    person.until(1)
    person.see()
    after = shade(person, ROCKET)
    person.page.keyboard.down("b")
    person.page.get_by_text("The photo, unedited").wait_for()
    person.page.wait_for_timeout(300)
    before = shade(person, ROCKET)
    person.page.keyboard.up("b")
    person.page.wait_for_timeout(100)
    assert before > after + 50  # the rocket is white, and the sky behind it is not
    assert shade(person, ROCKET) == after


def shade(person: Person, place: tuple[float, float]) -> float:
    """The grey of a pixel of what the canvas shows, 0 to 255."""
    x, y = person.at(*place)
    clip = {"x": x, "y": y, "width": 1, "height": 1}
    with Image.open(BytesIO(person.page.screenshot(clip=clip))) as picture:
        return float(np.asarray(picture.convert("L")).mean())


def test_pointing_outlines_what_a_click_takes(person):
    person.open("hover.jpg")
    person.page.mouse.move(*person.at(*SKY))
    person.page.wait_for_timeout(100)
    beside = drawn_above(person)
    person.page.mouse.move(*person.at(*ROCKET))
    person.page.wait_for_timeout(100)
    rocket = drawn_above(person)
    person.page.mouse.move(10, 10)
    person.page.wait_for_timeout(100)
    nothing = drawn_above(person)
    assert len({beside, rocket, nothing}) == 3
    assert len(nothing) < min(len(beside), len(rocket))


def drawn_above(person: Person) -> str:
    """What is drawn above the picture, as a PNG."""
    return person.page.evaluate("document.querySelector('[data-stage]').toDataURL()")
