"""The operations: what an edit does to an element set.

Each is a frozen dataclass whose fields are the texts typed on the command line, so that the command
line, the edit script and Python say the same: `--move 12 +40,0`, `{"operation": "move",
"selection": "12", "shift": "+40,0"}` and `Move("12", "+40,0")`. Texts are checked when the
operation is made; what they mean is found out when it is applied, in the set as it is by then.

An operation changes the element table and the groups, never a source (:class:`Paste` adds some); a
mask, however, parts elements before the operation takes place.
An element may come to lie partly or wholly outside the canvas.
"""

from __future__ import annotations

from eie.editing.operations.base import Operation
from eie.editing.operations.moving import Drag, Flip, Move, Rotate, Scale, Swap, To
from eie.editing.operations.pasting import Paste, split_file_and_selection
from eie.editing.operations.showing import (
    Appearance,
    Back,
    Copy,
    Delete,
    Front,
    Group,
    Look,
    Reset,
    Restore,
    Ungroup,
)

__all__ = [
    "OPERATIONS", "Appearance", "Back", "Copy", "Delete", "Drag", "Flip", "Front", "Group", "Look",
    "Move", "Operation", "Paste", "Reset", "Restore", "Rotate", "Scale", "Swap", "To", "Ungroup",
    "split_file_and_selection",
]  # fmt: skip

OPERATIONS: tuple[type[Operation], ...] = (
    Move,
    To,
    Scale,
    Rotate,
    Delete,
    Restore,
    Copy,
    Drag,
    Swap,
    Front,
    Back,
    Flip,
    Appearance,
    Paste,
    Group,
    Ungroup,
    Look,
    Reset,
)
"""All operations, in the order in which help lists them."""
