"""`evaluate_reconstruction`, its baselines, and the conditions they are compared under."""

from __future__ import annotations

import io
import math
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from skimage import data

import eie
from eie.elements import ElementSet, Source
from eie.errors import BadInputError, MissingModelError, UsageError
from eie.evaluate.baselines.codes import (
    VALUES,
    Basis,
    Moments,
    coded_within,
    patches_of,
    reconstructed,
)
from eie.evaluate.core.choices import decoder_options
from eie.evaluate.core.photos import read_rgb, resized
from eie.evaluate.core.run import Run
from eie.evaluate.measures.perceptual_distance import (
    feature_distance,
    frechet_distance,
    pooled_features,
)
from eie.evaluate.measures.similarity import mse, psnr, ssim
from eie.evaluate.reconstruction import (
    evaluate_reconstruction,
)
from eie.evaluate.reconstruction_case import embedding_bytes, in_half_precision
from eie.evaluate.settings import ReconstructionSettings

SMALL = ReconstructionSettings(segmenter="slic", elements=16, size=64)


def cells(side: int, count: int) -> np.ndarray:
    """A label map of count × count squares."""
    cell = np.arange(side) * count // side
    return cell[:, None] * count + cell


def square(pixels: np.ndarray, side: int = 64, count: int = 4) -> Source:
    return Source.from_label_map(cells(side, count), pixels=resized(pixels, side))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three real photos of different sizes."""
    folder = tmp_path_factory.mktemp("photos")
    for name in ("astronaut", "chelsea", "coffee"):
        pixels = getattr(data, name)()[::2, ::2]
        Image.fromarray(pixels).save(folder / f"{name}.png")
    return folder


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return tmp_path_factory.mktemp("store") / "results"


@pytest.fixture(scope="module")
def results(folder, store):
    return evaluate_reconstruction(folder, SMALL, run=Run(store=store, pictures=True))


@pytest.mark.parametrize("codec", ["jpeg", "webp"])
def test_codecs_spend_what_they_may(codec):
    pixels = resized(data.astronaut(), 128)
    coded = [coded_within(pixels, codec, budget) for budget in (2000, 6000, 10**6)]
    assert [c.size <= b for c, b in zip(coded, (2000, 6000, 10**6), strict=True)] == [True] * 3
    assert coded[0].quality < coded[1].quality < coded[2].quality == 100
    assert mse(coded[0].pixels, pixels) > mse(coded[1].pixels, pixels)
    options = {"jpeg": {"optimize": True}, "webp": {"method": 4}}[codec]
    better = io.BytesIO()
    Image.fromarray(pixels).save(better, codec.upper(), quality=coded[1].quality + 1, **options)
    assert len(better.getvalue()) > 6000


def test_codecs_cannot_do_the_impossible():
    coded = coded_within(resized(data.astronaut(), 128), "jpeg", 10)
    assert coded.quality == 1
    assert coded.size > 10


def test_the_basis_is_that_of_an_eigendecomposition():
    rng = np.random.default_rng(0)
    patches = np.zeros((40, 4, 32, 32), np.uint8)
    patches[:, :3] = rng.integers(0, 256, (40, 3, 32, 32))
    rows = patches[:, :3].reshape(40, VALUES) / 255.0
    basis = Basis.of(Moments.of(patches), 5)
    _, _, axes = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
    assert basis.mean == pytest.approx(rows.mean(axis=0), abs=1e-5)
    assert np.abs((axes[:5] @ basis.axes).diagonal()) == pytest.approx(np.ones(5), abs=1e-3)


def test_moments_add_up_and_can_be_taken_away():
    one, other = (patches_of(square(getattr(data, n)())) for n in ("astronaut", "coffee"))
    both = Moments.of(np.concatenate([one, other]))
    summed = Moments.of(one) + Moments.of(other)
    left = summed - Moments.of(one)
    assert summed.count == both.count == 32
    # pytest.approx goes through the millions of numbers one by one.
    np.testing.assert_allclose(summed.outer, both.outer, atol=1e-3)
    np.testing.assert_allclose(left.outer, Moments.of(other).outer, atol=1e-3)
    np.testing.assert_allclose(left.total, Moments.of(other).total, atol=1e-6)


def test_all_components_give_the_photo_back():
    """Patches of 32 × 32 pixels, as many components as patches: nothing but rounding is lost."""
    source = square(data.astronaut(), side=128, count=4)
    patches = patches_of(source)
    picture = reconstructed(patches, Basis.of(Moments.of(patches), 15), source)
    assert psnr(picture, np.asarray(source.pixels)) > 45
    rough = reconstructed(patches, Basis.of(Moments.of(patches), 3), source)
    assert psnr(rough, np.asarray(source.pixels)) < 35


def test_masked_patches_go_back_by_their_masks():
    """A plain colour comes back over irregular elements without dark borders."""
    pixels = np.full((96, 96, 3), (200, 120, 60), np.uint8)
    y, x = np.mgrid[:96, :96]
    labels = ((x + 10 * np.sin(y / 9) > 48) * 2 + (y + 8 * np.cos(x / 7) > 50)).astype(int)
    source = Source.from_label_map(labels, pixels=pixels)
    patches = patches_of(source)
    picture = reconstructed(patches, Basis.of(Moments.of(patches), 3), source)
    assert np.abs(picture.astype(int) - pixels).max() <= 3


def test_every_figure_is_the_measures_own(folder, results):
    """Each score recomputed from the pictures that the evaluation kept."""
    assert results.methods() == ["light", "pca", "jpeg", "webp"]
    for case in results.cases:
        photo = resized(read_rgb(folder / case.case), 64)
        assert (case.pictures["photo"] == photo).all()
        for method, scores in case.scores.items():
            picture = case.pictures[method]
            assert scores["mse"] == pytest.approx(mse(picture, photo), abs=1e-9)
            assert scores["psnr"] == pytest.approx(psnr(picture, photo), abs=1e-6)
            assert scores["ssim"] == pytest.approx(ssim(picture, photo), abs=1e-6)
            assert scores["features"] == pytest.approx(feature_distance(picture, photo), abs=1e-5)
            assert math.isnan(scores["ms_ssim"])  # too small a picture
            assert math.isnan(scores["lpips"])
    photos, light = (
        pooled_features([case.pictures[name] for case in results.cases])
        for name in ("photo", "light")
    )
    expected = frechet_distance(light, photos)
    assert results.overall["light"]["features_frechet"] == pytest.approx(expected, rel=1e-3)
    assert "fid" not in results.overall["light"]
    assert any("LPIPS" in note and "--lpips-weights" in note for note in results.notes)
    assert any("FID" in note and "--inception-weights" in note for note in results.notes)


def test_the_decoders_picture_is_that_of_render_free(folder, results):
    pixels = resized(read_rgb(folder / "chelsea.png"), 64)
    elements = in_half_precision(eie.encode(eie.decompose(pixels, segmenter="slic", elements=16)))
    picture = eie.render(elements, decoder="light", free=True).photo.pixels
    (case,) = [case for case in results.cases if case.case == "chelsea.png"]
    assert (case.pictures["light"] == picture).all()
    assert case.scores["light"]["bytes"] == embedding_bytes(elements)


def test_all_methods_get_the_same_bytes(results):
    for case in results.cases:
        budget = case.scores["light"]["bytes"]
        assert case.scores["pca"]["bytes"] == budget
        for codec in ("jpeg", "webp"):
            assert 0.5 * budget < case.scores[codec]["bytes"] <= budget


def test_bytes_of_embeddings():
    elements = eie.encode(ElementSet.from_source(square(data.astronaut())))
    numbers = elements.sources[0].embeddings.values.shape[1]
    assert embedding_bytes(elements) == 16 * (2 * numbers + 8)


def test_the_pca_of_a_photo_has_not_seen_it(folder, results, tmp_path):
    """Leave-one-out equals a basis fitted to a folder with the others."""
    for name in ("astronaut.png", "coffee.png"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    settings = replace(SMALL, pca_fit=tmp_path, baselines=("pca",))
    fitted = evaluate_reconstruction(folder, settings)
    of_cat = [
        {case.case: case.scores["pca"]["psnr"] for case in found.cases}["chelsea.png"]
        for found in (results, fitted)
    ]
    assert of_cat[0] == pytest.approx(of_cat[1], abs=0.02)
    assert any("fitted for each photo to the 2 others" in note for note in results.notes)
    assert any(f"fitted to 2 photos of {tmp_path}" in note for note in fitted.notes)


def test_the_same_command_goes_on(folder, store, results):
    (store / "reconstructions" / "cases" / "coffee.png.json").unlink()
    again = evaluate_reconstruction(folder, SMALL, run=Run(store=store, pictures=True))
    assert again.to_json() == results.to_json()
    with pytest.raises(UsageError, match="photos"):
        evaluate_reconstruction(folder, SMALL, run=Run(store=store, pictures=True, limit=2))


def test_one_photo_has_no_others(folder):
    results = evaluate_reconstruction(folder, SMALL, run=Run(limit=1))
    assert results.methods() == ["light", "jpeg", "webp"]
    assert any("pca, which needs other photos" in note for note in results.notes)
    assert any("needs two photos" in note for note in results.notes)


def test_whole_photos_keep_their_aspect(folder, tmp_path):
    settings = replace(SMALL, fit="keep", baselines=())
    results = evaluate_reconstruction(
        folder, settings, run=Run(store=tmp_path / "s", pictures=True)
    )
    shapes = {case.case: case.pictures["light"].shape for case in results.cases}
    assert shapes["astronaut.png"] == (64, 64, 3)
    assert shapes["coffee.png"] == (64, 96, 3)


def test_plots_and_key(results):
    pytest.importorskip("matplotlib")
    plots = results.draw(results)
    assert list(plots) == ["PSNR of the photos in order", "FeatD of the photos in order"]
    assert all(content.startswith(b"\x89PNG") for content in plots.values())
    assert results.key == ("light", "psnr")


def test_decoders_get_the_options_they_take():
    settings = replace(SMALL, model="somewhere", seed=7)
    assert decoder_options("light", settings.options) == {"model": "somewhere", "device": None}


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        ({"decoders": ("magic",)}, UsageError, "no decoder 'magic'"),
        ({"decoders": ("classical",)}, UsageError, "embeddings alone"),
        ({"decoders": ()}, UsageError, "no decoder"),
        ({"baselines": ("gif",)}, UsageError, "no baseline 'gif'"),
        ({"size": 8}, UsageError, "size is 8"),
        ({"model": "no/such/model"}, MissingModelError, "no/such/model"),
        ({"segmenter": "nowhere.pth"}, MissingModelError, r"nowhere\.pth"),
    ],
)
def test_what_cannot_be_done_is_said_at_once(folder, change, kind, words):
    with pytest.raises(kind, match=words):
        evaluate_reconstruction(folder, replace(SMALL, **change))


def test_weights_that_were_asked_for_must_be_there(folder, tmp_path):
    for name in ("lpips_weights", "inception_weights"):
        settings = replace(SMALL, **{name: tmp_path / "none.pth"})
        with pytest.raises(MissingModelError, match=r"none\.pth"):
            evaluate_reconstruction(folder, settings)


def test_damaged_photos_are_named(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"dear diary")
    with pytest.raises(BadInputError, match=r"a\.jpg"):
        evaluate_reconstruction(tmp_path, SMALL)
