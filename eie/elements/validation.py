"""The rules that the parts of a set keep among each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eie.elements.element_set import ElementSet, Groups
from eie.elements.element_table import MAX_ELEMENTS, MAX_SHEAR, ElementTable
from eie.elements.source import CANDIDATES, SURE, ObjectMasks, Source
from eie.errors import BadInputError
from eie.geometry import patch_boxes


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
    ids = np.sort(table.id)  # unique would import masked arrays
    if (ids[1:] == ids[:-1]).any() or (ids < 0).any():
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
