"""All measures: how each is called and read."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

from eie.evaluate.measures.superpixel_metrics import BORDER_TOLERANCE, SMALL

MISSING = "—"
"""What a table shows where nothing was measured."""


@dataclass(frozen=True)
class Measure:
    """How a measure is called and read.

    Attributes:
        label: its name for people.
        unit: such as "dB"; "" for none.
        higher_is_better: None where neither is.
        digits: shown behind the point.
        about: what exactly it is, for a legend.
        factor: by which values are multiplied when they are shown to people.
        average: of the cases.
    """

    label: str
    unit: str = ""
    higher_is_better: bool | None = None
    digits: int = 3
    about: str = ""
    factor: float = 1
    average: Literal["mean", "median"] = "mean"

    @property
    def heading(self) -> str:
        """Label, unit, factor, what is no mean, and an arrow towards the better."""
        arrow = {True: " ↑", False: " ↓", None: ""}[self.higher_is_better]
        factor = f"×{self.factor:g}" if self.factor != 1 else ""
        average = self.average if self.average != "mean" else ""
        remarks = ", ".join(filter(None, (self.unit, factor, average)))
        return f"{self.label}{f' ({remarks})' if remarks else ''}{arrow}"

    def shown(self, value: float) -> str:
        return f"{value * self.factor:.{self.digits}f}" if math.isfinite(value) else MISSING


_SQUARE = 2 * BORDER_TOLERANCE + 1

_higher = partial(Measure, higher_is_better=True)
_lower = partial(Measure, higher_is_better=False)

MEASURES: Mapping[str, Measure] = {
    # of partitions (:mod:`eie.evaluate.measures.superpixel_metrics`)
    "elements": Measure("N", digits=1, about="elements that came out"),
    "boundary_recall": _higher(
        "BR",
        about="boundary recall, the share of the human border pixels with a border pixel of the "
        f"partition in the square of {_SQUARE}×{_SQUARE} pixels around; a border pixel is one "
        "whose right or lower neighbour belongs to something else; mean over the people",
    ),
    "undersegmentation_error": _lower(
        "UE",
        about="undersegmentation error of Neubert and Protzel, a share of the pixels; mean over "
        "the people",
    ),
    "achievable_accuracy": _higher(
        "ASA",
        about="achievable segmentation accuracy, the share of pixels that are right if every "
        "element takes its best segment's label; mean over the people",
    ),
    "explained_variation": _higher(
        "EV",
        about="explained variation, the share of the colours' variance that the elements' mean "
        "colours explain",
    ),
    "compactness": _higher(
        "CO", about="compactness, the elements' isoperimetric quotient, mean weighted by area"
    ),
    "mean_size": Measure("size", "px", digits=0, about="mean size of the elements"),
    "small_share": _lower(f"<{SMALL} px", about="share of the elements that are smaller"),
    # of selections by clicks (:mod:`eie.editing.click_simulation`)
    **{
        f"iou_{n}": _higher(
            f"IoU {n}",
            about=f"intersection over union of thing and selection after {n} click{'s'[: n > 1]}",
        )
        for n in (1, 2, 3)
    },
    "below_half": _lower(
        "IoU 1 <.5", about="share of the things whose IoU is below .5 after 1 click"
    ),
    **{
        f"noc_{wanted}": _lower(
            f"NoC@{wanted}",
            digits=2,
            about=f"clicks until the IoU is .{wanted}; the most allowed where it never is",
        )
        for wanted in (80, 85)
    },
    # of whole pictures (:mod:`eie.evaluate.measures.similarity`, `perceptual_distance`)
    "bytes": Measure(
        "bytes",
        digits=0,
        about="2 for each number of an embedding and 8 for an element's box; the size of the file "
        "for JPEG and WebP",
    ),
    "mse": _lower("MSE", digits=5, about="mean squared error of colours in [0, 1]"),
    "psnr": _higher("PSNR", "dB", digits=2),
    "ssim": _higher("SSIM", digits=4, about="Gaussian window of σ 1.5, mean of the channels"),
    "ms_ssim": _higher("MS-SSIM", digits=4, about="5 scales, mean of the channels"),
    "lpips": _lower("LPIPS", digits=4),
    "features": _lower(
        "FeatD", digits=4, about="distance of EfficientNet-Lite0's ImageNet features"
    ),
    "fid": _lower("FID", digits=2, about="over the set of photos"),
    "features_frechet": _lower(
        "FeatFD",
        about="Fréchet distance of EfficientNet-Lite0's last features over the set of photos",
    ),
    # of edits with known truth, by region (:mod:`eie.evaluate.measures.edit_scores`)
    "revealed_psnr": _higher("revealed PSNR", "dB", digits=2),
    "revealed_distance": _lower("revealed features"),
    "revealed_kid": _lower("revealed KID", digits=1, factor=1000),
    "revealed_detail": Measure("revealed detail", digits=2, average="median"),
    "object_psnr": _higher("object PSNR", "dB", digits=2),
    "object_distance": _lower("object features"),
    "edge_psnr": _higher("edge PSNR", "dB", digits=2),
    "untouched_psnr": _higher("untouched PSNR", "dB", digits=2),
    "untouched_distance": _lower("untouched features"),
    "untouched_identical": _higher("identical", digits=4),
    "leftover": _lower("leftover"),
    "selection": _higher("selection IoU"),
    "seconds": _lower("processor time", "s", digits=2),
}


def measures(*names: str) -> dict[str, Measure]:
    """Those of these names, in this order."""
    return {name: MEASURES[name] for name in names}
