#!/bin/sh
# OpenCV 5.0.0 (opencv-python-headless 5.0.0.93): warpAffine gives other values for the same pixel of
# the output depending on which part of the output is asked for. A window of a warp (the same matrix,
# its translation less the window's corner) differs from the same window of the whole warp: of a turn by
# 20 degrees at 1.8 % of the pixels for INTER_LANCZOS4, by 2 of 255 levels there, since places are
# rounded to 1/32 pixel from where the window begins. So large pictures that are warped tile by tile
# show it, and so does an edit that is rendered again in a smaller box. Quarter turns agree.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet 'opencv-python-headless==5.0.0.93' numpy
cat > "$folder/try.py" <<'END'
import cv2
import numpy as np

rng = np.random.default_rng(0)
picture = cv2.GaussianBlur(rng.integers(0, 256, (200, 300, 3), dtype=np.uint8), (0, 0), 1)
picture = cv2.normalize(picture, None, 0, 255, cv2.NORM_MINMAX)


def differing(angle, method, x=37, y=21, width=120, height=90):
    matrix = cv2.getRotationMatrix2D((150, 100), angle, 1.0)
    whole = cv2.warpAffine(picture, matrix, (300, 200), flags=method)
    shifted = matrix.copy()
    shifted[:, 2] -= (x, y)
    window = cv2.warpAffine(picture, shifted, (width, height), flags=method)
    away = np.abs(window.astype(int) - whole[y : y + height, x : x + width])
    return away.max(), (away.max(axis=2) > 0).mean()


for name, method in (("linear", cv2.INTER_LINEAR), ("Lanczos", cv2.INTER_LANCZOS4)):
    most, share = differing(20, method)
    print(f"{name}, 20 degrees: {most} levels at most, {100 * share:.1f} % of the pixels")
    assert most > 0
assert differing(90, cv2.INTER_LANCZOS4)[0] == 0
END
"$folder/venv/bin/python" "$folder/try.py"
echo "as described"
