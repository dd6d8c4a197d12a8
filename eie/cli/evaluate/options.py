"""Options of the evaluations, each defined here alone; defaults are those of the settings."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import eie
from eie.cli.bundles import ArgumentOptions, counts, names
from eie.cli.input_output import answer, note
from eie.cli.options import Device, Edge, Elements, Model, Segmenter, default_of, option
from eie.errors import UsageError
from eie.evaluate.cases.edit_case import KINDS
from eie.evaluate.cases.pairs import PAIR_KINDS
from eie.evaluate.core.run import Run
from eie.evaluate.settings import ReconstructionSettings

if TYPE_CHECKING:
    from eie.evaluate.reports.results import Results

WIDE = 200
"""Columns of a table that no terminal limits."""

Seed = option(
    int, "Of everything random.", metavar="N", min=0, show_default=str(ReconstructionSettings.seed)
)

Photos = Annotated[Path, typer.Option(metavar="DIR", help="Photos to reconstruct.")]

PASTED = ArgumentOptions(
    dict,
    scenes=option(Path, "Photos that objects are pasted on.", metavar="DIR"),
    objects=option(Path, "Cut-out objects with an alpha channel.", metavar="DIR"),
    scenes_every=option(int, "Only every K-th scene, as --every of photos.", metavar="K", min=1),
    objects_every=option(int, "Only every K-th object, as --every of photos.", metavar="K", min=1),
)
"""The options of objects that are pasted on scenes."""

Pairs = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Instead of both: real photos NAME_1.jpg and NAME_2.jpg of one scene, in which an "
        "object was moved or taken away, and NAME_1_mask.png, NAME_2_mask.png, white on it.",
    ),
]

Kinds = option(
    str,
    "Edits to judge.",
    metavar="NAME,...",
    show_default=f"{','.join(KINDS)}; {','.join(PAIR_KINDS)} of pairs",
    callback=names,
)

Every = option(
    int,
    "Only every K-th file, from the first: those that a training on FOLDER:K leaves out.",
    metavar="K",
    min=1,
)

Limit = option(int, "At most that many cases, spread evenly over all.", metavar="N", min=1)

Workers = option(
    int, "Processes; 0 for this one.", metavar="N", min=0, show_default=str(Run.workers)
)

StoreFolder = option(
    Path,
    "Folder that keeps every finished case: the same command goes on where it stopped.",
    metavar="DIR",
    show_default="results/ in the report's folder",
)

ReportFolder = option(
    Path,
    "Folder for a report page, index.html: tables, plots, and the pictures of the best, "
    "median and worst cases.",
    metavar="DIR",
)

Json = option(bool, "Write the results to standard output as JSON.", "--json")

Csv = option(
    bool,
    "Write the results to standard output as CSV: a row for each case and method, and one "
    "with the case '*' for the means, '*KIND' for those of a kind of case.",
    "--csv",
)

SETTINGS = {
    "decoders": option(
        str,
        "Decoders to judge, as in eie render, or none.",
        "--decoder",
        metavar="NAME,...",
        callback=names,
    ),
    "baselines": option(
        str, "What is compared with, or none; see above.", metavar="NAME,...", callback=names
    ),
    "select": option(
        str,
        "How eie picks the object: by object@x,y at the pixel of it that is farthest "
        "from its border; by mask: with its true mask, the pixels more its own than the "
        "scene's, which baselines are given, too; or with a mask of all that it touches, "
        "undilated (by 3 pixels of pairs), so that decoders have to fill exactly what "
        "baselines have to.",
        metavar="click|mask|exact",
    ),
    "free": option(
        bool,
        "Decode everything from embeddings and boxes, and compare with decoding the "
        "elements unedited.",
        "--free",
    ),
    "edge": Edge,
    "model": Model,
    "segmenter": Segmenter,
    "elements": Elements,
    "counts": option(
        str,
        "Elements asked for; several numbers give a row each, and curves in the report.",
        "--counts",
        "--elements",
        metavar="N,...",
        callback=counts,
    ),
    "beta": option(
        float,
        "As in eie decompose.",
        metavar="B",
        show_default=default_of(eie.decompose, "beta"),
    ),
    "tolerance": option(float, "Of objects, as in eie edit.", metavar="0-1", min=0.0, max=1.0),
    "clicks": option(
        int, "The most on a thing; counted for things that never get so far, too.", metavar="N"
    ),
    "smallest": option(float, "Least area of a thing, as a share of its photo.", metavar="0-1"),
    "size": option(
        int,
        "Short side of photos to reconstruct, longest side of photos to edit.",
        metavar="PX",
        min=32,
    ),
    "shadow": option(bool, "Give pasted objects a soft contact shadow.", "--shadow"),
    "pca_fit": option(
        Path,
        "Photos that the PCA is fitted to.",
        metavar="DIR",
        show_default="for each photo, the others of the evaluation",
    ),
    "lpips_weights": option(
        Path,
        "torchvision's AlexNet or VGG-16 (alexnet-owt-7be5be79.pth), for LPIPS.",
        metavar="FILE",
    ),
    "inception_weights": option(
        Path,
        "torch-fidelity's weights-inception-2015-12-05-6726825d.pth, for FID.",
        metavar="FILE",
    ),
    "steps": option(int, "Of decoders that denoise.", metavar="N", min=1, show_default="their own"),
    "seed": Seed,
    "device": Device,
}
"""The options of settings, by the field that each sets, of whatever evaluation has it."""


@dataclass(frozen=True)
class Output:
    """Where the results of an evaluation go."""

    run: Run
    report: Path | None
    format: str | None

    def check_plots(self) -> None:
        """Find out before the work whether a report's plots can be made.

        Raises:
            MissingModelError: matplotlib is not installed.
        """
        from eie.evaluate.reports.plots import check_plots

        if self.report is not None:
            check_plots()

    def hand_out(self, results: Results) -> None:
        """Show the table and the notes, write the report, and JSON or CSV to standard output."""
        from rich.console import Console

        from eie.evaluate.reports.page import write_report

        if sys.stderr is not None:
            # Into a file, the table goes at the width it needs.
            console = Console(stderr=True, width=None if sys.stderr.isatty() else WIDE)
            console.print(results.table())
            kinds = results.by_group()
            for alone in kinds.values() if len(kinds) > 1 else ():
                console.print(alone.table())
        for line in (*results.notes, *results.incomplete()):
            note(f"note: {line}")
        if self.report is not None:
            note(f"report: {write_report(self.report, results)}")
        if self.format == "json":
            answer(results.to_json().removesuffix("\n"))
        elif self.format == "csv":
            answer(results.to_csv().removesuffix("\n"))


class OutputOptions:
    """The options that every evaluation has, gathered to its :class:`Output`.

    Args:
        every: whether it takes a folder's photos one by one.
    """

    def __init__(self, *, every: bool = True) -> None:
        self.options: Mapping[str, Any] = {
            **({"every": Every} if every else {}),
            "limit": Limit,
            "workers": Workers,
            "store": StoreFolder,
            "report": ReportFolder,
            "json": Json,
            "csv": Csv,
        }

    def gather(self, options: Mapping[str, Any], context: typer.Context) -> Output:
        if options.get("json") and options.get("csv"):
            raise UsageError("--json and --csv go to the same standard output", hint="choose one")
        report = options.get("report")
        store = options.get("store", None if report is None else report / "results")
        taken = {name: options[name] for name in ("every", "limit", "workers") if name in options}
        run = Run(store=store, pictures=store is not None, command=_command_line(context), **taken)
        return Output(run, report, next((f for f in ("json", "csv") if options.get(f)), None))


def _command_line(context: typer.Context) -> str:
    """The command as typed, to be repeated."""
    words = context.find_root().obj
    return context.command_path if words is None else shlex.join(["eie", *words])
