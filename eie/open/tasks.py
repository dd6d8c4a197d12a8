"""What worker processes do: photos become element files, element sets become pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import eie
from eie.elements import ElementSet
from eie.files import read_photo
from eie.files.photo import Photo

Report = Callable[[int, int], None]
"""Takes the steps done and all steps."""


class Task(Protocol):
    """One piece of work; it can be pickled, and so can what it gives."""

    def work(self, report: Report) -> Any:
        """Do it.

        Raises:
            EieError: it cannot be done.
        """
        ...


@dataclass(frozen=True)
class Decompose:
    """A photo becomes an element file.

    Attributes:
        photo: its path.
        options: of :func:`eie.decompose`.
    """

    photo: Path
    options: Mapping[str, Any] = field(default_factory=dict)

    def work(self, report: Report) -> bytes:
        """The content of the element file."""
        photo = read_photo(self.photo, self.photo.name)
        return eie.dump(eie.decompose(photo, progress=report, **self.options))


@dataclass(frozen=True)
class Made:
    """A rendered picture.

    Attributes:
        photo: it.
        changed: share of its pixels that differ from the photo.
        provenance: what made it.
    """

    photo: Photo
    changed: float
    provenance: Mapping[str, str]


@dataclass(frozen=True)
class Render:
    """An element set becomes pictures.

    Attributes:
        elements: the set, or the content of its element file.
        count: of variations.
        options: of :func:`eie.render`.
    """

    elements: ElementSet | bytes
    count: int = 1
    options: Mapping[str, Any] = field(default_factory=dict)

    def work(self, report: Report) -> list[Made]:
        """The variations, as many as there are."""
        from eie.rendering import variations

        elements = (
            self.elements if isinstance(self.elements, ElementSet) else eie.load(self.elements)
        )
        made = variations(elements, self.count, progress=report, **self.options)
        total = elements.canvas.height * elements.canvas.width
        return [Made(r.photo, r.changed_pixels / total, dict(r.provenance)) for r in made]


def prepare() -> None:
    """Load what every task needs, before there is one."""
    from importlib import import_module

    from eie.decomposition import preloaded

    for name in ("cv2", "scipy.ndimage", "scipy.sparse.linalg", "threadpoolctl", "eie.rendering"):
        import_module(name)
    preloaded("tiny")
