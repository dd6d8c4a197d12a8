"""Workers that are told to leave."""

from __future__ import annotations

import subprocess
import sys

LOST = """
import signal, sys, time, weakref
from eie.batch import processes
signal.signal(signal.SIGTERM, processes._leave)
sys.unraisablehook = processes._leave_after_all
class Thing: pass
thing = Thing()
kept = weakref.ref(thing, lambda _: signal.raise_signal(signal.SIGTERM))
del thing
time.sleep(5)
print("still here")
"""


def test_a_worker_told_to_leave_where_no_exception_can_be_raised_leaves_plainly() -> None:
    done = subprocess.run([sys.executable, "-c", LOST], capture_output=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
