"""Average glandular dose, and the exposure that gives a wanted one.

AGD = K g c s (Dance et al. 2000, doi:10.1088/0031-9155/45/11/308), with K the incident air kerma at the upper surface
of the breast without backscatter. c is taken as 1: a breast with 50 % gland in its middle.
"""

from __future__ import annotations

import numpy as np

from reread.analytics.simulation_beam import Beam

_HVL_MM = (0.25, 0.30, 0.35, 0.40, 0.45, 0.50, 0.55, 0.60)
_G = {
    20: (0.339, 0.390, 0.433, 0.473, 0.509, 0.543, 0.573, 0.587),
    30: (0.234, 0.274, 0.309, 0.342, 0.374, 0.406, 0.437, 0.466),
    40: (0.174, 0.207, 0.235, 0.261, 0.289, 0.318, 0.346, 0.374),
    45: (0.155, 0.183, 0.208, 0.232, 0.258, 0.285, 0.311, 0.339),
    50: (0.137, 0.164, 0.187, 0.209, 0.232, 0.258, 0.287, 0.310),
    60: (0.112, 0.135, 0.154, 0.172, 0.192, 0.214, 0.236, 0.261),
    70: (0.094, 0.114, 0.130, 0.145, 0.163, 0.177, 0.202, 0.224),
    80: (0.081, 0.098, 0.112, 0.126, 0.140, 0.154, 0.175, 0.195),
}
"""g in mGy/mGy by thickness in mm; Dance et al. 2000, table 7"""
_S = {("Mo", "Mo"): 1.000, ("Mo", "Rh"): 1.017, ("Rh", "Rh"): 1.061, ("W", "Rh"): 1.042, ("W", "Ag"): 1.042}


def glandular_dose_per_mas_mgy(beam: Beam, thickness_mm: float, breast_bottom_mm: float) -> float:
    """Average glandular dose of one mAs.

    Parameters
    ----------
    breast_bottom_mm
        Height of the support plate above the plane where the beam's kerma holds.
    """
    distance = beam.distance_mm - breast_bottom_mm - thickness_mm
    kerma = beam.kerma_per_mas_ugy / 1000 * (beam.distance_mm / distance) ** 2
    thickness = np.array(sorted(_G))
    at_hvl = [float(np.interp(beam.hvl_mm_al, _HVL_MM, _G[int(value)])) for value in thickness]
    # g falls as a power of the thickness
    g = float(np.exp(np.interp(np.log(thickness_mm), np.log(thickness), np.log(at_hvl))))
    return kerma * g * _S[beam.anode, beam.filter_material]


def usual_dose_mgy(thickness_mm: float) -> float:
    """A usual average glandular dose of digital mammography at a thickness: 0.8 mGy at 20 mm, 1.3 at 53, 2.6 at 80."""
    return float(np.interp(thickness_mm, (20, 30, 40, 53, 60, 75, 90), (0.8, 0.85, 1.0, 1.3, 1.55, 2.3, 3.2)))
