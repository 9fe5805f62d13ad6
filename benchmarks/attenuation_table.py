"""Compute `analytics/attenuation.json`: what breast tissue does to the beams of mammography.

    python -m benchmarks.attenuation_table > analytics/attenuation.json

Needs spekpy (Poludniowski et al. 2021, doi 10.1002/mp.14945) and xraydb (Elam tables); the measurement needs
neither, it reads the table. Tissues: Hammerstein et al. 1979 (doi 10.1148/130.2.485). The detector integrates the
energy that 0.2 mm of selenium absorb. For every beam, tube voltage and thickness of a compressed breast, behind a
paddle of
2.5 mm PMMA and two skins of 1.45 mm:

* `fat`: slope of -ln(signal) over the thickness of a breast of fat alone, per mm;
* `gland`, `bend`: with h mm of the thickness turned from fat into gland, -ln(signal) grows by gland h - bend h^2
  (least squares up to 0.7 of the thickness).
"""

from __future__ import annotations

import json
import sys

import numpy as np
import spekpy
import xraydb

BEAMS = {("W", "Rh"): 0.05, ("W", "Ag"): 0.05, ("Mo", "Mo"): 0.03, ("Mo", "Rh"): 0.025, ("Rh", "Rh"): 0.025}
BEAMS |= {("W", "Al"): 0.7, ("Rh", "Ag"): 0.03}
"""anode and filter, with the usual thickness of the filter in mm"""
KVP = list(range(22, 41, 2))
THICKNESS_MM = [20, 35, 50, 70, 100]
WINDOW_MM = {"W": 0.63, "Mo": 0.8, "Rh": 0.8}
FAT = (0.93, {"H": 0.112, "C": 0.619, "N": 0.017, "O": 0.251, "P": 0.001})
GLAND = (
    1.04,
    {"H": 0.102, "C": 0.184, "N": 0.032, "O": 0.677, "P": 0.002, "S": 0.001, "K": 0.001, "Ca": 0.001},
)
SKIN = (
    1.09,
    {"H": 0.098, "C": 0.178, "N": 0.050, "O": 0.667, "P": 0.003, "S": 0.002, "K": 0.001, "Ca": 0.001},
)


def attenuation(tissue: tuple[float, dict[str, float]], energy_kev: np.ndarray) -> np.ndarray:
    """Per mm."""
    density, shares = tissue
    total = sum(share * xraydb.mu_elam(element, energy_kev * 1000) for element, share in shares.items())
    return np.asarray(total) * density / sum(shares.values()) / 10


def row(anode: str, filter_material: str, filter_mm: float, kvp: int) -> list[list[float]]:
    """fat, gland, bend for every thickness."""
    tube = spekpy.Spek(kvp=kvp, th=16, targ=anode, dk=0.5, z=65.0, mas=1.0)
    plastic = "Polymethyl Methacrylate (Lucite Perspex or Plexiglas)"
    tube.multi_filter([("Be", WINDOW_MM[anode]), (filter_material, filter_mm), (plastic, 2.5)])
    energy, fluence = tube.get_spectrum()
    energy, fluence = energy[energy >= 5], fluence[energy >= 5]
    fat, gland, skin = (attenuation(tissue, energy) for tissue in (FAT, GLAND, SKIN))
    absorbed = 1 - np.exp(-np.asarray(xraydb.material_mu("Se", energy * 1000, density=4.27)) / 10 * 0.2)
    weight = fluence * energy * absorbed * np.exp(-skin * 2.9)

    def depth(fat_mm: float, gland_mm: float) -> float:
        return -float(np.log((weight * np.exp(-fat * fat_mm - gland * gland_mm)).sum()))

    out = []
    for thickness in THICKNESS_MM:
        inner = thickness - 2.9
        slope = (depth(inner + 1, 0) - depth(inner - 1, 0)) / 2
        share = np.linspace(0.02, 0.7, 40) * inner
        grown = np.array([depth(inner - h, h) - depth(inner, 0) for h in share])
        first, second = np.linalg.lstsq(np.stack([share, -(share**2)], axis=1), grown, rcond=None)[0]
        out.append([round(slope, 6), round(float(first), 6), round(float(second), 9)])
    return out


def main() -> None:
    table = {
        "source": "benchmarks/attenuation_table.py: spekpy " + spekpy.__version__ + ", xraydb " + xraydb.__version__,
        "kvp": KVP,
        "thickness_mm": THICKNESS_MM,
        "beams": {
            f"{anode}/{material}": [row(anode, material, mm, kvp) for kvp in KVP]
            for (anode, material), mm in BEAMS.items()
        },
    }
    json.dump(table, sys.stdout, separators=(",", ":"))
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
