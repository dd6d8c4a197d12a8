"""What the light decoder's networks and its graphs have in common: sizes and limits."""

TILE = 32
"""Side in pixels of the tiles that a canvas is worked on in."""

GRID = 4
"""Pixels between the trunk's queries."""

FADING = 3.0
"""Pixels beyond a turned box where what is in it ends. An upright one ends at once. The edges of a
turned one would show as stairs, where the photo itself ends there."""

FAINT = 1e-5
"""Weight at which what surrounds a pixel counts as much as the elements that claim it."""

CLAIMED = 0.2
"""Claim of the elements on a pixel from which on it is theirs; 1 stands right on a border, and two
elements that meet may each fall a pixel or two short of it."""
