"""The loop on a stage so small that exactness can be asked for."""

from __future__ import annotations

import csv
import itertools
import json
import os
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from eie.errors import BadInputError, UsageError
from eie.train.core.checkpoint import averaged_weights, load_fitting
from eie.train.core.loop import NumberedBatches, StepBatches, learning_rate, mixed_precision, train
from eie.train.core.settings import LoopSettings

SETTINGS = LoopSettings(
    steps=4, warmup=2, precision="no", workers=0, log_every=1, sample_every=2, save_every=2
)


class LineStage:
    """Fits y = 3x by a small network."""

    def __init__(self):
        torch.manual_seed(0)
        self.model = nn.Sequential(nn.Linear(1, 4), nn.Tanh(), nn.Linear(4, 1))

    def parameter_groups(self):
        return [{"params": list(self.model.parameters()), "lr": 0.1}]

    def batch(self, step):
        return torch.from_numpy(np.random.default_rng(step + 1).normal(size=(8, 1))).float()

    def loss(self, model, batch):
        error = (model(batch) - 3 * batch).square().mean()
        return error, {"error": error}

    def samples(self, model, batch):
        return {"square": np.zeros((8, 8, 3), np.uint8)}


def run(folder, **stop):
    train(LineStage(), SETTINGS, folder, {"stage": "line"}, **stop)
    return folder


def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path):
    whole = run(tmp_path / "whole")
    halves = run(tmp_path / "halves", stop_after=2)
    run(halves)
    for name in ("model", "average", "optimizer"):
        files = [folder / "checkpoint" / f"{name}.safetensors" for folder in (whole, halves)]
        contents = [file.read_bytes() for file in files]
        assert contents[0] == contents[1], name


def test_training_changes_the_weights_and_lowers_the_loss(tmp_path):
    settings = LoopSettings(**(SETTINGS.__dict__ | {"steps": 60, "sample_every": 60}))
    stage = LineStage()
    before = stage.model[0].weight.detach().clone()
    train(stage, settings, tmp_path / "run", {})
    assert not torch.equal(before, stage.model[0].weight)
    with (tmp_path / "run" / "metrics.csv").open() as file:
        losses = [float(row["loss"]) for row in csv.DictReader(file)]
    assert np.mean(losses[-5:]) < 0.3 * np.mean(losses[:5])


def test_a_run_folder_holds_options_metrics_pictures_and_weights(tmp_path):
    folder = run(tmp_path / "run")
    assert json.loads((folder / "options.json").read_text()) == {"stage": "line"}
    with (folder / "metrics.csv").open() as file:
        assert [row["step"] for row in csv.DictReader(file)] == ["1", "2", "3", "4"]
    assert {p.name for p in (folder / "samples").iterdir()} == {
        "000002-square.png",
        "000004-square.png",
    }
    assert averaged_weights(folder).keys() == LineStage().model.state_dict().keys()


def test_metrics_after_the_checkpoint_are_dropped_on_resuming(tmp_path):
    folder = run(tmp_path / "run", stop_after=2)
    with (folder / "metrics.csv").open("a") as file:
        file.write("3" + ",9" * 5 + "\n")
    run(folder)
    with (folder / "metrics.csv").open() as file:
        assert [row["step"] for row in csv.DictReader(file)] == ["1", "2", "3", "4"]


def test_a_run_with_other_options_is_not_resumed(tmp_path):
    run(tmp_path / "run")
    with pytest.raises(UsageError, match="stage"):
        train(LineStage(), SETTINGS, tmp_path / "run", {"stage": "other"})


def test_a_folder_with_other_content_is_left_alone(tmp_path):
    (tmp_path / "photo.jpg").write_bytes(b"precious")
    with pytest.raises(UsageError, match="not empty"):
        run(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["photo.jpg"]


def test_an_interrupted_save_leaves_a_checkpoint(tmp_path):
    folder = run(tmp_path / "run", stop_after=2)
    (folder / "checkpoint").rename(folder / "old")
    run(folder)
    assert json.loads((folder / "checkpoint" / "state.json").read_text()) == {"step": 4}


def test_a_damaged_checkpoint_is_named(tmp_path):
    folder = run(tmp_path / "run", stop_after=2)
    (folder / "checkpoint" / "model.safetensors").write_bytes(b"nonsense")
    with pytest.raises(BadInputError, match=r"model\.safetensors"):
        run(folder)


def test_the_learning_rate_rises_then_falls_to_nothing():
    settings = LoopSettings(steps=100, warmup=10)
    rates = [learning_rate(step, settings) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[10] == 1.0
    assert all(a >= b for a, b in itertools.pairwise(rates[10:]))
    assert rates[-1] < 0.001


def test_weights_are_taken_as_far_as_they_fit(tmp_path):
    from safetensors.torch import save_file

    path = tmp_path / "weights.safetensors"
    save_file({"0.weight": torch.full((4, 1), 7.0), "2.weight": torch.zeros(5, 5)}, path)
    model = LineStage().model
    kept = model[2].weight.detach().clone()
    load_fitting(model, path)
    assert (model[0].weight == 7).all()
    assert torch.equal(model[2].weight, kept)
    save_file({"foreign": torch.zeros(1)}, path)
    with pytest.raises(BadInputError, match="fits"):
        load_fitting(model, path)


def test_weights_to_start_from_are_finite_and_a_file(tmp_path):
    from safetensors.torch import save_file

    model = torch.nn.Linear(2, 2)
    bad = model.state_dict()["weight"].clone()
    bad[1, 0] = float("nan")
    save_file({"weight": bad}, tmp_path / "start.safetensors")
    before = model.weight.clone()
    with pytest.raises(BadInputError, match=r"start\.safetensors: weight holds what is no finite"):
        load_fitting(model, tmp_path / "start.safetensors")
    with pytest.raises(BadInputError, match="is a folder"):
        load_fitting(model, tmp_path)
    assert torch.equal(model.weight, before)


@pytest.mark.parametrize(
    ("fast", "expected"),
    [(torch.bfloat16, "bf16"), (torch.float16, "fp16"), (torch.float32, "no")],
)
def test_the_precision_is_what_the_machine_is_fast_in(fast, expected, monkeypatch):
    monkeypatch.setattr("eie.train.core.loop.half_precision", lambda device: fast)
    assert mixed_precision("auto", torch.device("cpu")) == expected
    assert mixed_precision("bf16", torch.device("cpu")) == "bf16"


def test_a_run_of_automatic_precision_resumes_on_another_machine(tmp_path, monkeypatch):
    """The options keep "auto", not what it meant on the machine that began."""
    from accelerate.state import AcceleratorState

    settings = replace(SETTINGS, precision="auto")
    for fast, stop in ((torch.bfloat16, 2), (torch.float32, None)):
        AcceleratorState._reset_state()
        monkeypatch.setattr("eie.train.core.loop.half_precision", lambda device, fast=fast: fast)
        train(LineStage(), settings, tmp_path / "run", asdict(settings), stop_after=stop)
    AcceleratorState._reset_state()
    assert json.loads((tmp_path / "run" / "options.json").read_text())["precision"] == "auto"
    assert json.loads((tmp_path / "run" / "checkpoint" / "state.json").read_text())["step"] == 4


def test_accumulated_batches_make_one_step(tmp_path):
    """Two batches of a step have the same gradient as both in one."""

    class Halves(LineStage):
        def batch(self, number):
            whole = super().batch(number // 2)
            return whole[4 * (number % 2) :][:4]

    settings = replace(SETTINGS, accumulate=2)
    train(Halves(), settings, tmp_path / "halves", {})
    whole = averaged_weights(run(tmp_path / "whole"))
    halves = averaged_weights(tmp_path / "halves")
    for name, tensor in whole.items():
        torch.testing.assert_close(halves[name], tensor)
    with (tmp_path / "halves" / "metrics.csv").open() as file:
        halved = list(csv.DictReader(file))
    with (tmp_path / "whole" / "metrics.csv").open() as file:
        for one, other in zip(csv.DictReader(file), halved, strict=True):
            assert float(one["loss"]) == pytest.approx(float(other["loss"]), rel=1e-3)
            assert float(one["gradient_norm"]) == pytest.approx(
                float(other["gradient_norm"]), rel=1e-3
            )


def test_two_processes_share_a_run(tmp_path):
    """Launched twice over, each process has batches of its own and the first one writes."""
    script = tmp_path / "launched.py"
    script.write_text(
        "import sys\n"
        "from pathlib import Path\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from test_loop import SETTINGS, LineStage\n"
        "from eie.train.core.loop import train\n"
        "train(LineStage(), SETTINGS, Path(sys.argv[1]), {})\n"
    )
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    done = subprocess.run(
        [*launch, str(script), str(tmp_path / "both")],
        env=os.environ | {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr

    class Doubled(LineStage):
        """The batches of both processes in one."""

        def batch(self, number):
            if number < 0:
                return super().batch(number)
            return torch.cat([super().batch(2 * number), super().batch(2 * number + 1)])

    train(Doubled(), SETTINGS, tmp_path / "one", {})
    both, one = (averaged_weights(tmp_path / name) for name in ("both", "one"))
    for name, tensor in one.items():
        torch.testing.assert_close(both[name], tensor)


def number(step):
    return torch.full((2, 1), float(step))


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_workers_start_in_every_way(method):
    """Python 3.14 starts them by forkserver where it forked before."""
    batches = StepBatches(NumberedBatches(number, world=2, rank=1), 3, 5)
    loader = torch.utils.data.DataLoader(
        batches, batch_size=None, num_workers=1, multiprocessing_context=method
    )
    assert [float(batch[0]) for batch in loader] == [7, 9]


@pytest.mark.parametrize(("precision", "device"), [("fp16", "cpu"), ("bf16", "mps")])
def test_a_precision_that_the_device_does_not_run_is_refused(precision, device):
    with pytest.raises(UsageError, match=precision):
        mixed_precision(precision, torch.device(device))


class Bursting(LineStage):
    """Its loss is no number from a step on."""

    def __init__(self, bad=float("nan"), first=3):
        super().__init__()
        self.bad, self.first, self.seen = bad, first, 0

    def loss(self, model, batch):
        loss, parts = super().loss(model, batch)
        self.seen += 1
        return (loss * self.bad if self.seen >= self.first else loss), parts


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_run_that_comes_apart_keeps_its_last_good_checkpoint(tmp_path, bad):
    good = run(tmp_path / "good", stop_after=2)
    with pytest.raises(UsageError, match=r"step 3: the loss is .*checkpoint of step 2 is kept"):
        train(Bursting(bad), SETTINGS, tmp_path / "bad", {"stage": "line"})
    for name in ("model", "average", "optimizer"):
        first, second = (f / "checkpoint" / f"{name}.safetensors" for f in (good, tmp_path / "bad"))
        assert first.read_bytes() == second.read_bytes()
    run(tmp_path / "bad")  # and goes on from there
    assert json.loads((tmp_path / "bad" / "checkpoint" / "state.json").read_text())["step"] == 4


def test_weights_that_are_no_numbers_are_not_saved(tmp_path):
    class Spoiling(LineStage):
        def __init__(self):
            super().__init__()
            self.model.register_buffer("mean", torch.zeros(1))

        def loss(self, model, batch):
            model.mean.fill_(float("nan"))
            return super().loss(model, batch)

    settings = replace(SETTINGS, warmup=0, steps=1)
    with pytest.raises(UsageError, match=r"came apart.*no checkpoint was saved yet"):
        train(Spoiling(), settings, tmp_path / "run", {"stage": "line"})
    assert not (tmp_path / "run" / "checkpoint").exists()
