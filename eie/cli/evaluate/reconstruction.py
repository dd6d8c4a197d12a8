"""`eie evaluate reconstruction`: photos from embeddings alone, beside baselines."""

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
    Seed,
    Segmenter,
    StoreFolder,
    Workers,
    check_formats,
    command_line,
    hand_out,
    store_folder,
    words,
)
from eie.cli.options import Device, Elements, Model, typed
from eie.evaluate.settings import ReconstructionSettings


def command(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Photos.")],
    decoder: Annotated[
        str | None,
        typer.Option(
            "--decoder",
            metavar="NAME,...",
            help="Decoders that render from embeddings, as in eie render --free.",
            show_default=",".join(ReconstructionSettings.decoders),
        ),
    ] = None,
    model: Model = None,
    segmenter: Segmenter = None,
    elements: Elements = None,
    size: Annotated[
        int | None,
        typer.Option(
            "--size",
            metavar="PX",
            help="Photos are cut to their central square and resized to this side.",
            show_default=str(ReconstructionSettings.size),
        ),
    ] = None,
    keep_aspect: Annotated[
        bool,
        typer.Option(
            "--keep-aspect", help="Take the whole photo; --size is that of its short side."
        ),
    ] = False,
    baselines: Annotated[
        str | None,
        typer.Option(
            "--baselines",
            metavar="NAME,...",
            help="pca, jpeg and webp, or none: codes of the same size.",
            show_default=",".join(ReconstructionSettings.baselines),
        ),
    ] = None,
    pca_fit: Annotated[
        Path | None,
        typer.Option(
            "--pca-fit",
            metavar="DIR",
            help="Photos that the PCA is fitted to.",
            show_default="for each photo, the others of the evaluation",
        ),
    ] = None,
    lpips_weights: Annotated[
        Path | None,
        typer.Option(
            "--lpips-weights",
            metavar="FILE",
            help="torchvision's AlexNet or VGG-16 (alexnet-owt-7be5be79.pth), for LPIPS.",
        ),
    ] = None,
    inception_weights: Annotated[
        Path | None,
        typer.Option(
            "--inception-weights",
            metavar="FILE",
            help="torch-fidelity's weights-inception-2015-12-05-6726825d.pth, for FID.",
        ),
    ] = None,
    every: Every = None,
    limit: Limit = None,
    steps: Annotated[
        int | None,
        typer.Option(
            "--steps",
            metavar="N",
            min=1,
            help="Of decoders that denoise.",
            show_default="their own",
        ),
    ] = None,
    seed: Seed = None,
    workers: Workers = None,
    device: Device = None,
    store: StoreFolder = None,
    report: ReportFolder = None,
    json: Json = False,
    csv: Csv = False,
) -> None:
    """Reconstruct photos from their embeddings and measure what comes back.

    Baselines are codes of as many bytes: ordinary PCA of 32×32 patches with as many numbers an
    element, laid back by the true masks; JPEG and WebP. An embedding counts 2 bytes a number, a box
    8.

    \b
      eie evaluate reconstruction photos --every 20 --report report
      eie evaluate reconstruction kodak --keep-aspect --json > kodak.json
    """
    from eie.evaluate.plots import check_plots
    from eie.evaluate.reconstruction import (
        evaluate_reconstruction,
        reconstruction_plots,
        report_key,
    )

    check_formats(json, csv)
    settings = ReconstructionSettings(
        fit="keep" if keep_aspect else "crop",
        **typed(
            decoders=words(decoder),
            model=model,
            segmenter=segmenter,
            elements=elements,
            size=size,
            seed=seed,
            steps=steps,
            baselines=words(baselines),
            pca_fit=pca_fit,
            lpips_weights=lpips_weights,
            inception_weights=inception_weights,
            device=device,
        ),
    )
    if report is not None:
        check_plots()
    kept = store_folder(store, report)
    results = evaluate_reconstruction(
        folder,
        settings,
        every=every,
        limit=limit,
        store=kept,
        pictures=kept is not None,
        command=command_line(context),
        **typed(workers=workers),
    )
    plots = {} if report is None else reconstruction_plots(results)
    hand_out(results, json=json, csv=csv, report=report, plots=plots, key=report_key(settings))
