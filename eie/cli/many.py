"""Commands on many inputs: the options they share, and what a person sees of a run."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eie.cli.bundles import ArgumentOptions
from eie.cli.input_output import ELEMENT_FILES, PICTURES, note
from eie.cli.options import option, typed
from eie.errors import BadInputError, EieError, UsageError
from eie.files.stores import AnyPath, path_of
from eie.files.streams import STREAM

if TYPE_CHECKING:
    from eie.batch import Job, Report, Step

LINE_SECONDS = 30.0
"""How often progress is told where standard error is no terminal."""

SHOWN_SECONDS = 0.2
"""How often it is shown where it is one."""

Workers = option(
    int,
    "Processes that share the work, with one thread each.",
    metavar="N",
    min=1,
    show_default="1; of a cluster its cores",
)

EngineOption = option(
    str,
    "Where these processes are: on this machine, or on the machines of a Ray cluster, "
    "which RAY_ADDRESS names; without it Ray is started here.",
    metavar="local|ray",
    show_default="local",
)

Recursive = Annotated[
    bool, typer.Option("--recursive", "-r", help="Search folders to their depth, hidden ones not.")
]

ShardOption = option(
    str,
    "Do the K-th of N parts only, each with a manifest of its own: for N machines that "
    "see the same files.",
    metavar="K/N",
)


@dataclass(frozen=True)
class Many:
    """The options that all commands on many inputs have, as typed."""

    workers: int | None = None
    engine: str | None = None
    recursive: bool = False
    shard: str | None = None


MANY = ArgumentOptions(
    Many, workers=Workers, engine=EngineOption, recursive=Recursive, shard=ShardOption
)


def single(names: Sequence[str] | None, many: Many) -> str | None:
    """The one input that is named, None for standard input; options of many are refused.

    Raises:
        UsageError: one of them was typed.
    """
    for name, value in asdict(many).items():
        if value:
            raise UsageError(
                f"--{name} is for several inputs, a folder or a pattern",
                hint="leave it out, or name more, with a folder for -o",
            )
    return names[0] if names else None


def folder_for(names: Sequence[str], output: str | None, noun: str) -> AnyPath:
    """The folder that many outputs go to.

    Raises:
        UsageError: none is named, or what is named is a stream or like a file.
        BadInputError: the same where the only input is a folder, which is no file.
    """
    if output is not None and output != STREAM:
        folder = path_of(output)
        named = folder.suffix.lower() in (*PICTURES, *ELEMENT_FILES[1:])
        if not named or folder.is_dir():
            return folder
    hint = "name it with -o"
    if len(names) == 1 and Path(names[0]).is_dir():
        message = "is a folder, and what is made of its files goes to a folder"
        raise BadInputError(message, where=names[0], hint=hint)
    raise UsageError(f"several {noun} need a folder for what is made", hint=hint)


def work_through(
    job: Job,
    names: Sequence[str],
    output: str | None,
    noun: str,
    many: Many,
) -> None:
    """Do a job on many inputs, tell of it, and leave with the exit code of the failures, if any."""
    from eie.batch import Report, Shard, plan, run_job

    if STREAM in names:
        raise UsageError("standard input is one file, not one of several", hint="leave out '-'")
    folder = folder_for(names, output, noun)
    shard = Shard() if many.shard is None else Shard.parse(many.shard)
    items = plan(job, names, folder, recursive=many.recursive)
    report, shown = Report(), _Progress(noun)
    steps = run_job(
        job,
        items,
        folder,
        workers=many.workers,
        shard=shard,
        waiting=lambda: note(f"{folder}: waiting for another run that writes there"),
        **typed(engine=many.engine),
    )
    try:
        for step in steps:
            report.take(step)
            _tell(step, shown)
    except KeyboardInterrupt:
        shown.clear()
        steps.close()  # type: ignore[attr-defined]
        note(f"{_summary(report, noun)}; stopped, the same command goes on")
        raise
    except EieError:
        shown.clear()
        if report.total:
            note(_summary(report, noun))
        raise
    finally:
        shown.clear()
    note(f"{_summary(report, noun)} in {_duration(shown.seconds)}{shown.rate}")
    if report.code:
        note(f'{folder}: the lines with "failed" in its manifest tell which, and why')
        raise typer.Exit(report.code)


def _tell(step: Step, shown: _Progress) -> None:
    lines = [f"{step.item.path}: {text}" for text in step.notes]
    if step.reason is not None:
        name = str(step.item.path)
        said = step.reason.startswith(name)
        lines.append(step.reason if said else f"{name}: {step.reason}")
    if lines:
        shown.clear()
    for line in lines:
        note(line)
    shown.show(step)


def _summary(report: Report, noun: str) -> str:
    parts = [f"{report.states[name]} {name}" for name in ("done", "skipped", "failed")]
    told = [part for part in parts if not part.startswith("0 ")] or ["nothing done"]
    return f"{', '.join(told)} of {report.total} {noun}"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


class _Progress:
    """How far a run is, how fast, and how long it will go on, on standard error."""

    def __init__(self, noun: str) -> None:
        self.noun = noun
        self.start = self.last = time.monotonic()
        self.worked = 0
        self.shown = False
        self.terminal = sys.stderr is not None and sys.stderr.isatty()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.start

    @property
    def rate(self) -> str:
        """Of what was done, not skipped."""
        if not self.worked or not self.seconds:
            return ""
        rate = self.worked / self.seconds
        return f", {rate:.1f} a second" if rate >= 0.95 else f", {1 / rate:.1f} s each"

    def show(self, step: Step) -> None:
        self.worked += step.state != "skipped"
        every = SHOWN_SECONDS if self.terminal else LINE_SECONDS
        if time.monotonic() - self.last < every or step.count == step.total:
            return
        self.last = time.monotonic()
        left = self.seconds / step.count * (step.total - step.count)
        if self.worked:
            left = self.seconds / self.worked * (step.total - step.count)
        line = f"{step.count} of {step.total} {self.noun}{self.rate}, {_duration(left)} left"
        if self.terminal:
            self._write(f"\r\x1b[K{line}")
            self.shown = True
        else:
            note(line)

    def clear(self) -> None:
        if self.shown:
            self._write("\r\x1b[K")
            self.shown = False

    @staticmethod
    def _write(text: str) -> None:
        if sys.stderr is not None:
            with suppress(OSError):
                sys.stderr.write(text)
                sys.stderr.flush()
