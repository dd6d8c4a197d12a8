"""`eie train corrections`: how further clicks correct a selection."""

from __future__ import annotations

from eie.cli.bundles import SettingsOptions, bundled
from eie.cli.options import Segmenter
from eie.cli.train import options as o
from eie.train.corrections.settings import CorrectionSettings


@bundled(
    settings=SettingsOptions(CorrectionSettings, segmenter=Segmenter, rate=o.Rate, seed=o.Seed)
)
def command(
    data: o.Data, output: o.RunFolder, settings: CorrectionSettings, dry_run: o.DryRun = False
) -> None:
    """Train how further clicks correct a selection, from photos with label maps.

    Somebody who clicks on what is still wrong is simulated.

    \b
      eie train corrections coco bsds/train -o runs/corrections
    """
    from eie.train.corrections.stage import WEIGHTS_NAME, train_corrections

    o.run_training(train_corrections, data, output, settings, dry_run, WEIGHTS_NAME)
