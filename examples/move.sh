#!/usr/bin/env bash
# Move the rocket to the left. Nothing is kept on disk but the picture.
source "$(dirname "$0")/common.sh"

eie decompose "$photos/rocket.jpg" --segmenter slic |
  eie edit --move 'box:300,120,340,400 + @322,210' -60,0 |
  eie render > "$out/moved.png"

echo "$out/moved.png"
