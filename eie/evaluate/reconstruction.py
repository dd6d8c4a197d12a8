"""`eie evaluate reconstruction`: photos from embeddings alone, beside codes of the same size.

photo ⇒ elements ⇒ embeddings in half precision ⇒ picture, by every decoder (paper §4.1, table 1)
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from eie.errors import MissingModelError, UsageError
from eie.evaluate.core.case_result import CaseResult
from eie.evaluate.core.choices import check_decoders, check_names
from eie.evaluate.core.run import Run, run_cases
from eie.evaluate.measures.similarity import (
    MS_SSIM_SMALLEST,
    check_installed,
    load_inception,
    load_lpips,
)
from eie.evaluate.measures.table import measures
from eie.evaluate.reconstruction_case import (
    INCEPTION,
    LITE0,
    PHOTO,
    PartitionCase,
    ReconstructionCase,
    by_name,
    fit_pca,
    recorded_settings,
    store_of,
)
from eie.evaluate.reports.results import Results
from eie.evaluate.settings import BASELINES, ReconstructionSettings

MEASURES = measures(
    *("bytes", "mse", "psnr", "ssim", "ms_ssim", "lpips", "features", "fid", "features_frechet")
)


def evaluate_reconstruction(
    folder: Path, settings: ReconstructionSettings | None = None, run: Run = Run()
) -> Results:
    """Reconstruct photos from their embeddings and measure what comes back.

    Args:
        folder: photos.
        run: which photos, and how; without a store no pictures are kept.

    Raises:
        BadInputError: a folder is missing, or a photo cannot be read.
        UsageError: settings out of range, or a decoder that knows no embeddings.
        MissingModelError: weights are missing.
    """
    settings = settings or ReconstructionSettings()
    _check(settings)
    photos = by_name(run.photos(folder))
    measured, notes = available(settings, len(photos))
    if settings.pca_fit is None and len(photos) < 2 and "pca" in settings.baselines:
        settings = replace(settings, baselines=tuple(b for b in settings.baselines if b != "pca"))
        notes.append("not measured: pca, which needs other photos to be fitted to (--pca-fit DIR)")
    with _kept(run) as kept:
        recorded = recorded_settings(folder, settings, photos)
        partitions = kept.within("partitions")
        run_cases(
            list(photos),
            PartitionCase(settings, photos),
            partitions,
            settings=recorded,
            title="decomposing",
        )
        pca = None
        if "pca" in settings.baselines:
            pca, line = fit_pca(kept, settings, list(photos))
            notes.append(line)
        pictures = run.pictures and run.store is not None
        results = run_cases(
            list(photos),
            ReconstructionCase(settings, photos, store_of(partitions), pca, measured, pictures),
            kept.within("reconstructions"),
            settings={**recorded, "measured": sorted(measured), "pictures": run.pictures},
            title="reconstruction",
        )
        overall = _overall(results)
    return Results(
        title=f"Reconstruction of {folder.name}",
        command=run.command,
        settings=recorded,
        measures=MEASURES,
        cases=results,
        overall=overall,
        notes=notes,
        key=(settings.decoders[0], "psnr"),
        draw=reconstruction_plots,
    )


def available(settings: ReconstructionSettings, photos: int) -> tuple[frozenset[str], list[str]]:
    """The measures that can be taken of so many photos, and a line for each that cannot.

    Raises:
        MissingModelError: weights that were asked for are missing or of another kind.
    """
    measured, notes = set(MEASURES), []

    def without(names: Sequence[str], why: str) -> None:
        measured.difference_update(names)
        labels = " and ".join(MEASURES[name].label for name in names)
        notes.append(f"not measured: {labels}: {why}")

    try:
        check_installed("pytorch_msssim", "MS-SSIM")
    except MissingModelError as error:
        without(["ms_ssim"], str(error))
    try:
        from eie.evaluate.measures.perceptual_distance import pooled_features

        pooled_features([np.zeros((32, 32, 3), np.uint8)])
    except MissingModelError as error:
        without(["features", "features_frechet"], str(error))
    if settings.size < MS_SSIM_SMALLEST and "ms_ssim" in measured:
        without(["ms_ssim"], f"it needs photos of {MS_SSIM_SMALLEST} pixels or more")
    if settings.lpips_weights is None:
        without(["lpips"], "give torchvision's weights of AlexNet or VGG-16 as --lpips-weights")
    else:
        load_lpips(settings.lpips_weights)
    if settings.inception_weights is None:
        without(["fid"], "give torch-fidelity's weights of Inception as --inception-weights")
    else:
        load_inception(settings.inception_weights)
    if photos < 2:
        without(
            [name for name in ("fid", "features_frechet") if name in measured] or ["fid"],
            "a Fréchet distance needs two photos or more",
        )
    return frozenset(measured), notes


def reconstruction_plots(results: Results) -> dict[str, bytes]:
    """The photos' PSNR and feature distance in order of size, a curve a method.

    Raises:
        MissingModelError: matplotlib is not installed.
    """
    from eie.evaluate.reports.plots import curves

    plots = {}
    for name in ("psnr", "features"):
        series = {}
        for method, values in results.samples(name).items():
            share = 100 / max(1, len(values))
            series[method] = [((i + 0.5) * share, v) for i, v in enumerate(sorted(values))]
        if any(len(points) > 1 for points in series.values()):
            measure = MEASURES[name]
            title = f"{measure.label} of the photos in order"
            plots[title] = curves(series, "photos (%)", measure.heading)
    return plots


def _overall(results: Sequence[CaseResult]) -> dict[str, dict[str, float]]:
    """Fréchet distances of every method's pictures to the photos."""
    from eie.evaluate.measures.perceptual_distance import frechet_distance

    overall: dict[str, dict[str, float]] = {}
    if len(results) < 2:
        return overall
    arrays = [case.arrays for case in results]
    for measure, kind in (("features_frechet", LITE0), ("fid", INCEPTION)):
        if f"{PHOTO}/{kind}" not in arrays[0]:
            continue
        photos = np.stack([found[f"{PHOTO}/{kind}"] for found in arrays])
        for method in results[0].scores:
            made = np.stack([found[f"{method}/{kind}"] for found in arrays])
            overall.setdefault(method, {})[measure] = frechet_distance(made, photos)
    return overall


@contextmanager
def _kept(run: Run) -> Iterator[Run]:
    """The run, with a store that goes away if it has none: later cases read what earlier gave."""
    if run.store is not None:
        yield run
        return
    with tempfile.TemporaryDirectory(prefix="eie-") as folder:
        yield replace(run, store=Path(folder))


def _check(settings: ReconstructionSettings) -> None:
    if not settings.decoders:
        raise UsageError("no decoder is named", hint="as in --decoder light")
    check_decoders(settings.decoders, free=True)
    if settings.size < 32:
        raise UsageError(f"size is {settings.size}", hint="choose 32 pixels or more")
    check_names("baseline", settings.baselines, BASELINES)
