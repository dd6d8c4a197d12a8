"""`eie open` as a process of its own: how it starts, ends, and what a crash costs."""

from __future__ import annotations

import builtins
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest

import eie
from eie.cli import main
from eie.errors import UsageError
from eie.open.server import Settings, serve, service_for

from .conftest import EXAMPLES, TOKEN, move, over


@dataclass
class Process:
    """A running `eie open`."""

    popen: subprocess.Popen[str]
    client: httpx.Client

    @property
    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.popen.pid).children(recursive=True)


@contextmanager
def running(*arguments: str | Path) -> Iterator[Process]:
    words = [sys.executable, "-m", "eie", "open", *map(str, arguments), "--no-browser"]
    popen = subprocess.Popen(
        [*words, "--token", TOKEN], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert popen.stderr is not None
        line = popen.stderr.readline()
        address = re.fullmatch(r"(http://127\.0\.0\.1:\d+)/\?token=(.+)\n", line)
        assert address and address[2] == TOKEN, line + popen.stderr.read()
        headers = {"Authorization": f"Bearer {TOKEN}"}
        with httpx.Client(base_url=f"{address[1]}/api/v1", headers=headers, timeout=60) as client:
            yield Process(popen, client)
    finally:
        popen.kill()
        popen.wait(30)


def gone(processes: list[psutil.Process]) -> bool:
    return not psutil.wait_procs(processes, timeout=10)[1]


def test_a_photo_is_opened_edited_rendered_and_left_by_interrupt(tmp_path):
    shutil.copy(EXAMPLES / "rocket.jpg", tmp_path / "p.jpg")
    with running(tmp_path / "p.jpg", "--segmenter", "slic", "--elements", "30") as process:
        client = process.client
        opened = client.get("/workspace").json()["opened"]
        state = client.get(f"/documents/{opened}").json()
        assert (state["file"], state["photo"]) == ("p.h5", "p.jpg")
        assert (tmp_path / "p.h5").is_file()
        edited = client.post(f"/documents/{opened}/edits", json={"operations": [move()]})
        assert edited.status_code == 200
        render = client.post(f"/documents/{opened}/renders", json={}).json()
        assert over(client, render["id"])["state"] == "done"
        children = process.children
        assert len(children) >= 2
        with client.stream("GET", f"/renders/{render['id']}/events"):
            process.popen.send_signal(signal.SIGINT)
            assert process.popen.wait(20) == 0
        assert gone(children)
        assert process.popen.stdout.read() == ""
    again = service_for(Settings(tmp_path / "p.jpg"))
    assert again.workspace.folder == tmp_path.resolve()
    assert len(eie.load(tmp_path / "p.h5").history) == 1


def test_a_crash_loses_at_most_the_edit_under_way(tmp_path, element_bytes):
    path = tmp_path / "photo.h5"
    path.write_bytes(element_bytes)
    for _ in range(2):
        done = len(eie.load(path).history)
        with running(path) as process:
            identity = process.client.get("/workspace").json()["opened"]
            children = process.children
            start = time.monotonic()
            answered = 0
            for number in range(50):
                if number == 25:
                    lag = (time.monotonic() - start) / number
                    subprocess.Popen(  # in the middle of one of the next edits
                        ["sh", "-c", f"sleep {4.4 * lag:.3f}; kill -9 {process.popen.pid}"]
                    )
                try:
                    answer = process.client.post(
                        f"/documents/{identity}/edits", json={"operations": [move(shift="+1,0")]}
                    )
                except httpx.HTTPError:
                    break
                assert answer.status_code == 200
                answered += 1
            assert process.popen.wait(20) == -signal.SIGKILL
            assert 25 <= answered < 50
            assert gone(children)
        elements = eie.load(path)
        assert len(elements.history) - done in (answered, answered + 1)
        row = elements.table.id.tolist().index(3)
        assert elements.table.box[row, 0] - elements.home_box[row, 0] == len(elements.history)


def test_an_output_names_the_element_file(tmp_path):
    (tmp_path / "out").mkdir()
    shutil.copy(EXAMPLES / "rocket.jpg", tmp_path / "p.jpg")
    settings = Settings(tmp_path / "p.jpg", output=tmp_path / "out" / "q.h5")
    service = service_for(settings)
    assert service.workspace.folder == (tmp_path / "out").resolve()
    assert service.output == (tmp_path / "out" / "q.h5").resolve()
    assert service.first == (tmp_path / "p.jpg").resolve()


def refused(*arguments: str | Path) -> tuple[int, str]:
    """Exit code and message of a server that does not start."""
    words = [sys.executable, "-m", "eie", "open", *map(str, arguments), "--no-browser"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120)
    assert done.stdout == "" and "Traceback" not in done.stderr
    return done.returncode, done.stderr


def test_what_cannot_be_opened_is_told(tmp_path):
    (tmp_path / "p.jpg").write_bytes(b"\xff\xd8\xffhello")
    code, told = refused(tmp_path / "p.jpg")
    assert code == 3 and told.startswith("eie: p.jpg: ")
    assert list(tmp_path.iterdir()) == [tmp_path / "p.jpg"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("none.jpg",), 3, "there is no such file"),
        (("--host", "0.0.0.0"), 2, "--token"),
        (("--token", "short"), 2, "8 to 128"),
        (("--token", "with blanks in it"), 2, "8 to 128"),
        (("--token", "ümlaute-sind-keine"), 2, "8 to 128"),
        (("--host", "no.such.host.invalid", "--token", TOKEN), 2, "--host"),
        (("--port", "70000"), 2, "--port"),
        ((".", "-o", "x.h5"), 2, "leave out -o"),
    ],
)
def test_senseless_options(tmp_path, monkeypatch, capsys, arguments, code, words):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        main(["open", *arguments, "--no-browser"])
    assert stop.value.code == code
    assert words in capsys.readouterr().err


def test_a_port_that_is_taken_is_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError) as refused:
            serve(Settings(tmp_path, port=port, browser=False), print)
    assert f"--port {port}" in str(refused.value)


def test_without_the_extra_the_command_says_what_to_install(monkeypatch, capsys):
    real = builtins.__import__

    def without(name: str, *rest: object, **more: object) -> object:
        if name.split(".")[0] == "uvicorn":
            raise ModuleNotFoundError("No module named 'uvicorn'", name="uvicorn")
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(SystemExit) as stop:
        main(["open"])
    assert stop.value.code == 4
    assert "pip install 'eie[open]'" in capsys.readouterr().err


def test_the_browser_gets_the_address(tmp_path, monkeypatch):
    import webbrowser

    asked: list[str] = []
    told: list[str] = []

    def open_(address: str) -> bool:
        asked.append(address)
        os.kill(os.getpid(), signal.SIGINT)
        return True

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(webbrowser, "open", open_)
    monkeypatch.setenv("DISPLAY", ":0")
    serve(Settings(tmp_path), told.append)
    assert asked == told[:1]
    address = re.fullmatch(r"http://127\.0\.0\.1:\d+/\?token=([\w-]+)", asked[0])
    assert address and len(address[1]) >= 32


def test_neither_server_nor_workers_load_torch():
    program = (
        "import sys, eie.open.server, eie.open.worker; eie.open.worker.prepare(); "
        "print(sorted({'torch', 'diffusers', 'torchvision', 'skimage'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr
