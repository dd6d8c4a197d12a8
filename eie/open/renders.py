"""Renders: pictures that are asked for, waited for, seen, and given up when nobody wants them."""

from __future__ import annotations

import asyncio
import secrets
import tempfile
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from eie.files.photo import Photo
from eie.open.documents import Document, Revision
from eie.open.failures import RefusedError, told
from eie.open.worker import Made, Task
from eie.open.worker import Render as RenderTask
from eie.open.workers import Workers
from eie.rendering import DEFAULT, DEFAULT_FREE
from eie.rendering.anchored import DEFAULT_EDGE

QUICK_SIDE = 1024
"""Pixels of the longer side of a canvas that is rendered quickly."""

MOST_WAITING = 128
"""Renders that may wait for a process or be at work."""

MOST_KEPT = 64
"""Pictures of finished renders that are kept, the latest ones; each is an open file."""

MOST_BYTES = 1 << 30
"""Bytes of all of them."""

MOST_VARIATIONS = 16

WAITING, RUNNING, DONE, FAILED, CANCELLED = "waiting", "running", "done", "failed", "cancelled"


@dataclass(frozen=True)
class Options:
    """What is asked for.

    Attributes:
        decoder: its name; None for the default.
        seed: of the first variation.
        variations: how many, at most.
        quick: whether on a canvas of :data:`QUICK_SIDE`.
        edge: of what moved; None for the default.
        free: whether everything is made of embeddings.
    """

    decoder: str | None = None
    seed: int = 0
    variations: int = 1
    quick: bool = False
    edge: str | None = None
    free: bool = False

    @property
    def name(self) -> str:
        """Of the decoder."""
        return self.decoder or (DEFAULT_FREE if self.free else DEFAULT)

    @property
    def arguments(self) -> dict[str, Any]:
        """Those of :func:`eie.rendering.variations` that differ from its defaults."""
        arguments: dict[str, Any] = {}
        if self.decoder is not None:
            arguments["decoder"] = self.decoder
        if self.seed:
            arguments["seed"] = self.seed
        if self.edge not in (None, DEFAULT_EDGE):
            arguments["edge"] = self.edge
        if self.free:
            arguments["free"] = True
        return arguments


class KeptPicture:
    """A rendered picture, its pixels in a file without a name, which the system gives back when
    this process ends, however it does."""

    def __init__(self, made: Made) -> None:
        self.shape = made.photo.pixels.shape
        self.icc, self.exif = made.photo.icc, made.photo.exif
        self.provenance: Mapping[str, str] = made.provenance
        self.changed = made.changed
        self.bytes = made.photo.pixels.nbytes
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - it is closed with this
        self._file.write(np.ascontiguousarray(made.photo.pixels).data)
        self._file.flush()

    def photo(self) -> Photo:
        """The picture."""
        pixels = np.memmap(self._file, np.uint8, "r", shape=self.shape)
        return Photo(pixels, self.icc, self.exif)


@dataclass(eq=False)
class Render:
    """A render that was asked for.

    Attributes:
        key: all that its pictures depend on.
        client: who has asked.
    """

    document: str
    revision: str
    options: Options
    key: tuple[Any, ...]
    client: str | None = None
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    state: str = WAITING
    done: float = 0.0
    pictures: list[KeptPicture] = field(default_factory=list)
    error: dict[str, str | None] | None = None
    failure: Exception | None = None
    listeners: int = 0
    work: asyncio.Task[None] | None = None
    _pulse: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def finished(self) -> bool:
        return self.state in (DONE, FAILED, CANCELLED)

    @property
    def worth(self) -> bool:
        """Whether pictures are there or may come."""
        return self.state not in (FAILED, CANCELLED)

    def told(self) -> dict[str, Any]:
        """What is told of it."""
        return {
            "id": self.id,
            "document": self.document,
            "revision": self.revision,
            "state": self.state,
            "done": round(self.done, 3),
            "stage": "rendering" if self.state == RUNNING else self.state,
            "pictures": len(self.pictures),
            "changed": self.pictures[0].changed if self.pictures else None,
            "error": self.error,
        }

    def becomes(self, **values: Any) -> None:
        """Change, and tell who listens."""
        for name, value in values.items():
            setattr(self, name, value)
        pulse, self._pulse = self._pulse, asyncio.Event()
        pulse.set()

    def cancel(self) -> None:
        """Stop it, if it is unfinished."""
        if not self.finished:
            self.becomes(state=CANCELLED)
            if self.work is not None:
                self.work.cancel()

    async def changes(self) -> AsyncGenerator[dict[str, Any]]:
        """What is told of it, at every change until the last one. When nobody listens any more, it
        is cancelled."""
        self.listeners += 1
        try:
            while True:
                pulse, last = self._pulse, self.finished
                yield self.told()
                if last:  # not what it has become while this was sent
                    return
                await pulse.wait()
        finally:
            self.listeners -= 1
            if not self.listeners:
                self.cancel()

    async def over(self) -> None:
        """Wait until it is finished."""
        while not self.finished:
            await self._pulse.wait()

    def picture(self, number: int) -> KeptPicture:
        """A variation.

        Raises:
            RefusedError: 404, it is not there, or not yet.
        """
        if not 0 <= number < len(self.pictures):
            raise RefusedError(
                404,
                f"there are {len(self.pictures)} pictures",
                where=f"picture {number}",
                hint=f"the render is {self.state}",
            )
        return self.pictures[number]


class Renders:
    """All renders of a server."""

    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        self._renders: dict[str, Render] = {}

    def by_id(self, identity: str) -> Render:
        """The render of that ID.

        Raises:
            RefusedError: 404, there is none, or no more.
        """
        try:
            return self._renders[identity]
        except KeyError:
            raise RefusedError(404, "there is no such render", where=identity[:40]) from None

    def ask(
        self,
        document: Document,
        revision: Revision,
        options: Options,
        client: str | None = None,
    ) -> Render:
        """Ask for a render.

        Args:
            document, revision: what is rendered.
            options: how.
            client: who asks; its unfinished renders of the document that are as quick are given up.
                None for somebody who has no others.

        Raises:
            RefusedError: 429, too many wait.
        """
        for other in self._unfinished() if client is not None else ():
            asked = other.document, other.options.quick, other.client
            if asked == (document.id, options.quick, client):
                other.cancel()
        if len(self._unfinished()) >= MOST_WAITING:
            raise RefusedError(429, f"{MOST_WAITING} renders wait", hint="ask again in a moment")
        small = options.quick and max(revision.elements.canvas) > QUICK_SIDE
        key = (document.id, revision.name, replace(options, quick=small, decoder=options.name))
        render = Render(document.id, revision.name, options, key, client)
        twin = next((r for r in self._renders.values() if r.key == key and r.worth), None)
        self._renders[render.id] = render
        make = _task_of(document, revision, options)
        render.work = asyncio.create_task(self._work(render, make, twin))
        self._forget()
        return render

    def _unfinished(self) -> list[Render]:
        return [render for render in self._renders.values() if not render.finished]

    async def _work(self, render: Render, make: Callable[[], Task], twin: Render | None) -> None:
        """Render, or wait for another render of the same pictures."""
        try:
            if twin is not None:
                render.becomes(state=RUNNING)
                await twin.over()
                if twin.state == DONE:
                    render.becomes(state=DONE, done=1.0, pictures=twin.pictures)
                    return
                render.becomes(state=WAITING)
            made: list[Made] = await self._workers.run(
                make,
                short=render.options.quick,
                started=lambda: render.becomes(state=RUNNING),
                heard=lambda done, total: render.becomes(done=done / max(1, total)),
            )
            kept = await asyncio.to_thread(lambda: [KeptPicture(each) for each in made])
        except asyncio.CancelledError:
            render.cancel()
        except Exception as error:
            render.becomes(state=FAILED, error=told(error), failure=error)
        else:
            render.becomes(state=DONE, done=1.0, pictures=kept)

    def _forget(self) -> None:
        """Give up the oldest finished renders, if there are many or large ones."""
        count = total = without = 0
        for render in reversed([*self._renders.values()]):
            if not render.finished:
                continue
            if not render.pictures:  # it was given up or failed, and pushes no picture out
                without += 1
                if without > MOST_KEPT:
                    del self._renders[render.id]
                continue
            count += len(render.pictures)
            total += sum(picture.bytes for picture in render.pictures)
            if count > MOST_KEPT or total > MOST_BYTES:
                del self._renders[render.id]

    async def end(self) -> None:
        """Cancel all."""
        for render in self._unfinished():
            render.cancel()


def _task_of(document: Document, revision: Revision, options: Options) -> Callable[[], Task]:
    """Makes the task of a render, of the revision that it was asked of."""

    def make() -> Task:
        elements = document.reduced(revision, QUICK_SIDE) if options.quick else revision.content()
        return RenderTask(elements, options.variations, options.arguments)

    return make
