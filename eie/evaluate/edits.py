"""Edits with known truth: eie's decoders beside baselines, region by region.

Every method does the same edit of a photo, and its result is compared with the truth by
:mod:`eie.evaluate.measures.edit_scores`. Baselines know the exact mask of the object. eie's
decoders work from an object that was picked by one click in its middle, or by the mask, out of the
elements of the photo before the edit; or, to judge decoders alone, from elements that were cut
along the mask.
"""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from eie.editing.click_simulation import intersection_over_union
from eie.elements import ElementSet
from eie.errors import UsageError
from eie.evaluate.baselines.inpainting import BASELINES, edited_by
from eie.evaluate.cases.compositions import Composition, CompositionSettings, composed
from eie.evaluate.cases.edit_case import EditCase
from eie.evaluate.cases.pairs import PairCase, paired
from eie.evaluate.core.case_result import CaseResult, Mask, Pixels
from eie.evaluate.core.choices import check_decoders, check_names, decoder_options, loaded_segmenter
from eie.evaluate.core.run import Run, run_cases
from eie.evaluate.measures.edit_scores import NOTES, TRUTH, hole_arrays, scores_of, set_scores
from eie.evaluate.measures.realism import crop_about
from eie.evaluate.measures.table import measures
from eie.evaluate.reports.results import Results
from eie.evaluate.settings import PICKS, EditSettings, Pick

if TYPE_CHECKING:
    from eie.rendering import Decoder


class Timed(NamedTuple):
    """A picture (H, W, 3) and the processor seconds it took, in all threads of this process."""

    pixels: Pixels
    seconds: float


def timed(make: Callable[[], Pixels]) -> Timed:
    """Make a picture, and measure."""
    start = time.process_time()
    pixels = make()
    return Timed(pixels, time.process_time() - start)


NOT_EDITED = ", not edited"
"""Behind a decoder's name: what it makes of the photo's elements when they are left alone."""

OBJECT = "object"
"""The group that the elements picked are given the name of."""


def decomposed(case: EditCase, settings: EditSettings) -> ElementSet:
    """The elements of the photo before the edit."""
    import eie

    segmenter = loaded_segmenter(settings.segmenter, settings.device)
    return eie.decompose(case.before, segmenter=segmenter, elements=settings.elements)


def picked(elements: ElementSet, case: EditCase, pick: Pick) -> tuple[ElementSet, list[int]]:
    """Elements with the object's as a group, parted if a mask says so; and the ids of these.

    None are picked, and there is no group, where the mask is that of no element.
    """
    from eie.editing import Group, edit

    if pick == "click":
        x, y = case.click
        grouped = edit(elements, [Group(OBJECT, f"object@{x},{y}")])
        return grouped, list(grouped.groups[OBJECT])
    mask = case.cover > 0 if pick == "exact" else case.solid
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mask.png"
        _write_mask(path, mask)
        try:
            grouped = edit(elements, [Group(OBJECT, f'mask:"{path}"')])
        except UsageError:  # no element lies mostly under it
            return elements, []
    return grouped, list(grouped.groups[OBJECT])


def selected_mask(elements: ElementSet, ids: Sequence[int]) -> Mask:
    """(H, W) bool, the pixels of elements of an unedited set."""
    source = elements.sources[0]
    members = np.zeros(source.patches, dtype=bool)
    members[elements.table.patch[np.isin(elements.table.id, ids)]] = True
    return members[source.label_map]


def edited(elements: ElementSet, ids: Sequence[int], case: EditCase) -> ElementSet:
    """The elements after the edit of a case, done to those of these ids."""
    from eie.editing import Copy, Delete, Group, Move, Operation, Scale, edit
    from eie.geometry import common_box

    if not ids:
        return elements
    group = f"group:{OBJECT}"
    operations: list[Operation] = [Group(OBJECT, ",".join(map(str, ids)))]
    home, target = case.home, case.target
    if target is None:
        return edit(elements, [*operations, Delete(group)])
    way = np.array([target.left - home.left, target.top - home.top], dtype=np.float64)
    factor = np.array([target.width / home.width, target.height / home.height])
    if (factor != 1).any():
        operations.append(Scale(group, f"{factor[0]:.9f},{factor[1]:.9f}"))
        # The selection was scaled about its own middle, not the object's.
        centre = common_box(elements.table.box[np.isin(elements.table.id, ids)])[:2]
        way += (factor - 1) * (centre - [home.left, home.top])
    shift = f"{way[0]:.6f},{way[1]:.6f}"
    operations.append(Copy(group, shift) if case.kind == "copy" else Move(group, shift))
    return edit(elements, operations)


def rendered(
    elements: ElementSet, ids: Sequence[int], case: EditCase, settings: EditSettings
) -> dict[str, Timed]:
    """Method ⇒ what every decoder makes of the edit, (H, W, 3), timed with all of the rendering."""
    import eie
    from eie.rendering import DECODERS

    # Elements parted along all that is the object's leave nothing of it beyond the mask's margin.
    dilation = case.margin if settings.select == "exact" and not settings.free else None
    variants = {"": edited(elements, ids, case)}
    if settings.free:
        elements = eie.encode(elements, **_encoding(settings))
        variants = {"": edited(elements, ids, case), NOT_EDITED: elements}

    def render(variant: ElementSet, name: str) -> Pixels:
        options = decoder_options(name, {"device": settings.device, **settings.options})
        decoder: Decoder = DECODERS[name](**options)
        rendering = eie.render(
            variant, decoder=decoder, free=settings.free, dilation=dilation, edge=settings.edge
        )
        return rendering.photo.pixels

    return {
        name + suffix: timed(partial(render, variant, name))
        for suffix, variant in variants.items()
        for name in settings.chosen_decoders
    }


def _encoding(settings: EditSettings) -> dict[str, Any]:
    """The arguments of :func:`eie.encode` for the decoders' model."""
    model = {key: settings.options[key] for key in ("model",) if key in settings.options}
    return {"device": settings.device, **model}


def _write_mask(path: Path, mask: Mask) -> None:
    from eie.files.photo import Photo
    from eie.files.photo_writing import write_photo

    write_photo(Photo(mask[..., None].astype(np.uint8) * 255), path)


TITLE = "Edits with known truth"

MEASURES = measures(
    "revealed_psnr",
    "revealed_distance",
    "revealed_kid",
    "revealed_detail",
    "object_psnr",
    "object_distance",
    "edge_psnr",
    "untouched_psnr",
    "untouched_distance",
    "untouched_identical",
    "leftover",
    "selection",
    "seconds",
)


@dataclass(frozen=True)
class EditEvaluation:
    """Judges one case by its name; can be sent to another process."""

    cases: Mapping[str, Composition | PairCase]
    settings: EditSettings

    def __call__(self, name: str) -> CaseResult:
        case, settings = self.cases[name], self.settings
        if isinstance(case, PairCase):
            return judged(paired(case, settings.size), settings)
        pasting = CompositionSettings(size=settings.size, shadow=settings.shadow)
        return judged(composed(case, pasting), settings)


def evaluate_edits(
    cases: Sequence[Composition | PairCase], settings: EditSettings, run: Run = Run()
) -> Results:
    """Judge all methods on cases of :func:`eie.evaluate.cases.compositions.plan_compositions` or
    :func:`eie.evaluate.cases.pairs.plan_pairs`.

    Args:
        run: how; the cases are those given.

    Raises:
        UsageError: a decoder or baseline is unknown, or the store is another evaluation's.
        BadInputError: a file cannot be read.
        MissingModelError: weights or a library are not there.
    """
    _check(settings)
    names = [case.name for case in cases]
    described = {
        **asdict(settings),
        "decoders": settings.chosen_decoders,
        "baselines": settings.chosen_baselines,
        "seeds": sorted({case.seed for case in cases if isinstance(case, Composition)}),
        "cases": names,
        "measures": list(MEASURES),
    }
    results = run_cases(
        names,
        EditEvaluation(dict(zip(names, cases, strict=True)), settings),
        run,
        settings=described,
        title=TITLE,
    )
    notes = [*NOTES, *(_gains(results, settings) if settings.free else ())]
    kinds = {case.name: case.kind for case in cases}
    of_kind = {
        kind: [result for result in results if kinds[result.case] == kind]
        for kind in dict.fromkeys(kinds.values())
    }
    return Results(
        TITLE,
        run.command,
        described,
        MEASURES,
        results,
        overall=set_scores(results),
        notes=notes,
        groups=kinds,
        overall_by_group={kind: set_scores(alike) for kind, alike in of_kind.items()},
        key=(
            [*settings.chosen_decoders[::-1], *settings.chosen_baselines[::-1]][0],
            "object_psnr" if settings.free else "revealed_distance",
        ),
        draw=partial(edit_plots, settings=settings),
    )


def edit_plots(results: Results, settings: EditSettings) -> dict[str, bytes]:
    """Means of the methods, by kind of edit, in the regions that matter.

    Raises:
        MissingModelError: matplotlib is not installed.
    """
    from eie.evaluate.reports.plots import means

    revealed = () if settings.free else ("revealed_psnr", "revealed_distance", "leftover")
    return means(results, [*revealed, "object_psnr", "object_distance"])


def judged(case: EditCase, settings: EditSettings) -> CaseResult:
    """What every method makes of a case, and how good that is."""
    shown = {"before": case.before, TRUTH: case.truth}
    made: dict[str, Timed] = {}
    overlap = math.nan
    if settings.chosen_decoders:
        elements, chosen = picked(decomposed(case, settings), case, settings.select)
        selected = selected_mask(elements, chosen)
        overlap = intersection_over_union(
            selected, case.cover > 0 if settings.select == "exact" else case.solid
        )
        shown["selected"] = np.where(selected[..., None], case.before, case.before // 3)
        made |= rendered(elements, chosen, case, settings)
    for baseline in settings.chosen_baselines:
        made[baseline] = timed(partial(edited_by, baseline, case, solid=settings.select == "mask"))
    results = {method: result.pixels for method, result in made.items()}
    scores = scores_of(case, results)
    for method, result in made.items():
        scores[method]["seconds"] = result.seconds
    for decoder in settings.chosen_decoders:
        scores[decoder]["selection"] = overlap
    regions = (case.revealed, case.object, case.cover > 0)
    crop = crop_about(next(region for region in regions if region.any()))
    focus = (crop.left, crop.top, crop.width, crop.height)
    return CaseResult(case.name, scores, {**shown, **results}, hole_arrays(case, results), focus)


def _check(settings: EditSettings) -> None:
    """Refuse what would fail in every case, before the first one."""
    from eie.rendering.anchored import check_edge

    check_decoders(settings.chosen_decoders, free=settings.free)
    check_names("baseline", settings.chosen_baselines, BASELINES)
    if not settings.chosen_decoders and not settings.chosen_baselines:
        raise UsageError("there is nothing to judge", hint="name a decoder or a baseline")
    check_names("way to pick", [settings.select], PICKS)
    if settings.edge is not None:
        check_edge(settings.edge)
    if settings.free and settings.edge is not None:
        raise UsageError("free decoding has no edges", hint="leave out edge")


def _gains(results: Sequence[CaseResult], settings: EditSettings) -> list[str]:
    """What editing gains over leaving the elements, a line for every decoder."""
    lines = []
    for decoder in settings.chosen_decoders:
        pairs = [
            (case.scores[decoder]["object_psnr"], case.scores[decoder + NOT_EDITED]["object_psnr"])
            for case in results
        ]
        gains = [edited - left for edited, left in pairs if np.isfinite(edited - left)]
        if gains:
            reached = sum(gain >= 6 for gain in gains)
            lines.append(
                f"{decoder}: editing gains {np.mean(gains):.2f} dB in the object's new place over "
                f"leaving the elements, at least 6 dB in {reached} of {len(gains)} cases"
            )
    return lines
