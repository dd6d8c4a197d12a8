"""What a run takes and where it goes: files, folders, patterns ⇒ items, each with its outputs."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from eie.errors import BadInputError, UsageError
from eie.files.stores import AnyPath, StoredPath, parted, path_of


@dataclass(frozen=True)
class Item:
    """One input of many.

    Attributes:
        path: its file, on this machine or in a store.
        relative: its path below the folder it was found in, or its name alone: where its outputs
            go below the output folder.
    """

    path: AnyPath
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
    """Whether inputs are more than one file: several names, a folder or a pattern.

    What lies in a store counts as several, too: what is made of it goes to a folder.
    """
    if len(names) > 1:
        return True
    paths = [path_of(name) for name in names]
    return any(isinstance(p, StoredPath) or p.is_dir() or _is_pattern(p) for p in paths)


def items_of(
    names: Iterable[str],
    suffixes: Collection[str],
    *,
    recursive: bool = False,
    without: AnyPath | None = None,
) -> list[Item]:
    """The files that names stand for, in one order, each once.

    A file is taken whatever its name is; a missing one, too, as its turn will tell. Of folders and
    patterns those with known suffixes are taken, hidden ones and label maps of people not.

    Args:
        names: files, folders, or patterns such as `photos/**/*.jpg`, which the shell has left;
            on this machine or in a store (`s3://bucket/photos`).
        suffixes: of the files taken, in small letters.
        recursive: whether folders are searched to their depth.
        without: a folder that is passed over: that of the outputs.

    Raises:
        BadInputError: a folder or pattern has no such file.
    """
    search = _Search(suffixes, None if without is None else _real(without))
    found: dict[tuple[str, Path], Item] = {}
    for name in names:
        for item in search.items(path_of(name), recursive):
            found.setdefault((_real(item.path), item.relative), item)
    return list(found.values())


def refuse_clashes(
    items: Iterable[Item], outputs: Callable[[Item], Sequence[Path]], folder: AnyPath
) -> None:
    """Refuse inputs that would make one output, and outputs in place of inputs.

    Args:
        outputs: of an item, below `folder`.

    Raises:
        UsageError: naming both.
    """
    items = list(items)
    inputs = {_real(item.path) for item in items}
    makers: dict[Path, Item] = {}
    for item in items:
        for output in outputs(item):
            other = makers.setdefault(output, item)
            if other is not item:
                raise UsageError(
                    f"{other.path} and {item.path} would both become {folder / output}",
                    hint="rename one, name the folder above both, or use a folder for each",
                )
            if _real(folder / output) in inputs:
                raise UsageError(
                    f"{folder / output} would be written over an input", hint="choose another -o"
                )


@dataclass(frozen=True)
class _Search:
    """What is taken of folders and patterns.

    Attributes:
        suffixes: of the files, in small letters.
        without: the real name of a folder that is passed over, if any.
    """

    suffixes: Collection[str]
    without: str | None

    def items(self, path: AnyPath, recursive: bool) -> list[Item]:
        """The files that a path stands for."""
        if path.is_dir():
            return self._of_folder(path, recursive)
        if not _is_pattern(path):
            return [Item(path, Path(path.name))]
        base, pattern = parted(path)
        files: Iterable[PurePath]
        if isinstance(base, StoredPath):
            files = base.glob(pattern)
        else:
            found = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207
            files = [Path(match).relative_to(base) for match in found if Path(match).is_file()]
        # Of a pattern in the output folder itself, what it names is meant.
        inside = self.without not in (None, _real(base))
        items = [i for i in self._taken(base, files) if not (inside and self._passes_over(i.path))]
        if not items:
            raise BadInputError(
                "the pattern finds no file that is taken",
                where=str(path),
                hint=f"known are {' '.join(sorted(self.suffixes))}; ** stands for folders of any "
                "depth",
            )
        return items

    def _of_folder(self, folder: AnyPath, recursive: bool) -> list[Item]:
        items = list(self._taken(folder, self._files(folder, recursive)))
        if items:
            return items
        deeper = not recursive and any(self._taken(folder, self._files(folder, True)))
        raise BadInputError(
            f"the folder holds none of {' '.join(sorted(self.suffixes))}",
            where=str(folder),
            hint="folders in it do: use --recursive" if deeper else None,
        )

    def _files(self, folder: AnyPath, recursive: bool) -> Iterator[PurePath]:
        """The files of a folder, hidden folders and that of the outputs not searched."""
        if isinstance(folder, Path):
            yield from self._walked(folder, recursive)
            return
        inside = self.without != _real(folder)
        for file in folder.files(recursive):
            over = inside and self._passes_over(folder / file)
            if not over and not any(map(_is_hidden, file.parts[:-1])):
                yield file

    def _walked(self, folder: Path, recursive: bool) -> Iterator[PurePath]:
        def fail(error: OSError) -> None:
            raise BadInputError(f"cannot be read: {error.strerror}", where=str(error.filename))

        for parent, folders, files in os.walk(folder, onerror=fail):
            here = Path(parent)
            folders[:] = sorted(
                each
                for each in folders
                if recursive and not _is_hidden(each) and _real(here / each) != self.without
            )
            yield from ((here / file).relative_to(folder) for file in sorted(files))

    def _taken(self, base: AnyPath, files: Iterable[PurePath]) -> Iterator[Item]:
        from eie.files.folders import SEGMENTATION_NAME

        for file in files:
            named = file.suffix.lower() in self.suffixes and not _is_hidden(file.name)
            if named and not SEGMENTATION_NAME.fullmatch(file.name):
                yield Item(base / file, Path(file))

    def _passes_over(self, path: AnyPath) -> bool:
        return self.without is not None and _is_below(_real(path), self.without)


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def _is_pattern(path: AnyPath) -> bool:
    """Whether a path is no file's, and could be many's."""
    if not glob.has_magic(str(path)):
        return False
    if isinstance(path, StoredPath):
        return path.may_be_pattern and not path.is_file()
    return not os.path.lexists(path)


def _real(path: AnyPath) -> str:
    """The one name of a file or folder that may have several."""
    return str(path) if isinstance(path, StoredPath) else os.path.realpath(path)


def _is_below(path: str, folder: str) -> bool:
    """Whether one real name lies below, or is, another."""
    return PurePath(folder) in (PurePath(path), *PurePath(path).parents)


def numbered(path: Path, count: int) -> tuple[Path, ...]:
    """Where each of several variations goes: OUT.png alone, or OUT-1.png, OUT-2.png …"""
    if count == 1:
        return (path,)
    return tuple(path.with_stem(f"{path.stem}-{index}") for index in range(1, count + 1))
