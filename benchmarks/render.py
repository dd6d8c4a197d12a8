"""Processor time and memory of `eie render`, beside OpenCV's Telea and PyPatchMatch.

    python -m benchmarks.render [--output build/bench]

Whole processes, started anew: each reads a photo with something to fill, fills it and writes a PNG.
A hole of 20,000 pixels in a photo of 512×384, and one of 3 % in 24 megapixels. Ratios are what
counts; the best of a few runs of each, in turns.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
from skimage import data

import eie
from benchmarks import run
from eie.editing import Delete
from eie.files.photo import Photo
from eie.files.photo_writing import write_photo

SMALL, LARGE = (384, 512), (4000, 6000)
"""Heights and widths of the photos."""

BOX = 0.36, 0.30, 0.55, 0.83
"""Left, top, right and bottom of what is deleted from the small photo, as parts of its sides."""

LARGE_BOX = 0.42, 0.40, 0.57, 0.60

ROUNDS = {"small": 5, "large": 1}

LARGE_PEAK_LIMIT = 1.8e9
"""Bytes."""

PEER = """
import sys, numpy as np
from PIL import Image
photo = np.asarray(Image.open(sys.argv[1]))
hole = np.asarray(Image.open(sys.argv[2])) > 127
{fill}
Image.fromarray(filled).save(sys.argv[3])
"""

PEERS = {
    "telea": "import cv2\nfilled = cv2.inpaint(photo, hole.astype(np.uint8), 3, cv2.INPAINT_TELEA)",
    "pypatchmatch": "from patchmatch import patch_match\n"
    "filled = patch_match.inpaint(photo, hole, patch_size=7)",
}


def measure() -> dict[str, float | str]:
    """Processor seconds, their ratios to each peer's, and bytes of memory at most."""
    found: dict[str, float | str] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, size, box in (("small", SMALL, BOX), ("large", LARGE, LARGE_BOX)):
            commands = prepared(Path(folder) / name, size, box)
            best = dict.fromkeys(commands, float("inf"))
            for _ in range(ROUNDS[name]):
                for method, command in commands.items():
                    best[method] = min(best[method], processor_seconds(command))
            for method, seconds in best.items():
                found[f"{name}_{method}_cpu_s"] = seconds
                if method != "eie":
                    found[f"{name}_eie_by_{method}"] = best["eie"] / seconds
            found[f"{name}_eie_peak_bytes"] = peak_bytes_of(commands["eie"])
    return found | {"large_eie_peak_bytes_limit": LARGE_PEAK_LIMIT}


def prepared(
    folder: Path, size: tuple[int, int], box: tuple[float, float, float, float]
) -> dict[str, list[str]]:
    """What every method is given, and the commands that fill it."""
    folder.mkdir()
    height, width = size
    photo = cv2.resize(data.astronaut()[:384], (width, height), interpolation=cv2.INTER_CUBIC)
    left, top, right, bottom = (
        round(share * side) for share, side in zip(box, (width, height, width, height), strict=True)
    )
    hole = np.zeros((height, width, 1), dtype=np.uint8)
    hole[top:bottom, left:right] = 255
    write_photo(Photo(hole), folder / "mask.png")
    write_photo(Photo(photo), folder / "photo.png")
    elements = eie.decompose(photo, segmenter="slic")
    edited = eie.edit(elements, [Delete(f"mask:'{folder / 'mask.png'}'")])
    eie.save(edited, folder / "edited.h5")
    files = [str(folder / file) for file in ("photo.png", "mask.png", "out.png")]
    commands = {
        "eie": [
            sys.executable, "-m", "eie", "render", str(folder / "edited.h5"), "-o", files[2],
        ]
    }  # fmt: skip
    for method, fill in PEERS.items():
        commands[method] = [sys.executable, "-c", PEER.format(fill=fill), *files]
    return commands


def processor_seconds(command: list[str]) -> float:
    """Of a process, in user and system mode."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def peak_bytes_of(command: list[str]) -> float:
    """Most memory that a command of eie's holds."""
    code = (
        "import sys\nfrom benchmarks import peak_bytes\nfrom eie.cli import main\n"
        f"sys.argv = {['eie', *command[3:]]!r}\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\nprint(peak_bytes())"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return float(done.stdout.split()[-1])


if __name__ == "__main__":
    run("render", __doc__, measure)
