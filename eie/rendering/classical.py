"""The `classical` decoder: copies large pieces of the photo into a hole, and needs no weights.

    window ⇒ working size ⇒ candidate offsets ⇒ graph cuts ⇒ copy ⇒ blending

K. He and J. Sun, "Statistics of Patch Offsets for Image Completion", ECCV 2012, with candidates
from the hole's border, guided by the photo's lines and elements, and blended in the gradient domain
(:mod:`eie.rendering.offsets`, :mod:`eie.rendering.graph_cut`, :mod:`eie.rendering.lines`,
:mod:`eie.rendering.hole_layout`, :mod:`eie.rendering.blending`). What is copied keeps the photo's
own detail.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from eie.errors import UsageError
from eie.pictures import Mask, Picture, Window, dilated, premultiplied, straight
from eie.rendering.anchored import Progress, Scene
from eie.rendering.fill_pieces import PaddedWindow, Pieces, finished_pixels
from eie.rendering.graph_cut import Costs, Labelling, best_labelling, costs_of, energy
from eie.rendering.hole_layout import Layout, misplacement
from eie.rendering.lines import favour, lines_into
from eie.rendering.offsets import candidate_offsets
from eie.rendering.windows import separate_holes
from eie.rendering.working_size import (
    Numbers,
    Offset,
    WorkingSize,
    continued,
    reduced_by,
)

REPEATED = 0.05
"""Share of a hole from which on an offset that fills it is not taken for the next variation."""

TRIED = 16
"""Most labellings that are made for variations, of which some may look alike."""

WORSE = 1.2
"""Energy of a variation, as a multiple of the best one's, from which on it is none."""

BORDERING = 1 / 3
"""Share of the border of what is uncovered that must be background, for the background to be
filled; below it what was moved there is continued, as when all of a sky was shifted."""


FEATHERED = 4
"""More pixels than a layer's soft border is wide."""

TOLD_APART = 3.0
"""Mean difference, in levels, of the means of a hole's twelfths along both axes from which on two
fills are told apart: finer differences are other blades of the same grass."""


@dataclass(frozen=True)
class ClassicalDecoder:
    """Fills holes with pieces of their surroundings.

    Attributes:
        margin: pixels around a hole that are looked at, at least.
        context: the same as a multiple of the hole's longer side.
        searched: most pixels of a hole at the size at which offsets are chosen.
        blended: the same of the size at which colours are blended.
        border: whether places like a hole's border, and along lines that cross it, are candidates,
            too, not those of the statistics of patch offsets alone, as in He & Sun's method.
        seed: which of the fills; 0 is the best, 1 the next best, …, and again from the first on
            after the last. Variation k, counted from 0, has seed + k.

    Raises:
        UsageError: a negative seed.
    """

    margin: int = 24
    context: float = 1.0
    searched: int = 9000
    blended: int = 40_000
    border: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise UsageError(f"a seed of {self.seed}", hint="choose 0 or more")

    @property
    def name(self) -> str:
        return "classical"

    @property
    def settings(self) -> Mapping[str, Any]:
        return asdict(self)

    def fill(self, scene: Scene) -> Picture:
        """The scene's picture with its hole filled; deterministic.

        Alpha is copied like colours. A hole without any surroundings gets the mean of source 0.
        """
        return self.fill_variations(scene, 1)[0]

    def fill_variations(
        self, scene: Scene, count: int, progress: Progress | None = None
    ) -> list[Picture]:
        """As :meth:`fill`, several times, the better ones first; fewer if there are no more.

        Args:
            progress: called with (holes done, all holes).
        """
        holes = list(self._holes(scene))
        fills = []
        for index, (window, own, ground, layout) in enumerate(holes):
            wanted = self.seed + count
            fills.append((window, own, self.fills(*ground, layout, wanted, scene.source)))
            if progress is not None:
                progress(index + 1, len(holes))
        most = max((len(different) for _, _, different in fills), default=1)
        pictures = []
        for index in range(self.seed, self.seed + min(count, most)):
            picture = scene.picture.copy()
            for window, own, different in fills:
                picture[window.slices][own] = different[index % len(different)][own]
            pictures.append(picture)
        return pictures

    def _holes(
        self, scene: Scene
    ) -> Iterator[tuple[Window, Mask, tuple[Picture, Mask], Layout | None]]:
        """Windows, their part of the hole, what to fill it from, and what stands there.

        What is gone is filled as a whole, whatever was moved over it: the background is the same
        wherever a thing goes.
        """
        source = scene.elements.sources[0]
        for window, gone in separate_holes(scene.gone, self.margin, self.context):
            part = window.slices
            own = gone & scene.hole[part]
            if not own.any():
                continue
            if _has_background(own, scene.gone[part], scene.dilation + FEATHERED):
                layout = Layout(source.label_map[part], source.affinity)
                yield window, own, (scene.source[part], scene.gone[part]), layout
            else:
                yield window, own, (scene.picture[part], scene.hole[part]), None

    def fills(
        self,
        ground: Picture,
        unknown: Mask,
        layout: Layout | None = None,
        count: int = 1,
        whole: Picture | None = None,
    ) -> list[Picture]:
        """Fills of a window, (h, w, C) each, the best first; at least one, at most `count`.

        Args:
            ground: (h, w, C) uint8.
            unknown: (h, w) bool, what is filled; colours there do not matter.
            layout: the window's elements, if they are known.
            whole: (H, W, C) whose mean fills a window that is unknown all over; None for grey.
        """
        if not unknown.any():
            return [ground]
        if unknown.all():
            mean = np.full(ground.shape[2], 127.5) if whole is None else whole.mean(axis=(0, 1))
            return [np.broadcast_to(np.rint(mean).astype(np.uint8), ground.shape)]
        import scipy.sparse.linalg  # noqa: F401 - only libraries that are loaded can be limited
        from threadpoolctl import threadpool_limits

        window = PaddedWindow.of(premultiplied(ground), unknown, self.searched)
        # Matrices are small: threads of a linear algebra library would only wait for each other.
        with threadpool_limits(limits=1, user_api="blas"):
            return self._different(window, ground, layout, count)

    def _different(
        self, window: PaddedWindow, ground: Picture, layout: Layout | None, count: int
    ) -> list[Picture]:
        """As :meth:`fills`, of a window that is known somewhere."""
        unknown = window.unknown[: ground.shape[0], : ground.shape[1]]
        different: list[Picture] = []
        searched_step = window.step(self.searched)
        blended = min(searched_step, window.step(self.blended))
        planes, known, hole = window.planes(blended)
        further = reduced_by(searched_step // blended, planes, known, hole)
        planes = continued(planes, known)
        for searched in self._searched(further, searched_step, layout):
            fill = ground.copy()
            fill[unknown] = straight(finished_pixels(window, searched, planes, known, blended))
            if all(told_apart(fill, other, unknown) for other in different):
                different.append(fill)
            if len(different) == count:
                break
        return different

    def _searched(
        self,
        reduced: tuple[Numbers, Mask, Mask],
        step: int,
        layout: Layout | None,
    ) -> Iterator[Pieces]:
        """Which pieces fill a window at the size that is searched, the best first.

        Args:
            reduced: planes, what is known and the hole at that size, 1 / `step` of the window's.
        """
        planes, *masks = reduced
        grey = planes.shape[2] < 3
        colour = np.repeat(planes[..., :1], 3, axis=2) if grey else planes[..., :3]
        work = WorkingSize.of(colour, *masks)
        lines = lines_into(work) if self.border else []
        offsets = candidate_offsets(work, lines, border=self.border)
        offsets = offsets or [Offset(0, 0)]  # of itself: what is around goes on smoothly
        costs = costs_of(work, offsets)
        if layout is not None:
            misplaced = misplacement(work, layout, step, offsets)
            favour(misplaced, work, lines, offsets)
            costs.data[:] += misplaced
        for labelling in labellings(work, offsets, costs):
            yield Pieces(labelling.work.hole, labelling.label, labelling.offsets, step)


def told_apart(one: Picture, other: Picture, hole: Mask) -> bool:
    """Whether a person sees that two fills (h, w, C) of a hole are not the same."""
    import cv2

    count = np.count_nonzero(hole)
    step = max(1, round(np.sqrt(count) / 12))
    size = tuple(-(-side // step) for side in hole.shape[::-1])
    small = cv2.resize(one.astype(np.float32) - other, size, interpolation=cv2.INTER_AREA)
    return bool(abs(small).mean() * hole.size >= TOLD_APART * count)


def _has_background(own: Mask, gone: Mask, edge: int) -> bool:
    """Whether enough of what surrounds a hole is photo that did not move.

    Asked around the parts of the hole that are wider than the `edge` along a layer's border.
    """
    import cv2

    box = np.ones((edge, edge), np.uint8)
    wide = cv2.morphologyEx(own.astype(np.uint8), cv2.MORPH_OPEN, box) > 0
    around = dilated(wide if wide.any() else own, edge) & ~own
    return bool((around & ~gone).sum() >= BORDERING * around.sum())


def labellings(work: WorkingSize, offsets: Sequence[Offset], costs: Costs) -> Iterator[Labelling]:
    """The best labelling of a working size, then the best one without the offsets that made most
    of it, and so on, all about as good; at most :data:`TRIED`."""
    left = np.arange(len(offsets))
    best = np.inf
    for _ in range(TRIED):
        chosen = [offsets[index] for index in left.tolist()]
        some = costs.take(left)
        found = best_labelling(work, chosen, some)
        reached = energy(work, some, found.label)
        if reached > WORSE * best:
            return
        best = min(best, reached)
        yield found
        share = np.bincount(found.label, minlength=len(chosen)) / len(work)
        left = left[share <= REPEATED]
        if not len(left):
            return
