"""Encoded photos in WebDataset's shards, for sets that are too large for folders and caches.

    photos ⇒ decomposed, encoded, lightly decoded ⇒ NAME-00000.tar, NAME-00001.tar …

A shard is an uncompressed tar file. A sample is what shares a key: KEY.npz, cut by the photo's own
label map, KEY.foreign.npz, cut by another's (paper §3.4), and KEY.txt if it has a caption. Shards
are read at random, through an index of where their members lie, so that batches follow from the
seed and the step as everywhere else. A shard may lie on a network drive or in a store; nothing is
unpacked.
"""

from __future__ import annotations

import glob
import io
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from eie.errors import BadInputError
from eie.files.stores import AnyPath, StoredPath, parted
from eie.train.diffusion.encoded_photos import EncodedPhoto, EncodedPhotos

OWN, FOREIGN, CAPTION = ".npz", ".foreign.npz", ".txt"


@dataclass(frozen=True)
class Member:
    """Where a member of a shard lies: its bytes [offset, offset + size)."""

    shard: AnyPath
    offset: int
    size: int


class ShardedPhotos:
    """The photos of some shards, read one at a time.

    Args:
        shards: tar files that :func:`write_shards` made.

    Raises:
        BadInputError: a shard cannot be read, or lacks a photo's other partition.
    """

    def __init__(self, shards: Sequence[AnyPath]) -> None:
        found: dict[str, dict[str, Member]] = {}
        for shard in shards:
            for name, member in _members(shard):
                folder, _, file = name.rpartition("/")
                key, dot, kind = file.partition(".")
                found.setdefault(f"{shard}/{folder}/{key}", {})[dot + kind] = member
        incomplete = [key for key, members in found.items() if not {OWN, FOREIGN} <= set(members)]
        if incomplete or not found:
            raise BadInputError(
                "no whole sample" if not found else "a sample lacks one of its partitions",
                where=incomplete[0] if incomplete else ", ".join(map(str, shards)),
                hint="make shards by eie train shards",
            )
        self._samples = [found[key] for key in sorted(found)]

    def __len__(self) -> int:
        return len(self._samples)

    def get(self, index: int, foreign: bool) -> EncodedPhoto:
        """As :meth:`eie.train.diffusion.encoded_photos.EncodedPhotos.get`."""
        member = self._samples[index][FOREIGN if foreign else OWN]
        try:
            with np.load(io.BytesIO(_content(member)), allow_pickle=False) as entry:
                return EncodedPhoto(**{f.name: entry[f.name] for f in fields(EncodedPhoto)})
        except (OSError, ValueError, KeyError) as error:
            raise BadInputError(f"damaged shard: {error}", where=str(member.shard)) from error

    def caption(self, index: int) -> str:
        """As :meth:`eie.train.diffusion.encoded_photos.EncodedPhotos.caption`."""
        member = self._samples[index].get(CAPTION)
        if member is None:
            return ""
        try:
            return _content(member).decode()
        except (OSError, UnicodeDecodeError) as error:
            raise BadInputError(f"damaged shard: {error}", where=str(member.shard)) from error


def write_shards(photos: EncodedPhotos, output: AnyPath, of_shard: int) -> Iterator[AnyPath]:
    """Encode photos into shards, giving each shard's path once it is written.

    Shards that are there already are kept, so that an interrupted run goes on.

    Args:
        output: folder of the shards; created if need be.
        of_shard: photos in a shard.
    """
    from eie.files.atomic import write_atomically

    output.mkdir(parents=True, exist_ok=True)
    for first in range(0, len(photos), of_shard):
        path = output / f"photos-{first // of_shard:05d}.tar"
        if not path.is_file():
            with write_atomically(path) as file, tarfile.open(fileobj=file, mode="w") as tar:
                for index in range(first, min(first + of_shard, len(photos))):
                    for foreign, suffix in ((False, OWN), (True, FOREIGN)):
                        _add(tar, f"{index:09d}{suffix}", photos.read(index, foreign))
                    if caption := photos.caption(index):
                        _add(tar, f"{index:09d}{CAPTION}", caption.encode())
        yield path


def is_shard(path: AnyPath) -> bool:
    return path.suffix == ".tar"


def shards_of(path: AnyPath) -> list[AnyPath]:
    """The shards of a name, which is a pattern if it leads into a store, as no shell knows these.

    Raises:
        BadInputError: the pattern finds nothing.
    """
    if isinstance(path, Path) or not glob.has_magic(str(path)):
        return [path]
    base, pattern = parted(path)
    found = base.glob(pattern) if isinstance(base, StoredPath) else []
    if not found:
        raise BadInputError("the pattern finds no shard", where=str(path))
    return [base / file for file in found]


def _content(member: Member) -> bytes:
    with member.shard.open("rb") as file:
        file.seek(member.offset)
        return file.read(member.size)


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def _members(shard: AnyPath) -> Iterator[tuple[str, Member]]:
    """Names and places of a shard's samples."""
    try:
        with shard.open("rb") as file, tarfile.open(fileobj=file, mode="r:") as tar:
            for member in tar:
                if member.isfile() and member.name.endswith((OWN, CAPTION)):
                    yield member.name, Member(shard, member.offset_data, member.size)
    except (OSError, tarfile.TarError) as error:
        raise BadInputError(
            f"cannot be read as a shard: {error}", where=str(shard), hint="an uncompressed tar file"
        ) from error
