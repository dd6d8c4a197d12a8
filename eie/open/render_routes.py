"""The addresses of the API that concern renders and finished files."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Annotated, Any
from urllib.parse import quote

import anyio
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Scope, Send

from eie.editing import script_of
from eie.elements import ElementSet
from eie.errors import UsageError
from eie.files import encode_photo, photo_format
from eie.files.photo_writing import check_picture
from eie.open import schemas
from eie.open.failures import RefusedError
from eie.open.renders import CANCELLED, KeptPicture, Options, Render
from eie.open.routes import JPEG, PNG, Named, Shared, gives, picture_response, service_of
from eie.open.views import SIDES, for_screen, to_side
from eie.rendering import chosen_decoder

router = APIRouter()

FILES = (PNG, JPEG, "image/webp", "image/tiff", "application/x-hdf5", "application/json")
"""The kinds of finished files."""

_ALIVE = 15.0
"""Seconds after which a silent stream says that it is alive."""


def render_of(identity: str, request: Request) -> Render:
    """The render of the address."""
    return service_of(request).renders.by_id(identity)


Asked = Annotated[Render, Depends(render_of)]


@router.post(
    "/documents/{identity}/renders", response_model=schemas.Asked, status_code=202, tags=["renders"]
)
async def ask_for_render(service: Shared, document: Named, body: schemas.RenderRequest) -> Any:
    """Ask for pictures of a document. Who says which `client` it is gives its older ones up."""
    options = Options(
        decoder=body.decoder,
        seed=body.seed,
        variations=body.variations,
        quick=body.quick,
        edge=body.edge,
        free=body.free,
    )
    check_options(options)
    revision = await run_in_threadpool(document.current)
    render = service.renders.ask(document, revision, options, body.client)
    return JSONResponse({"id": render.id, "revision": render.revision}, 202)


def check_options(options: Options) -> None:
    """Refuse what no decoder can do before anything waits for it.

    Raises:
        UsageError: there is no such decoder, or it does not take these options.
    """
    settings = {k: v for k, v in options.arguments.items() if k == "seed"}
    chosen_decoder(options.name, settings)


@router.get("/renders/{identity}", response_model=schemas.RenderState, tags=["renders"])
async def render_state(render: Asked) -> Any:
    """How far a render is."""
    return JSONResponse(render.told())


@router.get(
    "/renders/{identity}/events",
    response_class=Response,
    responses=gives("text/event-stream"),
    tags=["renders"],
)
async def render_events(render: Asked) -> Response:
    """How far a render is, at every change, as server-sent events; it ends with the last one.

    A render to which nobody listens any more is cancelled.
    """
    return EventStream(render)


class EventStream(Response):
    """The changes of a render, until the last one or until the listener goes."""

    media_type = "text/event-stream"

    def __init__(self, render: Render) -> None:
        super().__init__(None)
        self.render_ = render

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        headers = [(b"content-type", b"text/event-stream"), (b"x-accel-buffering", b"no")]
        async with anyio.create_task_group() as group:

            async def leave() -> None:
                while (await receive())["type"] != "http.disconnect":
                    pass
                group.cancel_scope.cancel()

            group.start_soon(leave)
            changes = self.render_.changes()
            try:
                await send({"type": "http.response.start", "status": 200, "headers": headers})
                async for text in _lines(changes):
                    body = text.encode()
                    await send({"type": "http.response.body", "body": body, "more_body": True})
                await send({"type": "http.response.body", "body": b""})
            finally:
                await changes.aclose()
            group.cancel_scope.cancel()


async def _lines(changes: AsyncGenerator[dict[str, Any]]) -> AsyncIterator[str]:
    """Changes as events, and comments when there are none for long."""
    waiting = asyncio.ensure_future(anext(changes, None))
    try:
        while True:
            done, _ = await asyncio.wait([waiting], timeout=_ALIVE)
            if not done:
                yield ": alive\n\n"
                continue
            if (change := waiting.result()) is None:
                return
            yield f"data: {json.dumps(change)}\n\n"
            waiting = asyncio.ensure_future(anext(changes, None))
    finally:
        if not waiting.done():
            waiting.cancel()
            await asyncio.wait([waiting])


@router.delete("/renders/{identity}", status_code=204, response_class=Response, tags=["renders"])
async def cancel_render(render: Asked) -> Response:
    """Give a render up."""
    render.cancel()
    return Response(status_code=204)


@router.get(
    "/renders/{identity}/pictures/{number}",
    response_class=Response,
    responses=gives(PNG),
    tags=["renders"],
)
def render_picture(
    render: Asked,
    number: int,
    side: Annotated[int | None, Query(ge=SIDES[0], le=SIDES[1])] = None,
) -> Response:
    """A picture of a render, without loss; with `side` smaller, without it as a finished PNG."""
    kept = render.picture(number)
    headers = {"X-Revision": render.revision}
    if side is not None:
        return picture_response(for_screen(to_side(kept.photo(), side)), headers)
    data = encode_photo(kept.photo(), "PNG", text=kept.provenance)
    return Response(data, media_type="image/png", headers=headers)


@router.get(
    "/documents/{identity}/download",
    response_class=Response,
    responses=gives(*FILES),
    tags=["files"],
)
async def download(
    service: Shared,
    document: Named,
    request: Request,
    format: str = "png",
    quality: Annotated[int | None, Query(ge=1, le=100)] = None,
    decoder: str | None = None,
    seed: Annotated[int, Query(ge=0)] = 0,
    edge: str | None = None,
    free: bool = False,
) -> Response:
    """A finished file: a picture (png, jpeg, webp, tiff), the element file (h5) or the edit script
    (json). A picture is what the document's command line makes, byte for byte."""
    revision = await run_in_threadpool(document.current)
    stem = document.path.stem
    if format == "h5":
        data = await run_in_threadpool(revision.content)
        return attachment(data, f"{stem}.h5", FILES[4])
    if format == "json":
        script = json.dumps(script_of(revision.elements), indent=2, ensure_ascii=False) + "\n"
        return attachment(script.encode(), f"{stem}-edits.json", FILES[5])
    if not format.isalnum():
        raise UsageError("there is no such format", hint="png, jpeg, webp, tiff, h5 or json")
    kind = photo_format(f"picture.{format}")
    options = Options(decoder=decoder, seed=seed, edge=edge, free=free)
    check_options(options)
    await run_in_threadpool(check_file, revision.elements, kind, quality, free)
    render = service.renders.ask(document, revision, options)
    await finished(render, request)
    data = await run_in_threadpool(encoded, render.picture(0), kind, quality)
    return attachment(data, f"{stem}-edited.{format}", f"image/{kind.lower()}")


async def finished(render: Render, request: Request) -> None:
    """Wait for a render, which is given up if who waits goes.

    Raises:
        EieError: it failed.
        RefusedError: 409, it was cancelled.
    """

    async def wait() -> None:
        async for _ in render.changes():
            pass

    waiting = asyncio.ensure_future(wait())
    while not (await asyncio.wait([waiting], timeout=0.5))[0]:
        if await request.is_disconnected():
            waiting.cancel()
    if render.failure is not None:
        raise render.failure
    if render.state == CANCELLED:
        raise RefusedError(409, "the render was cancelled")


def check_file(elements: ElementSet, kind: str, quality: int | None, free: bool) -> None:
    """Find out before a picture is made whether its format can hold it.

    Raises:
        UsageError: it cannot, or knows no such quality.
    """
    pixels = elements.sources[0].pixels
    if pixels is None and not free:
        raise UsageError("the file has no pixels", hint="run eie decompose without --no-pixels")
    check_picture(kind, elements.canvas, None if free else pixels, quality=quality)


def encoded(picture: KeptPicture, kind: str, quality: int | None) -> bytes:
    """The picture file that `eie render` writes."""
    return encode_photo(picture.photo(), kind, quality=quality, text=picture.provenance)


def attachment(data: bytes, name: str, kind: str) -> Response:
    """A file to keep."""
    value = f"attachment; filename*=UTF-8''{quote(name)}"
    return Response(data, media_type=kind, headers={"Content-Disposition": value})
