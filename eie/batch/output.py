"""What becomes of renderings: pictures, by their number, size and format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eie.elements import ElementSet
from eie.errors import UsageError
from eie.files import encode_photo, photo_format
from eie.files.photo_writing import check_quality
from eie.notes import tell

PICTURES = {"png": "PNG", "jpg": "JPEG", "webp": "WEBP"}
"""The formats of a recipe's pictures, by extension."""


@dataclass(frozen=True)
class Output:
    """How the pictures of one element set are made and written.

    Attributes:
        format: as their extension.
        quality, metadata: as :func:`eie.files.encode_photo`.
        size: as :meth:`eie.rendering.Rendering.picture`.
        variations: how many pictures, of seeds one after the other.
    """

    format: str = "png"
    quality: int | None = None
    metadata: bool = True
    size: int | None = None
    variations: int = 1

    @property
    def kind(self) -> str:
        return PICTURES.get(self.format) or photo_format(f"picture.{self.format}")

    def check(self, decoder: Any) -> None:
        """Find out before the work what no picture could be made with.

        Args:
            decoder: of the renderings.

        Raises:
            UsageError: there is something.
        """
        from eie.rendering import VaryingDecoder

        check_quality(self.quality, self.kind)
        if self.size is not None and self.size < 1:
            raise UsageError(f"the size is {self.size}", hint="1 pixel or more")
        if self.variations < 1:
            raise UsageError(f"there are to be {self.variations} variations", hint="1 or more")
        if self.variations > 1 and not isinstance(decoder, VaryingDecoder):
            raise UsageError(f"the decoder '{decoder.name}' always makes the same picture")

    def paths(self, relative: Path) -> tuple[Path, ...]:
        """Where the pictures of an input go."""
        return numbered(relative.with_suffix(f".{self.format}"), self.variations)

    def pictures(
        self, elements: ElementSet, options: Mapping[str, Any], relative: Path, where: str
    ) -> dict[Path, bytes]:
        """The content of the pictures by where they go: as many as differ.

        Args:
            options: of :func:`eie.render`.
            where: the name of the input, for messages.
        """
        from eie.rendering import variations

        renderings = variations(elements, self.variations, **options)
        if len(renderings) < self.variations:
            tell([fewer(len(renderings), self.variations)])
        return {
            path: encode_photo(
                rendering.picture(self.size),
                self.kind,
                quality=self.quality,
                metadata=self.metadata,
                text=rendering.provenance,
                where=where,
            )
            for path, rendering in zip(self.paths(relative), renderings, strict=False)
        }


def numbered(path: Path, count: int) -> tuple[Path, ...]:
    """Where each of several variations goes: OUT.png alone, or OUT-1.png, OUT-2.png …"""
    if count == 1:
        return (path,)
    return tuple(path.with_stem(f"{path.stem}-{index}") for index in range(1, count + 1))


def fewer(there: int, wanted: int) -> str:
    """What is told where there are fewer variations than were wanted."""
    return f"there are {there} fills that differ and are about as good, not {wanted}"
