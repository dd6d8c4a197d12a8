"""Element files, pictures and answers in and out of a command: by name, by `-`, through a pipe; and
what a person sees meanwhile."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import typer

import eie
from eie.elements import ElementSet
from eie.errors import UsageError
from eie.files import encode_photo, photo_format, write_atomically
from eie.files.atomic import check_output, exclusive, is_no_file
from eie.files.folders import IMAGE_SUFFIXES
from eie.files.kinds import HDF5, HEAD, picture_kind
from eie.files.streams import STREAM, read_input, write_output

if TYPE_CHECKING:
    from eie.files.photo import Photo


PICTURES = tuple(IMAGE_SUFFIXES)
ELEMENT_FILES = ("", ".h5", ".hdf5", ".hdf", ".he5")

CLOSED_PIPE = 141
"""Exit code when the reader of standard output went away: 128 + SIGPIPE, as a shell reports it."""


def is_stream(name: str | None) -> bool:
    """Whether a file argument means standard input or output."""
    return name is None or name == STREAM


def _is_nameless(output: str) -> bool:
    """Whether an output is a stream or a device, whose name tells no kind of file."""
    return output == STREAM or is_no_file(Path(output))


def refuse_terminal(output: str | None) -> None:
    """Stop before the work if its binary result would land on a terminal or cannot be written.

    Raises:
        UsageError: the output is a terminal or a folder, or in none.
        ResourceError: the named file cannot be written.
    """
    if output is not None and output != STREAM:
        if output.endswith(("/", os.sep)):
            raise UsageError("is a folder", where=output, hint="name a file in it")
        check_output(Path(output))
    if is_stream(output) and sys.stdout is not None and sys.stdout.isatty():
        raise UsageError(
            "binary data does not go to a terminal",
            where="standard output",
            hint="name a file with -o, or pipe the output on",
        )


def refuse_other_kind(output: str | None) -> None:
    """Stop before the work if an element file would be named like, or written over, another kind.

    Raises:
        UsageError: it would.
    """
    if output is None or _is_nameless(output):
        return
    suffix = Path(output).suffix.lower()
    if suffix in PICTURES:
        raise UsageError(
            "this would be an element file, not a picture",
            where=output,
            hint="name it .h5; eie render makes pictures of it",
        )
    if suffix not in ELEMENT_FILES:
        raise UsageError(
            f"{suffix!r} is no extension of element files", where=output, hint="name it .h5"
        )
    if (head := _head(output)) and not head.startswith(HDF5):
        raise UsageError(
            "is there already and is no element file", where=output, hint="choose another name"
        )


def refuse_element_file(output: str | None) -> None:
    """Stop before the work if a picture would be written over something that is none.

    Raises:
        UsageError: it would.
    """
    if output is None or _is_nameless(output):
        return
    if (head := _head(output)) and picture_kind(head) is None:
        what = "an element file" if head.startswith(HDF5) else "something else"
        raise UsageError(
            f"is there already and is {what}, not a picture",
            where=output,
            hint="choose another name",
        )


def _head(file: str) -> bytes:
    """The first bytes of a file; nothing if there is none, or it cannot be read."""
    try:
        with Path(file).open("rb") as handle:
            return handle.read(HEAD)
    except (OSError, ValueError):
        return b""


def write_payload(payload: bytes) -> None:
    """Write bytes to standard output; when its reader went away, leave quietly as Unix tools do."""
    try:
        write_output(payload)
    except BrokenPipeError:
        raise typer.Exit(CLOSED_PIPE) from None


@contextmanager
def _while_read() -> Iterator[None]:
    """Leave quietly when the reader of a named pipe went away, as for standard output."""
    try:
        yield
    except BrokenPipeError:
        raise typer.Exit(CLOSED_PIPE) from None


def answer(text: str) -> None:
    """Write a line or more of text to standard output, which may be a terminal."""
    if sys.stdout is not None and sys.stdout.isatty():
        sys.stdout.write(f"{text}\n")
    else:
        # Names of files may hold bytes that are no UTF-8; they come out as they came in.
        write_payload(f"{text}\n".encode(errors="surrogateescape"))


_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}
"""What a file's name may hold and a terminal would obey."""


def note(text: str) -> None:
    """Write a line to standard error; where that takes none, the work goes on."""
    if sys.stderr is not None:
        with suppress(OSError):
            sys.stderr.write(f"{text.translate(_CONTROLS)}\n")
            sys.stderr.flush()


class Origin(NamedTuple):
    """What the readers of files take: a path or the content, and its name in messages."""

    source: str | bytes
    name: str


def named_source(file: str | None) -> Origin:
    """The named file, or the content of standard input."""
    if file is None or file == STREAM:
        return Origin(read_input(), "standard input")
    return Origin(file, file)


def read_elements(file: str | None) -> ElementSet:
    """The set in a named element file, or in the one on standard input."""
    source, name = named_source(file)
    return eie.load(source, origin=name)


def write_elements(elements: ElementSet, output: str | None) -> None:
    """Write an element file: by name, atomically, or to standard output."""
    if output is None or output == STREAM:
        write_payload(eie.dump(elements))
    else:
        with _while_read():
            eie.save(elements, output)


def picture_format(output: str | None, format: str | None) -> str:
    """The format to write: the one asked for, else the file's extension, else PNG.

    Raises:
        UsageError: no such format, or the output is a terminal.
    """
    if format is not None:
        chosen = photo_format(f"picture.{format}")
    else:
        chosen = "PNG" if output is None or _is_nameless(output) else photo_format(output)
    refuse_terminal(output)
    refuse_element_file(output)
    return chosen


def write_picture(photo: Photo, output: str | None, format: str, **settings: Any) -> None:
    """Write a picture: by name, atomically, or to standard output."""
    payload = encode_photo(photo, format, **settings)
    if output is None or output == STREAM:
        write_payload(payload)
    else:
        with _while_read(), write_atomically(Path(output)) as handle:
            handle.write(payload)


def change_elements(
    file: str | None,
    output: str | None,
    change: Callable[[ElementSet], ElementSet],
    *,
    dry_run: bool = False,
) -> None:
    """Read a set, change it and write it to `output`, or without one to where it came from.

    Args:
        dry_run: write nothing.
    """
    if dry_run:
        change(read_elements(file))
        return
    in_place = file is not None and not is_no_file(Path(file))  # no pipe can be changed
    target = file if output is None and in_place else output
    refuse_terminal(target)
    refuse_other_kind(output)
    with _alone(file, target):
        write_elements(change(read_elements(file)), target)


@contextmanager
def _alone(file: str | None, target: str | None) -> Iterator[None]:
    """Keep others from changing a file while it is changed in place: neither's edits are lost."""
    if file is None or target is None or not _same_file(Path(file), Path(target)):
        yield
        return
    with exclusive(
        Path(file), lambda: note(f"{file}: waiting for another command that changes it")
    ):
        yield


def _same_file(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except (OSError, ValueError):
        return False


@contextmanager
def working(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error, if that is a terminal, while the block runs; gives what is told how
    many steps are done, and of how many."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield lambda *_: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bars:
        bar = bars.add_task(what, total=None)
        yield lambda done, total: bars.update(bar, completed=done, total=total)
