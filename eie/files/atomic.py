"""Files appear whole or not at all, and are changed by one at a time.

Files are replaced and never changed in place, so a lock on one says nothing of the file that has
taken its place: whoever gets the lock looks whether it is still there.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import os
import re
import secrets
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from eie.errors import ResourceError, UsageError
from eie.files.stores import AnyPath, StoredPath, check_store

_STREAMS = {"/dev/stdin": 0, "/dev/stdout": 1, "/dev/stderr": 2}
_DESCRIPTOR = re.compile(r"/(?:dev|proc/self)/fd/(\d{1,9})")

_MOUNTED = (errno.EBUSY, errno.EXDEV)
"""What a rename over a mount point gives, as of a file that a container was given alone."""

_NO_PLACE = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP)
"""What a name gives that leads nowhere: neither is a disk full, nor is anything forbidden."""

_CLOSED = (errno.EACCES, errno.EPERM, errno.EROFS)
"""What a new file in a folder gives that takes none."""

# Windows has no O_CLOEXEC, and would translate line ends in what is opened without O_BINARY.
_NEW = (
    os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
)


@contextlib.contextmanager
def write_atomically(target: AnyPath, *, alone: bool = False) -> Iterator[BinaryIO]:
    """A binary handle whose content becomes `target` when the block ends without an error.

    The bytes go to a temporary file in the same folder, are flushed to the disk and renamed over
    the target, so that a reader, a crash or a full disk meets the old content or the new, never a
    part. The mode and owner of an existing file are kept; of a symbolic link, the file it points to
    is replaced and the link stays. Devices, named pipes and open descriptors (`/dev/stdout`) cannot
    be replaced and are written straight; so is, at the end and in one go, a file that is a mount
    point or lies in a folder that takes no new files. A file of a store is held in memory until it
    is whole.

    Args:
        target: the file to create or replace.
        alone: nobody else writes it meanwhile. The temporary file then has the same name each time,
            so that one which a killed process left is replaced, too.

    Raises:
        UsageError: it is a folder, or its folder is missing.
        ResourceError: the place cannot be written, or the disk is full; the old file is intact and
            no temporary file is left.
    """
    if isinstance(target, StoredPath):
        with io.BytesIO() as content:
            yield content
            target.write_bytes(content.getvalue())
        return
    with _in_words(target):
        if (descriptor := _descriptor(target)) is not None:
            with os.fdopen(os.dup(descriptor), "wb") as handle:
                yield handle
            return
        existing = _status(target)
        if existing is None or stat.S_ISREG(existing.st_mode):
            yield from _replace(_resolved(target), existing, alone)
        elif stat.S_ISDIR(existing.st_mode):
            raise UsageError("is a folder", where=str(target), hint="name a file in it")
        else:
            with target.open("wb") as handle:
                yield handle


def check_output(target: Path) -> None:
    """Find out before the work whether a file can be written when it is done.

    Raises:
        UsageError: it is a terminal, a folder or a disk, or its folder is missing.
        ResourceError: it is write-protected, or its folder takes no new files.
    """
    with _in_words(target):
        if (descriptor := _descriptor(target)) is not None:
            os.fstat(descriptor)
            _refuse_terminal(os.isatty(descriptor), target)
            return
        existing = _status(target)
        if existing is None:
            final = _resolved(target)
            if not final.name or len(os.fsencode(final.name)) > 255:
                raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
            if not stat.S_ISDIR(final.parent.stat().st_mode):
                raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
            if not _may(final.parent, os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, "its folder takes no new files")
        elif stat.S_ISDIR(existing.st_mode):
            raise UsageError("is a folder", where=str(target), hint="name a file in it")
        elif stat.S_ISBLK(existing.st_mode):
            raise UsageError("is a disk", where=str(target), hint="name a file")
        elif not _may(target, os.W_OK):
            raise PermissionError(errno.EACCES, "the file is write-protected")
        elif stat.S_ISCHR(existing.st_mode):
            with target.open("ab", buffering=0) as handle:
                _refuse_terminal(handle.isatty(), target)


def check_folder(target: AnyPath) -> None:
    """Find out before the work whether a folder is there or can be made, and takes new files.

    Raises:
        UsageError: it is a file, or lies in one, or in no known store.
        ResourceError: it is write-protected, or lies in something that is.
        MissingModelError: there is no software for its store.
    """
    if isinstance(target, StoredPath):
        check_store(target)
        return
    with _in_words(target):
        nearest = _resolved(target)
        while _status(nearest) is None:
            nearest = nearest.parent
        if not nearest.is_dir():
            what = "it" if nearest == _resolved(target) else str(nearest)
            raise NotADirectoryError(errno.ENOTDIR, f"{what} is a file, not a folder")
        if not _may(nearest, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, f"{nearest} takes no new files")


def is_no_file(target: Path) -> bool:
    """Whether a name leads to a pipe, a device or an open descriptor; none of them has a kind."""
    if _descriptor(target) is not None:
        return True
    try:
        mode = target.stat().st_mode
    except (OSError, ValueError):
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _refuse_terminal(terminal: bool, target: Path) -> None:
    if terminal:
        raise UsageError(
            "binary data does not go to a terminal",
            where=str(target),
            hint="name a file, or pipe the output on",
        )


@contextlib.contextmanager
def _in_words(target: Path) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise  # the reader has gone away, which is no error of ours
    except OSError as error:
        reason = error.strerror or str(error)
        nameless = error.errno is None  # a NUL in the name, or a circle of links
        kind = UsageError if nameless or error.errno in _NO_PLACE else ResourceError
        hint = "make the folder first" if error.errno == errno.ENOENT else None
        raise kind(f"cannot be written: {reason}", where=str(target), hint=hint) from error


def _descriptor(target: Path) -> int | None:
    """The open descriptor that a name stands for; following it as a link would lead astray."""
    name = str(target)
    found = _DESCRIPTOR.fullmatch(name)
    return int(found[1]) if found else _STREAMS.get(name)


def _status(target: Path) -> os.stat_result | None:
    """What a name leads to; None where there is nothing."""
    try:
        return target.stat()
    except FileNotFoundError:
        return None
    except ValueError as error:  # a NUL in the name
        raise OSError(str(error)) from error


def _may(path: Path, access: int) -> bool:
    return os.access(path, access, effective_ids=os.access in os.supports_effective_ids)


def _resolved(target: Path) -> Path:
    """The file behind symbolic links."""
    try:
        return target.resolve()
    except (RuntimeError, ValueError) as error:  # a circle of links, a NUL in the name
        raise OSError(str(error)) from error


def discard_temporary(target: AnyPath) -> None:
    """Remove what a process has left that was killed while it wrote a target alone.

    In a store nothing is done: the next who writes the target replaces it.
    """
    if isinstance(target, Path):
        _temporary_of(target).unlink(missing_ok=True)


def _temporary_of(target: Path) -> Path:
    """The temporary file of a target that is written alone."""
    name = hashlib.sha256(os.fsencode(target.name)).hexdigest()[:16]
    return target.parent / f".eie-{name}.tmp"


def _replace(final: Path, existing: os.stat_result | None, alone: bool) -> Iterator[BinaryIO]:
    if existing is not None and not _may(final, os.W_OK):
        raise PermissionError(0, "the file is write-protected")
    if alone:
        temporary = _temporary_of(final)
        temporary.unlink(missing_ok=True)
    else:
        temporary = final.parent / f".eie-{secrets.token_hex(8)}.tmp"
    try:
        # 0o666 less the umask: the mode that any program would give to a file it creates.
        descriptor = os.open(temporary, _NEW, 0o666)
    except OSError as error:
        if existing is None or error.errno not in _CLOSED:
            raise
        with io.BytesIO() as content:
            yield content
            _overwrite(final, content)
        return
    try:
        with os.fdopen(descriptor, "wb") as handle:
            yield handle
            handle.flush()
            if existing is not None:
                _keep_owner(handle.fileno(), temporary, existing)
            os.fsync(handle.fileno())
        try:
            temporary.replace(final)
        except OSError as error:
            if existing is None or error.errno not in _MOUNTED:
                raise
            with temporary.open("rb") as made:
                _overwrite(final, made)
            temporary.unlink()
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(final.parent)


def _overwrite(final: Path, content: BinaryIO) -> None:
    """Give a file new content where it stands; what is complete by now is written in one go."""
    content.seek(0)
    with final.open("r+b") as handle:
        shutil.copyfileobj(content, handle)
        handle.truncate()
        handle.flush()
        os.fsync(handle.fileno())


def _keep_owner(descriptor: int, path: Path, existing: os.stat_result) -> None:
    # Only root may give files away; a file that others own but we may replace becomes ours.
    if hasattr(os, "fchown"):
        with contextlib.suppress(PermissionError):
            os.fchown(descriptor, existing.st_uid, existing.st_gid)
    mode = stat.S_IMODE(existing.st_mode)
    if hasattr(os, "fchmod"):
        os.fchmod(descriptor, mode)
    else:
        path.chmod(mode)


def _sync_folder(folder: Path) -> None:
    """Make the rename survive a power cut, on file systems that can sync a folder."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


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
