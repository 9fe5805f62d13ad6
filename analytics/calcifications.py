"""Clusters of microcalcifications: more spots in a small place than the breast around it leads one to expect."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, QhullError, cKDTree
from scipy.special import pdtrc

from reread.analytics.breast import SegmentedBreast
from reread.analytics.calcifications_learned import LearnedParameters, find_learned_spots, network_for
from reread.analytics.calcifications_spots import SpotParameters, Spots, find_spots
from reread.analytics.calcifications_vessels import VesselParameters, along_a_vessel
from reread.analytics.calibration import Calibration, ImageKind, built_in_table, image_kind, operating_point
from reread.analytics.film_dust import DustParameters, without_dust
from reread.analytics.frame import Frame, blur, resample
from reread.analytics.masses_shape import Surroundings, brightness_range, long_axis, place, short_axis
from reread.analytics.pectoral import SegmentedPectoral
from reread.analytics.records import Finding, FindingKind, Mammogram, Nature, Nipple, Shape


@dataclass(frozen=True, slots=True)
class CalcificationParameters:
    """How spots become clusters."""

    spacing_mm: float = 0.2
    """working pixel distance on film: that of the films on which its operating points were measured; a coarser image
    stays as it is"""
    dust: DustParameters = field(default_factory=DustParameters)
    """on film"""
    spots: SpotParameters = field(default_factory=SpotParameters)
    learned: LearnedParameters = field(default_factory=LearnedParameters)
    """on digital images"""
    vessels: VesselParameters = field(default_factory=VesselParameters)
    least_members: int = 3
    """fewest calcifications of a cluster …"""
    area_mm2: float = 100.0
    """… within a circle of this area: three in 1 cm2"""
    radii_mm: tuple[float, ...] = (1.5, 2.5, 4.0)
    """radii at which the number of spots is compared with the expected one; none beyond that circle"""
    steps_z: tuple[float, ...] = (0.0, 0.5, 1.0, 2.0)
    """… for spots at least this much above the least strength"""
    ring_mm: tuple[float, float] = (6.0, 20.0)
    """the expected number comes from the spots between these distances"""
    prior_mm2: float = 400.0
    """… with the rate of the whole breast counting like this area"""
    largest_strength: float = 12.0
    """stronger spots count as this on film: one artefact is no cluster"""
    line_below: float = 0.3
    """members whose spread across is less than this part of that along lie on a vessel or scratch; they count less …"""
    line_members: int = 5
    """… when there are so many of them: any three points are nearly a line"""
    most: int = 30
    """at most this many clusters an image"""

    @property
    def reach_mm(self) -> float:
        """Radius of the circle of the cluster rule."""
        return float(np.sqrt(self.area_mm2 / np.pi))


def find_calcifications(
    mammogram: Mammogram,
    breast: SegmentedBreast,
    pectoral: SegmentedPectoral | None,
    parameters: CalcificationParameters | None = None,
    *,
    nipple: Nipple | None = None,
    calibration: Calibration | None = None,
) -> tuple[Finding, ...]:
    """Find clusters, by falling score.

    Scan statistic (Kulldorff 1997, doi 10.1080/03610929708831995) over the single calcifications: how improbable, under
    the rate of the surroundings, is the number within 1.5 to 4 mm. The evidence is the geometric mean of that
    (-ln p) and of how far the members stand out together, the strongest left out. On film spots stand out of the noise,
    on digital images by what a network says of their neighbourhood.

    Parameters
    ----------
    nipple
        For the distance of each cluster from it.
    calibration
        From evidence to score; None: what the built-in table has for this kind of image.
    """
    parameters = parameters or CalcificationParameters()
    calibration = calibration or built_in_table().of(mammogram.header, FindingKind.CALCIFICATION)
    header, learned = mammogram.header, parameters.learned
    network = network_for(image_kind(header), header.spacing.mean_mm, learned)
    if image_kind(header) is ImageKind.FILM:
        clean = without_dust(mammogram.pixels, header.spacing.mean_mm, parameters.dust)
        mammogram = replace(mammogram, pixels=clean)
    frame = resample(
        mammogram,
        parameters.spacing_mm if network is None else learned.spacing_mm,
        mirrored=not breast.region.chest_wall_on_left,
        crop_px=breast.crop_px,
    )
    if network is None:
        spots = find_spots(frame, breast, pectoral, parameters.spots)
    else:
        spots = find_learned_spots(frame, breast, pectoral, network, learned, parameters.spots)
    if len(spots.points) < parameters.least_members:
        return ()
    surprise, radius_mm = scan(spots, frame.spacing_mm, parameters)
    small = breast.frame
    muscle = np.zeros_like(breast.mask) if pectoral is None else pectoral.mask
    around = Surroundings(
        nipple, mammogram.header.spacing, muscle, brightness_range(small.pixels, breast.mask & ~muscle)
    )
    return _clusters(frame, breast, spots, surprise, radius_mm, around, calibration, parameters)


def scan(
    spots: Spots, spacing_mm: float, parameters: CalcificationParameters
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """-ln of the probability of each spot's neighbourhood, the greatest over thresholds and radii; and that radius.

    The spot itself is not counted: that it is there is why its neighbourhood is looked at.
    """
    points = spots.points * spacing_mm
    surprise, at_radius = np.zeros(len(points)), np.zeros(len(points))
    inner, outer = parameters.ring_mm
    breast_mm2 = float(spots.usable.sum()) * spacing_mm**2
    nearly = blur(spots.usable.astype(np.float32), 0.4 * outer, spacing_mm)
    column, row = spots.points.astype(np.intp).T
    ring_mm2 = np.pi * (outer**2 - inner**2) * np.clip(nearly[row, column], 0.2, 1.0)
    # a part of a cluster may surprise; the rule itself is for the whole cluster
    fewest = min(3, parameters.least_members)
    radii = [radius for radius in parameters.radii_mm if radius <= parameters.reach_mm]
    for step in parameters.steps_z:
        chosen = np.flatnonzero(spots.strength >= spots.least_z + step)
        if len(chosen) < fewest:
            continue
        tree = cKDTree(points[chosen])

        def count(radius: float, tree: cKDTree = tree, chosen: NDArray[np.intp] = chosen) -> NDArray[np.float64]:
            return np.asarray(tree.query_ball_point(points[chosen], radius, return_length=True), np.float64)

        everywhere = (len(chosen) + 1) / breast_mm2
        rate = (count(outer) - count(inner) + everywhere * parameters.prior_mm2) / (
            ring_mm2[chosen] + parameters.prior_mm2
        )
        for radius in radii:
            others = count(radius) - 1
            chance = pdtrc(others - 1, rate * np.pi * radius**2)
            unlikely = np.where(others + 1 >= fewest, -np.log(np.maximum(chance, 1e-300)), 0.0)
            better = unlikely > surprise[chosen]
            surprise[chosen[better]] = unlikely[better]
            at_radius[chosen[better]] = radius
    return surprise, at_radius


def _clusters(
    frame: Frame,
    breast: SegmentedBreast,
    spots: Spots,
    surprise: NDArray[np.float64],
    radius_mm: NDArray[np.float64],
    around: Surroundings,
    calibration: Calibration,
    parameters: CalcificationParameters,
) -> tuple[Finding, ...]:
    """Take the most surprising neighbourhood, then the next; a spot belongs to one cluster."""
    spacing = frame.spacing_mm
    tree = cKDTree(spots.points * spacing)
    objects = np.concatenate([spots.points, spots.dashes]) * spacing
    clear = np.concatenate([spots.strength, spots.dash_strength])
    free = np.ones(len(spots.points), dtype=bool)
    found: list[Finding] = []
    for seed in np.argsort(-surprise, kind="stable"):
        if surprise[seed] <= 0 or len(found) >= parameters.most:
            break
        if not free[seed]:
            continue
        near = np.array(sorted(tree.query_ball_point(spots.points[seed] * spacing, radius_mm[seed])), np.intp)
        centre = spots.points[near].mean(axis=0) * spacing
        members = np.array(sorted(tree.query_ball_point(centre, parameters.reach_mm)), np.intp)
        members = np.union1d(members, near)
        members = members[free[members]]
        if len(members) >= parameters.least_members:
            evidence = evidence_of(spots, members, float(surprise[seed]), spacing, parameters)
            # faint spots about a vessel are noise and say nothing about it
            alike = clear >= parameters.vessels.as_clear * float(np.median(spots.strength[members]))
            if along_a_vessel(spots.points[members].mean(axis=0) * spacing, objects[alike], parameters.vessels):
                evidence *= parameters.vessels.factor
            found.append(_finding(frame, breast, spots, members, evidence, around, calibration))
        free[members] = False
    return tuple(sorted(found, key=lambda finding: (-finding.score, finding.y_px, finding.x_px)))


def evidence_of(
    spots: Spots, members: NDArray[np.intp], surprise: float, spacing_mm: float, parameters: CalcificationParameters
) -> float:
    """Geometric mean of surprise and strength, less where the members lie on a line."""
    learned = parameters.learned
    largest = learned.largest_strength if spots.learned else parameters.largest_strength
    strength = np.sort(np.minimum(spots.strength[members], largest) - spots.least_z)[::-1][1:16]
    if spots.learned:
        together = float((strength**learned.strength_power).sum()) ** (1 / learned.strength_power)
        evidence = float(together**learned.strength_share * surprise ** (1 - learned.strength_share))
    else:
        evidence = float(np.sqrt(max(float(strength.sum()), 0.0) * surprise))
    if len(members) < parameters.line_members:
        return evidence
    points = spots.points[members] * spacing_mm
    across, along = np.sqrt(np.linalg.eigvalsh(np.cov(points.T) + 0.02 * np.eye(2)))
    return evidence * min(1.0, float(across / along) / parameters.line_below)


def _finding(
    frame: Frame,
    breast: SegmentedBreast,
    spots: Spots,
    members: NDArray[np.intp],
    evidence: float,
    around: Surroundings,
    calibration: Calibration,
) -> Finding:
    points, spacing = spots.points[members], frame.spacing_mm
    centre = frame.to_stored(points.mean(axis=0, keepdims=True))
    margin = 0.6 / spacing
    angles = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    wide = (points[:, None, :] + margin * np.stack([np.cos(angles), np.sin(angles)], axis=1)[None]).reshape(-1, 2)
    try:
        hull = wide[ConvexHull(wide).vertices]
    except QhullError:
        hull = wide[:12]
    ends, length = long_axis(points)
    chord, width = short_axis(points, ends)
    stored = (float(centre[0, 0]), float(centre[0, 1]))
    at = breast.frame.from_stored(centre)[0]
    nipple_mm, wall_mm = place(stored, breast.frame, (float(at[0]), float(at[1])), around)
    column, row = points.astype(np.intp).T
    step = max(1, round(0.6 / spacing))
    pixels = frame.pixels
    rings = [
        pixels[np.clip(row + dy * step, 0, pixels.shape[0] - 1), np.clip(column + dx * step, 0, pixels.shape[1] - 1)]
        for dy, dx in ((0, 1), (0, -1), (1, 0), (-1, 0))
    ]
    contrast = 100.0 * float(np.mean(pixels[row, column] - np.mean(rings, axis=0))) / around.brightness_range
    area_mm2 = float(ConvexHull(hull).volume) * spacing**2
    score = round(calibration.probability(evidence), 5)
    return Finding(
        FindingKind.CALCIFICATION,
        round(stored[0], 2),
        round(stored[1], 2),
        score,
        operating_point(score, calibration.thresholds),
        frame.contour_to_stored(hull),
        round(length * spacing + 0.3, 2),
        frame.contour_to_stored(points),
        tuple(round(float(size), 3) for size in spots.size_mm[members]),
        nature=Nature.CLUSTER,
        evidence=round(evidence, 5),
        shape=Shape(
            frame.contour_to_stored(ends),
            round(area_mm2, 2),
            round(contrast, 2),
            None,
            None,
            None if nipple_mm is None else round(nipple_mm, 2),
            round(wall_mm, 2),
            frame.contour_to_stored(chord),
            round(width * spacing + 0.3, 2),
        ),
    )
