"""What masks of all kinds mark."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from eie.elements import Canvas
from eie.errors import BadInputError
from eie.files.masks import marked_in, read_mask
from eie.notes import Note
from tests.odd_pictures import chunk, disc, exif, scene, short

WIDTH, HEIGHT = 160, 120
CANVAS = Canvas(HEIGHT, WIDTH)
THING = disc(WIDTH, HEIGHT, 60, 60, 25)
WHITE = THING * np.uint8(255)


def palette(*colours: int) -> Image.Image:
    image = Image.fromarray(THING.astype(np.uint8)).convert("P")
    image.putpalette([*colours] + [0] * (768 - len(colours)))
    return image


def photo() -> np.ndarray:
    picture = scene(WIDTH, HEIGHT)
    picture[THING & (np.arange(WIDTH) < 60)] = (50, 40, 40)
    picture[THING & (np.arange(WIDTH) >= 60)] = (230, 220, 210)
    return picture


PLAIN = {
    "white": Image.fromarray(WHITE),
    "one bit": Image.fromarray(THING),
    "16 bits": Image.fromarray(THING * np.uint16(65_535)),
    "white strokes on transparent": Image.fromarray(np.dstack([WHITE, WHITE, WHITE, WHITE])),
    "white on transparent white": Image.fromarray(
        np.dstack([np.full((HEIGHT, WIDTH, 3), 255, np.uint8), WHITE])
    ),
    "opaque alpha": Image.fromarray(np.dstack([WHITE, WHITE, WHITE, np.full_like(WHITE, 255)])),
    "palette of black and white": palette(0, 0, 0, 255, 255, 255),
}
NOTED = {
    "values 0 and 1": Image.fromarray(THING.astype(np.uint8)),
    "values 0 and 1 in 16 bits": Image.fromarray(THING.astype(np.uint16)),
    "palette (128,0,0)": palette(0, 0, 0, 128, 0, 0),
    "red": Image.fromarray(np.dstack([WHITE, 0 * WHITE, 0 * WHITE])),
    "black strokes on transparent": Image.fromarray(np.dstack([WHITE * 0] * 3 + [WHITE])),
    "photo with a transparent hole": Image.fromarray(np.dstack([photo(), 255 - WHITE])),
    "cut-out of the object": Image.fromarray(np.dstack([photo() * THING[..., None], WHITE])),
    "black with a transparent hole": Image.fromarray(np.dstack([WHITE * 0] * 3 + [255 - WHITE])),
}


@pytest.mark.parametrize("image", PLAIN.values(), ids=PLAIN)
def test_white_is_marked_without_a_word(
    image: Image.Image, tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    image.save(tmp_path / "m.png")
    assert np.array_equal(read_mask(tmp_path / "m.png", CANVAS), THING)
    assert not [warning for warning in recwarn if warning.category is Note]


@pytest.mark.parametrize("image", NOTED.values(), ids=NOTED)
def test_other_marks_are_understood_with_a_note(image: Image.Image, tmp_path: Path) -> None:
    image.save(tmp_path / "m.png")
    with pytest.warns(Note, match="taken"):
        assert np.array_equal(read_mask(tmp_path / "m.png", CANVAS), THING)


def test_labels_with_a_bright_border_are_taken_whole() -> None:
    """As in PASCAL VOC, whose objects have a rim of another colour."""
    labels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    labels[disc(WIDTH, HEIGHT, 60, 60, 25)] = (224, 224, 192)
    labels[disc(WIDTH, HEIGHT, 60, 60, 22)] = (128, 0, 0)
    marked, note = marked_in(labels)
    assert np.array_equal(marked, THING) and note is not None


def test_a_photo_for_a_mask_is_told_of() -> None:
    _, note = marked_in(photo())
    assert note is not None and "photo" in note


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (np.zeros((HEIGHT, WIDTH, 1), np.uint8), "black everywhere.*in white"),
        (np.zeros((HEIGHT, WIDTH, 4), np.uint8), "transparent everywhere.*in white"),
    ],
)
def test_masks_that_mark_nothing_are_refused(pixels: np.ndarray, message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        marked_in(pixels)


def test_proportions_are_known_before_a_pixel_is_decoded(tmp_path: Path) -> None:
    # 90 megapixels by its header, of which nothing follows.
    width, height = 30, 3_000_000
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    mask = tmp_path / "mask.png"
    mask.write_bytes(b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", b"") + chunk(b"IEND", b""))

    with pytest.raises(BadInputError, match="the mask is 30×3000000, the canvas 80×60"):
        read_mask(mask, Canvas(60, 80))


def test_a_mask_on_its_side_is_told_how_to_turn(tmp_path: Path) -> None:
    thing = disc(WIDTH, HEIGHT, 40, 30, 20)
    upright = Canvas(WIDTH, HEIGHT)
    Image.fromarray(thing).save(tmp_path / "stored.png")
    with pytest.raises(BadInputError, match=r"160×120, the canvas 120×160 \(.*turned by 90°"):
        read_mask(tmp_path / "stored.png", upright)
    turned = np.rot90(thing, -1)
    copied = exif(short(274, 6))
    Image.fromarray(turned * np.uint8(255)).save(tmp_path / "copied.png", exif=copied)
    with pytest.warns(Note, match="orientation tag.*not followed"):
        assert np.array_equal(read_mask(tmp_path / "copied.png", upright), turned)
    # The mask of stored pixels with the photo's own tag lies as the photo does.
    Image.fromarray(thing * np.uint8(255)).save(tmp_path / "tagged.png", exif=copied)
    assert np.array_equal(read_mask(tmp_path / "tagged.png", upright), turned)
