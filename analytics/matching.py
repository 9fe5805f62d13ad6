"""Which findings of a study show the same place: two views of a breast, and a mass with its calcifications."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from reread.analytics.records import Finding, FindingKind, ImageResult, Laterality, View


@dataclass(frozen=True, slots=True)
class MatchingParameters:
    """How far two sights of one lesion may differ."""

    arc_mm: float = 15.0
    """a lesion keeps its distance from the nipple between views, within this"""
    size_ratio: float = 2.5
    """largest ratio of the sizes"""
    least_operating_point: int = 2
    """findings of this operating point and more specific ones are matched"""
    composite_margin_mm: float = 3.0
    """a cluster belongs to a mass when its centre lies within the outline of the mass or so near to it"""


def matched(images: Sequence[ImageResult], parameters: MatchingParameters | None = None) -> tuple[ImageResult, ...]:
    """The images, with `match` and `composite` of their findings set; the order is kept.

    CC and MLO (and the other oblique and lateral views) of one breast: pairs of one kind with nearly the same distance
    from the nipple (the arc of Paquerault et al., Med. Phys. 2002), the most alike first; each finding has
    one partner. Composites (R0.218): a mass and the clusters in it, on one image. Numbers count from 1, in the order
    of the images.
    """
    parameters = parameters or MatchingParameters()
    findings = [list(image.findings) for image in images]
    next_number = 1
    for side in Laterality:
        across = [i for i, image in enumerate(images) if image.header.laterality is side and _is_cc(image)]
        along = [i for i, image in enumerate(images) if image.header.laterality is side and not _is_cc(image)]
        for first, second in _pairs(images, across, along, parameters):
            for at, index in (first, second):
                findings[at][index] = replace(findings[at][index], match=next_number)
            next_number += 1
    next_number = 1
    for number, image in enumerate(images):
        for group in _composites(image, parameters):
            for index in group:
                findings[number][index] = replace(findings[number][index], composite=next_number)
            next_number += 1
    return tuple(replace(image, findings=tuple(found)) for image, found in zip(images, findings, strict=True))


def _is_cc(image: ImageResult) -> bool:
    return image.header.view in (View.CC, View.XCCL, View.XCCM, View.FB)


def _eligible(finding: Finding, parameters: MatchingParameters) -> bool:
    return finding.operating_point is not None and finding.operating_point <= parameters.least_operating_point


def _nipple_distance_mm(image: ImageResult, finding: Finding) -> float | None:
    if image.nipple is None:
        return None
    spacing = image.header.spacing
    return float(
        np.hypot(
            (finding.x_px - image.nipple.x_px) * spacing.column_spacing_mm,
            (finding.y_px - image.nipple.y_px) * spacing.row_spacing_mm,
        )
    )


_Place = tuple[int, int]
"""number of the image, number of its finding"""


def _pairs(
    images: Sequence[ImageResult], across: Sequence[int], along: Sequence[int], parameters: MatchingParameters
) -> list[tuple[_Place, _Place]]:
    candidates: list[tuple[float, _Place, _Place]] = []
    for a in across:
        for b in along:
            for i, one in enumerate(images[a].findings):
                for j, other in enumerate(images[b].findings):
                    cost = _unlikeness(images[a], one, images[b], other, parameters)
                    if cost is not None:
                        candidates.append((cost, (a, i), (b, j)))
    taken: set[_Place] = set()
    pairs = []
    for _, first, second in sorted(candidates):
        if first not in taken and second not in taken:
            taken |= {first, second}
            pairs.append((first, second))
    return sorted(pairs)


def _unlikeness(
    image: ImageResult, one: Finding, image_other: ImageResult, other: Finding, parameters: MatchingParameters
) -> float | None:
    """How badly two findings match, 0…2; None when they cannot be the same."""
    if one.kind is not other.kind or not (_eligible(one, parameters) and _eligible(other, parameters)):
        return None
    near, far = _nipple_distance_mm(image, one), _nipple_distance_mm(image_other, other)
    if near is None or far is None or min(one.size_mm, other.size_mm) <= 0:
        return None
    arc = abs(near - far) / parameters.arc_mm
    size = abs(np.log(one.size_mm / other.size_mm)) / np.log(parameters.size_ratio)
    return None if arc > 1 or size > 1 else float(arc + size)


def _composites(image: ImageResult, parameters: MatchingParameters) -> list[list[int]]:
    """Groups of one mass and its clusters, by the numbers of the findings."""
    groups: list[list[int]] = []
    taken: set[int] = set()
    margin_px = parameters.composite_margin_mm / image.header.spacing.mean_mm
    for index, mass in enumerate(image.findings):
        if mass.kind is not FindingKind.MASS or not _eligible(mass, parameters) or len(mass.outline) < 3:
            continue
        outline = np.array(mass.outline, np.float32)
        inside = [
            number
            for number, cluster in enumerate(image.findings)
            if cluster.kind is FindingKind.CALCIFICATION
            and number not in taken
            and _eligible(cluster, parameters)
            and cv2.pointPolygonTest(outline, (cluster.x_px, cluster.y_px), True) >= -margin_px
        ]
        if inside:
            taken.update(inside)
            groups.append([index, *inside])
    return groups
