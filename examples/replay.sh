#!/usr/bin/env bash
# Edit one file, then play the same edits on another one: places in % fit any canvas.
source "$(dirname "$0")/common.sh"

eie decompose "$photos/rocket.jpg" --segmenter slic |
  eie edit --delete box:0%,0%,20%,20% --move box:40%,25%,60%,100% -5%,0 -o "$out/first.h5"
eie info "$out/first.h5" --script > "$out/edits.json"

eie decompose "$photos/coffee.jpg" --segmenter slic |
  eie edit --script "$out/edits.json" |
  eie render > "$out/replayed.png"

echo "$out/replayed.png"
