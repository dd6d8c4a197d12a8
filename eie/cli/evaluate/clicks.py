"""`eie evaluate clicks`: how well a few clicks select the things in photos."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from eie.cli.bundles import SettingsOptions, bundled
from eie.cli.evaluate import options as o
from eie.evaluate.settings import ClickSettings


@bundled(
    settings=SettingsOptions(ClickSettings, **o.SETTINGS),
    output=o.OutputOptions(),
)
def command(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR",
            help="Photos with label maps, ID.gt0.png for ID.jpg; things.json tells which labels "
            "are things, without it all are. Or with outlines, ID.json of SA-1B or LabelMe.",
        ),
    ],
    settings: ClickSettings,
    output: o.Output,
) -> None:
    """Select things by clicks, and compare with what people outlined.

    The first click is at a thing's innermost point, and selects object@x,y. Every further one is in
    the middle of the largest connected error: on what is missing it adds +object@x,y, on what is
    too much -object@x,y. IoU: intersection over union after 1, 2 and 3 clicks. NoC@80, NoC@85: the
    clicks until the IoU is .80 or .85, the most allowed where it never is. "best choice of
    elements" takes those of which more than half lies in the thing. Means are over things; label 0
    of a things.json's photo is void and counts as outside. --every and --limit count photos. The
    baseline grabcut is OpenCV's GrabCut on SLIC superpixels.

    \b
      eie evaluate clicks coco/val --report report
      eie evaluate clicks BSDS500/data/images/val --clicks 20 --json > clicks.json
    """
    from eie.evaluate.clicks import evaluate_clicks

    output.hand_out(evaluate_clicks(folder, settings, output.run))
