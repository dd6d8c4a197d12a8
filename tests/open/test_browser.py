"""The page in a real browser: what people do with a mouse, keys and fingers."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.open.at_the_page import (
    EXAMPLES,
    FAR_TOWER,
    NARROW,
    ROCKET,
    SKY,
    TOWER,
    Person,
    at_the_page,
)


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


def test_fingers_pick_move_zoom_and_delete(browser, served):
    for person in at_the_page(browser, served, NARROW, has_touch=True, is_mobile=True):
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
    assert (person.served.folder / "selections-mask-1.png").exists()

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
