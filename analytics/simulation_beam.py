"""What a mammographic beam does to tissue: polyenergetic signal behind any mixture, by a two-material table.

Between 5 and 40 keV, away from K edges, the attenuation of any tissue is a sum of two functions of energy
(photoelectric and scattering), so every material is so many millimetres of adipose plus so many of glandular tissue
(Alvarez and Macovski 1976, doi:10.1088/0031-9155/21/5/002). The logarithm of the detected energy is then one smooth
table over those two lengths.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from reread.analytics.errors import RereadError

Map = NDArray[np.float32]
"""Path lengths in millimetres, or a signal; shape (rows, columns)."""

ADIPOSE, GLANDULAR = "adipose", "glandular"
_ADIPOSE_RANGE_MM = (-90.0, 150.0)
"""compact calcium needs negative adipose; see `Beam.basis`"""
_GLANDULAR_RANGE_MM = (-2.0, 170.0)
_TABLE_STEP_MM = 0.5


class SimulationInvalid(RereadError, ValueError):
    """A simulation was asked for something that it cannot make; the text names it."""


@dataclass(frozen=True, slots=True, eq=False)
class Beam:
    """One X-ray beam as it leaves the tube, with the attenuation of all materials at its energies.

    Arrays have shape (energies,).
    """

    anode: str
    filter_material: str
    filter_mm: float
    kvp: float
    hvl_mm_al: float
    """first half-value layer, with the compression paddle in the beam"""
    kerma_per_mas_ugy: float
    """air kerma free in air at `distance_mm`"""
    distance_mm: float
    """distance from the source to where fluence and kerma hold"""
    energies_kev: NDArray[np.float64]
    fluence_per_mas: NDArray[np.float64]
    """photons per mm² and mAs in each energy bin at `distance_mm`"""
    mu_per_mm: Mapping[str, NDArray[np.float64]]
    """linear attenuation of each material"""

    def transmitted(self, lengths_mm: Mapping[str, float]) -> NDArray[np.float64]:
        """Photons per mm², mAs and bin behind uniform slabs (Beer-Lambert, no scatter), shape (energies,)."""
        depth = sum((self.mu_per_mm[name] * length for name, length in lengths_mm.items()), np.zeros(()))
        return self.fluence_per_mas * np.exp(-depth)

    def basis(self, material: str) -> tuple[float, float]:
        """Millimetres of (adipose, glandular) tissue that attenuate as 1 mm of the material does.

        Least squares over the energies, weighted with what passes 40 mm of breast.
        """
        if material in (ADIPOSE, GLANDULAR):
            return (1.0, 0.0) if material == ADIPOSE else (0.0, 1.0)
        weight = np.sqrt(self.transmitted({ADIPOSE: 20.0, GLANDULAR: 20.0}) * self.energies_kev)
        columns = np.stack([self.mu_per_mm[ADIPOSE], self.mu_per_mm[GLANDULAR]], axis=1) * weight[:, None]
        (adipose, glandular), *_ = np.linalg.lstsq(columns, self.mu_per_mm[material] * weight)
        return float(adipose), float(glandular)


@dataclass(frozen=True, slots=True, eq=False)
class BeamTable:
    """Detected energy per mm² and mAs of one beam in one absorber, as a table over adipose and glandular length."""

    beam: Beam
    air_kev: float
    """detected energy without any tissue, per mm² and mAs"""
    grid: Map
    """shape (glandular steps, adipose steps, 2): log of the transmitted share less the plane; mean energy in keV"""
    plane: tuple[float, float]
    """slope of the logarithm over adipose and over glandular length, per mm, behind 40 mm of breast"""
    bases: Mapping[str, tuple[float, float]]

    def signal(self, lengths_mm: Mapping[str, Map]) -> tuple[Map, Map]:
        """Detected energy and its noise.

        Parameters
        ----------
        lengths_mm
            Path length of each material along the ray, all of one shape.

        Returns
        -------
        mean, energy
            Detected keV per mm² and mAs, and the energy in keV by which it has to be multiplied for its variance
            (an energy-integrating detector adds the squares of the photon energies).
        """
        adipose: Map | None = None
        glandular: Map | None = None
        for name, length in lengths_mm.items():
            a, g = self.bases[name]
            adipose = length * np.float32(a) if adipose is None else _add_scaled(adipose, length, a)
            glandular = length * np.float32(g) if glandular is None else _add_scaled(glandular, length, g)
        if adipose is None or glandular is None:
            raise SimulationInvalid("no tissue was given")
        column = (adipose - np.float32(_ADIPOSE_RANGE_MM[0])) / np.float32(_TABLE_STEP_MM)
        row = (glandular - np.float32(_GLANDULAR_RANGE_MM[0])) / np.float32(_TABLE_STEP_MM)
        np.clip(column, 0, self.grid.shape[1] - 1, out=column)
        np.clip(row, 0, self.grid.shape[0] - 1, out=row)
        looked_up = cv2.remap(self.grid, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        residual, energy = cv2.split(looked_up)
        # the plane is added back exactly: cv2.remap rounds coordinates to 1/32 of a step, which the residual forgives
        exponent = cv2.addWeighted(adipose, self.plane[0], glandular, self.plane[1], 0.0)
        mean = np.asarray(cv2.exp(cv2.add(exponent, residual)), dtype=np.float32)
        mean *= np.float32(self.air_kev)
        return mean, np.asarray(energy, dtype=np.float32)


def beam_table(beam: Beam, absorber: str, absorber_mm: float) -> BeamTable:
    """Tabulate a beam for a detector.

    Parameters
    ----------
    absorber, absorber_mm
        Material and thickness that absorb the photons; all the energy of an absorbed photon is counted.
    """
    energy = beam.energies_kev
    absorbed = 1 - np.exp(-beam.mu_per_mm[absorber] * absorber_mm)
    adipose = np.arange(_ADIPOSE_RANGE_MM[0], _ADIPOSE_RANGE_MM[1] + _TABLE_STEP_MM / 2, _TABLE_STEP_MM)
    glandular = np.arange(_GLANDULAR_RANGE_MM[0], _GLANDULAR_RANGE_MM[1] + _TABLE_STEP_MM / 2, _TABLE_STEP_MM)
    # exp(-a) exp(-g) as one matrix product over the energies; the exponents are centred to stay in range
    by_adipose = np.exp(-np.outer(adipose, beam.mu_per_mm[ADIPOSE]))
    by_glandular = np.exp(-np.outer(glandular, beam.mu_per_mm[GLANDULAR]))
    weight = beam.fluence_per_mas * absorbed * energy
    first = (by_glandular * weight) @ by_adipose.T
    second = (by_glandular * weight * energy) @ by_adipose.T
    air = float(weight.sum())
    behind = beam.transmitted({ADIPOSE: 20.0, GLANDULAR: 20.0}) * absorbed * energy
    slope_a, slope_g = (-float(np.average(beam.mu_per_mm[name], weights=behind)) for name in (ADIPOSE, GLANDULAR))
    residual = np.log(first / air) - slope_a * adipose[None, :] - slope_g * glandular[:, None]
    grid = np.stack([residual, second / first], axis=-1).astype(np.float32)
    bases = {name: beam.basis(name) for name in beam.mu_per_mm}
    return BeamTable(beam, air, grid, (slope_a, slope_g), bases)


def _add_scaled(target: Map, length: Map, scale: float) -> Map:
    return np.asarray(cv2.scaleAdd(length, scale, target), dtype=np.float32) if scale else target
