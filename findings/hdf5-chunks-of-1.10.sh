#!/bin/sh
# pyfive and jsfive read no chunked array of a file that h5py writes with libver="latest" (or "v110"):
# they know the chunk index of HDF5 1.8 only. They fail when an array is opened or read, not when the
# file is. The same arrays written with libver=("v108", "v108") are read. h5wasm reads both, but
# float16 of neither.
# Seen: pyfive 1.3.0 "layout class 4", jsfive 0.4.2 "is not a function", h5wasm 0.10.3 "Float16 not
# supported".
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet 'h5py==3.16.0' 'numpy==2.4.6' 'pyfive==1.3.0'
npm install --silent --prefix "$folder" jsfive@0.4.2 h5wasm@0.10.3
cd "$folder"
venv/bin/python - <<'PYTHON'
import h5py
import numpy as np
import pyfive

for bound in ("v108", "v110"):
    with h5py.File(f"{bound}.h5", "w", libver=(bound, bound)) as file:
        file.create_dataset("whole", data=np.arange(6000), chunks=(1000,), fletcher32=True)
        file.create_dataset("half", data=np.ones(6000, "f2"), chunks=(1000,), fletcher32=True)
read = pyfive.File("v108.h5")
assert np.array_equal(read["whole"][...], np.arange(6000))
try:
    pyfive.File("v110.h5")["whole"][...]
except RuntimeError as error:
    print("pyfive", pyfive.__version__, error)
    assert "layout class 4" in str(error)
else:
    raise AssertionError("pyfive reads chunks of HDF5 1.10")
PYTHON
cat > read.mjs <<'NODE'
import assert from "node:assert";
import { readFileSync } from "node:fs";
import * as jsfive from "jsfive";
import h5wasm from "h5wasm/node";

const old = (name) => {
  const { buffer, byteOffset, byteLength } = readFileSync(name);
  return new jsfive.File(buffer.slice(byteOffset, byteOffset + byteLength), name);
};
assert.equal(Number(old("v108.h5").get("whole").value[5999]), 5999);
assert.throws(() => old("v110.h5").get("whole").value, (error) => {
  console.log("jsfive", error.message);
  return /is not a function/.test(error.message);
});
await h5wasm.ready;
for (const name of ["v108.h5", "v110.h5"]) {
  const file = new h5wasm.File(name, "r");
  assert.equal(Number(file.get("whole").value[5999]), 5999);
  assert.throws(() => file.get("half").value, (error) => {
    console.log("h5wasm", name, error.message);
    return /Float16 not supported/.test(error.message);
  });
}
NODE
node read.mjs
echo "as described"
