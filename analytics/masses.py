"""Mass candidates: peaks of the evidence, outlined and measured."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

from reread.analytics.breast import SegmentedBreast
from reread.analytics.calibration import Calibration, ImageKind, built_in_table, operating_point
from reread.analytics.lines import LineParameters, line_map
from reread.analytics.masses_maps import MassMapParameters, MassMaps, mass_maps
from reread.analytics.masses_shape import Surroundings, brightness_range, outline, shape_of
from reread.analytics.pectoral import SegmentedPectoral
from reread.analytics.records import Finding, FindingKind, Nature, Nipple, Shape, Size


@dataclass(frozen=True, slots=True)
class MassParameters:
    """How candidates are chosen and named."""

    maps: MassMapParameters = field(default_factory=MassMapParameters)
    lines: LineParameters = field(default_factory=LineParameters)
    smoothing_mm: float = 0.8
    """standard deviation of the smoothing of the evidence before its peaks are taken"""
    apart_mm: float = 8.0
    """least distance of two candidates"""
    most: int = 30
    """at most this many candidates an image"""
    distortion_spiculation_percent: float = 15.0
    """a candidate towards which at least this share of the lines runs …"""
    distortion_contrast_percent: float = 12.0
    """… and that is less bright than this is a distortion without mass"""


def find_masses(
    breast: SegmentedBreast,
    pectoral: SegmentedPectoral | None,
    parameters: MassParameters | None = None,
    *,
    nipple: Nipple | None = None,
    spacing: Size | None = None,
    calibration: Calibration | None = None,
) -> tuple[Finding, ...]:
    """Find mass candidates, by falling score.

    Parameters
    ----------
    nipple
        For the distance of each candidate from it.
    spacing
        Pixel distances of the stored image; None: square pixels, from the frame.
    calibration
        From evidence to score; None: the built-in table.
    """
    parameters = parameters or MassParameters()
    calibration = calibration or built_in_table().entries[ImageKind.FILM, FindingKind.MASS]
    maps = mass_maps(breast, pectoral, parameters.maps)
    frame = breast.frame
    spacing = spacing or Size(frame.spacing_mm / frame.row_scale, frame.spacing_mm / frame.column_scale)
    lines = line_map(breast, pectoral, parameters.lines)
    tissue = maps.inside & ~maps.muscle & (maps.depth_mm > parameters.maps.skin_mm)
    around = Surroundings(nipple, spacing, maps.muscle, brightness_range(maps.frame.pixels, tissue))
    found = []
    for x, y, evidence in peaks(maps, parameters):
        radius_mm = float(maps.radius_mm[y, x])
        outlined = outline(maps, x, y, radius_mm)
        shape = shape_of(maps, lines, outlined, (x, y), radius_mm, around, parameters.lines)
        point = maps.frame.to_stored(np.array([[x, y]], dtype=np.float64))[0]
        score = round(calibration.probability(evidence), 5)
        ends = maps.frame.from_stored(np.array(shape.long_axis))
        found.append(
            Finding(
                FindingKind.MASS,
                round(float(point[0]), 2),
                round(float(point[1]), 2),
                score,
                operating_point(score, calibration.thresholds),
                maps.frame.contour_to_stored(outlined.contour),
                round((float(np.hypot(*(ends[0] - ends[1]))) + 1) * maps.frame.spacing_mm, 2),
                nature=nature_of(shape, parameters),
                evidence=round(evidence, 5),
                shape=shape,
            )
        )
    return tuple(sorted(found, key=lambda finding: (-finding.score, finding.y_px, finding.x_px)))


def nature_of(shape: Shape, parameters: MassParameters) -> Nature:
    """Lines that run to a place which is hardly brighter than its surroundings are a distortion."""
    converging = (shape.spiculation_percent or 0.0) >= parameters.distortion_spiculation_percent
    faint = shape.contrast_percent < parameters.distortion_contrast_percent
    return Nature.DISTORTION if converging and faint else Nature.MASS


def peaks(maps: MassMaps, parameters: MassParameters) -> list[tuple[int, int, float]]:
    """Local maxima of the evidence (x, y, evidence), the highest first."""
    spacing = maps.frame.spacing_mm
    reach = max(1, round(parameters.apart_mm / spacing))
    element = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    smooth = cv2.GaussianBlur(maps.evidence, (0, 0), max(0.3, parameters.smoothing_mm / spacing))
    smooth = np.where(maps.usable, smooth, np.float32(-1e9))
    highest = cv2.dilate(smooth, element)
    y, x = np.nonzero((smooth >= highest) & maps.usable)
    order = np.argsort(-smooth[y, x], kind="stable")[: parameters.most]
    return [(int(x[i]), int(y[i]), float(smooth[y[i], x[i]])) for i in order]
