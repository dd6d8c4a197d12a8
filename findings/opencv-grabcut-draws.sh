#!/bin/sh
# OpenCV's GrabCut answers the same call with other masks: its k-means draws first means from a random
# state of the thread that every call moves on, and the optimum it ends in hangs on them. More
# iterations do not bring the answers together. `cv2.setRNGSeed` before each call makes them equal, and
# which seed is taken then decides the mask. Neither the function's page nor its example says so.
# Seen: of the 140,000 pixels of a rectangle on scikit-image's astronaut, 25 % differ between two of five
# calls with 1 iteration, 10 % with 5; none with the seed set to 0 each time.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet 'opencv-python-headless==5.0.0.93' 'numpy==2.4.6' 'scikit-image==0.26.0'
"$folder/venv/bin/python" - <<'PYTHON'
import cv2
import numpy as np
from skimage import data

photo = np.ascontiguousarray(data.astronaut()[..., ::-1])
rectangle = (60, 20, 350, 400)  # x, y, width, height


def cut(iterations, seed=None):
    if seed is not None:
        cv2.setRNGSeed(seed)
    mask = np.zeros(photo.shape[:2], np.uint8)
    models = np.zeros((2, 1, 65))
    cv2.grabCut(photo, mask, rectangle, *models, iterations, cv2.GC_INIT_WITH_RECT)
    return mask & 1


def most_different(masks):
    return max(int(np.count_nonzero(a != b)) for a in masks for b in masks)


area = rectangle[2] * rectangle[3]
cv2.setRNGSeed(1)
free = {count: most_different([cut(count) for _ in range(5)]) / area for count in (1, 5)}
seeded = most_different([cut(5, seed=0) for _ in range(5)])
print(cv2.__version__, free, seeded)
assert min(free.values()) > 0.05
assert seeded == 0
PYTHON
echo "as described"
