#!/bin/sh
# safetensors.numpy writes an array's bytes as they lie in memory under its shape, without looking at how they lie. A
# kernel that was transposed for another framework, or any array in Fortran order, comes back with its numbers in other
# places: no error, no note, right shape and dtype. (safetensors.torch refuses tensors that are not contiguous.)
# Seen: safetensors 0.8.0, a transposed 2x3 array and one in Fortran order come back changed; the same after
# ascontiguousarray as they were.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet 'safetensors==0.8.0' 'numpy==2.4.6'
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
import safetensors
from safetensors.numpy import load, save

plain = np.arange(6, dtype=np.float32).reshape(2, 3)
arrays = {"plain": plain, "transposed": plain.T, "Fortran": np.asfortranarray(plain)}
kept = {name: np.array_equal(load(save({"a": array}))["a"], array) for name, array in arrays.items()}
shapes = [load(save({"a": array}))["a"].shape == array.shape for array in arrays.values()]
copied = np.array_equal(load(save({"a": np.ascontiguousarray(plain.T)}))["a"], plain.T)
print(safetensors.__version__, kept, "copied:", copied)
assert kept == {"plain": True, "transposed": False, "Fortran": False}
assert all(shapes)
assert copied
PYTHON
echo "as described"
