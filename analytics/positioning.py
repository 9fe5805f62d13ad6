"""How the breast was positioned: the criteria of quality assurance in millimetres and degrees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reread.analytics.breast import SegmentedBreast
from reread.analytics.pectoral import SegmentedPectoral
from reread.analytics.records import ImageHeader, Nipple, Positioning


@dataclass(frozen=True, slots=True)
class PositioningParameters:
    """Limits of the criteria."""

    nipple_confidence_from: float = 0.5
    """below it the nipple was not seen, and nothing is said of its profile"""
    fold_mm: float = 3.0
    """the skin has come back to the chest wall when it lies this far above the lower border of the image"""


def measure_positioning(
    breast: SegmentedBreast,
    pectoral: SegmentedPectoral | None,
    nipple: Nipple | None,
    header: ImageHeader,
    parameters: PositioningParameters | None = None,
) -> Positioning:
    """Measure the criteria of the European guidelines (4th edition, 2006, chapter 3) that one image shows.

    On cranio-caudal views the posterior nipple line runs level to the border at the chest wall, on the others square
    to the edge of the muscle, and ends at the muscle or the border, whichever it meets first; without a muscle there
    is none. That of a CC view should come within 10 mm of that of the MLO view of the same breast.
    """
    parameters = parameters or PositioningParameters()
    lateral = header.view.shows_pectoral
    length_mm = reaches = below_mm = None
    if nipple is not None and (pectoral is not None or not lateral):
        length_mm, reaches, below_mm = _nipple_line(breast, pectoral, nipple)
    seen = nipple is not None and nipple.confidence >= parameters.nipple_confidence_from
    width_mm = tall_mm = None
    if pectoral is not None:
        spacing = breast.frame.spacing_mm
        width_mm = float(pectoral.mask[: max(1, round(2 / spacing))].any(axis=0).sum()) * spacing
        tall_mm = float(pectoral.mask[:, : max(1, round(2 / spacing))].any(axis=1).sum()) * spacing

    def length(value: float | None) -> float | None:
        return None if value is None or not header.spacing_known else round(value, 1)

    return Positioning(
        posterior_nipple_line_mm=length(length_mm),
        muscle_width_mm=length(width_mm),
        muscle_length_mm=length(tall_mm),
        muscle_angle_deg=None if pectoral is None else round(pectoral.muscle.edge_angle_deg, 1),
        muscle_reaches_nipple_level=reaches if lateral else None,
        muscle_below_nipple_level_mm=length(below_mm),
        nipple_in_profile=nipple.in_profile if nipple is not None and seen else None,
        fold_on_image=_fold(breast, parameters) if lateral else None,
    )


def _nipple_line(
    breast: SegmentedBreast, pectoral: SegmentedPectoral | None, nipple: Nipple
) -> tuple[float, bool | None, float | None]:
    """Length, whether it meets the muscle, and how far the muscle goes on below it at the border."""
    frame = breast.frame
    start = frame.from_stored(np.array([[nipple.x_px, nipple.y_px]]))[0]
    if pectoral is None:
        return max(float(start[0]), 0.0) * frame.spacing_mm, None, None
    angle = np.radians(pectoral.muscle.edge_angle_deg)
    # square to an edge that leans by this angle from the vertical: up and towards the chest wall
    towards = np.array([-np.cos(angle), -np.sin(angle)])
    to_border = max(float(start[0]), 0.0) / np.cos(angle)
    steps = np.arange(0.0, to_border, 0.5)
    points = np.round(start + steps[:, None] * towards).astype(np.intp)
    rows, columns = breast.mask.shape
    inside = (points[:, 0] >= 0) & (points[:, 0] < columns) & (points[:, 1] >= 0) & (points[:, 1] < rows)
    hits = np.zeros(steps.size, dtype=bool)
    hits[inside] = pectoral.mask[points[inside, 1], points[inside, 0]]
    meets = bool(hits.any())
    length_px = float(steps[int(np.argmax(hits))]) if meets else to_border
    at_border = float(start[1] + to_border * towards[1])
    behind = np.flatnonzero(pectoral.mask[:, : max(1, round(2 / frame.spacing_mm))].any(axis=1))
    end = float(behind[-1]) if behind.size else 0.0
    return length_px * frame.spacing_mm, meets, (end - at_border) * frame.spacing_mm


def _fold(breast: SegmentedBreast, parameters: PositioningParameters) -> bool:
    """Whether the skin line comes back to the chest wall above the lower border."""
    spacing = breast.frame.spacing_mm
    wall = np.flatnonzero(breast.mask[:, : max(1, round(2 / spacing))].any(axis=1))
    if not wall.size:
        return False
    below = breast.surroundings.pixels.shape[0] - 1 - (breast.offset[1] + int(wall[-1]))
    return bool(below * spacing >= parameters.fold_mm)
