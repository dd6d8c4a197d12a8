#!/usr/bin/env bash
# Land the rocket of one photo in the coffee of another, at half its size.
source "$(dirname "$0")/common.sh"

eie decompose "$photos/rocket.jpg" |
  eie edit --group rocket box:305,120,345,400-@290,110 --scale group:rocket 0.5 -o "$out/rocket.h5"
eie decompose "$photos/coffee.jpg" |
  eie edit --paste "$out/rocket.h5:group:rocket" 285,90 |
  eie render --format jpeg > "$out/composed.jpg"

echo "$out/composed.jpg"
