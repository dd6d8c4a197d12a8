"""`eie evaluate segmentation`: elements and superpixels against human segmentations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import eie
from eie.errors import UsageError
from eie.evaluate.annotations import AnnotatedPhoto, annotated_photos, read_labels
from eie.evaluate.cases import CaseResult, Pixels, run_cases
from eie.evaluate.photos import chosen_files, read_rgb
from eie.evaluate.results import Measure, Results
from eie.evaluate.segmentation import (
    BORDER_TOLERANCE,
    Labels,
    borders,
    element_sizes,
    partition_quality,
)
from eie.evaluate.segmenters import loaded_segmenter, segmenter_hash
from eie.evaluate.settings import SegmentationSettings
from eie.evaluate.superpixels import CONTRIB, CONTRIB_HINT, SUPERPIXELS, has_contrib

SMALL = 64
"""Elements under so many pixels count as small."""

_SQUARE = 2 * BORDER_TOLERANCE + 1

MEASURES: Mapping[str, Measure] = {
    "elements": Measure("N", digits=1, about="elements that came out"),
    "boundary_recall": Measure(
        "BR",
        higher_is_better=True,
        about="boundary recall, the share of the human border pixels with a border pixel of the "
        f"partition in the square of {_SQUARE}×{_SQUARE} pixels around; a border pixel is one "
        "whose right or lower neighbour belongs to something else; mean over the people",
    ),
    "undersegmentation_error": Measure(
        "UE",
        higher_is_better=False,
        about="undersegmentation error of Neubert and Protzel, a share of the pixels; mean over "
        "the people",
    ),
    "achievable_accuracy": Measure(
        "ASA",
        higher_is_better=True,
        about="achievable segmentation accuracy, the share of pixels that are right if every "
        "element takes its best segment's label; mean over the people",
    ),
    "explained_variation": Measure(
        "EV",
        higher_is_better=True,
        about="explained variation, the share of the colours' variance that the elements' mean "
        "colours explain",
    ),
    "compactness": Measure(
        "CO",
        higher_is_better=True,
        about="compactness, the elements' isoperimetric quotient, mean weighted by area",
    ),
    "mean_size": Measure("size", "px", digits=0, about="mean size of the elements"),
    "small_share": Measure(
        f"<{SMALL} px", higher_is_better=False, about="share of the elements that are smaller"
    ),
}

CURVES = (
    "boundary_recall",
    "undersegmentation_error",
    "achievable_accuracy",
    "explained_variation",
)
"""The measures that are drawn over the number of elements."""

_YELLOW, _GREEN = (255, 230, 0), (0, 255, 0)


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
            pictures = {"photo": pixels, "people": outlined(pixels, truths[0], _GREEN)}
        shown = middle(self.settings.counts)
        for name in (self.settings.ours, *self.settings.baselines):
            for count in self.settings.counts:
                labels = self._partition(name, pixels, count)
                method = self.settings.method(name, count)
                scores[method] = partition_scores(labels, truths, pixels)
                if self.pictures and count == shown:
                    pictures[method] = outlined(pixels, labels, _YELLOW)
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
    every: int | None = None,
    limit: int | None = None,
    store: Path | None = None,
    pictures: bool = False,
    workers: int = 0,
    command: str = "",
) -> Results:
    """Compare partitions with human segmentations, photo by photo, at the photos' own size.

    Args:
        folder: photos; their segmentations as :mod:`eie.evaluate.annotations` finds them.
        truth: folder of the segmentations.
        every, limit: as :func:`eie.evaluate.photos.chosen_files`.
        store, workers: as :func:`eie.evaluate.cases.run_cases`.
        pictures: whether to draw the partitions, for a report.
        command: recorded in the results.

    Raises:
        BadInputError: a folder is missing, or a file cannot be read.
        UsageError: settings out of range.
        MissingModelError: the segmenter's weights are missing.
    """
    settings = settings or SegmentationSettings()
    _check(settings)
    photos, without = annotated_photos(chosen_files(folder, every, limit), truth)
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
        SegmentationCase(settings, by_name, pictures),
        store=store,
        settings={**recorded, "pictures": pictures},
        workers=workers,
        title="segmentation",
    )
    return Results(
        title=f"Segmentation of {folder.name}",
        command=command,
        settings=recorded,
        measures=MEASURES,
        cases=results,
        notes=notes,
    )


def partition_scores(labels: Labels, truths: Sequence[Labels], pixels: Pixels) -> dict[str, float]:
    """All measures of one partition; arguments as :func:`partition_quality`."""
    quality = partition_quality(labels, list(truths), pixels)
    sizes = element_sizes(labels)
    return {
        "elements": float(quality.elements),
        "boundary_recall": quality.recall,
        "undersegmentation_error": quality.undersegmentation,
        "achievable_accuracy": quality.accuracy,
        "explained_variation": quality.variation,
        "compactness": quality.compactness,
        "mean_size": float(sizes.mean()),
        "small_share": float((sizes < SMALL).mean()),
    }


def segmentation_plots(results: Results, settings: SegmentationSettings) -> dict[str, bytes]:
    """Each measure over the number of elements that came out, a curve a method.

    Nothing for a single count.

    Raises:
        MissingModelError: matplotlib is not installed.
    """
    from eie.evaluate.plots import curves

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
        title = MEASURES[name].about.partition(",")[0].partition(" of ")[0]
        plots[f"{title} over elements"] = curves(
            {method: points for method, points in series.items() if points},
            "elements that came out, mean",
            title,
        )
    return plots


def report_key(settings: SegmentationSettings) -> tuple[str, str]:
    """What cases are ranked by in a report."""
    return settings.method(settings.ours, middle(settings.counts)), "achievable_accuracy"


def outlined(pixels: Pixels, labels: Labels, colour: tuple[int, int, int]) -> Pixels:
    """The photo with a label map's borders drawn on it, two pixels wide."""
    edges = borders(labels)
    edges[1:] |= edges[:-1]
    edges[:, 1:] |= edges[:, :-1]
    drawn = pixels.copy()
    drawn[edges] = colour
    return drawn


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
    unknown = [name for name in settings.baselines if name not in SUPERPIXELS]
    if unknown:
        raise UsageError(f"no baseline '{unknown[0]}'", hint=f"there is: {', '.join(SUPERPIXELS)}")


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
