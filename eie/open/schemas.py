"""The JSON bodies of requests, and what answers look like for the documentation."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from eie.open.renders import MOST_VARIATIONS
from eie.open.views import SIDES

MOST_OPERATIONS = 1000
"""Operations of one edit."""

Revision = Annotated[
    str | None,
    Field(description="The revision that is meant; 409 if it is not the current one. null: any."),
]
Tolerance = Annotated[
    float | None,
    Field(ge=0, le=1, description="For every `object@` that states none, as `--tolerance`."),
]


class Body(BaseModel):
    """A body without anything that is not known."""

    model_config = ConfigDict(extra="forbid")


class OpenRequest(Body):
    """A photo or an element file of the workspace, one of both."""

    photo: str | None = Field(None, description="Name of a photo; it is decomposed if need be.")
    file: str | None = Field(None, description="Name of an element file.")


class SelectRequest(Body):
    """A selection, as in edit scripts."""

    selection: str = Field(examples=["object@300,200-object@20,30"])
    tolerance: Tolerance = None
    deleted: bool = Field(False, description="Choose among deleted elements.")


class EditRequest(Body):
    """Operations of an edit script, which are one edit: all of them or none."""

    operations: list[dict[str, Any]] = Field(
        examples=[[{"operation": "move", "selection": "object@300,200", "shift": "-40,0"}]]
    )
    revision: Revision = None
    tolerance: Tolerance = None


class StepsRequest(Body):
    """How many recorded operations."""

    steps: int = Field(1, ge=1, le=1_000_000)
    revision: Revision = None


class ResetRequest(Body):
    """A reset."""

    revision: Revision = None


class RenderRequest(Body):
    """How to render; what is left out is as in `eie render`."""

    decoder: str | None = None
    seed: int = Field(0, ge=0, le=2**63 - 1)
    variations: int = Field(1, ge=1, le=MOST_VARIATIONS)
    quick: bool = Field(False, description="On a smaller canvas, for the screen.")
    edge: Literal["hard", "soft"] | None = None
    free: bool = False
    side: int | None = Field(
        None,
        ge=SIDES[0],
        le=SIDES[1],
        description="Taken and passed over: pictures are sized when they are fetched.",
    )
    client: str | None = Field(
        None,
        max_length=64,
        description="Who asks, as a tab of a browser does by a random text. An unfinished render "
        "of the same client, document and `quick` is given up.",
    )


class Size(BaseModel):
    """Pixels."""

    width: int
    height: int


class ElementRow(BaseModel):
    """A row of the element table."""

    id: int
    source: int
    patch: int
    box: list[float] = Field(description="cx, cy, w, h in pixels of the canvas")
    angle: float
    shear: float
    flip_x: bool
    flip_y: bool
    z: int
    visible: bool
    home: list[float] = Field(description="the same in the photo")


class Entry(BaseModel):
    """A recorded operation: an entry of an edit script, and more."""

    model_config = ConfigDict(extra="allow")

    operation: str
    text: str = Field(description="as it is typed", examples=["--move 3,7 +40,0"])
    later: bool = Field(description="done in one edit with the one before")


class State(BaseModel):
    """A document."""

    id: str
    file: str
    photo: str | None
    revision: str
    canvas: Size
    depth: int
    alpha: bool
    elements: list[ElementRow]
    groups: dict[str, list[int]]
    history: list[Entry] = Field(description="recorded operations, oldest first")
    undone: list[Entry] = Field(description="what redo does, the next one first")
    has_objects: bool
    command: str = Field(description="the command line that does the same")
    script: dict[str, Any] = Field(description="the edit script that does the same")


class Selected(BaseModel):
    """What a selection takes."""

    ids: list[int]
    rows: list[int] = Field(description="indices into the state's elements")
    box: list[float] = Field(description="x0, y0, x1, y1 in pixels of the canvas")
    centre: list[float] = Field(description="about which scale, rotate and flip are done")
    angle: float = Field(description="by which most of it is turned, in degrees")
    share: float = Field(description="of the canvas")
    text: str
    warnings: list[str]


class ListedDocument(BaseModel):
    """An element file of the workspace."""

    id: str
    file: str
    name: str


class ListedPhoto(BaseModel):
    """A photo of the workspace, and the document that was made of it."""

    name: str
    document: str | None
    width: int
    height: int


class WorkspaceState(BaseModel):
    """A workspace."""

    name: str
    version: str
    decoders: list[str]
    default_decoder: str
    documents: list[ListedDocument]
    photos: list[ListedPhoto]
    opened: str | None


class Kept(BaseModel):
    """A mask that was kept."""

    selection: str = Field(examples=["mask:photo-mask-1.png"])


class Asked(BaseModel):
    """A render that was asked for."""

    id: str
    revision: str


class RenderState(BaseModel):
    """A render."""

    id: str
    document: str
    revision: str
    state: Literal["waiting", "running", "done", "failed", "cancelled"]
    done: float = Field(description="0 to 1")
    stage: str
    pictures: int
    changed: float | None = Field(description="share of the pixels that differ from the photo")
    error: dict[str, str | None] | None


class Failure(BaseModel):
    """What was wrong, where, and what to do."""

    message: str
    where: str | None
    hint: str | None


class FailureBody(BaseModel):
    """The body of every answer from 400 up."""

    error: Failure
