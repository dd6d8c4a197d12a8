#!/bin/sh
# OpenCV's matchTemplate does not give 0 where an 8-bit picture is compared with its own crop by
# TM_SQDIFF: the sums are taken by floating-point convolution. With a mask of ones it gives 0, and
# so it does for the same numbers as float32. Who looks for `result == 0` finds no copy.
# Seen: 30 at the crop's own place without a mask, 0 with one, 0 of float32.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet 'opencv-python-headless==5.0.0.93' 'numpy==2.4.6'
"$folder/venv/bin/python" - <<'PYTHON'
import cv2
import numpy as np

picture = np.random.default_rng(0).integers(0, 256, (200, 200, 3)).astype(np.float32)
eight_bits = picture.astype(np.uint8)


def at_home(image, mask=None) -> float:
    crop = np.ascontiguousarray(image[50:90, 60:100])
    return float(cv2.matchTemplate(image, crop, cv2.TM_SQDIFF, mask=mask)[50, 60])


plain = at_home(eight_bits)
masked = at_home(eight_bits, np.ones((40, 40, 3), np.uint8))
floating = at_home(picture)
print(cv2.__version__, "8 bits", plain, "with a mask of ones", masked, "float32", floating)
assert plain != 0
assert masked == 0 and floating == 0
PYTHON
echo "as described"
