"""`eie train shards`: encoded photos in tar files, for large sets."""

from __future__ import annotations

from eie.cli.bundles import SettingsOptions, bundled
from eie.cli.input_output import note
from eie.cli.options import Segmenter, typed
from eie.cli.train import options as o
from eie.files.stores import path_of
from eie.train.diffusion.settings import DecoderSettings, decoder_settings


@bundled(
    settings=SettingsOptions(decoder_settings, base=o.Base, encoder=o.Encoder, segmenter=Segmenter)
)
def command(
    data: o.Data, output: o.ShardFolder, settings: DecoderSettings, of_shard: o.OfShard = None
) -> None:
    """Decompose and encode photos into WebDataset tar files, for the decoder's training.

    \b
      eie train shards photos -o shards
      eie train decoder shards/*.tar -o runs/decoder
      eie train shards photos --from models/sd15 -o shards
      eie train shards photos -o s3://lab/shards
      eie train decoder 's3://lab/shards/*.tar' -o runs/decoder
    """
    from eie.train.core.images import Folder
    from eie.train.diffusion.run import train_shards

    folders = [Folder.parse(folder) for folder in data]
    written = train_shards(folders, path_of(output), settings, **typed(of_shard=of_shard))
    note(f"{len(written)} shards: {output}")
