"""What is done to each of many inputs: content ⇒ the content of its outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Protocol

import eie
from eie.batch.inputs import Item
from eie.batch.manifest import content_hash
from eie.batch.recipe import Output, Recipe, check_render, settings_of
from eie.files import read_photo
from eie.files.folders import IMAGE_SUFFIXES
from eie.files.stores import AnyPath
from eie.notes import tell

ELEMENT_SUFFIXES = frozenset({".h5", ".hdf5", ".hdf", ".he5"})


class Job(Protocol):
    """One kind of work on many inputs; it can be pickled."""

    @property
    def suffixes(self) -> frozenset[str]:
        """Of the files that are taken from folders, in small letters."""
        ...

    @property
    def settings(self) -> Mapping[str, Any]:
        """All that the outputs depend on but their inputs, as JSON values."""
        ...

    @property
    def models(self) -> Sequence[str]:
        """Names of models, of which some are local files or folders."""
        ...

    def outputs(self, item: Item) -> tuple[Path, ...]:
        """Where the outputs of an input go, below the output folder."""
        ...

    def files(self, item: Item) -> Sequence[AnyPath]:
        """What is read for an input besides it."""
        ...

    def prepare(self) -> None:
        """Load what every input needs.

        Raises:
            MissingModelError: it is not there.
        """
        ...

    def work(self, item: Item, content: bytes) -> dict[Path, bytes]:
        """The content of the outputs; there may be fewer of them."""
        ...


@dataclass(frozen=True)
class RunRecipe:
    """A photo becomes an edited photo: all stages."""

    recipe: Recipe

    @property
    def suffixes(self) -> frozenset[str]:
        return IMAGE_SUFFIXES

    @property
    def settings(self) -> Mapping[str, Any]:
        return {"job": "run", **settings_of(self.recipe)}

    @property
    def models(self) -> Sequence[str]:
        recipe = self.recipe
        named = (
            recipe.decompose.get("segmenter"),
            (recipe.encode or {}).get("model"),
            recipe.render.get("model"),
        )
        return [name for name in named if name is not None]

    def outputs(self, item: Item) -> tuple[Path, ...]:
        pictures = self.recipe.output.paths(item.relative)
        return (*pictures, _element_file(item)) if self.recipe.elements else pictures

    def files(self, item: Item) -> Sequence[AnyPath]:
        return self.recipe.files_for(item)

    def prepare(self) -> None:
        _prepare_decompose(self.recipe.decompose)
        _prepare_render(self.recipe.render)

    def work(self, item: Item, content: bytes) -> dict[Path, bytes]:
        recipe = self.recipe
        photo = read_photo(content, str(item.path))
        tell(photo.notes)
        elements = eie.decompose(photo, **recipe.decompose)
        if recipe.encode is not None:
            elements = eie.encode(elements, **recipe.encode)
        # Element files hold numbers less finely; by these the commands one by one would go on.
        elements = eie.load(eie.dump(elements))
        if recipe.operations:
            elements = eie.edit(elements, recipe.operations_for(item), **recipe.edit)
        made = recipe.output.pictures(elements, recipe.render, item.relative, str(item.path))
        return made | ({_element_file(item): eie.dump(elements)} if recipe.elements else {})


class _ElementFiles:
    """What a job makes of element files, unless it says otherwise: an element file of each."""

    suffixes = ELEMENT_SUFFIXES

    @property
    def models(self) -> Sequence[str]:
        return ()

    def outputs(self, item: Item) -> tuple[Path, ...]:
        return (_element_file(item),)

    def files(self, item: Item) -> Sequence[AnyPath]:  # noqa: ARG002
        return ()

    def prepare(self) -> None:
        """Nothing."""


@dataclass(frozen=True)
class _ByOptions(_ElementFiles):
    """A job of one function of the library.

    Attributes:
        options: of that function.
    """

    name: ClassVar[str]
    model: ClassVar[str] = "model"
    """The option that names one."""
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def settings(self) -> Mapping[str, Any]:
        return {"job": self.name, "options": dict(self.options)}

    @property
    def models(self) -> Sequence[str]:
        return [str(self.options[self.model])] if self.model in self.options else []


@dataclass(frozen=True)
class Decompose(_ByOptions):
    """A photo becomes an element file.

    Attributes:
        options: of :func:`eie.decompose`.
        pixels: whether the file holds the photo's.
    """

    name = "decompose"
    model = "segmenter"
    suffixes = IMAGE_SUFFIXES
    pixels: bool = True

    @property
    def settings(self) -> Mapping[str, Any]:
        return {**super().settings, "pixels": self.pixels}

    def prepare(self) -> None:
        _prepare_decompose(self.options)

    def work(self, item: Item, content: bytes) -> dict[Path, bytes]:
        photo = read_photo(content, str(item.path))
        tell(photo.notes)
        made = eie.decompose(photo, **self.options)
        if not self.pixels:
            made = replace(made, sources=tuple(replace(s, pixels=None) for s in made.sources))
        return {_element_file(item): eie.dump(made)}


@dataclass(frozen=True)
class Encode(_ByOptions):
    """An element file gets embeddings.

    Attributes:
        options: of :func:`eie.encode`.
    """

    name = "encode"

    def prepare(self) -> None:
        from eie.models.content_checkpoints import load_patch_encoder

        load_patch_encoder(**self.options)

    def work(self, item: Item, content: bytes) -> dict[Path, bytes]:
        elements = eie.load(content, origin=str(item.path))
        return {_element_file(item): eie.dump(eie.encode(elements, **self.options))}


@dataclass(frozen=True)
class Edit(_ElementFiles):
    """An element file is edited by scripts.

    Attributes:
        scripts: one after the other; the operations of a recipe are one.
    """

    scripts: tuple[Recipe, ...]

    @property
    def settings(self) -> Mapping[str, Any]:
        return {"job": "edit", "scripts": [settings_of(script) for script in self.scripts]}

    def files(self, item: Item) -> Sequence[AnyPath]:
        return [path for script in self.scripts for path in script.files_for(item)]

    def work(self, item: Item, content: bytes) -> dict[Path, bytes]:
        elements = eie.load(content, origin=str(item.path))
        for script in self.scripts:
            elements = eie.edit(elements, script.operations_for(item), **script.edit)
        return {_element_file(item): eie.dump(elements)}


@dataclass(frozen=True)
class Render(_ByOptions):
    """An element file becomes a picture.

    Attributes:
        options: of :func:`eie.render`.
        output: how pictures are made of what is rendered.
    """

    name = "render"
    output: Output = Output()  # noqa: RUF009 - frozen

    @property
    def settings(self) -> Mapping[str, Any]:
        return {**super().settings, "output": asdict(self.output)}

    def outputs(self, item: Item) -> tuple[Path, ...]:
        return self.output.paths(item.relative)

    def prepare(self) -> None:
        _prepare_render(self.options)

    def work(self, item: Item, content: bytes) -> dict[Path, bytes]:
        elements = eie.load(content, origin=str(item.path))
        return self.output.pictures(elements, self.options, item.relative, str(item.path))


def model_hashes(job: Job) -> dict[str, str]:
    """SHA-256 in hex of the models of a job that are local files or folders, by name."""
    hashes = {name: content_hash(Path(name)) for name in job.models}
    return {name: found for name, found in hashes.items() if found is not None}


def needs_gpu(job: Job) -> bool:
    """Whether a job's settings ask for a GPU of CUDA's."""

    def asks(value: Any) -> bool:
        if not isinstance(value, Mapping):
            return False
        device = value.get("device")
        return (isinstance(device, str) and device.startswith("cuda")) or any(
            asks(each) for each in value.values()
        )

    return asks(job.settings)


def _element_file(item: Item) -> Path:
    return item.relative.with_suffix(".h5")


def _prepare_decompose(options: Mapping[str, Any]) -> None:
    from eie.decomposition import preloaded

    if "segmenter" in options or "device" in options:
        preloaded(options.get("segmenter", "tiny"), options.get("device"))


def _prepare_render(options: Mapping[str, Any]) -> None:
    _ = check_render(options).settings  # tells whether the weights are there
