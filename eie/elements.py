"""The element set: the one value that every stage takes and gives.

    photo ⇒ decompose ⇒ ElementSet ⇒ encode ⇒ ElementSet ⇒ edit ⇒ ElementSet ⇒ render ⇒ photo

An :class:`ElementSet` holds one or more *sources* (a photo cut into patches by its label map) and a
*table* of elements. An element shows one patch of one source in a box on the canvas; editing
changes the table and never what a source shows, so every edit can be taken back; a mask may part
patches (:mod:`eie.editing.parting`). Everything here is an immutable value: operations return a
changed copy (`dataclasses.replace`).

Boxes are (cx, cy, w, h) in pixels; :mod:`eie.geometry` states the coordinate frame, and how boxes
are turned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from eie.errors import BadInputError
from eie.geometry import (
    Boxes,
    Transform,
    boxes_around,
    frames,
    patch_boxes,
    shared,
    transform_between,
)

MAX_ELEMENTS = 65_535
"""Most elements of a table and most patches of a source; a label map then fits uint16."""


MAX_SHEAR = 2.0**30
"""Most that an element leans: as far as the largest box is wide, in one that is hardly high."""

CANDIDATES = 3
"""What a point may stand for: as many masks as Segment Anything gives for one."""

SHARPNESS = 8.0
"""How much more a candidate counts that has a better score: it does as exp(8 · score)."""

SURE = 7
"""What a probability of 1 is in :class:`ObjectMasks`: coarse, for small files."""


class Pixels(Protocol):
    """Pixels in memory, or stored in an element file and read when `numpy.asarray` asks."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> np.dtype[Any]: ...

    def __array__(
        self, dtype: np.dtype[Any] | None = None, copy: bool | None = None
    ) -> NDArray[np.uint8]: ...


class Canvas(NamedTuple):
    """Size of the edited picture, in pixels."""

    height: int
    width: int


@dataclass(frozen=True, eq=False)
class Embeddings:
    """Appearance embeddings of a source's patches, and the encoder that made them (paper §3.2).

    Attributes:
        values: (P, D) float32, row p for patch p; independent of position and size.
        encoder: name of the encoder ("tiny").
        encoder_hash: SHA-256 of the encoder's weights, in hex; a decoder checks it.
    """

    values: NDArray[np.float32]
    encoder: str
    encoder_hash: str


@dataclass(frozen=True, eq=False)
class ObjectMasks:
    """What a point on each patch may stand for: a part, an object, a group of things.

    Attributes:
        chances: (3, P, P) uint8 in [0, 7]: entry (c, n, k), in sevenths, is the probability that
            patch k is in candidate c of a point on patch n. Candidates have no order.
        scores: (3, P) float32 in [0, 1], the estimated IoU of each with what is meant.
    """

    chances: NDArray[np.uint8]
    scores: NDArray[np.float32]

    @classmethod
    def of(cls, probabilities: NDArray[np.floating], scores: NDArray[np.floating]) -> ObjectMasks:
        """From probabilities (3, P, P) and scores (3, P); a patch is surely in its own thing."""
        chances = np.round(probabilities * SURE).astype(np.uint8)
        every = np.arange(chances.shape[1])
        chances[:, every, every] = SURE
        return cls(chances, np.ascontiguousarray(scores, dtype=np.float32).clip(0, 1))

    def by_extent(
        self, area: NDArray[np.integer], patches: slice | int = slice(None)
    ) -> NDArray[np.intp]:
        """(3, K), or (3,) of one patch: which candidates are the smallest, the best-scored and the
        largest of points on some patches.

        Args:
            area: (P,) pixels of every patch.
        """
        masks = 2 * self.chances[:, patches] > SURE  # (3, K, P)
        size = masks.astype(np.float64) @ area  # (3, K), exact: below 2⁵³
        best = self.scores[:, patches].argmax(axis=0)  # (K,)
        return np.stack([size.argmin(axis=0), best, size.argmax(axis=0)])


@dataclass(frozen=True, eq=False)
class Source:
    """A photo cut into P patches.

    Attributes:
        label_map: (H, W) uint16, the patch of every pixel; every value 0..P-1 occurs.
        home_box: (P, 4) float64, the patches' tight boxes in pixels of this source.
        pixels: (H, W, C) uint8 in [0, 255], C = 1 grey, 2 grey+alpha, 3 RGB, 4 RGBA with straight
            alpha; None when the file was made with --no-pixels.
        affinity: (P, P) float32 in [0, 1]: entry (n, k) is the mean probability, over the pixels of
            patch k, of belonging to one object with the query point of patch n, and 0 where a mask
            has told them apart; None if unknown.
        objects: what points on the patches stand for; None if unknown.
        embeddings: the patches' appearance, or None before `encode`.
        icc: the photo's ICC profile, or None.
        exif: the photo's EXIF block with its orientation already applied, or None.
    """

    label_map: NDArray[np.uint16]
    home_box: Boxes
    pixels: Pixels | None = None
    affinity: NDArray[np.float32] | None = None
    objects: ObjectMasks | None = None
    embeddings: Embeddings | None = None
    icc: bytes | None = None
    exif: bytes | None = None

    @classmethod
    def from_label_map(cls, label_map: NDArray[np.integer], **attributes: Any) -> Source:
        """A source whose home boxes are measured; labels must be 0..P-1, each with pixels."""
        compact = np.ascontiguousarray(label_map, dtype=np.uint16)
        home_box = patch_boxes(compact, int(compact.max()) + 1)
        return cls(label_map=compact, home_box=home_box, **attributes)

    @property
    def patches(self) -> int:
        return len(self.home_box)


@dataclass(frozen=True, eq=False)
class ElementTable:
    """The elements as columns; row order is creation order and carries no meaning.

    Attributes:
        id: (N,) int32, unique, ≥ 0; an id in the history is not given again.
        source: (N,) int32, index of the element's source.
        patch: (N,) int32, the patch of that source which the element shows.
        box: (N, 4) float64, (cx, cy, w, h) on the canvas in pixels, w and h > 0; may lie outside.
        z: (N,) int32, larger is nearer to the viewer; ties: see :attr:`ElementSet.paint_order`.
        visible: (N,) bool, False once deleted.
        flip: (N, 2) bool, mirrored (left-right, top-bottom) within its box.
        angle: (N,) float64 in (−180, 180], degrees by which the box, and what it shows, is turned
            about its centre, clockwise as seen.
        shear: (N,) float64, by how much it leans before it is turned; only what was turned and
            then scaled unevenly does.
    """

    id: NDArray[np.int32]
    source: NDArray[np.int32]
    patch: NDArray[np.int32]
    box: Boxes
    z: NDArray[np.int32]
    visible: NDArray[np.bool_]
    flip: NDArray[np.bool_]
    angle: NDArray[np.float64]
    shear: NDArray[np.float64]

    def __post_init__(self) -> None:
        for column in fields(self):
            getattr(self, column.name).flags.writeable = False

    def __len__(self) -> int:
        return len(self.id)

    @classmethod
    def at_home(cls, source: int, home_box: Boxes, first_id: int = 0) -> ElementTable:
        """One visible element per patch of a source, where it was found; ids count up."""
        count = len(home_box)
        return cls(
            id=np.arange(first_id, first_id + count, dtype=np.int32),
            source=np.full(count, source, dtype=np.int32),
            patch=np.arange(count, dtype=np.int32),
            box=np.array(home_box, dtype=np.float64),
            z=np.zeros(count, dtype=np.int32),
            visible=np.ones(count, dtype=bool),
            flip=np.zeros((count, 2), dtype=bool),
            angle=np.zeros(count),
            shear=np.zeros(count),
        )

    @property
    def turned(self) -> NDArray[np.bool_]:
        """(N,) bool, whose boxes do not stand upright."""
        turned: NDArray[np.bool_] = (self.angle != 0) | (self.shear != 0)
        return turned

    @property
    def frame(self) -> NDArray[np.float64]:
        """(N, 2, 2) the frames of the boxes, see :mod:`eie.geometry`."""
        return frames(self.angle, self.shear)

    @property
    def upright_box(self) -> Boxes:
        """(N, 4) the smallest upright boxes around the elements' boxes, turned as they are."""
        return boxes_around(self.box, self.angle, self.shear)

    def take(self, rows: NDArray[Any]) -> ElementTable:
        """The rows chosen by an index or boolean array, in its order."""
        return ElementTable(**{c.name: getattr(self, c.name)[rows] for c in fields(self)})

    def set(self, rows: NDArray[Any], **values: Any) -> ElementTable:
        """A copy in which the named columns hold `values` at `rows`."""
        changed = {}
        for name, value in values.items():
            changed[name] = getattr(self, name).copy()
            changed[name][rows] = value
        return replace(self, **changed)

    def append(self, other: ElementTable) -> ElementTable:
        """These rows, then the other's."""
        return ElementTable(
            **{
                c.name: np.concatenate([getattr(self, c.name), getattr(other, c.name)])
                for c in fields(self)
            }
        )

    def equals(self, other: ElementTable) -> bool:
        """Whether all columns hold the same values."""
        return all(
            np.array_equal(getattr(self, c.name), getattr(other, c.name)) for c in fields(self)
        )


STATE = tuple(column.name for column in fields(ElementTable) if column.name != "id")
"""Columns that tell what an element is like; the other one tells which it is."""

Groups = Mapping[str, tuple[int, ...]]
"""Element ids by group name."""


@dataclass(frozen=True, eq=False)
class Edit:
    """One recorded operation and what it takes to undo it.

    Attributes:
        operation: the operation as in an edit script (JSON values only).
        table, groups: the set's state before it.
        sources: how many sources there were before it.
    """

    operation: Mapping[str, Any]
    table: ElementTable
    groups: Groups
    sources: int


@dataclass(frozen=True, eq=False)
class ElementSet:
    """A photo, or a composition of several, as editable image elements.

    Attributes:
        canvas: size of the picture; equal to the size of source 0.
        sources: at least one; source 0 is the photo that was decomposed, others were pasted.
        table: the elements in their current state.
        groups: named groups of element ids.
        history: the edits since decomposition, oldest first.
        undone: edits that were taken back and can be done again, the next one last; each with the
            state *after* it. What only they show stays among the sources.
        prompt: text that describes the picture, for decoders that read one; may be empty.
        decomposition: how source 0 was cut (segmenter, its weight hash, elements, beta, …);
            JSON values only.
    """

    canvas: Canvas
    sources: tuple[Source, ...]
    table: ElementTable
    groups: Groups = field(default_factory=lambda: MappingProxyType({}))
    history: tuple[Edit, ...] = ()
    undone: tuple[Edit, ...] = ()
    prompt: str = ""
    decomposition: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def from_source(
        cls, source: Source, *, decomposition: Mapping[str, Any] | None = None, prompt: str = ""
    ) -> ElementSet:
        """The unedited set of one source."""
        return cls(
            canvas=Canvas(*source.label_map.shape),
            sources=(source,),
            table=ElementTable.at_home(0, source.home_box),
            prompt=prompt,
            decomposition=MappingProxyType(dict(decomposition or {})),
        )

    def __len__(self) -> int:
        return len(self.table)

    @property
    def home_box(self) -> Boxes:
        """(N, 4) the elements' home boxes, each in pixels of its own source."""
        gathered = np.empty((len(self), 4), dtype=np.float64)
        for index, source in enumerate(self.sources):
            rows = self.table.source == index
            gathered[rows] = source.home_box[self.table.patch[rows]]
        return gathered

    @property
    def untouched(self) -> NDArray[np.bool_]:
        """(N,) bool: visible elements of source 0 that stand as they were at home."""
        table = self.table
        away = (table.box != self.home_box).any(axis=1) | (table.shear != 0)
        # Mirrored both ways is turned by half.
        both = table.flip.all(axis=1) & (table.angle == 180)
        away |= (table.flip.any(axis=1) | (table.angle != 0)) & ~both
        untouched: NDArray[np.bool_] = (table.source == 0) & table.visible & ~away
        return untouched

    @property
    def paint_order(self) -> NDArray[np.intp]:
        """(N,) rows from farthest to nearest: by z; within it untouched before touched, then id."""
        return np.lexsort((self.table.id, ~self.untouched, self.table.z))

    def transform(self, row: int) -> Transform:
        """The map of the element in `row` from pixels of its source to pixels of the canvas."""
        table = self.table
        home = self.sources[table.source[row]].home_box[table.patch[row]]
        turn = float(table.angle[row]), float(table.shear[row])
        return transform_between(home, table.box[row], table.flip[row], *turn)

    def transforms(self, rows: Sequence[int] | NDArray[np.integer]) -> list[Transform]:
        """The maps of several rows; elements of one source that were carried as one share one."""
        at = np.asarray(rows, dtype=np.intp)
        found = [self.transform(row) for row in at.tolist()]
        if all(transform.lattice for transform in set(found)):
            return found
        home = self.home_box
        for index in np.unique(self.table.source[at]).tolist():
            own = np.flatnonzero(self.table.source[at] == index)
            alike = shared([found[place] for place in own], home[at[own]])
            for place, transform in zip(own.tolist(), alike, strict=True):
                found[place] = transform
        return found

    @property
    def next_id(self) -> int:
        """An id that no element of the set or its history has."""
        seen = [self.table.id, *(edit.table.id for edit in self.history)]
        return 1 + max((int(ids.max()) for ids in seen if len(ids)), default=-1)


def validate(elements: ElementSet) -> None:
    """Check every rule that the parts of a set must keep among each other.

    Pixels are checked by shape only, so a stored photo is not read.

    Raises:
        BadInputError: with the node of the element file where the first broken rule was found.
    """
    if not elements.sources:
        raise BadInputError("there is no source", where="/sources")
    for index, source in enumerate(elements.sources):
        _validate_source(source, where=f"/sources/{index}")
    if elements.canvas != (size := elements.sources[0].label_map.shape):
        raise BadInputError(
            f"the canvas is {tuple(elements.canvas)} but source 0 is {size}",
            where="/sources/0/label_map",
        )
    _validate_table(elements.table, elements.sources, where="/elements")
    _validate_groups(elements.groups, elements.table, where="/groups")
    for name, edits in (("history", elements.history), ("undone", elements.undone)):
        for step, edit in enumerate(edits):
            where = f"/{name}/{step}"
            if not 1 <= edit.sources <= len(elements.sources):
                raise BadInputError(
                    f"{edit.sources} sources recorded, {len(elements.sources)} present", where=where
                )
            _validate_table(edit.table, elements.sources[: edit.sources], where=where)
            _validate_groups(edit.groups, edit.table, where=f"{where}/groups")


def _validate_source(source: Source, where: str) -> None:
    label_map, count = source.label_map, source.patches
    if label_map.ndim != 2 or not label_map.size:
        raise BadInputError(
            f"shape {label_map.shape} is not (height, width)", where=f"{where}/label_map"
        )
    if not 1 <= count <= MAX_ELEMENTS:
        raise BadInputError(f"{count} patches, allowed are 1 to {MAX_ELEMENTS}", where=where)
    if (most := int(label_map.max())) >= count:
        raise BadInputError(f"label {most} but only {count} patches", where=f"{where}/label_map")
    boxes = patch_boxes(label_map, count)
    if not (used := boxes[:, 2] > 0).all():
        raise BadInputError(
            f"patch {int(np.argmin(used))} has no pixels", where=f"{where}/label_map"
        )
    if not np.isfinite(source.home_box).all():
        raise BadInputError("a box is not finite", where=f"{where}/home_box")
    if not np.array_equal(source.home_box, boxes):
        raise BadInputError("boxes do not fit the label map", where=f"{where}/home_box")
    pixels = source.pixels
    if pixels is not None and (
        len(pixels.shape) != 3 or pixels.shape[:2] != label_map.shape or pixels.shape[2] > 4
    ):
        raise BadInputError(
            f"shape {tuple(pixels.shape)} does not fit a label map of {label_map.shape}",
            where=f"{where}/pixels",
        )
    if source.affinity is not None:
        _validate_matrix(source.affinity, count, count, where=f"{where}/affinity")
    if source.objects is not None:
        _validate_objects(source.objects, count, where)
    if source.embeddings is not None:
        values = source.embeddings.values
        _validate_matrix(values, count, values.shape[-1], where=f"{where}/embeddings")


def _validate_objects(objects: ObjectMasks, count: int, where: str) -> None:
    shapes = {"chances": (CANDIDATES, count, count), "scores": (CANDIDATES, count)}
    for name, shape in shapes.items():
        found = getattr(objects, name).shape
        if found != shape:
            raise BadInputError(
                f"shape {found} does not fit {count} patches", where=f"{where}/object_{name}"
            )
    if objects.chances.max() > SURE:
        raise BadInputError(f"a chance is above {SURE}", where=f"{where}/object_chances")
    if not ((objects.scores >= 0) & (objects.scores <= 1)).all():
        raise BadInputError("a score is not in [0, 1]", where=f"{where}/object_scores")


def _validate_matrix(matrix: NDArray[Any], rows: int, columns: int, where: str) -> None:
    if matrix.shape != (rows, columns):
        raise BadInputError(f"shape {matrix.shape} does not fit {rows} patches", where=where)
    if not np.isfinite(matrix).all():
        raise BadInputError("a value is not finite", where=where)


def _validate_table(table: ElementTable, sources: Sequence[Source], where: str) -> None:
    count = len(table)
    if count > MAX_ELEMENTS:
        raise BadInputError(f"{count} elements, allowed are {MAX_ELEMENTS}", where=where)
    for column in fields(table):
        values = getattr(table, column.name)
        width = {"box": (4,), "flip": (2,)}.get(column.name, ())
        if values.shape != (count, *width):
            raise BadInputError(
                f"shape {values.shape} instead of {(count, *width)}", where=f"{where}/{column.name}"
            )
    if len(np.unique(table.id)) != count or (table.id < 0).any():
        raise BadInputError("ids must be unique and not negative", where=f"{where}/id")
    if ((table.source < 0) | (table.source >= len(sources))).any():
        raise BadInputError("an element's source is not in the file", where=f"{where}/source")
    patches = np.array([source.patches for source in sources])
    if ((table.patch < 0) | (table.patch >= patches[table.source])).any():
        raise BadInputError("an element's patch is not in its source", where=f"{where}/patch")
    if not np.isfinite(table.box).all():
        raise BadInputError("a box is not finite", where=f"{where}/box")
    if (table.box[:, 2:] <= 0).any():
        raise BadInputError("a box has no size", where=f"{where}/box")
    if not ((table.angle > -180) & (table.angle <= 180)).all():
        raise BadInputError("an angle is not in (−180, 180]", where=f"{where}/angle")
    if not (np.abs(table.shear) <= MAX_SHEAR).all():
        raise BadInputError(f"a shear is beyond ±{MAX_SHEAR:.0f}", where=f"{where}/shear")


def _validate_groups(groups: Groups, table: ElementTable, where: str) -> None:
    known = set(table.id.tolist())
    for name, members in groups.items():
        missing = [element for element in members if element not in known]
        if missing:
            raise BadInputError(f"element {missing[0]} does not exist", where=f"{where}/{name}")
