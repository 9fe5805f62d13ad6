"""Women: breasts that belong together, over views, sides and years; everything follows from a seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import PCG64, Generator, SeedSequence

from reread.analytics.records import Laterality, View
from reread.analytics.simulation_beam import SimulationInvalid
from reread.analytics.simulation_lesions import Lesion, LesionKind, draw_lesion
from reread.analytics.simulation_projection import Grid
from reread.analytics.simulation_shape import Compression, Muscle, SkinDistance

_LESION_WEIGHTS = {
    LesionKind.CALCIFICATION: 0.36,
    LesionKind.MASS: 0.40,
    LesionKind.DISTORTION: 0.12,
    LesionKind.ASYMMETRY: 0.12,
}
_DISTANCE_OF_PLATE_MM = 12.0


@dataclass(frozen=True, slots=True)
class LesionWish:
    """How many lesions of which kinds."""

    share_of_women: float = 0.5
    """share of the women with at least one lesion"""
    most: int = 2
    """per woman"""
    kinds: tuple[LesionKind, ...] = tuple(LesionKind)

    def __post_init__(self) -> None:
        if not 0 <= self.share_of_women <= 1:
            raise SimulationInvalid("the share of women with lesions is 0 to 1")
        if self.most < 1 or not self.kinds:
            raise SimulationInvalid("at least one lesion of at least one kind")


@dataclass(frozen=True, slots=True)
class Side:
    """One breast, before it is positioned."""

    laterality: Laterality
    depth_mm: float
    half_width_mm: float
    volume_cm3: float
    gland_share: float
    """of the volume, in year 0"""


@dataclass(frozen=True, slots=True)
class Woman:
    """One woman with her breasts and lesions."""

    seed: int
    number: int
    age_years: int
    """in year 0"""
    left: Side
    right: Side
    thickness_mm: float
    """compressed, on CC"""
    fall_per_year: float
    """relative loss of gland in a year"""
    muscle_mm: tuple[float, float]
    """width at the upper edge of the image and height, on MLO"""
    nipple_rolls: float
    """probability that the nipple is not in profile"""
    lesions: tuple[Lesion, ...]

    def side(self, laterality: Laterality) -> Side:
        """The breast of a side."""
        return self.left if laterality is Laterality.LEFT else self.right

    def needed_mm(self) -> tuple[float, float]:
        """Height and width of the detector's field that shows both breasts in all views."""
        sides = (self.left, self.right)
        height = max(max(2.2 * side.half_width_mm, 1.72 * side.depth_mm + 0.88 * side.half_width_mm) for side in sides)
        return height * 1.08 + 10, max(side.depth_mm for side in sides) * 1.15 + 25

    def gland_cm3(self, laterality: Laterality, year: int) -> float:
        """Gland of a breast in a year: it falls, the breast keeps its volume."""
        side = self.side(laterality)
        return side.volume_cm3 * side.gland_share * (1 - self.fall_per_year) ** year


def stream(seed: int, *path: int) -> Generator:
    """A generator of its own for each place in the simulation (PCG64), so that order and processes do not matter."""
    return Generator(PCG64(SeedSequence(seed, spawn_key=path)))


def draw_woman(seed: int, number: int, *, years: int = 1, wish: LesionWish | None = None) -> Woman:
    """Draw one woman.

    Distributions: volume lognormal with median 600 cm3 and volumetric density lognormal with median 9 %, as large
    screening series report them (median near 7 to 9 %, Brandt et al. 2016, doi:10.1148/radiol.2015151261).

    Parameters
    ----------
    number
        Her number within the simulation, from 0.
    wish
        Lesions; default: half of the women have one or two.
    """
    rng = stream(seed, number, 0)
    wish = wish or LesionWish()
    age = int(rng.integers(45, 75 - min(years, 20)))
    depth = float(np.clip(rng.normal(86, 15), 52, 125))
    half_width = float(min(depth * rng.uniform(1.0, 1.4), 128))
    thickness = float(np.clip(26 + 0.33 * depth + rng.normal(0, 8), 25, 85))
    # small breasts are dense; density falls with age
    share = np.log(0.105) - 0.012 * (age - 55) - 0.9 * np.log(depth / 86) + rng.normal(0, 0.52)
    share = float(np.clip(np.exp(share), 0.025, 0.45))
    sides = []
    for laterality in (Laterality.LEFT, Laterality.RIGHT):
        own_depth = depth * float(1 + rng.normal(0, 0.025))
        own_width = half_width * float(1 + rng.normal(0, 0.02))
        # volume of a compressed half ellipse with round edges
        area = np.pi / 2 * own_depth * own_width
        rim = (1 - np.pi / 4) * thickness / 2 * np.pi * np.sqrt((own_depth**2 + own_width**2) / 2)
        volume = float((area - rim) * thickness / 1000)
        own_share = float(np.clip(share * np.exp(rng.normal(0, 0.07)), 0.02, 0.5))
        sides.append(Side(laterality, own_depth, own_width, volume, own_share))
    lesions: list[Lesion] = []
    if rng.random() < wish.share_of_women:
        weights = np.array([_LESION_WEIGHTS[kind] for kind in wish.kinds])
        count = int(rng.integers(1, wish.most + 1))
        for index in range(count):
            kind = wish.kinds[int(rng.choice(len(wish.kinds), p=weights / weights.sum()))]
            laterality = Laterality.LEFT if rng.random() < 0.5 else Laterality.RIGHT
            first = int(rng.integers(max(years - 2, 0), years)) if years > 1 else 0
            lesions.append(draw_lesion(stream(seed, number, 1, index), index + 1, kind, laterality, first_year=first))
    return Woman(
        seed=seed,
        number=number,
        age_years=age,
        left=sides[0],
        right=sides[1],
        thickness_mm=thickness,
        fall_per_year=float(np.clip(rng.normal(0.025, 0.012), 0, 0.08)),
        muscle_mm=(float(rng.uniform(0.32, 0.58) * depth), float(rng.uniform(1.25, 1.75) * depth)),
        nipple_rolls=0.12,
        lesions=tuple(lesions),
    )


def position(woman: Woman, laterality: Laterality, view: View, year: int, grid: Grid) -> tuple[Compression, bool]:
    """Position and compress one breast for one view of one year.

    Returns
    -------
    compression, nipple_in_profile

    Raises
    ------
    SimulationInvalid
        A view other than CC and MLO.
    """
    if view not in (View.CC, View.MLO):
        raise SimulationInvalid(f"{view.value} is not simulated; CC and MLO are")
    side = woman.side(laterality)
    number = 0 if laterality is Laterality.LEFT else 1
    shape_rng = stream(woman.seed, woman.number, 2, number, 0 if view is View.CC else 1)
    own = stream(woman.seed, woman.number, 3, number, 0 if view is View.CC else 1, year)
    exponent = float(shape_rng.uniform(1.8, 2.3))
    ripple = tuple(float(value) for value in shape_rng.normal(0, (0.014, 0.009, 0.006)))
    thickness = float(np.clip(woman.thickness_mm * (1 + own.normal(0, 0.03)), 20, 95))
    height, width = grid.height_mm, grid.width_mm
    muscle = None
    upper = exponent
    if view is View.CC:
        up, down = side.half_width_mm * 1.04, side.half_width_mm * 0.97
        centre = height / 2 + float(own.normal(0, 4))
        angle = 0.0
    else:
        thickness *= 1.06
        down = side.half_width_mm * 0.88
        centre = min(1.72 * side.depth_mm, 0.58 * height) + float(own.normal(0, 6))
        # the axilla is cut off by the upper edge of the image
        up = centre * float(shape_rng.uniform(1.10, 1.25))
        upper = float(shape_rng.uniform(1.45, 1.85))
        angle = float(np.clip(45 + own.normal(0, 4), 30, 60))
        top = woman.muscle_mm[0] * float(1 + own.normal(0, 0.06))
        # there is fat in front of the muscle, also where the edge of the image cuts the axilla
        skin_at_top = side.depth_mm * max(1 - (centre / up) ** upper, 0.01) ** (1 / upper)
        top = min(top, 0.72 * skin_at_top + 4)
        foot = min(woman.muscle_mm[1] * float(1 + own.normal(0, 0.06)), centre + 25)
        muscle = Muscle(top, foot, float(shape_rng.normal(2.0, 3.5)), float(shape_rng.uniform(0.45, 0.7)))
    depth = side.depth_mm * float(1 + own.normal(0, 0.012))
    # less of a thicker breast is spread out
    depth *= float(np.sqrt(woman.thickness_mm / thickness)) ** 0.5
    depth = min(depth, (width - 12) * 0.92)
    compression = Compression(
        view=view,
        angle_deg=angle,
        depth_mm=depth,
        up_mm=up,
        down_mm=down,
        exponent=exponent,
        upper_exponent=upper,
        ripple=ripple,
        centre_mm=centre,
        height_mm=height,
        width_mm=width,
        thickness_mm=thickness,
        tilt=float(np.clip(own.normal(0.03, 0.012), 0, 0.08)),
        bottom_mm=_DISTANCE_OF_PLATE_MM,
        skin_mm=float(shape_rng.uniform(1.2, 1.8)),
        muscle=muscle,
    )
    return compression, bool(own.random() >= woman.nipple_rolls)


def gland_of_view(woman: Woman, laterality: Laterality, year: int, skin: SkinDistance) -> float:
    """Gland in cm3 that a view holds: that of the breast, or, where the view shows less, its share."""
    side = woman.side(laterality)
    shown = skin.volume_mm3(pitch_mm=1.0) / 1000
    return woman.gland_cm3(laterality, year) * min(shown / side.volume_cm3, 1.0)


def parse_lesions(text: str) -> tuple[LesionKind, ...]:
    """Kinds from a list of words, "mass,calcification"; "all" for every kind, "none" for none.

    Raises
    ------
    SimulationInvalid
        A word that is no kind.
    """
    words: Sequence[str] = [word.strip().lower() for word in text.split(",") if word.strip()]
    if list(words) == ["all"]:
        return tuple(LesionKind)
    if list(words) == ["none"]:
        return ()
    try:
        return tuple(LesionKind(word) for word in words)
    except ValueError:
        raise SimulationInvalid(f"no lesions {text!r}; there are {', '.join(LesionKind)}, all, none") from None
