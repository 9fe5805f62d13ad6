"""Which candidate hits which lesion, by the rules of the shared referee: for fitting and cross-validation.

A candidate hits a lesion when its centre lies within max(radius, 5 mm) of the lesion's centre; a lesion counts once;
false positives are counted on normal images only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reread.analytics.records import Mammogram

Candidates = Sequence[tuple[float, float, float]]
"""(x_px, y_px, evidence) of one image"""

LEAST_REACH_PX = 25.0  # 5 mm at 0.2 mm
CLASSES = {
    "masses": frozenset({"CIRC", "SPIC", "MISC"}),
    "asymmetry and distortion": frozenset({"ASYM", "ARCH"}),
    "clusters": frozenset({"CALC"}),
}


@dataclass(frozen=True, slots=True)
class Lesion:
    image: str
    woman: str
    kind: str
    x_px: float
    y_px: float
    reach_px: float


@dataclass(frozen=True, slots=True)
class Truth:
    """Lesions and normal images; images by SOP Instance UID, women by case number."""

    lesions: tuple[Lesion, ...]
    normal: tuple[str, ...]
    woman_of: Mapping[str, str]
    paths: Mapping[str, Path]

    @staticmethod
    def from_rows(
        rows: Sequence[Mapping[str, str]], paths: Mapping[str, Path], read: Callable[[Path], Mammogram]
    ) -> Truth:
        """From the rows of labels.csv and the DICOM file of each image name."""
        uid = {name: read(path).header.sop_instance_uid for name, path in paths.items()}
        lesions = tuple(
            Lesion(
                uid[row["image"]],
                row["case"],
                kind,
                float(row["x_image"]),
                float(row["y_image_from_top"]),
                max(float(row["radius_px"]), LEAST_REACH_PX),
            )
            for row in rows
            for kind, classes in CLASSES.items()
            if row["abnormality"] in classes and row["x_image"]
        )
        normal = tuple(sorted({uid[row["image"]] for row in rows if row["abnormality"] == "NORM"}))
        woman_of = {uid[row["image"]]: row["case"] for row in rows}
        return Truth(lesions, normal, woman_of, {uid[name]: path for name, path in paths.items()})

    @property
    def women(self) -> list[str]:
        return sorted(set(self.woman_of.values()), key=int)

    def of_kind(self, kind: str) -> list[Lesion]:
        return [lesion for lesion in self.lesions if lesion.kind == kind]

    def best(self, lesions: Sequence[Lesion], found: Mapping[str, Candidates]) -> NDArray[np.float64]:
        """Highest evidence among the candidates that hit each lesion, -inf without one."""
        return np.array(
            [
                max((s for x, y, s in found.get(lesion.image, ()) if hits(lesion, x, y)), default=-np.inf)
                for lesion in lesions
            ]
        )

    def false(self, found: Mapping[str, Candidates], women: frozenset[str] | None = None) -> NDArray[np.float64]:
        """Evidence of all candidates on normal images, falling."""
        images = [image for image in self.normal if women is None or self.woman_of[image] in women]
        values = [s for image in images for *_, s in found.get(image, ())]
        return np.sort(np.array(values, np.float64))[::-1]

    def normal_count(self, women: frozenset[str] | None = None) -> int:
        return sum(women is None or self.woman_of[image] in women for image in self.normal)


def hits(lesion: Lesion, x_px: float, y_px: float) -> bool:
    return bool(np.hypot(x_px - lesion.x_px, y_px - lesion.y_px) <= lesion.reach_px)


def threshold_at(false: NDArray[np.float64], allowed: float) -> float:
    """Marks have to be above this for at most `allowed` false ones."""
    return float(false[int(allowed)]) if int(allowed) < len(false) else -np.inf
