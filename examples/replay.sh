#!/usr/bin/env bash
# Try edits on a coarse cut, then play them on a fine one of the same photo.
source "$(dirname "$0")/common.sh"

eie decompose "$photos/coffee.jpg" --elements 128 -o "$out/coarse.h5"
eie edit "$out/coarse.h5" --copy object@365,285 +130,-190 --delete object@365,285
eie info "$out/coarse.h5" --script > "$out/edits.json"

eie decompose "$photos/coffee.jpg" --elements 400 |
  eie edit --script "$out/edits.json" |
  eie render > "$out/replayed.png"

echo "$out/replayed.png"
