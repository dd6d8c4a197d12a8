"""`eie evaluate ablation`: training runs side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from eie.cli.evaluate.options import (
    Csv,
    Every,
    Json,
    Limit,
    ObjectsEvery,
    ReportFolder,
    ScenesEvery,
    Seed,
    Segmenter,
    StoreFolder,
    Workers,
    check_formats,
    command_line,
    hand_out,
    store_folder,
)
from eie.cli.options import Device, Elements, typed


def command(
    context: typer.Context,
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN...", help="Run folders of eie train decoder.")
    ],
    photos: Annotated[Path, typer.Option("--photos", metavar="DIR", help="Photos to reconstruct.")],
    scenes: Annotated[
        Path, typer.Option("--scenes", metavar="DIR", help="Photos that objects are pasted on.")
    ],
    objects: Annotated[
        Path, typer.Option("--objects", metavar="DIR", help="Cut-out objects with alpha.")
    ],
    every: Every = None,
    scenes_every: ScenesEvery = None,
    objects_every: ObjectsEvery = None,
    size: Annotated[
        int | None,
        typer.Option(
            "--size",
            metavar="PIXELS",
            min=64,
            help="Short side of photos to reconstruct and long side of scenes.",
            show_default="512",
        ),
    ] = None,
    elements: Elements = None,
    segmenter: Segmenter = None,
    steps: Annotated[
        int | None,
        typer.Option("--steps", metavar="N", min=1, help="Of denoising.", show_default="50"),
    ] = None,
    limit: Limit = None,
    seed: Seed = None,
    workers: Workers = None,
    device: Device = None,
    store: StoreFolder = None,
    report: ReportFolder = None,
    json: Json = False,
    csv: Csv = False,
) -> None:
    """Judge training runs alike: the paper's ablation table.

    A row a run, called by the switch that it was trained with: joint training (--joint), encoder
    not frozen (--no-freeze), no random partition, no dropout. Photos are reconstructed from
    elements alone; objects pasted on scenes are moved, removed, resized and copied, cut along
    their masks, and the area that this reveals is compared with the truth, as eie evaluate edits
    does. A note says where runs differ in more than their switch.

    \b
      eie evaluate ablation runs/default runs/joint --photos photos --every 20 \\
        --scenes scenes --objects objects --limit 40 --report report
    """
    from eie.evaluate.ablation import (
        AblationSettings,
        ablation_plots,
        evaluate_ablation,
        report_key,
    )
    from eie.evaluate.compositions import plan_compositions
    from eie.evaluate.edit_settings import EditSettings
    from eie.evaluate.photos import chosen_files
    from eie.evaluate.plots import check_plots
    from eie.evaluate.settings import ReconstructionSettings

    check_formats(json, csv)
    if report is not None:
        check_plots()
    cutting = typed(size=size, elements=elements, segmenter=segmenter, device=device)
    settings = AblationSettings(
        reconstruction=ReconstructionSettings(**cutting, **typed(seed=seed, steps=steps)),
        edits=EditSettings(select="exact", **cutting, options=typed(seed=seed, steps=steps)),
        **typed(every=every, limit=limit),
    )
    compositions = plan_compositions(
        [file.path for file in chosen_files(scenes, scenes_every)],
        [file.path for file in chosen_files(objects, objects_every)],
        **typed(limit=limit, seed=seed),
    )
    results = evaluate_ablation(
        runs,
        photos,
        compositions,
        settings,
        store=store_folder(store, report),
        command=command_line(context),
        **typed(workers=workers),
    )
    plots = {} if report is None else ablation_plots(results)
    hand_out(results, json=json, csv=csv, report=report, plots=plots, key=report_key(results))
