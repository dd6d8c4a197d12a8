"""`eie evaluate segmentation`: elements and superpixels against human segmentations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import eie
from eie.errors import UsageError
from eie.evaluate.baselines.superpixels import CONTRIB, CONTRIB_HINT, SUPERPIXELS, has_contrib
from eie.evaluate.cases.annotations import AnnotatedPhoto, annotated_photos, read_labels
from eie.evaluate.core.case_result import CaseResult, Labels, Pixels
from eie.evaluate.core.choices import check_names, loaded_segmenter, segmenter_hash
from eie.evaluate.core.photos import read_rgb
from eie.evaluate.core.run import Run, run_cases
from eie.evaluate.measures.superpixel_metrics import BORDER_TOLERANCE, partition_scores
from eie.evaluate.measures.table import measures
from eie.evaluate.reports import drawing
from eie.evaluate.reports.results import Results
from eie.evaluate.settings import SegmentationSettings

CURVES = (
    "boundary_recall",
    "undersegmentation_error",
    "achievable_accuracy",
    "explained_variation",
)
"""The measures that are drawn over the number of elements."""

MEASURES = measures("elements", *CURVES, "compactness", "mean_size", "small_share")


@dataclass(frozen=True)
class SegmentationCase:
    """Evaluates the partitions of one photo; a case is the photo's name."""

    settings: SegmentationSettings
    photos: Mapping[str, AnnotatedPhoto] = field(repr=False)
    pictures: bool = False

    def __call__(self, case: str) -> CaseResult:
        photo = self.photos[case]
        pixels = read_rgb(photo.path)
        truths = read_labels(photo, (pixels.shape[0], pixels.shape[1]))
        scores: dict[str, dict[str, float]] = {}
        pictures: dict[str, Pixels] = {}
        if self.pictures:
            pictures = {
                "photo": pixels,
                "people": drawing.outlined(pixels, truths[0], drawing.GREEN),
            }
        shown = middle(self.settings.counts)
        for name in (self.settings.ours, *self.settings.baselines):
            for count in self.settings.counts:
                labels = self._partition(name, pixels, count)
                method = self.settings.method(name, count)
                scores[method] = partition_scores(labels, truths, pixels)
                if self.pictures and count == shown:
                    pictures[method] = drawing.outlined(pixels, labels, drawing.YELLOW)
        return CaseResult(case, scores, pictures)

    def _partition(self, name: str, pixels: Pixels, count: int) -> Labels:
        if name in self.settings.baselines:
            return SUPERPIXELS[name](pixels, count)
        options: dict[str, Any] = {}
        if self.settings.beta is not None:
            options["beta"] = self.settings.beta
        segmenter = loaded_segmenter(self.settings.segmenter, self.settings.device)
        elements = eie.decompose(pixels, segmenter=segmenter, elements=count, **options)
        return elements.sources[0].label_map


def evaluate_segmentation(
    folder: Path,
    settings: SegmentationSettings | None = None,
    *,
    truth: Path | None = None,
    run: Run = Run(),
) -> Results:
    """Compare partitions with human segmentations, photo by photo, at the photos' own size.

    Args:
        folder: photos; their segmentations as :mod:`eie.evaluate.cases.annotations` finds them.
        truth: folder of the segmentations.
        run: which photos, and how.

    Raises:
        BadInputError: a folder is missing, or a file cannot be read.
        UsageError: settings out of range.
        MissingModelError: the segmenter's weights are missing.
    """
    settings = settings or SegmentationSettings()
    _check(settings)
    photos, without = annotated_photos(run.photos(folder), truth)
    notes = []
    if without:
        notes.append(f"{without} photos have no human segmentation and were left out")
    missing = [name for name in settings.baselines if name in CONTRIB and not has_contrib()]
    if missing:
        notes.append(f"not measured: {', '.join(missing)}: {CONTRIB_HINT}")
    present = tuple(name for name in settings.baselines if name not in missing)
    settings = replace(settings, baselines=present)
    recorded = _recorded(folder, truth, settings)
    by_name = {photo.path.name: photo for photo in photos}
    results = run_cases(
        list(by_name),
        SegmentationCase(settings, by_name, run.pictures),
        run,
        settings={**recorded, "pictures": run.pictures},
        title="segmentation",
    )
    return Results(
        title=f"Segmentation of {folder.name}",
        command=run.command,
        settings=recorded,
        measures=MEASURES,
        cases=results,
        notes=notes,
        key=(settings.method(settings.ours, middle(settings.counts)), "achievable_accuracy"),
        draw=partial(segmentation_plots, settings=settings),
    )


def segmentation_plots(results: Results, settings: SegmentationSettings) -> dict[str, bytes]:
    """Each measure over the number of elements that came out, a curve a method.

    Nothing for a single count.

    Raises:
        MissingModelError: matplotlib is not installed.
    """
    from eie.evaluate.reports.plots import curves

    if len(settings.counts) < 2:
        return {}
    means = results.means()
    plots = {}
    for name in CURVES:
        series = {
            method: sorted(
                (means[row]["elements"].value, means[row][name].value)
                for row in (settings.method(method, count) for count in settings.counts)
                if row in means
            )
            for method in (settings.ours, *settings.baselines)
        }
        title = results.measures[name].about.partition(",")[0].partition(" of ")[0]
        plots[f"{title} over elements"] = curves(
            {method: points for method, points in series.items() if points},
            "elements that came out, mean",
            title,
        )
    return plots


def middle(counts: Sequence[int]) -> int:
    """The count that pictures are shown of."""
    return sorted(counts)[len(counts) // 2]


def _check(settings: SegmentationSettings) -> None:
    if not settings.counts or len(set(settings.counts)) < len(settings.counts):
        raise UsageError("the numbers of elements must differ", hint="for example 64,128,256")
    if min(settings.counts) < 1:
        raise UsageError(
            f"the number of elements is {min(settings.counts)}", hint="choose numbers from 1 up"
        )
    check_names("baseline", settings.baselines, SUPERPIXELS)


def _recorded(folder: Path, truth: Path | None, settings: SegmentationSettings) -> dict[str, Any]:
    """What determines the result of a photo."""
    return {
        "evaluation": "segmentation",
        "eie": eie.__version__,
        "folder": str(folder),
        "truth": None if truth is None else str(truth),
        "segmenter": settings.segmenter,
        "segmenter_hash": segmenter_hash(settings.segmenter, settings.device),
        "beta": settings.beta,
        "counts": list(settings.counts),
        "baselines": list(settings.baselines),
        "border_tolerance": BORDER_TOLERANCE,
    }
