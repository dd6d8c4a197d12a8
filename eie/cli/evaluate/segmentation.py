"""`eie evaluate segmentation`: elements against human segmentations."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from eie.cli.bundles import SettingsOptions, bundled
from eie.cli.evaluate import options as o
from eie.evaluate.settings import SegmentationSettings


@bundled(
    settings=SettingsOptions(SegmentationSettings, **o.SETTINGS),
    output=o.OutputOptions(),
)
def command(
    *,
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR",
            help="Photos with human segmentations: ID.gtK.png or BSDS500's ID.mat for ID.jpg.",
        ),
    ],
    settings: SegmentationSettings,
    truth: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder of the segmentations.",
            show_default="DIR, or groundTruth beside images as BSDS500 has it",
        ),
    ] = None,
    output: o.Output,
) -> None:
    """Compare elements and superpixels with what people saw.

    Boundary recall: share of the human border pixels with a border pixel of the partition in the
    square of 5×5 pixels around; a border pixel is one whose right or lower neighbour belongs to
    something else. Undersegmentation error: Neubert and Protzel's, as a share of the pixels.
    Achievable accuracy: share of pixels that are right if every element takes its best segment's
    label. These are means over the people who segmented a photo. Explained variation: share of the
    colours' variance that the elements' mean colours explain. Compactness: isoperimetric quotient,
    mean weighted by area. Photos keep their size. Baselines: slic is scikit-image's, seeds and lsc
    are of OpenCV's contrib modules.

    \b
      eie evaluate segmentation BSDS500/data/images/val --report report
      eie evaluate segmentation bsds/val --counts 64,128,256,512 --json > curves.json
    """
    from eie.evaluate.segmentation import evaluate_segmentation

    if len(settings.counts) > 1:
        output.check_plots()
    output.hand_out(evaluate_segmentation(folder, settings, truth=truth, run=output.run))
