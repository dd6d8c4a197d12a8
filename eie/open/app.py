"""The app: addresses, the page's files, and every failure as an answer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from copy import copy
from pathlib import Path
from typing import Any

import anyio.to_thread
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

import eie
from eie.errors import EieError
from eie.open import render_routes, routes
from eie.open.documentation import page
from eie.open.failures import RefusedError, body_of, status_of
from eie.open.safety import Guard, Safety
from eie.open.schemas import FailureBody
from eie.open.service import Service

API = "/api/v1"

STATIC = Path(__file__).parent / "static"
"""The built page."""

NOT_BUILT = (
    "The page is not built: run `make page`. The API is at /api/v1, its description at "
    "/api/v1/docs.\n"
)

THREADS = 8
"""Requests that are worked on at once; each may hold a photo."""

_FAILURES: dict[int | str, dict[str, Any]] = {
    status: {"model": FailureBody, "description": text}
    for status, text in {
        400: "the request makes no sense",
        401: "the token is missing or wrong",
        404: "there is nothing of that name",
        409: "the document was changed meanwhile",
        413: "the request is too large",
        415: "the file is of another kind",
        422: "a file is damaged, foreign or unsafe",
        424: "a model or a package is missing",
        429: "too many renders wait",
        507: "memory or disk ran out",
    }.items()
}


def create_app(
    service: Service, guard: Guard, started: Callable[[], None] | None = None
) -> ASGIApp:
    """The server as an ASGI app.

    Args:
        service: what requests share.
        guard: whom it answers.
        started: called when it is about to take requests.
    """

    @asynccontextmanager
    async def living(_: FastAPI) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
        await service.start()
        if started is not None:
            started()
        try:
            yield
        finally:
            await service.end()

    app = FastAPI(
        title="eie open",
        version=eie.__version__,
        summary="Pick, drag and see: the API of the page, for other programs, too.",
        description=(
            "A document is an element file of the folder that is served. Coordinates are pixels of "
            "its canvas, or % of it; operations and selections are those of edit scripts. What a "
            "render shows is of the revision it was asked of."
        ),
        openapi_url=f"{API}/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=living,
    )
    app.state.service = service
    for router in (routes.router, render_routes.router):
        app.include_router(router, prefix=API, responses=_FAILURES)
    _add_pages(app)
    _add_failures(app)
    return Safety(app, guard)


def _add_pages(app: FastAPI) -> None:
    """The page, its files, and the description of the API."""

    @app.get(f"{API}/docs", include_in_schema=False)
    def documentation() -> Response:
        return HTMLResponse(page(app.openapi()))

    if not (STATIC / "index.html").is_file():

        @app.get("/", include_in_schema=False)
        def not_built() -> Response:
            return PlainTextResponse(NOT_BUILT)

        return
    app.mount("/", GZipMiddleware(StaticFiles(directory=STATIC, html=True)))


def _add_failures(app: FastAPI) -> None:
    """Every failure in the one form that the page and programs know."""

    @app.exception_handler(EieError)
    async def failed(_: Request, error: EieError) -> JSONResponse:
        return JSONResponse(body_of(_within(error, app.state.service)), status_of(error))

    @app.exception_handler(RequestValidationError)
    async def senseless(_: Request, error: RequestValidationError) -> JSONResponse:
        return JSONResponse(body_of(_refusal(error)), 400)

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> JSONResponse:
        words = {
            404: "there is nothing at this address",
            405: f"{request.method} means nothing here",
        }
        message = words.get(error.status_code, str(error.detail))
        refusal = RefusedError(error.status_code, message, where=request.url.path[:200])
        return JSONResponse(body_of(refusal), error.status_code)

    @app.exception_handler(Exception)
    async def unforeseen(_: Request, error: Exception) -> JSONResponse:
        return JSONResponse(body_of(error), status_of(error))


def _within(error: EieError, service: Service) -> EieError:
    """A failure that does not tell where on this machine the workspace is."""
    folder = service.workspace.folder
    if str(folder) not in f"{error.message}{error.where}":
        return error
    within = copy(error)
    within.message = error.message.replace(f"{folder}/", "").replace(str(folder), folder.name)
    within.where = error.where and Path(error.where).name
    return within


def _refusal(error: RequestValidationError) -> RefusedError:
    """The first thing that is wrong with a request's values, in words."""
    first = error.errors()[0]
    place = [str(part) for part in first["loc"] if part not in ("body", "query", "path")]
    message = str(first["msg"])
    return RefusedError(
        400, message[:1].lower() + message[1:], where=".".join(place)[:80] or "the request's body"
    )
