#!/bin/sh
# tifffile writes an array of bool as one bit a pixel and states that 0 is white
# (PhotometricInterpretation 0), but does not turn the bits: by the TIFF standard, True is black then,
# and a mask made so is its own opposite for every other program. Its own reader turns nothing either.
# Seen: of [True, False], tifffile gives [True, False] back, Pillow and OpenCV black and white.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet 'tifffile==2026.3.3' 'pillow==13.0.0' 'opencv-python-headless==5.0.0.93'
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import cv2
import numpy as np
import tifffile
from PIL import Image

mask = np.array([[True, False] * 8] * 4)
tifffile.imwrite("mask.tif", mask)
own = tifffile.imread("mask.tif")[0, :2].tolist()
pillow = np.asarray(Image.open("mask.tif").convert("L"))[0, :2].tolist()
opencv = cv2.imread("mask.tif", cv2.IMREAD_GRAYSCALE)[0, :2].tolist()
print("tifffile", own, "Pillow", pillow, "OpenCV", opencv)
assert own == [True, False]
assert pillow == [0, 255]
assert opencv == [0, 255]
PYTHON
echo "as described"
