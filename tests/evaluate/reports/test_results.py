from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from eie.evaluate.core.case_result import CaseResult
from eie.evaluate.measures.table import Measure
from eie.evaluate.reports import plots
from eie.evaluate.reports.page import chosen_cases, write_report
from eie.evaluate.reports.results import Results

PNG = b"\x89PNG not really"


def results(count: int = 9) -> Results:
    cases = [
        CaseResult(
            f"photo <{index}>",
            {
                "ours": {"psnr": 20.0 + index, "lpips": math.nan},
                "theirs": {"psnr": 22.0, "lpips": 0.5 if index else math.nan},
            },
            {"photo": np.full((8, 8, 3), index, np.uint8), "ours": np.zeros((8, 8, 3), np.uint8)},
        )
        for index in range(count)
    ]
    return Results(
        title="Reconstruction",
        command="eie evaluate reconstruction 'my photos'",
        settings={"size": 64, "decoder": "light"},
        measures={
            "psnr": Measure("PSNR", "dB", True, 2),
            "lpips": Measure("LPIPS", higher_is_better=False, digits=4),
            "frechet": Measure("FD", higher_is_better=False),
        },
        cases=cases,
        overall={"ours": {"frechet": 12.5}, "theirs": {"frechet": 11.0}},
        notes=["LPIPS needs weights"],
        key=("ours", "psnr"),
    )


def test_means_leave_out_what_was_not_measured():
    means = results().means()
    assert means["ours"]["psnr"] == (24.0, 9)
    assert means["theirs"]["lpips"] == (0.5, 8)
    assert math.isnan(means["ours"]["lpips"].value)
    assert means["ours"]["lpips"].cases == 0
    assert means["theirs"]["frechet"] == (11.0, 9)


def test_what_is_incomplete_is_said():
    (line,) = results().incomplete()
    assert line == "LPIPS was not taken in every case: ours 0/9, theirs 8/9"


def test_measures_that_are_missing_alike_share_a_line():
    measures = {name: Measure(name) for name in ("a", "b", "c")}
    scores = {"a": math.nan, "b": math.nan, "c": 1.0}
    full = dict.fromkeys(measures, 1.0)
    cases = [
        CaseResult("one", {"x": scores, "y": scores}),
        CaseResult("two", {"x": full, "y": {**full, "c": math.nan}}),
    ]
    assert Results("t", "", {}, measures, cases).incomplete() == [
        "a, b were not taken in every case: 1/2 by all",
        "c was not taken in every case: y 1/2",
    ]


def test_json_holds_everything_and_null_for_the_unmeasured():
    content = json.loads(results().to_json(), parse_constant=pytest.fail)
    assert content["command"] == "eie evaluate reconstruction 'my photos'"
    assert content["settings"] == {"size": 64, "decoder": "light"}
    assert content["means"]["ours"]["psnr"] == {"mean": 24.0, "cases": 9}
    assert content["means"]["ours"]["lpips"] == {"mean": None, "cases": 0}
    assert content["means"]["ours"]["frechet"]["mean"] == 12.5
    assert content["measures"]["lpips"]["higher_is_better"] is False
    assert content["cases"][3] == {
        "case": "photo <3>",
        "scores": {"ours": {"psnr": 23.0, "lpips": None}, "theirs": {"psnr": 22.0, "lpips": 0.5}},
    }
    assert content["notes"][0] == "LPIPS needs weights"


def test_csv_has_a_row_a_case_and_method_then_the_means():
    rows = list(csv.DictReader(io.StringIO(results(2).to_csv())))
    assert rows[0] == {
        "case": "photo <0>", "method": "ours", "psnr": "20", "lpips": "", "frechet": ""
    }  # fmt: skip
    assert [(row["case"], row["method"]) for row in rows[4:]] == [("*", "ours"), ("*", "theirs")]
    assert (rows[4]["psnr"], rows[4]["frechet"]) == ("20.5", "12.5")


def test_the_table_shows_means_and_what_is_missing():
    stream = io.StringIO()
    Console(file=stream, width=100).print(results().table())
    text = stream.getvalue()
    assert "9 cases" in text
    (ours,) = [line for line in text.splitlines() if line.strip().startswith("ours")]
    assert ours.split() == ["ours", "24.00", "—", "12.500"]
    assert "PSNR (dB) ↑" in text


def test_a_measure_may_be_a_median_and_be_shown_times_a_factor():
    measures = {
        "kid": Measure("KID", "", False, 1, factor=1000),
        "detail": Measure("detail", average="median", digits=2),
    }
    cases = [CaseResult(str(d), {"ours": {"detail": d}}) for d in (0.5, 0.6, 9.0, math.nan)]
    found = Results("t", "", {}, measures, cases, overall={"ours": {"kid": 0.1234}})
    assert found.means()["ours"]["detail"] == (0.6, 3)
    assert [text for text, _ in dict(found.rows())["ours"]] == ["123.4", "0.60"]
    headings = [measure.heading for measure in measures.values()]
    assert headings == ["KID (×1000) ↓", "detail (median)"]
    content = json.loads(found.to_json())
    assert content["means"]["ours"]["detail"] == {"median": 0.6, "cases": 3}
    assert content["means"]["ours"]["kid"] == {"mean": 0.1234, "cases": 4}
    assert content["measures"]["detail"]["average"] == "median"


def test_the_best_is_the_highest_or_the_lowest():
    assert results().best("psnr") == {"ours"}
    assert results().best("lpips") == {"theirs"}
    assert results().best("frechet") == {"theirs"}


def test_what_looks_alike_is_equally_good():
    close = results(1)
    scores = {"ours": {"psnr": 20.001}, "theirs": {"psnr": 20.002}}
    close = replace(close, cases=[CaseResult("a", scores)], overall={})
    assert close.best("psnr") == {"ours", "theirs"}
    assert close.best("lpips") == frozenset()


def test_best_median_and_worst_cases():
    places = chosen_cases(results(), shown=2)
    assert [(kind, case.case) for kind, case in places] == [
        ("best", "photo <8>"), ("best", "photo <7>"),
        ("median", "photo <5>"), ("median", "photo <4>"),
        ("worst", "photo <1>"), ("worst", "photo <0>"),
    ]  # fmt: skip


@pytest.mark.parametrize("count", [0, 1, 2, 4])
def test_few_cases_are_shown_once_each(count):
    names = [case.case for _, case in chosen_cases(results(count), shown=2)]
    assert sorted(names) == [f"photo <{index}>" for index in range(count)]


def test_low_is_best_for_distances():
    found = chosen_cases(replace(results(), key=("theirs", "lpips")), shown=1)
    assert len(found) == 3
    assert all(math.isfinite(case.scores["theirs"]["lpips"]) for _, case in found)


def test_the_report_holds_table_plots_pictures_and_command(tmp_path):
    page = write_report(tmp_path / "report", replace(results(), draw=lambda _: {"over <N>": PNG}))
    text = page.read_text(encoding="utf-8")
    assert page == tmp_path / "report" / "index.html"
    for part in ("24.00", "12.500", "PSNR (dB) ↑", "over &lt;N&gt;", "LPIPS needs weights"):
        assert part in text
    assert "eie evaluate reconstruction &#x27;my photos&#x27;" in text
    assert "best: photo &lt;8&gt;" in text
    assert "worst: photo &lt;0&gt;" in text
    assert "<0>" not in text
    files = {path.name: path for path in (tmp_path / "report" / "pictures").iterdir()}
    assert all(f'src="pictures/{name}"' in text for name in files)
    assert text.count("<img ") == len(files) == 1 + 2 * 9
    assert files["plot-0.png"].read_bytes() == PNG
    assert files["case-0-0.png"].read_bytes().startswith(b"\x89PNG")


def test_a_report_replaces_the_one_before(tmp_path):
    write_report(tmp_path, replace(results(9), draw=lambda _: {"plot": PNG}))
    write_report(tmp_path, results(1))
    names = sorted(path.name for path in (tmp_path / "pictures").iterdir())
    assert names == ["case-0-0.png", "case-0-1.png"]


def by_kind() -> Results:
    kinds = {f"photo <{index}>": "move" if index % 3 else "remove" for index in range(9)}
    return replace(results(), groups=kinds, overall_by_group={"move": {"ours": {"frechet": 7.5}}})


def test_each_kind_of_case_has_its_means():
    kinds = by_kind().by_group()
    assert list(kinds) == ["remove", "move"]
    assert kinds["remove"].means()["ours"]["psnr"] == (23.0, 3)
    assert kinds["move"].means()["ours"]["psnr"] == (24.5, 6)
    assert math.isnan(kinds["remove"].means()["ours"]["frechet"].value)
    assert kinds["move"].means()["ours"]["frechet"] == (7.5, 6)
    content = json.loads(by_kind().to_json())
    assert content["means_by_kind"]["move"]["ours"]["psnr"] == {"mean": 24.5, "cases": 6}
    assert content["means_by_kind"]["move"]["ours"]["frechet"]["mean"] == 7.5
    assert json.loads(results().to_json())["means_by_kind"] == {}


def test_csv_has_rows_for_each_kind():
    rows = list(csv.DictReader(io.StringIO(by_kind().to_csv())))[18:]
    assert [row["case"] for row in rows] == ["*", "*", "*remove", "*remove", "*move", "*move"]
    assert [row["frechet"] for row in rows] == ["12.5", "11", "", "", "7.5", ""]


def test_what_is_to_be_looked_at_is_shown_at_full_size(tmp_path):
    y, x = np.mgrid[:40, :50]
    picture = np.dstack([y, x, x]).astype(np.uint8)
    case = CaseResult(
        "a", {"ours": {"psnr": 20.0}}, {"before": picture, "ours": picture + 1}, {}, (20, 5, 16, 12)
    )
    page = write_report(tmp_path, replace(results(1), cases=[case]))
    text = page.read_text()
    row = text.split('<div class="crops">')[1].split("</div>")[0]
    assert row.count("<img ") == 2
    assert "ours <span>PSNR 20.00</span>" in row
    assert "max-width: none" in text.split(".crops img")[1].split("}")[0]
    for number, shown in enumerate(case.pictures.values()):
        with Image.open(tmp_path / "pictures" / f"crop-0-{number}.png") as crop:
            np.testing.assert_array_equal(np.asarray(crop), shown[5:17, 20:36])


def test_a_report_has_a_table_for_each_kind(tmp_path):
    page = write_report(tmp_path, by_kind()).read_text()
    assert page.count("<table>") == 3
    assert "<h2>remove: 3 cases</h2>" in page
    assert write_report(tmp_path, results()).read_text().count("<table>") == 1


def test_means_are_plotted_where_there_are_any(monkeypatch):
    drawn = {}

    def rows(samples, across):
        drawn[across] = samples
        return b""

    monkeypatch.setattr(plots, "_rows", rows)
    assert list(plots.means(by_kind(), ["psnr", "frechet"])) == ["PSNR, mean and standard error"]
    assert list(drawn) == ["PSNR (dB) ↑"]
    assert drawn["PSNR (dB) ↑"]["remove"]["ours"] == [20.0, 23.0, 26.0]


@pytest.mark.parametrize("found", [by_kind(), results(), results(1)])
def test_plots_are_pictures(found):
    for content in plots.means(found, ["psnr", "lpips"]).values():
        with Image.open(io.BytesIO(content)) as picture:
            assert picture.format == "PNG"
            assert picture.width > 600
            assert len(np.unique(np.asarray(picture.convert("L")))) > 10
