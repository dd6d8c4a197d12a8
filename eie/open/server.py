"""Serving: a socket, an address to open, and an end by Ctrl-C."""

from __future__ import annotations

import errno
import os
import re
import secrets
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn

from eie.errors import BadInputError, UsageError
from eie.models.devices import give_freed_memory_back
from eie.open.app import create_app
from eie.open.safety import EVERYWHERE, Guard
from eie.open.service import Service
from eie.open.workspace import Workspace

LOOPBACK = ("127.0.0.1", "localhost", "::1")

_TOKEN = re.compile(r"[A-Za-z0-9._~-]{8,128}")

_BACKLOG = 256
"""Connections that may wait to be taken."""

_PATIENCE = 2
"""Seconds that open requests have when the server ends."""


@dataclass(frozen=True)
class Settings:
    """How to serve.

    Attributes:
        path: a photo, an element file or a folder.
        output: the element file of a photo; None for one beside it.
        port: 0 for a free one.
        host: the address to listen at.
        token: what requests must carry; None for a new one.
        browser: whether a browser is opened.
        decomposition: options of :func:`eie.decompose`.
    """

    path: Path = field(default_factory=Path)
    output: Path | None = None
    port: int = 0
    host: str = LOOPBACK[0]
    token: str | None = None
    browser: bool = True
    decomposition: Mapping[str, Any] = field(default_factory=dict)


def serve(settings: Settings, say: Callable[[str], None]) -> None:
    """Serve until Ctrl-C.

    Changes into the folder that is served, as the files that edits name lie there.

    Args:
        settings: how.
        say: takes lines for the person who started it.

    Raises:
        UsageError: a path, host, port or token that cannot be.
        BadInputError: the photo or element file cannot be read.
    """
    token = _token(settings)
    service = service_for(settings)
    give_freed_memory_back()
    os.chdir(service.workspace.folder)
    with _listening(settings) as listener:
        port = int(listener.getsockname()[1])
        guard = Guard(token, settings.host, port)
        address = f"http://{_shown(settings.host)}:{port}/?token={token}"

        def started() -> None:
            say(address)
            say("Ctrl-C ends it.")
            if settings.browser and has_screen():
                # Some browsers run until they are closed.
                threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()

        server = uvicorn.Server(
            uvicorn.Config(
                create_app(service, guard, started),
                http="h11",
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=_PATIENCE,
            )
        )
        with suppress(KeyboardInterrupt, SystemExit):  # uvicorn leaves if the start has failed
            server.run(sockets=[listener])
    if service.failure is not None:
        raise service.failure


def service_for(settings: Settings) -> Service:
    """What is served: the folder, and what in it is opened first.

    Raises:
        BadInputError: there is nothing of that name.
        UsageError: an output that is not for a photo.
    """
    path, decomposition = settings.path, dict(settings.decomposition)
    if Path(segmenter := decomposition.get("segmenter", "")).is_file():
        decomposition["segmenter"] = str(Path(segmenter).resolve())  # the working folder changes
    if path.is_dir():
        if settings.output is not None:
            raise UsageError("an output is for one photo", hint="leave out -o, or name a photo")
        return Service(Workspace(path.resolve()), decomposition)
    if not path.is_file():
        raise BadInputError("there is no such file or folder", where=str(path))
    target = settings.output or path
    folder = target.parent.resolve()
    if not folder.is_dir():
        raise UsageError("is in no folder", where=str(target), hint="make the folder first")
    return Service(
        Workspace(folder),
        decomposition,
        first=path.resolve().parent / path.name if settings.output else folder / path.name,
        output=None if settings.output is None else folder / settings.output.name,
    )


def has_screen() -> bool:
    """Whether a browser has a place to open; one that runs in the terminal is no use."""
    if sys.platform in ("win32", "darwin"):
        return True
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME"))


def _token(settings: Settings) -> str:
    """The token that requests must carry.

    Raises:
        UsageError: it is too short, or one is missing.
    """
    if settings.token is None:
        if settings.host not in LOOPBACK:
            raise UsageError(
                f"{settings.host} may be reached by others",
                where="--host",
                hint="choose a token that they do not know: --token",
            )
        return secrets.token_urlsafe(24)
    if not _TOKEN.fullmatch(settings.token):
        raise UsageError("a token has 8 to 128 letters, digits, or . _ ~ -", where="--token")
    return settings.token


def _listening(settings: Settings) -> socket.socket:
    """A socket that listens.

    Raises:
        UsageError: the host or port cannot be had.
    """
    try:
        family, *_, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return _bound(family, address)
    except OSError as error:
        taken = error.errno in (errno.EADDRINUSE, errno.EACCES)
        where = f"--port {settings.port}" if taken else f"--host {settings.host}"
        raise UsageError(
            f"cannot listen there: {error.strerror}",
            where=where,
            hint="leave it out for a free one" if taken else None,
        ) from error


def _bound(family: int, address: Any) -> socket.socket:
    # That it is TCP must be said: asyncio sends small answers of other sockets 40 ms late, as it
    # leaves Nagle's algorithm on.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _shown(host: str) -> str:
    """A host as addresses have it."""
    if host in EVERYWHERE:
        host = socket.gethostname()
    return f"[{host}]" if ":" in host else host
