"""`eie evaluate clicks`: how well a few clicks select the things in photos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

import eie
from eie.editing import TOLERANCE, select
from eie.editing.click_simulation import (
    Click,
    Selector,
    clicks_needed,
    intersection_over_union,
    simulate_clicks,
)
from eie.elements import ElementSet
from eie.errors import BadInputError, UsageError
from eie.evaluate.baselines import grabcut
from eie.evaluate.cases.annotations import Thing, things_in
from eie.evaluate.core.case_result import CaseResult, Mask, Pixels
from eie.evaluate.core.choices import check_names, loaded_segmenter, segmenter_hash
from eie.evaluate.core.photos import read_rgb
from eie.evaluate.core.run import Run, run_cases
from eie.evaluate.measures.table import measures
from eie.evaluate.reports.drawing import marked
from eie.evaluate.reports.results import Results
from eie.evaluate.settings import CLICK_BASELINES, ClickSettings

BEST = "best choice of elements"
"""The row of what no click can exceed."""

MEASURES = measures("iou_1", "iou_2", "iou_3", "below_half", "noc_80", "noc_85")

COUNTED = (1, 2, 3)
"""The clicks after which the overlap is told."""


@dataclass(frozen=True)
class ClickCase:
    """Clicks on one thing until it is selected; a case is the thing's name."""

    settings: ClickSettings
    things: Mapping[str, Thing] = field(repr=False)
    pictures: bool = False

    def __call__(self, case: str) -> CaseResult:
        thing = self.things[case]
        truth = thing.mask()
        pixels, elements = _decomposed(thing.photo, self.settings)
        if truth.shape != elements.canvas:
            raise BadInputError(
                f"a label map or outlines of {truth.shape} pixels for a photo of "
                f"{tuple(elements.canvas)}",
                where=str(thing.truth),
            )
        selectors: dict[str, Selector] = {
            self.settings.ours: ElementClicks(elements, self.settings.tolerance)
        }
        if "grabcut" in self.settings.baselines:
            selectors["slic + grabcut"] = _grabcut(thing.photo)
        best = best_choice(elements, truth)
        scores = {BEST: self._scores([intersection_over_union(best, truth)])}
        pictures: dict[str, Pixels] = {}
        if self.pictures:
            pictures = {"thing": marked(pixels, truth), BEST: marked(pixels, best)}
        for method, selector in selectors.items():
            clicks, selected = simulate_clicks(truth, selector, self.settings.clicks)
            scores[method] = self._scores(
                [intersection_over_union(mask, truth) for mask in selected]
            )
            if self.pictures:
                pictures[method] = marked(pixels, selected[0], clicks[:1])
                after = min(COUNTED[-1], len(clicks))
                title = f"{method}, {after} click{'s'[: after > 1]}"
                pictures[title] = marked(pixels, selected[after - 1], clicks[:after])
        return CaseResult(case, scores, pictures)

    def _scores(self, overlaps: Sequence[float]) -> dict[str, float]:
        """All measures; what was reached early stays."""
        most = self.settings.clicks
        return {
            **{f"iou_{n}": overlaps[min(n, len(overlaps)) - 1] for n in COUNTED},
            "below_half": float(overlaps[0] < 0.5),
            **{f"noc_{w}": float(clicks_needed(overlaps, w / 100, most)) for w in (80, 85)},
        }


@dataclass(frozen=True)
class ElementClicks:
    """Clicks as a selection: `object@a+object@b-object@c`, in the order they were made.

    Args:
        tolerance: as of :func:`eie.editing.edit`.
    """

    elements: ElementSet
    tolerance: float | None = None

    def __call__(self, clicks: Sequence[Click]) -> Mask:
        """(H, W) bool, what is selected after some clicks; nothing if all is cut off again."""
        try:
            chosen = select(self.elements, self.text(clicks))
        except UsageError:  # an empty selection
            return np.zeros(self.elements.canvas, dtype=bool)
        return _mask_of(self.elements, np.isin(self.elements.table.id, chosen))

    def text(self, clicks: Sequence[Click]) -> str:
        """The selection that the clicks stand for."""
        tolerance = "" if self.tolerance is None else f"~{self.tolerance:.9f}"
        terms = [f"{'+' if c.joins else '-'}object@{c.x},{c.y}{tolerance}" for c in clicks]
        return "".join(terms).removeprefix("+")


def evaluate_clicks(
    folder: Path, settings: ClickSettings | None = None, run: Run = Run()
) -> Results:
    """Click on the things in photos, at the photos' own size; a case is a thing.

    Args:
        folder: photos with label maps, see :mod:`eie.evaluate.cases.annotations`.
        run: which photos, and how.

    Raises:
        BadInputError: a folder is missing, or a file cannot be read.
        UsageError: settings out of range.
        MissingModelError: the segmenter's weights are missing.
    """
    settings = settings or ClickSettings()
    _check(settings)
    things, notes = things_in(folder, run.photos(folder), settings.smallest)
    by_name = {thing.name: thing for thing in things}
    recorded = _recorded(folder, settings)
    results = run_cases(
        list(by_name),
        ClickCase(settings, by_name, run.pictures),
        run,
        settings={**recorded, "pictures": run.pictures},
        title="clicks",
    )
    return Results(
        title=f"Clicks on the things of {folder.name}",
        command=run.command,
        settings=recorded,
        measures=MEASURES,
        cases=results,
        notes=notes,
        key=(settings.ours, "iou_1"),
    )


def best_choice(elements: ElementSet, truth: Mask) -> Mask:
    """(H, W) bool, the elements of an unedited set of which more than half lies in a thing."""
    labels, count = elements.sources[0].label_map, elements.sources[0].patches
    area = np.bincount(labels.ravel(), minlength=count)
    inside = np.bincount(labels[truth], minlength=count)
    return _mask_of(elements, (2 * inside > area)[elements.table.patch])


@lru_cache(maxsize=1)
def _decomposed(photo: Path, settings: ClickSettings) -> tuple[Pixels, ElementSet]:
    """A photo and its elements, kept for its next thing."""
    pixels = read_rgb(photo)
    segmenter = loaded_segmenter(settings.segmenter, settings.device)
    return pixels, eie.decompose(pixels, segmenter=segmenter, elements=settings.elements)


@lru_cache(maxsize=1)
def _grabcut(photo: Path) -> grabcut.SlicGrabCut:
    return grabcut.SlicGrabCut(read_rgb(photo))


def _mask_of(elements: ElementSet, rows: Mask) -> Mask:
    """(H, W) bool, where the chosen rows (N,) of an unedited set lie."""
    chosen = np.zeros(elements.sources[0].patches, dtype=bool)
    chosen[elements.table.patch[rows]] = True
    mask: Mask = chosen[elements.sources[0].label_map]
    return mask


def _check(settings: ClickSettings) -> None:
    if settings.clicks < COUNTED[-1]:
        raise UsageError(
            f"at most {settings.clicks} clicks are too few", hint=f"choose {COUNTED[-1]} or more"
        )
    if not 0 < settings.smallest <= 1:
        raise UsageError(f"{settings.smallest:g} is no share of a photo", hint="as in 0.02")
    if settings.tolerance is not None and not 0 <= settings.tolerance <= 1:
        raise UsageError(f"the tolerance {settings.tolerance:g} is outside 0 to 1")
    check_names("baseline", settings.baselines, CLICK_BASELINES)


def _recorded(folder: Path, settings: ClickSettings) -> dict[str, Any]:
    """What determines the result of a thing."""
    return {
        "evaluation": "clicks",
        "eie": eie.__version__,
        "folder": str(folder),
        "segmenter": settings.segmenter,
        "segmenter_hash": segmenter_hash(settings.segmenter, settings.device),
        "elements": settings.elements,
        "tolerance": TOLERANCE if settings.tolerance is None else settings.tolerance,
        "clicks": settings.clicks,
        "smallest": settings.smallest,
        "baselines": list(settings.baselines),
        "grabcut_long_side": grabcut.LONG_SIDE,
        "grabcut_superpixels": grabcut.SUPERPIXELS,
    }
