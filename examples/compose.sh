#!/usr/bin/env bash
# Land the rocket of one photo in the coffee of another.
source "$(dirname "$0")/common.sh"

eie decompose "$photos/rocket.jpg" -o "$out/rocket.h5"
eie decompose "$photos/coffee.jpg" |
  eie edit --paste "$out/rocket.h5:box:305,120,345,360" 285,75 |
  eie render --format jpeg > "$out/composed.jpg"

echo "$out/composed.jpg"
