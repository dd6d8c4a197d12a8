#!/usr/bin/env bash
# Edit one file, then play the same edits on another one: places in % fit any canvas.
source "$(dirname "$0")/common.sh"

eie decompose "$photos/rocket.jpg" |
  eie edit --move box:48%,28%,54%,94% -10%,0 --flip box:0%,0%,20%,30% v -o "$out/first.h5"
eie info "$out/first.h5" --script > "$out/edits.json"

eie decompose "$photos/coffee.jpg" |
  eie edit --script "$out/edits.json" |
  eie render > "$out/replayed.png"

echo "$out/replayed.png"
