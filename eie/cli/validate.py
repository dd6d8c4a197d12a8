"""`eie validate`: are these sound element files?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from eie.cli.input_output import answer, named_source
from eie.cli.many import Recursive, Workers
from eie.errors import BadInputError
from eie.files.streams import STREAM

if TYPE_CHECKING:
    from collections.abc import Iterator

    from eie.files.inspection import Report


def command(
    files: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="F.h5",
            help="Element files, folders of them and patterns in quotes, on this machine or in a "
            "store; '-' or nothing on a pipe reads standard input.",
        ),
    ] = None,
    workers: Workers = None,
    recursive: Recursive = False,
) -> None:
    """Check element files thoroughly.

    Every byte is read and every rule checked; the exit code is 3 unless all files are valid. The
    answers come in the order of the files.

    \b
      eie validate photo.h5
      eie validate elements --recursive --workers 4 && echo all fine
    """
    valid = True
    for report in _reports(files or [STREAM], workers or 1, recursive):
        valid = valid and report.valid
        answer(f"{report.origin}: {'valid' if report.valid else 'not valid'}")
        for finding in report.findings:
            answer(f"  {finding.kind}: {finding.message}")
    if not valid:
        raise typer.Exit(BadInputError.exit_code)


def _reports(files: list[str], workers: int, recursive: bool) -> Iterator[Report]:
    from eie.batch.checking import check_files
    from eie.batch.inputs import items_of
    from eie.batch.jobs import ELEMENT_SUFFIXES
    from eie.files.inspection import check_file

    if STREAM in files and len(files) > 1:  # each in its place
        for file in files:
            yield from _reports([file], workers, recursive)
    elif STREAM in files:
        source, name = named_source(STREAM)
        yield check_file(source, origin=name)
    else:
        items = items_of(files, ELEMENT_SUFFIXES, recursive=recursive)
        yield from check_files([str(item.path) for item in items], workers)
