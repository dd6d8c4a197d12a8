"""Workers on the machines of a Ray cluster: several nodes on this one."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from PIL import Image

import tests.batch.test_pool as work
from eie.batch.cluster import ADDRESS, cluster
from eie.batch.pool import run_tasks
from eie.errors import MissingModelError, ResourceError


@pytest.fixture(scope="module")
def nodes() -> Iterator[Any]:
    """A cluster of two nodes with a core each; commands find it as they would find any."""
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        started = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
        started.add_node(num_cpus=1)
        patch.setenv(ADDRESS, started.address)
        yield started
        started.shutdown()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small photos, and a recipe."""
    folder = tmp_path_factory.mktemp("cluster")
    (folder / "photos").mkdir()
    random = np.random.default_rng(0)
    for n in range(12):
        coarse = random.integers(0, 256, (6, 9, 3), dtype=np.uint8)
        picture = Image.fromarray(coarse).resize((96, 64), Image.Resampling.BICUBIC)
        picture.save(folder / "photos" / f"p{n:02}.png")
    (folder / "recipe.json").write_text(
        '{"format": "eie-recipe", "version": 1, "decompose": {"segmenter": "slic", "elements": 24},'
        ' "edit": [{"operation": "delete", "selection": "object@50%,50%"}]}'
    )
    return folder


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "eie", "run", "recipe.json", *arguments]


def pictures(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.png") if path.is_file()}


def kill_a_worker(run: subprocess.Popen[str]) -> None:
    """Kill a worker of the nodes that is at a task."""
    while True:
        assert run.poll() is None
        for process in psutil.Process().children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                if process.name().startswith("ray::_RemoteDesk.do"):
                    return process.kill()


def wait_for_lines(manifest: Path, count: int, process: subprocess.Popen[str]) -> None:
    while not (manifest.is_file() and manifest.read_bytes().count(b"\n") >= count):
        assert process.poll() is None
        time.sleep(0.01)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is full")
def test_a_lost_worker_a_bad_photo_and_a_full_disk_do_not_stop_the_others(
    nodes: Any, folder: Path
) -> None:
    local = subprocess.run(
        command("photos", "-o", "local"), cwd=folder, capture_output=True, text=True, check=True
    )
    assert "12 done of 12 photos" in local.stderr
    (folder / "bad.png").write_bytes(b"no picture")
    (folder / "spread").mkdir()
    (folder / "spread" / "p03.png").symlink_to("/dev/full")
    line = command("photos", "bad.png", "-o", "spread", "--engine", "ray")
    process = subprocess.Popen(
        line, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    wait_for_lines(folder / "spread" / "manifest.jsonl", 1, process)
    kill_a_worker(process)
    out, told = process.communicate(timeout=120)
    assert (process.returncode, out) == (5, ""), told
    assert "11 done, 2 failed of 13 photos" in told
    assert "bad.png: not a PNG" in told
    assert "spread/p03.png: cannot be written: No space left on device" in told
    lines = [line for line in told.splitlines() if not line.endswith(" left")]  # progress, if slow
    assert len(lines) == 4, told  # these, and where to look
    made, expected = pictures(folder / "spread"), pictures(folder / "local")
    del expected["p03.png"]
    assert made == expected
    (folder / "spread" / "p03.png").unlink()
    again = subprocess.run(
        command("photos", "-o", "spread"), cwd=folder, capture_output=True, text=True
    )
    assert "1 done, 11 skipped of 12 photos" in again.stderr  # by processes, what Ray has left


def test_tasks_survive_their_workers(nodes: Any, tmp_path: Path) -> None:
    tasks = ["a", "bad", "dies once", "note", "threads"]
    start = partial(work.began, tmp_path)
    found = {o.task: o for o in run_tasks(start, tasks, cluster())}
    assert sorted(found) == sorted(tasks)
    good = {task: outcome.result for task, outcome in found.items() if outcome.reason is None}
    assert good == {name: name for name in ("a", "dies once", "note")} | {"threads": "1"}
    assert (found["bad"].reason, found["bad"].code) == ("this is bad", 2)
    assert found["note"].notes == ("as told",)


def test_a_start_that_fails_ends_the_run(nodes: Any) -> None:
    with pytest.raises(MissingModelError, match="no such model"):
        list(run_tasks(work.no_start, ["a", "b"], cluster(1)))


def test_a_machine_that_lacks_a_module_is_told(
    nodes: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tmp_path / "module_of_this_machine.py"
    module.write_text(
        "class Desk:\n    def __init__(self, *_): pass\n    def begin(self, _): pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    desk = importlib.import_module(module.stem).Desk
    module.unlink()
    monkeypatch.setattr("eie.batch.cluster._RemoteDesk", desk)
    told = rf"as they start: .*No module named '{module.stem}'; the same eie has to be on all"
    with pytest.raises(ResourceError, match=told):
        list(run_tasks(work.no_start, ["a"], cluster(1)))


def test_no_cluster_and_no_ray_are_told_plainly(folder: Path) -> None:
    arguments = command("photos", "-o", "none", "--engine", "ray")
    environment = os.environ | {ADDRESS: "127.0.0.1:1"}
    done = subprocess.run(
        arguments, cwd=folder, capture_output=True, text=True, env=environment, timeout=60
    )
    assert done.returncode == 4, done.stderr
    assert "RAY_ADDRESS=127.0.0.1:1: the cluster cannot be reached" in done.stderr
    (folder / "without").mkdir()
    (folder / "without" / "ray.py").write_text("raise ImportError('ray')")
    environment = os.environ | {"PYTHONPATH": str(folder / "without")}
    done = subprocess.run(
        arguments, cwd=folder, capture_output=True, text=True, env=environment, timeout=60
    )
    assert done.returncode == 4
    assert done.stderr == (
        'eie: --engine ray needs Ray, which is not installed (pip install "eie[ray]")\n'
    )
    nowhere = subprocess.run([*arguments[:-1], "slurm"], cwd=folder, capture_output=True, text=True)
    assert (nowhere.returncode, "choose one of local, ray" in nowhere.stderr) == (2, True)


@pytest.mark.slow
def test_a_task_that_kills_every_worker_is_given_up_and_a_lost_machine_is_not_its_fault(
    nodes: Any, folder: Path, tmp_path: Path
) -> None:
    found = {o.task: o for o in run_tasks(partial(work.began, tmp_path), ["a", "dies"], cluster())}
    assert found["a"].result == "a"
    assert "died 4 times at it" in found["dies"].reason
    node = nodes.add_node(num_cpus=2)
    process = subprocess.Popen(
        command("photos", "-o", "moved", "--engine", "ray"),
        cwd=folder,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    wait_for_lines(folder / "moved" / "manifest.jsonl", 2, process)
    nodes.remove_node(node, allow_graceful=False)
    out, told = process.communicate(timeout=120)
    assert (process.returncode, out) == (0, ""), told
    assert "12 done of 12 photos" in told
