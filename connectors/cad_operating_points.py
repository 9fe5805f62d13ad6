"""The operating points of a detector as content items: TID 4023 (R0.314-R0.327, R1.245-R1.286)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from pydicom.dataset import Dataset

from reread.analytics.calibration import Calibration, built_in_table, image_kind
from reread.analytics.measurement import NAME
from reread.analytics.records import FindingKind, ImageHeader, Provenance
from reread.connectors import cad_codes as c
from reread.connectors.content_items import code, container, number, text

RECOMMENDED = 0
"""what a display should start with: the point with the fewest marks"""

_NAMES = ("few marks", "medium", "many marks")


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


def operating_point_items(calibration: Calibration | None) -> list[Dataset]:
    """Maximum and recommended point, and for each point its lesion sensitivity and false markers per image.

    Without a calibration (an analysis that brought none) only the maximum is stated.
    """
    maximum = number("HAS PROPERTIES", c.MAXIMUM_OPERATING_POINT, 2, c.ZERO_TO_TWO)
    if calibration is None:
        return [maximum]
    points = [
        number(
            "CONTAINS",
            c.OPERATING_POINT,
            point.number,
            c.ZERO_TO_TWO,
            [
                text("HAS PROPERTIES", c.OPERATING_POINT_DESCRIPTION, _NAMES[point.number]),
                number("HAS PROPERTIES", c.LESION_SENSITIVITY, round(100 * point.sensitivity, 1), c.PERCENT),
                # a specificity counted in false markers, as R1.252 has it
                number("HAS PROPERTIES", c.IMAGE_SPECIFICITY, point.false_marks_per_image, c.FALSE_MARKERS_PER_IMAGE),
            ],
        )
        for point in calibration.points
    ]
    table = container(
        "HAS PROPERTIES",
        c.OPERATING_POINT_TABLE,
        [
            code("CONTAINS", c.X_CONCEPT, c.IMAGE_SPECIFICITY),
            code("CONTAINS", c.Y_CONCEPT, c.LESION_SENSITIVITY),
            *points,
        ],
    )
    recommended = number("HAS PROPERTIES", c.RECOMMENDED_OPERATING_POINT, RECOMMENDED, c.ZERO_TO_TWO)
    return [maximum, recommended, table]
