#!/usr/bin/env bash
# Remove a tower, look at the elements, and take it back: the photo is untouched.
source "$(dirname "$0")/common.sh"
file=$out/rocket.h5

eie decompose "$photos/rocket.jpg" -o "$file"
eie edit "$file" --group tower box:436,110,475,410 --delete group:tower
eie show "$file" --before-after -o "$out/removed-elements.png"
eie render "$file" -o "$out/removed.png"

eie edit "$file" --undo
eie render "$file" -o "$out/restored.png" # the photo's own pixels, all of them

echo "$out/removed.png"
