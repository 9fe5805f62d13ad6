"""Colours of the drawn pages; the two breasts differ by shape too, the steps by brightness."""

from __future__ import annotations

from reread.analytics.pictures_text import Colour

GROUND: Colour = (13, 16, 21)
CARD: Colour = (24, 29, 37)
EDGE: Colour = (52, 60, 72)
INK: Colour = (238, 241, 245)
SOFT: Colour = (172, 182, 194)
QUIET: Colour = (126, 137, 150)
RIGHT_INK: Colour = (244, 185, 92)
LEFT_INK: Colour = (104, 178, 255)
BOTH_INK: Colour = (255, 255, 255)
STEPS: dict[str, Colour] = {
    "a": (48, 66, 78),
    "b": (62, 106, 118),
    "c": (92, 166, 166),
    "d": (182, 226, 206),
}
"""from fat to dense"""
