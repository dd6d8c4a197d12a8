"""Run every benchmark: `python -m benchmarks [--output build/bench]`.

Each module of this folder runs by itself in the same way, prints what it measured and, given
`--output`, writes it to MODULE.json there; of `throughput` a table and a plot.
"""

from __future__ import annotations

import argparse
import pkgutil
import subprocess
import sys
from pathlib import Path

import benchmarks


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, help="folder for the results, a JSON file each")
    arguments = parser.parse_args()
    options = ["--output", str(arguments.output)] if arguments.output else []
    failed = []
    for module in sorted(m.name for m in pkgutil.iter_modules(benchmarks.__path__)):
        if module == "__main__":
            continue
        print(f"== {module}", flush=True)
        # A process each, so that one benchmark's memory and imports do not weigh on the next.
        if subprocess.run([sys.executable, "-m", f"benchmarks.{module}", *options]).returncode:
            failed.append(module)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
