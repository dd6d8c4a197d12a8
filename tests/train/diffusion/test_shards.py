"""Encoded photos in shards."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from eie.errors import BadInputError, UsageError
from eie.files.stores import path_of
from eie.train.core.checkpoint import averaged_weights
from eie.train.core.images import Folder
from eie.train.diffusion.encoded_photos import ShardedPhotos
from eie.train.diffusion.run import encoded_photos, train_decoder, train_shards
from tests.train.diffusion.conftest import SMALL, encoded


def test_shards_hold_what_folders_give(photos, tmp_path) -> None:
    settings = replace(SMALL, segmenter="slic")
    shards = train_shards([Folder(photos)], tmp_path / "shards", settings, of_shard=3)
    assert [shard.name for shard in shards] == ["photos-00000.tar", "photos-00001.tar"]
    whole, sharded = encoded(photos, tmp_path), ShardedPhotos(shards)
    assert len(sharded) == len(whole) == 4
    for index in range(4):
        for foreign in (False, True):
            one, other = whole.get(index, foreign), sharded.get(index, foreign)
            assert all(
                np.array_equal(getattr(one, f.name), getattr(other, f.name)) for f in fields(one)
            )


def test_shards_in_a_store_are_those_of_a_folder(photos, tmp_path) -> None:
    settings = replace(SMALL, segmenter="slic")
    store = path_of(f"local://{tmp_path.as_posix()}/stored")
    stored = train_shards([Folder(photos)], store, settings, of_shard=3)
    assert [str(shard) for shard in stored] == [f"{store}/photos-0000{n}.tar" for n in (0, 1)]
    local = train_shards([Folder(photos)], tmp_path / "shards", settings, of_shard=3)
    assert [shard.read_bytes() for shard in stored] == [shard.read_bytes() for shard in local]
    sharded = encoded_photos([Folder.parse(f"{store}/*.tar")], tmp_path, settings)
    assert isinstance(sharded, ShardedPhotos) and len(sharded) == 4
    one, other = sharded.get(3, True), ShardedPhotos(local).get(3, True)
    assert all(np.array_equal(getattr(one, f.name), getattr(other, f.name)) for f in fields(one))
    with pytest.raises(BadInputError, match="finds no shard"):
        encoded_photos([Folder.parse(f"{store}/x*.tar")], tmp_path, settings)
    with pytest.raises(BadInputError, match="are on this machine"):
        encoded_photos([Folder.parse(str(store))], tmp_path, settings)


def test_a_run_from_shards_equals_one_from_folders(photos, vae, tmp_path) -> None:
    settings = replace(SMALL, vae=str(vae))
    shards = train_shards([Folder(photos)], tmp_path / "shards", settings, of_shard=3)
    train_decoder([Folder(photos)], tmp_path / "folders", settings)
    train_decoder([Folder(shard) for shard in shards], tmp_path / "tars", settings)
    first, second = (averaged_weights(tmp_path / name) for name in ("folders", "tars"))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_damaged_shards_are_refused(photos, tmp_path) -> None:
    (shard,) = train_shards([Folder(photos)], tmp_path / "shards", SMALL)
    with pytest.raises(UsageError, match="together"):
        train_decoder([Folder(photos), Folder(shard)], tmp_path / "run", SMALL)
    (tmp_path / "short.tar").write_bytes(shard.read_bytes()[:-300_000])
    with pytest.raises(BadInputError, match=r"shard|sample"):
        photos = ShardedPhotos([tmp_path / "short.tar"])
        [photos.get(index, True) for index in range(len(photos))]
    (tmp_path / "other.tar").write_bytes(b"no tar")
    with pytest.raises(BadInputError, match="cannot be read as a shard"):
        ShardedPhotos([tmp_path / "other.tar"])
