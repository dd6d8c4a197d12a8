"""`eie evaluate`: what goes to which stream, files it leaves, exit codes."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest
from PIL import Image
from skimage import data

from eie.errors import BadInputError, MissingModelError, UsageError

FAST = ("--segmenter", "slic", "--counts", "12", "--baselines", "slic")
FREE = ("--segmenter", "slic", "--elements", "9", "--size", "64", "--baselines", "jpeg")


@pytest.fixture
def photos(tmp_path):
    """Two photos with segmentations."""
    folder = tmp_path / "my photos"
    folder.mkdir()
    for name in ("astronaut", "coffee"):
        pixels = getattr(data, name)()[::6, ::6]
        Image.fromarray(pixels).save(folder / f"{name}.png")
        labels = (pixels[..., 0] > 128).astype(np.uint8)
        Image.fromarray(labels).save(folder / f"{name}.gt0.png")
    return folder


def test_json_is_all_there_is_on_stdout(run, photos):
    result = run("evaluate", "segmentation", photos, *FAST, "--json")
    assert result.code == 0, result.err
    content = json.loads(result.out)
    assert result.out == (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()
    assert [case["case"] for case in content["cases"]] == ["astronaut.png", "coffee.png"]
    assert set(content["means"]) == {"eie slic", "slic"}
    words = f"eie evaluate segmentation '{photos}' --segmenter slic --counts 12"
    assert content["command"].startswith(words)
    assert "Segmentation of my photos (2 cases)" in result.err


def test_csv_is_all_there_is_on_stdout(run, photos):
    result = run("evaluate", "segmentation", photos, *FAST, "--csv")
    assert result.code == 0, result.err
    rows = list(csv.DictReader(io.StringIO(result.text)))
    assert [(row["case"], row["method"]) for row in rows] == [
        (case, method)
        for case in ("astronaut.png", "coffee.png", "*")
        for method in ("eie slic", "slic")
    ]
    assert result.out.endswith(b"\n")
    assert not result.out.endswith(b"\n\n")
    mean = np.mean([float(row["boundary_recall"]) for row in rows[:4:2]])
    assert float(rows[4]["boundary_recall"]) == pytest.approx(mean, abs=1e-7)


def test_without_a_format_stdout_is_empty(run, photos):
    result = run("evaluate", "segmentation", photos, *FAST)
    assert (result.code, result.out) == (0, b"")
    assert "BR ↑" in result.err


def test_a_report_of_segmentations_with_curves(run, photos, tmp_path):
    pytest.importorskip("matplotlib")
    report = tmp_path / "report"
    options = ("--segmenter", "slic", "--counts", "6,12", "--baselines", "slic")
    result = run("evaluate", "segmentation", photos, *options, "--report", report)
    assert result.code == 0, result.err
    assert f"report: {report / 'index.html'}" in result.err
    text = (report / "index.html").read_text(encoding="utf-8")
    assert "boundary recall over elements" in text
    assert "eie slic 12" in text
    assert sorted(path.name for path in report.iterdir()) == ["index.html", "pictures", "results"]
    assert len(list((report / "results" / "cases").glob("*.json"))) == 2
    # The same command finds every case done.
    stamps = {path: path.stat().st_mtime_ns for path in (report / "results").rglob("*.*")}
    assert run("evaluate", "segmentation", photos, *options, "--report", report).code == 0
    assert stamps == {path: path.stat().st_mtime_ns for path in (report / "results").rglob("*.*")}


def test_reconstruction_end_to_end(run, photos, tmp_path):
    report = tmp_path / "report"
    result = run("evaluate", "reconstruction", photos, *FREE, "--json", "--report", report)
    assert result.code == 0, result.err
    content = json.loads(result.out)
    assert set(content["means"]) == {"light", "jpeg"}
    assert content["means"]["light"]["psnr"]["cases"] == 2
    assert content["means"]["light"]["lpips"] == {"mean": None, "cases": 0}
    assert content["settings"]["size"] == 64
    assert "note: not measured: LPIPS" in result.err
    text = (report / "index.html").read_text(encoding="utf-8")
    assert text.count("<h3>") == 2
    assert text.count("<img ") == len(list((report / "pictures").iterdir()))


@pytest.mark.parametrize("command", ["segmentation", "reconstruction"])
@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("nowhere",), BadInputError.exit_code, "nowhere: no such folder"),
        (("empty",), BadInputError.exit_code, "holds no images"),
        (("my photos", "--segmenter", "no.pth"), MissingModelError.exit_code, "no.pth"),
        (("my photos", "--baselines", "gif"), UsageError.exit_code, "no baseline 'gif'"),
        (("my photos", "--json", "--csv"), UsageError.exit_code, "choose one"),
        (("my photos", "--limit", "0"), UsageError.exit_code, "limit"),
        (("my photos", "--store", "full"), UsageError.exit_code, "holds no results"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_failures_are_one_line(run, photos, tmp_path, monkeypatch, command, options, code, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    for part in ("", "partitions"):
        (tmp_path / "full" / part).mkdir(exist_ok=True)
        (tmp_path / "full" / part / "letter.txt").write_text("dear diary")
    slic = () if "--segmenter" in options else ("--segmenter", "slic")
    result = run("evaluate", command, *options, *slic)
    assert result.code == code, result.err
    assert result.out == b""
    assert len(result.err.splitlines()) == 1
    assert words in result.err


@pytest.mark.parametrize("option", ["--lpips-weights", "--inception-weights"])
def test_missing_weights_have_their_exit_code(run, photos, option):
    result = run("evaluate", "reconstruction", photos, *FREE, option, "none.pth")
    assert result.code == MissingModelError.exit_code
    assert "none.pth" in result.err
    assert result.out == b""


def test_counts_must_be_numbers(run, photos):
    result = run("evaluate", "segmentation", photos, "--counts", "64,many")
    assert result.code == UsageError.exit_code
    assert "--counts" in result.err


def test_clicks_end_to_end(run, photos, tmp_path):
    options = ("--segmenter", "slic", "--elements", "12", "--clicks", "3", "--limit", "1")
    report = tmp_path / "report"
    result = run("evaluate", "clicks", photos, *options, "--report", report, "--csv")
    assert result.code == 0, result.err
    rows = list(csv.DictReader(io.StringIO(result.text)))
    assert {row["case"] for row in rows} == {"astronaut.png 0", "astronaut.png 1", "*"}
    methods = {"best choice of elements", "eie slic", "slic + grabcut"}
    assert {row["method"] for row in rows} == methods
    page = (report / "index.html").read_text()
    assert "eie slic, 3 clicks" in page
    assert "NoC@85" in page
    result = run("evaluate", "clicks", photos, *options, "--baselines", "lasso")
    assert result.code == UsageError.exit_code
    assert "no baseline 'lasso'" in result.err
