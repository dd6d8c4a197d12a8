#!/bin/sh
# Reads every node of the good samples with other programs, and compares all values with h5py's:
#
#     sh formats/readers/check.sh [FILE.h5 …]
#
# Installs readers in a temporary folder: from PyPI, npm and, where apt-get is, Debian's hdf5-tools.
# Prints a line for each reader: its version, files read, nodes that differ. Ends with 1 if a file
# of format 1.1 differs in any.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cp "$here"/*.py "$here"/*.mjs "$folder"
[ $# -gt 0 ] || set -- "$here"/../samples/good/*.h5

python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet \
    h5py==3.16.0 numpy==2.4.6 pyfive==1.3.0 h5netcdf==1.8.2 xarray tables==3.11.1 netCDF4
npm install --silent --prefix "$folder" jsfive@0.4.2 h5wasm@0.10.3 >&2

if command -v apt-get > /dev/null; then
    tools="$folder/debian"
    mkdir "$tools"
    needed=$(apt-cache depends --recurse --no-recommends --no-suggests hdf5-tools |
        grep -E '^(hdf5-tools|libhdf5-[0-9-]+|libaec[0-9]+|libsz[0-9]+)$' | sort -u)
    # shellcheck disable=SC2086 # one word a package
    (cd "$tools" && apt-get download --quiet=2 $needed >&2 &&
        for package in *.deb; do dpkg -x "$package" .; done)
    libraries=$(find "$tools" -name '*.so.*' -exec dirname {} + | sort -u | tr '\n' ':')
    PATH="$tools/usr/bin:$PATH"
    LD_LIBRARY_PATH="$libraries"
    export PATH LD_LIBRARY_PATH
fi
"$folder/venv/bin/python" "$folder/compare.py" "$@"
