from __future__ import annotations

import threading
import time
from pathlib import Path

from eie.files import write_atomically
from eie.files.atomic import exclusive


def test_of_many_that_add_to_a_file_none_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "count"
    path.write_text("0")

    def add() -> None:
        for _ in range(20):
            with exclusive(path):
                count = int(path.read_text())
                with write_atomically(path) as handle:  # the file is another one from here on
                    handle.write(str(count + 1).encode())

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_text() == "80"


def test_who_waits_is_told_once(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("")
    told: list[int] = []
    held = threading.Event()

    def hold() -> None:
        with exclusive(path):
            held.set()
            time.sleep(0.2)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    with exclusive(path, lambda: told.append(1)):
        assert told == [1]
    thread.join()
    with exclusive(path, lambda: told.append(2)), exclusive(tmp_path / "none"):
        assert told == [1]
