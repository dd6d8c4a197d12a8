"""The command `eie`: the command line, started so that linear algebra keeps to one thread.

OpenBLAS reads this setting when NumPy, SciPy and OpenCV load it, each a copy of its own, which is
when Python imports `eie`: so it cannot be set in there. The matrices are small, and threads that
wait for work took a quarter of a small render's processor time. Who sets it keeps what was set.
"""

import os


def main() -> None:
    """Run the command line."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from eie.cli import main as run

    run()
