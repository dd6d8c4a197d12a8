"""`eie train objects`: what a click on an element stands for."""

from __future__ import annotations

from eie.cli.bundles import SettingsOptions, bundled
from eie.cli.options import Segmenter
from eie.cli.train import options as o
from eie.train.objects.settings import ObjectSettings


@bundled(
    settings=SettingsOptions(
        ObjectSettings,
        segmenter=Segmenter,
        steps=o.Steps,
        batches=o.Batches,
        pasted=o.Pasted,
        segments=o.Segments,
        noise=o.Noise,
        rate=o.Rate,
        seed=o.Seed,
        workers=o.Workers,
    )
)
def command(
    data: o.Data, output: o.RunFolder, settings: ObjectSettings, dry_run: o.DryRun = False
) -> None:
    """Train a segmenter to tell objects: what a click on an element stands for.

    Photos with label maps of which things.json says which labels are things teach it most.

    \b
      eie train objects coco bsds/train objects:10 photos:20 scenes:5 -o runs/objects
      eie decompose --segmenter runs/objects/tiny-segmenter.safetensors photo.jpg -o photo.h5
    """
    from eie.train.core.segmenters import WEIGHTS_NAME
    from eie.train.objects.stage import train_objects

    o.run_training(train_objects, data, output, settings, dry_run, WEIGHTS_NAME)
