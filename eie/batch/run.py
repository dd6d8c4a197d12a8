"""A run: many inputs, one job, some processes, one manifest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import eie
from eie.batch.inputs import Item, Shard, items_of, refuse_clashes
from eie.batch.jobs import Job, model_hashes, needs_gpu
from eie.batch.manifest import (
    DONE,
    FAILED,
    Journal,
    Record,
    content_hash,
    key_of,
    manifest_of,
    read_records,
    sha256,
)
from eie.errors import BadInputError, UsageError
from eie.files.atomic import check_folder, discard_temporary, exclusive, write_atomically
from eie.files.stores import AnyPath

if TYPE_CHECKING:
    from eie.batch.pool import OpenEngine, Outcome

LOCAL, RAY = "local", "ray"
ENGINES = (LOCAL, RAY)
"""Where workers are."""

SKIPPED = "skipped"
"""What an input is called that was done before."""


@dataclass(frozen=True)
class Step:
    """What became of one input, while a run goes on.

    Attributes:
        item: the input.
        state: "done", "skipped" or "failed".
        reason: why it failed.
        code: exit code of that; 0 otherwise.
        notes: what was told of it.
        count: how many inputs have come so far, of `total`.
    """

    item: Item
    state: str
    reason: str | None
    code: int
    notes: tuple[str, ...]
    count: int
    total: int


@dataclass
class Report:
    """What became of all inputs."""

    total: int = 0
    states: Counter[str] = field(default_factory=Counter)
    code: int = 0
    manifest: AnyPath | None = None

    def take(self, step: Step) -> None:
        self.total = step.total
        self.states[step.state] += 1
        self.code = max(self.code, step.code)


@dataclass(frozen=True)
class Task:
    """An input, and what is recorded of it."""

    item: Item
    record: Record | None


@dataclass(frozen=True)
class Made:
    """What a worker made of an input: the key, and the hash of each output by its path."""

    key: str
    outputs: dict[str, str]
    new: bool


def plan(job: Job, names: Sequence[str], folder: AnyPath, *, recursive: bool = False) -> list[Item]:
    """The inputs of a run in their order, after a look whether it can be.

    Raises:
        UsageError: two would make one output, or the folder cannot be.
        BadInputError: a folder or pattern has nothing that is taken.
    """
    check_folder(folder)
    items = items_of(names, job.suffixes, recursive=recursive, without=folder)
    refuse_clashes(items, job.outputs, folder)
    return items


def run_job(
    job: Job,
    items: Sequence[Item],
    folder: AnyPath,
    *,
    workers: int | None = None,
    engine: str = LOCAL,
    shard: Shard = Shard(),  # noqa: B008 - frozen
    waiting: Callable[[], None] | None = None,
) -> Iterator[Step]:
    """Do a job on inputs, and tell what became of each as it comes.

    What was done before, with the same input, settings and version of eie, and whose outputs are
    still as they were written, is skipped: a run that was stopped goes on. An input that fails does
    not stop the others. The folder's manifest tells of all (:mod:`eie.batch.manifest`).

    Args:
        items: as :func:`plan` gives them.
        folder: of the outputs; it is made.
        workers: how many share the work, with one thread each; None for one, and of a cluster for
            as many as it has cores.
        engine: where they are: "local", processes of this machine, or "ray", a Ray cluster.
        shard: the part of the items that is done here.
        waiting: called once if another run of the same shard is at this folder.

    Raises:
        EieError: nothing can be done at all, as without a model.
    """
    from eie.batch.pool import run_tasks  # commands start sooner without

    opened = _engine(engine, workers, job)
    mine = shard.of(items)
    folder.mkdir(parents=True, exist_ok=True)
    manifest = manifest_of(folder, shard)
    if isinstance(manifest, Path):
        manifest.touch()
    elif not manifest.is_file():
        manifest.write_bytes(b"")  # tells before the work whether that can be
    with exclusive(manifest, waiting):
        records = read_records(folder, manifest)
        journal = Journal(manifest)
        tasks = (Task(item, records.get(_name(job, item))) for item in mine)
        outcomes = run_tasks(partial(_begin, job, folder), tasks, opened)
        try:
            for count, outcome in enumerate(outcomes, 1):
                step, record = _told(job, outcome, folder, count, len(mine))
                if record is not None:
                    journal.add(record)
                yield step
        finally:
            journal.finish(_name(job, item) for item in mine)


def _engine(name: str, workers: int | None, job: Job) -> OpenEngine:
    """The engine of a name, with so many workers.

    Raises:
        UsageError: there is none of that name, or the number makes no sense.
    """
    if workers is not None and workers < 1:
        raise UsageError(f"{workers} workers", hint="1 or more")
    if name == LOCAL:
        from eie.batch.processes import Processes

        return Processes(workers or 1)
    if name == RAY:
        from eie.batch.cluster import cluster

        return cluster(workers, gpus=float(needs_gpu(job)))
    raise UsageError(f"there is no engine {name!r}", hint=f"choose one of {', '.join(ENGINES)}")


def _told(
    job: Job, outcome: Outcome, folder: AnyPath, count: int, total: int
) -> tuple[Step, Record | None]:
    """What became of an input, for people and, if it is news, for the manifest."""
    item: Item = outcome.task.item
    step = Step(item, FAILED, outcome.reason, outcome.code, outcome.notes, count, total)
    record = Record(str(item.path), _name(job, item), FAILED, outcome.reason, outcome.code)
    made: Made | None = outcome.result
    if made is None:
        for output in job.outputs(item):  # of a worker that was killed
            discard_temporary(folder / output)
        return step, record
    step = replace(step, state=DONE if made.new else SKIPPED)
    record = replace(record, state=DONE, key=made.key, outputs=made.outputs)
    return step, record if made.new or outcome.task.record != record else None


def _name(job: Job, item: Item) -> str:
    """What tells an input apart: the first of its outputs, which no other has."""
    return job.outputs(item)[0].as_posix()


def _begin(job: Job, folder: AnyPath) -> Callable[[Task], Made]:
    """What a worker does once: load models, to be kept as long as it lives."""
    from eie.models.model_cache import kept_models

    kept_models().__enter__()
    job.prepare()
    return partial(_do, job, folder, key_of(eie.__version__, job.settings, model_hashes(job)))


def _do(job: Job, folder: AnyPath, settings: str, task: Task) -> Made:
    item = task.item
    content = _content(item.path)
    files = [(str(path.name), content_hash(path)) for path in job.files(item)]
    key = key_of(settings, sha256(content), files)
    outputs = job.outputs(item)
    if task.record is not None and _is_done(task.record, key, outputs, folder):
        return Made(key, dict(task.record.outputs), new=False)
    made = job.work(item, content)
    for output in outputs:
        target = folder / output
        if output not in made:  # a variation that other settings had
            target.unlink(missing_ok=True)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        with write_atomically(target, alone=True) as handle:
            handle.write(made[output])
    hashes = {output.as_posix(): sha256(content) for output, content in made.items()}
    return Made(key, hashes, new=True)


def _content(path: AnyPath) -> bytes:
    from eie.files.streams import open_input

    with open_input(path) as handle:
        content = handle.read()
    if not content:
        raise BadInputError("is empty", where=str(path))
    return content


def _is_done(record: Record, key: str, outputs: Sequence[Path], folder: AnyPath) -> bool:
    """Whether outputs are recorded with this key, and are as they were written.

    There may be fewer than there could be, as of variations.
    """
    return (
        record.state == DONE
        and record.key == key
        and bool(record.outputs)
        and set(record.outputs) <= {output.as_posix() for output in outputs}
        and all(content_hash(folder / name) == found for name, found in record.outputs.items())
    )
