#!/usr/bin/env bash
# Move the rocket to the left. Nothing is kept on disk but the picture.
source "$(dirname "$0")/common.sh"

eie decompose "$photos/rocket.jpg" |
  eie edit --move box:305,120,345,400-@290,110 -60,0 |
  eie render > "$out/moved.png"

echo "$out/moved.png"
