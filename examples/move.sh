#!/usr/bin/env bash
# Move one tower to the left and take another away. Nothing is kept on disk but the picture.
source "$(dirname "$0")/common.sh"

eie decompose "$photos/rocket.jpg" |
  eie edit --move box:436,110,475,410 -50,0 --delete box:165,110,208,400-@150,300 |
  eie render > "$out/edited.png"

echo "$out/edited.png"
