"""The page in a real browser: several tabs, files that come in, a server that is slow or away."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

from tests.open.at_the_page import (
    FAR_TOWER,
    LATE,
    ROCKET,
    Person,
)


def test_two_tabs_tell_each_other_and_go_on(person):
    person.open("tabs.jpg")
    state = person.state()
    operation = {"operation": "delete", "selection": f"object@{ROCKET[0]},{ROCKET[1]}"}
    url = f"{person.served.origin}/api/v1/documents/{state['id']}/edits"
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
    broken = person.served.folder.parent / "broken.jpg"
    broken.write_bytes(b"no photo at all")
    add(person, broken)
    alert = person.page.get_by_role("alert")
    alert.wait_for()
    assert "broken.jpg" in alert.inner_text()
    person.forgive("415")
    came = person.served.folder.parent / "came.h5"
    shutil.copy(person.served.folder / "clean.h5", came)
    add(person, came)
    person.page.get_by_role("dialog").wait_for(state="detached")
    person.page.get_by_role("heading", name="came.h5").wait_for()
    person.settle()
    assert (person.served.folder / "came.h5").read_bytes() == came.read_bytes()
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
    answer = person.page.request.get(f"{person.served.origin}/api/v1/documents/{first}")
    texts = [entry["text"] for entry in answer.json()["history"]]
    assert [text.split()[0] for text in texts] == ["--flip", "--move"]
    assert texts[1].endswith(" +2,+0")
