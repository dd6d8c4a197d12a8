"""`eie train corrections`: what clicks select, and how further ones correct it."""

from __future__ import annotations

from eie.cli.bundles import SettingsOptions, bundled
from eie.cli.options import Segmenter, option
from eie.cli.train import options as o
from eie.train.corrections.settings import CorrectionSettings

Heads = option(
    list[str],
    "Run of eie train objects, to be repeated: each photo is cut by the first of them "
    "that was not trained on it, and left out if all were. Without, all are cut by the "
    "segmenter, which should not have been trained on them either.",
    metavar="RUN_DIR",
)


@bundled(
    settings=SettingsOptions(
        CorrectionSettings, segmenter=Segmenter, heads=Heads, rate=o.Rate, seed=o.Seed
    )
)
def command(
    data: o.Data, output: o.RunFolder, settings: CorrectionSettings, dry_run: o.DryRun = False
) -> None:
    """Train what a click selects and how further ones correct it, from photos with label maps.

    Somebody who clicks into the middle of things, and on what is still wrong, is simulated.

    \b
      eie train objects coco:4+1 bsds/train -o runs/heads-1
      eie train corrections coco bsds/val --heads runs/heads-1 -o runs/corrections
    """
    from eie.train.corrections.stage import train_corrections

    o.run_training(train_corrections, data, output, settings, dry_run)
