"""Data of stage 2: photos decomposed, encoded and lightly decoded once, in a cache or in shards.

Every photo is kept cut by its own label map and, for the random partition (paper §3.4), cut by the
label map of another photo. For sets that are too large for folders and caches there are
WebDataset's shards:

    photos ⇒ decomposed, encoded, lightly decoded ⇒ NAME-00000.tar, NAME-00001.tar …

A shard is an uncompressed tar file. A sample is what shares a key: KEY.npz, cut by the photo's own
label map, KEY.foreign.npz, cut by another's, and KEY.txt if it has a caption. Shards are read at
random, through an index of where their members lie, so that batches follow from the seed and the
step as everywhere else. A shard may lie on a network drive or in a store; nothing is unpacked.
"""

from __future__ import annotations

import glob
import hashlib
import io
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from eie.errors import BadInputError
from eie.files.stores import AnyPath, StoredPath, parted
from eie.files.text import decoded
from eie.notes import tell
from eie.train.core.decomposed_photos import DecomposedPhotos, read_entry, write_entry

if TYPE_CHECKING:
    from eie.elements import Source
    from eie.models.content_checkpoints import LoadedDecoder, LoadedEncoder


@dataclass(frozen=True, eq=False)
class EncodedPhoto:
    """A photo of the training set, cut by one label map.

    Attributes:
        pixels: (H, W, 3) uint8.
        label_map: (H, W) uint16.
        box: (P, 4) home boxes in pixels.
        patches: (P, 4, S, S) uint8 masked RGB and mask.
        embeddings: (P, D) float32.
        light: (H, W, 3) uint8, what the light decoder makes of embeddings and boxes.
    """

    pixels: NDArray[np.uint8]
    label_map: NDArray[np.uint16]
    box: NDArray[np.float64]
    patches: NDArray[np.uint8]
    embeddings: NDArray[np.float32]
    light: NDArray[np.uint8]


class EncodedPhotos:
    """Photos with embeddings, computed once.

    Args:
        photos: the decomposed photos.
        model: model folder of stage 1, or "tiny".
        cache: folder of the cache.
    """

    def __init__(self, photos: DecomposedPhotos, model: str, cache: Path) -> None:
        self.photos, self.model, self.cache = photos, model, cache

    def __len__(self) -> int:
        return len(self.photos)

    @cached_property
    def _encoder(self) -> LoadedEncoder:
        from eie.models.content_checkpoints import load_content_encoder

        return load_content_encoder(self.model, "cpu")

    @cached_property
    def _decoder(self) -> LoadedDecoder:
        from eie.models.content_checkpoints import load_light_decoder

        return load_light_decoder(self.model, "cpu")

    def get(self, index: int, foreign: bool) -> EncodedPhoto:
        """A photo cut by its own label map, or by that of another photo."""
        return EncodedPhoto(**read_entry(self._encoded(index, foreign)))

    def caption(self, index: int) -> str:
        """What the text file beside a photo says, PHOTO.txt; nothing without one."""
        return read_caption(self.photos.files[index])

    def read(self, index: int, foreign: bool) -> bytes:
        """The bytes of a photo's entry, an `.npz` of :class:`EncodedPhoto`'s arrays."""
        return self._encoded(index, foreign).read_bytes()

    def _encoded(self, index: int, foreign: bool) -> Path:
        """The file of a photo's entry, made if it is not there yet."""
        path = self._entry(index, foreign)
        if not path.exists():
            self._encode(index, foreign, path)
        return path

    def _entry(self, index: int, foreign: bool) -> Path:
        weights = self._encoder.weight_hash
        other = other_photo(index, len(self))
        key = (self.photos.key(index), self.photos.key(other), foreign, weights)
        return self.cache / f"{hashlib.sha256(repr(key).encode()).hexdigest()[:24]}.npz"

    def _encode(self, index: int, foreign: bool, path: Path) -> None:
        import torch

        from eie.elements import Source
        from eie.encoding.patches import cut_patches

        pixels, label_map = self._cut(index, foreign)
        source: Source = Source.from_label_map(label_map, pixels=pixels)
        encoder, decoder = self._encoder.model, self._decoder.model
        patches = cut_patches(source, encoder.config.patch_size)  # (P, 4, S, S)
        box = torch.from_numpy(source.home_box).float()[None]
        with torch.inference_mode():
            embeddings = encoder(torch.from_numpy(patches))  # (P, D)
            present = torch.ones(1, len(embeddings), dtype=torch.bool)
            light = decoder(embeddings[None], box, present, label_map.shape)[0]  # (3, H, W)
        entry = EncodedPhoto(
            pixels=pixels,
            label_map=source.label_map,
            box=source.home_box,
            patches=np.round(patches * 255).astype(np.uint8),
            embeddings=embeddings.numpy(),
            light=light.clamp(0, 1).mul(255).round().byte().permute(1, 2, 0).numpy(),
        )
        write_entry(path, entry)

    def _cut(self, index: int, foreign: bool) -> tuple[NDArray[np.uint8], NDArray[np.uint16]]:
        """A photo's pixels (H, W, 3), and its label map (H, W) or one that is another photo's."""
        own = self.photos[index]
        if not foreign:
            return own.pixels, own.label_map
        other = self.photos[other_photo(index, len(self))]
        return own.pixels, _laid_over(other.label_map, own.label_map.shape)


def other_photo(index: int, count: int) -> int:
    """The photo, of so many, whose label map cuts this one in the random partition."""
    return (index + count // 2 + 1) % count


def read_caption(photo: Path) -> str:
    """The text beside a photo, its ends stripped; nothing without one.

    Raises:
        BadInputError: it cannot be read or is no text.
    """
    path = photo.with_suffix(".txt")
    try:
        text, note = decoded(path.read_bytes())
    except FileNotFoundError:
        return ""
    except (OSError, ValueError) as error:
        raise BadInputError(f"the caption cannot be read: {error}", where=str(path)) from error
    tell([note] if note else [], str(path))
    return text.strip()


def _laid_over(label_map: NDArray[np.uint16], shape: tuple[int, ...]) -> NDArray[np.uint16]:
    """A label map stretched to another size, labels counting up without gaps."""
    import cv2

    stretched = cv2.resize(label_map, shape[1::-1], interpolation=cv2.INTER_NEAREST)
    _, compact = np.unique(stretched, return_inverse=True)
    return compact.reshape(shape).astype(np.uint16)


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
