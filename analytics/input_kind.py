"""How an image came to be: taken as such, generated from a tomosynthesis, or the tomosynthesis itself."""

from __future__ import annotations

from enum import StrEnum


class InputKind(StrEnum):
    """How an image came to be; each kind of a study has reports of its own (R0.40 to R0.42)."""

    TWO_D = "2d"
    """a mammogram as it was taken"""
    GENERATED_2D = "generated-2d"
    """computed from a tomosynthesis"""
    THREE_D = "3d"
    """tomosynthesis: slices or projections"""
