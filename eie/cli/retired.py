"""Options that commands no longer have: for a version they are taken, tell so, and do nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from eie.cli.input_output import note
from eie.cli.plain import PlainCommand
from eie.errors import UsageError

RETIRED: Mapping[str, Mapping[str, str]] = {
    "decompose": {
        "--mask": "mask:FILE.png in eie edit takes just what is white, however elements are cut",
    },
    "render": {
        "--seam": "what still shows of what is taken away is filled by --dilation",
        "--rim": "what is taken away is filled as a whole, and around it by --dilation",
        "--descent": "fills are made of the photo's own pieces",
    },
    "decoder": {
        "--refiner": "first guesses are the light decoder's",
    },
}
"""Per command, by the name it is called by: options that took a value, and what serves now."""


class RetiringCommand(PlainCommand):
    """A command that passes over its retired options, each with a note; its help has none."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, without_retired(args, RETIRED.get(self.name or "", {})))


def without_retired(arguments: Sequence[str], retired: Mapping[str, str]) -> list[str]:
    """A command line without the options that are retired, and without their values.

    Args:
        retired: option ⇒ what serves now.

    Raises:
        UsageError: one of them lacks its value.
    """
    kept: list[str] = []
    rest = list(arguments)
    while rest and rest[0] != "--":
        word = rest.pop(0)
        option, equals, _ = word.partition("=")
        if option not in retired:
            kept.append(word)
            continue
        if not equals:
            if not rest:
                raise UsageError(f"{option} is no longer used, and lacks its value")
            del rest[0]
        note(f"{option} is no longer used: {retired[option]}")
    return kept + rest
