"""Settings of the evaluations. No torch here: the command line reads the defaults for its help."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from eie.evaluate.baselines.codes import CODECS
from eie.evaluate.baselines.inpainting import BASELINES as EDIT_BASELINES
from eie.evaluate.baselines.superpixels import SUPERPIXELS
from eie.evaluate.core.case_result import Pixels
from eie.evaluate.core.photos import Fit, read_rgb, resized

if TYPE_CHECKING:
    from eie.rendering import Edge

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
        tolerance: of objects, as of :func:`eie.editing.edit`; None for its default.
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
        lpips_weights, inception_weights: files, see :mod:`eie.evaluate.measures.similarity`; None
            for without.
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

    @property
    def options(self) -> dict[str, Any]:
        """What decoders are offered."""
        steps = {} if self.steps is None else {"steps": self.steps}
        return {"model": self.model, "device": self.device, "seed": self.seed, **steps}

    def photo(self, path: Path) -> Pixels:
        """A photo at the size of the evaluation."""
        return resized(read_rgb(path), self.size, self.fit)


Pick = Literal["click", "mask", "exact"]
PICKS: tuple[Pick, ...] = ("click", "mask", "exact")


@dataclass(frozen=True)
class EditSettings:
    """Which methods are judged, and how eie picks the object.

    Attributes:
        decoders: names out of :data:`eie.rendering.DECODERS`; None for classical and light,
            or with `free` for light.
        baselines: names out of :data:`eie.evaluate.baselines.inpainting.BASELINES`; None for all
            of them, or with `free` for none.
        select: "click" for one click at the object's middle, baselines know all pixels that it
            touches; "mask" for its true mask, of pixels that are its own more than the scene's,
            which baselines are given, too; "exact" for a mask of all that it touches, dilated by
            its margin (0, but for pairs), so that decoders are judged on exactly what baselines
            have to fill.
        free: decode everything from embeddings and boxes, as the paper does; beside each decoder
            stands what it makes of the elements unedited.
        edge: of what decoders show moved, as in :func:`eie.render`.
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
    edge: Edge | None = None
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
        return () if self.free else EDIT_BASELINES
