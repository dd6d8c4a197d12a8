"""`eie evaluate segmentation`: elements against human segmentations."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import eie
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
    numbers,
    store_folder,
    words,
)
from eie.cli.options import Device, default_of, typed
from eie.evaluate.settings import SegmentationSettings


def command(
    context: typer.Context,
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR",
            help="Photos with human segmentations: ID.gtK.png or BSDS500's ID.mat for ID.jpg.",
        ),
    ],
    truth: Annotated[
        Path | None,
        typer.Option(
            "--truth",
            metavar="DIR",
            help="Folder of the segmentations.",
            show_default="DIR, or groundTruth beside images as BSDS500 has it",
        ),
    ] = None,
    segmenter: Segmenter = None,
    counts: Annotated[
        str | None,
        typer.Option(
            "--counts",
            "--elements",
            metavar="N,...",
            help="Elements asked for; several numbers give a row each, and curves in the report.",
            show_default=",".join(map(str, SegmentationSettings.counts)),
        ),
    ] = None,
    beta: Annotated[
        float | None,
        typer.Option(
            "--beta",
            metavar="B",
            help="As in eie decompose.",
            show_default=default_of(eie.decompose, "beta"),
        ),
    ] = None,
    baselines: Annotated[
        str | None,
        typer.Option(
            "--baselines",
            metavar="NAME,...",
            help="slic (scikit-image), seeds and lsc (OpenCV's contrib modules), or none.",
            show_default=",".join(SegmentationSettings.baselines),
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
    """Compare elements and superpixels with what people saw.

    Boundary recall: share of the human border pixels with a border pixel of the partition in the
    square of 5×5 pixels around; a border pixel is one whose right or lower neighbour belongs to
    something else. Undersegmentation error: Neubert and Protzel's, as a share of the pixels.
    Achievable accuracy: share of pixels that are right if every element takes its best segment's
    label. These are means over the people who segmented a photo. Explained variation: share of the
    colours' variance that the elements' mean colours explain. Compactness: isoperimetric quotient,
    mean weighted by area. Photos keep their size.

    \b
      eie evaluate segmentation BSDS500/data/images/val --report report
      eie evaluate segmentation bsds/val --counts 64,128,256,512 --json > curves.json
    """
    from eie.evaluate.partitions import (
        evaluate_segmentation,
        report_key,
        segmentation_plots,
    )
    from eie.evaluate.plots import check_plots

    check_formats(json, csv)
    settings = SegmentationSettings(
        **typed(
            segmenter=segmenter,
            counts=numbers(counts, "--counts"),
            beta=beta,
            baselines=words(baselines),
            device=device,
        )
    )
    if report is not None and len(settings.counts) > 1:
        check_plots()
    kept = store_folder(store, report)
    results = evaluate_segmentation(
        folder,
        settings,
        truth=truth,
        every=every,
        limit=limit,
        store=kept,
        pictures=kept is not None,
        command=command_line(context),
        **typed(workers=workers),
    )
    plots = {} if report is None else segmentation_plots(results, settings)
    hand_out(results, json=json, csv=csv, report=report, plots=plots, key=report_key(settings))
