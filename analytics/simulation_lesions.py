"""Lesions to be planted: what they are made of, in the uncompressed breast, so that every view shows the same one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from reread.analytics.records import Laterality

Array = NDArray[np.float64]


class LesionKind(StrEnum):
    """What is planted."""

    MASS = "mass"
    CALCIFICATION = "calcification"
    """a cluster"""
    DISTORTION = "distortion"
    """strands drawn to a point, without a mass"""
    ASYMMETRY = "asymmetry"
    """extra gland in one breast"""


class LesionClass(StrEnum):
    """The finer class of a lesion."""

    CIRCUMSCRIBED = "circumscribed"
    ILL_DEFINED = "ill_defined"
    SPICULATED = "spiculated"
    PLEOMORPHIC = "pleomorphic"
    PUNCTATE = "punctate"
    AMORPHOUS = "amorphous"
    LINEAR = "linear"
    """fine linear, branching"""
    ARCHITECTURAL = "architectural"
    FOCAL = "focal"


_OXALATE_PACKING = 0.84
"""crystals, 1.781 g/cm3, as VICTRE has its clusters (VICTRE_PIPELINE, Victre/Constants.py). It attenuates 0.71/mm at
20 keV, apatite at 0.40 does 0.80/mm"""

CLASSES = {
    LesionKind.MASS: (LesionClass.CIRCUMSCRIBED, LesionClass.ILL_DEFINED, LesionClass.SPICULATED),
    LesionKind.CALCIFICATION: (
        LesionClass.PLEOMORPHIC,
        LesionClass.PUNCTATE,
        LesionClass.AMORPHOUS,
        LesionClass.LINEAR,
    ),
    LesionKind.DISTORTION: (LesionClass.ARCHITECTURAL,),
    LesionKind.ASYMMETRY: (LesionClass.FOCAL,),
}


@dataclass(frozen=True, slots=True)
class Grain:
    """One calcification: a spheroid, in millimetres from the centre of its cluster, axes depth, lateral, superior."""

    offset_mm: tuple[float, float, float]
    axis: tuple[float, float, float]
    """unit vector of the long axis"""
    half_length_mm: float
    half_width_mm: float
    material: str
    packing: float
    """share of compact mineral; the rest is soft tissue"""


@dataclass(frozen=True, slots=True)
class BenignGrain:
    """A calcification that means nothing: single and round, or in the wall of an artery."""

    ball: tuple[float, float, float]
    """place in the half ball"""
    grain: Grain
    in_vessel: bool


@dataclass(frozen=True, slots=True)
class Spicule:
    """A tapering strand that starts at the border of a lesion."""

    direction: tuple[float, float, float]
    start_mm: float
    length_mm: float
    radius_mm: float
    """at its root"""
    curl: float


@dataclass(frozen=True, slots=True)
class Lesion:
    """One planted lesion at its full size."""

    number: int
    """within the woman, from 1"""
    kind: LesionKind
    lesion_class: LesionClass
    laterality: Laterality
    ball: tuple[float, float, float]
    """centre in the half ball: depth, lateral, superior"""
    radius_mm: float
    """of a mass without strands, of extra gland, of the pull of a distortion, of the sphere round a cluster"""
    density: float
    """of a mass: its attenuation over glandular tissue, 1 = mass tissue as such; of an asymmetry: gland added, 0…1"""
    waves: tuple[tuple[float, ...], ...]
    """how the border departs from a sphere: wave vector (3), phase, amplitude"""
    grains: tuple[Grain, ...]
    spicules: tuple[Spicule, ...]
    first_year: int
    """first year in which it is there"""
    doubling_years: float
    """time in which its volume doubles"""

    def scale(self, year: int, years: int) -> float:
        """Linear size in a year, as a share of that in the last year; 0 before it is there."""
        if year < self.first_year:
            return 0.0
        return float(2 ** (-(years - 1 - year) / (3 * self.doubling_years)))


def draw_lesion(
    rng: Generator,
    number: int,
    kind: LesionKind,
    laterality: Laterality,
    *,
    lesion_class: LesionClass | None = None,
    first_year: int = 0,
    place: tuple[float, float, float] | None = None,
) -> Lesion:
    """Draw a lesion of a kind at random; sizes are those of screening (masses 5 to 25 mm, clusters of 4 to 30).

    Parameters
    ----------
    place
        Centre in the half ball; default: somewhere in the inner three quarters.
    """
    chosen = lesion_class or CLASSES[kind][int(rng.integers(len(CLASSES[kind])))]
    radius = {
        LesionKind.MASS: float(np.clip(rng.lognormal(np.log(5.5), 0.38), 2.5, 14)),
        LesionKind.CALCIFICATION: float(np.clip(rng.lognormal(np.log(4.5), 0.45), 1.5, 15)),
        LesionKind.DISTORTION: float(rng.uniform(9, 18)),
        LesionKind.ASYMMETRY: float(rng.uniform(9, 19)),
    }[kind]
    grains: tuple[Grain, ...] = ()
    if kind is LesionKind.CALCIFICATION:
        grains = tuple(_grains(rng, chosen, radius))
        radius = max(float(np.linalg.norm(grain.offset_mm)) + grain.half_length_mm for grain in grains)
    if chosen is LesionClass.SPICULATED:
        radius *= 0.8  # the strands make up for it
        spicules = tuple(_spicules(rng, int(rng.integers(24, 60)), 0.9 * radius, radius * 1.3, (0.35, 0.75)))
    elif chosen is LesionClass.ARCHITECTURAL:
        spicules = tuple(_spicules(rng, int(rng.integers(30, 60)), 0.08 * radius, radius * 0.95, (0.3, 0.65)))
    else:
        spicules = ()
    rough = {LesionClass.CIRCUMSCRIBED: 0.05, LesionClass.ILL_DEFINED: 0.20, LesionClass.SPICULATED: 0.24}.get(
        chosen, 0.1
    )
    waves = tuple(
        (*map(float, rng.normal(0, 2.2, 3)), float(rng.uniform(0, 2 * np.pi)), float(rng.normal(0, rough / np.sqrt(3))))
        for _ in range(6)
    )
    return Lesion(
        number=number,
        kind=kind,
        lesion_class=chosen,
        laterality=laterality,
        ball=place or _place(rng),
        radius_mm=radius,
        density=float(rng.uniform(0.85, 1.1)) if kind is LesionKind.MASS else float(rng.uniform(0.55, 0.9)),
        waves=waves,
        grains=grains,
        spicules=spicules,
        first_year=first_year,
        doubling_years=float(np.clip(rng.lognormal(np.log(1.2), 0.5), 0.4, 4)),
    )


def _place(rng: Generator) -> tuple[float, float, float]:
    """Uniform in the inner part of the half ball, neither at the chest wall nor under the skin."""
    while True:
        depth, lateral, superior = rng.uniform(0.22, 0.85), rng.uniform(-0.7, 0.7), rng.uniform(-0.7, 0.7)
        if depth**2 + lateral**2 + superior**2 < 0.74**2:
            return float(depth), float(lateral), float(superior)


def _unit(rng: Generator) -> Array:
    vector = rng.standard_normal(3)
    return np.asarray(vector / np.linalg.norm(vector), dtype=np.float64)


def _grains(rng: Generator, chosen: LesionClass, radius_mm: float) -> list[Grain]:
    count = int(np.clip(round(rng.lognormal(np.log(9), 0.55)), 4, 40))
    # median diameter in mm, its spread (of the logarithm), elongation, packing of the mineral
    median, spread, longest, packing = {
        LesionClass.PUNCTATE: (0.32, 0.25, 1.3, 0.40),
        LesionClass.PLEOMORPHIC: (0.36, 0.45, 2.4, 0.42),
        LesionClass.AMORPHOUS: (0.22, 0.25, 1.5, 0.32),
        LesionClass.LINEAR: (0.24, 0.25, 4.5, 0.45),
    }[chosen]
    material = "calcium_oxalate" if chosen is LesionClass.AMORPHOUS and rng.random() < 0.5 else "hydroxyapatite"
    if material == "calcium_oxalate":
        packing = _OXALATE_PACKING
    branch = _unit(rng)
    stretch = 0.35 if chosen is LesionClass.LINEAR else 0.75
    grains: list[Grain] = []
    tries = 0
    while len(grains) < count and tries < 4000:
        tries += 1
        offset = _unit(rng) * radius_mm * float(rng.random()) ** 0.5
        # a duct's calcifications lie along it
        offset = offset * stretch + branch * float(offset @ branch) * (1 - stretch)
        diameter = float(np.clip(rng.lognormal(np.log(median), spread), 0.13, 1.0))
        ratio = float(rng.uniform(1, longest)) if chosen is not LesionClass.LINEAR else float(rng.uniform(1.5, longest))
        apart = 0.35 + diameter
        if any(float(np.linalg.norm(offset - np.array(other.offset_mm))) < apart for other in grains):
            continue
        axis = branch + 0.5 * _unit(rng) if chosen is LesionClass.LINEAR else _unit(rng)
        axis = axis / np.linalg.norm(axis)
        width = diameter / 2 / ratio ** (1 / 3)
        grains.append(
            Grain(
                offset_mm=(float(offset[0]), float(offset[1]), float(offset[2])),
                axis=(float(axis[0]), float(axis[1]), float(axis[2])),
                half_length_mm=min(width * ratio, 0.6),
                half_width_mm=width,
                material=material,
                packing=packing,
            )
        )
    return grains


def _spicules(
    rng: Generator, count: int, start_mm: float, length_mm: float, radius_mm: tuple[float, float]
) -> list[Spicule]:
    strands = []
    for _ in range(count):
        direction = _unit(rng)
        strands.append(
            Spicule(
                direction=(float(direction[0]), float(direction[1]), float(direction[2])),
                start_mm=start_mm * float(rng.uniform(0.7, 1.0)),
                length_mm=length_mm * float(rng.uniform(0.5, 1.6)),
                radius_mm=float(rng.uniform(*radius_mm)),
                curl=float(rng.normal(0, 0.25)),
            )
        )
    return strands
