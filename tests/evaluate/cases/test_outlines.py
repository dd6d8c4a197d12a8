"""Outlines of SA-1B and LabelMe as they are written by others."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays
from PIL import Image

from eie.errors import BadInputError
from eie.evaluate.cases.annotations import things_in
from eie.evaluate.cases.outlines import RunLengths, outline_files, read_outlines, unpacked
from eie.evaluate.clicks import evaluate_clicks
from eie.evaluate.core.photos import chosen_files
from eie.evaluate.settings import ClickSettings
from tests.odd_pictures import disc, encoded, scene

SIZE = (40, 60)
Y, X = np.mgrid[: SIZE[0], : SIZE[1]]
TRUTH = ((X - 30) ** 2 + (Y - 18) ** 2 < 15**2) | ((X > 50) & (Y > 30))
PACKED = "]d0;k04M2M4M2O0O2N2O0O2O00000000000000000001N101N2N101N3L3N3LT8NPH000000000000000"
"""TRUTH as pycocotools 2.0.10 packs it."""


def run_lengths(mask: np.ndarray) -> list[int]:
    """COCO's: down the columns, beginning outside."""
    flat = np.concatenate([[False], mask.T.ravel()])
    borders = np.flatnonzero(np.diff(flat.astype(np.int8)))
    return np.diff([0, *borders, mask.size]).tolist()


def packed(counts: list[int]) -> str:
    text = ""
    for place, count in enumerate(counts):
        number = count - counts[place - 2] if place > 2 else count
        more = True
        while more:
            five, number = number & 31, number >> 5
            more = number != (-1 if five & 16 else 0)
            text += chr(48 + five + 32 * more)
    return text


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    Image.fromarray(scene(SIZE[1], SIZE[0])).save(tmp_path / "a.jpg")
    return tmp_path / "a.jpg"


def outlined(photo: Path, content: Any) -> list[np.ndarray]:
    path = photo.with_suffix(".json")
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    read_outlines.cache_clear()
    return [outline.mask() for outline in read_outlines(path, photo)]


def sa1b(*counts: Any, size: Any = SIZE) -> dict[str, Any]:
    runs = [{"segmentation": {"size": size, "counts": one}, "area": 1} for one in counts]
    return {"image": {"file_name": "a.jpg"}, "annotations": runs}


def labelme(*shapes: dict[str, Any], **more: Any) -> dict[str, Any]:
    told = {"imageHeight": SIZE[0], "imageWidth": SIZE[1], "imageData": None}
    return {"version": "5.5.0", "imagePath": "a.jpg", **told, "shapes": list(shapes), **more}


def shape(kind: str, *points: tuple[float, float], **more: Any) -> dict[str, Any]:
    told = {"label": "cup", "group_id": None, "flags": {}}
    return {**told, "shape_type": kind, "points": [list(point) for point in points], **more}


def test_run_lengths_are_read_packed_and_as_numbers(photo: Path) -> None:
    masks = outlined(photo, sa1b(PACKED, run_lengths(TRUTH)))
    assert [np.array_equal(mask, TRUTH) for mask in masks] == [True, True]
    assert packed(run_lengths(TRUTH)) == PACKED


@given(arrays(np.bool_, (9, 7)))
def test_packed_run_lengths_come_back(mask: np.ndarray) -> None:
    counts = run_lengths(mask)
    assert unpacked(packed(counts)) == counts
    assert np.array_equal(RunLengths((9, 7), tuple(counts)).mask(), mask)


def test_shapes_are_the_pixels_whose_centres_are_inside(photo: Path) -> None:
    rectangle, triangle, circle, part = outlined(
        photo,
        labelme(
            shape("rectangle", (20, 30), (10, 12)),
            shape("polygon", (0, 0), (8, 0), (0, 8)),
            shape("circle", (30.5, 18.5), (30.5, 33.5)),
            shape("line", (1, 1), (5, 5)),
            shape("point", (1, 1)),
            shape(
                "mask",
                (50, 30),
                (59, 39),
                mask=base64.b64encode(encoded(np.ones((10, 10), bool), "PNG")).decode(),
            ),
            shape("polygon", (0, 0), (8, 0), (0, 8), label="_background_"),
        ),
    )
    assert np.array_equal(rectangle, (Y >= 12) & (Y < 30) & (X >= 10) & (X < 20))
    inside = X + Y + 1
    assert (triangle[inside < 8]).all() and not triangle[inside > 8].any()
    assert np.array_equal(circle, disc(SIZE[1], SIZE[0], 30, 18, 15))
    assert np.array_equal(part, (Y >= 30) & (X >= 50))


def test_shapes_of_a_group_are_one_thing(photo: Path) -> None:
    masks = outlined(
        photo,
        labelme(
            shape("rectangle", (0, 0), (10, 10), group_id=1),
            shape("rectangle", (40, 20), (50, 30)),
            shape("rectangle", (20, 0), (30, 10), group_id=1),
            shape("rectangle", (0, 30), (5, 35), group_id=1, label="saucer"),
        ),
    )
    assert [int(mask.sum()) for mask in masks] == [200, 100, 25]
    assert masks[0][5, 25] and not masks[0][5, 15]


def test_shapes_may_reach_over_the_border_and_need_no_size(photo: Path) -> None:
    content = labelme(shape("polygon", (-9, -9), (7, -9), (7, 4), (-9, 4)), imageHeight=None)
    [mask] = outlined(photo, content)
    assert mask.shape == SIZE and np.array_equal(mask, (X < 7) & (Y < 4))


BAD = {
    "no JSON": ("{", "not JSON"),
    "a list": ([], "neither SA-1B's annotations nor LabelMe's shapes"),
    "other JSON": ({"annotations": {}}, "neither"),
    "polygons": ({"annotations": [{"segmentation": [[1, 2, 3, 4, 5, 6]]}]}, "annotation 1 has no"),
    "no counts": (sa1b(None), "annotation 1 has no run lengths"),
    "negative": (sa1b([-1, 2401]), "no run lengths"),
    "too few": (sa1b([2399]), "2399 pixels of 2400"),
    "other letters": (sa1b("]d0;k0\u20ac"), "packed run lengths with"),
    "cut off": (sa1b(PACKED[:-1] + "P"), "cut off"),
    "endless": (sa1b("o" * 99), "packed run lengths with"),
    "no size": (sa1b([2400], size=None), "tells no size"),
    "huge": (sa1b([10**12], size=[10**6, 10**6]), "cannot be"),
    "no points": (labelme(shape("polygon") | {"points": [[1, None]]}), "no pairs of numbers"),
    "two corners": (labelme(shape("polygon", (1, 1), (2, 2))), "polygon of 2 points"),
    "circle": (labelme(shape("circle", (1, 1))), "circle of 1 points, not 2"),
    "unknown": (labelme(shape("star", (1, 1), (2, 2))), "'star', which is not known"),
    "no type": (
        labelme(shape("circle") | {"shape_type": ["circle"]}),
        "shape_type that is no text",
    ),
    "not finite": (labelme(shape("circle", (1, 1), (float("nan"), 2))), "no pairs of numbers"),
    "no mask": (labelme(shape("mask", (1, 1), (2, 2))), "mask without a picture"),
    "group": (labelme(shape("circle", (5, 5), (6, 6), group_id=[1])), "group_id"),
    "no shape": (labelme() | {"shapes": [7]}, "shape 1 is none"),
}


@pytest.mark.parametrize(("content", "message"), BAD.values(), ids=BAD)
def test_bad_files_are_told_with_their_place(photo: Path, content: Any, message: str) -> None:
    with pytest.raises(BadInputError, match=message) as caught:
        outlined(photo, content)
    assert caught.value.where == str(photo.with_suffix(".json"))


def test_a_file_of_another_name_is_found_by_the_photo_it_names(photo: Path) -> None:
    folder = photo.parent
    (folder / "first.json").write_text(json.dumps(labelme(imagePath="..\\photos\\a.jpg")))
    (folder / "notes.json").write_text("{")
    (folder / "things.json").write_text("{}")
    files = chosen_files(folder)
    assert outline_files(folder, files) == {photo: folder / "first.json"}
    photo.with_suffix(".json").write_text(json.dumps(labelme()))
    assert outline_files(folder, files) == {photo: folder / "a.json"}


def test_outlined_things_are_clicked_like_labelled_ones(photo: Path) -> None:
    folder = photo.parent
    small = [0, 4, SIZE[0] * SIZE[1] - 4]
    photo.with_suffix(".json").write_text(json.dumps(sa1b(run_lengths(TRUTH), small)))
    Image.fromarray(scene(SIZE[1], SIZE[0], 1)).save(folder / "b.png")
    Image.fromarray(scene(SIZE[1], SIZE[0], 2)).save(folder / "c.png")
    label_map = np.where(TRUTH, 7, 0).astype(np.uint8)
    Image.fromarray(label_map).save(folder / "b.gt0.png")
    (folder / "things.json").write_text('{"b": [7]}')
    things, notes = things_in(folder, chosen_files(folder), 0.02)
    assert [thing.name for thing in things] == ["a.jpg 1", "b.png 7"]
    assert all(np.array_equal(thing.mask(), TRUTH) for thing in things)
    assert notes == ["1 photos have no label map or outlines and were left out"]
    settings = ClickSettings(segmenter="slic", elements=24, clicks=3, baselines=())
    results = evaluate_clicks(folder, settings)
    assert [case.case for case in results.cases] == ["a.jpg 1", "b.png 7"]


def test_outlines_of_another_size_are_refused(photo: Path) -> None:
    photo.with_suffix(".json").write_text(json.dumps(sa1b([0, 100], size=[10, 10])))
    settings = ClickSettings(segmenter="slic", elements=24, clicks=3, baselines=())
    with pytest.raises(BadInputError, match=r"outlines of \(10, 10\) pixels for a photo of"):
        evaluate_clicks(photo.parent, settings)
