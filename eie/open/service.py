"""What requests ask for, in the words of the library: opening, selecting, editing."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import eie
from eie.decomposition import SLIC
from eie.editing import Operation, edit, read_script, redo, undo
from eie.editing.script import FORMAT, VERSION, files_of
from eie.editing.selection import parse_selection
from eie.elements import ElementSet
from eie.errors import BadInputError, UsageError
from eie.files import write_atomically
from eie.open.command_line import TINY
from eie.open.documents import Document, Documents, Revision
from eie.open.failures import RefusedError
from eie.open.incoming import settled
from eie.open.photos import Photos
from eie.open.renders import Renders
from eie.open.schemas import MOST_OPERATIONS
from eie.open.views import selection_of, state_of
from eie.open.worker import Decompose
from eie.open.workers import Workers
from eie.open.workspace import ELEMENT_SUFFIXES, Workspace, id_of, plain_name
from eie.rendering import DECODERS, DEFAULT

INPAINT = "inpaint"
"""The decoder that needs a model of which no request tells."""

MOST_SELECTION = 32_768
"""Characters of a selection."""

MOST_COSTLY = 100
"""Objects, masks and corrections of a selection."""

_COSTLY = re.compile(r"object@|mask:|:\s*(?:grow|shrink|smooth|fill)")


@dataclass
class Service:
    """What all requests to a server share.

    Attributes:
        workspace: the folder.
        decomposition: options of :func:`eie.decompose` for photos that are opened.
        first: what is opened at the start, a photo or an element file; None for nothing.
        output: the element file of that photo; None for the usual one.
        opened: ID of the document of what was opened at the start.
        failure: why that could not be.
    """

    workspace: Workspace
    decomposition: Mapping[str, Any] = field(default_factory=dict)
    first: Path | None = None
    output: Path | None = None
    opened: str | None = None
    failure: Exception | None = None

    def __post_init__(self) -> None:
        self.documents = Documents(self.workspace)
        self.photos = Photos(self.workspace)
        self.workers = Workers()
        self.renders = Renders(self.workers)
        self._opening = asyncio.Lock()

    async def start(self) -> None:
        """Start what works, and open what is to be opened first.

        Raises:
            EieError: that cannot be opened.
        """
        self.workers.start()
        if self.first is None:
            return
        try:
            if self.first.suffix.lower() in ELEMENT_SUFFIXES:
                document = await asyncio.to_thread(self.open_file, self.first.name)
            else:
                document = await self.open_photo(self.first, self.output)
        except Exception as error:
            self.failure = error
            await self.end()
            raise
        self.opened = document.id

    async def end(self) -> None:
        """Give up all work."""
        await self.renders.end()
        await self.workers.end()

    def told(self) -> dict[str, Any]:
        """What there is."""
        return {
            "name": self.workspace.folder.name or str(self.workspace.folder),
            "version": eie.__version__,
            "decoders": [name for name in DECODERS if name != INPAINT],
            "default_decoder": DEFAULT,
            "documents": [
                {"id": id_of(path.name), "file": path.name, "name": path.stem}
                for path in self.workspace.element_files()
            ],
            "photos": self.photos.listed(),
            "opened": self.opened,
        }

    def state(self, document: Document, revision: Revision | None = None) -> dict[str, Any]:
        """The state of a document."""
        revision = revision or document.current()
        photo = self.photos.photo_of(document.path, revision.elements)
        return state_of(
            revision.elements,
            identity=document.id,
            file=document.path.name,
            photo=None if photo is None else photo.name,
            revision=revision.name,
            checkpoint=self.checkpoint,
        )

    @property
    def checkpoint(self) -> str | None:
        """Path of the segmenter that photos are decomposed by; None for one that has a name."""
        segmenter: str | None = self.decomposition.get("segmenter")
        return None if segmenter in (TINY, SLIC) else segmenter

    async def open_photo(self, photo: Path, file: Path | None = None) -> Document:
        """The document of a photo: one that is there, or else a new one.

        Args:
            photo: in the workspace.
            file: where the new one goes; None for beside the photo.
        """
        there = await asyncio.to_thread(self._document_of, photo, file)
        if there is not None:
            return there
        async with self._opening:  # two tabs are not to make two documents
            there = await asyncio.to_thread(self._document_of, photo, file)
            if there is not None:
                return there
            task = Decompose(photo, self.decomposition)
            content = await self.workers.run(lambda: task)
            return await asyncio.to_thread(self._written, content, file, photo)

    def _document_of(self, photo: Path, file: Path | None) -> Document | None:
        """The document that a photo has already, in that file or any.

        Raises:
            UsageError: there is something else in that file.
        """
        for path in [file] if file else self.photos.documents_of(photo):
            if not path.exists():
                continue
            document = self.documents.of(path)
            if self.photos.is_of(document.current().elements, photo):
                return document
        if file is not None and file.exists():
            raise UsageError(
                "is there already and is of another photo",
                where=file.name,
                hint="choose another name",
            )
        return None

    def _written(self, content: bytes, file: Path | None, photo: Path) -> Document:
        path = file or self.workspace.free(f"{photo.stem}.h5")
        with write_atomically(path) as handle:
            handle.write(content)
        return self.documents.of(path)

    def open_file(self, name: str) -> Document:
        """The document in an element file of the workspace.

        Raises:
            BadInputError: it is none.
        """
        path = self.workspace.file(name)
        if path.suffix.lower() not in ELEMENT_SUFFIXES:
            raise RefusedError(415, "is not named like an element file", where=name)
        document = self.documents.of(path)
        document.current()
        return document

    async def take_in(self, incoming: Path, name: str) -> Document:
        """The document of an upload, which is a photo or an element file."""
        try:
            place = await asyncio.to_thread(settled, self.workspace, incoming, name)
        finally:
            incoming.unlink(missing_ok=True)
        if place.suffix.lower() in ELEMENT_SUFFIXES:
            return self.documents.of(place)
        try:
            return await self.open_photo(place)
        except BaseException:
            place.unlink(missing_ok=True)
            raise

    def select(
        self,
        elements: ElementSet,
        text: str,
        tolerance: float | None = None,
        *,
        deleted: bool = False,
    ) -> dict[str, Any]:
        """What a selection takes."""
        check_texts([text])
        self._check_files([mask.file for mask in parse_selection(text).masks])
        return selection_of(elements, text, tolerance=tolerance, deleted=deleted)

    def edit(
        self,
        document: Document,
        entries: list[dict[str, Any]],
        revision: str | None,
        tolerance: float | None,
    ) -> Revision:
        """Apply operations of an edit script as one edit."""
        operations = self._operations(entries)

        change = partial(edit, operations=operations, tolerance=tolerance)
        return document.change(change, revision)

    def step(self, document: Document, steps: int, revision: str | None, *, back: bool) -> Revision:
        """Undo or redo."""
        change = partial(undo, redoable=True) if back else redo
        return document.change(partial(change, steps=steps), revision)

    def reset(self, document: Document, revision: str | None) -> Revision:
        """Go back to the unedited photo."""
        return document.change(eie.reset, revision)

    def _operations(self, entries: list[dict[str, Any]]) -> list[Operation]:
        """The operations of an edit, which reads no file from outside of the workspace.

        Raises:
            UsageError: there are none or too many, or one cannot be read.
        """
        if not entries:
            raise UsageError("nothing to do", hint="give operations as in an edit script")
        if len(entries) > MOST_OPERATIONS:
            raise UsageError(
                f"{len(entries)} operations at once, allowed are {MOST_OPERATIONS}",
                hint="send them in several edits",
            )
        check_texts([str(text) for entry in entries for text in entry.values()])
        script = {"format": FORMAT, "version": VERSION, "operations": entries}
        try:
            operations = read_script(json.dumps(script), where="edit")
        except BadInputError as error:
            raise UsageError(error.message, where=error.where, hint=error.hint) from error
        for operation in operations:
            self._check_files(files_of(operation))
        return operations

    def _check_files(self, names: list[str]) -> None:
        """Refuse names that lead out of the workspace, or to nothing in it."""
        for name in names:
            self.workspace.file(plain_name(name))


def check_texts(texts: Sequence[str]) -> None:
    """Refuse selections that would keep the server busy for minutes.

    Raises:
        UsageError: one is too long, or asks for too many objects, masks and corrections.
    """
    asked = [len(_COSTLY.findall(text)) for text in texts]
    for found, most, what in (
        (max(map(len, texts), default=0), MOST_SELECTION, "characters"),
        (max(asked, default=0), MOST_COSTLY, "objects, masks and corrections"),
        (sum(asked), MOST_OPERATIONS, "objects, masks and corrections in all"),
    ):
        if found > most:
            raise UsageError(
                f"a selection of {found} {what}, allowed are {most}",
                hint="choose elements by id, a group or a mask",
            )
