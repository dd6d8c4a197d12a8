"""What was done to a document as a command line that does the same."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import MISSING, fields, replace
from itertools import accumulate, groupby
from operator import itemgetter
from typing import Any

from eie.decomposition import BETA, SLIC
from eie.editing import OPERATIONS, PARTED, Look, Paste, Scale, script_of
from eie.editing.script import names_masks
from eie.elements import ElementSet

TINY = "tiny"
"""The segmenter unless another is asked for."""

_ELEMENTS = 256

_OPERATION = {each.name: each for each in OPERATIONS}

_WHOLE_PAIR = re.compile(r"\s*\d+\s*,\s*\d+\s*")


def command_line(
    elements: ElementSet, file: str, photo: str | None, checkpoint: str | None = None
) -> str:
    """The commands that make an edited picture, in the folder where the files are.

    Args:
        elements: the set.
        file: name of its element file.
        photo: name of the photo that it was made of; None if it is not known.
        checkpoint: path of the segmenter, if that is none that has a name. Where one is not known,
            the commands begin with the element file.
    """
    steps = []
    settings = _decomposition(elements.decomposition, checkpoint)
    known = all(is_known(edit.operation) for edit in elements.history)
    if photo is not None and settings is not None and known:
        steps.append(["decompose", _named(photo), *settings, "-o", _named(file)])
        steps += [["edit", _named(file), *words] for words in edits(elements, file)]
    stem = file.rpartition(".")[0] or file
    steps.append(["render", _named(file), "-o", _named(f"{stem}-edited.png")])
    return " && ".join(shlex.join(["eie", *step]) for step in steps)


def edits(elements: ElementSet, file: str) -> list[list[str]]:
    """The options of `eie edit` that do again what was recorded, most often of one command.

    An intent holds for all that a command pastes, so that others need a command of their own; and
    so does what is pasted of the file itself, which is read as the command before left it. What
    was undone is done and undone again if it names masks: elements that they parted stay parted.
    """
    undone = elements.undone if any(names_masks(edit.operation) for edit in elements.undone) else ()
    all_ = replace(elements, history=(*elements.history, *reversed(undone)))
    recorded: list[list[dict[str, Any]]] = [[]]
    for entry in script_of(all_)["operations"]:
        if entry["operation"] == Look.name:
            recorded.append([])
        else:
            recorded[-1].append(entry)
    done = [*filter(None, recorded)]
    own = accumulate(any(e.get("file") == file for e in entries) for entries in done)
    kinds = zip(map(_intent, done), own, strict=True)
    commands = []
    for (intent, _), alike in groupby(zip(kinds, done, strict=True), key=itemgetter(0)):
        words: list[str] = []
        for number, (_, entries) in enumerate(alike):
            words += [f"--{Look.name}"] if number else []
            words += [word for entry in entries for word in words_of(entry)]
        commands.append(words + (["--intent", intent] if intent else []))
    if undone:
        commands[-1] += ["--undo", str(len(undone))]
    return commands


def _intent(entries: list[dict[str, Any]]) -> str | None:
    return next((entry["intent"] for entry in entries if "intent" in entry), None)


def is_known(entry: Mapping[str, Any]) -> bool:
    """Whether an entry of a history is of an operation that there is, with all that it needs."""
    operation = _OPERATION.get(entry.get("operation", ""))
    return operation is not None and all(
        f.name in entry for f in fields(operation) if f.default is MISSING
    )


def text_of(entry: Mapping[str, Any]) -> str:
    """An entry of an edit script as it is typed: `--move 3,7 +40,0`; one of an operation that there
    is not as it is recorded."""
    return shlex.join(words_of(entry)) if is_known(entry) else json.dumps(dict(entry))


def words_of(entry: Mapping[str, Any]) -> list[str]:
    """The option and the arguments of `eie edit` for an entry of an edit script."""
    operation = _OPERATION[entry["operation"]]
    texts = {f.name: str(entry[f.name]) for f in fields(operation) if f.name in entry}
    if operation is Paste:
        return ["--paste", f"{texts['file']}:{texts['selection']}", texts["place"]]
    if operation is Scale and _WHOLE_PAIR.fullmatch(texts["factor"]):
        # Typed, 1,5 may mean one number.
        across, _, down = texts["factor"].partition(",")
        texts["factor"] = f"{across.strip()}.0,{down.strip()}.0"
    return [f"--{operation.name}", *texts.values()]


def _named(file: str) -> str:
    """A file's name as it is typed: none that looks like an option."""
    return f"./{file}" if file.startswith("-") else file


def _decomposition(settings: Mapping[str, Any], checkpoint: str | None) -> list[str] | None:
    """The options of `eie decompose` that are not the usual ones; None if one is not known."""
    if settings.get(PARTED):
        return None
    usual = {"segmenter": TINY, "elements": _ELEMENTS, "beta": BETA}
    words = []
    for name, value in usual.items():
        given = settings.get(name, value)
        if name == "segmenter" and given not in (TINY, SLIC):
            given = checkpoint
        if given is None:
            return None
        if given != value:
            words += [f"--{name}", f"{given:g}" if isinstance(given, float) else str(given)]
    return words
