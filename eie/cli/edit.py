"""`eie edit`: change elements."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from eie.batch import is_several
from eie.cli.bundles import ArgumentOptions, bundled
from eie.cli.command_classes import PlainCommand
from eie.cli.input_output import change_elements, note
from eie.cli.many import MANY, Many, single, work_through
from eie.cli.options import ElementFiles, OutputElements, option, typed
from eie.editing import OPERATIONS, Group, Operation, edit, read_script, redo, undo
from eie.editing.groups import LAST
from eie.editing.operations.pasting import INTENTS
from eie.elements import ElementSet
from eie.errors import UsageError
from eie.files.stores import path_of
from eie.files.streams import open_input

if TYPE_CHECKING:
    from eie.batch import Recipe

Change = Callable[[ElementSet], ElementSet]


class Step(NamedTuple):
    """One thing to do, as typed: `--move 12 +40,0` is Step("move", ("12", "+40,0"))."""

    name: str
    arguments: tuple[str, ...]


OPERATION = {operation.name: operation for operation in OPERATIONS}
SCRIPT, UNDO, REDO, AS = "script", "undo", "redo", "as"
USAGE: dict[str, tuple[tuple[str, ...], str]] = {
    **{name: (operation.metavars(), operation.help()) for name, operation in OPERATION.items()},
    AS: (("NAME",), "Name what the operation before it took, or made: --copy 3 9,0 --as twin."),
    SCRIPT: (("EDITS.json",), "Apply an edit script, as `eie info --script` prints it."),
    UNDO: ((), "Take the last edit back, or the last N."),
    REDO: ((), "Do again what was taken back, if nothing was edited since."),
}
"""The arguments and the help of every step, by name."""

COUNTED = (UNDO, REDO)
"""Steps that a number may follow."""


def split_steps(arguments: Sequence[str]) -> tuple[list[Step], list[str]]:
    """Part the steps, in the order typed, from everything else on a command line.

    A step takes exactly its number of arguments, whatever they look like, so that negative shifts
    need no quotes; `--undo` and `--redo` take a number if one follows.

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
        size = len(metavars)
        if name in COUNTED and rest and (equals or rest[0].isdecimal()):
            size = 1
        if len(rest) < size or (equals and not size):
            raise UsageError("wrong number of arguments", hint=f"usage: {_usage(name)}")
        steps.append(Step(name, tuple(rest[:size])))
        del rest[:size]
    return steps, others


def changes_of(
    steps: Sequence[Step],
    tolerance: float | None = None,
    intent: str | None = None,
    report: Callable[[str], None] | None = None,
    *,
    ids: bool = False,
) -> list[Change]:
    """What steps do to a set, one after the other; `report` takes lines about them.

    Operations in a row are one edit: their selections mean the picture that it begins with.

    Raises:
        UsageError: an argument cannot be read.
        BadInputError: a script cannot.
    """
    applied = partial(edit, report=report, ids=ids, **typed(tolerance=tolerance, intent=intent))
    changes: list[Change] = []
    row: list[Operation] | None = None  # operations that more may follow
    for step in steps:
        if step.name in COUNTED:
            back = partial(undo, redoable=True) if step.name == UNDO else redo
            changes.append(partial(back, steps=_count_of(step)))
            row = None
        elif step.name == SCRIPT:
            changes.append(partial(applied, operations=_script(step.arguments[0])))
            row = None
        else:
            if row is None:
                row = []
                changes.append(partial(applied, operations=row))
            row.append(_operation_of(step))
    return changes


def _operation_of(step: Step) -> Operation:
    try:
        if step.name == AS:
            return Group(step.arguments[0], f"group:{LAST}")
        return OPERATION[step.name].parse(step.arguments)
    except UsageError as error:
        where = f"--{' '.join((step.name, *step.arguments))}"
        raise UsageError(error.message, where=where, hint=error.hint) from error


def _count_of(step: Step) -> int:
    """How often something is taken back or done again."""
    if not step.arguments:
        return 1
    text = step.arguments[0]
    if not text.isdecimal() or not text.isascii() or not 1 <= len(text) <= 9 or not int(text):
        raise UsageError(
            f"{text!r} is no number of edits", where=f"--{step.name}", hint="1 or more"
        )
    return int(text)


def _script(file: str) -> list[Operation]:
    return read_script(_read_text(file), where=file, folder=path_of(file).parent)


class EditCommand(PlainCommand):
    """A command whose steps keep the order in which they were typed.

    An option parser collects values by option, which loses the order between options; so the steps
    are taken off the line before, and handed on as the context's object.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        ctx.obj, others = split_steps(args)
        self._suggest(others)
        return super().parse_args(ctx, others)

    def _suggest(self, words: Sequence[str]) -> None:
        """Say what may have been meant by a step that there is not."""
        from difflib import get_close_matches

        options = [option for parameter in self.params for option in parameter.opts]
        known = [*(f"--{name}" for name in USAGE), *options, "--help"]
        for word in words:
            if word == "--":
                return
            option = word.partition("=")[0]
            near = get_close_matches(option, known, n=1, cutoff=0.7)
            if option.startswith("--") and option not in known and near:
                raise UsageError(f"there is no {option}", hint=f"did you mean {near[0]}?")

    def format_options(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Operations, applied in the order typed"):
            formatter.write_dl([(_usage(name), text) for name, (_, text) in USAGE.items()])
        super().format_options(ctx, formatter)


EDITING = ArgumentOptions(
    dict,
    tolerance=option(
        float,
        "How much object@x,y and --drag take: below a third the smallest thing that may "
        "be meant, above two thirds the largest. In files that tell no objects, how unlike its "
        "object an element may be.",
        metavar="0-1",
        min=0.0,
        max=1.0,
    ),
    intent=option(
        str,
        "What becomes of pasted colours that the photo's profile does not have: the "
        "nearest, or all colours move together.",
        metavar="relative|perceptual",
        show_default=INTENTS[0],
    ),
)


@bundled(options=EDITING, many=MANY)
def command(
    *,
    context: typer.Context,
    files: ElementFiles = None,
    output: OutputElements = None,
    options: dict[str, Any],
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Tell the ids of what each operation took.")
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Tell what would be taken, with ids, and write nothing."),
    ] = False,
    many: Many,
) -> None:
    """Move, scale, turn, delete, copy … elements.

    Every edit is recorded in the file and can be undone. Standard error tells what each operation
    took: how many elements, the size and centre of their common box, their share of the picture.

    Selections mean the picture as it was when the command began: in --move mask:cup.png +40,0
    --scale mask:cup.png 1.5 both mean the cup. The same holds for a script. After --look, --reset,
    --undo, --redo and --script they mean the picture as it is by then. Ids and groups are always
    those of the moment; --restore looks at what is deleted by then.

    SEL selects elements: 12 or 3,7,20-25 by id; @x,y the one at a point; object@x,y the object
    there, object@x,y:part and :whole less and more of it; object@x0,y0,x1,y1 the object in a box;
    box:x0,y0,x1,y1 all in it; mask:FILE.png; group:NAME; all; group:last what the last
    operation made, as copies, or changed. Join selections by + and take away
    by -: object@x,y-object@x2,y2 keeps the first object clear of the second. Correct what stands
    before by :grow=N (add neighbours, N times), :shrink=N (take the edge away), :smooth (no bays,
    no spikes) and :fill (no holes). Lengths are pixels, or % of the canvas; x to the right, y down.
    Angles are degrees, clockwise.

    The common box of turned elements is turned as most of them are, so that its centre stays where
    it is on them. --scale by two factors stretches the picture along x and y: what is turned then
    leans, and neighbours stay neighbours.

    \b
      eie edit p.h5 --move object@300,200 -40,0 --delete 33
      eie edit p.h5 --delete object@300,200+object@340,260-object@400,300:fill
      eie edit p.h5 --copy object@300,200 60,0 --as twin --flip group:twin h
      eie edit p.h5 --rotate object@300,200 -15 --to group:last 50%,40%
      eie edit p.h5 --undo 2 --scale group:cup 1.5 -o larger.h5
      eie edit elements --script edits.json -o edited --workers 4
    """
    steps: list[Step] = context.obj
    if not steps:
        raise UsageError("nothing to do", hint="eie edit --help lists the operations")
    if files and is_several(files):
        if verbose or dry_run:
            raise UsageError("--verbose and --dry-run are for one file", hint="leave them out")
        from eie.batch import Edit

        job = Edit(_scripts(steps, options, files))
        work_through(job, files, output, "element files", many)
        return
    file = single(files, many)
    told: list[str] = []
    changes = changes_of(steps, report=told.append, ids=verbose or dry_run, **options)

    def change(elements: ElementSet) -> ElementSet:
        for apply in changes:
            elements = apply(elements)
        return elements

    change_elements(file, output, change, dry_run=dry_run)
    for line in told:
        note(f"would have {line}" if dry_run and not line.startswith("warning") else line)
    if dry_run:
        note("nothing is written")


def _scripts(
    steps: Sequence[Step], options: dict[str, Any], names: Sequence[str]
) -> tuple[Recipe, ...]:
    """The edit scripts that are played on each of several files, whose masks may hold {stem}.

    Raises:
        UsageError: a step is no script.
    """
    from eie.batch import Recipe

    if any(step.name != SCRIPT for step in steps):
        left = " ".join(names[1:])
        raise UsageError(
            f"one file at a time: {left} is left over" if left else "is no file, but several",
            where=None if left else names[0],
            hint="several are edited by --script alone, which eie info --script prints",
        )
    files = [step.arguments[0] for step in steps]
    return tuple(
        Recipe(
            operations=tuple(read_script(_read_text(file), where=file)),
            folder=path_of(file).parent,
            edit=options,
        )
        for file in files
    )


def _usage(name: str) -> str:
    metavars, _ = USAGE[name]
    return " ".join((f"--{name}", *metavars, *(["[N]"] if name in COUNTED else [])))


def _read_text(file: str) -> bytes:
    with open_input(file) as handle:
        return handle.read()


COMMAND_CLASS = EditCommand
