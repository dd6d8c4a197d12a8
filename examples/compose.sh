#!/usr/bin/env bash
# Put the model shuttle of the astronaut's photo into the sky above the launch pad.
source "$(dirname "$0")/common.sh"

eie decompose "$photos/astronaut.jpg" --segmenter slic -o "$out/astronaut.h5"
eie decompose "$photos/rocket.jpg" --segmenter slic |
  eie edit --paste "$out/astronaut.h5:object@412,170 + object@405,110" 480,150 |
  eie render --format jpeg > "$out/composed.jpg"

echo "$out/composed.jpg"
