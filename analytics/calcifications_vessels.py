"""Whether calcifications lie along the wall of an artery: a narrow band that goes on beyond the cluster."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class VesselParameters:
    """What a calcified vessel looks like; millimetres."""

    reach_mm: float = 12.0
    """the band is followed this far from the cluster"""
    half_width_mm: float = 1.5
    """spots this near to the middle line lie in the band: an artery of the breast is up to some 3 mm wide"""
    as_clear: float = 0.6
    """objects are followed that stand out at least this part of the cluster's median"""
    shortest_mm: float = 12.0
    """shorter bands may be a cluster in a duct"""
    fewest: int = 7
    """fewer objects are no band"""
    least_share: float = 0.75
    """share of the objects about the cluster that lie in the band"""
    longest_gap_mm: float = 5.0
    """wider gaps end the band"""
    factor: float = 0.25
    """evidence of a cluster in such a band is multiplied by this"""


def along_a_vessel(
    centre_mm: NDArray[np.float64], objects_mm: NDArray[np.float64], parameters: VesselParameters | None = None
) -> bool:
    """Whether the objects about a cluster lie in a narrow, perhaps bent, band.

    A parabola is laid through the objects, its axis along their greatest spread, three times, each time without the
    objects that lie off it.

    Parameters
    ----------
    centre_mm
        Centre of the cluster, (x, y).
    objects_mm
        All small bright objects of the image, round or long, (n, 2).
    """
    parameters = parameters or VesselParameters()
    near = objects_mm[np.hypot(*(objects_mm - centre_mm).T) <= parameters.reach_mm]
    if len(near) < parameters.fewest:
        return False
    kept = near
    along, off = np.zeros(len(near)), np.zeros(len(near))
    for limit in (2.5, 1.5, 1.0):
        middle = kept.mean(axis=0)
        _, axes = np.linalg.eigh(np.cov((kept - middle).T))
        u, v = (kept - middle) @ axes[:, 1], (kept - middle) @ axes[:, 0]
        curve = np.polynomial.Polynomial.fit(u, v, 2 if len(kept) >= parameters.fewest else 1)
        along = (near - middle) @ axes[:, 1]
        off = (near - middle) @ axes[:, 0] - curve(along)
        inside = np.abs(off) <= limit * parameters.half_width_mm
        if inside.sum() < parameters.fewest:
            return False
        kept = near[inside]
    inside = np.abs(off) <= parameters.half_width_mm
    if inside.sum() < parameters.fewest or inside.mean() < parameters.least_share:
        return False
    steps = np.sort(along[inside])
    pieces = np.split(steps, np.flatnonzero(np.diff(steps) > parameters.longest_gap_mm) + 1)
    longest = max(pieces, key=lambda piece: float(piece[-1] - piece[0]))
    return len(longest) >= parameters.fewest and float(longest[-1] - longest[0]) >= parameters.shortest_mm
