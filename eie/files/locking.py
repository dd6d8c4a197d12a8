"""One at a time: a file that is read, changed and written back is changed by nobody else meanwhile.

Files are replaced and never changed in place (:mod:`eie.files.atomic`), so a lock on one says
nothing of the file that has taken its place: whoever gets the lock looks whether it is still there.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from eie.files.stores import AnyPath, StoredPath


@contextlib.contextmanager
def exclusive(path: AnyPath, waiting: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold a file against others that ask likewise; wait for them first.

    Does nothing for what is no regular file, and where the file system knows no locks; no store
    does.

    Args:
        waiting: called once if somebody else has it.
    """
    if isinstance(path, StoredPath) or not path.is_file():
        yield
        return
    while True:
        with _opened(path) as handle:
            if not _locked(handle, waiting) or _is_still(handle, path):
                yield
                return
        waiting = None  # told once; the file was replaced while we waited


def _opened(path: Path) -> BinaryIO:
    """What is locked for a file: on Windows, where a locked one cannot be read or replaced, another
    file that stands for it."""
    return _stand_in(path).open("ab") if os.name == "nt" else path.open("rb")


def _stand_in(path: Path) -> Path:
    name = hashlib.sha256(str(path.resolve()).lower().encode(errors="replace")).hexdigest()
    return Path(tempfile.gettempdir()) / f"eie-{name[:32]}.lock"


def _locked(handle: BinaryIO, waiting: Callable[[], None] | None) -> bool:
    """Get the lock, which goes with the handle; whether there are locks at all."""
    if sys.platform == "win32":
        import msvcrt

        while True:
            with contextlib.suppress(OSError):  # after ten seconds
                handle.seek(0)
                msvcrt.locking(handle.fileno(), msvcrt.LK_LOCK, 1)
                return True
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        if waiting:
            waiting()
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
    except OSError:
        return False
    return True


def _is_still(handle: BinaryIO, path: Path) -> bool:
    """Whether the name still leads to the file that is held."""
    if os.name == "nt":
        return True
    try:
        return os.path.samestat(os.fstat(handle.fileno()), path.stat())
    except OSError:
        return False
