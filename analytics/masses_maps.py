"""Where a mass could lie: four views of every place of the breast, each in standard deviations of this breast.

All four are unchanged by gain and offset of the image: directions of gradients, contrast over local noise and
brightness over the spread of the breast's own tissue.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from reread.analytics.breast import SegmentedBreast
from reread.analytics.frame import Frame, Mask, Plane, blur_inside, resize_frame
from reread.analytics.pectoral import SegmentedPectoral


@dataclass(frozen=True, slots=True)
class MassMapParameters:
    """Sizes of the maps; lengths in millimetres."""

    spacing_mm: float = 0.8
    """working pixel distance"""
    background_mm: float = 25.0
    """standard deviation of the background that is taken away"""
    smoothing_mm: float = 1.2
    """standard deviation before the gradient"""
    directions: int = 16
    """directions in which the gradients around a place are followed"""
    radii_mm: tuple[float, ...] = (4.0, 5.5, 7.5, 10.5, 15.0)
    """radii of the masses looked for"""
    band_mm: float = 3.2
    """width of the band that slides along each direction"""
    band_from_mm: float = 2.0
    """least distance of the band"""
    band_to_mm: float = 12.0
    """greatest distance of the band"""
    weakest_weight: float = 2.0
    """weight of the weakest quarter of the directions: fibres converge from two sides, masses from all"""
    brightness_mm: float = 2.0
    """standard deviation of the smoothing before brightness is compared"""
    weights: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)
    """of rings, sliding band, contrast and brightness; equal on purpose, see `mass_maps`"""
    skin_mm: float = 4.0
    """nothing is looked for nearer to the skin"""
    interior_mm: float = 10.0
    """what the evidence is put in units of is taken this far under the skin: nearer, the breast thins out, and spreads
    follow the outline more than the tissue"""
    least_interior_mm2: float = 1000.0
    """with less of it, all tissue sets the units"""
    border_mm: float = 6.0
    """nor to the upper and lower border of the image, where scanned films have bright strips and rounded corners"""
    muscle_factor: float = 0.6
    """what lies in the muscle counts this much"""


@dataclass(frozen=True, slots=True, eq=False)
class MassMaps:
    """Maps of one breast, all of the shape of `frame.pixels`."""

    frame: Frame
    inside: Mask
    muscle: Mask
    depth_mm: Plane
    flat: Plane
    """pixels without their background"""
    usable: Mask
    evidence: Plane
    """mean of the four views, in standard deviations over the interior of the breast"""
    radius_mm: Plane
    """radius at which the convergence is largest"""


def mass_maps(
    breast: SegmentedBreast, pectoral: SegmentedPectoral | None, parameters: MassMapParameters | None = None
) -> MassMaps:
    """Map the evidence for a mass.

    Iris filter (Kobatake & Hashimoto 1999, doi 10.1109/83.743855) over rings of five sizes; sliding band filter
    (Pereira et al., IbPRIA 2007: each direction chooses its own distance, so that shapes need not be round); contrast
    of disc against ring over the ring's own spread; smoothed brightness. Their mean has equal weights on purpose: with
    few cases, fitted weights do worse on other women (Dawes 1979, doi 10.1037/0003-066X.34.7.571).
    """
    parameters = parameters or MassMapParameters()
    frame = resize_frame(breast.frame, parameters.spacing_mm)
    size = (frame.pixels.shape[1], frame.pixels.shape[0])
    inside: Mask = cv2.resize(breast.mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    muscle = np.zeros_like(inside)
    if pectoral is not None:
        muscle = cv2.resize(pectoral.mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    depth_mm: Plane = cv2.resize(breast.depth_mm, size, interpolation=cv2.INTER_LINEAR)
    # the frame ends where the breast does: at the border of the image, or at skin
    ends = min(round(parameters.border_mm / frame.spacing_mm), (inside.shape[0] - 1) // 2)
    depth_mm[:ends] = depth_mm[inside.shape[0] - ends :] = 0
    flat = _flattened(frame, inside, muscle, parameters)
    core = _interior(inside, muscle, depth_mm, frame.spacing_mm, parameters)
    field = _field(frame, flat, inside, muscle, depth_mm, core, parameters)
    rings, band = _convergence(field, frame.spacing_mm, parameters)
    scaled = np.stack([ring / max(float(ring[core].std()), 1e-6) for ring in rings])
    contrast = np.max(_contrasts(field, frame.spacing_mm, flat[core], parameters), axis=0)
    tissue = (inside & ~muscle).astype(np.float32)
    bright = blur_inside(frame.pixels, tissue, parameters.brightness_mm, frame.spacing_mm)
    views = [standardised(view, core) for view in (scaled.max(axis=0), band, contrast, bright)]
    evidence: Plane = np.asarray(np.average(views, axis=0, weights=parameters.weights), np.float32)
    evidence = np.where(muscle, evidence * np.float32(parameters.muscle_factor), evidence)
    radii = np.asarray(parameters.radii_mm, np.float32)[scaled.argmax(axis=0)]
    usable: Mask = inside & (depth_mm > parameters.skin_mm)
    return MassMaps(frame, inside, muscle, depth_mm, flat, usable, evidence, radii)


def standardised(view: Plane, core: Mask) -> Plane:
    """In standard deviations from the median over `core`."""
    values = view[core]
    out: Plane = (view - np.median(values)) / max(float(values.std()), 1e-6)
    return out


def _interior(inside: Mask, muscle: Mask, depth_mm: Plane, spacing_mm: float, parameters: MassMapParameters) -> Mask:
    """Tissue of nearly full thickness; all tissue, then everything, where there is too little of it."""
    for least_mm in (parameters.interior_mm, parameters.skin_mm):
        core: Mask = inside & ~muscle & (depth_mm > least_mm)
        if float(core.sum()) * spacing_mm**2 >= parameters.least_interior_mm2:
            return core
    return core if core.any() else inside


def _flattened(frame: Frame, inside: Mask, muscle: Mask, parameters: MassMapParameters) -> Plane:
    """Without background; the muscle is levelled on its own, so that its edge is no gradient."""
    flat = np.zeros_like(frame.pixels)
    for part in (inside & ~muscle, inside & muscle):
        if part.any():
            level = blur_inside(frame.pixels, part.astype(np.float32), parameters.background_mm, frame.spacing_mm)
            flat[part] = (frame.pixels - level)[part]
    return flat


@dataclass(frozen=True, slots=True, eq=False)
class _Field:
    """Unit gradients and levels on a plane with a border, mirrored at the chest wall: half a mass counts as whole."""

    unit_x: Plane
    unit_y: Plane
    flat: Plane
    trusted: Plane
    border: int


def _field(
    frame: Frame,
    flat: Plane,
    inside: Mask,
    muscle: Mask,
    depth_mm: Plane,
    core: Mask,
    parameters: MassMapParameters,
) -> _Field:
    border = int(np.ceil(1.6 * max(*parameters.radii_mm, parameters.band_to_mm) / frame.spacing_mm)) + 2

    def widened(plane: Plane) -> Plane:
        wide = np.pad(plane, ((0, 0), (border, 0)), mode="symmetric")
        out: Plane = np.pad(wide, ((border, border), (0, border)))
        return out

    edge = cv2.morphologyEx(muscle.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((5, 5), np.uint8)) > 0
    # skin and muscle edge have a direction that says nothing
    trusted = widened((inside & (depth_mm > 0.75 * parameters.skin_mm) & ~edge).astype(np.float32))
    wide_flat = widened(flat)
    smooth = cv2.GaussianBlur(wide_flat, (0, 0), parameters.smoothing_mm / frame.spacing_mm)
    along_x = cv2.Sobel(smooth, cv2.CV_32F, 1, 0, scale=0.125)
    along_y = cv2.Sobel(smooth, cv2.CV_32F, 0, 1, scale=0.125)
    length = cv2.magnitude(along_x, along_y)
    typical = float(np.median(length[border:-border, border:-border][core]))
    # weak gradients have no direction
    soft = trusted / np.maximum(length + np.float32(0.5 * typical), np.float32(1e-6))
    return _Field(along_x * soft, along_y * soft, wide_flat, trusted, border)


def _convergence(field: _Field, spacing_mm: float, parameters: MassMapParameters) -> tuple[list[Plane], Plane]:
    """Convergence in rings of every radius, and in the sliding band.

    Along each direction the component of the gradients towards the place is followed outwards once; rings and bands
    are sums over parts of that path.
    """
    border = field.border
    rows, columns = (length - 2 * border for length in field.unit_x.shape)
    reach = max(1.2 * max(parameters.radii_mm), parameters.band_to_mm)
    first = parameters.band_from_mm / spacing_mm
    steps = np.arange(1, int(np.ceil(reach / spacing_mm)) + 1)
    wide = max(1, round(parameters.band_mm / spacing_mm))
    bands = np.empty((parameters.directions, rows, columns), np.float32)
    rings = np.empty((len(parameters.radii_mm), parameters.directions, rows, columns), np.float32)
    for number in range(parameters.directions):
        angle = 2 * np.pi * number / parameters.directions
        x, y = float(np.cos(angle)), float(np.sin(angle))
        toward = -(field.unit_x * np.float32(x) + field.unit_y * np.float32(y))
        # running sums from the centre outwards, plain and weighted by the growing width of the sector
        plain, weighted = [np.zeros((rows, columns), np.float32)], [np.zeros((rows, columns), np.float32)]
        for step in steps:
            spread = max(0.3, step * np.pi / parameters.directions * 0.6)
            size = 2 * int(np.ceil(2 * spread)) + 1
            here = _shifted(cv2.GaussianBlur(toward, (size, size), spread), step * x, step * y, border, rows, columns)
            plain.append(plain[-1] + here)
            weighted.append(weighted[-1] + here * np.float32(step))
        last = min(len(steps), int(parameters.band_to_mm / spacing_mm))
        starts = range(max(0, int(first) - 1), max(1, last - wide + 1))
        bands[number] = np.max([plain[start + wide] - plain[start] for start in starts], axis=0) / wide
        for index, radius_mm in enumerate(parameters.radii_mm):
            inner = int(0.35 * radius_mm / spacing_mm)
            outer = max(inner + 1, min(len(steps), int(1.2 * radius_mm / spacing_mm)))
            weight = float(sum(range(inner + 1, outer + 1)))
            rings[index, number] = (weighted[outer] - weighted[inner]) / np.float32(weight)
    quarter, half = parameters.directions // 4, parameters.directions // 2
    ordered = np.sort(rings, axis=1)
    weakest = ordered[:, :quarter].mean(axis=1)
    joined = ordered.mean(axis=1) + np.float32(parameters.weakest_weight) * weakest
    return list(joined), np.sort(bands, axis=0)[:half].mean(axis=0)


def _shifted(plane: Plane, x: float, y: float, border: int, rows: int, columns: int) -> Plane:
    """What lies (x, y) away from each place inside the border, between pixels linearly."""
    left, top = int(np.floor(x)), int(np.floor(y))
    right_share, lower_share = np.float32(x - left), np.float32(y - top)
    part = plane[border + top : border + top + rows + 1, border + left : border + left + columns + 1]
    across = part[:, :-1] * (1 - right_share) + part[:, 1:] * right_share
    out: Plane = across[:-1] * (1 - lower_share) + across[1:] * lower_share
    return out


def _contrasts(field: _Field, spacing_mm: float, levels: Plane, parameters: MassMapParameters) -> list[Plane]:
    """Mean of disc minus mean of ring over the spread in the ring, for every radius."""
    border = field.border
    floor = np.float32((0.15 * max(float(levels.std()), 1e-6)) ** 2)
    kept = field.flat * field.trusted
    squared = kept * field.flat
    out = []
    for radius_mm in parameters.radii_mm:
        radius = radius_mm / spacing_mm
        reach = int(np.ceil(1.6 * radius))
        dy, dx = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float32)
        away = np.hypot(dx, dy)
        disc = (away <= 0.75 * radius).astype(np.float32)
        ring = ((away > 1.1 * radius) & (away <= 1.6 * radius)).astype(np.float32)
        inner, outer, power, in_disc, in_ring = (
            cv2.filter2D(plane, cv2.CV_32F, kernel, borderType=cv2.BORDER_CONSTANT)[border:-border, border:-border]
            for plane, kernel in (
                (kept, disc),
                (kept, ring),
                (squared, ring),
                (field.trusted, disc),
                (field.trusted, ring),
            )
        )
        in_disc, in_ring = np.maximum(in_disc, 1), np.maximum(in_ring, 1)
        around: Plane = outer / in_ring
        variance = np.maximum(power / in_ring - around**2, 0)
        out.append((inner / in_disc - around) / np.sqrt(variance + floor))
    return out
