"""The addresses of the API that concern documents."""

from __future__ import annotations

import gzip
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool

from eie.editing.terms import Mask
from eie.errors import UsageError
from eie.open import schemas
from eie.open.documents import MOST_SIDE, Document
from eie.open.failures import RefusedError
from eie.open.incoming import keep_mask, received
from eie.open.renders import QUICK_SIDE
from eie.open.service import Service
from eie.open.views import (
    MOST_WITH_OBJECTS,
    SIDES,
    Encoded,
    current,
    cut_out,
    for_screen,
    labels,
    objects,
    unedited,
)

router = APIRouter()

Side = Annotated[
    int, Query(ge=SIDES[0], le=SIDES[1], description="Pixels of the longer side, at most.")
]


def gives(*kinds: str, status: int = 200) -> dict[int | str, dict[str, Any]]:
    """What an answer is, for the documentation, of one that is no JSON."""
    schema = {"type": "string", "format": "binary"}
    content = {kind: {"schema": schema} for kind in kinds}
    return {status: {"description": "the file", "content": content}}


def takes(*kinds: str) -> dict[str, Any]:
    """What a request's body is, for the documentation, of one that is no JSON."""
    schema = {"type": "string", "format": "binary"}
    content = {kind: {"schema": schema} for kind in kinds}
    return {"requestBody": {"required": True, "content": content}}


PNG, JPEG, BYTES = "image/png", "image/jpeg", "application/octet-stream"


def service_of(request: Request) -> Service:
    """What all requests share."""
    service: Service = request.app.state.service
    return service


def document_of(identity: str, request: Request) -> Document:
    """The document of the address."""
    return service_of(request).documents.by_id(identity)


Shared = Annotated[Service, Depends(service_of)]
Named = Annotated[Document, Depends(document_of)]


@router.get("/workspace", response_model=schemas.WorkspaceState, tags=["workspace"])
def workspace(service: Shared) -> Any:
    """What there is: photos and element files of the folder, and decoders."""
    return JSONResponse(service.told())


@router.get(
    "/workspace/thumbnail", response_class=Response, responses=gives(JPEG, PNG), tags=["workspace"]
)
def thumbnail(service: Shared, name: str, side: Side = 256) -> Response:
    """A small picture of a photo of the folder."""
    return picture_response(service.photos.thumbnail(service.workspace.file(name), side))


@router.post("/documents", response_model=schemas.State, status_code=201, tags=["documents"])
async def open_document(service: Shared, body: schemas.OpenRequest) -> Any:
    """Open a photo, which is decomposed unless its element file is there, or an element file."""
    if (body.photo is None) == (body.file is None):
        raise UsageError("name a photo or an element file", hint='{"photo": "name.jpg"}')
    if body.photo is not None:
        path = await run_in_threadpool(service.workspace.file, body.photo)
        document = await service.open_photo(path)
    else:
        document = await run_in_threadpool(service.open_file, body.file or "")
    return JSONResponse(await run_in_threadpool(service.state, document), 201)


@router.post(
    "/documents/upload",
    response_model=schemas.State,
    status_code=201,
    tags=["documents"],
    openapi_extra=takes(BYTES),
)
async def upload(service: Shared, request: Request, name: str) -> Any:
    """Take in a photo or an element file, the request's body, under a name that is free."""
    incoming = await received(service.workspace, request.stream())
    document = await service.take_in(incoming, name)
    return JSONResponse(await run_in_threadpool(service.state, document), 201)


@router.get("/documents/{identity}", response_model=schemas.State, tags=["documents"])
def document_state(service: Shared, document: Named) -> Any:
    """The state of a document: elements, groups, history, and the command line that makes it."""
    return JSONResponse(service.state(document))


@router.get(
    "/documents/{identity}/labels", response_class=Response, responses=gives(BYTES), tags=["maps"]
)
def label_map(document: Named, request: Request, side: Side = 1024) -> Response:
    """Which element is in front, by pixel: its index in the state's elements, little-endian.

    Two bytes a pixel, 65535 where no element is; four of tables of more than 65,534 rows, which
    `X-Bytes` tells. The map is `X-Width` × `X-Height`.
    """
    revision = document.current()
    side = min(side, max(revision.elements.canvas))  # larger ones are the same map
    found = revision.view(("labels", side), lambda: labels(revision.elements, side))
    headers = {
        "X-Width": str(found.width),
        "X-Height": str(found.height),
        "X-Bytes": str(found.bytes),
        "X-Revision": revision.name,
        "Vary": "Accept-Encoding",
    }
    data = found.data
    if "gzip" in request.headers.get("accept-encoding", ""):
        data = revision.view(("packed", side), lambda: gzip.compress(data, 1, mtime=0))
        headers["Content-Encoding"] = "gzip"
    return Response(data, media_type="application/octet-stream", headers=headers)


@router.get(
    "/documents/{identity}/objects", response_class=Response, responses=gives(BYTES), tags=["maps"]
)
def object_map(document: Named) -> Response:
    """What `object@` takes at each element, as bits.

    For each element, in the state's order, three rows of ⌈N / 8⌉ bytes, the highest bit first: the
    elements of the thing at a place on it, as `:part`, by itself, as `:whole`. `X-Count` is N.
    """
    revision = document.current()
    count = len(revision.elements)
    if count > MOST_WITH_OBJECTS:
        raise RefusedError(404, f"{count} elements are too many", hint="ask select")
    try:
        bits = revision.view("objects", lambda: objects(revision.elements))
    except UsageError as error:
        raise RefusedError(404, error.message, hint="choose by id, @x,y or box:") from error
    headers = {"X-Count": str(count), "X-Revision": revision.name}
    return Response(bits, media_type="application/octet-stream", headers=headers)


@router.post("/documents/{identity}/select", response_model=schemas.Selected, tags=["editing"])
def select(service: Shared, document: Named, body: schemas.SelectRequest) -> Any:
    """What a selection takes, without an edit."""
    elements = document.current().elements
    found = service.select(elements, body.selection, body.tolerance, deleted=body.deleted)
    return JSONResponse(found)


@router.post(
    "/documents/{identity}/masks",
    response_model=schemas.Kept,
    status_code=201,
    tags=["editing"],
    openapi_extra=takes(PNG),
)
async def keep_a_mask(service: Shared, document: Named, request: Request) -> Any:
    """Keep a mask, a PNG of the canvas's proportions, white inside; a selection names it then."""
    data = await request.body()
    name = await run_in_threadpool(keep_mask, service.workspace, document, data)
    return JSONResponse({"selection": str(Mask(name))}, 201)


@router.post("/documents/{identity}/edits", response_model=schemas.State, tags=["editing"])
def edit(service: Shared, document: Named, body: schemas.EditRequest) -> Any:
    """Apply operations of an edit script as one edit: all of them, or none.

    Selections mean the picture before the first of them. formats/edit-script.md describes both.
    """
    revision = service.edit(document, body.operations, body.revision, body.tolerance)
    return JSONResponse(service.state(document, revision))


@router.post("/documents/{identity}/undo", response_model=schemas.State, tags=["editing"])
def undo(service: Shared, document: Named, body: schemas.StepsRequest) -> Any:
    """Take recorded operations back, the latest first."""
    revision = service.step(document, body.steps, body.revision, back=True)
    return JSONResponse(service.state(document, revision))


@router.post("/documents/{identity}/redo", response_model=schemas.State, tags=["editing"])
def redo(service: Shared, document: Named, body: schemas.StepsRequest) -> Any:
    """Do again what was taken back, if nothing was edited since."""
    revision = service.step(document, body.steps, body.revision, back=False)
    return JSONResponse(service.state(document, revision))


@router.post("/documents/{identity}/reset", response_model=schemas.State, tags=["editing"])
def reset(service: Shared, document: Named, body: schemas.ResetRequest) -> Any:
    """Go back to the unedited photo; an edit like others, so it can be undone."""
    return JSONResponse(service.state(document, service.reset(document, body.revision)))


@router.get(
    "/documents/{identity}/picture",
    response_class=Response,
    responses=gives(JPEG, PNG),
    tags=["pictures"],
)
def picture(document: Named, side: Side = 1600, of: str = "photo") -> Response:
    """The unedited photo, or with `of=current` the canvas with its holes, which are transparent."""
    if of not in ("photo", "current"):
        raise UsageError(f"there is no picture of {of!r}", hint="photo or current")
    revision = document.current()

    def make() -> Encoded:
        if of == "photo":
            small = document.reduced(revision, side)
            return for_screen(unedited(small), exact=False)
        return for_screen(current(document.reduced(revision, side)))

    found = revision.view(("picture", of, side), make) if side <= MOST_SIDE else make()
    answer = picture_response(found, {"X-Revision": revision.name})
    # Who looks at a photo will soon want it rendered quickly.
    answer.background = BackgroundTask(document.reduced, revision, QUICK_SIDE)
    return answer


@router.get(
    "/documents/{identity}/cutout", response_class=Response, responses=gives(PNG), tags=["pictures"]
)
def cutout(service: Shared, document: Named, selection: str, side: Side | None = None) -> Response:
    """A selection as it is now, its soft edge included, on nothing; `X-Box` tells where it lies."""
    revision = document.current()
    ids = service.select(revision.elements, selection)["ids"]
    canvas = revision.elements.canvas
    elements = revision.elements if side is None else document.reduced(revision, side)
    photo, box = cut_out(elements, ids)
    height, width = elements.canvas
    scale = (canvas.width / width, canvas.height / height) * 2
    place = ",".join(f"{edge * factor:g}" for edge, factor in zip(box, scale, strict=True))
    return picture_response(for_screen(photo), {"X-Box": place, "X-Revision": revision.name})


def picture_response(picture: Encoded, headers: dict[str, str] | None = None) -> Response:
    """A picture for the screen as an answer."""
    return Response(picture.data, media_type=picture.kind, headers=headers)
