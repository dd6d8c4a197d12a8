"""Recipes: what is done to every photo of many, as JSON, and what becomes of their renderings.

formats/recipe.md describes them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from eie.batch.inputs import Item, numbered
from eie.editing import OPERATIONS, Operation, read_script
from eie.editing import script as scripts
from eie.elements import ElementSet
from eie.errors import BadInputError, EieError, UsageError
from eie.files import encode_photo, photo_format
from eie.files.photo_writing import check_quality
from eie.files.stores import AnyPath, path_of
from eie.notes import tell

PICTURES = {"png": "PNG", "jpg": "JPEG", "webp": "WEBP"}
"""The formats of a recipe's pictures, by extension."""


@dataclass(frozen=True)
class Output:
    """How the pictures of one element set are made and written.

    Attributes:
        format: as their extension.
        quality, metadata: as :func:`eie.files.encode_photo`.
        size: as :meth:`eie.rendering.Rendering.picture`.
        variations: how many pictures, of seeds one after the other.
    """

    format: str = "png"
    quality: int | None = None
    metadata: bool = True
    size: int | None = None
    variations: int = 1

    @property
    def kind(self) -> str:
        return PICTURES.get(self.format) or photo_format(f"picture.{self.format}")

    def check(self, decoder: Any) -> None:
        """Find out before the work what no picture could be made with.

        Args:
            decoder: of the renderings.

        Raises:
            UsageError: there is something.
        """
        from eie.rendering import VaryingDecoder

        check_quality(self.quality, self.kind)
        if self.size is not None and self.size < 1:
            raise UsageError(f"the size is {self.size}", hint="1 pixel or more")
        if self.variations < 1:
            raise UsageError(f"there are to be {self.variations} variations", hint="1 or more")
        if self.variations > 1 and not isinstance(decoder, VaryingDecoder):
            raise UsageError(f"the decoder '{decoder.name}' always makes the same picture")

    def paths(self, relative: Path) -> tuple[Path, ...]:
        """Where the pictures of an input go."""
        return numbered(relative.with_suffix(f".{self.format}"), self.variations)

    def pictures(
        self, elements: ElementSet, options: Mapping[str, Any], relative: Path, where: str
    ) -> dict[Path, bytes]:
        """The content of the pictures by where they go: as many as differ.

        Args:
            options: of :func:`eie.render`.
            where: the name of the input, for messages.
        """
        from eie.rendering import variations

        renderings = variations(elements, self.variations, **options)
        if len(renderings) < self.variations:
            tell([fewer(len(renderings), self.variations)])
        return {
            path: encode_photo(
                rendering.picture(self.size),
                self.kind,
                quality=self.quality,
                metadata=self.metadata,
                text=rendering.provenance,
                where=where,
            )
            for path, rendering in zip(self.paths(relative), renderings, strict=False)
        }


def fewer(there: int, wanted: int) -> str:
    """What is told where there are fewer variations than were wanted."""
    return f"there are {there} fills that differ and are about as good, not {wanted}"


FORMAT = "eie-recipe"
VERSION = 1

STEM, PATH = "{stem}", "{path}"
"""What stands in the names of masks and element files for a photo's name, and for its path below
the folder it was found in, both without extension."""

OWN = ("decoder", "free", "dilation", "edge")
"""Those that are no decoder's."""


@dataclass(frozen=True)
class Recipe:
    """What is done to every photo.

    Attributes:
        decompose, encode: arguments of :func:`eie.decompose` and :func:`eie.encode`; no `encode`
            means that only decoders which read embeddings make them.
        operations: of the edit, their files named as in the recipe.
        folders: where these files are looked for, before the working folder.
        edit: further arguments of :func:`eie.edit`.
        render: arguments of :func:`eie.render`.
        output: how pictures are made of what is rendered.
        elements: whether the element file is kept, too.
    """

    decompose: Mapping[str, Any] = field(default_factory=dict)
    encode: Mapping[str, Any] | None = None
    operations: tuple[Operation, ...] = ()
    folder: AnyPath = Path()
    edit: Mapping[str, Any] = field(default_factory=dict)
    render: Mapping[str, Any] = field(default_factory=dict)
    output: Output = Output()
    elements: bool = False

    def operations_for(self, item: Item) -> list[Operation]:
        """The operations with the names of a photo's masks and element files filled in."""
        beside = scripts.found_in(self.folder)
        path = item.relative.with_suffix("").as_posix()

        def found(name: str) -> str:
            return beside(name.replace(STEM, item.stem).replace(PATH, path))

        return [scripts.with_files(operation, found) for operation in self.operations]

    def files_for(self, item: Item) -> list[AnyPath]:
        """The masks and element files that a photo's operations read."""
        named = [scripts.files_of(operation) for operation in self.operations_for(item)]
        return [path_of(name) for names in named for name in names]


Check = tuple[str, Callable[[Any], bool]]

_TEXT: Check = ("a text", lambda value: isinstance(value, str))
_FLAG: Check = ("true or false", lambda value: isinstance(value, bool))
_WHOLE: Check = ("a whole number", lambda value: type(value) is int)
_NUMBER: Check = ("a number", lambda value: type(value) in (int, float))
_OBJECT: Check = ("an object { … }", lambda value: isinstance(value, dict))
_EDIT: Check = (
    "a list of operations or the path of an edit script",
    lambda value: isinstance(value, str | list),
)

TOP: Mapping[str, Check] = {
    "format": _TEXT,
    "version": _WHOLE,
    "decompose": _OBJECT,
    "encode": _OBJECT,
    "edit": _EDIT,
    "tolerance": _NUMBER,
    "intent": _TEXT,
    "render": _OBJECT,
    "elements": _FLAG,
}
DECOMPOSE: Mapping[str, Check] = {
    "segmenter": _TEXT,
    "elements": _WHOLE,
    "beta": _NUMBER,
    "device": _TEXT,
}
ENCODE: Mapping[str, Check] = {"model": _TEXT, "device": _TEXT}
RENDER: Mapping[str, Check] = {
    "decoder": _TEXT,
    "free": _FLAG,
    "dilation": _WHOLE,
    "edge": _TEXT,
    "seed": _WHOLE,
    "model": _TEXT,
    "device": _TEXT,
    "working_size": _WHOLE,
    "steps": _WHOLE,
    "guidance": _NUMBER,
    "temperature": _NUMBER,
    "prompt": _TEXT,
    "negative_prompt": _TEXT,
    "scheduler": _TEXT,
    "format": _TEXT,
    "quality": _WHOLE,
    "metadata": _FLAG,
    "size": _WHOLE,
    "variations": _WHOLE,
}
"""The keys of a recipe and of its parts, with what their values are."""


def read_recipe(file: AnyPath | str) -> Recipe:
    """Read a recipe; edit scripts, masks and element files are looked for beside it.

    Raises:
        BadInputError: it is no recipe; what is wrong in it is named.
    """
    from eie.files.streams import open_input

    with open_input(file) as handle:
        text = handle.read()
    return parse_recipe(text, where=str(file), folder=path_of(file).parent)


def parse_recipe(text: str | bytes, *, where: str = "recipe", folder: AnyPath = Path()) -> Recipe:
    """The recipe in a JSON text.

    Args:
        where: its file, for error messages.
        folder: where the files it names are looked for, before the working folder.

    Raises:
        BadInputError: it is none.
    """
    recipe = _document(text, where)
    parts: dict[str, dict[str, Any]] = {}
    for name, known in (("decompose", DECOMPOSE), ("encode", ENCODE), ("render", RENDER)):
        parts[name] = _checked(recipe.get(name, {}), known, f"{where}, {name}")
    render = parts["render"]
    own = [each.name for each in fields(Output)]
    output = Output(**{name: render.pop(name) for name in own if name in render})
    operations, beside = _operations(recipe.get("edit", []), where, folder)
    read = Recipe(
        decompose=parts["decompose"],
        encode=parts["encode"] if "encode" in recipe else None,
        operations=tuple(operations),
        folder=beside,
        edit={name: recipe[name] for name in ("tolerance", "intent") if name in recipe},
        render=render,
        output=output,
        elements=recipe.get("elements", False),
    )
    _check_values(read, where)
    return read


def _document(text: str | bytes, where: str) -> dict[str, Any]:
    hint = (
        f'it begins {{"format": "{FORMAT}", "version": {VERSION}, …; formats/recipe.md describes it'
    )
    return _checked(
        scripts.read_document(text, where, "a recipe", FORMAT, VERSION, hint), TOP, where
    )


def _checked(part: Any, known: Mapping[str, Check], where: str) -> dict[str, Any]:
    """A part of a recipe whose keys are known and whose values are of their kinds."""
    for key, value in part.items():
        if key not in known:
            near = get_close_matches(key, known, n=1, cutoff=0.6)
            hint = f"did you mean {near[0]!r}?" if near else f"known are: {', '.join(known)}"
            raise BadInputError(f"there is no {key!r}", where=where, hint=hint)
        kind, fits = known[key]
        if not fits(value):
            raise BadInputError(f"{key!r} is {json.dumps(value)[:40]}, not {kind}", where=where)
    return dict(part)


def _operations(edit: Any, where: str, folder: AnyPath) -> tuple[list[Operation], AnyPath]:
    """The operations of the edit, and the folder of what names them."""
    if isinstance(edit, list):
        known = [operation.name for operation in OPERATIONS]
        for number, entry in enumerate(edit, 1):
            name = entry.get("operation") if isinstance(entry, dict) else None
            near = get_close_matches(str(name), known, n=1, cutoff=0.6)
            if isinstance(name, str) and name not in known and near:
                raise BadInputError(
                    f"there is no operation {name!r}",
                    where=f"{where}, edit, operation {number}",
                    hint=f"did you mean {near[0]!r}?",
                )
        script = {"format": scripts.FORMAT, "version": scripts.VERSION, "operations": edit}
        return read_script(json.dumps(script), where=f"{where}, edit"), folder
    from eie.files.streams import open_input

    file = path_of(scripts.found_in(folder)(edit))
    with open_input(file) as handle:
        return read_script(handle.read(), where=str(file)), file.parent


def _check_values(recipe: Recipe, where: str) -> None:
    """Find out before the work what no photo could be made with."""
    from eie.editing.operations.pasting import INTENTS

    if recipe.output.format not in PICTURES:
        raise BadInputError(
            f"there is no format {recipe.output.format!r}",
            where=f"{where}, render",
            hint=f"choose one of {', '.join(PICTURES)}",
        )
    if recipe.edit.get("intent", INTENTS[0]) not in INTENTS:
        raise BadInputError(
            f"there is no intent {recipe.edit['intent']!r}",
            where=where,
            hint=f"choose one of {', '.join(INTENTS)}",
        )
    if not 0 <= recipe.edit.get("tolerance", 0) <= 1:
        raise BadInputError(
            f"the tolerance {recipe.edit['tolerance']} is outside 0 to 1", where=where
        )
    try:
        recipe.output.check(check_render(recipe.render))
    except EieError as error:
        if not isinstance(error, UsageError):
            raise
        raise BadInputError(error.message, where=f"{where}, render", hint=error.hint) from error


def check_render(settings: Mapping[str, Any]) -> Any:
    """The decoder that settings of :func:`eie.render` choose, after a look at all of them.

    Raises:
        UsageError: they cannot be.
    """
    from eie.rendering import DEFAULT, DEFAULT_FREE, DILATION, EDGES, FreeDecoder, chosen_decoder

    free = settings.get("free", False)
    name = settings.get("decoder", DEFAULT_FREE if free else DEFAULT)
    decoder = chosen_decoder(name, {k: v for k, v in settings.items() if k not in OWN})
    if free and not isinstance(decoder, FreeDecoder):
        raise UsageError(f"the decoder '{name}' cannot render from embeddings alone")
    if free and ("dilation" in settings or "edge" in settings):
        raise UsageError('a dilation or an edge has no meaning with "free"')
    if not 0 <= settings.get("dilation", 0) <= DILATION:
        raise UsageError(f"the dilation is {settings['dilation']}", hint=f"choose 0 to {DILATION}")
    if settings.get("edge", EDGES[0]) not in EDGES:
        raise UsageError(
            f"there is no edge {settings['edge']!r}", hint=f"choose {' or '.join(EDGES)}"
        )
    return decoder


def settings_of(recipe: Recipe) -> dict[str, Any]:
    """All that a recipe says, as JSON values; not where it lies."""
    told = {
        each.name: getattr(recipe, each.name) for each in fields(recipe) if each.name != "folder"
    }
    operations = [operation.as_json() for operation in recipe.operations]
    return told | {"operations": operations, "output": asdict(recipe.output)}
