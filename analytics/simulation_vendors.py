"""Made vendors: each a detector, a beam, a raw format and a look. The names are plainly invented."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from reread.analytics.simulation_beam import SimulationInvalid
from reread.analytics.simulation_detector import Detector
from reread.analytics.simulation_processing import Look


class RawRelation(StrEnum):
    """How For Processing pixels follow exposure (Pixel Intensity Relationship and its sign)."""

    LINEAR = "LIN"
    """proportional to exposure, sign 1"""
    LOGARITHMIC = "LOG"
    """growing with attenuation, sign -1"""


@dataclass(frozen=True, slots=True)
class Vendor:
    """One made vendor."""

    key: str
    manufacturer: str
    model: str
    detector: Detector
    beams: tuple[tuple[float, str, str, float, float], ...]
    """from a thickness in mm on: anode, filter, kVp at that thickness, kVp more per mm"""
    raw_relation: RawRelation
    look: Look
    dose_factor: float
    """over the usual dose"""
    small_field: tuple[int, int] | None = None
    """rows and columns of the field for small breasts, next to the whole detector"""
    is_film: bool = False
    """digitised film: one 8-bit image, no raw one"""

    def beam_for(self, thickness_mm: float) -> tuple[str, str, float]:
        """Anode, filter and whole kVp of the automatic exposure at a thickness."""
        start, anode, filter_material, kvp, more = max(beam for beam in self.beams if beam[0] <= max(thickness_mm, 0))
        return anode, filter_material, float(min(max(round(kvp + more * (thickness_mm - start)), 22), 40))

    def field_for(self, height_mm: float, width_mm: float) -> Detector:
        """The detector with the smaller field if the breast fits into it."""
        detector = self.detector
        if self.small_field is None:
            return detector
        rows, columns = self.small_field
        if height_mm > rows * detector.pitch_mm or width_mm > columns * detector.pitch_mm:
            return detector
        return replace(detector, rows=rows, columns=columns)

    def quick(self) -> Vendor:
        """The same with pixels four times as large, for tests and demonstrations."""
        old = self.detector
        detector = replace(old, rows=old.rows // 4, columns=old.columns // 4, pitch_mm=old.pitch_mm * 4)
        # the counts of a pixel, not of an area, fill the range
        field = (self.small_field[0] // 4, self.small_field[1] // 4) if self.small_field else None
        return replace(self, detector=replace(detector, counts_per_kev=old.counts_per_kev / 16), small_field=field)


# Electronic noise: selenium 5200 electrons a pixel at 50 eV, as in the validated model of a panel of 0.085 mm (VICTRE,
# MC-GPU 1.5b, example_simulations/*.in); caesium iodide from the fall of the zero-frequency DQE from 0.55 at
# 32.8 mR to 0.40 at 1.3 mR (Vedantham et al. 2000, doi 10.1118/1.598895). Excess: the absorbed photons alone would give
# a DQE of 0.94 and 0.73, and 0.55 was measured; for want of a figure of its own, selenium has that one too.
_SELENIUM = Detector(
    "SIM-A-1", 3584, 2816, 0.085, "selenium", 0.20, 0.020, False, 260.0, 0.002, 0.0135, 50, 14, True, 1.70
)
_SELENIUM_FINE = Detector(
    "SIM-B-1", 4096, 3328, 0.070, "selenium", 0.25, 0.018, False, 260.0, 0.002, 0.0165, 40, 14, True, 1.70
)
_IODIDE = Detector(
    "SIM-C-1", 3062, 2394, 0.100, "caesium_iodide", 0.15, 0.062, True, 300.0, 0.003, 0.0080, 0, 14, True, 1.32
)
_FILM = Detector("SIM-F-1", 2048, 2048, 0.100, "caesium_iodide", 0.10, 0.070, True, 1500.0, 0.001, 0.0080, 0, 14, True)

VENDORS = {
    vendor.key: vendor
    for vendor in (
        Vendor(
            "A",
            "Phantom Vendor A",
            "Alder",
            _SELENIUM,
            ((0, "W", "Rh", 25, 0.1), (30, "W", "Rh", 26, 0.09), (75, "W", "Ag", 30, 0.06)),
            RawRelation.LINEAR,
            Look(0.9, (0.6, 0.25), 1.0, -0.10, 12, False),
            1.0,
            (2816, 2080),
        ),
        Vendor(
            "B",
            "Phantom Vendor B",
            "Birch",
            _SELENIUM_FINE,
            ((0, "W", "Rh", 25, 0.1), (40, "W", "Rh", 27, 0.08), (60, "W", "Ag", 29, 0.08)),
            RawRelation.LOGARITHMIC,
            Look(1.0, (0.7, 0.30), 1.0, -0.06, 12, False),
            1.1,
            (3328, 2560),
        ),
        Vendor(
            "C",
            "Phantom Vendor C",
            "Cedar",
            _IODIDE,
            ((0, "Mo", "Mo", 25, 0.06), (35, "Mo", "Rh", 27, 0.08), (48, "Rh", "Rh", 28, 0.06)),
            RawRelation.LINEAR,
            Look(0.7, (0.9, 0.10), 0.9, -0.14, 12, True),
            0.9,
            (2294, 1914),
        ),
        Vendor(
            "F",
            "Phantom Vendor F",
            "Fir film digitiser",
            _FILM,
            ((0, "Mo", "Mo", 25, 0.06), (50, "Mo", "Rh", 27, 0.06)),
            RawRelation.LINEAR,
            Look(0.0, (0.0, 0.0), 1.0, 0.0, 8, False),
            1.3,
            is_film=True,
        ),
    )
}
"""By key: A and B direct conversion, C a scintillator, F digitised film."""


def vendor_of(key: str) -> Vendor:
    """The vendor of a key.

    Raises
    ------
    SimulationInvalid
        There is none.
    """
    try:
        return VENDORS[key.strip().upper()]
    except KeyError:
        raise SimulationInvalid(f"no vendor {key!r}; there are {', '.join(VENDORS)}") from None
