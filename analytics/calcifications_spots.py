"""Single calcifications: small bright objects above the local noise that are neither lines nor large."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from reread.analytics.breast import SegmentedBreast
from reread.analytics.frame import Frame, Mask, Plane, blur, disc
from reread.analytics.pectoral import SegmentedPectoral


@dataclass(frozen=True, slots=True)
class SpotParameters:
    """Sizes and thresholds of single calcifications."""

    spot_mm: float = 0.08
    """standard deviation of the inner Gaussian: a calcification of 0.2 to 0.3 mm behind a detector's blur"""
    surround_mm: float = 0.25
    """standard deviation of the outer Gaussian"""
    spot_px: float = 0.7
    """the inner one is at least this many pixels wide …"""
    surround_px: float = 2.2
    """… and the outer one this many"""
    noise_mm: float = 3.0
    """standard deviation of the window in which the noise is measured"""
    noise_floor_steps: float = 0.64
    """least noise, in grey steps of the image: quantisation. A share of the full range would not do: raw images spread
    ten natural logarithms of exposure over it, and show a breast in one or two of them"""
    noise_floor_share: float = 0.25
    """… and at least this part of the typical noise of the breast: saturated areas have none"""
    least_z: float = 3.0
    """a spot stands out this many local standard deviations, at the reference pixel distance or above"""
    reference_spacing_mm: float = 0.2
    """size of a pixel from which on `least_z` holds"""
    least_z_fine: float = 3.8
    """… and this many at `fine_spacing_mm` or below: finer pixels and filters give noise more chances"""
    fine_spacing_mm: float = 0.1
    """size of a pixel up to which `least_z_fine` holds; between the two it changes gradually"""
    largest_elongation: float = 2.5
    """ratio of curvatures above which a spot is part of a line (vessel, fibre)"""
    largest_mm: float = 2.0
    """larger objects are coarse calcifications, foreign bodies or labels, no microcalcifications"""
    longest_thin_mm: float = 1.0
    """objects longer than this and thinner than a third of it are vessel walls, fibres, hairs or scratches"""
    bright_z: float = 6.0
    """from here on the object is measured above its surroundings, below within the spot filter's own response"""
    surroundings_mm: float = 1.4
    """radius of the opening that gives the surroundings of a bright object"""
    skin_mm: float = 2.5
    """spots nearer to the skin or the film's edge are left out"""
    strip_mm: float = 15.0
    """strips of bare film along the upper and lower edge, told by their noise, reach at most this far"""
    strip_noise: float = 1.8
    """noise of such a strip, in units of the breast's"""
    darkest: float = 0.2
    """darker than this part of the way from air to tissue is no breast"""
    most: int = 600
    """only the clearest spots are kept"""


@dataclass(frozen=True, slots=True, eq=False)
class Spots:
    """Single bright spots, the clearest first."""

    points: NDArray[np.float64]
    """(x, y) in the frame, (n, 2)"""
    strength: NDArray[np.float64]
    """height above the surroundings in local standard deviations, (n,)"""
    size_mm: NDArray[np.float64]
    """largest extent, (n,)"""
    usable: Mask
    """where spots were looked for"""
    least_z: float
    dashes: NDArray[np.float64]
    """(x, y) of the bright objects that are thin and long: pieces of vessel walls, fibres; (n, 2)"""
    dash_strength: NDArray[np.float64]
    """how far those stand out, (n,)"""
    learned: bool = False
    """whether strength is what a network says, above the least"""


def find_spots(
    frame: Frame, breast: SegmentedBreast, pectoral: SegmentedPectoral | None, parameters: SpotParameters | None = None
) -> Spots:
    """Find single calcifications.

    Difference of Gaussians over the noise of the neighbourhood, which equalises noise that depends on the signal
    (Karssemeijer, Int. J. Pattern Recognition 1993); spots that are round (Hessian); one spot per object, and
    objects of the size and shape of a microcalcification.
    """
    parameters = parameters or SpotParameters()
    spacing = frame.spacing_mm
    inner: Plane = cv2.GaussianBlur(frame.pixels, (0, 0), max(parameters.spot_mm / spacing, parameters.spot_px))
    sharp: Plane = inner - cv2.GaussianBlur(
        frame.pixels, (0, 0), max(parameters.surround_mm / spacing, parameters.surround_px)
    )
    usable = usable_area(frame, breast, pectoral, sharp, parameters)
    least_z = least_z_at(spacing, parameters)
    # local noise: the outliers, which are what is looked for, are clipped before it is measured
    values = sharp[::4, ::4][usable[::4, ::4]]
    if values.size < 100:
        return Spots(np.empty((0, 2)), np.empty(0), np.empty(0), usable, least_z, np.empty((0, 2)), np.empty(0))
    limit = np.float32(4.0 * 1.4826 * float(np.median(np.abs(values))) + 1e-6)
    weight = usable.astype(np.float32)
    power = np.clip(sharp, -limit, limit)
    power *= power
    power *= weight
    noise = np.sqrt(
        blur(power, parameters.noise_mm, spacing) / np.maximum(blur(weight, parameters.noise_mm, spacing), 0.05)
    )
    floor = max(
        parameters.noise_floor_steps * grey_step(frame, usable),
        parameters.noise_floor_share * float(np.median(noise[::4, ::4][usable[::4, ::4]])),
        1e-6,
    )
    z = sharp / np.maximum(noise, np.float32(floor))
    highest = cv2.dilate(z, np.ones((3, 3), np.uint8))
    y, x = np.nonzero((z >= highest) & (z >= least_z) & usable)
    round_enough = roundness(inner, x, y, spacing) * parameters.largest_elongation >= 1.0
    x, y = x[round_enough], y[round_enough]
    order = np.argsort(-z[y, x], kind="stable")[: 2 * parameters.most]
    x, y = x[order], y[order]
    keep, size_mm, dashes = objects(frame, sharp, x, y, z[y, x], parameters)
    keep = keep[: parameters.most]
    return Spots(
        np.column_stack([x, y])[keep].astype(np.float64),
        z[y, x][keep].astype(np.float64),
        size_mm[keep],
        usable,
        least_z,
        np.column_stack([x, y])[dashes].astype(np.float64),
        z[y, x][dashes].astype(np.float64),
    )


def least_z_at(spacing_mm: float, parameters: SpotParameters) -> float:
    """The threshold at a pixel distance.

    The tail of noise falls like exp(-z²/2) and the number of pixels grows with the inverse square of their distance,
    so z² is linear in the logarithm of the distance between the two distances that are given.
    """
    fine, coarse = parameters.fine_spacing_mm, parameters.reference_spacing_mm
    share = max(0.0, float(np.log(coarse / spacing_mm) / np.log(coarse / fine)))
    return float(np.sqrt((1.0 - share) * parameters.least_z**2 + share * parameters.least_z_fine**2))


def grey_step(frame: Frame, usable: Mask) -> float:
    """The usual distance of neighbouring grey values in the breast; nearly 0 where pixels were averaged."""
    values = np.unique(frame.pixels[::5, ::5][usable[::5, ::5]])
    return float(np.median(np.diff(values))) if values.size > 1 else 0.0


def usable_area(
    frame: Frame,
    breast: SegmentedBreast,
    pectoral: SegmentedPectoral | None,
    sharp: Plane,
    parameters: SpotParameters,
) -> Mask:
    """Breast without the skin, the film's edges and strips, the edge of the muscle, and what is as dark as air."""
    small = breast.frame
    edge = max(1, round(parameters.skin_mm / small.spacing_mm))
    inside = breast.mask & (breast.depth_mm > parameters.skin_mm)
    inside[:, :edge] = False
    inside[:edge] = False
    inside[-edge:] = False
    if pectoral is not None:
        ridge = cv2.morphologyEx(pectoral.mask.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
        inside &= ~ridge
    deep = breast.mask & (breast.depth_mm > 10.0)
    if deep.any():
        air = float(np.quantile(small.pixels[breast.mask], 0.001))
        tissue = float(np.median(small.pixels[deep]))
        inside &= cv2.GaussianBlur(small.pixels, (0, 0), 1.0 / small.spacing_mm) > air + parameters.darkest * (
            tissue - air
        )
    usable: Mask = frame.plane_from(small, inside.astype(np.float32)) > 0.5
    return _without_strips(usable, sharp, frame.spacing_mm, parameters)


def _without_strips(usable: Mask, sharp: Plane, spacing_mm: float, parameters: SpotParameters) -> Mask:
    """Rows of bare or fogged film along the upper and lower edge are noisier than the breast."""
    rows = usable.shape[0]
    reach = min(rows // 4, round(parameters.strip_mm / spacing_mm))
    if reach < 1 or not usable.any():
        return usable
    step = max(1, round(0.2 / spacing_mm))
    typical = float(np.median(np.abs(sharp[::4, ::4][usable[::4, ::4]]))) if usable[::4, ::4].any() else 0.0
    margin = round(1.5 / spacing_mm)
    for near in (range(reach), range(rows - 1, rows - 1 - reach, -1)):
        noisy = [
            row
            for row in near
            if usable[row].sum() > 5
            and float(np.median(np.abs(sharp[row, ::step][usable[row, ::step]]))) > parameters.strip_noise * typical
        ]
        if noisy and near[0] == 0:
            usable[: max(noisy) + margin + 1] = False
        elif noisy:
            usable[max(0, min(noisy) - margin) :] = False
    return usable


def roundness(smooth: Plane, x: NDArray[np.intp], y: NDArray[np.intp], spacing_mm: float) -> NDArray[np.float64]:
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


def objects(
    frame: Frame,
    sharp: Plane,
    x: NDArray[np.intp],
    y: NDArray[np.intp],
    strength: NDArray[np.float64],
    parameters: SpotParameters,
) -> tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.intp]]:
    """One spot for each object (its clearest): indices that are kept, all extents in mm, indices of thin long ones."""
    spacing = frame.spacing_mm
    smooth = cv2.GaussianBlur(frame.pixels, (0, 0), max(0.1 / spacing, 0.4))
    element = disc(parameters.surroundings_mm, spacing)
    reach = int(np.ceil(0.8 * parameters.largest_mm / spacing))
    around = reach + element.shape[0]
    rows, columns = smooth.shape
    owned = np.zeros((rows, columns), dtype=bool)
    size_mm = np.zeros(len(x))
    keep, dashes = [], []
    for index in range(len(x)):
        column, row = int(x[index]), int(y[index])
        if owned[row, column]:
            continue
        top, left = max(0, row - reach), max(0, column - reach)
        here = slice(top, row + reach + 1), slice(left, column + reach + 1)
        if strength[index] >= parameters.bright_z:
            upper, near = max(0, row - around), max(0, column - around)
            wide = smooth[upper : row + around + 1, near : column + around + 1]
            above = wide - cv2.morphologyEx(wide, cv2.MORPH_OPEN, element)
            part = above[top - upper : row + reach + 1 - upper, left - near : column + reach + 1 - near]
        else:
            part = sharp[here]
        region = (part >= 0.5 * part[row - top, column - left]).astype(np.uint8)
        _, labels = cv2.connectedComponents(region)
        piece = labels == labels[row - top, column - left]
        owned[here] |= cv2.dilate(piece.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        ys, xs = np.nonzero(piece)
        # twice the standard deviation on either side; a pixel has one of 1/sqrt(12)
        spread = np.cov(np.vstack([xs, ys])) if len(xs) > 2 else np.zeros((2, 2))
        thin, long = np.sqrt(np.linalg.eigvalsh(spread + np.eye(2) / 12)) * 4 * spacing
        size_mm[index] = long
        line = long > parameters.longest_thin_mm and long > 3 * max(thin, spacing)
        if long <= parameters.largest_mm and not line:
            keep.append(index)
        elif line:
            dashes.append(index)
    return np.array(keep, dtype=np.intp), size_mm, np.array(dashes, dtype=np.intp)
