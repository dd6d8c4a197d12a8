"""The hash by which a weight file is known in element files and settings."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path


def file_hash(path: Path) -> str:
    """SHA-256 of a file in hex; a file that has not changed is read once per process."""
    status = path.stat()
    return _sha256(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=16)
def _sha256(path: Path, *_version: int) -> str:
    """Hash of a file; time and size of the last change keep a changed file apart."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
