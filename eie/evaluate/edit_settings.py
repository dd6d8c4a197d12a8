"""Which methods an evaluation of edits judges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from eie.evaluate.baselines import BASELINES

if TYPE_CHECKING:
    from eie.render import Edge

Pick = Literal["click", "mask", "exact"]
PICKS: tuple[Pick, ...] = ("click", "mask", "exact")


@dataclass(frozen=True)
class EditSettings:
    """Which methods are judged, and how eie picks the object.

    Attributes:
        decoders: names out of :data:`eie.render.DECODERS`; None for classical and light,
            or with `free` for light.
        baselines: names out of :data:`eie.evaluate.baselines.BASELINES`; None for all of them, or
            with `free` for none.
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
        return () if self.free else BASELINES
