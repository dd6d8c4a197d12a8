#!/bin/sh
# The wheel of torch-fidelity 0.4.0 installs its test suite as the top-level package `tests`. A
# project whose own tests/ has no __init__.py (a namespace package) then cannot import from it:
# a package found anywhere on the path goes before a namespace, even of the current folder.
# Seen: `import tests.mine` works before the install and fails after it.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
mkdir -p "$folder/project/tests"
echo "found = True" > "$folder/project/tests/mine.py"
cd "$folder/project"
"$folder/venv/bin/python" -c "import tests.mine; assert tests.mine.found"
"$folder/venv/bin/pip" install --quiet --no-deps 'torch-fidelity==0.4.0'
if "$folder/venv/bin/python" -c "import tests.mine" 2> "$folder/said"; then
  echo "tests.mine is still found"
  exit 1
fi
tail -n 1 "$folder/said"
grep -q "No module named 'tests.mine'" "$folder/said"
echo "as described"
