"""What a run writes down: progress on stderr, `metrics.csv`, TensorBoard, sample pictures."""

from __future__ import annotations

import csv
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from rich import progress
from rich.console import Console
from torch import Tensor

from eie.train.core.images import Pixels


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
        self._progress = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TimeElapsedColumn(),
            progress.TimeRemainingColumn(),
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


SHOWN = 4


def side_by_side(columns: Tensor) -> Pixels:
    """(B, 3, H, W) pictures in [0, 1], clipped ⇒ (H, B·W, 3) uint8, beside each other."""
    sheet = torch.cat(list(columns.float().clamp(0, 1)), dim=2)  # (3, H, B·W)
    return sheet.mul(255).round().byte().permute(1, 2, 0).cpu().numpy()


def label_map_picture(
    images: Pixels, owners: NDArray[np.int64], labels: NDArray[np.int64]
) -> Pixels:
    """Rows of crops: with people's borders in green, and with the elements' borders in yellow.

    images: (B, H, W, 3) uint8. owners, labels: (B, h, w), elements and human segments.
    """
    rows = []
    for image, elements, segments in zip(images[:SHOWN], owners, labels, strict=False):
        rows.append(_outlined(image, segments, (0, 255, 0)))
        rows.append(_outlined(image, elements, (255, 255, 0)))
    return _tiled(rows, columns=4)


def affinity_picture(images: Pixels, probabilities: NDArray[np.float32]) -> Pixels:
    """Rows of crops, each beside the affinity of three of its queries, bright where it is high.

    images: (B, H, W, 3) uint8. probabilities: (B, N, h, w), [0, 1].
    """
    rows = []
    for image, masks in zip(images[:SHOWN], probabilities, strict=False):
        rows.append(image)
        for query in np.linspace(0, len(masks) - 1, 5)[1:4].round().astype(int):
            mask = cv2.resize(masks[query], image.shape[1::-1], interpolation=cv2.INTER_LINEAR)
            rows.append((image * (0.15 + 0.85 * mask[..., None])).astype(np.uint8))
    return _tiled(rows, columns=4)


def _outlined(image: Pixels, labels: NDArray[np.int64], colour: tuple[int, int, int]) -> Pixels:
    from skimage.segmentation import find_boundaries

    large = cv2.resize(labels.astype(np.int32), image.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    outlined = image.copy()
    outlined[find_boundaries(large, mode="inner")] = colour
    return outlined


def _tiled(tiles: list[Pixels], columns: int) -> Pixels:
    rows = [np.concatenate(tiles[i : i + columns], axis=1) for i in range(0, len(tiles), columns)]
    return np.concatenate([row for row in rows if row.shape == rows[0].shape], axis=0)
