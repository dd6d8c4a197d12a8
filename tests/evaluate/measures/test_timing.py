from __future__ import annotations

import time

import numpy as np

from eie.evaluate.edits import timed


def test_work_counts_and_waiting_does_not():
    picture = np.zeros((2, 3, 3), np.uint8)

    def wait():
        time.sleep(0.2)
        return picture

    def work():
        end = time.process_time() + 0.2
        while time.process_time() < end:
            pass
        return picture

    waited, worked = timed(wait), timed(work)
    assert waited.pixels is picture
    assert waited.seconds < 0.1 < 0.2 <= worked.seconds
