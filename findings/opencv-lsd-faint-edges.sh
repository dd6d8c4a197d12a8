#!/bin/sh
# OpenCV's line segment detector sees no edge of less than 10 levels, however long and clean it is:
# gradients below quant / sin(ang_th) = 5.2 levels are dropped before any significance is asked for,
# and the picture is blurred to .8 of its size first, which halves an edge's. Its paper calls it free
# of parameters. `quant=1.0` and `0.5` find edges from 5 and 2 levels on, and still none in noise.
# Without lines all four results are None, not empty arrays.
# Seen: 10, 5 and 2 levels for quant 2 (the default), 1 and 0.5, whether the edge has 100 or 1000
# pixels; four times None in noise of a deviation of 10 levels.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet 'opencv-python-headless==5.0.0.93' 'numpy==2.4.6'
"$folder/venv/bin/python" - <<'PYTHON'
import cv2
import numpy as np


def detected(picture, quant):
    detector = cv2.createLineSegmentDetector(cv2.LSD_REFINE_ADV, quant=quant)
    return detector.detect(picture)


def faintest(length, quant) -> int:
    """Levels of the least step down the middle of a picture that is found."""
    for step in range(1, 40):
        picture = np.full((length, 120), 60, np.uint8)
        picture[:, 50:] += np.uint8(step)
        if detected(picture, quant)[0] is not None:
            return step
    raise SystemExit("no edge is found")


default = cv2.createLineSegmentDetector(cv2.LSD_REFINE_ADV)
picture = np.full((1000, 120), 60, np.uint8)
picture[:, 50:] = 69
seen = {(length, quant): faintest(length, quant) for length in (100, 1000) for quant in (2, 1, 0.5)}
noise = np.random.default_rng(0).normal(128, 10, (200, 200)).clip(0, 255).astype(np.uint8)
print(cv2.__version__, seen, default.detect(picture), detected(noise, 0.5))
assert [seen[length, quant] for length in (100, 1000) for quant in (2, 1, 0.5)] == [10, 5, 2] * 2
assert default.detect(picture) == (None,) * 4 == detected(noise, 0.5)
PYTHON
echo "as described"
