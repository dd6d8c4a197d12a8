"""Cases for the tests of processes: workers import them by this module's name."""

from __future__ import annotations

import math
import os

import numpy as np

from eie.errors import BadInputError
from eie.evaluate.core.case_result import CaseResult


def evaluate_length(case: str, log: str = "") -> CaseResult:
    """A case's length as its score; notes in a file that it ran, and in which process."""
    if log:
        with open(log, "a", encoding="utf-8") as file:  # noqa: PTH123
            file.write(f"{case} {os.getpid()}\n")
    picture = np.full((4, 6, 3), len(case), np.uint8)
    return CaseResult(
        case,
        {"ours": {"length": float(len(case)), "unknown": math.nan}, "theirs": {"length": 1.5}},
        {"photo": picture, "ours": picture + 1},
        {"features": np.arange(len(case), dtype=np.float32)},
        (1, 2, len(case), 1) if len(case) > 1 else None,
    )


def fail_at(case: str, bad: str) -> CaseResult:
    if case == bad:
        raise BadInputError("the picture is damaged", where=case, hint="leave it out")
    return evaluate_length(case)


def die(case: str) -> CaseResult:
    os._exit(9)
