"""What the commands of `eie evaluate` share: their options, and how they hand out results."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import eie
from eie.cli.options import default_of
from eie.cli.payload import answer, note
from eie.errors import UsageError

if TYPE_CHECKING:
    from eie.evaluate.results import Results

WIDE = 200
"""Columns of a table that no terminal limits."""

Json = Annotated[bool, typer.Option("--json", help="Write the results to standard output as JSON.")]

Csv = Annotated[
    bool,
    typer.Option(
        "--csv",
        help="Write the results to standard output as CSV: a row for each case and method, and one "
        "with the case '*' for the means, '*KIND' for those of a kind of case.",
    ),
]

ReportFolder = Annotated[
    Path | None,
    typer.Option(
        "--report",
        metavar="DIR",
        help="Folder for a report page, index.html: tables, plots, and the pictures of the best, "
        "median and worst cases.",
    ),
]

StoreFolder = Annotated[
    Path | None,
    typer.Option(
        "--store",
        metavar="DIR",
        help="Folder that keeps every finished case: the same command goes on where it stopped.",
        show_default="results/ in the report's folder",
    ),
]

Limit = Annotated[
    int | None,
    typer.Option(
        "--limit", metavar="N", min=1, help="At most that many cases, spread evenly over all."
    ),
]

Every = Annotated[
    int | None,
    typer.Option(
        "--every",
        metavar="K",
        min=1,
        help="Only every K-th file, from the first: those that a training on FOLDER:K leaves out.",
    ),
]

Seed = Annotated[
    int | None,
    typer.Option("--seed", metavar="N", min=0, help="Of everything random.", show_default="0"),
]

Workers = Annotated[
    int | None,
    typer.Option(
        "--workers", metavar="N", min=0, help="Processes; 0 for this one.", show_default="0"
    ),
]


EVERY = "Only every K-th of them, from the first: those that a training on FOLDER:K leaves out."

ScenesEvery = Annotated[int | None, typer.Option("--scenes-every", metavar="K", min=1, help=EVERY)]

ObjectsEvery = Annotated[
    int | None, typer.Option("--objects-every", metavar="K", min=1, help=EVERY)
]

Segmenter = Annotated[
    str | None,
    typer.Option(
        "--segmenter",
        metavar="NAME|CHECKPOINT",
        help="What cuts the photos, as in eie decompose.",
        show_default=default_of(eie.decompose, "segmenter"),
    ),
]


def command_line(context: typer.Context) -> str:
    """The command as typed, to be repeated."""
    arguments = context.find_root().obj
    if arguments is None:
        return context.command_path
    return shlex.join(["eie", *arguments])


def check_formats(json: bool, csv: bool) -> None:
    """Refuse two formats on one standard output.

    Raises:
        UsageError: for both.
    """
    if json and csv:
        raise UsageError("--json and --csv go to the same standard output", hint="choose one")


def numbers(text: str | None, option: str) -> tuple[int, ...] | None:
    """Whole numbers between commas.

    Raises:
        UsageError: something else is among them.
    """
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise UsageError(f"'{text}' are not whole numbers", where=option, hint="as in 64,128,256")
    return tuple(int(part) for part in parts)


def words(text: str | None) -> tuple[str, ...] | None:
    """Names between commas; "none" is no name at all."""
    if text is None:
        return None
    return () if text.strip() == "none" else tuple(part.strip() for part in text.split(","))


def store_folder(store: Path | None, report: Path | None) -> Path | None:
    """Where finished cases are kept: as asked, else with the report, else nowhere."""
    if store is None and report is not None:
        return report / "results"
    return store


def hand_out(
    results: Results,
    *,
    json: bool,
    csv: bool,
    report: Path | None,
    plots: Mapping[str, bytes],
    key: tuple[str, str],
) -> None:
    """Show the table and the notes, write the report, and JSON or CSV to standard output."""
    from rich.console import Console

    from eie.evaluate.report import write_report

    if sys.stderr is not None:
        # Into a file, the table goes at the width it needs.
        console = Console(stderr=True, width=None if sys.stderr.isatty() else WIDE)
        console.print(results.table())
        kinds = results.by_group()
        for alone in kinds.values() if len(kinds) > 1 else ():
            console.print(alone.table())
    for line in (*results.notes, *results.incomplete()):
        note(f"note: {line}")
    if report is not None:
        note(f"report: {write_report(report, results, plots, key)}")
    if json:
        answer(results.to_json().removesuffix("\n"))
    elif csv:
        answer(results.to_csv().removesuffix("\n"))
