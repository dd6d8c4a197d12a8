"""`eie validate`: is this a sound element file?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from eie.cli.payload import answer, named_source
from eie.errors import BadInputError
from eie.files.streams import STREAM

if TYPE_CHECKING:
    from eie.files.report import Report


def command(
    files: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="F.h5",
            help="Element files; '-' or nothing on a pipe reads standard input.",
        ),
    ] = None,
) -> None:
    """Check element files thoroughly.

    Every byte is read and every rule checked; the exit code is 3 unless all files are valid.

    \b
      eie validate photo.h5
      eie validate *.h5 && echo all fine
    """
    reports = [_checked(file) for file in files or [STREAM]]
    for report in reports:
        answer(f"{report.origin}: {'valid' if report.valid else 'not valid'}")
        for finding in report.findings:
            answer(f"  {finding.kind}: {finding.message}")
    if not all(report.valid for report in reports):
        raise typer.Exit(BadInputError.exit_code)


def _checked(file: str) -> Report:
    from eie.files.report import check_file

    source, name = named_source(file)
    return check_file(source, origin=name)
