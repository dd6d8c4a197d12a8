"""Data of stage 2: photos decomposed, encoded and lightly decoded once, kept in a cache folder.

Every photo is kept cut by its own label map and, for the random partition (paper §3.4), cut by the
label map of another photo.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from eie.errors import BadInputError
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
