#!/usr/bin/env bash
# Remove the spoon's bowl, look at the elements, and take it back: the photo is untouched.
source "$(dirname "$0")/common.sh"
file=$out/coffee.h5

eie decompose "$photos/coffee.jpg" -o "$file"
eie edit "$file" --group spoon object@365,285 --delete group:spoon
eie show "$file" --before-after -o "$out/removed-elements.png"
eie render "$file" -o "$out/removed.png"

eie edit "$file" --undo
eie render "$file" -o "$out/restored.png" # the photo's own pixels, all of them

echo "$out/removed.png"
