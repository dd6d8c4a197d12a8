"""`eie train masks`: shapes of objects for element dropout."""

from __future__ import annotations

from eie.cli.bundles import SettingsOptions, bundled
from eie.cli.input_output import note
from eie.cli.options import Segmenter
from eie.cli.train import options as o
from eie.train.diffusion.settings import MaskSettings


@bundled(settings=SettingsOptions(MaskSettings, segmenter=Segmenter))
def command(data: o.Data, output: o.MaskFile, settings: MaskSettings) -> None:
    """Collect the shapes of objects, for the decoder's element dropout.

    They come from cut-outs, from what people outlined, from black-and-white pictures, and from
    objects grown in other photos.

    \b
      eie train masks objects:10 bsds/train -o runs/masks.npz
    """
    from eie.train.core.images import Folder
    from eie.train.diffusion.masks import train_masks

    found = train_masks([Folder.parse(folder) for folder in data], output, settings)
    note(f"{found['masks']} masks: {output}")
