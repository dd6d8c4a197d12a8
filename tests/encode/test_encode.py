"""Encoding with the embedded weights."""

from dataclasses import replace

import numpy as np
import pytest
from skimage import data

import eie
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
    from eie.edit import Move

    row = int(np.argmin(np.abs(encoded.table.box[:, :2] - 150).sum(axis=1)))
    box = encoded.table.box[row]
    before = eie.render(encoded, decoder="light", free=True).photo.pixels
    moved = eie.edit(encoded, [Move(str(encoded.table.id[row]), "+64,+32")])
    after = eie.render(moved, decoder="light", free=True).photo.pixels
    x, y = (int(v) for v in box[:2])
    old, new = before[y - 5 : y + 5, x - 5 : x + 5], after[y + 27 : y + 37, x + 59 : x + 69]
    assert np.abs(old.astype(int) - new).mean() < 12


def test_embeddings_of_other_weights_are_refused(encoded: eie.ElementSet) -> None:
    source = encoded.sources[0]
    foreign = replace(source.embeddings, encoder_hash="0" * 64, encoder="other")
    other = replace(encoded, sources=(replace(source, embeddings=foreign),))
    with pytest.raises(UsageError, match="eie encode --model tiny"):
        eie.render(other, decoder="light", free=True)


def test_a_missing_model_says_what_to_do(coffee: eie.ElementSet, tmp_path) -> None:
    with pytest.raises(MissingModelError, match="local model folder"):
        eie.encode(coffee, model=tmp_path / "none")
