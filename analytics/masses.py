"""Mass candidates: places toward which the gradients point, brighter than what surrounds them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from reread.analytics.breast import SegmentedBreast
from reread.analytics.frame import Frame, Mask, Plane, blur_inside, largest_contour
from reread.analytics.pectoral import SegmentedPectoral
from reread.analytics.records import Finding, FindingKind


@dataclass(frozen=True, slots=True)
class MassParameters:
    """Sizes, weights and thresholds of the mass detector."""

    spacing_mm: float = 0.8
    """working pixel distance"""
    radii_mm: tuple[float, ...] = (5.0, 7.5, 11.0, 16.0)
    """radii of the masses looked for"""
    smoothing_mm: float = 1.2
    """standard deviation before the gradient"""
    background_mm: float = 25.0
    """standard deviation of the background that is taken away"""
    sectors: int = 8
    """the convergence is taken in this many sectors"""
    weakest: int = 2
    """so many sectors with the least convergence count again: fibres converge from two sides, masses from all"""
    weakest_weight: float = 2.0
    """weight of those sectors"""
    contrast_weight: float = 0.05
    """weight of the contrast against that of the convergence"""
    skin_mm: float = 4.0
    """candidates nearer to the skin are left out"""
    muscle_factor: float = 0.6
    """candidates in the muscle count this much"""
    apart_mm: float = 8.0
    """least distance of two candidates"""
    most: int = 30
    """at most this many candidates an image"""
    centre_score: float = 2.6
    """raw score that becomes 0.5"""
    width_score: float = 0.5
    """raw score steps of the logistic curve"""
    operating_points: tuple[float, float, float] = (0.65, 0.56, 0.46)
    """least score of the operating points 0, 1 and 2: 0.25, 0.5 and 1.0 false marks a normal
    image of the odd cases of mini-MIAS"""


@dataclass(frozen=True, slots=True, eq=False)
class _Maps:
    frame: Frame
    flat: Plane
    usable: Mask
    muscle: Mask
    best: Plane
    scale: NDArray[np.intp]


def find_masses(
    breast: SegmentedBreast, pectoral: SegmentedPectoral | None, parameters: MassParameters | None = None
) -> tuple[Finding, ...]:
    """Find mass candidates, by falling score.

    Gradient convergence (the iris filter, Kobatake & Hashimoto 1999, doi 10.1109/83.743855, here over rings of four
    sizes in eight sectors, the weakest of which count more) joined with the contrast of disc against ring; outline by
    the region around the centre above half of the contrast.
    """
    parameters = parameters or MassParameters()
    maps = _maps(breast, pectoral, parameters)
    found = []
    for x, y, raw, radius_mm in _peaks(maps, parameters):
        score = float(1.0 / (1.0 + np.exp(-(raw - parameters.centre_score) / parameters.width_score)))
        outline, size_mm = _outline(maps, x, y, radius_mm)
        point = maps.frame.to_stored(np.array([[x, y]], dtype=np.float64))[0]
        found.append(
            Finding(
                FindingKind.MASS,
                round(float(point[0]), 2),
                round(float(point[1]), 2),
                round(score, 5),
                operating_point(score, parameters.operating_points),
                maps.frame.contour_to_stored(outline),
                round(size_mm, 2),
            )
        )
    return tuple(sorted(found, key=lambda finding: -finding.score))


def operating_point(score: float, thresholds: tuple[float, float, float]) -> int | None:
    """The most specific operating point whose threshold the score reaches (R0.315)."""
    return next((point for point, least in enumerate(thresholds) if score >= least), None)


def _maps(breast: SegmentedBreast, pectoral: SegmentedPectoral | None, parameters: MassParameters) -> _Maps:
    frame, muscle = breast.frame, np.zeros_like(breast.mask) if pectoral is None else pectoral.mask
    scale = min(1.0, frame.spacing_mm / parameters.spacing_mm)
    rows, columns = frame.pixels.shape
    size = (max(16, round(columns * scale)), max(16, round(rows * scale)))
    small = Frame(
        cv2.resize(frame.pixels, size, interpolation=cv2.INTER_AREA),
        frame.spacing_mm / scale,
        frame.column_scale * columns / size[0],
        frame.row_scale * rows / size[1],
        frame.origin,
        frame.mirrored,
        frame.stored_columns,
    )
    inside: Mask = cv2.resize(breast.mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    in_muscle: Mask = cv2.resize(muscle.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    depth = cv2.resize(breast.depth_mm, size, interpolation=cv2.INTER_LINEAR)
    spacing = small.spacing_mm
    # the muscle is levelled on its own, so that its edge is no gradient
    flat = np.zeros_like(small.pixels)
    for part in (inside & ~in_muscle, inside & in_muscle):
        weight = part.astype(np.float32)
        level = blur_inside(small.pixels, weight, parameters.background_mm, spacing)
        flat[part] = (small.pixels - level)[part]
    smooth = cv2.GaussianBlur(flat, (0, 0), parameters.smoothing_mm / spacing)
    along_x = cv2.Sobel(smooth, cv2.CV_32F, 1, 0, scale=0.125)
    along_y = cv2.Sobel(smooth, cv2.CV_32F, 0, 1, scale=0.125)
    length = np.hypot(along_x, along_y)
    core = inside & (depth > parameters.skin_mm) & ~in_muscle
    typical = float(np.median(length[core])) if core.any() else 1.0
    # weak gradients have no direction; the skin and the muscle's edge have one that says nothing
    trusted = (inside & (depth > 3.0)).astype(np.float32)
    edge = cv2.morphologyEx(in_muscle.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((5, 5), np.uint8)) > 0
    trusted[edge] = 0
    soft = trusted / np.maximum(length + 0.5 * typical, 1e-6)
    unit_x, unit_y = along_x * soft, along_y * soft
    spread = max(float(flat[core].std()) if core.any() else 0.0, 1e-4)
    usable: Mask = inside & (depth > parameters.skin_mm)
    best = np.full(flat.shape, -np.inf, dtype=np.float32)
    which = np.zeros(flat.shape, dtype=np.intp)
    for number, radius_mm in enumerate(parameters.radii_mm):
        joint = _joint(unit_x, unit_y, flat / np.float32(spread), trusted, radius_mm / spacing, core, parameters)
        better = joint > best
        best[better], which[better] = joint[better], number
    best = np.where(in_muscle, best * parameters.muscle_factor, best)
    return _Maps(small, flat, usable, in_muscle, best, which)


def _joint(
    unit_x: Plane, unit_y: Plane, flat: Plane, trusted: Plane, radius: float, core: Mask, parameters: MassParameters
) -> Plane:
    """Convergence and contrast at one size, each in standard deviations over the breast."""
    reach = int(np.ceil(1.5 * radius))
    dy, dx = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float32)
    away = np.hypot(dx, dy)
    ring = ((away <= 1.2 * radius) & (away >= 0.35 * radius)).astype(np.float32)
    angle = np.arctan2(dy, dx)
    border = cv2.BORDER_CONSTANT
    parts = []
    for sector in range(parameters.sectors):
        width = 2 * np.pi / parameters.sectors
        wedge = ring * (((angle + np.pi - sector * width) % (2 * np.pi)) < width)
        toward = wedge / np.maximum(away, 1) / max(float(wedge.sum()), 1.0)
        parts.append(
            -cv2.filter2D(unit_x, cv2.CV_32F, dx * toward, borderType=border)
            - cv2.filter2D(unit_y, cv2.CV_32F, dy * toward, borderType=border)
        )
    ordered = np.sort(np.stack(parts), axis=0)
    convergence = ordered.mean(axis=0) + parameters.weakest_weight * ordered[: parameters.weakest].mean(axis=0)
    disc = (away <= 0.7 * radius).astype(np.float32)
    around = ((away > 1.1 * radius) & (away <= 1.5 * radius)).astype(np.float32)
    weight_in = np.maximum(cv2.filter2D(trusted, cv2.CV_32F, disc, borderType=border), 1)
    weight_out = np.maximum(cv2.filter2D(trusted, cv2.CV_32F, around, borderType=border), 1)
    kept = flat * trusted
    contrast = (
        cv2.filter2D(kept, cv2.CV_32F, disc, borderType=border) / weight_in
        - cv2.filter2D(kept, cv2.CV_32F, around, borderType=border) / weight_out
    )
    # in units of this breast's own spread: a streaky breast must not look full of masses
    convergence_z = convergence / max(float(convergence[core].std()) if core.any() else 0.0, 1e-4)
    contrast_z = contrast / max(float(contrast[core].std()) if core.any() else 0.0, 1e-4)
    joint: Plane = convergence_z + parameters.contrast_weight * contrast_z
    return joint


def _peaks(maps: _Maps, parameters: MassParameters) -> list[tuple[int, int, float, float]]:
    """Local maxima (x, y, raw score, radius), the highest first."""
    spacing = maps.frame.spacing_mm
    reach = max(1, round(parameters.apart_mm / spacing))
    element = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    smooth = cv2.GaussianBlur(maps.best, (0, 0), 1.0)
    highest = cv2.dilate(smooth, element)
    y, x = np.nonzero((smooth >= highest) & maps.usable & (smooth > 0))
    order = np.argsort(-smooth[y, x])[: parameters.most]
    return [
        (int(x[i]), int(y[i]), float(smooth[y[i], x[i]]), parameters.radii_mm[maps.scale[y[i], x[i]]]) for i in order
    ]


def _outline(maps: _Maps, x: int, y: int, radius_mm: float) -> tuple[NDArray[np.float64], float]:
    """The region around the centre above half of its contrast, kept within 1.5 radii; and its largest extent."""
    spacing = maps.frame.spacing_mm
    radius = radius_mm / spacing
    reach = int(np.ceil(1.5 * radius))
    top, left = max(0, y - reach), max(0, x - reach)
    part = cv2.GaussianBlur(maps.flat[top : y + reach + 1, left : x + reach + 1], (0, 0), 1.0)
    rows, columns = np.mgrid[0 : part.shape[0], 0 : part.shape[1]]
    away = np.hypot(columns - (x - left), rows - (y - top))
    inner = float(part[away <= max(1.0, 0.4 * radius)].mean())
    ring = part[(away > 1.1 * radius) & (away <= 1.5 * radius)]
    outer = float(ring.mean()) if ring.size else inner - 1.0
    region = ((part >= 0.5 * (inner + outer)) & (away <= 1.5 * radius)) | (away <= 0.5 * radius)
    region = cv2.morphologyEx(region.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    _, labels = cv2.connectedComponents(region)
    label = labels[y - top, x - left]
    piece = labels == label if label else away <= 0.7 * radius
    contour = largest_contour(piece, 0.4)
    if len(contour) < 3:
        contour = largest_contour(away <= max(2.0, 0.7 * radius), 0.4)
    _, (wide, high), _ = cv2.minAreaRect(contour.astype(np.float32))
    return contour + np.array([left, top]), float(max(wide, high) + 1) * spacing
