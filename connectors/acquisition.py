"""What a header says of how the image was taken: beam, compression, geometry."""

from __future__ import annotations

import math

from pydicom.dataset import Dataset

from reread.analytics.records import Acquisition

_ELEMENTS = {"TUNGSTEN": "W", "MOLYBDENUM": "Mo", "RHODIUM": "Rh", "SILVER": "Ag", "ALUMINUM": "Al", "ALUMINIUM": "Al"}
"""defined terms of PS3.3 C.8.7.10 and C.8.11.7, and the common misspelling"""


def acquisition(dataset: Dataset) -> Acquisition:
    """Read the beam, the compression and the geometry of one image; what is absent or no number stays unknown.

    Several anode or filter materials count as unknown: no beam is known by them.
    """
    mas = _number(dataset, "ExposureInuAs")
    return Acquisition(
        kvp=_positive(_number(dataset, "KVP")),
        anode=_element(dataset, "AnodeTargetMaterial"),
        filter_material=_element(dataset, "FilterMaterial"),
        thickness_mm=_positive(_number(dataset, "BodyPartThickness")),
        force_n=_positive(_number(dataset, "CompressionForce")),
        exposure_mas=_positive(_number(dataset, "Exposure") if mas is None else mas / 1000),
        organ_dose_mgy=_positive(None if (dose := _number(dataset, "OrganDose")) is None else dose * 100),
        has_grid=_grid(dataset),
        magnification=_positive(_number(dataset, "EstimatedRadiographicMagnificationFactor")),
        source_to_detector_mm=_positive(_number(dataset, "DistanceSourceToDetector")),
        detector_type=next(iter(_values(dataset, "DetectorType")), "").upper(),
    )


def _values(dataset: Dataset, keyword: str) -> list[str]:
    try:
        value = dataset.get(keyword)
    except Exception:  # a broken element of a dirty archive; pydicom raises many types on access
        return []
    if value is None or value == "":
        return []
    if isinstance(value, str | bytes | int | float) or not hasattr(value, "__iter__"):
        return [str(value).strip()]
    return [str(part).strip() for part in value]


def _number(dataset: Dataset, keyword: str) -> float | None:
    values = _values(dataset, keyword)
    try:
        number = float(values[0]) if values else None
    except ValueError:
        return None
    return number if number is not None and math.isfinite(number) else None


def _positive(number: float | None) -> float | None:
    return number if number is not None and number > 0 else None


def _element(dataset: Dataset, keyword: str) -> str:
    values = _values(dataset, keyword)
    if len(values) != 1:
        return ""
    word = values[0].upper()
    return _ELEMENTS.get(word, word.capitalize() if word.capitalize() in _ELEMENTS.values() else "")


def _grid(dataset: Dataset) -> bool | None:
    words = {word.upper() for word in _values(dataset, "Grid")}
    if not words:
        return None
    return "NONE" not in words
