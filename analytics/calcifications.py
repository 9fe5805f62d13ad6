"""Clusters of microcalcifications: small bright spots above the local noise, three or more within 5 mm."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, QhullError, cKDTree

from reread.analytics.breast import SegmentedBreast
from reread.analytics.frame import Frame, Mask, Plane, blur, resample
from reread.analytics.masses import operating_point
from reread.analytics.pectoral import SegmentedPectoral
from reread.analytics.records import Finding, FindingKind, Mammogram


@dataclass(frozen=True, slots=True)
class CalcificationParameters:
    """Sizes and thresholds of the detector of calcification clusters."""

    spacing_mm: float = 0.1
    """working pixel distance; a coarser image stays as it is"""
    spot_mm: float = 0.14
    """standard deviation of the inner Gaussian"""
    surround_mm: float = 0.44
    """standard deviation of the outer Gaussian"""
    noise_mm: float = 3.0
    """standard deviation of the window in which the noise is measured"""
    noise_floor: float = 0.0025
    """least noise, of the full range: quantisation of 8-bit images"""
    least_z: float = 3.5
    """a spot stands out this many local standard deviations, at the reference pixel distance"""
    reference_spacing_mm: float = 0.2
    """pixel distance that `least_z` holds for; finer pixels give noise more chances, so spots have to stand out more"""
    largest_elongation: float = 2.5
    """ratio of curvatures above which a spot is part of a line (vessel, fibre)"""
    reach_mm: float = 5.0
    """members of a cluster lie within this distance of its centre"""
    least_members: int = 3
    """fewest calcifications of a cluster"""
    skin_mm: float = 2.5
    """spots nearer to the skin or the film's edge are left out"""
    most_spots: int = 600
    """only the clearest spots are clustered"""
    most: int = 30
    """at most this many clusters an image"""
    centre_score: float = 5.0
    """raw score that becomes 0.5"""
    width_score: float = 3.0
    """raw score steps of the logistic curve"""
    operating_points: tuple[float, float, float] = (0.74, 0.6, 0.46)
    """least score of the operating points 0, 1 and 2: 0.1, 0.25 and 0.5 false marks a normal
    image of the odd cases of mini-MIAS"""


@dataclass(frozen=True, slots=True, eq=False)
class _Spots:
    """Single bright spots: positions (x, y) in the frame, (n, 2); how far each stands out, (n,)."""

    points: NDArray[np.float64]
    strength: NDArray[np.float64]


def find_calcifications(
    mammogram: Mammogram,
    breast: SegmentedBreast,
    pectoral: SegmentedPectoral | None,
    parameters: CalcificationParameters | None = None,
) -> tuple[Finding, ...]:
    """Find clusters, by falling score.

    Difference of Gaussians over local noise, spots that are round (Hessian), three or more within 5 mm (the cluster
    rule of Karssemeijer 1993 and others: three or more within 1 cm2).
    """
    parameters = parameters or CalcificationParameters()
    frame = resample(
        mammogram, parameters.spacing_mm, mirrored=not breast.region.chest_wall_on_left, crop_px=breast.crop_px
    )
    spots = _spots(frame, breast, pectoral, parameters)
    return _clusters(frame, spots, parameters)


def _spots(
    frame: Frame, breast: SegmentedBreast, pectoral: SegmentedPectoral | None, parameters: CalcificationParameters
) -> _Spots:
    spacing = frame.spacing_mm
    inner = cv2.GaussianBlur(frame.pixels, (0, 0), max(parameters.spot_mm / spacing, 0.5))
    outer = cv2.GaussianBlur(frame.pixels, (0, 0), max(parameters.surround_mm / spacing, 1.5))
    sharp: Plane = inner - outer
    usable = _usable(frame, breast, pectoral, parameters)
    # local noise: the outliers, which are what is looked for, are clipped before it is measured
    values = sharp[::4, ::4][usable[::4, ::4]]
    if values.size < 100:
        return _Spots(np.empty((0, 2)), np.empty(0))
    limit = np.float32(4.0 * 1.4826 * float(np.median(np.abs(values))) + 1e-6)
    weight = usable.astype(np.float32)
    power = np.clip(sharp, -limit, limit)
    power *= power
    power *= weight
    noise = np.sqrt(
        blur(power, parameters.noise_mm, spacing) / np.maximum(blur(weight, parameters.noise_mm, spacing), 0.05)
    )
    z = sharp / np.maximum(noise, np.float32(parameters.noise_floor))
    highest = cv2.dilate(z, np.ones((3, 3), np.uint8))
    y, x = np.nonzero((z >= highest) & (z >= _least_z(spacing, parameters)) & usable)
    if not y.size:
        return _Spots(np.empty((0, 2)), np.empty(0))
    round_enough = _roundness(inner, x, y, spacing) * parameters.largest_elongation >= 1.0
    x, y = x[round_enough], y[round_enough]
    order = np.argsort(-z[y, x], kind="stable")[: parameters.most_spots]
    return _Spots(np.column_stack([x, y])[order].astype(np.float64), z[y, x][order].astype(np.float64))


def _least_z(spacing_mm: float, parameters: CalcificationParameters) -> float:
    """The threshold at which Gaussian noise gives as many spots per area as at the reference pixel distance.

    The tail falls like exp(-z²/2) and the number of pixels grows with the inverse square of their distance.
    """
    more = max(1.0, (parameters.reference_spacing_mm / spacing_mm) ** 2)
    return float(np.sqrt(parameters.least_z**2 + 2.0 * np.log(more)))


def _usable(
    frame: Frame, breast: SegmentedBreast, pectoral: SegmentedPectoral | None, parameters: CalcificationParameters
) -> Mask:
    """Breast without the skin, the film's edges and the edge of the muscle."""
    small = breast.frame
    edge = max(1, round(parameters.skin_mm / small.spacing_mm))
    inside = breast.mask & (breast.depth_mm > parameters.skin_mm)
    inside[:, :edge] = False
    inside[:edge] = False
    inside[-edge:] = False
    if pectoral is not None:
        ridge = cv2.morphologyEx(pectoral.mask.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
        inside &= ~ridge
    usable: Mask = frame.plane_from(small, inside.astype(np.float32)) > 0.5
    return usable


def _roundness(smooth: Plane, x: NDArray[np.intp], y: NDArray[np.intp], spacing_mm: float) -> NDArray[np.float64]:
    """Ratio of the smaller to the larger downward curvature of each spot: 1 round, 0 a line."""
    step = max(1, round(0.2 / spacing_mm))
    rows, columns = smooth.shape
    left, right = np.maximum(x - step, 0), np.minimum(x + step, columns - 1)
    up, down = np.maximum(y - step, 0), np.minimum(y + step, rows - 1)
    here = smooth[y, x]
    xx = smooth[y, left] + smooth[y, right] - 2 * here
    yy = smooth[up, x] + smooth[down, x] - 2 * here
    xy = (smooth[up, left] + smooth[down, right] - smooth[up, right] - smooth[down, left]) / 4
    mean, half = (xx + yy) / 2, np.sqrt(((xx - yy) / 2) ** 2 + xy**2)
    smaller, larger = -(mean + half), -(mean - half)
    return np.asarray(np.clip(smaller / np.maximum(larger, 1e-9), 0.0, 1.0), dtype=np.float64)


def _clusters(frame: Frame, spots: _Spots, parameters: CalcificationParameters) -> tuple[Finding, ...]:
    """Grow clusters from the densest place down; a spot belongs to one cluster."""
    count = len(spots.points)
    if count < parameters.least_members:
        return ()
    reach = parameters.reach_mm / frame.spacing_mm
    tree = cKDTree(spots.points)
    gain = np.minimum(spots.strength, 12.0) - _least_z(frame.spacing_mm, parameters) + 0.5
    free = np.ones(count, dtype=bool)
    neighbours = [np.array(near, dtype=np.intp) for near in tree.query_ball_point(spots.points, reach)]
    found: list[Finding] = []
    raw = np.array([_raw_score(gain[near]) if near.size >= parameters.least_members else 0.0 for near in neighbours])
    while len(found) < parameters.most:
        seed = int(np.argmax(raw))
        if raw[seed] <= 0:
            break
        near = neighbours[seed][free[neighbours[seed]]]
        centre = np.average(spots.points[near], axis=0, weights=gain[near])
        again = np.array(tree.query_ball_point(centre, reach), dtype=np.intp)
        members = again[free[again]] if free[again].sum() >= near.size else near
        found.append(_finding(frame, spots, members, _raw_score(gain[members]), parameters))
        free[members] = False
        # only seeds whose neighbourhood lost a member change
        for index in {int(i) for member in members for i in neighbours[member]}:
            left = neighbours[index][free[neighbours[index]]]
            raw[index] = _raw_score(gain[left]) if free[index] and left.size >= parameters.least_members else 0.0
        raw[members] = 0.0
    return tuple(sorted(found, key=lambda finding: -finding.score))


def _raw_score(gain: NDArray[np.float64]) -> float:
    """Sum of what stands out, the strongest spot of all left out: one artefact is no cluster."""
    strongest = np.sort(gain)[::-1][1:16]
    return float(strongest.sum())


def _finding(
    frame: Frame, spots: _Spots, members: NDArray[np.intp], raw: float, parameters: CalcificationParameters
) -> Finding:
    points = spots.points[members]
    centre = frame.to_stored(points.mean(axis=0, keepdims=True))[0]
    score = float(1.0 / (1.0 + np.exp(-(raw - parameters.centre_score) / parameters.width_score)))
    margin = 0.6 / frame.spacing_mm
    around = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    wide = (points[:, None, :] + margin * np.stack([np.cos(around), np.sin(around)], axis=1)[None]).reshape(-1, 2)
    try:
        hull = wide[ConvexHull(wide).vertices]
    except QhullError:
        hull = wide[:12]
    apart = points[:, None, :] - points[None, :, :]
    size_mm = float(np.sqrt((apart**2).sum(axis=2)).max()) * frame.spacing_mm + 0.3
    return Finding(
        FindingKind.CALCIFICATION,
        round(float(centre[0]), 2),
        round(float(centre[1]), 2),
        round(score, 5),
        operating_point(score, parameters.operating_points),
        frame.contour_to_stored(hull),
        round(size_mm, 2),
        frame.contour_to_stored(points),
    )
