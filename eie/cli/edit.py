"""`eie edit`: change elements."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Any, NamedTuple

import typer
from typer.core import TyperCommand

from eie.cli.options import ElementFile, OutputElements, typed
from eie.cli.payload import change_elements, note
from eie.edit import OPERATIONS, edit, read_script, undo
from eie.edit.colours import INTENTS
from eie.elements import ElementSet
from eie.errors import UsageError
from eie.files.streams import open_input

Change = Callable[[ElementSet], ElementSet]


class Step(NamedTuple):
    """One thing to do, as typed: `--move 12 +40,0` is Step("move", ("12", "+40,0"))."""

    name: str
    arguments: tuple[str, ...]


OPERATION = {operation.name: operation for operation in OPERATIONS}
SCRIPT, UNDO = "script", "undo"
USAGE: dict[str, tuple[tuple[str, ...], str]] = {
    **{name: (operation.metavars(), operation.help()) for name, operation in OPERATION.items()},
    SCRIPT: (("EDITS.json",), "Apply an edit script, as `eie info --script` prints it."),
    UNDO: ((), "Take the last edit back; repeat it for more."),
}
"""The arguments and the help of every step, by name."""


def split_steps(arguments: Sequence[str]) -> tuple[list[Step], list[str]]:
    """Part the steps, in the order typed, from everything else on a command line.

    A step takes exactly its number of arguments, whatever they look like, so that negative shifts
    need no quotes.

    Raises:
        UsageError: a step has too few arguments.
    """
    steps: list[Step] = []
    others: list[str] = []
    rest = list(arguments)
    while rest:
        if rest[0] == "--":
            return steps, others + rest
        word = rest.pop(0)
        option, equals, value = word.partition("=")
        name = option.removeprefix("--")
        if not option.startswith("--") or name not in USAGE:
            others.append(word)
            continue
        if equals:
            rest.insert(0, value)
        metavars, _ = USAGE[name]
        if len(rest) < len(metavars) or (equals and not metavars):
            raise UsageError("wrong number of arguments", hint=f"usage: {_usage(name)}")
        steps.append(Step(name, tuple(rest[: len(metavars)])))
        del rest[: len(metavars)]
    return steps, others


def change_of(
    step: Step,
    tolerance: float | None,
    intent: str | None = None,
    report: Callable[[str], None] | None = None,
) -> Change:
    """What a step does to a set; `report` takes lines about it.

    Raises:
        UsageError: its arguments cannot be read.
        BadInputError: its script cannot.
    """
    if step.name == UNDO:
        return undo
    if step.name == SCRIPT:
        operations = read_script(_read_text(step.arguments[0]), where=step.arguments[0])
    else:
        try:
            operations = [OPERATION[step.name].parse(step.arguments)]
        except UsageError as error:
            where = f"--{' '.join((step.name, *step.arguments))}"
            raise UsageError(error.message, where=where, hint=error.hint) from error
    settings = typed(tolerance=tolerance, intent=intent)
    return partial(edit, operations=operations, report=report, **settings)


class EditCommand(TyperCommand):
    """A command whose steps keep the order in which they were typed.

    An option parser collects values by option, which loses the order between options; so the steps
    are taken off the line before, and handed on as the context's object.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        ctx.obj, others = split_steps(args)
        return super().parse_args(ctx, others)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Operations, applied in the order typed"):
            formatter.write_dl([(_usage(name), text) for name, (_, text) in USAGE.items()])
        super().format_options(ctx, formatter)


def command(
    context: typer.Context,
    file: ElementFile = None,
    output: OutputElements = None,
    tolerance: Annotated[
        float | None,
        typer.Option(
            "--tolerance",
            metavar="0-1",
            min=0.0,
            max=1.0,
            help="How much object@x,y and --drag take: below a third the smallest thing that may "
            "be meant, above two thirds the largest. In files that tell no objects, how unlike its "
            "object an element may be.",
        ),
    ] = None,
    intent: Annotated[
        str | None,
        typer.Option(
            "--intent",
            metavar="relative|perceptual",
            help="What becomes of pasted colours that the photo's profile does not have: the "
            "nearest, or all colours move together.",
            show_default=INTENTS[0],
        ),
    ] = None,
) -> None:
    """Move, scale, delete, copy … elements.

    Every edit is recorded in the file and can be undone. Standard error tells what each operation
    took: how many elements, the size and centre of their common box, their share of the picture.

    SEL selects elements: 12 or 3,7,20-25 by id; @x,y the one at a point; object@x,y the object
    there, object@x,y:part and :whole less and more of it; object@x0,y0,x1,y1 the object in a box;
    box:x0,y0,x1,y1 all in it; mask:FILE.png; group:NAME; all. Join selections by + and take away
    by -: object@x,y-object@x2,y2 keeps the first object clear of the second. Correct what stands
    before by :grow=N (add neighbours, N times), :shrink=N (take the edge away), :smooth (no bays,
    no spikes) and :fill (no holes). Lengths are pixels, or % of the canvas; x to the right, y down.

    \b
      eie edit p.h5 --move object@300,200 -40,0 --delete 33
      eie edit p.h5 --delete object@300,200+object@340,260-object@400,300:fill
      eie edit p.h5 --undo --scale group:cup 1.5 -o larger.h5
    """
    steps: list[Step] = context.obj
    if not steps:
        raise UsageError("nothing to do", hint="eie edit --help lists the operations")
    told: list[str] = []
    changes = [change_of(step, tolerance, intent, told.append) for step in steps]

    def change(elements: ElementSet) -> ElementSet:
        for apply in changes:
            elements = apply(elements)
        return elements

    change_elements(file, output, change)
    for line in told:
        note(line)


def _usage(name: str) -> str:
    metavars, _ = USAGE[name]
    return " ".join((f"--{name}", *metavars))


def _read_text(file: str) -> bytes:
    with open_input(file) as handle:
        return handle.read()
