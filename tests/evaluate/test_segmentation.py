"""`evaluate_segmentation` and what it reads: annotators, baselines, rows and plots."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

import eie
from eie.errors import BadInputError, MissingModelError, UsageError
from eie.evaluate.baselines.superpixels import has_contrib, lsc, seeds, slic
from eie.evaluate.cases.annotations import annotated_photos, read_labels
from eie.evaluate.core.photos import chosen_files
from eie.evaluate.core.run import Run
from eie.evaluate.measures.superpixel_metrics import (
    achievable_accuracy,
    boundary_recall,
    compactness,
    element_sizes,
    explained_variation,
    undersegmentation_error,
)
from eie.evaluate.reports.drawing import outlined
from eie.evaluate.segmentation import evaluate_segmentation
from eie.evaluate.settings import SegmentationSettings

SLIC = SegmentationSettings(segmenter="slic", counts=(12,), baselines=("slic",))


def save_mat(path, label_maps):
    """A file with BSDS500's structure: groundTruth{1,k}.Segmentation, uint16 from 1."""
    people = np.empty((1, len(label_maps)), dtype=object)
    for index, labels in enumerate(label_maps):
        one = np.empty((1, 1), dtype=[("Segmentation", object), ("Boundaries", object)])
        one[0, 0] = (labels.astype(np.uint16) + 1, (labels > 0).astype(np.uint8))
        people[0, index] = one
    savemat(path, {"groundTruth": people})


@pytest.fixture
def truths():
    left = np.zeros((48, 64), np.uint8)
    left[:, 30:] = 1
    corner = left.copy()
    corner[:20, :20] = 2
    return [left, corner]


@pytest.fixture
def pixels(truths):
    colours = np.array([[200, 30, 30], [30, 30, 200], [30, 200, 30]], np.uint8)
    noise = np.random.default_rng(0).integers(0, 20, (48, 64, 3), dtype=np.uint8)
    return colours[truths[1]] + noise


@pytest.fixture
def folder(tmp_path, truths, pixels):
    """Two photos with two people's segmentations as PNG, and one without."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in "abc":
        Image.fromarray(pixels).save(folder / f"{name}.png")
    for name in "ab":
        for index, labels in enumerate(truths):
            Image.fromarray(labels).save(folder / f"{name}.gt{index}.png")
    return folder


def only_photo(folder, truth=None):
    (photo,), _ = annotated_photos(chosen_files(folder, limit=1), truth)
    return photo


def assert_same(found, truths):
    assert len(found) == len(truths)
    for labels, truth in zip(found, truths, strict=True):
        assert (labels == truth).all()


def test_segmentations_as_png(folder, truths):
    assert_same(read_labels(only_photo(folder), (48, 64)), truths)


def test_segmentations_as_png_elsewhere(folder, tmp_path, truths):
    other = tmp_path / "truth"
    other.mkdir()
    for path in folder.glob("*.gt*.png"):
        path.rename(other / path.name)
    assert_same(read_labels(only_photo(folder, other), (48, 64)), truths)


@pytest.mark.parametrize("where", ["beside", "elsewhere", "as BSDS500 comes"])
def test_segmentations_as_mat(tmp_path, truths, pixels, where):
    images = tmp_path / "images" / "val"
    truth = {
        "beside": images,
        "elsewhere": tmp_path / "truth",
        "as BSDS500 comes": tmp_path / "groundTruth" / "val",
    }[where]
    for made in (images, truth):
        made.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(images / "7.jpg")
    save_mat(truth / "7.mat", truths)
    photo = only_photo(images, truth if where == "elsewhere" else None)
    assert_same(read_labels(photo, (48, 64)), truths)


def test_scores_are_those_of_the_measures(folder, truths, pixels):
    results = evaluate_segmentation(folder, SLIC)
    assert [case.case for case in results.cases] == ["a.png", "b.png"]
    assert set(results.measures) == set(results.cases[0].scores["slic"])
    ours = eie.decompose(pixels, segmenter="slic", elements=12).sources[0].label_map
    for method, labels in (("eie slic", ours), ("slic", slic(pixels, 12))):
        scores = results.cases[0].scores[method]

        def over_people(measure, labels=labels):
            return np.mean([measure(labels, truth) for truth in truths])

        assert scores == pytest.approx(
            {
                "elements": len(np.unique(labels)),
                "boundary_recall": over_people(boundary_recall),
                "undersegmentation_error": over_people(undersegmentation_error),
                "achievable_accuracy": over_people(achievable_accuracy),
                "explained_variation": explained_variation(labels, pixels),
                "compactness": compactness(labels),
                "mean_size": element_sizes(labels).mean(),
                "small_share": (element_sizes(labels) < 64).mean(),
            },
            abs=1e-9,
        )
    assert any("1 photos have no human segmentation" in note for note in results.notes)


def test_several_counts_give_rows_pictures_and_curves(folder):
    pytest.importorskip("matplotlib")
    settings = SegmentationSettings("slic", counts=(4, 12, 24), baselines=("slic",))
    results = evaluate_segmentation(folder, settings, run=Run(pictures=True))
    assert results.methods() == [f"{m} {n}" for m in ("eie slic", "slic") for n in (4, 12, 24)]
    assert list(results.cases[0].pictures) == ["photo", "people", "eie slic 12", "slic 12"]
    plots = results.draw(results)
    assert list(plots) == [
        "boundary recall over elements",
        "undersegmentation error over elements",
        "achievable segmentation accuracy over elements",
        "explained variation over elements",
    ]
    assert all(content.startswith(b"\x89PNG") for content in plots.values())
    method, measure = results.key
    assert measure in results.measures
    assert method == "eie slic 12"


def test_one_count_gives_no_curves(folder):
    results = evaluate_segmentation(folder, SLIC)
    assert results.draw(results) == {}


def test_a_store_is_bound_to_the_settings(folder, tmp_path):
    store = tmp_path / "store"
    first = evaluate_segmentation(folder, SLIC, run=Run(store=store))
    again = evaluate_segmentation(folder, SLIC, run=Run(store=store))
    assert again.to_json() == first.to_json()
    other = SegmentationSettings("slic", counts=(20,), baselines=("slic",))
    with pytest.raises(UsageError, match="counts"):
        evaluate_segmentation(folder, other, run=Run(store=store))


def test_borders_are_drawn_on_both_sides(truths, pixels):
    drawn = outlined(pixels, truths[0], (1, 2, 3))
    changed = (drawn != pixels).any(axis=2)
    assert changed[:, 29:31].all()
    assert changed.sum() == 2 * 48


def test_without_contrib_the_baselines_are_missing_and_said_so(folder, monkeypatch):
    import cv2

    monkeypatch.setattr(cv2, "ximgproc", SimpleNamespace(), raising=False)
    settings = SegmentationSettings("slic", counts=(12,))
    results = evaluate_segmentation(folder, settings)
    assert results.methods() == ["eie slic", "slic"]
    assert any("seeds, lsc" in note and "contrib" in note for note in results.notes)
    for method in (seeds, lsc):
        with pytest.raises(MissingModelError, match="contrib"):
            method(np.zeros((8, 8, 3), np.uint8), 4)


@pytest.mark.skipif(not has_contrib(), reason="this OpenCV has no contrib modules")
@pytest.mark.parametrize("method", [seeds, lsc])
def test_contrib_superpixels_partition_the_photo(pixels, truths, method):
    labels = method(np.kron(pixels, np.ones((4, 4, 1), np.uint8)), 48)
    assert labels.shape == (192, 256)
    assert set(np.unique(labels)) == set(range(labels.max() + 1))
    assert 12 <= labels.max() + 1 <= 100
    assert achievable_accuracy(labels, np.kron(truths[1], np.ones((4, 4), np.uint8))) > 0.9


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (SegmentationSettings("slic", baselines=("turbo",)), "no baseline 'turbo'"),
        (SegmentationSettings("slic", counts=(8, 8)), "differ"),
        (SegmentationSettings("slic", counts=(0,)), "from 1 up"),
        (SegmentationSettings("slic", counts=()), "differ"),
    ],
)
def test_impossible_settings_are_refused(folder, settings, words):
    with pytest.raises(UsageError, match=words):
        evaluate_segmentation(folder, settings)


def test_photos_without_segmentations_are_refused(tmp_path, pixels):
    Image.fromarray(pixels).save(tmp_path / "a.png")
    with pytest.raises(BadInputError, match="human segmentation"):
        evaluate_segmentation(tmp_path, SLIC)
    with pytest.raises(BadInputError, match="nowhere: no such folder"):
        evaluate_segmentation(tmp_path, SLIC, truth=tmp_path / "nowhere")


def test_a_segmentation_of_another_size_is_refused(folder):
    Image.fromarray(np.zeros((5, 5), np.uint8)).save(folder / "a.gt1.png")
    with pytest.raises(BadInputError, match=r"a\.gt1\.png.*\(5, 5\)"):
        evaluate_segmentation(folder, SLIC)


@pytest.mark.parametrize("content", [b"", b"MATLAB no more", b"\0" * 300])
def test_damaged_mat_files_are_named(tmp_path, pixels, content):
    Image.fromarray(pixels).save(tmp_path / "a.png")
    (tmp_path / "a.mat").write_bytes(content)
    with pytest.raises(BadInputError, match=r"a\.mat"):
        evaluate_segmentation(tmp_path, SLIC)


def test_colour_pictures_are_no_label_maps(folder, pixels):
    Image.fromarray(pixels).save(folder / "a.gt0.png")
    with pytest.raises(BadInputError, match="label map has shape"):
        evaluate_segmentation(folder, SLIC)
