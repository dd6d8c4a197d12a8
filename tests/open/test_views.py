"""Maps and pictures for the screen say what the library says."""

from __future__ import annotations

import gzip
import io
import shutil

import numpy as np
import pytest
from PIL import Image

import eie
from eie.editing import select
from eie.editing.picking import row_at, rows_on_canvas
from eie.open.views import labels
from eie.preview.cutout import cutout

from .conftest import EXAMPLES, move

CHANGES = (
    move("object@320,200", "-90,3"),
    {"operation": "copy", "selection": "20-24", "shift": "+50,+10"},
    {"operation": "rotate", "selection": "40", "angle": "20"},
    {"operation": "delete", "selection": "30"},
    {"operation": "front", "selection": "12"},
)


def label_map(document, side=1024):
    answer = document.get("/labels", side=side)
    assert answer.status_code == 200
    assert answer.headers["x-bytes"] == "2"
    size = int(answer.headers["x-height"]), int(answer.headers["x-width"])
    return np.frombuffer(answer.content, "<u2").reshape(size), answer


def test_labels_are_what_a_point_takes(document):
    document.edit(*CHANGES)
    elements = eie.load(document.path)
    found, answer = label_map(document)
    assert found.shape == (427, 640)
    rows = rows_on_canvas(elements, elements.table.visible)
    assert np.array_equal(np.where(found == 65535, -1, found.astype(int)), rows)
    for x, y in np.random.default_rng(1).integers(0, (640, 427), (60, 2)).tolist():
        at = row_at(elements, x + 0.5, y + 0.5, elements.table.visible)
        assert found[y, x] == (65535 if at is None else at)
    assert answer.headers["x-revision"] == document.get().json()["revision"]
    assert (found == 65535).any()


def test_smaller_labels_are_samples(document):
    document.edit(*CHANGES)
    full, _ = label_map(document)
    small, _ = label_map(document, 100)
    assert small.shape == (67, 100)
    lines = ((np.arange(67) + 0.5) * 427 / 67).astype(int)
    columns = ((np.arange(100) + 0.5) * 640 / 100).astype(int)
    assert np.array_equal(small, full[np.ix_(lines, columns)])


def test_labels_are_packed_if_that_is_accepted(document):
    plain = document.client.get(
        f"/documents/{document.id}/labels", headers={"Accept-Encoding": "identity"}
    )
    assert "content-encoding" not in plain.headers
    raw = document.client.build_request(
        "GET", f"/documents/{document.id}/labels", headers={"Accept-Encoding": "gzip"}
    )
    answer = document.client.send(raw, stream=True)
    packed = b"".join(answer.iter_raw())
    assert answer.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed) == plain.content
    assert len(packed) < len(plain.content) / 5


def test_labels_of_many_elements_take_four_bytes():
    height, width = 256, 257
    label = np.arange(height * width).reshape(height, width) % 65_535
    elements = eie.ElementSet.from_source(eie.elements.Source.from_label_map(label))
    found = labels(elements, 8192)
    assert found.bytes == 4
    assert np.array_equal(np.frombuffer(found.data, "<u4").reshape(height, width), label)


def test_objects_are_what_a_click_takes(opened, tiny_bytes):
    document = opened(tiny_bytes)
    document.edit(*CHANGES)
    elements = eie.load(document.path)
    answer = document.get("/objects")
    count = int(answer.headers["x-count"])
    assert count == len(elements)
    bits = np.frombuffer(answer.content, np.uint8).reshape(count, 3, -1)
    members = np.unpackbits(bits, axis=2, count=count).astype(bool)
    rows = rows_on_canvas(elements, elements.table.visible)
    random = np.random.default_rng(2)
    for y, x in random.permutation(np.argwhere(rows >= 0))[:40].tolist():
        for kind, extent in enumerate((":part", ":object", ":whole")):
            ids = select(elements, f"object@{x + 0.5},{y + 0.5}{extent}")
            assert set(elements.table.id[members[rows[y, x], kind]]) == set(ids.tolist())


def test_files_without_candidates_have_grown_objects(document):
    elements = eie.load(document.path)
    answer = document.get("/objects")
    bits = np.frombuffer(answer.content, np.uint8).reshape(len(elements), 3, -1)
    members = np.unpackbits(bits, axis=2, count=len(elements)).astype(bool)
    row = row_at(elements, 320.5, 200.5, elements.table.visible)
    expected = set(select(elements, "object@320.5,200.5").tolist())
    for kind in range(3):
        assert set(elements.table.id[members[row, kind]]) == expected


def test_a_file_that_tells_no_objects_says_so(opened):
    label = np.arange(12).reshape(3, 4)
    source = eie.elements.Source.from_label_map(label, pixels=np.zeros((3, 4, 3), np.uint8))
    document = opened(eie.dump(eie.ElementSet.from_source(source)))
    assert document.get().json()["has_objects"] is False
    answer = document.get("/objects")
    assert answer.status_code == 404 and answer.json()["error"]["hint"]


def test_too_many_elements_have_no_objects_at_once(opened):
    label = np.arange(4097).reshape(1, 4097)
    source = eie.elements.Source.from_label_map(label, pixels=np.zeros((1, 4097, 3), np.uint8))
    document = opened(eie.dump(eie.ElementSet.from_source(source)))
    assert document.get("/objects").status_code == 404
    assert document.get().json()["has_objects"] is False


def test_a_selection_is_told(document):
    elements = eie.load(document.path)
    told = document.post("/select", selection="object@320,200").json()
    assert told["ids"] == select(elements, "object@320,200").tolist()
    assert [elements.table.id[row] for row in told["rows"]] == told["ids"]
    x0, y0, x1, y1 = told["box"]
    assert told["centre"] == [(x0 + x1) / 2, (y0 + y1) / 2] and told["angle"] == 0
    assert 0 < told["share"] < 1
    assert f"{x1 - x0:.0f}×{y1 - y0:.0f} px" in told["text"]
    everything = document.post("/select", selection="0-40").json()
    assert any("most of the picture" in line for line in everything["warnings"])
    less = document.post("/select", selection="object@320,200", tolerance=0.1).json()
    assert len(less["ids"]) < len(told["ids"])


def test_turned_selections_tell_their_angle(document):
    document.edit({"operation": "rotate", "selection": "3,4", "angle": "-30"})
    assert document.post("/select", selection="3,4").json()["angle"] == -30


def test_deleted_elements_are_chosen_when_asked_for(document):
    document.edit({"operation": "delete", "selection": "5,6"})
    assert document.post("/select", selection="all", deleted=True).json()["ids"] == [5, 6]


def picture(answer):
    assert answer.status_code == 200, answer.text
    return Image.open(io.BytesIO(answer.content))


def test_the_photo_is_shown_as_it_was(document):
    document.edit(*CHANGES)
    small = picture(document.get("/picture", side=320))
    assert (small.size, small.format) == ((320, 214), "JPEG")
    original = Image.open(EXAMPLES / "rocket.jpg").resize((320, 214), Image.Resampling.BOX)
    difference = np.abs(np.asarray(small, int) - np.asarray(original, int))
    assert difference.mean() < 3


def test_the_canvas_is_shown_with_its_holes(document):
    document.edit({"operation": "delete", "selection": "object@320,200"})
    shown = picture(document.get("/picture", of="current", side=8192))
    assert (shown.mode, shown.size) == ("RGBA", (640, 427))
    pixels = np.asarray(shown)
    elements = eie.load(document.path)
    rows = rows_on_canvas(elements, elements.table.visible)
    assert (pixels[rows < 0][:, 3] == 0).all()
    assert np.array_equal(
        pixels[pixels[..., 3] > 0][:, :3],
        np.asarray(elements.sources[0].pixels)[pixels[..., 3] > 0],
    )
    assert picture(document.get("/picture", of="current")).mode == "RGBA"
    assert document.get("/picture", of="nothing").status_code == 400


def test_a_cut_out_is_that_of_the_library(document):
    elements = eie.load(document.path)
    answer = document.get("/cutout", selection="object@320,200")
    x0, y0, x1, y1 = map(int, answer.headers["x-box"].split(","))
    expected = cutout(elements, select(elements, "object@320,200").tolist()).pixels
    assert np.array_equal(np.asarray(picture(answer)), expected[y0:y1, x0:x1])
    assert expected[..., 3].sum() == expected[y0:y1, x0:x1, 3].sum()
    small = document.get("/cutout", selection="object@320,200", side=320)
    for one, other in zip(small.headers["x-box"].split(","), (x0, y0, x1, y1), strict=True):
        assert abs(float(one) - other) < 6


def test_the_profile_goes_along(opened, tmp_path):
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.open(EXAMPLES / "coffee.jpg").save(tmp_path / "a.png", icc_profile=profile)
    document = opened(eie.dump(eie.decompose(tmp_path / "a.png", segmenter="slic", elements=20)))
    for query in ({}, {"of": "current"}):
        assert picture(document.get("/picture", **query)).info["icc_profile"] == profile
    assert picture(document.get("/cutout", selection="3")).info["icc_profile"] == profile


def test_a_thumbnail_is_small_and_upright(server, client):
    turned = Image.open(EXAMPLES / "rocket.jpg")
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(server.folder / "turned.jpg", exif=exif)
    small = picture(client.get("/workspace/thumbnail", params={"name": "turned.jpg", "side": 64}))
    assert small.size == (43, 64)
    [listed] = [p for p in client.get("/workspace").json()["photos"] if p["name"] == "turned.jpg"]
    assert (listed["width"], listed["height"]) == (427, 640)


def test_damaged_photos_are_not_listed(server, client):
    (server.folder / "damaged.jpg").write_bytes(b"\xff\xd8\xff" + b"x" * 100)
    shutil.copy(EXAMPLES / "coffee.jpg", server.folder / "whole.jpg")
    names = [photo["name"] for photo in client.get("/workspace").json()["photos"]]
    assert "whole.jpg" in names and "damaged.jpg" not in names
    answer = client.get("/workspace/thumbnail", params={"name": "damaged.jpg"})
    assert answer.status_code == 422


@pytest.mark.parametrize("side", [0, 15, 8193, "x", -1, 1e9])
def test_sides_are_limited(document, side):
    for what in ("/labels", "/picture"):
        assert document.get(what, side=side).status_code == 400
