"""What making a picture costs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from eie.evaluate.core.case_result import Pixels


class Timed(NamedTuple):
    """A picture (H, W, 3) and the processor seconds it took, in all threads of this process."""

    pixels: Pixels
    seconds: float


def timed(make: Callable[[], Pixels]) -> Timed:
    """Make a picture, and measure."""
    start = time.process_time()
    pixels = make()
    return Timed(pixels, time.process_time() - start)
