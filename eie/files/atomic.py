"""Files appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from eie.errors import ResourceError


@contextlib.contextmanager
def write_atomically(target: Path) -> Iterator[BinaryIO]:
    """A binary handle whose content becomes `target` when the block ends without an error.

    The bytes go to a temporary file in the same folder, are flushed to the disk and renamed over
    the target, so that a reader, a crash or a full disk meets the old content or the new, never a
    part. The mode and owner of an existing file are kept; of a symbolic link, the file it points to
    is replaced and the link stays. Devices and named pipes cannot be replaced and are written
    straight.

    Args:
        target: the file to create or replace.

    Raises:
        ResourceError: the place cannot be written, or the disk is full; the old file is intact and
            no temporary file is left.
    """
    with _in_words(target):
        final = _resolved(target)
        existing = final.stat() if final.exists() else None
        if existing is None or stat.S_ISREG(existing.st_mode):
            yield from _replace(final, existing)
        elif stat.S_ISDIR(existing.st_mode):
            raise ResourceError("is a folder", where=str(target), hint="name a file in it")
        else:
            with final.open("wb") as handle:
                yield handle


@contextlib.contextmanager
def _in_words(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise ResourceError(f"cannot be written: {reason}", where=str(target)) from error


def _resolved(target: Path) -> Path:
    """The file behind symbolic links."""
    try:
        return target.resolve()
    except (RuntimeError, ValueError) as error:  # a circle of links, a NUL in the name
        raise OSError(str(error)) from error


def _replace(final: Path, existing: os.stat_result | None) -> Iterator[BinaryIO]:
    effective = os.access in os.supports_effective_ids
    if existing is not None and not os.access(final, os.W_OK, effective_ids=effective):
        raise PermissionError(0, "the file is write-protected")
    temporary = final.parent / f".eie-{secrets.token_hex(8)}.tmp"
    # 0o666 less the umask: the mode that any program would give to a file it creates.
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        with os.fdopen(descriptor, "wb") as handle:
            yield handle
            handle.flush()
            if existing is not None:
                _keep_owner(handle.fileno(), existing)
            os.fsync(handle.fileno())
        temporary.replace(final)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(final.parent)


def _keep_owner(descriptor: int, existing: os.stat_result) -> None:
    # Only root may give files away; a file that others own but we may replace becomes ours.
    with contextlib.suppress(PermissionError):
        os.fchown(descriptor, existing.st_uid, existing.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(existing.st_mode))


def _sync_folder(folder: Path) -> None:
    """Make the rename survive a power cut, on file systems that can sync a folder."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
