"""`eie evaluate clicks`: how well a few clicks select the things in photos."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from eie.cli.evaluate.options import (
    Csv,
    Every,
    Json,
    Limit,
    ReportFolder,
    Segmenter,
    StoreFolder,
    Workers,
    check_formats,
    command_line,
    hand_out,
    store_folder,
    words,
)
from eie.cli.options import Device, Elements, typed
from eie.evaluate.settings import ClickSettings


def command(
    context: typer.Context,
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR",
            help="Photos with label maps, ID.gt0.png for ID.jpg; things.json tells which labels "
            "are things, without it all are. Or with outlines, ID.json of SA-1B or LabelMe.",
        ),
    ],
    segmenter: Segmenter = None,
    elements: Elements = None,
    tolerance: Annotated[
        float | None,
        typer.Option(
            "--tolerance", metavar="0-1", min=0.0, max=1.0, help="Of objects, as in eie edit."
        ),
    ] = None,
    clicks: Annotated[
        int | None,
        typer.Option(
            "--clicks",
            metavar="N",
            help="The most on a thing; counted for things that never get so far, too.",
            show_default=str(ClickSettings.clicks),
        ),
    ] = None,
    smallest: Annotated[
        float | None,
        typer.Option(
            "--smallest",
            metavar="0-1",
            help="Least area of a thing, as a share of its photo.",
            show_default=str(ClickSettings.smallest),
        ),
    ] = None,
    baselines: Annotated[
        str | None,
        typer.Option(
            "--baselines",
            metavar="NAME,...",
            help="grabcut (SLIC superpixels and OpenCV's GrabCut), or none.",
            show_default=",".join(ClickSettings.baselines),
        ),
    ] = None,
    every: Every = None,
    limit: Limit = None,
    workers: Workers = None,
    device: Device = None,
    store: StoreFolder = None,
    report: ReportFolder = None,
    json: Json = False,
    csv: Csv = False,
) -> None:
    """Select things by clicks, and compare with what people outlined.

    The first click is at a thing's innermost point, and selects object@x,y. Every further one is in
    the middle of the largest connected error: on what is missing it adds +object@x,y, on what is
    too much -object@x,y. IoU: intersection over union after 1, 2 and 3 clicks. NoC@80, NoC@85: the
    clicks until the IoU is .80 or .85, the most allowed where it never is. "best choice of
    elements" takes those of which more than half lies in the thing. Means are over things; label 0
    of a things.json's photo is void and counts as outside. --every and --limit count photos.

    \b
      eie evaluate clicks coco/val --report report
      eie evaluate clicks BSDS500/data/images/val --clicks 20 --json > clicks.json
    """
    from eie.evaluate.clicks import evaluate_clicks, report_key

    check_formats(json, csv)
    settings = ClickSettings(
        **typed(
            segmenter=segmenter,
            elements=elements,
            tolerance=tolerance,
            clicks=clicks,
            smallest=smallest,
            baselines=words(baselines),
            device=device,
        )
    )
    kept = store_folder(store, report)
    results = evaluate_clicks(
        folder,
        settings,
        every=every,
        limit=limit,
        store=kept,
        pictures=kept is not None,
        command=command_line(context),
        **typed(workers=workers),
    )
    hand_out(results, json=json, csv=csv, report=report, plots={}, key=report_key(settings))
