"""X-ray beams and attenuation from `spekpy` (Poludniowski et al. 2021, doi:10.1002/mp.14945) and `xraydb`."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from reread.analytics.simulation_beam import Beam, SimulationInvalid

SOURCE_TO_DETECTOR_MM: Final = 650.0
_STEP_KEV: Final = 0.5
_LOWEST_KEV: Final = 5.0
_ANODE_ANGLE_DEG: Final = 16.0
_PADDLE_MM: Final = 2.5
_SPEKPY_PMMA: Final = "Polymethyl Methacrylate (Lucite Perspex or Plexiglas)"
_TUBE_WINDOW_MM: Final = {"W": 0.63, "Mo": 0.8, "Rh": 0.8}
"""beryllium"""

FILTERS_MM: Final = {
    ("W", "Rh"): 0.050,
    ("W", "Ag"): 0.050,
    ("Mo", "Mo"): 0.030,
    ("Mo", "Rh"): 0.025,
    ("Rh", "Rh"): 0.025,
}
"""Anode and filter of the beams that exist, with the usual thickness of the filter."""
KVP_RANGE: Final = (22.0, 40.0)

_GLAND_SHARES: Final = {"H": 0.102, "C": 0.184, "N": 0.032, "O": 0.677, "P": 0.002, "S": 0.001, "K": 0.001, "Ca": 0.001}
_SKIN_SHARES: Final = {"H": 0.098, "C": 0.178, "N": 0.050, "O": 0.667, "P": 0.003, "S": 0.002, "K": 0.001, "Ca": 0.001}
_MUSCLE_SHARES: Final = {
    "H": 0.102,
    "C": 0.143,
    "N": 0.034,
    "O": 0.710,
    "Na": 0.001,
    "P": 0.002,
    "S": 0.003,
    "K": 0.004,
}
_TISSUES: Final = {
    # Hammerstein et al. 1979, doi:10.1148/130.2.485: mass shares; the ash is shared out as P, S, K, Ca
    "adipose": (0.93, {"H": 0.112, "C": 0.619, "N": 0.017, "O": 0.251, "P": 0.001}),
    "glandular": (1.04, _GLAND_SHARES),
    "skin": (1.09, _SKIN_SHARES),
    # infiltrating carcinoma: glandular composition, 5 % more attenuation (Johns and Yaffe 1987, 0.84/0.80 at 20 keV)
    "mass": (1.092, _GLAND_SHARES),
    # ICRU report 44, chlorine left out
    "muscle": (1.05, _MUSCLE_SHARES),
}
_COMPOUNDS: Final = {
    "hydroxyapatite": ("Ca5P3O13H", 3.16),
    "calcium_oxalate": ("CaC2O4H2O", 2.12),
    "pmma": ("C5H8O2", 1.19),
    "aluminium": ("Al", 2.699),
    "selenium": ("Se", 4.27),
    "caesium_iodide": ("CsI", 4.51 * 0.75),  # columnar, packed to three quarters
}


@lru_cache(maxsize=128)
def beam(anode: str, filter_material: str, kvp: float) -> Beam:
    """One beam, at 650 mm from the source on the axis, with a paddle of 2.5 mm PMMA in it.

    Raises
    ------
    SimulationInvalid
        No such beam, or the extra `simulate` is not installed.
    """
    if (anode, filter_material) not in FILTERS_MM:
        known = ", ".join("/".join(pair) for pair in FILTERS_MM)
        raise SimulationInvalid(f"no beam {anode}/{filter_material}; known: {known}")
    if not KVP_RANGE[0] <= kvp <= KVP_RANGE[1]:
        raise SimulationInvalid(f"{kvp:g} kVp is outside {KVP_RANGE[0]:g} to {KVP_RANGE[1]:g}")
    try:
        import spekpy
    except ModuleNotFoundError as error:
        raise SimulationInvalid("simulation needs spekpy and xraydb: pip install 'reread[simulate]'") from error
    filter_mm = FILTERS_MM[anode, filter_material]
    tube = spekpy.Spek(kvp=kvp, th=_ANODE_ANGLE_DEG, targ=anode, dk=_STEP_KEV, z=SOURCE_TO_DETECTOR_MM / 10, mas=1.0)
    tube.multi_filter([("Be", _TUBE_WINDOW_MM[anode]), (filter_material, filter_mm), (_SPEKPY_PMMA, _PADDLE_MM)])
    energies, fluence = tube.get_spectrum()
    keep = energies >= _LOWEST_KEV
    energies = np.asarray(energies[keep], dtype=np.float64)
    return Beam(
        anode=anode,
        filter_material=filter_material,
        filter_mm=filter_mm,
        kvp=float(kvp),
        hvl_mm_al=float(tube.get_hvl1(matl="Al")),
        kerma_per_mas_ugy=float(tube.get_kerma()),
        distance_mm=SOURCE_TO_DETECTOR_MM,
        energies_kev=energies,
        # spekpy: photons per cm² and keV
        fluence_per_mas=np.asarray(fluence[keep], dtype=np.float64) * (_STEP_KEV / 100),
        mu_per_mm={name: attenuation_per_mm(name, energies) for name in (*_TISSUES, *_COMPOUNDS)},
    )


def attenuation_per_mm(material: str, energies_kev: NDArray[np.float64]) -> NDArray[np.float64]:
    """Total linear attenuation (Elam tables of xraydb, coherent scatter included), shape of the energies."""
    try:
        import xraydb
    except ModuleNotFoundError as error:
        raise SimulationInvalid("simulation needs spekpy and xraydb: pip install 'reread[simulate]'") from error
    energies_ev = np.asarray(energies_kev, dtype=np.float64) * 1000
    if material in _TISSUES:
        density, shares = _TISSUES[material]
        total = sum(share * xraydb.mu_elam(element, energies_ev) for element, share in shares.items())
        return np.asarray(total, dtype=np.float64) * density / sum(shares.values()) / 10
    if material not in _COMPOUNDS:
        raise SimulationInvalid(f"no attenuation for {material!r}")
    formula, density = _COMPOUNDS[material]
    return np.asarray(xraydb.material_mu(formula, energies_ev, density=density), dtype=np.float64) / 10
