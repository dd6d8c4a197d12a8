"""Compare what readers find in files with what h5py finds: `python compare.py FILE.h5 …`."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
Nodes = dict[str, dict[str, Any]]

PYTHON = ("pyfive", "h5netcdf", "xarray", "netCDF4", "tables")
NPM = ("jsfive", "h5wasm")


def printed(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "failed")
    return done.stdout


def of_python(reader: str, file: str) -> Nodes:
    found: Nodes = json.loads(printed(sys.executable, str(HERE / "nodes.py"), reader, file))
    return found


def of_npm(reader: str, file: str) -> Nodes:
    found: Nodes = json.loads(printed("node", str(HERE / "nodes.mjs"), reader, file))
    return found


def of_h5dump(known: Nodes, file: str) -> Nodes:
    """Values as h5dump writes them to binary files, attributes as it prints them."""
    found: Nodes = {}
    for path, node in known.items():
        attributes = {}
        for name, value in node["attributes"].items():
            text = printed("h5dump", "-w", "0", "-a", f"{path.rstrip('/')}/{name}", file)
            data = text[text.index("DATA {") : text.rindex("}\n}")]
            if isinstance(value, list):
                numbers = re.sub(r"\(\d+\):|DATA \{|\}", "", data)
                attributes[name] = [int(number) for number in re.findall(r"-?\d+", numbers)]
            else:
                shown = re.search(r'\(0\): "(.*)"', data, re.DOTALL)
                attributes[name] = shown[1].replace("\\000", "") if shown else None
        found[path] = {"attributes": attributes}
        if "sha256" not in node:
            continue
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "values"
            printed("h5dump", "-d", path, "-b", "LE", "-o", str(out), file)
            data = out.read_bytes() if out.exists() else b""
        about = {name: node[name] for name in ("shape", "type")}
        found[path] |= {**about, "sha256": hashlib.sha256(data).hexdigest()}
    return found


def of_h5repack(file: str) -> Nodes:
    """What h5py finds in a file that h5repack has packed otherwise."""
    with tempfile.TemporaryDirectory() as folder:
        out = f"{folder}/packed.h5"
        printed("h5repack", "-f", "GZIP=6", file, out)
        return of_python("h5py", out)


def differing(found: Nodes, known: Nodes) -> list[str]:
    """A line for each node that is missing or has other values."""
    lines = []
    for path, node in known.items():
        have = found.get(path, {"error": "not found"})
        if "error" in have:
            lines.append(f"{path}: {have['error']}")
        elif wrong := [part for part in node if have.get(part) != node[part]]:
            lines.append(f"{path}: other {', '.join(wrong)}")
    return lines


def main(files: list[str]) -> int:
    known = {file: of_python("h5py", file) for file in files}
    readers = [(name, version(name), lambda file, n=name: of_python(n, file)) for name in PYTHON]
    for name in NPM:
        package = json.loads(Path(HERE, "node_modules", name, "package.json").read_text())
        readers.append((name, package["version"], lambda file, n=name: of_npm(n, file)))
    if shutil.which("h5dump"):
        tools = printed("h5dump", "--version").split()[-1]
        readers.append(("h5dump", tools, lambda file: of_h5dump(known[file], file)))
        readers.append(("h5repack -f GZIP=6", tools, of_h5repack))
    else:
        print("h5dump, h5repack: not here", file=sys.stderr)
    wrong = 0
    for name, which, read in readers:
        nodes = {"1.0": [0, 0], "1.1": [0, 0]}
        for file in files:
            try:
                lines = differing(read(file), known[file])
            except OSError as error:
                lines = [f"{path}: {error}" for path in known[file]]
            of = nodes[known[file]["/"]["attributes"]["version"]]
            of[0] += len(known[file]) - len(lines)
            of[1] += len(known[file])
            for line in lines:
                print(f"{name}: {Path(file).name} {line}", file=sys.stderr)
        wrong += nodes["1.1"][1] - nodes["1.1"][0]
        told = " | ".join(f"{read} of {every}" for read, every in nodes.values())
        print(f"| {name} | {which} | {told} |", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main([str(Path(file).resolve()) for file in sys.argv[1:]]))
