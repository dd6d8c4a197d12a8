"""`eie train shards`: encoded photos in tar files, for large sets."""

from __future__ import annotations

from eie.cli.bundles import SettingsOptions, bundled
from eie.cli.options import Segmenter, typed
from eie.cli.payload import note
from eie.cli.train import options as o
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
    """
    from eie.train.core.images import Folder
    from eie.train.diffusion.run import train_shards

    folders = [Folder.parse(folder) for folder in data]
    written = train_shards(folders, output, settings, **typed(of_shard=of_shard))
    note(f"{len(written)} shards: {output}")
