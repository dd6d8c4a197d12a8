"""Documents: element files, loaded as long as they are in use and changed one edit at a time.

All that a document is stands in its file. It is loaded anew when the file is another one than
before, as after a command that edited it; edits of our own go on from the set in memory.
"""

from __future__ import annotations

import hashlib
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import eie
from eie.elements import ElementSet
from eie.errors import BadInputError
from eie.files import write_atomically
from eie.files.atomic import exclusive
from eie.files.streams import MOST_PIPED
from eie.open.failures import RefusedError
from eie.open.workspace import Workspace, id_of
from eie.rendering.reduced import Kept, reduced

MOST_LOADED = 4
"""Documents that are kept loaded; their label maps take two bytes a pixel."""

MOST_VIEWS = 12
"""What is worked out of a revision and kept."""

MOST_SIDE, MOST_SIZES = 2048, 6
"""Pixels of the longer side up to which pictures are kept, and of how many sizes and sources."""

_TRIES = 20
"""How often a file is loaded that others replace meanwhile."""


class Revision:
    """A document as it was at some time, whatever becomes of its file.

    The content is kept in a file without a name, which the system gives back when this process
    ends, however it does.

    Args:
        elements: the set.
        name: what tells this revision from others.
        content: of the element file.
    """

    def __init__(self, elements: ElementSet, name: str, content: bytes) -> None:
        self.elements = elements
        self.name = name
        self._content = tempfile.TemporaryFile()  # noqa: SIM115 - it is closed with this
        self._content.write(content)
        self._views: OrderedDict[Any, Future[Any]] = OrderedDict()
        self._lock = threading.Lock()

    def content(self) -> bytes:
        """The element file."""
        with self._lock:
            self._content.seek(0)
            return self._content.read()

    def view(self, key: Any, work_out: Callable[[], Any]) -> Any:
        """What is worked out of this revision, once."""
        with self._lock:
            found = self._views.get(key)
            if found is None:
                mine = self._views[key] = Future()
                if len(self._views) > MOST_VIEWS:
                    self._views.popitem(last=False)
            else:
                self._views.move_to_end(key)
        if found is not None:
            return found.result()  # when who began it is done
        try:
            mine.set_result(work_out())
        except BaseException as error:
            with self._lock:
                self._views.pop(key, None)
            mine.set_exception(error)
        return mine.result()


class Document:
    """An element file of the workspace."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.id = id_of(path.name)
        self._lock, self._changing, self._reducing = (threading.RLock() for _ in range(3))
        self._revision: Revision | None = None
        self._reduced: Kept = {}

    def current(self) -> Revision:
        """The document as it is by now.

        Raises:
            RefusedError: 404, the file is gone.
            BadInputError: it is no element file, or damaged.
        """
        with self._lock:
            for _ in range(_TRIES):
                name = revision_of(self.path)
                if self._revision is not None and self._revision.name == name:
                    return self._revision
                loaded = self._loaded(name)
                if loaded is not None:
                    self._revision = loaded
                    self._reduced = {}
                    return loaded
        raise RefusedError(409, "the file is changed all the time", where=self.path.name)

    def _loaded(self, name: str) -> Revision | None:
        """What is in the file; None if it was changed meanwhile.

        It is read at once: who writes over a file that is open would change what was loaded.
        """
        try:
            if self.path.stat().st_size > MOST_PIPED:
                raise BadInputError(f"has more than {MOST_PIPED >> 30} GiB", where=self.path.name)
            content = self.path.read_bytes()
        except FileNotFoundError:
            raise _gone(self.path) from None
        except OSError as error:
            reason = error.strerror or str(error)
            raise BadInputError(f"cannot be read: {reason}", where=self.path.name) from error
        if revision_of(self.path) != name:
            return None
        return Revision(eie.load(content, origin=self.path.name), name, content)

    def change(
        self, change: Callable[[ElementSet], ElementSet], revision: str | None = None
    ) -> Revision:
        """Change the document and write its file, atomically; all of it or nothing.

        Args:
            change: makes the new set.
            revision: the one that the change is meant for; None for whichever there is.

        Raises:
            RefusedError: 409, there is another revision by now.
            EieError: as `change`; nothing is written.
        """
        with self._changing, exclusive(self.path):  # who only looks does not wait for that
            before = self.current()
            if revision is not None and revision != before.name:
                raise RefusedError(
                    409,
                    "the document was changed meanwhile",
                    where=self.path.name,
                    hint="look at it again",
                )
            elements = change(before.elements)
            content = eie.dump(elements)
            after = Revision(elements, "", content)  # first, for it may find no room
            with self._lock:
                with write_atomically(self.path) as handle:
                    handle.write(content)
                after.name = revision_of(self.path)
                self._revision = after
            return after

    def reduced(self, revision: Revision, long_side: int) -> ElementSet:
        """The set of a revision at a smaller size, see :func:`eie.rendering.reduced.reduced`."""
        if long_side > MOST_SIDE:
            return reduced(revision.elements, long_side)
        with self._reducing:  # not the lock of edits: to read a large photo takes half a second
            if len(self._reduced) > MOST_SIZES:
                self._reduced.clear()
            return reduced(revision.elements, long_side, self._reduced)


class Documents:
    """The documents of a workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._lock = threading.Lock()
        self._used: OrderedDict[str, Document] = OrderedDict()

    def of(self, path: Path) -> Document:
        """The document in a file of the workspace."""
        identity = id_of(path.name)
        with self._lock:
            if identity not in self._used:
                self._used[identity] = Document(path)
                if len(self._used) > MOST_LOADED:
                    self._used.popitem(last=False)
            self._used.move_to_end(identity)
            return self._used[identity]

    def by_id(self, identity: str) -> Document:
        """The document of that ID.

        Raises:
            RefusedError: 404, there is none.
        """
        with self._lock:
            known = self._used.get(identity)
        if known is not None and self.workspace.holds(known.path):
            return self.of(known.path)
        for path in self.workspace.element_files():
            if id_of(path.name) == identity:
                return self.of(path)
        raise RefusedError(404, "there is no such document", where=identity[:40])


def revision_of(path: Path) -> str:
    """What tells the content of a file from that of all others that were or will be there.

    Raises:
        RefusedError: 404, there is no file.
    """
    try:
        status = path.stat()
    except FileNotFoundError:
        raise _gone(path) from None
    told = f"{status.st_ino} {status.st_mtime_ns} {status.st_size}"
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def _gone(path: Path) -> RefusedError:
    return RefusedError(404, "the file is gone", where=path.name)
