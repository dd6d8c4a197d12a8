"""`eie evaluate reconstruction`: photos from embeddings alone, beside codes of the same size.

photo ⇒ elements ⇒ embeddings in half precision ⇒ picture, by every decoder (paper §4.1, table 1)
"""

from __future__ import annotations

import hashlib
import inspect
import math
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import eie
from eie.elements import ElementSet, Source
from eie.errors import MissingModelError, UsageError
from eie.evaluate.cases import CaseResult, Pixels, read_case, run_cases
from eie.evaluate.codecs import CODECS, coded_within
from eie.evaluate.metrics import (
    MS_SSIM_SMALLEST,
    check_installed,
    inception_features,
    load_inception,
    load_lpips,
    lpips_distance,
    ms_ssim,
    mse,
    psnr,
    ssim,
)
from eie.evaluate.photos import chosen_files
from eie.evaluate.results import Measure, Results
from eie.evaluate.segmenters import loaded_segmenter, segmenter_hash
from eie.evaluate.settings import BASELINES, ReconstructionSettings
from eie.models.weight_hash import file_hash

MEASURES: Mapping[str, Measure] = {
    "bytes": Measure(
        "bytes",
        digits=0,
        about="2 for each number of an embedding and 8 for an element's box; the size of the file "
        "for JPEG and WebP",
    ),
    "mse": Measure("MSE", "", False, 5, about="mean squared error of colours in [0, 1]"),
    "psnr": Measure("PSNR", "dB", True, 2),
    "ssim": Measure("SSIM", "", True, 4, about="Gaussian window of σ 1.5, mean of the channels"),
    "ms_ssim": Measure("MS-SSIM", "", True, 4, about="5 scales, mean of the channels"),
    "lpips": Measure("LPIPS", "", False, 4),
    "features": Measure(
        "FeatD", "", False, 4, about="distance of EfficientNet-Lite0's ImageNet features"
    ),
    "fid": Measure("FID", "", False, 2, about="over the set of photos"),
    "features_frechet": Measure(
        "FeatFD",
        "",
        False,
        3,
        about="Fréchet distance of EfficientNet-Lite0's last features over the set of photos",
    ),
}

BOX_BYTES = 8
"""Four whole numbers of two bytes."""
FIT_PHOTOS = 100
"""At most so many photos of a folder of their own fit the PCA."""

_PHOTO = "photo"
_LITE0, _INCEPTION = "lite0", "inception"


@dataclass(frozen=True)
class PartitionCase:
    """Cuts one photo; keeps its label map, and its patches if a PCA is to be fitted."""

    settings: ReconstructionSettings
    photos: Mapping[str, Path] = field(repr=False)

    def __call__(self, case: str) -> CaseResult:
        settings = self.settings
        pixels = settings.photo(self.photos[case])
        segmenter = loaded_segmenter(settings.segmenter, settings.device)
        elements = eie.decompose(pixels, segmenter=segmenter, elements=settings.elements)
        source = elements.sources[0]
        arrays: dict[str, NDArray[Any]] = {"label_map": source.label_map}
        if "pca" in settings.baselines:
            from eie.evaluate.patch_pca import patches_of

            arrays["patches"] = patches_of(source)
        return CaseResult(case, {}, {}, arrays)


@dataclass(frozen=True)
class ReconstructionCase:
    """Reconstructs one photo in every way.

    Attributes:
        partitions: store of :class:`PartitionCase`.
        pca: file of the PCA, made by `_fit_pca`; None for no PCA.
        measured: the measures that can be taken.
    """

    settings: ReconstructionSettings
    photos: Mapping[str, Path] = field(repr=False)
    partitions: Path
    pca: Path | None
    measured: frozenset[str]
    pictures: bool = False

    def __call__(self, case: str) -> CaseResult:
        pixels = self.settings.photo(self.photos[case])
        cut = read_case(self.partitions, case).arrays
        source = Source.from_label_map(cut["label_map"], pixels=pixels)
        encoded = in_half_precision(
            eie.encode(
                ElementSet.from_source(source),
                model=self.settings.model,
                device=self.settings.device,
            )
        )
        budget = embedding_bytes(encoded)
        made: dict[str, tuple[Pixels, int]] = {
            name: (self._decoded(name, encoded), budget) for name in self.settings.decoders
        }
        if self.pca is not None:
            made["pca"] = (self._by_pca(cut["patches"], source), budget)
        for codec in CODECS:
            if codec in self.settings.baselines:
                coded = coded_within(pixels, codec, budget)
                made[codec] = (coded.pixels, coded.size)
        scores = {
            name: {"bytes": float(size), **self._scores(picture, pixels)}
            for name, (picture, size) in made.items()
        }
        pictures = {_PHOTO: pixels, **{name: picture for name, (picture, _) in made.items()}}
        arrays = {
            f"{name}/{kind}": features
            for name, picture in pictures.items()
            for kind, features in self._features(picture).items()
        }
        return CaseResult(case, scores, pictures if self.pictures else {}, arrays)

    def _decoded(self, name: str, encoded: ElementSet) -> Pixels:
        options = decoder_options(name, self.settings)
        return eie.render(encoded, decoder=name, free=True, **options).photo.pixels

    def _by_pca(self, patches: NDArray[np.uint8], source: Source) -> Pixels:
        from eie.evaluate.patch_pca import Basis, Moments, reconstructed

        if self.pca is None:
            raise UsageError("no PCA was fitted")
        kept = _loaded_pca(self.pca)
        if isinstance(kept, Basis):
            basis = kept
        else:
            moments, components = kept
            basis = Basis.of(moments - Moments.of(patches), components)
        return reconstructed(patches, basis, source)

    def _scores(self, picture: Pixels, truth: Pixels) -> dict[str, float]:
        from eie.evaluate.perceptual import feature_distance

        def by_lpips(a: Pixels, b: Pixels) -> float:
            if self.settings.lpips_weights is None:
                return math.nan
            return lpips_distance(a, b, self.settings.lpips_weights)

        measures: dict[str, Callable[[Pixels, Pixels], float]] = {
            "mse": mse,
            "psnr": psnr,
            "ssim": ssim,
            "ms_ssim": ms_ssim,
            "lpips": by_lpips,
            "features": feature_distance,
        }
        return {
            name: measure(picture, truth) if name in self.measured else math.nan
            for name, measure in measures.items()
        }

    def _features(self, picture: Pixels) -> dict[str, NDArray[np.float32]]:
        from eie.evaluate.perceptual import pooled_features

        found = {}
        if "features_frechet" in self.measured:
            found[_LITE0] = pooled_features([picture])[0]
        if "fid" in self.measured and self.settings.inception_weights is not None:
            found[_INCEPTION] = inception_features(picture, self.settings.inception_weights)
        return found


def evaluate_reconstruction(
    folder: Path,
    settings: ReconstructionSettings | None = None,
    *,
    every: int | None = None,
    limit: int | None = None,
    store: Path | None = None,
    pictures: bool = False,
    workers: int = 0,
    command: str = "",
) -> Results:
    """Reconstruct photos from their embeddings and measure what comes back.

    Args:
        folder: photos.
        every, limit: as :func:`eie.evaluate.photos.chosen_files`.
        store, workers: as :func:`eie.evaluate.cases.run_cases`.
        pictures: whether to keep the pictures, for a report; needs a store.
        command: recorded in the results.

    Raises:
        BadInputError: a folder is missing, or a photo cannot be read.
        UsageError: settings out of range, or a decoder that knows no embeddings.
        MissingModelError: weights are missing.
    """
    settings = settings or ReconstructionSettings()
    _check(settings)
    photos = _by_name(chosen_files(folder, every, limit))
    measured, notes = available(settings, len(photos))
    if settings.pca_fit is None and len(photos) < 2 and "pca" in settings.baselines:
        settings = replace(settings, baselines=tuple(b for b in settings.baselines if b != "pca"))
        notes.append("not measured: pca, which needs other photos to be fitted to (--pca-fit DIR)")
    with _kept(store) as kept:
        recorded = _recorded(folder, settings, photos)
        partitions = kept / "partitions"
        run_cases(
            list(photos),
            PartitionCase(settings, photos),
            store=partitions,
            settings=recorded,
            workers=workers,
            title="decomposing",
        )
        pca = None
        if "pca" in settings.baselines:
            pca, line = _fit_pca(kept, settings, list(photos), partitions, workers)
            notes.append(line)
        results = run_cases(
            list(photos),
            ReconstructionCase(
                settings, photos, partitions, pca, measured, pictures and store is not None
            ),
            store=kept / "reconstructions",
            settings={**recorded, "measured": sorted(measured), "pictures": pictures},
            workers=workers,
            title="reconstruction",
        )
        overall = _overall(results)
    return Results(
        title=f"Reconstruction of {folder.name}",
        command=command,
        settings=recorded,
        measures=MEASURES,
        cases=results,
        overall=overall,
        notes=notes,
    )


def embedding_bytes(elements: ElementSet) -> int:
    """Bytes that the visible elements take: half-precision embeddings and boxes."""
    table = elements.table
    numbers = [
        0 if s.embeddings is None else s.embeddings.values.shape[1] for s in elements.sources
    ]
    return sum(
        2 * numbers[source] + BOX_BYTES for source in table.source[np.asarray(table.visible)]
    )


def in_half_precision(elements: ElementSet) -> ElementSet:
    """The set with embeddings as half-precision numbers hold them."""
    sources = tuple(
        source
        if source.embeddings is None
        else replace(
            source,
            embeddings=replace(
                source.embeddings,
                values=source.embeddings.values.astype(np.float16).astype(np.float32),
            ),
        )
        for source in elements.sources
    )
    return replace(elements, sources=sources)


def decoder_options(name: str, settings: ReconstructionSettings) -> dict[str, Any]:
    """Of model, device, seed and steps, those that the decoder takes."""
    from eie.render import DECODERS

    if name not in DECODERS:
        raise UsageError(f"no decoder '{name}'", hint=f"there is: {', '.join(DECODERS)}")
    if not hasattr(DECODERS[name], "decode"):
        raise UsageError(f"the decoder '{name}' cannot render from embeddings alone")
    offered: dict[str, Any] = {
        "model": settings.model,
        "device": settings.device,
        "seed": settings.seed,
    }
    if settings.steps is not None:
        offered["steps"] = settings.steps
    taken = inspect.signature(DECODERS[name]).parameters
    return {key: value for key, value in offered.items() if key in taken}


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
        from eie.evaluate.perceptual import pooled_features

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
    from eie.evaluate.plots import curves

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


def report_key(settings: ReconstructionSettings) -> tuple[str, str]:
    """What cases are ranked by in a report."""
    return settings.decoders[0], "psnr"


@lru_cache(maxsize=1)
def _loaded_pca(path: Path) -> Any:
    """A basis for all photos, or the moments of all photos and the number of components."""
    from eie.evaluate.patch_pca import Basis, Moments

    with np.load(path, allow_pickle=False) as file:
        if "axes" in file.files:
            return Basis(file["mean"], file["axes"])
        moments = Moments(int(file["count"]), file["total"], file["outer"])
        return moments, int(file["components"])


def _fit_pca(
    kept: Path,
    settings: ReconstructionSettings,
    cases: list[str],
    partitions: Path,
    workers: int,
) -> tuple[Path, str]:
    """Fit the PCA into a file, and say in a line to what."""
    from eie.evaluate.patch_pca import Basis
    from eie.models.content import load_content_encoder

    encoder = load_content_encoder(settings.model, settings.device)
    components = int(encoder.model.config.embedding_dim)
    path = kept / "pca.npz"
    if settings.pca_fit is None:
        moments = _summed(partitions, cases)
        np.savez(
            path,
            components=components,
            count=moments.count,
            total=moments.total,
            outer=moments.outer,
        )
        line = f"pca: {components} numbers, fitted for each photo to the {len(cases) - 1} others"
    else:
        fitted = _by_name(chosen_files(settings.pca_fit, limit=FIT_PHOTOS))
        store = kept / "pca-partitions"
        run_cases(
            list(fitted),
            PartitionCase(settings, fitted),
            store=store,
            settings=_recorded(settings.pca_fit, settings, fitted),
            workers=workers,
            title="decomposing for the PCA",
        )
        basis = Basis.of(_summed(store, list(fitted)), components)
        np.savez(path, mean=basis.mean, axes=basis.axes)
        line = f"pca: {components} numbers, fitted to {len(fitted)} photos of {settings.pca_fit}"
    _loaded_pca.cache_clear()
    return path, f"{line}; the true masks, with which it is laid back, are not counted"


def _summed(store: Path, cases: Sequence[str]) -> Any:
    """The moments of the patches of all cases."""
    from eie.evaluate.patch_pca import Moments

    moments = Moments.of(read_case(store, cases[0]).arrays["patches"])
    for case in cases[1:]:
        moments = moments + Moments.of(read_case(store, case).arrays["patches"])
    return moments


def _overall(results: Sequence[CaseResult]) -> dict[str, dict[str, float]]:
    """Fréchet distances of every method's pictures to the photos."""
    from eie.evaluate.perceptual import frechet_distance

    overall: dict[str, dict[str, float]] = {}
    if len(results) < 2:
        return overall
    arrays = [case.arrays for case in results]
    for measure, kind in (("features_frechet", _LITE0), ("fid", _INCEPTION)):
        if f"{_PHOTO}/{kind}" not in arrays[0]:
            continue
        photos = np.stack([found[f"{_PHOTO}/{kind}"] for found in arrays])
        for method in results[0].scores:
            made = np.stack([found[f"{method}/{kind}"] for found in arrays])
            overall.setdefault(method, {})[measure] = frechet_distance(made, photos)
    return overall


@contextmanager
def _kept(store: Path | None) -> Iterator[Path]:
    """The store, or a folder that goes away."""
    if store is not None:
        yield store
        return
    with tempfile.TemporaryDirectory(prefix="eie-") as folder:
        yield Path(folder)


def _by_name(files: Sequence[Any]) -> dict[str, Path]:
    return {file.path.name: file.path for file in files}


def _check(settings: ReconstructionSettings) -> None:
    if not settings.decoders:
        raise UsageError("no decoder is named", hint="as in --decoder light")
    for name in settings.decoders:
        decoder_options(name, settings)
    if settings.size < 32:
        raise UsageError(f"size is {settings.size}", hint="choose 32 pixels or more")
    unknown = [name for name in settings.baselines if name not in BASELINES]
    if unknown:
        raise UsageError(f"no baseline '{unknown[0]}'", hint=f"there is: {', '.join(BASELINES)}")


def _recorded(
    folder: Path, settings: ReconstructionSettings, photos: Mapping[str, Path]
) -> dict[str, Any]:
    """What determines the results."""
    from eie.models.content import load_content_encoder

    encoder = load_content_encoder(settings.model, settings.device)
    # The PCA of each photo depends on all the others.
    names = hashlib.sha256("\0".join(photos).encode()).hexdigest()
    return {
        "evaluation": "reconstruction",
        "eie": eie.__version__,
        "folder": str(folder),
        "photos": len(photos),
        "photos_hash": names,
        "size": settings.size,
        "fit": settings.fit,
        "segmenter": settings.segmenter,
        "segmenter_hash": segmenter_hash(settings.segmenter, settings.device),
        "elements": settings.elements,
        "model": settings.model,
        "encoder_hash": encoder.weight_hash,
        "decoders": {
            name: {k: v for k, v in decoder_options(name, settings).items() if k != "device"}
            for name in settings.decoders
        },
        "baselines": list(settings.baselines),
        "pca_fit": None if settings.pca_fit is None else str(settings.pca_fit),
        "lpips_weights": _hash(settings.lpips_weights),
        "inception_weights": _hash(settings.inception_weights),
    }


def _hash(path: Path | None) -> str | None:
    return None if path is None else file_hash(path)
