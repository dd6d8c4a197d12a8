"""The command `eie`: the command line, started with settings that libraries read as they load.

Linear algebra keeps to one thread.

OpenBLAS reads this setting when NumPy, SciPy and OpenCV load it, each a copy of its own, which is
when Python imports `eie`: so it cannot be set in there. The matrices are small, and threads that
wait for work took a quarter of a small render's processor time.

NumPy asks for large arrays in pages of 2 MB. A virtual machine often gives free memory of that size
back to its host, and to get it again took a command on 24 megapixels a fifth of its time.

Who sets these keeps what was set.
"""

import os


def main() -> None:
    """Run the command line."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("NUMPY_MADVISE_HUGEPAGE", "0")
    from eie.cli import main as run

    run()
