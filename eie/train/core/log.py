"""What a run writes down: progress on stderr, `metrics.csv`, TensorBoard, sample pictures."""

from __future__ import annotations

import csv
from pathlib import Path
from types import TracebackType

import numpy as np
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


class RunLog:
    """Logs of one run, used as a context manager.

    Args:
        run: the run folder.
        step: the step that the run goes on from; later entries of an interrupted run are dropped.
        steps: the length of the whole run.
    """

    def __init__(self, run: Path, step: int, steps: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._run = run
        self._csv = run / "metrics.csv"
        self._rows = [row for row in _rows(self._csv) if int(row["step"]) <= step]
        self._board = SummaryWriter(str(run), purge_step=step + 1)
        self._console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
        )
        self._task = self._progress.add_task("training", total=steps, completed=step)
        self._sums: dict[str, float] = {}
        self._count = 0

    def __enter__(self) -> RunLog:
        self._write_rows()
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._progress.stop()
        self._board.close()

    def note(self, line: str) -> None:
        """Say something on stderr."""
        self._console.print(line, soft_wrap=True)

    def step(self, step: int, numbers: dict[str, float], write: bool) -> None:
        """Note the numbers of a finished step; `write` logs their means since the last time."""
        for name, number in numbers.items():
            self._sums[name] = self._sums.get(name, 0.0) + number
        self._count += 1
        self._progress.update(self._task, completed=step, description=f"loss {numbers['loss']:.4f}")
        if not write:
            return
        means = {name: total / self._count for name, total in self._sums.items()}
        self._sums, self._count = {}, 0
        self._rows.append({"step": str(step), **{n: f"{m:.6g}" for n, m in means.items()}})
        self._write_rows()
        for name, mean in means.items():
            self._board.add_scalar(name, mean, step)
        if not self._console.is_terminal:
            line = "  ".join(f"{name} {mean:.4g}" for name, mean in means.items())
            self.note(f"step {step}  {line}")

    def pictures(self, step: int, pictures: dict[str, np.ndarray]) -> None:
        """Save pictures (H, W, 3) uint8 as `samples/STEP-NAME.png`."""
        from PIL import Image

        folder = self._run / "samples"
        folder.mkdir(exist_ok=True)
        for name, picture in pictures.items():
            Image.fromarray(picture).save(folder / f"{step:06d}-{name}.png")
            self._board.add_image(name, picture, step, dataformats="HWC")

    def _write_rows(self) -> None:
        with self._csv.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(
                file, fieldnames=list(self._rows[0]) if self._rows else ["step"]
            )
            writer.writeheader()
            writer.writerows(self._rows)


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
