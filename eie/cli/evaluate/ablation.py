"""`eie evaluate ablation`: training runs side by side."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from eie.cli.bundles import SettingsOptions, bundled
from eie.cli.evaluate import options as o
from eie.cli.evaluate.edits import pasted_cases
from eie.cli.options import typed
from eie.evaluate.settings import EditSettings, ReconstructionSettings


@bundled(
    settings=SettingsOptions(
        ReconstructionSettings,
        **{n: o.SETTINGS[n] for n in ("size", "elements", "segmenter", "steps", "device")},
    ),
    pasted=o.PASTED,
    output=o.OutputOptions(),
)
def command(
    *,
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN...", help="Run folders of eie train decoder.")
    ],
    photos: o.Photos,
    pasted: dict[str, Any],
    settings: ReconstructionSettings,
    seed: o.Seed = None,
    output: o.Output,
) -> None:
    """Judge training runs alike: the paper's ablation table.

    A row a run, called by the switch that it was trained with: joint training (--joint), encoder
    not frozen (--no-freeze), no random partition, no dropout. Photos are reconstructed from
    elements alone; objects pasted on scenes are moved, removed, resized and copied, cut along
    their masks, and the area that this reveals is compared with the truth, as eie evaluate edits
    does. A note says where runs differ in more than their switch.

    \b
      eie evaluate ablation runs/default runs/joint --photos photos --every 20 \\
        --scenes scenes --objects objects --limit 40 --report report
    """
    from eie.evaluate.ablation import AblationSettings, evaluate_ablation

    output.check_plots()
    drawn = typed(seed=seed)
    alike = {n: getattr(settings, n) for n in ("size", "elements", "segmenter", "device")}
    edits = EditSettings(**alike, select="exact", options={**drawn, **typed(steps=settings.steps)})
    compositions = pasted_cases(**pasted, **drawn, **typed(limit=output.run.limit))
    judged = AblationSettings(reconstruction=replace(settings, **drawn), edits=edits)
    output.hand_out(evaluate_ablation(runs, photos, compositions, judged, output.run))
