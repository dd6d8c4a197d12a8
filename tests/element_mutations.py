"""Element files with something wrong, by seed, and edits that are killed: rule [E12] at length.

    python -m tests.element_mutations 100000         so many mutations of the good samples
    python -m tests.element_mutations 1 --first 4711 one of them, to look into
    python -m tests.element_mutations 0 --kills 500  kill -9 at so many points of edits in place

A mutated file must be refused, or read as it was written, within ten seconds and a gigabyte. A
file whose edit is killed is the old one or the new one.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

import eie
from eie.cli import main
from eie.elements import ElementSet
from eie.errors import BadInputError
from eie.files import load
from eie.files.inspection import check_file
from tests.files.conftest import _differences
from tests.mutations import BYTES, SECONDS, TooLongError, most_memory, mutated, within

GOOD = Path(__file__).parents[1] / "formats" / "samples" / "good"


def read_all(data: bytes) -> ElementSet:
    """An element file's set, with every pixel read."""
    elements = load(data)
    for source in elements.sources:
        if source.pixels is not None:
            np.asarray(source.pixels)
    return elements


def outcome(data: bytes, originals: list[ElementSet]) -> str:
    """How a mutated file ends: "refused", "as written", or what is wrong."""
    started = time.monotonic()
    try:
        with within(3 * SECONDS):
            elements = read_all(data)
    except BadInputError:
        return "refused"
    except TooLongError:
        return "hangs"
    except BaseException as error:
        return f"{type(error).__name__} escapes: {error}"
    if (took := time.monotonic() - started) > SECONDS:
        return f"takes {took:.0f} s"
    if all(_differences(elements, original) for original in originals):
        return "other content than was written"
    return "as written"


def trial(count: int, first: int = 0) -> list[str]:
    """What went wrong with mutations `first` to `first + count - 1`."""
    files = [path.read_bytes() for path in sorted(GOOD.glob("*.h5"))]
    originals = [read_all(data) for data in files]
    endings: Counter[str] = Counter()
    problems = []
    for number in range(first, first + count):
        ending = outcome(mutated(files, number), originals)
        endings[ending] += 1
        if ending not in ("refused", "as written"):
            problems.append(f"{number}: {ending}")
            sys.stderr.write(f"{problems[-1]}\n")
    told = ", ".join(f"{n} {ending}" for ending, n in endings.most_common())
    peak = most_memory()
    sys.stderr.write(f"numbers {first} to {first + count - 1}: {told}; {peak >> 20} MiB at most\n")
    return problems + ([f"memory rose to {peak >> 20} MiB"] if peak > BYTES else [])


def killed(count: int, seed: int = 0) -> list[str]:
    """What went wrong with so many edits in place, each killed at a moment of its own."""
    chance, problems = random.Random(seed), []
    endings: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "e.h5"
        shutil.copy(GOOD / "1.1-edited.h5", file)
        started = time.monotonic()
        if _edit(file, 0):
            raise RuntimeError("the edit does not work")
        duration = time.monotonic() - started
        for number in range(1, count + 1):
            before = file.read_bytes()
            child = os.fork()
            if not child:
                os._exit(_edit(file, number))
            time.sleep(chance.uniform(0, 1.2 * duration))
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            after = file.read_bytes()
            endings["old" if after == before else "new"] += 1
            report = check_file(file)
            steps = len(eie.load(file).history) - len(load(before).history)
            if any(finding.kind == "error" for finding in report.findings) or steps not in (0, 1):
                problems.append(f"kill {number}: neither old nor new")
            if steps:
                _undo(file)
        left = sorted(path.name for path in Path(place).iterdir() if path != file)
    told = ", ".join(f"{n} {ending}" for ending, n in endings.most_common())
    sys.stderr.write(f"{count} kills within {1.2 * duration:.2f} s: {told}; left beside: {left}\n")
    return problems


def _edit(file: Path, number: int) -> int:
    return _command(["edit", str(file), "--move", "all", f"{number % 7 + 1},0"])


def _undo(file: Path) -> None:
    _command(["edit", str(file), "--undo"])


def _command(arguments: list[str]) -> int:
    errors, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    os.close(nothing)
    try:
        main(arguments)
    except SystemExit as stop:
        return int(stop.code or 0)
    finally:
        os.dup2(errors, 2)
        os.close(errors)
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--kills", type=int, default=0)
    given = parser.parse_args()
    wrong = trial(given.count, given.first) if given.count else []
    wrong += killed(given.kills) if given.kills else []
    sys.exit(1 if wrong else 0)
