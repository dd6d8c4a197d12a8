"""What a run takes and where it goes: files, folders, patterns ⇒ items, each with its outputs."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from eie.errors import BadInputError, UsageError


@dataclass(frozen=True)
class Item:
    """One input of many.

    Attributes:
        path: its file.
        relative: its path below the folder it was found in, or its name alone: where its outputs
            go below the output folder.
    """

    path: Path
    relative: Path

    @property
    def stem(self) -> str:
        return self.relative.stem


@dataclass(frozen=True)
class Shard:
    """Part `index` of `count`, counted from 1: every so many of the items."""

    index: int = 1
    count: int = 1

    @classmethod
    def parse(cls, text: str) -> Shard:
        """The shard "3/16".

        Raises:
            UsageError: it is none.
        """
        numbers = text.split("/")
        if len(numbers) != 2 or not all(n.isdecimal() and n.isascii() for n in numbers):
            raise UsageError(f"{text!r} is no shard", hint="--shard 3/16 is the third of sixteen")
        index, count = (int(number) for number in numbers)
        if not 1 <= index <= count:
            raise UsageError(
                f"there is no shard {text}", hint=f"they are 1/{count} to {count}/{count}"
            )
        return cls(index, count)

    def of(self, items: Sequence[Item]) -> list[Item]:
        return list(items[self.index - 1 :: self.count])


def is_several(names: Sequence[str]) -> bool:
    """Whether inputs are more than one file: several names, a folder or a pattern."""
    return len(names) > 1 or any(Path(name).is_dir() or _is_pattern(name) for name in names)


def items_of(
    names: Iterable[str],
    suffixes: Collection[str],
    *,
    recursive: bool = False,
    without: Path | None = None,
) -> list[Item]:
    """The files that names stand for, in one order, each once.

    A file is taken whatever its name is; a missing one, too, as its turn will tell. Of folders and
    patterns those with known suffixes are taken, hidden ones and label maps of people not.

    Args:
        names: files, folders, or patterns such as `photos/**/*.jpg`, which the shell has left.
        suffixes: of the files taken, in small letters.
        recursive: whether folders are searched to their depth.
        without: a folder that is passed over: that of the outputs.

    Raises:
        BadInputError: a folder or pattern has no such file.
    """
    found: dict[tuple[str, Path], Item] = {}
    for name in names:
        for item in _items(name, suffixes, recursive, without):
            found.setdefault((os.path.realpath(item.path), item.relative), item)
    return list(found.values())


def refuse_clashes(
    items: Iterable[Item], outputs: Callable[[Item], Sequence[Path]], folder: Path
) -> None:
    """Refuse inputs that would make one output, and outputs in place of inputs.

    Args:
        outputs: of an item, below `folder`.

    Raises:
        UsageError: naming both.
    """
    items = list(items)
    inputs = {os.path.realpath(item.path) for item in items}
    makers: dict[Path, Item] = {}
    root = os.path.realpath(folder)
    for item in items:
        for output in outputs(item):
            other = makers.setdefault(output, item)
            if other is not item:
                raise UsageError(
                    f"{other.path} and {item.path} would both become {folder / output}",
                    hint="rename one, name the folder above both, or use a folder for each",
                )
            if os.path.join(root, output) in inputs:  # noqa: PTH118 - as the inputs' paths
                raise UsageError(
                    f"{folder / output} would be written over an input", hint="choose another -o"
                )


def _items(
    name: str, suffixes: Collection[str], recursive: bool, without: Path | None
) -> list[Item]:
    path = Path(name)
    if path.is_dir():
        items = list(_in_folder(path, suffixes, recursive, without))
        if not items:
            deeper = not recursive and any(_in_folder(path, suffixes, True, without))
            raise BadInputError(
                f"the folder holds none of {' '.join(sorted(suffixes))}",
                where=name,
                hint="folders in it do: use --recursive" if deeper else None,
            )
        return items
    if not _is_pattern(name):
        return [Item(path, Path(path.name))]
    base = _fixed_part(name)
    matches = [Path(match) for match in sorted(glob.glob(name, recursive=True))]  # noqa: PTH207
    taken = [match for match in matches if _is_wanted(match, suffixes) and match.is_file()]
    output = None if without is None else os.path.realpath(without)
    if output is not None and _is_below(Path(output), os.path.realpath(base)):
        taken = [match for match in taken if not _is_below(match, output)]
    if not taken:
        raise BadInputError(
            "the pattern finds no file that is taken",
            where=name,
            hint=f"known are {' '.join(sorted(suffixes))}; ** stands for folders of any depth",
        )
    return [Item(match, match.relative_to(base)) for match in taken]


def _in_folder(
    folder: Path, suffixes: Collection[str], recursive: bool, without: Path | None
) -> Iterator[Item]:
    def fail(error: OSError) -> None:
        raise BadInputError(f"cannot be read: {error.strerror}", where=str(error.filename))

    output = None if without is None else os.path.realpath(without)
    for parent, folders, files in os.walk(folder, onerror=fail):
        here = Path(parent)
        folders[:] = sorted(
            each
            for each in folders
            if recursive
            and not each.startswith(".")
            and each != "__MACOSX"
            and os.path.realpath(here / each) != output
        )
        for file in sorted(files):
            path = here / file
            if _is_wanted(path, suffixes):
                yield Item(path, path.relative_to(folder))


def _is_wanted(path: Path, suffixes: Collection[str]) -> bool:
    from eie.files.folders import SEGMENTATION_NAME

    return (
        path.suffix.lower() in suffixes
        and not path.name.startswith(".")
        and not SEGMENTATION_NAME.fullmatch(path.name)
    )


def _is_pattern(name: str) -> bool:
    """Whether a name is no file's, and could be many's."""
    return glob.has_magic(name) and not os.path.lexists(name)


def _fixed_part(pattern: str) -> Path:
    """The folder of a pattern down to its first part that stands for several."""
    parts = Path(pattern).parts
    fixed = next(index for index, part in enumerate(parts) if glob.has_magic(part))
    return Path(*parts[:fixed])


def _is_below(path: Path, folder: str) -> bool:
    return Path(folder) in Path(os.path.realpath(path)).parents
