"""`eie evaluate ablation`: the paper's ablation table for any set of training runs (paper §4.3).

Every run of `eie train decoder` is one row. It is judged as the paper judges it: on photos from
elements alone, and on edits, here those whose right result is known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from eie.errors import UsageError
from eie.evaluate.cases.compositions import Composition
from eie.evaluate.core.case_result import CaseResult
from eie.evaluate.core.run import Run
from eie.evaluate.edits import evaluate_edits
from eie.evaluate.measures import edit_scores
from eie.evaluate.measures.table import measures
from eie.evaluate.reconstruction import evaluate_reconstruction
from eie.evaluate.reports.results import Results
from eie.evaluate.settings import EditSettings, ReconstructionSettings
from eie.files.run_folders import read_options

TITLE = "Ablation"

DECODER = "diffusion"

MEASURES = measures(
    *("mse", "psnr", "ssim", "lpips", "features", "features_frechet", "fid"),
    *("revealed_psnr", "revealed_distance", "revealed_kid", "revealed_detail"),
    *("object_psnr", "object_distance"),
)

SWITCHES: Sequence[tuple[tuple[str, ...], Any, str]] = (
    (("joint",), True, "joint training"),
    (("freeze",), False, "encoder not frozen"),
    (("dropout", "share"), 0.0, "no dropout"),
    (("dropout", "random_partition"), False, "no random partition"),
)
"""Where a run's options hold a switch, its value off the default, and what the row is called."""


@dataclass(frozen=True)
class AblationSettings:
    """How runs are judged.

    Attributes:
        reconstruction: of photos; its decoders, model and baselines are set for each run.
        edits: of compositions; likewise.
    """

    reconstruction: ReconstructionSettings = field(default_factory=ReconstructionSettings)
    edits: EditSettings = field(default_factory=EditSettings)


def evaluate_ablation(
    runs: Sequence[Path],
    photos: Path,
    compositions: Sequence[Composition],
    settings: AblationSettings | None = None,
    run: Run = Run(),
) -> Results:
    """Judge training runs alike.

    Args:
        runs: run folders of `eie train decoder`.
        photos: folder of photos to reconstruct.
        compositions: edits with known truth, of
            :func:`eie.evaluate.cases.compositions.plan_compositions`.
        run: which photos, and how; the compositions are those given.

    Raises:
        BadInputError: a folder is no such run.
        UsageError: a run twice.
        MissingModelError: a run has not handed out its weights yet.
    """
    settings = settings or AblationSettings()
    options = {folder: read_options(folder, "decoder") for folder in runs}
    labels = run_labels(options)
    judged = {
        labels[folder]: _judged(folder, photos, compositions, settings, run) for folder in runs
    }
    described = {
        "runs": {labels[f]: {"folder": str(f), **options[f]} for f in runs},
        "photos": judged[labels[runs[0]]][0].settings,
        "edits": judged[labels[runs[0]]][1].settings,
    }
    return Results(
        TITLE,
        run.command,
        described,
        MEASURES,
        _side_by_side(judged),
        overall={
            label: {**photos.overall.get(DECODER, {}), **edits.overall.get(DECODER, {})}
            for label, (photos, edits) in judged.items()
        },
        notes=(*_differences(options, labels), *edit_scores.NOTES[:3]),
        key=(labels[runs[0]], "revealed_distance"),  # the first run's edits
        draw=ablation_plots,
    )


def _judged(
    folder: Path,
    photos: Path,
    compositions: Sequence[Composition],
    settings: AblationSettings,
    run: Run,
) -> list[Results]:
    """One training run's photos and edits."""
    own = run.within(folder.name)
    alone: dict[str, Any] = {"decoders": (DECODER,), "baselines": ()}
    reconstruction = replace(settings.reconstruction, **alone, model=str(folder))
    options = {**settings.edits.options, "model": str(folder)}
    return [
        evaluate_reconstruction(photos, reconstruction, own.within("reconstruction")),
        evaluate_edits(
            compositions, replace(settings.edits, **alone, options=options), own.within("edits")
        ),
    ]


def run_labels(options: Mapping[Path, Mapping[str, Any]]) -> dict[Path, str]:
    """What each run's row is called: its switch off the default, else "default".

    The folder's name stands behind where two would be called alike.

    Raises:
        UsageError: the same folder twice.
    """
    if len({run.resolve() for run in options}) < len(options):
        raise UsageError("the same run twice")
    plain = {run: _switched(found) for run, found in options.items()}
    names = list(plain.values())
    return {
        run: name if names.count(name) == 1 else f"{name} ({run.name})"
        for run, name in plain.items()
    }


def ablation_plots(results: Results) -> dict[str, bytes]:
    """Means of the runs: of photos from elements alone, and of what edits reveal.

    Raises:
        MissingModelError: matplotlib is not installed.
    """
    from eie.evaluate.reports.plots import means

    return means(results, ["psnr", "features", "revealed_psnr", "revealed_distance"])


def _switched(options: Mapping[str, Any]) -> str:
    found = [name for path, value, name in SWITCHES if _at(options, path) == value]
    if "joint training" in found:
        found.remove("encoder not frozen")  # which goes without saying
    if "no dropout" in found and "no random partition" in found:
        found.remove("no random partition")
    return ", ".join(found) or "default"


def _at(options: Mapping[str, Any], path: Sequence[str]) -> Any:
    value: Any = options
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _side_by_side(judged: Mapping[str, Sequence[Results]]) -> list[CaseResult]:
    """Photos and edits as cases with a row for every run."""
    cases = []
    for kind in range(2):
        prefix = ("photo", "edit")[kind]
        for index, first in enumerate(next(iter(judged.values()))[kind].cases):
            alike = {label: results[kind].cases[index] for label, results in judged.items()}
            pictures = {name: p for name, p in first.pictures.items() if name != DECODER}
            for label, case in alike.items():
                if DECODER in case.pictures:
                    pictures[label] = case.pictures[DECODER]
            scores = {label: case.scores[DECODER] for label, case in alike.items()}
            cases.append(CaseResult(f"{prefix} {first.case}", scores, pictures))
    return cases


def _differences(
    options: Mapping[Path, Mapping[str, Any]], labels: Mapping[Path, str]
) -> list[str]:
    """A line for each option besides the switches in which the runs differ: what is not equal."""
    first, *others = options
    known = {".".join(path) for path, _, _ in SWITCHES}
    reference = _flat(options[first])
    lines = []
    for run in others:
        flat = _flat(options[run])
        names = sorted(
            name
            for name in reference.keys() | flat.keys()
            if reference.get(name) != flat.get(name) and name not in known
        )
        if names:
            lines.append(
                f"{labels[run]} also differs from {labels[first]} in {', '.join(names)}: "
                "their budgets or data are not equal"
            )
    return lines


def _flat(options: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested options by dotted names."""
    flat: dict[str, Any] = {}
    for name, value in options.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat
