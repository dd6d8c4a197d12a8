"""Encoding with the embedded weights."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from skimage import data

import eie
from eie.elements import Source
from eie.errors import MissingModelError, UsageError


@pytest.fixture(scope="module")
def coffee() -> eie.ElementSet:
    return eie.decompose(data.coffee()[:384, 100:484], segmenter="slic", elements=100)


@pytest.fixture(scope="module")
def encoded(coffee: eie.ElementSet) -> eie.ElementSet:
    return eie.encode(coffee)


def test_every_patch_gets_at_most_128_numbers(encoded: eie.ElementSet) -> None:
    embeddings = encoded.sources[0].embeddings
    assert embeddings.values.shape == (encoded.sources[0].patches, 128)
    assert np.isfinite(embeddings.values).all()
    assert embeddings.encoder == "tiny" and len(embeddings.encoder_hash) == 64


def test_it_does_not_depend_on_place(coffee: eie.ElementSet, encoded: eie.ElementSet) -> None:
    source = coffee.sources[0]
    label_map = np.zeros((450, 460), np.uint16)
    label_map[50 : 50 + 384, 33 : 33 + 384] = source.label_map + 1
    pixels = np.zeros((450, 460, 3), np.uint8)
    pixels[50 : 50 + 384, 33 : 33 + 384] = source.pixels
    moved = eie.ElementSet.from_source(type(source).from_label_map(label_map, pixels=pixels))
    again = eie.encode(moved).sources[0].embeddings.values[1:]
    assert np.array_equal(again, encoded.sources[0].embeddings.values)


@pytest.mark.parametrize("share", [0.0, 0.4, 0.99])
def test_it_does_not_depend_on_company(
    coffee: eie.ElementSet, encoded: eie.ElementSet, share: float
) -> None:
    source = coffee.sources[0]
    patch = int(share * source.patches)
    alone = (source.label_map == patch).astype(np.uint16)
    pair = eie.ElementSet.from_source(type(source).from_label_map(alone, pixels=source.pixels))
    again = eie.encode(pair).sources[0].embeddings.values[1]
    assert np.array_equal(again, encoded.sources[0].embeddings.values[patch])


def test_it_hardly_depends_on_scale() -> None:
    """A photo and the same photo at half its size, cut along the same borders."""
    large = data.astronaut()
    labels = eie.decompose(large, segmenter="slic", elements=100).sources[0].label_map
    small = np.round(large.reshape(256, 2, 256, 2, 3).mean(axis=(1, 3))).astype(np.uint8)
    first, second = (
        eie.encode(eie.ElementSet.from_source(Source.from_label_map(cut, pixels=pixels)))
        .sources[0]
        .embeddings.values
        for cut, pixels in ((labels, large), (np.ascontiguousarray(labels[::2, ::2]), small))
    )
    correlation = [np.corrcoef(a, b)[0, 1] for a, b in zip(first, second, strict=True)]
    assert np.median(correlation) > 0.9


@pytest.mark.parametrize(
    ("height", "width", "rows", "columns"),
    [(256, 256, 4, 4), (256, 256, 16, 16), (512, 768, 16, 24), (1024, 1024, 32, 32)],
)
def test_any_canvas_and_number_of_elements(
    height: int, width: int, rows: int, columns: int
) -> None:
    pixels = cv2.resize(data.astronaut(), (width, height), interpolation=cv2.INTER_AREA)
    row, column = np.arange(height) * rows // height, np.arange(width) * columns // width
    source = Source.from_label_map(row[:, None] * columns + column, pixels=pixels)
    picture = eie.render(eie.ElementSet.from_source(source), decoder="light", free=True)
    error = np.mean((picture.photo.pixels.astype(float) - pixels) ** 2)
    psnr = 10 * np.log10(255**2 / error)
    assert psnr > (17 if rows == 4 else 24)


def test_what_is_encoded_is_not_encoded_again(encoded: eie.ElementSet) -> None:
    again = eie.encode(encoded)
    assert again.sources[0].embeddings is encoded.sources[0].embeddings


def test_reconstruction_from_embeddings_and_boxes_alone(
    coffee: eie.ElementSet, encoded: eie.ElementSet
) -> None:
    bare = replace(encoded, sources=(replace(encoded.sources[0], pixels=None),))
    picture = eie.render(bare, free=True).photo.pixels
    truth = np.asarray(coffee.sources[0].pixels)
    error = np.mean((picture.astype(float) - truth) ** 2)
    assert 10 * np.log10(255**2 / error) > 22  # coarse elements; 256 of them reach far more


def test_a_moved_element_is_decoded_where_it_went(encoded: eie.ElementSet) -> None:
    from eie.editing import Move

    row = int(np.argmin(np.abs(encoded.table.box[:, :2] - 150).sum(axis=1)))
    box = encoded.table.box[row]
    before = eie.render(encoded, decoder="light", free=True).photo.pixels
    moved = eie.edit(encoded, [Move(str(encoded.table.id[row]), "+64,+32")])
    after = eie.render(moved, decoder="light", free=True).photo.pixels
    x, y = (int(v) for v in box[:2])
    old, new = before[y - 5 : y + 5, x - 5 : x + 5], after[y + 27 : y + 37, x + 59 : x + 69]
    assert np.abs(old.astype(int) - new).mean() < 12


def test_a_moved_element_appears_within_a_pixel_of_its_place(
    coffee: eie.ElementSet, encoded: eie.ElementSet
) -> None:
    """Of all shifts around its place, none beyond a pixel fits the picture before better.

    But for a grey level: along an edge of their own, elements fit almost as well.
    """
    from scipy.ndimage import binary_erosion

    from eie.editing import Move

    before = eie.render(encoded, decoder="light", free=True).photo.pixels.astype(float)
    label_map, shift, reach = np.asarray(coffee.sources[0].label_map), (50, -40), 3
    tried = 0
    for patch in range(0, len(encoded), 5):
        whole = label_map == patch
        core = binary_erosion(whole, iterations=3)
        if core.sum() < 200 or before[core].mean(axis=1).std() < 5:
            continue  # flat: fits anywhere
        if whole.sum() < 0.4 * coffee.sources[0].home_box[patch, 2:].prod():
            continue  # of a shape too wild for its few numbers
        rows, columns = np.nonzero(core)
        inside = (columns + shift[0] + reach < 384) & (rows + shift[1] - reach >= 0)
        if not inside.all():
            continue
        element = str(encoded.table.id[encoded.table.patch == patch][0])
        moved = eie.edit(encoded, [Move(element, f"{shift[0]},{shift[1]}")])
        after = eie.render(moved, decoder="light", free=True).photo.pixels.astype(float)
        around = [(dx, dy) for dx in range(-reach, reach + 1) for dy in range(-reach, reach + 1)]
        error = {
            (dx, dy): np.square(
                after[rows + shift[1] + dy, columns + shift[0] + dx] - before[core]
            ).mean()
            for dx, dy in around
        }
        near = min(e for (dx, dy), e in error.items() if max(abs(dx), abs(dy)) <= 1)
        assert near**0.5 <= min(error.values()) ** 0.5 + 1
        assert near < 0.5 * max(error.values())
        tried += 1
    assert tried >= 3


def test_embeddings_of_other_weights_are_refused(encoded: eie.ElementSet) -> None:
    source = encoded.sources[0]
    foreign = replace(source.embeddings, encoder_hash="0" * 64, encoder="other")
    other = replace(encoded, sources=(replace(source, embeddings=foreign),))
    with pytest.raises(UsageError, match="eie encode --model tiny"):
        eie.render(other, decoder="light", free=True)


def test_a_missing_model_says_what_to_do(coffee: eie.ElementSet, tmp_path) -> None:
    with pytest.raises(MissingModelError, match="local model folder"):
        eie.encode(coffee, model=tmp_path / "none")
