"""Files that come from outside: uploads, masks, and photos that become documents."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import numpy as np

import eie
from eie.errors import BadInputError, ResourceError
from eie.files import kinds, read_photo, write_atomically
from eie.files.folders import IMAGE_SUFFIXES
from eie.files.masks import fitted, load_mask
from eie.open.documents import Document
from eie.open.failures import RefusedError
from eie.open.workspace import ELEMENT_SUFFIXES, Workspace, plain_name

_SUFFIXES = {
    kinds.JPEG: ".jpg",
    kinds.PNG: ".png",
    kinds.WEBP: ".webp",
    kinds.TIFF: ".tif",
    kinds.BMP: ".bmp",
    kinds.HEIC: ".heic",
    kinds.AVIF: ".avif",
}


async def received(workspace: Workspace, stream: AsyncIterator[bytes]) -> Path:
    """A hidden file of the workspace with the body of a request.

    Raises:
        RefusedError: 400, it is empty; the stream's own errors, such as 413.
        ResourceError: the disk is full.
    """
    path = workspace.folder / f".eie-{secrets.token_hex(8)}.tmp"
    try:
        with path.open("xb") as file:
            async for part in stream:
                file.write(part)
        if not path.stat().st_size:
            raise RefusedError(400, "nothing came in", hint="send the file as the request's body")
    except BaseException as error:
        path.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise ResourceError(
                f"cannot be written: {error.strerror}", where=str(workspace.folder)
            ) from error
        raise
    return path


def settled(workspace: Workspace, incoming: Path, name: str) -> Path:
    """Give a file that came in its name, or one like it that is free, after a look at its content.

    Raises:
        RefusedError: 415, it is neither a photo nor an element file.
        BadInputError: it is damaged, or too large.
    """
    name = plain_name(name)
    with incoming.open("rb") as file:
        head = file.read(kinds.HEAD)
    if head.startswith(kinds.HDF5):
        suffixes, usual = ELEMENT_SUFFIXES, ".h5"
        for source in eie.load(incoming, origin=name).sources:
            np.asarray(source.pixels)  # all of the file is looked at while it can be refused
    elif (kind := kinds.picture_kind(head)) is not None:
        suffixes, usual = IMAGE_SUFFIXES, _SUFFIXES[kind]
        read_photo(incoming, name)
    else:
        what = kinds.foreign_kind(head)
        raise RefusedError(
            415,
            f"this is {what[0] if what else 'neither a photo nor an element file'}",
            where=name,
            hint=what[1] if what else None,
        )
    if Path(name).suffix.lower() not in suffixes:
        name += usual
    while True:
        place = workspace.free(name)
        with suppress(FileExistsError):  # somebody else has taken it
            _move(incoming, place)
            return place


def _move(incoming: Path, place: Path) -> None:
    """Give a file its name, unless there is one of it."""
    try:
        os.link(incoming, place)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        if os.path.lexists(place):
            raise FileExistsError(place) from None
        incoming.rename(place)
    else:
        incoming.unlink()


def keep_mask(workspace: Workspace, document: Document, data: bytes) -> str:
    """Keep a mask that fits a document; the name of its file. The same bytes keep one file.

    Raises:
        BadInputError: it is no picture, marks nothing, or has other proportions than the canvas.
    """
    stem = document.path.stem
    for path in workspace.masks(stem):
        if path.stat().st_size == len(data) and _digest(path.read_bytes()) == _digest(data):
            return path.name
    if kinds.picture_kind(data[: kinds.HEAD]) != kinds.PNG:
        raise RefusedError(415, "a mask is sent as PNG")
    canvas = document.current().elements.canvas
    incoming = workspace.folder / f".eie-{secrets.token_hex(8)}.tmp"
    try:
        with write_atomically(incoming) as handle:
            handle.write(data)
        try:
            fitted(load_mask(incoming, canvas), canvas)
        except BadInputError as error:
            raise BadInputError(error.message, where="mask", hint=error.hint) from error
        number = 1
        while True:
            place = workspace.folder / f"{stem}-mask-{number}.png"
            with suppress(FileExistsError):
                _move(incoming, place)
                return place.name
            number += 1
    finally:
        incoming.unlink(missing_ok=True)


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
