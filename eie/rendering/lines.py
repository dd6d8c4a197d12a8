"""Straight lines that run into a hole, and how they go on through it.

    known pixels ⇒ line segments ⇒ those that end at the hole and point into it ⇒ offsets along them

Lines are what an eye follows: the edge of a table, a line painted on a court. One that is copied
along itself goes on, and one that shows on both sides of a hole surely did behind what stood there.
Segments are those of R. Grompone von Gioi et al., "LSD: a Line Segment Detector", IPOL 2012; lines
of the surroundings guide where pieces are copied from as in Huang et al., "Image Completion Using
Planar Structure Guidance", SIGGRAPH 2014.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eie.pictures import Mask
from eie.rendering.working_size import Indices, Numbers, Offset, WorkingSize

LINES = 16
"""How many lines are continued, the longest ones."""

SHORTEST = 8
"""Pixels of the shortest line, and half of the least that must go through the hole."""

BESIDE = 4.0
"""How far aside of a line, in pixels, is still on it, and how far from the hole it may end."""

GOING_ON, BEGUN = -10.0, 10.0
"""Cost, in levels, of copying a line to where it goes on, if it shows on both sides of the hole:
all else is dearer there; and the most of it if it shows on one."""

_SAME_WAY = 0.98
"""Cosine of the most that two ends of one line may differ in direction."""

Point = NDArray[np.floating]
"""(2,), x and y."""


class Line(NamedTuple):
    """A straight line that runs into a hole.

    Attributes:
        end: where it ends beside the hole.
        way: its direction there, of unit length.
        length: pixels that are seen of it.
        inside: pixels from its end to where it would leave the hole.
        goes_on: whether it shows there, too.
    """

    end: Point
    way: Point
    length: float
    inside: float
    goes_on: bool = False

    def offset(self) -> Offset:
        """From where it can be copied, all through the hole if enough is seen of it: of some whole
        numbers of pixels, those that keep to its direction best."""
        lengths = round(min(self.inside, self.length)) + np.arange(2, 12)
        back = np.rint(-self.way[:, None] * lengths)  # (2, 10)
        right, down = back[:, _aside(back, self.way).argmin()]
        return Offset(int(down), int(right))

    def passes(self, rows: Indices, columns: Indices) -> Mask:
        """(n,) bool, the pixels of the hole that lie on its way."""
        there = np.stack([columns - self.end[0], rows - self.end[1]])  # (2, n)
        return np.asarray((_aside(there, self.way) <= BESIDE) & (self.way @ there <= self.inside))

    def meets(self, other: Line) -> bool:
        """Whether it is one line with another, on the other side of the hole."""
        between = other.end - self.end
        aside = max(_aside(between, self.way), _aside(between, other.way))
        facing = self.way @ other.way < -_SAME_WAY and between @ self.way > 0
        return bool(facing and aside <= BESIDE)


def lines_into(work: WorkingSize) -> list[Line]:
    """The longest straight lines that run into a hole, the longest first."""
    import cv2

    grey = work.colour.mean(axis=2).clip(0, 255).astype(np.uint8)
    found = cv2.createLineSegmentDetector(cv2.LSD_REFINE_ADV).detect(grey)[0]  # (K, 1, 4) or None
    segments = [] if found is None else found.reshape(-1, 2, 2)  # x and y of both ends
    both = [way for ends in segments for way in (ends, ends[::-1])]
    lines = [line for start, end in both if (line := _line(work, start, end)) is not None]
    lines.sort(key=lambda line: -line.length)
    return [line._replace(goes_on=any(map(line.meets, lines))) for line in lines[:LINES]]


def favour(
    cost: Numbers, work: WorkingSize, lines: Sequence[Line], offsets: Sequence[Offset]
) -> None:
    """Make it cheap to copy lines along themselves to where they go on.

    Args:
        cost: (L, n) of what every offset copies to every pixel of the hole; changed.
        lines: of the same working size.
        offsets: L of them.
    """
    for line in lines:
        along, passed = line.offset(), line.passes(work.rows, work.columns)
        most = GOING_ON if line.goes_on else BEGUN
        for index, offset in enumerate(offsets):
            if offset.is_beside(along):
                cost[index, passed] = np.minimum(cost[index, passed], most)
    cost -= np.minimum(cost.min(axis=0), 0)  # energies are compared by ratio, so none is negative


def _aside(points: NDArray[np.floating], way: Point) -> NDArray[np.floating]:
    """(...) distances of points (2, ...) from a line through 0 along a direction."""
    aside: NDArray[np.floating] = np.abs(points[0] * way[1] - points[1] * way[0])
    return aside


def _line(work: WorkingSize, start: Point, end: Point) -> Line | None:
    """The line from a start to an end if that lies beside the hole, and it goes far into it."""
    height, width = work.hole.shape
    length = float(np.hypot(*(end - start)))
    if length < SHORTEST:
        return None
    way = (end - start) / length
    x, y = np.rint(end[:, None] + way[:, None] * np.arange(height + width)).astype(np.intp)
    there = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    hole = there & work.hole[y.clip(0, height - 1), x.clip(0, width - 1)]  # (S,)
    first = int(hole.argmax())
    through = int((~hole[first:]).argmax())
    if first > BESIDE or through < SHORTEST / 2:
        return None
    return Line(end, way, length, float(first + through))
