"""Photos whose things are clicked: their patches, and what heads say that have not seen them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import eie
from eie.decomposition import preloaded
from eie.editing.click_facts import ClickFacts
from eie.editing.click_simulation import Mask
from eie.errors import BadInputError
from eie.files.run_folders import read_options
from eie.notes import tell
from eie.train.core.checkpoint import WEIGHTS_NAME
from eie.train.core.images import Folder, SegmentedPhoto, photo_files
from eie.train.corrections.settings import CorrectionSettings

_FEWEST = 2
"""Of a photo's annotators, those are heeded who saw so few segments: their segments are things
rather than parts."""

_STARTS_ON_THING, _STARTS_ON_SEGMENT = 4, 2


@dataclass(frozen=True, eq=False)
class ClickedPhoto:
    """A photo's patches and the things that are clicked in it.

    label_map: (H, W) int. things: (H, W) bool each. starts: answers on each that are corrected,
    more where it is known which labels are things.
    """

    label_map: NDArray[np.integer]
    facts: ClickFacts
    things: tuple[Mask, ...]
    starts: int


@dataclass(frozen=True)
class Heads:
    """A light build of the segmenter, and the photos that its object heads were trained on."""

    segmenter: str
    seen: frozenset[Path] = frozenset()

    @classmethod
    def of_run(cls, run: Path) -> Heads:
        """Those that `eie train objects` trained.

        Raises:
            BadInputError: it is no finished run of objects, or a folder it was trained on is gone.
        """
        data = read_options(run, "objects").get("data")
        folders = [Folder.parse(str(folder)) for folder in data] if isinstance(data, list) else []
        if not folders or not (run / WEIGHTS_NAME).exists():
            raise BadInputError(
                "no finished run of eie train objects",
                where=str(run),
                hint=f"it has options.json and {WEIGHTS_NAME}",
            )
        seen = frozenset(file.resolve() for file in photo_files(folders))
        return cls(str(run / WEIGHTS_NAME), seen)


def clicked_photos(
    photos: Sequence[SegmentedPhoto], settings: CorrectionSettings
) -> Iterator[ClickedPhoto]:
    """Photos with their patches, once for all heads that were not trained on them: what heads say
    of photos they know is too good to learn from, and what is learnt of one head is its habits."""
    known = [Heads.of_run(Path(run)) for run in settings.heads] or [Heads(settings.segmenter)]
    segmenters = [preloaded(heads.segmenter) for heads in known]
    left = 0
    for photo in photos:
        things = tuple(things_of(photo, settings))
        file = photo.file.resolve() if photo.file else None
        fresh = [s for heads, s in zip(known, segmenters, strict=True) if file not in heads.seen]
        left += not fresh
        starts = _STARTS_ON_SEGMENT if photo.things is None else _STARTS_ON_THING
        for segmenter in fresh if things else ():
            source = eie.decompose(photo.pixels, segmenter=segmenter).sources[0]
            if source.objects is not None:
                yield ClickedPhoto(source.label_map, ClickFacts.of(source), things, starts)
    tell([f"{left} photos that all heads were trained on are left out"] if left else [])


def things_of(photo: SegmentedPhoto, settings: CorrectionSettings) -> Iterator[Mask]:
    """The masks of what is clicked: things, or the segments of those who saw the fewest."""
    fewest = sorted(photo.segmentations, key=lambda labels: len(np.unique(labels)))[:_FEWEST]
    for labels in fewest if photo.things is None else photo.segmentations[:1]:
        present, counts = np.unique(labels, return_counts=True)
        share = counts / labels.size
        for label in present[(share >= settings.least) & (share <= settings.most)]:
            if photo.things is None or int(label) in photo.things:
                yield labels == label
