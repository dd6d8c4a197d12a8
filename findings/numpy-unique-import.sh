#!/bin/sh
# NumPy 2 imports numpy.ma, its masked arrays, no more with itself, but when it is asked for; and
# numpy.unique asks for it, whatever kind of array it is given, and so do isin, union1d and the other
# functions of sets. A short command that calls one of them once pays for the import: sorting and
# comparing neighbours says the same.
# Seen: the first unique of three numbers takes 8 ms and imports numpy.ma, the next one .02 ms; all of
# `import numpy` takes 77 ms.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet 'numpy==2.4.6'
"$folder/venv/bin/python" - <<'PYTHON'
import sys
import time

start = time.process_time()
import numpy

whole = time.process_time() - start
assert "numpy.ma" not in sys.modules
values = numpy.array([3, 1, 3])
numpy.sort(values)
assert "numpy.ma" not in sys.modules
start = time.process_time()
numpy.unique(values)
first = time.process_time() - start
start = time.process_time()
numpy.unique(values)
second = time.process_time() - start
assert "numpy.ma" in sys.modules
assert first > 20 * second, (first, second)
print(f"import numpy {whole * 1000:.0f} ms, first unique {first * 1000:.1f}, next {second * 1000:.3f}")
PYTHON
echo "as described"
