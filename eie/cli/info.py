"""`eie info`: what is in an element file."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from eie.cli.input_output import answer, named_source, read_elements
from eie.cli.options import ElementFile
from eie.editing import script_of, select
from eie.editing.script import told
from eie.elements import ElementSet
from eie.errors import UsageError

if TYPE_CHECKING:
    from rich.table import Table

PIPED_WIDTH = 100
"""Columns of a table that goes to a file or a pipe."""


def command(
    file: ElementFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for machines.")] = False,
    list_elements: Annotated[
        bool, typer.Option("--elements", help="Every element: id, place, size …")
    ] = False,
    selection: Annotated[
        str | None, typer.Option("--select", metavar="SEL", help="The ids that SEL chooses.")
    ] = None,
    script: Annotated[
        bool, typer.Option("--script", help="The edits as a script for `eie edit --script`.")
    ] = False,
) -> None:
    """Tell what is in an element file.

    \b
      eie info photo.h5
      eie info photo.h5 --elements --json | jq '.[12].box'
      eie info photo.h5 --select object@300,200
      eie info photo.h5 --script > edits.json
    """
    if list_elements + script + (selection is not None) > 1:
        raise UsageError("--elements, --select and --script are different answers")
    if script:
        answer(_json(script_of(read_elements(file))))
    elif selection is not None:
        ids = select(read_elements(file), selection).tolist()
        answer(_json(ids) if as_json else ",".join(map(str, ids)))
    elif list_elements:
        rows = list(element_rows(read_elements(file)))
        answer(_json(rows) if as_json else _printed(_element_table(rows)))
    else:
        from eie.files import inspection

        source, name = named_source(file)
        facts = inspection.facts(source, origin=name)
        facts["history"] = [told(entry) for entry in facts["history"]]
        answer(_json(facts) if as_json else _printed(_fact_table(facts)))


def element_rows(elements: ElementSet) -> Iterator[dict[str, Any]]:
    """The element table, as JSON values by column, a row each; boxes are cx, cy, w, h in pixels."""
    table, home_box = elements.table, elements.home_box
    for row in range(len(elements)):
        yield {
            "id": int(table.id[row]),
            "source": int(table.source[row]),
            "patch": int(table.patch[row]),
            "box": table.box[row].tolist(),
            "home_box": home_box[row].tolist(),
            "z": int(table.z[row]),
            "visible": bool(table.visible[row]),
            "flip": table.flip[row].tolist(),
            "angle": float(table.angle[row]),
            "shear": float(table.shear[row]),
        }


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _printed(table: Table) -> str:
    from rich.console import Console

    on_terminal = sys.stdout is not None and sys.stdout.isatty()
    console = Console(width=None if on_terminal else PIPED_WIDTH)
    with console.capture() as page:
        console.print(table)
    return "\n".join(line.rstrip() for line in page.get().splitlines())


def _table(*columns: str) -> Table:
    from rich.table import Table

    table = Table(*columns, box=None, padding=(0, 2, 0, 0), show_header=any(columns))
    table.columns[0].style = "bold"
    table.columns[0].no_wrap = True
    return table


def _element_table(rows: list[dict[str, Any]]) -> Table:
    table = _table("id", "cx", "cy", "w", "h", "z", "state")
    for row in rows:
        numbers = [f"{number:g}" for number in (*row["box"], row["z"])]
        table.add_row(str(row["id"]), *numbers, _state(row))
    return table


def _state(row: dict[str, Any]) -> str:
    states = {
        "deleted": not row["visible"],
        "moved": row["box"][:2] != row["home_box"][:2],
        "resized": row["box"][2:] != row["home_box"][2:],
        f"turned by {row['angle']:g}°": row["angle"] != 0,
        f"leaning by {row['shear']:.3g}": row["shear"] != 0,
        "flipped": any(row["flip"]),
        f"from source {row['source']}": row["source"] > 0,
    }
    return ", ".join(state for state, holds in states.items() if holds)


def _fact_table(facts: dict[str, Any]) -> Table:
    from rich.markup import escape

    table = _table("", "")
    for name, text in _facts(facts):
        table.add_row(escape(name), escape(text))
    return table


def _facts(facts: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield "file", f"{facts['file']}, {facts['bytes']:,} bytes"
    yield "format", f"version {facts['version']}, written by {facts['generator']}"
    yield "canvas", "{width} × {height} px".format(**facts["canvas"])
    yield "elements", _counts(facts["elements"])
    for index, source in enumerate(facts["sources"]):
        yield f"source {index}", _source(source)
    if facts["decomposition"]:
        yield "cut with", ", ".join(f"{k} {v}" for k, v in facts["decomposition"].items())
    if facts["prompt"]:
        yield "prompt", facts["prompt"]
    for name, count in facts["groups"].items():
        yield f"group {name}", f"{count} elements"
    for number, operation in enumerate(facts["history"], 1):
        yield f"edit {number}", " ".join(map(str, operation.values()))


def _counts(elements: dict[str, int]) -> str:
    total, others = elements["count"], [k for k in elements if k not in ("count", "visible")]
    return ", ".join([str(total), *(f"{elements[k]} {k}" for k in others if elements[k])])


def _source(source: dict[str, Any]) -> str:
    channels = {1: "grey", 2: "grey and alpha", 3: "RGB", 4: "RGBA"}
    parts = [
        f"{source['width']} × {source['height']} px",
        channels.get(source["channels"], "no pixels"),
        f"{source['patches']} patches",
        "affinity" if source["affinity"] else "no affinity",
        "objects" if source["objects"] else "no objects",
    ]
    if embeddings := source["embeddings"]:
        parts.append(f"embeddings of {embeddings['size']} numbers by {embeddings['encoder']}")
    return ", ".join(parts)
