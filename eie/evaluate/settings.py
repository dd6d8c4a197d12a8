"""Settings of the evaluations. No torch here: the command line reads the defaults for its help."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from eie.evaluate.cases import Pixels
from eie.evaluate.codecs import CODECS
from eie.evaluate.photos import Fit, read_rgb, resized
from eie.evaluate.superpixels import SUPERPIXELS

BASELINES = ("pca", *CODECS)
"""What reconstructions are compared with."""

CLICK_BASELINES = ("grabcut",)
"""What clicks on elements are compared with."""


def own_row(segmenter: str) -> str:
    """The name of eie's own row: the segmenter's, or its file's."""
    name = Path(segmenter).name
    return f"eie {name}" if name in SUPERPIXELS else name


@dataclass(frozen=True)
class SegmentationSettings:
    """What is compared.

    Attributes:
        segmenter: as of :func:`eie.decompose`, weights by name.
        counts: numbers of elements asked for, each a row of its own.
        beta: weight of nearness; None for the default of :func:`eie.decompose`.
        baselines: names out of `SUPERPIXELS`.
        device: as of :func:`eie.decompose`.
    """

    segmenter: str = "tiny"
    counts: tuple[int, ...] = (256,)
    beta: float | None = None
    baselines: tuple[str, ...] = tuple(SUPERPIXELS)
    device: str | None = None

    @property
    def ours(self) -> str:
        """The name of eie's own row."""
        return own_row(self.segmenter)

    def method(self, name: str, count: int) -> str:
        """The name of a row."""
        return name if len(self.counts) == 1 else f"{name} {count}"


@dataclass(frozen=True)
class ClickSettings:
    """How things are clicked.

    Attributes:
        segmenter, device: as of :func:`eie.decompose`, weights by name.
        elements: as of :func:`eie.decompose`.
        tolerance: of objects, as of :func:`eie.edit.edit`; None for its default.
        clicks: the most on a thing, ≥ 3.
        smallest: least area of a thing, as a share of its photo.
        baselines: names out of `CLICK_BASELINES`.
    """

    segmenter: str = "tiny"
    elements: int = 256
    tolerance: float | None = None
    clicks: int = 10
    smallest: float = 0.02
    baselines: tuple[str, ...] = CLICK_BASELINES
    device: str | None = None

    @property
    def ours(self) -> str:
        """The name of eie's own row."""
        return own_row(self.segmenter)


@dataclass(frozen=True)
class ReconstructionSettings:
    """What is compared.

    Attributes:
        decoders: names of decoders that render from embeddings, each a row.
        model, device: as of :func:`eie.encode`.
        segmenter, elements: as of :func:`eie.decompose`.
        size: short side of the photos in pixels.
        fit: "crop" for the central square, "keep" for the whole photo.
        seed: of decoders that draw at random.
        steps: of decoders that denoise; None for their own number.
        baselines: names out of `BASELINES`.
        pca_fit: folder of the photos that the PCA is fitted to; None for the other photos of the
            evaluation, each photo with a basis that has not seen it.
        lpips_weights, inception_weights: files, see :mod:`eie.evaluate.metrics`; None for without.
    """

    decoders: tuple[str, ...] = ("light",)
    model: str = "tiny"
    segmenter: str = "tiny"
    elements: int = 256
    size: int = 512
    fit: Fit = "crop"
    seed: int = 0
    steps: int | None = None
    baselines: tuple[str, ...] = BASELINES
    pca_fit: Path | None = None
    lpips_weights: Path | None = None
    inception_weights: Path | None = None
    device: str | None = None

    def photo(self, path: Path) -> Pixels:
        """A photo at the size of the evaluation."""
        return resized(read_rgb(path), self.size, self.fit)
