"""Cases: order, processes, and the store from which an evaluation goes on."""

from __future__ import annotations

import importlib
import json
import math
import os
import sys
from functools import partial
from pathlib import Path

import pytest

from eie.errors import BadInputError, ResourceError, UsageError
from eie.evaluate.core.run import Run, run_cases


@pytest.fixture(scope="module")
def made():
    """The module length_cases, importable in worker processes too."""
    sys.path.insert(0, str(Path(__file__).parent))
    yield importlib.import_module("length_cases")
    sys.path.pop(0)


def ran(log) -> list[str]:
    return [line.split()[0] for line in log.read_text().splitlines()] if log.exists() else []


CASES = ["b", "aaa", "cc"]


@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize("workers", [0, 2])
def test_results_come_in_the_order_of_the_cases(made, tmp_path, stored, workers):
    log = tmp_path / "log"
    store = tmp_path / "store" if stored else None
    evaluate = partial(made.evaluate_length, log=str(log))
    results = run_cases(CASES, evaluate, run=Run(store=store, workers=workers))
    assert [result.case for result in results] == CASES
    assert [result.scores["ours"]["length"] for result in results] == [1, 3, 2]
    assert [result.focus for result in results] == [None, (1, 2, 3, 1), (1, 2, 2, 1)]
    for result in results:
        assert math.isnan(result.scores["ours"]["unknown"])
        assert list(result.scores) == ["ours", "theirs"]
        assert list(result.pictures) == ["photo", "ours"]
        assert (result.pictures["ours"] == len(result.case) + 1).all()
        assert result.pictures["photo"].shape == (4, 6, 3)
        assert result.arrays["features"].tolist() == list(range(len(result.case)))
    assert sorted(ran(log)) == sorted(CASES)
    processes = {line.split()[1] for line in log.read_text().splitlines()}
    assert (str(os.getpid()) in processes) == (workers == 0)


def test_a_store_goes_on_where_it_stopped(made, tmp_path):
    store, log = tmp_path / "store", tmp_path / "log"
    with pytest.raises(BadInputError, match="damaged") as failure:
        run_cases(CASES, partial(made.fail_at, bad="cc"), run=Run(store=store), settings={"n": 1})
    assert failure.value.where == "cc"
    results = run_cases(
        CASES, partial(made.evaluate_length, log=str(log)), run=Run(store=store), settings={"n": 1}
    )
    assert ran(log) == ["cc"]
    assert [result.scores["theirs"]["length"] for result in results] == [1.5] * 3


def test_failures_in_a_worker_keep_their_words(made, tmp_path):
    with pytest.raises(BadInputError, match="damaged") as failure:
        run_cases(CASES, partial(made.fail_at, bad="aaa"), run=Run(workers=1))
    assert (failure.value.where, failure.value.hint) == ("aaa", "leave it out")


def test_a_worker_that_is_ended_is_no_bug(made):
    with pytest.raises(ResourceError, match="memory"):
        run_cases(CASES, made.die, run=Run(workers=1))


def test_a_case_without_its_scores_is_not_done(made, tmp_path):
    log = tmp_path / "log"
    run_cases(CASES, made.evaluate_length, run=Run(store=tmp_path / "store"))
    (tmp_path / "store" / "cases" / "cc.json").unlink()
    run_cases(CASES, partial(made.evaluate_length, log=str(log)), run=Run(store=tmp_path / "store"))
    assert ran(log) == ["cc"]


def test_other_settings_are_refused_by_name(made, tmp_path):
    run_cases(
        CASES, made.evaluate_length, run=Run(store=tmp_path), settings={"size": 64, "seed": 0}
    )
    with pytest.raises(UsageError, match="other settings: size"):
        run_cases(
            CASES, made.evaluate_length, run=Run(store=tmp_path), settings={"size": 32, "seed": 0}
        )


def test_a_folder_with_other_things_is_refused(made, tmp_path):
    (tmp_path / "letter.txt").write_text("dear diary")
    with pytest.raises(UsageError, match="holds no results"):
        run_cases(CASES, made.evaluate_length, run=Run(store=tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_names_with_slashes_stay_in_the_store(made, tmp_path):
    names = ["../../outside/x", "settings", "a/b"]
    results = run_cases(names, made.evaluate_length, run=Run(store=tmp_path / "store"))
    assert [result.case for result in results] == names
    assert [path.name for path in tmp_path.iterdir()] == ["store"]
    assert len(list((tmp_path / "store" / "cases").glob("*.json"))) == 3


@pytest.mark.parametrize("content", ["", "{", "[]", '{"case": "b"}'])
def test_damaged_results_are_named(made, tmp_path, content):
    run_cases(["b"], made.evaluate_length, run=Run(store=tmp_path))
    (tmp_path / "cases" / "b.json").write_text(content)
    with pytest.raises(BadInputError, match=r"b\.json.*damaged"):
        run_cases(["b"], made.evaluate_length, run=Run(store=tmp_path))


def test_unmeasured_scores_are_null_in_the_file(made, tmp_path):
    run_cases(["b"], made.evaluate_length, run=Run(store=tmp_path))
    content = json.loads((tmp_path / "cases" / "b.json").read_text())
    assert content["scores"]["ours"] == {"length": 1.0, "unknown": None}
