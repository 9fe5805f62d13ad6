"""How much space the spool has left, and what that means: two marks, the lower one is never crossed.

Below the upper mark new associations that want to store are rejected (R1.54, R1.58) while those that are
open may finish: the space between the marks is theirs. Below the lower mark every object is refused with
A700 (R0.97) and every association is rejected.
"""

from __future__ import annotations

from enum import StrEnum


class DiskState(StrEnum):
    """What the free space allows."""

    PLENTY = "plenty"
    LOW = "low"
    """no new association may store"""
    FULL = "full"
    """nothing is taken"""


def disk_state(free_bytes: int, min_free_bytes: int, low_free_bytes: int) -> DiskState:
    """Compare the free space with the two marks."""
    if free_bytes < min_free_bytes:
        return DiskState.FULL
    return DiskState.LOW if free_bytes < low_free_bytes else DiskState.PLENTY
