#!/bin/sh
# PyMatting compiles while it is imported, before any of its functions is called: its kernels are
# numba functions with fixed signatures. Numba keeps what it compiled in its cache, so a second
# import is quick; where no cache can be kept (a container started afresh), every process waits.
# Seen: the first `import pymatting` takes 36 s of processor time, the next one .6 s.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet 'pymatting==1.1.16' 'numba==0.68.1'
cat > "$folder/seconds.py" <<'PYTHON'
import time

start = time.process_time()
import pymatting  # noqa: E402, F401

print(time.process_time() - start)
PYTHON
export NUMBA_CACHE_DIR="$folder/cache"
first=$("$folder/venv/bin/python" "$folder/seconds.py")
compiled=$(find "$NUMBA_CACHE_DIR" -name '*.nbc' | wc -l)
second=$("$folder/venv/bin/python" "$folder/seconds.py")
echo "first $first s, $compiled functions compiled; second $second s"
test "$compiled" -gt 0
"$folder/venv/bin/python" -c "assert $first > 5 * $second"
echo "as described"
