"""One photo from embeddings, and from codes of the same size."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import eie
from eie.elements import ElementSet, Source
from eie.errors import UsageError
from eie.evaluate.baselines.codes import CODECS, coded_within
from eie.evaluate.core.case_result import CaseResult, Pixels, read_case
from eie.evaluate.core.choices import decoder_options, loaded_segmenter, segmenter_hash
from eie.evaluate.core.photos import chosen_files
from eie.evaluate.core.run import Run, run_cases
from eie.evaluate.measures.similarity import (
    inception_features,
    lpips_distance,
    ms_ssim,
    mse,
    psnr,
    ssim,
)
from eie.evaluate.settings import ReconstructionSettings
from eie.models.weight_files import file_hash

BOX_BYTES = 8
"""Four whole numbers of two bytes."""

PHOTO = "photo"

LITE0, INCEPTION = "lite0", "inception"

FIT_PHOTOS = 100
"""At most so many photos of a folder of their own fit the PCA."""


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
            from eie.evaluate.baselines.codes import patches_of

            arrays["patches"] = patches_of(source)
        return CaseResult(case, {}, {}, arrays)


@dataclass(frozen=True)
class ReconstructionCase:
    """Reconstructs one photo in every way.

    Attributes:
        partitions: store of :class:`PartitionCase`.
        pca: file of the PCA, made by `fit_pca`; None for no PCA.
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
        pictures = {PHOTO: pixels, **{name: picture for name, (picture, _) in made.items()}}
        arrays = {
            f"{name}/{kind}": features
            for name, picture in pictures.items()
            for kind, features in self._features(picture).items()
        }
        return CaseResult(case, scores, pictures if self.pictures else {}, arrays)

    def _decoded(self, name: str, encoded: ElementSet) -> Pixels:
        options = decoder_options(name, self.settings.options)
        return eie.render(encoded, decoder=name, free=True, **options).photo.pixels

    def _by_pca(self, patches: NDArray[np.uint8], source: Source) -> Pixels:
        from eie.evaluate.baselines.codes import Basis, Moments, reconstructed

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
        from eie.evaluate.measures.perceptual_distance import feature_distance

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
        from eie.evaluate.measures.perceptual_distance import pooled_features

        found = {}
        if "features_frechet" in self.measured:
            found[LITE0] = pooled_features([picture])[0]
        if "fid" in self.measured and self.settings.inception_weights is not None:
            found[INCEPTION] = inception_features(picture, self.settings.inception_weights)
        return found


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


@lru_cache(maxsize=1)
def _loaded_pca(path: Path) -> Any:
    """A basis for all photos, or the moments of all photos and the number of components."""
    from eie.evaluate.baselines.codes import Basis, Moments

    with np.load(path, allow_pickle=False) as file:
        if "axes" in file.files:
            return Basis(file["mean"], file["axes"])
        moments = Moments(int(file["count"]), file["total"], file["outer"])
        return moments, int(file["components"])


def fit_pca(kept: Run, settings: ReconstructionSettings, cases: list[str]) -> tuple[Path, str]:
    """Fit the PCA into a file, and say in a line to what.

    Args:
        kept: whose store has the partitions of all cases.
    """
    from eie.evaluate.baselines.codes import Basis
    from eie.models.content_checkpoints import load_content_encoder

    encoder = load_content_encoder(settings.model, settings.device)
    components = int(encoder.model.config.embedding_dim)
    path = store_of(kept) / "pca.npz"
    if settings.pca_fit is None:
        moments = _summed(kept.within("partitions"), cases)
        np.savez(
            path,
            components=components,
            count=moments.count,
            total=moments.total,
            outer=moments.outer,
        )
        line = f"pca: {components} numbers, fitted for each photo to the {len(cases) - 1} others"
    else:
        fitted = by_name(chosen_files(settings.pca_fit, limit=FIT_PHOTOS))
        store = kept.within("pca-partitions")
        run_cases(
            list(fitted),
            PartitionCase(settings, fitted),
            store,
            settings=recorded_settings(settings.pca_fit, settings, fitted),
            title="decomposing for the PCA",
        )
        basis = Basis.of(_summed(store, list(fitted)), components)
        np.savez(path, mean=basis.mean, axes=basis.axes)
        line = f"pca: {components} numbers, fitted to {len(fitted)} photos of {settings.pca_fit}"
    _loaded_pca.cache_clear()
    return path, f"{line}; the true masks, with which it is laid back, are not counted"


def _summed(partitions: Run, cases: Sequence[str]) -> Any:
    """The moments of the patches of all cases."""
    from eie.evaluate.baselines.codes import Moments

    store = store_of(partitions)
    moments = Moments.of(read_case(store, cases[0]).arrays["patches"])
    for case in cases[1:]:
        moments = moments + Moments.of(read_case(store, case).arrays["patches"])
    return moments


def by_name(files: Sequence[Any]) -> dict[str, Path]:
    return {file.path.name: file.path for file in files}


def recorded_settings(
    folder: Path, settings: ReconstructionSettings, photos: Mapping[str, Path]
) -> dict[str, Any]:
    """What determines the results."""
    from eie.models.content_checkpoints import load_content_encoder

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
            name: {
                k: v for k, v in decoder_options(name, settings.options).items() if k != "device"
            }
            for name in settings.decoders
        },
        "baselines": list(settings.baselines),
        "pca_fit": None if settings.pca_fit is None else str(settings.pca_fit),
        "lpips_weights": settings.lpips_weights and file_hash(settings.lpips_weights),
        "inception_weights": settings.inception_weights and file_hash(settings.inception_weights),
    }


def store_of(run: Run) -> Path:
    """The store of a run that has one.

    Raises:
        ValueError: it has none.
    """
    if run.store is None:
        raise ValueError("this run keeps nothing")
    return run.store
