"""How the page of `eie open` answers a hand: outlines, frames of a drag, the first fill; weight.

    python -m benchmarks.page [--output build/bench]

In headless Chromium, on a 12-megapixel photo of 256 elements (an example, enlarged), and the fill
on the example itself. Outlines are timed from the pointer's event to the line's drawing, inside
the page; frames are those that Chromium's own trace says were drawn.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks import run

PHOTO = Path(__file__).parents[1] / "examples" / "rocket.jpg"
LARGE = (4240, 2829)
"""12 megapixels."""

WINDOW = {"width": 1440, "height": 900}
HOLE = 20_000
"""Pixels of the hole whose fill is timed."""

DRAG_SECONDS = 3.0
ROUNDS = 3
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
PRESENTED = "AnimationFrame::Presentation"
"""What the trace calls a frame that has come to the screen."""

HOVER_LIMIT, FRAMES_LIMIT, FILL_LIMIT, WEIGHT_LIMIT = 50.0, 50.0, 1.5, 400.0

WATCH = """
window.seen = { outlines: [], released: 0, filled: 0 };
let moved = 0;
addEventListener("pointermove", (event) => { moved = event.timeStamp; }, true);
addEventListener("pointerup", () => { seen.released = performance.now(); seen.filled = 0; }, true);
const stroke = CanvasRenderingContext2D.prototype.stroke;
CanvasRenderingContext2D.prototype.stroke = function (...given) {
  stroke.apply(this, given);
  if (moved) seen.outlines.push(performance.now() - moved);
  moved = 0;
};
let filling = false;
new MutationObserver(() => {
  const text = document.querySelector(".notices")?.textContent ?? "";
  if (filling && !text.includes("Filling")) seen.filled ||= performance.now();
  filling = text.includes("Filling");
}).observe(document, { subtree: true, childList: true, characterData: true });
"""

WEIGH = """
const all = performance.getEntriesByType("resource").filter((one) => !one.name.includes("/api/"));
[...performance.getEntriesByType("navigation"), ...all]
  .reduce((sum, one) => sum + one.transferSize, 0)
"""


def measure() -> dict[str, float | str]:
    """Medians, and what they are to be at most, or of frames at least."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("there is no chromium on the PATH")
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        shutil.copy(PHOTO, folder / "small.jpg")
        with Image.open(PHOTO) as photo:
            photo.resize(LARGE, Image.Resampling.LANCZOS).save(folder / "large.jpg", quality=92)
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        with served(folder) as address:
            page = browser.new_page(viewport=WINDOW)
            page.add_init_script(WATCH)
            page.goto(address)
            show(page, "large.jpg")
            weight = page.evaluate(WEIGH)
            outlines = hover(page)
            frames = drag(browser, page)
            large_fill = fill(page, pick(page), 150)
            show(page, "small.jpg")
            # Each time to another place: what was seen before is shown at once.
            fills = [fill(page, lasso(page), 150 + 10 * k) for k in range(ROUNDS)]
        browser.close()
    return {
        "hover_to_outline_ms": statistics.median(outlines),
        "hover_to_outline_ms_limit": HOVER_LIMIT,
        "drag_frames_per_s": frames,
        "drag_frames_per_s_least": FRAMES_LIMIT,
        "first_fill_s": statistics.median(fills),
        "first_fill_s_limit": FILL_LIMIT,
        "first_fill_12mp_s": large_fill,
        "page_kb": weight / 1000,
        "page_kb_limit": WEIGHT_LIMIT,
    }


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """A running `eie open`; its address."""
    command = [sys.executable, "-m", "eie", "open", str(folder), "--no-browser"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ)
    try:
        found = next(
            filter(None, (re.search(r"http://\S+", line) for line in process.stderr or ()))
        )
        yield found[0]
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def show(page: Any, name: str) -> None:
    """Open a photo of the folder; the dialog is there when none is open yet."""
    dialog = page.get_by_role("dialog", name="Photos")
    page.locator("main[aria-busy=false]").wait_for()
    if not dialog.count():
        page.get_by_role("button", name="Photos", exact=True).click()
    page.get_by_role("button", name=name).click()
    page.get_by_role("heading", name=name).wait_for(timeout=120_000)
    idle(page)


def idle(page: Any) -> None:
    page.locator("main[aria-busy=false] [data-view]").wait_for(timeout=120_000)


def rendered(page: Any) -> None:
    page.locator(".notice.faint").wait_for(timeout=120_000)


def state(page: Any) -> dict[str, Any]:
    origin, _, identity = page.url.partition("/?file=")
    answer: dict[str, Any] = page.request.get(f"{origin}/api/v1/documents/{identity}").json()
    return answer


def at(page: Any, x: float, y: float) -> tuple[float, float]:
    """A place of the photo in the window."""
    stage = page.locator("[data-stage]")
    scale, left, top = map(float, stage.get_attribute("data-view").split())
    box = stage.bounding_box()
    return box["x"] + left + x * scale, box["y"] + top + y * scale


def hover(page: Any) -> list[float]:
    """Milliseconds from pointing at another element to its object's outline."""
    for element in state(page)["elements"][::3]:
        page.mouse.move(*at(page, element["box"][0], element["box"][1]))
        page.wait_for_timeout(30)
    found: list[float] = page.evaluate("seen.outlines")
    return found


def middle_element(page: Any) -> list[float]:
    """The box of the element nearest to the middle of the photo."""
    told = state(page)
    x, y = told["canvas"]["width"] / 2, told["canvas"]["height"] / 2
    boxes = [element["box"] for element in told["elements"]]
    return min(boxes, key=lambda box: (box[0] - x) ** 2 + (box[1] - y) ** 2)


def told(page: Any) -> None:
    page.locator(".about").filter(has_text=re.compile(r"\d")).wait_for(timeout=120_000)


def pick(page: Any) -> tuple[float, float]:
    """Select what a click on the middle takes, and less of it; the place."""
    x, y, *_ = middle_element(page)
    page.keyboard.press("Escape")
    page.mouse.click(*at(page, x, y))
    page.keyboard.press(",")
    told(page)
    return x, y


def lasso(page: Any) -> tuple[float, float]:
    """Select HOLE pixels around the middle by a lasso; the place."""
    x, y, *_ = middle_element(page)
    half = HOLE**0.5 / 2
    page.keyboard.press("Escape")
    page.keyboard.press("l")
    page.mouse.move(*at(page, x - half, y - half))
    page.mouse.down()
    for across, down in ((1, -1), (1, 1), (-1, 1)):
        page.mouse.move(*at(page, x + across * half, y + down * half), steps=3)
    page.mouse.up()
    told(page)
    page.keyboard.press("v")
    return x, y


def drag(browser: Any, page: Any) -> float:
    """Frames a second that are drawn while something is dragged to and fro."""
    start = at(page, *pick(page))
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(start[0] + 20, start[1])
    browser.start_tracing(page=page, categories=["devtools.timeline.frame", "devtools.timeline"])
    begun = time.perf_counter()
    step = 0
    while time.perf_counter() - begun < DRAG_SECONDS:
        step += 1
        page.mouse.move(start[0] + 20 + step % 200, start[1] + step % 31)
    trace = json.loads(browser.stop_tracing())
    page.keyboard.press("Escape")
    page.mouse.up()
    times = sorted(e["ts"] for e in trace["traceEvents"] if e["name"] == PRESENTED)
    return (len(times) - 1) / ((times[-1] - times[0]) / 1e6)


def fill(page: Any, start: tuple[float, float], way: int) -> float:
    """Seconds from letting go to the first picture of the fill."""
    page.mouse.move(*at(page, *start))
    page.mouse.down()
    scale = float(page.locator("[data-stage]").get_attribute("data-view").split()[0])
    page.mouse.move(*at(page, start[0] + way / scale, start[1]), steps=5)
    page.mouse.up()
    for _ in range(600):  # Playwright's own waiting evaluates texts, which the page refuses
        page.wait_for_timeout(100)
        seconds: float = page.evaluate("(seen.filled - seen.released) / 1000")
        if seconds > 0:
            break
    else:
        sys.exit("there is no fill")
    rendered(page)
    page.keyboard.press("Control+z")
    idle(page)
    return seconds


if __name__ == "__main__":
    run("page", __doc__, measure)
