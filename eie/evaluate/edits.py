"""Edits with known truth: eie's decoders beside baselines, region by region.

Every method does the same edit of a photo, and its result is compared with the truth in three
regions (:class:`eie.evaluate.edit_case.EditCase`):

- *revealed*: what the object covered before and no longer does;
- *object*: where the object is after the edit;
- *untouched*: everything else. It has no margin: what an edit changes beside the object counts.

Regions of fewer than 64 pixels are not measured. In each of the others, PSNR and the feature
distance of :mod:`eie.evaluate.perceptual`: the mean over the region's pixels of the squared
distance of unit-length EfficientNet-Lite0 features, averaged over the strides 2, 4, 8, 16 and 32; 0
is equal, 4 the most. Features see up to some stride beyond a region's border.

Baselines know the exact mask of the object. eie's decoders work from an object that was picked by
one click in its middle, or by the mask, out of the elements of the photo before the edit.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from eie.elements import ElementSet
from eie.errors import UsageError
from eie.evaluate.baselines import BASELINES, edited_by
from eie.evaluate.cases import CaseResult, Pixels, run_cases
from eie.evaluate.compositions import Composition, CompositionSettings, composed
from eie.evaluate.edit_case import EditCase, Mask
from eie.evaluate.pairs import PairCase, paired
from eie.evaluate.results import Measure, Results

if TYPE_CHECKING:
    from eie.models.segmenter import Segmenter
    from eie.render import Decoder

Pick = Literal["click", "mask"]

MEASURES: Mapping[str, Measure] = {
    "revealed_psnr": Measure("revealed PSNR", "dB", True, 2),
    "revealed_distance": Measure("revealed features", "", False),
    "object_psnr": Measure("object PSNR", "dB", True, 2),
    "object_distance": Measure("object features", "", False),
    "untouched_psnr": Measure("untouched PSNR", "dB", True, 2),
    "untouched_distance": Measure("untouched features", "", False),
    "untouched_identical": Measure("identical", "", True, 4),
    "leftover": Measure("leftover", "", False),
    "selection": Measure("selection IoU", "", True),
}

NOTES = (
    "revealed: what the object covered before; object: its new place; untouched: all else",
    "features: mean squared distance of unit-length EfficientNet-Lite0 features at five strides, "
    "0 equal to 4",
    "identical: share of the untouched pixels that equal the photo before; leftover: how much of "
    "the object still shows at its old place, 0 to 1",
    "baselines know the exact mask; PSNR of equal pixels counts as 100 dB",
)

TITLE = "Edits with known truth"

NOT_EDITED = ", not edited"
"""Behind a decoder's name: what it makes of the photo's elements when they are left alone."""

EQUAL_PSNR = 100.0
"""PSNR of equal pixels, and the most of any, so that means stay finite."""

_LEAST = 64
"""Pixels of the smallest region that is measured."""

_DETAIL = 8.0
"""Standard deviation, in pixels, of the blur beyond which colour counts as detail."""


@dataclass(frozen=True)
class EditSettings:
    """Which methods are judged, and how eie picks the object.

    Attributes:
        decoders: names out of :data:`eie.render.DECODERS`; None for classical and light, or with
            `free` for light.
        baselines: names out of :data:`eie.evaluate.baselines.BASELINES`; None for all of them, or
            with `free` for none.
        select: "click" for one click at the object's middle, "mask" for its true mask.
        free: decode everything from embeddings and boxes, as the paper does; beside each decoder
            stands what it makes of the elements unedited.
        segmenter, elements: as in :func:`eie.decompose`.
        size: long side in pixels, to which photos are scaled down.
        shadow: whether pasted objects cast a soft contact shadow.
        device: of segmenter and decoders, as in :func:`eie.decompose`.
        options: settings of the decoders ("model", "seed" …); each takes those that it knows.
    """

    decoders: tuple[str, ...] | None = None
    baselines: tuple[str, ...] | None = None
    select: Pick = "click"
    free: bool = False
    segmenter: str = "tiny"
    elements: int = 256
    size: int = 512
    shadow: bool = False
    device: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def chosen_decoders(self) -> tuple[str, ...]:
        if self.decoders is not None:
            return self.decoders
        return ("light",) if self.free else ("classical", "light")

    @property
    def chosen_baselines(self) -> tuple[str, ...]:
        if self.baselines is not None:
            return self.baselines
        return () if self.free else BASELINES


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
    cases: Sequence[Composition | PairCase],
    settings: EditSettings = EditSettings(),
    *,
    store: Path | None = None,
    workers: int = 0,
    command: str = "",
) -> Results:
    """Judge all methods on cases of :func:`eie.evaluate.compositions.plan_compositions` or
    :func:`eie.evaluate.pairs.plan_pairs`.

    Args:
        store, workers: as in :func:`eie.evaluate.cases.run_cases`.
        command: the line that repeats it, for the report.

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
        "cases": names,
    }
    results = run_cases(
        names,
        EditEvaluation(dict(zip(names, cases, strict=True)), settings),
        store=store,
        settings=described,
        workers=workers,
        title=TITLE,
    )
    notes = [*NOTES, *(_gains(results, settings) if settings.free else ())]
    return Results(TITLE, command, described, MEASURES, results, notes=notes)


def report_key(settings: EditSettings) -> tuple[str, str]:
    """The method and the measure by which a report ranks the cases."""
    methods = [*settings.chosen_decoders[::-1], *settings.chosen_baselines[::-1]]
    return methods[0], "object_psnr" if settings.free else "revealed_distance"


def judged(case: EditCase, settings: EditSettings) -> CaseResult:
    """What every method makes of a case, and how good that is."""
    elements = _decomposed(case.before, settings)
    chosen = selected_ids(elements, case, settings.select)
    selected = selected_mask(elements, chosen)
    results = dict(_by_eie(elements, chosen, case, settings))
    overlap = {decoder: _iou(selected, case.solid) for decoder in settings.chosen_decoders}
    for baseline in settings.chosen_baselines:
        results[baseline] = edited_by(baseline, case)
    scores = scores_of(case, results)
    for decoder, iou in overlap.items():
        scores[decoder]["selection"] = iou
    darkened = np.where(selected[..., None], case.before, case.before // 3)
    shown = {"before": case.before, "selected": darkened, "truth": case.truth}
    return CaseResult(case.name, scores, {**shown, **results})


def scores_of(case: EditCase, results: Mapping[str, Pixels]) -> dict[str, dict[str, float]]:
    """Method ⇒ measure ⇒ value for the pictures (H, W, 3) that methods made of a case.

    A measure of a region that is too small is NaN.

    Raises:
        MissingModelError: the ImageNet weights are not installed.
    """
    from eie.evaluate.perceptual import feature_distance_maps

    regions = {"revealed": case.revealed, "object": case.object, "untouched": case.untouched}
    distances = feature_distance_maps(results.values(), case.truth)
    scores: dict[str, dict[str, float]] = {}
    for (method, picture), distance in zip(results.items(), distances, strict=True):
        found: dict[str, float] = {}
        for name, region in regions.items():
            found[f"{name}_psnr"] = region_psnr(picture, case.truth, region)
            found[f"{name}_distance"] = _mean(distance, region)
        same = (picture == case.before).all(axis=2)
        found["untouched_identical"] = _mean(same, case.untouched)
        found["leftover"] = leftover(picture, case)
        scores[method] = found
    return scores


def region_psnr(picture: Pixels, truth: Pixels, region: Mask) -> float:
    """PSNR in dB over the pixels of a region, all channels alike; NaN if it is too small.

    At most :data:`EQUAL_PSNR`.
    """
    if region.sum() < _LEAST:
        return float("nan")
    difference = picture[region].astype(np.float64) - truth[region]
    error = float(np.square(difference).mean())
    return min(EQUAL_PSNR, float(10 * np.log10(255**2 / error))) if error else EQUAL_PSNR


def leftover(picture: Pixels, case: EditCase) -> float:
    """How much of the object still shows at its old place: 0 nothing, 1 all of it.

    Detail is colour less its blur within the revealed region, so that neither a plain fill nor a
    colour cast has any. By least squares the picture's detail is explained as a·(detail before) +
    b·(detail of the truth); a, cut to [0, 1], is the answer. The photo before gives 1, the truth 0,
    a half-transparent ghost ½.

    NaN if too little is revealed, or if what was there before differs by less than a grey level.
    """
    region = case.revealed
    if region.sum() < _LEAST:
        return float("nan")
    made, before, truth = (_detail(p, region) for p in (picture, case.before, case.truth))
    if not np.square(before - truth).mean() > 1:
        return float("nan")
    share, *_ = np.linalg.lstsq(np.stack([before, truth], axis=1), made, rcond=None)
    return float(np.clip(share[0], 0, 1))


def selected_ids(elements: ElementSet, case: EditCase, pick: Pick) -> list[int]:
    """The ids of the elements picked; none where the mask is that of no element."""
    from eie.edit import select

    if pick == "click":
        x, y = case.click
        return [int(element) for element in select(elements, f"object@{x},{y}")]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mask.png"
        _write_mask(path, case.solid)
        try:
            return [int(element) for element in select(elements, f'mask:"{path}"')]
        except UsageError:  # no element lies mostly under it
            return []


def selected_mask(elements: ElementSet, ids: Sequence[int]) -> Mask:
    """(H, W) bool, the pixels of elements of an unedited set."""
    source = elements.sources[0]
    members = np.zeros(source.patches, dtype=bool)
    members[elements.table.patch[np.isin(elements.table.id, ids)]] = True
    return members[source.label_map]


def edited(elements: ElementSet, ids: Sequence[int], case: EditCase) -> ElementSet:
    """The elements after the edit of a case, done to those of these ids."""
    from eie.edit import Copy, Delete, Group, Move, Operation, Scale, edit
    from eie.geometry import common_box

    if not ids:
        return elements
    group = "group:object"
    operations: list[Operation] = [Group("object", ",".join(map(str, ids)))]
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


def _by_eie(
    elements: ElementSet, ids: Sequence[int], case: EditCase, settings: EditSettings
) -> dict[str, Pixels]:
    """Method ⇒ (H, W, 3) for every decoder."""
    import eie

    variants = {"": edited(elements, ids, case)}
    if settings.free:
        elements = eie.encode(elements, **_encoding(settings))
        variants = {"": edited(elements, ids, case), NOT_EDITED: elements}
    return {
        name + suffix: eie.render(
            variant, decoder=decoder_of(name, settings), free=settings.free
        ).photo.pixels
        for suffix, variant in variants.items()
        for name in settings.chosen_decoders
    }


def decoder_of(name: str, settings: EditSettings) -> Decoder:
    """A decoder with those of the settings' options that it knows.

    Raises:
        UsageError: no such decoder.
    """
    from eie.render import DECODERS

    if name not in DECODERS:
        raise UsageError(f"no decoder '{name}'", hint=f"there is: {', '.join(DECODERS)}")
    kind: Any = DECODERS[name]
    options = {"device": settings.device, **settings.options}
    known = {option.name for option in fields(kind)} & options.keys()
    decoder: Decoder = kind(**{key: options[key] for key in known})
    return decoder


def _check(settings: EditSettings) -> None:
    """Refuse what would fail in every case, before the first one."""
    from eie.render import FreeDecoder

    for name in settings.chosen_decoders:
        decoder = decoder_of(name, settings)
        if settings.free and not isinstance(decoder, FreeDecoder):
            raise UsageError(
                f"the decoder '{name}' cannot render from embeddings alone",
                hint="name others, or leave out free",
            )
    for name in settings.chosen_baselines:
        if name not in BASELINES:
            raise UsageError(f"no baseline '{name}'", hint=f"there is: {', '.join(BASELINES)}")
    if not settings.chosen_decoders and not settings.chosen_baselines:
        raise UsageError("there is nothing to judge", hint="name a decoder or a baseline")
    if settings.select not in ("click", "mask"):
        raise UsageError(f"no way to pick '{settings.select}'", hint="there is: click, mask")


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


def _encoding(settings: EditSettings) -> dict[str, Any]:
    """The arguments of :func:`eie.encode` for the decoders' model."""
    model = {key: settings.options[key] for key in ("model",) if key in settings.options}
    return {"device": settings.device, **model}


def _decomposed(photo: Pixels, settings: EditSettings) -> ElementSet:
    import eie

    segmenter = _segmenter(settings.segmenter, settings.device)
    return eie.decompose(photo, segmenter=segmenter, elements=settings.elements)


@lru_cache(maxsize=1)
def _segmenter(name: str, device: str | None) -> str | Segmenter:
    """Loaded once in every process; never changed."""
    from eie.decompose import SLIC
    from eie.models.segmenter import load_segmenter

    return name if name == SLIC else load_segmenter(name, device)


def _detail(pixels: Pixels, region: Mask) -> NDArray[np.float32]:
    """(n·3,) colours of a region's n pixels less their blur within the region, in grey levels."""
    import cv2

    inside = region[..., None].astype(np.float32)
    blur = [cv2.GaussianBlur(x, (0, 0), _DETAIL) for x in (pixels * inside, inside)]
    around = blur[0][region] / blur[1][region][:, None]  # (n, 3)
    return np.asarray(pixels[region] - around, dtype=np.float32).ravel()


def _iou(one: Mask, other: Mask) -> float:
    return float((one & other).sum() / max(1, (one | other).sum()))


def _mean(values: NDArray[Any], region: Mask) -> float:
    """Of (H, W) values over a region; NaN if it is too small."""
    if region.sum() < _LEAST:
        return float("nan")
    return float(values[region].mean(dtype=np.float64))


def _write_mask(path: Path, mask: Mask) -> None:
    from eie.files.images import Photo, write_photo

    write_photo(Photo(mask[..., None].astype(np.uint8) * 255), path)
