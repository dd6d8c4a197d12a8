"""What `eie open` costs: memory at rest, answers, the first fill after an edit, and a crowd.

    python -m benchmarks.open [--output build/bench]

Milliseconds and seconds are medians as a client on the same machine sees them; megabytes are the
resident memory of the server and its workers together, shared pages counted in each.
"""

from __future__ import annotations

import io
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
from PIL import Image
from skimage import data

from benchmarks import run

TOKEN = "token-of-the-benchmark"
ROUNDS = 9
CLIENTS, REQUESTS = 50, 20
RESTS = 40.0
"""Seconds until processes that hold much have made place for others."""


def measure() -> dict[str, float | str]:
    """All figures."""
    found: dict[str, float | str] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_photos(folder)
        with serving(folder) as (client, server):
            small, large = (opened(client, f"{size}.png") for size in ("small", "large"))
            time.sleep(RESTS)
            found["rest_mb"] = megabytes(server)
            found |= answers(client, small, "small") | answers(client, large, "large")
            found["first_fill_s"] = first_fill(client, small)
            found["crowd_s"] = crowd(client)
            time.sleep(RESTS)
            found["rest_after_crowd_mb"] = megabytes(server)
    return found


def write_photos(folder: Path) -> None:
    """A photo of 512×384 pixels and the same at 12 megapixels, with noise."""
    photo = Image.fromarray(data.coffee()).resize((512, 384), Image.Resampling.LANCZOS)
    photo.save(folder / "small.png")
    photo.resize((128, 96)).save(folder / "crowd.png")
    pixels = np.asarray(photo.resize((4000, 3000), Image.Resampling.BICUBIC)).astype(np.int16)
    pixels += np.random.default_rng(0).integers(-6, 7, pixels.shape, dtype=np.int16)
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / "large.png")


@contextmanager
def serving(folder: Path) -> Iterator[tuple[httpx.Client, psutil.Process]]:
    """A client of a server on a folder, and the server's process."""
    words = [sys.executable, "-m", "eie", "open", str(folder), "--no-browser", "--token", TOKEN]
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    try:
        line = process.stderr.readline() if process.stderr else ""
        address = re.match(r"(http://[^/]+)/", line)
        if address is None:
            raise SystemExit(f"the server did not start: {line}")
        headers = {"Authorization": f"Bearer {TOKEN}"}
        limits = httpx.Limits(max_connections=2 * CLIENTS)
        base = f"{address[1]}/api/v1"
        with httpx.Client(base_url=base, headers=headers, timeout=600, limits=limits) as client:
            yield client, psutil.Process(process.pid)
    finally:
        if process.poll() is not None:
            print(f"the server ended with {process.returncode}", flush=True)
        process.kill()
        process.wait()


def opened(client: httpx.Client, photo: str) -> str:
    """The address of a photo's document."""
    state = checked(client.post("/documents", json={"photo": photo})).json()
    return f"/documents/{state['id']}"


def checked(answer: httpx.Response) -> httpx.Response:
    answer.raise_for_status()
    return answer


def megabytes(server: psutil.Process) -> float:
    """What the server and all that it started hold."""
    team = [server, *server.children(recursive=True)]
    return sum(process.memory_info().rss for process in team) / 1e6


def answers(client: httpx.Client, document: str, name: str) -> dict[str, float | str]:
    """Milliseconds of what a page asks for after each edit."""
    asked: dict[str, Callable[[], httpx.Response]] = {
        "edit": lambda: edit(client, document, "12", "+1,0"),
        "labels": lambda: client.get(f"{document}/labels"),
        "objects": lambda: client.get(f"{document}/objects"),
        "select": lambda: client.post(f"{document}/select", json={"selection": "object@50%,50%"}),
    }
    times: dict[str, list[float]] = {what: [] for what in asked}
    for _ in range(ROUNDS):
        for what, ask in asked.items():
            start = time.perf_counter()
            checked(ask())
            times[what].append(time.perf_counter() - start)
    return {f"{name}_{what}_ms": 1000 * statistics.median(all_) for what, all_ in times.items()}


def edit(client: httpx.Client, document: str, selection: str, shift: str) -> httpx.Response:
    move = {"operation": "move", "selection": selection, "shift": shift}
    return checked(client.post(f"{document}/edits", json={"operations": [move]}))


def first_fill(client: httpx.Client, document: str) -> float:
    """Seconds from letting go of what leaves a hole of some 20,000 pixels to the picture."""
    white = np.zeros((384, 512), dtype=np.uint8)
    white[150:283, 150:290] = 255
    stream = io.BytesIO()
    Image.fromarray(white).save(stream, "PNG")
    mask = checked(client.post(f"{document}/masks", content=stream.getvalue())).json()["selection"]
    edit(client, document, mask, "+1,0")
    checked(client.post(f"{document}/undo", json={}))
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        edit(client, document, mask, "+150,0")
        rendered(client, document)
        times.append(time.perf_counter() - start)
        checked(client.post(f"{document}/undo", json={}))
    return statistics.median(times)


def rendered(client: httpx.Client, document: str) -> None:
    """A quick render, followed as the page does, and its picture."""
    asked = checked(client.post(f"{document}/renders", json={"quick": True})).json()["id"]
    told: dict[str, Any] = {}
    with client.stream("GET", f"/renders/{asked}/events") as answer:
        for line in answer.iter_lines():
            if line.startswith("data: "):
                told = json.loads(line.removeprefix("data: "))
    if told["state"] != "done":
        raise SystemExit(f"a render has {told['state']}: {told['error']}")
    checked(client.get(f"/renders/{asked}/pictures/0", params={"side": 1600}))


def crowd(client: httpx.Client) -> float:
    """Seconds that many clients take who select, edit and render, each a document of its own."""
    source = opened(client, "crowd.png")
    content = checked(client.get(f"{source}/download", params={"format": "h5"})).content
    documents = []
    for number in range(CLIENTS):
        name = {"name": f"crowd-{number}-copy.h5"}
        state = checked(client.post("/documents/upload", params=name, content=content)).json()
        documents.append(f"/documents/{state['id']}")

    def work(document: str) -> None:
        for number in range(REQUESTS):
            if number % 3 == 0:
                body = {"selection": "object@50%,50%"}
                checked(client.post(f"{document}/select", json=body))
            elif number % 3 == 1:
                edit(client, document, "3", "+1,0")
            else:
                rendered(client, document)

    start = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(work, documents))
    return time.perf_counter() - start


if __name__ == "__main__":
    run("open", __doc__, measure)
