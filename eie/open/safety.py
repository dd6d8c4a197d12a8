"""Who may ask: the person who started the server, by a page of this server, and nobody else.

Any page in the same browser can send requests to this machine, and a name of a foreign site may
lead here. So each request must name this server as its host, come from a page of it if the browser
says where it comes from, and carry the token.
"""

from __future__ import annotations

import ipaddress
import os
import secrets
import socket
import traceback
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from eie.open.failures import RefusedError, body_of

POLICY = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' blob: data:; style-src 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""Headers of every answer."""

API = "/api/"

EVERYWHERE = ("0.0.0.0", "::")
"""Hosts of a server that listens at all addresses of its machine."""

MOST_BYTES = 1 << 20
"""Bytes that a request's body may have, unless its path is among :data:`LARGER`."""

LARGER = {"/upload": 1 << 30, "/masks": 1 << 26}
"""Bytes of bodies by the end of the path: of photos and element files, and of masks."""


@dataclass(frozen=True)
class Guard:
    """Whom a server answers.

    Attributes:
        token: what a request must know.
        host: the address that the server listens at.
        port: and its port.
    """

    token: str
    host: str
    port: int

    @property
    def cookie(self) -> str:
        """Name of the cookie that carries the token: of each server of a machine another one."""
        return f"eie-{self.port}"

    def names_us(self, authority: str) -> bool:
        """Whether `host:port` is what this server is called.

        One that listens everywhere is called by any address, and by the machine's name: both cannot
        be made to lead here by others.
        """
        name, _, port = authority.lower().rpartition(":")
        if not port.isdecimal() or name.endswith(":"):  # without a port, or a bare IPv6 address
            name, port = authority.lower(), "80"
        if port != str(self.port):
            return False
        if name in {"127.0.0.1", "localhost", "[::1]", self.host.lower(), f"[{self.host.lower()}]"}:
            return True
        if self.host not in EVERYWHERE:
            return False
        return is_address(name.strip("[]")) or name == socket.gethostname().lower()

    def is_ours(self, origin: str) -> bool:
        """Whether an `Origin` is a page of this server."""
        return origin.startswith("http://") and self.names_us(origin.removeprefix("http://"))

    def knows(self, headers: Headers) -> bool:
        """Whether a request carries the token, in its cookie or as a bearer."""
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        given = [bearer.strip()] if scheme.lower() == "bearer" else []
        # Other servers of this machine have put cookies beside ours, of whatever form.
        for part in headers.get("cookie", "").split(";"):
            name, _, value = part.strip().partition("=")
            if name == self.cookie:
                given.append(value)
        return any(self.is_token(text) for text in given)

    def is_token(self, text: str) -> bool:
        """Whether a text is the token, found out in constant time."""
        return secrets.compare_digest(text.encode(errors="replace"), self.token.encode())


def is_address(name: str) -> bool:
    """Whether a host is given by its address."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


class Safety:
    """Lets through to an app what a guard allows, within limits; adds the headers of answers."""

    def __init__(self, app: ASGIApp, guard: Guard) -> None:
        self.app = app
        self.guard = guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            return

        whole = False

        async def answer(message: Message) -> None:
            nonlocal whole
            whole = message["type"] == "http.response.body" and not message.get("more_body")
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in POLICY.items():
                    headers[name] = value
                if "cache-control" not in headers:
                    api = scope["path"].startswith(API)
                    headers["Cache-Control"] = "no-store" if api else "no-cache"
            await send(message)

        refused = self._refused(scope)
        if refused is not None:
            await refused(scope, receive, answer)
            return
        try:
            await self.app(scope, _limited(scope, receive), answer)
        except Exception as error:
            if not whole:
                raise
            show(error)  # a bug, which was answered as one: the connection goes on

    def _refused(self, scope: Scope) -> Response | None:
        """What is answered instead; None for what may pass."""
        headers = Headers(scope=scope)
        if not self.guard.names_us(headers.get("host", "")):
            return _json(RefusedError(403, "this server has another name", hint=_ADDRESS))
        if (origin := headers.get("origin")) is not None and not self.guard.is_ours(origin):
            return _json(RefusedError(403, "pages of other sites get nothing", where=origin))
        # Pages of other ports are of the same site: what they embed brings our cookie.
        asked_from = headers.get("sec-fetch-site", "same-origin")
        if scope["path"] != "/" and asked_from not in ("same-origin", "none"):
            return _json(RefusedError(403, "pages of other sites get nothing", where=asked_from))
        if scope["path"] == "/" and (welcome := self._welcomed(scope)) is not None:
            return welcome
        if not self.guard.knows(headers):
            if scope["path"] == "/":
                return PlainTextResponse(f"The token is missing: {_ADDRESS}.\n", 401)
            return _json(RefusedError(401, "the token is missing or wrong", hint=_ADDRESS))
        length, most = headers.get("content-length", "0"), most_bytes(scope["path"])
        return _json(_too_large(most)) if length.isdecimal() and int(length) > most else None

    def _welcomed(self, scope: Scope) -> Response | None:
        """The cookie for who comes with the token in the address, which then goes out of it."""
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        tokens = [value for name, value in query if name == "token"]
        if scope["method"] != "GET" or not tokens or not self.guard.is_token(tokens[0]):
            return None
        rest = urlencode([(name, value) for name, value in query if name != "token"])
        there = RedirectResponse(f"/?{rest}" if rest else "/", status_code=303)
        there.set_cookie(
            self.guard.cookie, self.guard.token, httponly=True, samesite="strict", path="/"
        )
        there.headers["Cache-Control"] = "no-store"
        return there


_ADDRESS = "open the address that eie open printed"


def show(error: Exception) -> None:
    """Print where an error came from, if that is wanted."""
    if os.environ.get("EIE_TRACEBACK", "0") not in ("", "0"):
        traceback.print_exception(error)


def most_bytes(path: str) -> int:
    """Bytes that the body of a request to a path may have."""
    return next((most for end, most in LARGER.items() if path.endswith(end)), MOST_BYTES)


def _too_large(most: int) -> RefusedError:
    return RefusedError(413, f"the request is larger than {most >> 20} MiB")


def _json(error: RefusedError) -> JSONResponse:
    return JSONResponse(body_of(error), error.status)


def _limited(scope: Scope, receive: Receive) -> Receive:
    """Receives a request's body as far as its limit, whatever its header says."""
    most = most_bytes(scope["path"])
    seen = 0

    async def limited() -> Message:
        nonlocal seen
        message = await receive()
        if message["type"] == "http.request":
            seen += len(message.get("body", b""))
            if seen > most:
                # Of this kind, as the app takes others for a body that cannot be read.
                raise HTTPException(413, _too_large(most).message)
        return message

    return limited
