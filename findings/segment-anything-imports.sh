#!/bin/sh
# The wheel of segment-anything 1.0 names no dependency, but none of its modules, not even its plain
# networks, can be imported without torchvision: the package imports its predictors, and these one
# function of torchvision. Seen: with torch alone, `from segment_anything.modeling import Sam` fails
# for want of torchvision; the networks themselves, imported past the package's __init__, need torch
# only, and build. (torchvision also costs a process that has torch about a second to import.)
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet 'torch==2.14.1' numpy
"$folder/venv/bin/pip" install --quiet 'segment-anything==1.0'
"$folder/venv/bin/pip" show segment-anything | grep -x "Requires: *"
if "$folder/venv/bin/python" -c "from segment_anything.modeling import Sam" 2> "$folder/said"; then
  echo "the networks import without torchvision"
  exit 1
fi
tail -n 1 "$folder/said"
grep -q "No module named 'torchvision'" "$folder/said"
"$folder/venv/bin/python" - <<'END'
import importlib.util
import sys
from types import ModuleType

spec = importlib.util.find_spec("segment_anything")
package = ModuleType("segment_anything")
package.__path__ = spec.submodule_search_locations
sys.modules["segment_anything"] = package
from segment_anything.modeling import PromptEncoder

PromptEncoder(8, (4, 4), (64, 64), 4)
assert "torchvision" not in sys.modules
print("its prompt encoder is built with torch alone")
END
echo "as described"
