"""What fat and gland do to a mammographic beam: a small table, computed once by `benchmarks.attenuation_table`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class EffectiveAttenuation:
    """Attenuation in one beam near one thickness; lengths in mm of the compressed breast."""

    fat_per_mm: float
    """-ln(signal) per mm of a breast of fat alone"""
    gland_per_mm: float
    """growth of -ln(signal) where one mm of fat becomes gland, for the first mm"""
    bend_per_mm2: float
    """how much less each further mm adds, as the beam hardens"""

    def gland_mm(self, extra: NDArray[np.float32]) -> NDArray[np.float32]:
        """Millimetres of gland that make -ln(signal) larger by `extra` than fat of the same thickness."""
        bend, slope = self.bend_per_mm2, self.gland_per_mm
        inside = np.maximum(slope**2 - 4 * bend * extra, np.float32(0))
        # of the two roots of extra = slope h - bend h^2, the one that is 0 at 0; written without cancellation
        out: NDArray[np.float32] = (2 * extra / (slope + np.sqrt(inside))).astype(np.float32)
        return out


def known_beam(anode: str, filter_material: str) -> bool:
    """Whether the table has the beam of this anode and filter."""
    return f"{anode}/{filter_material}" in _table()["beams"]


def effective_attenuation(anode: str, filter_material: str, kvp: float, thickness_mm: float) -> EffectiveAttenuation:
    """Interpolate the table, linearly in tube voltage and thickness; its ends hold beyond.

    Raises
    ------
    KeyError
        The table has no such beam; see `known_beam`.
    """
    table = _table()
    values = table["beams"][f"{anode}/{filter_material}"]
    by_kvp = np.array(
        [[np.interp(thickness_mm, table["thickness_mm"], of_kvp[:, k]) for k in range(3)] for of_kvp in values]
    )
    fat, gland, bend = (float(np.interp(kvp, table["kvp"], by_kvp[:, k])) for k in range(3))
    return EffectiveAttenuation(fat, gland, bend)


@cache
def _table() -> dict[str, Any]:
    text = files("reread.analytics").joinpath("attenuation.json").read_text(encoding="utf-8")
    table: dict[str, Any] = json.loads(text)
    table["beams"] = {name: np.array(rows, dtype=np.float64) for name, rows in table["beams"].items()}
    return table
