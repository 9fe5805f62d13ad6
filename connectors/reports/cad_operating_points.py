"""The operating points of a detector as content items: TID 4023 (R0.314-R0.327, R1.245-R1.286)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from reread.analytics.calibration import Calibration, built_in_table, image_kind
from reread.analytics.measurement import NAME
from reread.analytics.records import FindingKind, ImageHeader, Provenance
from reread.connectors.reports import codes as c
from reread.connectors.reports.codes import Code
from reread.connectors.reports.content_items import Item
from reread.connectors.reports.report_context import ReportContext
from reread.connectors.reports.report_options import PointTable
from reread.connectors.reports.templates import row

RECOMMENDED = 0
"""what a display should start with: the point with the fewest marks"""

_MAXIMUM, _RECOMMENDED, _TABLE, _X, _Y = (row(4023, number) for number in range(1, 6))
_POINT, _DESCRIPTION, _X_VALUE, _Y_VALUE = (row(4023, number) for number in range(6, 10))
_NAMES = ("few marks", "medium", "many marks")
_UNITS = {
    c.LESION_SENSITIVITY: c.PERCENT,
    c.CERTAINTY: c.PERCENT,
    c.FALSE_MARKERS_PER_IMAGE: c.NO_UNITS,
}


def calibrated(
    images: Sequence[ImageHeader], kind: FindingKind | None, provenance: Provenance
) -> list[tuple[Calibration | None, list[ImageHeader]]]:
    """Images with one calibration together: digitised film, digital for presentation and raw images have their own.

    Parameters
    ----------
    kind
        What was looked for; None: something without operating points.

    Returns
    -------
    list
        Calibration and images, which keep their order. One entry without calibration for what has no operating
        points, and for another analysis, whose points nobody measured here.
    """
    if kind is None or provenance.algorithm != NAME:
        return [(None, list(images))]
    table = built_in_table()
    parts = [list(part) for _, part in groupby(sorted(images, key=image_kind), key=image_kind)]
    return [(table.of(part[0], kind), part) for part in parts]


def operating_point_items(calibration: Calibration | None, context: ReportContext) -> list[Item]:
    """Maximum and recommended point, and for each point what the table sets against each other.

    Without a calibration (an analysis that brought none) only the maximum is stated; where marks above point 0 are
    not reported, the table ends at 0 (R0.357).
    """
    highest = 2 if context.options.operating_points else 0
    units = c.ZERO_TO_TWO if highest else c.ZERO_TO_ZERO
    maximum = context.made(_MAXIMUM, highest, unit=c.ARBITRARY)
    if calibration is None:
        return [maximum]
    by_certainty = context.options.point_table is PointTable.CERTAINTY
    across = c.CERTAINTY if by_certainty else c.FALSE_MARKERS_PER_IMAGE
    up = c.FALSE_MARKERS_PER_IMAGE if by_certainty else c.LESION_SENSITIVITY

    def value(point: int, concept: Code) -> float:
        known = calibration.points[point]
        if concept is c.CERTAINTY:
            return 100 * known.least_score
        return 100 * known.sensitivity if concept is c.LESION_SENSITIVITY else known.false_marks_per_image

    points = [
        context.made(
            _POINT,
            point,
            [
                context.made(_DESCRIPTION, _NAMES[point]),
                context.made(_X_VALUE, round(value(point, across), 4), concept=across, unit=_UNITS[across]),
                context.made(_Y_VALUE, round(value(point, up), 4), concept=up, unit=_UNITS[up]),
            ],
            unit=units,
        )
        for point in range(highest + 1)
    ]
    table = context.made(_TABLE, None, [context.made(_X, across), context.made(_Y, up), *points])
    return [maximum, context.made(_RECOMMENDED, RECOMMENDED, unit=units), table]
