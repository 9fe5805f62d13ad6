"""Densities of a report as rows: area and volume of one breast or image in one row, as in our own table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from reread.analytics.records import Laterality
from reread.connectors.reports.cad_records import CadDensity, CadImage, CadReport
from reread.connectors.reports.finding_records import CadAlgorithm

Row = dict[str, Any]

_ROUNDING_PERCENT = 0.6
"""a share in whole percent, of volumes in whole cm3"""


def densities(report: CadReport, images: Mapping[str, CadImage]) -> Iterator[tuple[Row, CadAlgorithm]]:
    """Each row without producer and report, and the algorithm that gave it."""
    groups: dict[tuple[object, ...], list[tuple[Row, CadAlgorithm]]] = {}
    for density in report.densities:
        key = (density.per_image, density.sop_instance_uid, density.laterality, density.algorithm)
        row = _volume(density) if _is_volumetric(density) else _area(density)
        rows = groups.setdefault(key, [])
        free = next((other for other, _ in rows if not set(row) & set(other)), None)
        if free is not None:
            free.update(row)
            continue
        scope = "image" if density.per_image else "breast" if density.laterality else "study"
        place = where(density.sop_instance_uid, images, density.laterality)
        rows.append(({**place, "scope": scope, **row}, density.algorithm))
    return (item for rows in groups.values() for item in rows)


def where(sop_instance_uid: str, images: Mapping[str, CadImage], side: Laterality | None = None) -> Row:
    """The columns of the image; a side that is stated otherwise is `side`."""
    image = images.get(sop_instance_uid)
    side = side or (image.laterality if image else None)
    return {
        "sop_instance_uid": sop_instance_uid,
        "laterality": side.value if side else None,
        "view": image.view.value if image and image.view else None,
    }


def _is_volumetric(density: CadDensity) -> bool:
    """By its method, or where none is stated as the share of the volumes that stand beside it."""
    gland, breast = density.gland_volume_cm3, density.breast_volume_cm3
    if density.method or density.percent is None or gland is None or not breast:
        return density.method == "3d"
    return abs(100 * gland / breast - density.percent) <= _ROUNDING_PERCENT


def _area(density: CadDensity) -> Row:
    row: Row = {
        "percent_density": density.percent,
        "category": density.category or None,
        "area_method": density.method,
        "dense_area_mm2": density.dense_area_mm2,
        "breast_area_mm2": density.breast_area_mm2,
        "dense_threshold": density.dense_threshold,
    }
    volumes = (density.breast_volume_cm3, density.gland_volume_cm3)
    if any(value is not None for value in volumes):
        row |= {"breast_volume_cm3": volumes[0], "gland_volume_cm3": volumes[1], "thickness_mm": density.thickness_mm}
    return row


def _volume(density: CadDensity) -> Row:
    return {
        "volume_method": density.method,
        "volumetric_percent": density.percent,
        "volumetric_category": density.category or None,
        "breast_volume_cm3": density.breast_volume_cm3,
        "gland_volume_cm3": density.gland_volume_cm3,
        "thickness_mm": density.thickness_mm,
    }
