"""`eie train autoencoder`: the latents of the tiny diffusion decoder."""

from __future__ import annotations

from eie.cli.bundles import SettingsOptions, bundled
from eie.cli.train import options as o
from eie.train.autoencoder.settings import AutoencoderSettings


@bundled(
    settings=SettingsOptions(
        AutoencoderSettings, steps=o.Steps, batch=o.Batch, crop=o.Crop, **o.LOOP, start=o.Start
    )
)
def command(
    data: o.Data, output: o.RunFolder, settings: AutoencoderSettings, dry_run: o.DryRun = False
) -> None:
    """Train the latent autoencoder of the tiny diffusion decoder.

    \b
      eie train autoencoder photos:20 -o runs/autoencoder
    """
    from eie.train.autoencoder.stage import FOLDER, train_autoencoder

    o.run_training(train_autoencoder, data, output, settings, dry_run, FOLDER)
