"""From the output of a site's own model to findings or a density."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, special
from scipy.spatial import distance
from skimage import morphology

from reread.analytics.breast import SegmentedBreast
from reread.analytics.density import category
from reread.analytics.errors import MeasurementFailed
from reread.analytics.frame import Frame, Mask, Plane, largest_contour
from reread.analytics.records import Contour, DensityScore, Finding, FindingKind, Nature

_local_maxima: Callable[[NDArray[np.float64]], NDArray[Any]] = morphology.local_maxima
"""scikit-image has no types here"""

_FINER = 4
"""an outline is drawn on a grid so many times finer than the map's"""


class OutputKind(StrEnum):
    """What a model's output means."""

    IMAGE_SCORE = "image-score"
    """one number for the image"""
    HEAT_MAP = "heat-map"
    """one number for each pixel of the input, or for each cell of a coarser grid over it"""
    DENSITY = "density"
    """percent density of the image"""


@dataclass(frozen=True, slots=True)
class OutputMapping:
    """What becomes of a model's output."""

    kind: OutputKind
    finding: FindingKind = FindingKind.MASS
    """what a score or a maximum is a finding of"""
    channel: int = 0
    """which of several classes"""
    logits: bool = False
    """the output is a logit; its logistic function is the score"""
    scale: float = 1.0
    """density: percent per unit of the output; 100 for a fraction"""
    least_score: float = 0.05
    """lower maxima are no findings"""
    apart_mm: float = 10.0
    """of two maxima nearer than this the higher one counts"""
    most: int = 20
    """so many findings of an image at most"""
    marks_from: tuple[float, ...] = ()
    """scores from which operating points 0 (fewest marks), 1 and 2 mark a finding; empty: nothing is marked"""

    def operating_point(self, score: float) -> int | None:
        """The most specific operating point that marks such a score."""
        return next((point for point, least in enumerate(self.marks_from) if score >= least), None)


def number_of(output: NDArray[Any], mapping: OutputMapping) -> float:
    """The one number of an output of shape (), (n,), (1, n), …; n above 1 for several classes.

    Raises
    ------
    MeasurementFailed
        Another shape, or not a finite number.
    """
    values = np.asarray(output, np.float64).reshape(-1)
    if values.size != max(output.shape, default=1) or mapping.channel >= values.size:
        raise MeasurementFailed(f"the model's output has shape {output.shape}, which is not one number for each class")
    return float(_finite(values)[mapping.channel])


def map_of(output: NDArray[Any], mapping: OutputMapping) -> NDArray[np.float64]:
    """The map of an output of shape (h, w), (classes, h, w) or (1, classes, h, w).

    Raises
    ------
    MeasurementFailed
        Another shape, or not finite numbers.
    """
    plane = np.asarray(output, np.float64)
    wrong = MeasurementFailed(f"the model's output has shape {output.shape}, which is not a map for each class")
    if plane.ndim == 4 and plane.shape[0] == 1:
        plane = plane[0]
    if plane.ndim == 2:
        plane = plane[None]
    if plane.ndim != 3 or mapping.channel >= plane.shape[0] or plane.size == 0:
        raise wrong
    chosen: NDArray[np.float64] = _finite(plane)[mapping.channel]
    return chosen


def density_of(
    output: NDArray[Any], mapping: OutputMapping, breast: SegmentedBreast, muscle: Mask | None
) -> DensityScore:
    """The density that a model states, with the areas and the threshold that belong to it on this breast.

    Raises
    ------
    MeasurementFailed
        Not one number from 0 to 100.
    """
    percent = number_of(output, mapping) * mapping.scale
    if not 0.0 <= percent <= 100.0:
        raise MeasurementFailed(f"the model states a density of {percent:g} %; is output.scale right?")
    region = breast.mask if muscle is None else breast.mask & ~muscle
    if not region.any():
        raise MeasurementFailed("no breast is left without the muscle")
    area_mm2 = float(region.sum()) * breast.frame.spacing_mm**2
    threshold = float(np.quantile(breast.frame.pixels[region], 1.0 - percent / 100.0))
    return DensityScore(
        round(percent, 3),
        category(percent),
        round(area_mm2 * percent / 100.0, 2),
        round(area_mm2, 2),
        round(min(max(threshold, 0.0), 1.0), 5),
    )


def findings_of(
    output: NDArray[Any], mapping: OutputMapping, breast: SegmentedBreast, grid: Frame
) -> tuple[Finding, ...]:
    """Findings by falling score: the breast as a whole with an image's score, or the maxima of a heat map.

    Raises
    ------
    MeasurementFailed
        The output has another shape than its mapping says, or scores beyond 0…1.
    """
    if mapping.kind is OutputKind.IMAGE_SCORE:
        return _whole_breast(_scores(np.array([number_of(output, mapping)]), mapping)[0], mapping, breast)
    return _maxima(_scores(map_of(output, mapping), mapping), mapping, breast, grid)


def _finite(values: NDArray[np.float64]) -> NDArray[np.float64]:
    if not np.isfinite(values).all():
        raise MeasurementFailed("the model's output holds values that are not finite")
    return values


def _scores(values: NDArray[np.float64], mapping: OutputMapping) -> NDArray[np.float64]:
    if mapping.logits:
        return np.asarray(special.expit(values), np.float64)
    if values.min() < -1e-6 or values.max() > 1 + 1e-6:
        raise MeasurementFailed("the model gives scores beyond 0…1; is output.logits missing?")
    return np.clip(values, 0.0, 1.0)


def _whole_breast(score: float, mapping: OutputMapping, breast: SegmentedBreast) -> tuple[Finding, ...]:
    if score < mapping.least_score:
        return ()
    rows, columns = np.nonzero(breast.mask)
    contour = largest_contour(breast.mask)
    return (_finding(score, mapping, breast.frame, np.array([columns.mean(), rows.mean()]), contour),)


def _maxima(
    scores: NDArray[np.float64], mapping: OutputMapping, breast: SegmentedBreast, grid: Frame
) -> tuple[Finding, ...]:
    """A plateau is one maximum, at its centre; its outline is the region above half its score."""
    high, wide = scores.shape
    across, down = grid.pixels.shape[1] / wide, grid.pixels.shape[0] / high
    # cells may be oblong, so lengths are taken with `side_mm`, not with the one spacing of this frame
    cells = Frame(
        scores,
        grid.spacing_mm,
        grid.column_scale * across,
        grid.row_scale * down,
        grid.origin,
        grid.mirrored,
        grid.stored_columns,
    )
    side_mm = (grid.spacing_mm * across, grid.spacing_mm * down)
    found: list[tuple[float, float, float, tuple[int, int]]] = []
    for row, column, members in _plateaus(scores, mapping.least_score):
        found.append((float(scores[members]), row, column, members))
    kept: list[Finding] = []
    places: list[tuple[float, float]] = []
    for score, row, column, member in sorted(found, key=lambda item: (-item[0], item[1], item[2])):
        near = any(np.hypot((column - x) * side_mm[0], (row - y) * side_mm[1]) < mapping.apart_mm for x, y in places)
        if near or not _on_breast(np.array([[column, row]]), cells, side_mm, breast):
            continue
        places.append((column, row))
        contour = _region_outline(scores >= score / 2, member)
        kept.append(_finding(score, mapping, cells, np.array([column, row]), contour, side_mm))
        if len(kept) == mapping.most:
            break
    return tuple(kept)


def _plateaus(scores: NDArray[np.float64], least: float) -> list[tuple[float, float, tuple[int, int]]]:
    """Each maximum's centre (row, column) and one of its cells."""
    if np.ptp(scores) == 0:  # flat: nothing stands out
        return []
    top = (_local_maxima(scores) > 0) & (scores >= least)
    labels, _ = ndimage.label(top, np.ones((3, 3)))
    out = []
    for number, box in enumerate(ndimage.find_objects(labels), 1):
        rows, columns = np.nonzero(labels[box] == number)
        rows, columns = rows + box[0].start, columns + box[1].start
        out.append((float(rows.mean()), float(columns.mean()), (int(rows[0]), int(columns[0]))))
    return out


def _on_breast(point: NDArray[np.float64], cells: Frame, side_mm: tuple[float, float], breast: SegmentedBreast) -> bool:
    """Whether breast lies within half a cell of a point (x, y) of the map."""
    x, y = breast.frame.from_stored(cells.to_stored(point))[0]
    half = max(side_mm) / 2 / breast.frame.spacing_mm
    top, left = max(0, int(np.floor(y - half))), max(0, int(np.floor(x - half)))
    return bool(breast.mask[top : max(0, int(np.ceil(y + half)) + 1), left : max(0, int(np.ceil(x + half)) + 1)].any())


def _region_outline(above: Mask, member: tuple[int, int]) -> NDArray[np.float64]:
    """The outline, shape (n, 2) as (x, y) in cells, of the connected region that holds a cell."""
    labels, _ = ndimage.label(above)
    number = labels[member]
    rows, columns = ndimage.find_objects(labels)[number - 1]
    fine = (labels[rows, columns] == number).repeat(_FINER, axis=0).repeat(_FINER, axis=1)
    contour = largest_contour(np.pad(fine, 1)) - 1.0
    outline: NDArray[np.float64] = (contour + 0.5) / _FINER - 0.5 + np.array([columns.start, rows.start])
    return outline


def _finding(
    score: float,
    mapping: OutputMapping,
    frame: Frame,
    centre: NDArray[np.float64],
    contour: NDArray[np.float64],
    side_mm: tuple[float, float] | None = None,
) -> Finding:
    ((x_px, y_px),) = frame.to_stored(centre[None])
    outline: Contour = frame.contour_to_stored(contour)
    score = round(float(score), 5)
    return Finding(
        kind=mapping.finding,
        x_px=round(float(x_px), 2),
        y_px=round(float(y_px), 2),
        score=score,
        operating_point=mapping.operating_point(score),
        outline=outline,
        size_mm=round(_extent_mm(contour, side_mm or (frame.spacing_mm, frame.spacing_mm)), 2),
        nature=Nature.CLUSTER if mapping.finding is FindingKind.CALCIFICATION else Nature.MASS,
    )


def _extent_mm(contour: NDArray[np.float64], side_mm: tuple[float, float]) -> float:
    points: Plane = cv2.convexHull(contour.astype(np.float32))[:, 0, :] * np.array(side_mm, np.float32)
    return float(distance.pdist(points).max()) if len(points) > 1 else 0.0
