"""Left against right: what is denser than the same place of the other breast, beyond the woman's own differences."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from reread.analytics.calibration import Calibration, operating_point
from reread.analytics.frame import Mask, Plane, blur_inside, disc
from reread.analytics.masses_shape import brightness_range, long_axis, short_axis
from reread.analytics.records import Contour, Finding, FindingKind, Nature, Shape, Signature
from reread.analytics.signatures import Grid, grid_of, to_cells, to_pixels

_RING_MM = 8.0  # width of the surroundings that an asymmetry is compared with


@dataclass(frozen=True, slots=True)
class AsymmetryParameters:
    """Scales and weights of the comparison."""

    scales_mm: tuple[float, ...] = (5.0, 10.0)
    """standard deviations of the smoothing before left and right are compared"""
    weight: float = 0.0625
    """of the difference, in standard deviations, against the evidence of the image itself"""
    largest: float = 4.0
    """differences beyond this many standard deviations count as this"""
    named_from: float = 2.0
    """a candidate with at least this difference and little convergence is called an asymmetry"""
    alone_from: float = 2.5
    """a difference that no candidate lies in becomes one of its own from here on"""
    alone_apart_mm: float = 15.0
    """such a candidate is at least this far from every other"""
    least_overlap_mm2: float = 1500.0
    """less common area than this cannot be compared"""
    registration_steps: int = 50
    """iterations of the registration"""
    largest_shear: float = 0.25
    """a registration that bends or scales more than this is not believed"""
    largest_shift_mm: float = 32.0
    """nor one that shifts the start by more"""


def difference(own: Signature, other: Signature, parameters: AsymmetryParameters | None = None) -> Plane | None:
    """Difference of one breast from the other on the grid of `own`, in standard deviations; None: not comparable.

    Start by nipple and depth of the breast, then the affine map of greatest correlation over skin line, muscle and
    tissue (Evangelidis & Psarakis 2008, doi 10.1109/TPAMI.2008.113). At each scale the difference is taken from the
    woman's own median difference and divided by its standard deviation over the common area, so that breasts which
    differ everywhere are not marked everywhere; the scales are averaged.
    """
    parameters = parameters or AsymmetryParameters()
    here, there = grid_of(own), grid_of(other)
    path = _registered(here, there, _start(own, other), parameters)
    shape = here.brightness.shape
    common = here.tissue & (_warped(there.tissue.astype(np.float32), path, shape) > 0.9)
    if float(common.sum()) * own.spacing_mm**2 < parameters.least_overlap_mm2:
        return None
    planes = []
    for scale_mm in parameters.scales_mm:
        mine = blur_inside(here.brightness, here.tissue.astype(np.float32), scale_mm, own.spacing_mm)
        theirs = blur_inside(there.brightness, there.tissue.astype(np.float32), scale_mm, other.spacing_mm)
        apart = mine - _warped(theirs, path, shape)
        spread = max(float(apart[common].std()), 0.1)
        planes.append(np.where(common, (apart - float(np.median(apart[common]))) / spread, 0.0))
    limit = parameters.largest
    out: Plane = np.clip(np.mean(planes, axis=0), -limit, limit).astype(np.float32)
    return out


def _start(own: Signature, other: Signature) -> NDArray[np.float32]:
    """Cells of `own` → cells of `other`: nipple on nipple, depth scaled."""
    scale = own.spacing_mm / other.spacing_mm
    if own.nipple is None or other.nipple is None:
        x_scale, y_shift = other.columns / own.columns, 0.5 * (other.rows - own.rows * scale)
    else:
        x_scale = max(other.nipple[0], 5.0) / max(own.nipple[0], 5.0)
        y_shift = other.nipple[1] - own.nipple[1] * scale
    x_scale = min(max(x_scale, 0.8 * scale), 1.25 * scale)
    return np.array([[x_scale, 0, 0], [0, scale, y_shift]], np.float32)


def _registered(
    here: Grid, there: Grid, start: NDArray[np.float32], parameters: AsymmetryParameters
) -> NDArray[np.float32]:
    def picture(grid: Grid) -> Plane:
        # skin line and muscle steer as much as the tissue does
        tissue = np.where(grid.tissue, 2.0 + grid.brightness, 0.0)
        out: Plane = np.where(grid.muscle, 4.0, tissue).astype(np.float32)
        return cv2.GaussianBlur(out, (0, 0), 1.5)

    criteria = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, parameters.registration_steps, 1e-4)
    try:
        # the mask is given because the short form of this call has no Gaussian size
        everywhere = np.ones(here.muscle.shape, np.uint8)
        _, path = cv2.findTransformECC(
            picture(here), picture(there), start.copy(), cv2.MOTION_AFFINE, criteria, everywhere, 1
        )
    except cv2.error:
        return start
    found: NDArray[np.float32] = np.asarray(path, np.float32)
    bent = float(np.abs(found[:, :2] - start[:, :2]).max())
    shifted = float(np.abs(found[:, 2] - start[:, 2]).max()) * there.spacing_mm
    believed = (
        bool(np.isfinite(found).all()) and bent <= parameters.largest_shear and shifted <= parameters.largest_shift_mm
    )
    return found if believed else start


def _warped(plane: Plane, path: NDArray[np.float32], shape: tuple[int, ...]) -> Plane:
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    out: Plane = cv2.warpAffine(plane, path, (shape[1], shape[0]), flags=flags, borderMode=cv2.BORDER_CONSTANT)
    return out


def compared(
    findings: tuple[Finding, ...],
    own: Signature,
    other: Signature,
    calibration: Calibration,
    parameters: AsymmetryParameters | None = None,
) -> tuple[Finding, ...]:
    """The findings of one image after its comparison with the other breast.

    The difference at each mass candidate joins its evidence; a difference that no candidate lies in becomes a
    candidate of its own. Clusters stay as they are. Returned by kind and falling score.
    """
    parameters = parameters or AsymmetryParameters()
    plane = difference(own, other, parameters)
    if plane is None:
        return findings
    masses = [finding for finding in findings if finding.kind is FindingKind.MASS]
    rest = [finding for finding in findings if finding.kind is not FindingKind.MASS]
    cells = to_cells(own, np.array([(f.x_px, f.y_px) for f in masses], np.float64).reshape(-1, 2))
    joined = [
        _joined(finding, float(value), calibration, parameters)
        for finding, value in zip(masses, _sampled(plane, cells), strict=True)
    ]
    joined += _alone(plane, cells, own, calibration, parameters)
    joined.sort(key=lambda finding: (-finding.score, finding.y_px, finding.x_px))
    return (*joined, *rest)


def _sampled(plane: Plane, cells: NDArray[np.float64]) -> NDArray[np.float64]:
    if not len(cells):
        return np.empty(0)
    xs, ys = cells[:, 0].astype(np.float32), cells[:, 1].astype(np.float32)
    return np.asarray(cv2.remap(plane, xs, ys, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT), np.float64).ravel()


def _joined(finding: Finding, value: float, calibration: Calibration, parameters: AsymmetryParameters) -> Finding:
    if finding.evidence is None:
        return finding
    evidence = finding.evidence + parameters.weight * value
    score = round(calibration.probability(evidence), 5)
    point = operating_point(score, calibration.thresholds)
    return replace(finding, score=score, evidence=round(evidence, 5), operating_point=point)


def _alone(
    plane: Plane,
    taken: NDArray[np.float64],
    own: Signature,
    calibration: Calibration,
    parameters: AsymmetryParameters,
) -> list[Finding]:
    """Peaks of the difference away from every candidate."""
    grid = grid_of(own)
    reach = max(1, round(parameters.alone_apart_mm / own.spacing_mm))
    element = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    y, x = np.nonzero((plane >= cv2.dilate(plane, element)) & (plane >= parameters.alone_from))
    found = []
    for column, row in zip(x.tolist(), y.tolist(), strict=True):
        if len(taken) and np.hypot(taken[:, 0] - column, taken[:, 1] - row).min() < reach:
            continue
        region: Mask = plane >= 0.5 * plane[row, column]
        _, labels = cv2.connectedComponents(region.astype(np.uint8))
        piece = (labels == labels[row, column]).astype(np.uint8)
        contours, _ = cv2.findContours(piece, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        contour = max(contours, key=cv2.contourArea)[:, 0, :].astype(np.float64)
        centre = to_pixels(own, np.array([[column, row]], np.float64))[0]
        evidence = parameters.weight * float(plane[row, column])
        score = round(calibration.probability(evidence), 5)
        shape, size_mm = _shape(grid, own, contour, piece > 0)
        found.append(
            Finding(
                FindingKind.MASS,
                round(float(centre[0]), 2),
                round(float(centre[1]), 2),
                score,
                operating_point(score, calibration.thresholds),
                _stored(own, contour),
                size_mm,
                nature=Nature.ASYMMETRY,
                evidence=round(evidence, 5),
                shape=shape,
            )
        )
    return found


def _shape(grid: Grid, own: Signature, contour: NDArray[np.float64], piece: Mask) -> tuple[Shape, float]:
    """What can be measured on cells of the signature, and the largest extent; lines and edge cannot."""
    spacing = own.spacing_mm
    ends, length = long_axis(contour)
    chord, width = short_axis(contour, ends)
    centre = contour.mean(axis=0)
    nipple_mm = None if own.nipple is None else float(np.hypot(*(centre - np.array(own.nipple)))) * spacing
    rows, columns = np.nonzero(grid.muscle)
    wall_mm = max(0.0, float(centre[0])) * spacing
    if rows.size:
        wall_mm = float(np.hypot(columns - centre[0], rows - centre[1]).min()) * spacing
    ring = (cv2.dilate(piece.astype(np.uint8), disc(_RING_MM, spacing)) > 0) & ~piece & grid.tissue
    inner, outer = (float(grid.brightness[part].mean()) if part.any() else 0.0 for part in (piece & grid.tissue, ring))
    contrast = 100.0 * (inner - outer) / brightness_range(grid.brightness, grid.tissue)
    shape = Shape(
        _stored(own, ends),
        round(float(piece.sum()) * spacing**2, 2),
        round(contrast, 2),
        None,
        None,
        None if nipple_mm is None else round(nipple_mm, 2),
        round(wall_mm, 2),
        _stored(own, chord),
        round((width + 1) * spacing, 2),
    )
    return shape, round((length + 1) * spacing, 2)


def _stored(own: Signature, cells: NDArray[np.float64]) -> Contour:
    return tuple((round(float(x), 2), round(float(y), 2)) for x, y in to_pixels(own, cells))
