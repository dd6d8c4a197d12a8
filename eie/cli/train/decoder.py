"""`eie train decoder`: stage 2 of the paper."""

from __future__ import annotations

from dataclasses import replace

from eie.cli.bundles import SettingsOptions, bundled, changed
from eie.cli.options import Segmenter
from eie.cli.train import options as o
from eie.train.diffusion.settings import DecoderSettings, decoder_settings


@bundled(
    settings=SettingsOptions(
        decoder_settings,
        base=o.Base,
        masks=o.Masks,
        encoder=o.Encoder,
        vae=o.Vae,
        segmenter=Segmenter,
        steps=o.Steps,
        batch=o.Batch,
        crop=o.Crop,
        objective=o.Predicted,
        min_snr=o.MinSnr,
        freeze=o.Freeze,
        joint=o.Joint,
        random_partition=o.RandomPartition,
        light_picture=o.LightPicture,
        picture_features=o.PictureFeatures,
        guess_deviation=o.GuessDeviation,
        feature_weight=o.FeatureWeight,
        last_share=o.LastShare,
        temperature=o.Temperature,
        checkpointing=o.Checkpointing,
        rate=o.Rate,
        batches=o.Batches,
        **o.LOOP,
        start=o.Start,
    )
)
def command(
    data: o.Data,
    output: o.RunFolder,
    settings: DecoderSettings,
    dropout: o.Dropout = True,
    dry_run: o.DryRun = False,
) -> None:
    """Train the diffusion decoder (stage 2 of the paper).

    The run folder is then a model folder.

    \b
      eie train decoder photos:20 --masks runs/masks.npz --vae runs/autoencoder -o runs/decoder
      eie render --decoder diffusion --model runs/decoder photo.h5 -o photo.png
      eie models init sd15 --from STABLE_DIFFUSION -o models/sd15
      accelerate launch -m eie train decoder shards/*.tar --from models/sd15 -o runs/sd15
    """
    from eie.train.diffusion.run import train_decoder

    if settings.joint:  # an encoder that starts from nothing has to be trained
        settings = replace(settings, freeze=False)
    if not dropout:
        settings = changed(settings, share=0.0)
    o.run_training(train_decoder, data, output, settings, dry_run)
