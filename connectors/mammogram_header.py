"""What a header says of side, view, spacing and orientation, and what is inferred where it is silent."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from reread.analytics.errors import NotAMammogram
from reread.analytics.reasons import Reason
from reread.analytics.records import Laterality, Size, View
from reread.connectors.view_codes import (
    LARGEST_MAGNIFICATION,
    MODIFIER_OF_CODE,
    NOT_FULL_FIELD,
    SMALLEST_MAGNIFICATION,
    SPECIMEN,
    laterality_in_words,
    view_in_words,
    view_of_code,
)

FOR_PRESENTATION = "1.2.840.10008.5.1.4.1.1.1.2"
FOR_PROCESSING = "1.2.840.10008.5.1.4.1.1.1.2.1"
_TOMOSYNTHESIS = "1.2.840.10008.5.1.4.1.1.13.1.3"
_PROJECTION_IMAGES = {
    FOR_PRESENTATION,
    FOR_PROCESSING,
    "1.2.840.10008.5.1.4.1.1.7",  # Secondary Capture
    "1.2.840.10008.5.1.4.1.1.7.2",  # Multi-frame Grayscale Byte Secondary Capture
    "1.2.840.10008.5.1.4.1.1.7.3",  # Multi-frame Grayscale Word Secondary Capture
    "1.2.840.10008.5.1.4.1.1.7.4",  # Multi-frame True Color Secondary Capture
    "1.2.840.10008.5.1.4.1.1.1",  # Computed Radiography
    "1.2.840.10008.5.1.4.1.1.1.1",  # Digital X-Ray for presentation
    "1.2.840.10008.5.1.4.1.1.1.1.1",  # Digital X-Ray for processing
}
_FILM_HEIGHT_MM = 240.0
"""The larger of the two film sizes, 18 x 24 cm and 24 x 30 cm, would be 300 mm; 18 x 24 is the common one."""
_SMALLEST_MM, _LARGEST_MM = 0.01, 2.0
_DIRECTION = re.compile(r"[AP]?[HF]?[LR]?|[HF]?[LR]?[AP]?|[LR]?[AP]?[HF]?|[AP]?[LR]?[HF]?")


@dataclass(frozen=True, slots=True)
class Geometry:
    """Side, view, spacing and orientation, with how each was inferred."""

    laterality: Laterality
    view: View
    spacing: Size
    patient_orientation: tuple[str, str]
    orientation_given: bool
    inferred: tuple[str, ...]
    spacing_known: bool = True


def text(dataset: Dataset, keyword: str) -> str:
    """The value of an attribute as text, "" when absent, empty or not readable."""
    try:
        value = dataset.get(keyword)
    except Exception:  # a broken element of a dirty archive; pydicom raises many types on access
        return ""
    return "" if value is None else str(value).strip().strip("\0")


def values(dataset: Dataset, keyword: str) -> tuple[str, ...]:
    """The values of a multi-valued attribute as texts."""
    try:
        value = dataset.get(keyword)
    except Exception:  # as above
        return ()
    if value is None or value == "":
        return ()
    if isinstance(value, str | bytes | int | float) or not hasattr(value, "__iter__"):
        return (str(value).strip(),)
    return tuple(str(part).strip() for part in value)


def check_kind(dataset: Dataset) -> tuple[str, ...]:
    """Refuse what is not one projection mammogram; return what was inferred of its kind.

    Raises
    ------
    NotAMammogram
        WRONG_MODALITY or NOT_MEASURABLE.
    """
    sop_class, modality = text(dataset, "SOPClassUID"), text(dataset, "Modality").upper()
    if sop_class == _TOMOSYNTHESIS:
        raise NotAMammogram(Reason.NOT_MEASURABLE, "breast tomosynthesis")
    if sop_class not in _PROJECTION_IMAGES:
        raise NotAMammogram(
            Reason.WRONG_MODALITY, f"SOP class {sop_class[:64]}, modality {modality[:16] or 'not given'}"
        )
    if _is_our_own(dataset):
        raise NotAMammogram(Reason.NOT_MEASURABLE, "a result of Reread, not an acquired image")
    inferred: list[str] = []
    if sop_class not in (FOR_PRESENTATION, FOR_PROCESSING) and modality != "MG":
        if not _shows_a_breast(dataset):
            raise NotAMammogram(Reason.WRONG_MODALITY, f"modality {modality[:16] or 'not given'}")
        inferred.append(f"modality: {modality[:16] or 'none'} given, body part or view is mammographic")
    if (number := text(dataset, "NumberOfFrames")) not in ("", "0", "1"):
        raise NotAMammogram(Reason.NOT_MEASURABLE, f"{number[:8]} frames")
    if text(dataset, "SamplesPerPixel") not in ("", "1"):
        raise NotAMammogram(Reason.NOT_MEASURABLE, "a colour image")
    if text(dataset, "ConversionType").upper() == "SYN":
        raise NotAMammogram(Reason.NOT_MEASURABLE, "a page that a workstation made")
    photometric = text(dataset, "PhotometricInterpretation").upper()
    if photometric not in ("MONOCHROME1", "MONOCHROME2"):
        if photometric:
            raise NotAMammogram(Reason.NOT_MEASURABLE, f"photometric interpretation {photometric[:16]}")
        inferred.append("photometric interpretation: MONOCHROME2 assumed")
    _check_view(dataset)
    return tuple(inferred)


def _is_our_own(dataset: Dataset) -> bool:
    """Copies with marks and enhanced films are images of a breast as well: measured again they would never end."""
    makers = [text(dataset, "Manufacturer")]
    makers += [text(item, "Manufacturer") for item in _code_items(dataset, "ContributingEquipmentSequence")]
    return "Reread" in makers


def _check_view(dataset: Dataset) -> None:
    """Refuse specimens, parts of a breast, magnified images and implants in the way (R0.87 to R0.89)."""
    if any(text(item, "CodeValue") in SPECIMEN for item in _code_items(dataset, "ViewCodeSequence")):
        raise NotAMammogram(Reason.NOT_MEASURABLE, "a tissue specimen")
    modifiers = view_modifiers(dataset)
    for name in modifiers:
        if name in NOT_FULL_FIELD:
            raise NotAMammogram(Reason.NOT_MEASURABLE, f"a {name} view")
    factor = text(dataset, "EstimatedRadiographicMagnificationFactor")
    try:
        magnified = float(factor) if factor else 0.0
    except ValueError:
        magnified = 0.0
    if magnified > 0 and not SMALLEST_MAGNIFICATION <= magnified <= LARGEST_MAGNIFICATION:
        raise NotAMammogram(Reason.NOT_MEASURABLE, f"magnified {magnified:.2f} times")
    if text(dataset, "BreastImplantPresent").upper() == "YES" and "implant displaced" not in modifiers:
        raise NotAMammogram(Reason.NOT_MEASURABLE, "an implant that is not displaced")


def view_modifiers(dataset: Dataset) -> tuple[str, ...]:
    """The modifiers of the view, in words, in the order of the header; codes outside CID 4015 are left out."""
    codes = [
        text(modifier, "CodeValue")
        for item in _code_items(dataset, "ViewCodeSequence")
        for modifier in _code_items(item, "ViewModifierCodeSequence")
    ]
    # devices put it beside the view code as well
    codes += [text(modifier, "CodeValue") for modifier in _code_items(dataset, "ViewModifierCodeSequence")]
    return tuple(dict.fromkeys(MODIFIER_OF_CODE[code] for code in codes if code in MODIFIER_OF_CODE))


def geometry(dataset: Dataset, rows: int) -> Geometry:
    """Read or infer side, view, spacing and orientation.

    Raises
    ------
    NotAMammogram
        MISSING_LATERALITY or MISSING_VIEW.
    """
    inferred: list[str] = []
    orientation = values(dataset, "PatientOrientation")
    view = _view(dataset, orientation, inferred)
    laterality = _laterality(dataset, orientation, view, inferred)
    spacing = _spacing(dataset, rows, inferred)
    given = len(orientation) == 2 and all(_DIRECTION.fullmatch(letters) and letters for letters in orientation)
    directions = (orientation[0], orientation[1]) if given else standard_orientation(laterality, view)
    known = not any(clause.startswith("spacing:") and clause.endswith("assumed") for clause in inferred)
    return Geometry(laterality, view, spacing, directions, given, tuple(inferred), known)


def standard_orientation(laterality: Laterality, view: View, chest_wall_on_left: bool | None = None) -> tuple[str, str]:
    """Direction letters of an upright mammogram (PS3.3 C.7.6.1.1.1).

    The row direction runs from left to right, so to the front when the chest wall is on the left. Without that
    knowledge the hanging of PS3.17 is assumed: right breast with its chest wall on the right.
    """
    if chest_wall_on_left is None:
        chest_wall_on_left = laterality is Laterality.LEFT
    medial = "L" if laterality is Laterality.RIGHT else "R"
    row = "A" if chest_wall_on_left else "P"
    if view in (View.ML, View.LM):
        return row, "F"
    return row, f"F{medial}" if view.shows_pectoral else medial


def chest_wall_on_left(pixels: NDArray[np.float32]) -> bool:
    """The breast fills its own half of the image, wherever labels lie."""
    coarse = pixels[::8, ::8]
    breast = coarse > coarse.mean()
    half = breast.shape[1] // 2
    return bool(breast[:, :half].sum() >= breast[:, breast.shape[1] - half :].sum())


def _code_items(dataset: Dataset, keyword: str) -> list[Dataset]:
    try:
        return list(dataset.get(keyword) or [])
    except Exception:  # not a sequence, or one that cannot be parsed: nothing stated
        return []


def _shows_a_breast(dataset: Dataset) -> bool:
    return (
        "BREAST" in text(dataset, "BodyPartExamined").upper()
        or view_in_words(text(dataset, "ViewPosition")) is not None
        or any(view_of_code(text(item, "CodeValue")) for item in _code_items(dataset, "ViewCodeSequence"))
    )


def _view(dataset: Dataset, orientation: tuple[str, ...], inferred: list[str]) -> View:
    for item in _code_items(dataset, "ViewCodeSequence"):
        if (view := view_of_code(text(item, "CodeValue"))) is not None:
            if text(item, "CodeValue") in ("R-102CF", "399265009"):
                inferred.append("view: exaggerated cranio-caudal without a side read as XCCL")
            return view
    if (view := view_in_words(text(dataset, "ViewPosition"))) is not None:
        inferred.append("view: View Position, no view code")
        return view
    if (view := view_in_words(" ".join(orientation))) is not None:
        inferred.append("view: Patient Orientation holds a view name")
        return view
    for keyword, name in _DESCRIPTIONS:
        if (view := view_in_words(text(dataset, keyword))) is not None:
            inferred.append(f"view: {name} names it")
            return view
    raise NotAMammogram(Reason.MISSING_VIEW, "no view code, View Position or description names a view")


_DESCRIPTIONS = (
    ("SeriesDescription", "Series Description"),
    ("ProtocolName", "Protocol Name"),
    ("AcquisitionDeviceProcessingDescription", "Acquisition Device Processing Description"),
    ("ImageComments", "Image Comments"),
)
_NAMES = (("PatientName", "Patient's Name"), ("PatientID", "Patient ID"))


def _laterality(dataset: Dataset, orientation: tuple[str, ...], view: View, inferred: list[str]) -> Laterality:
    stated = text(dataset, "ImageLaterality").upper()
    if stated == "B":
        raise NotAMammogram(Reason.NOT_MEASURABLE, "both breasts on one image")
    if stated in ("L", "R"):
        return Laterality(stated)
    series = text(dataset, "Laterality").upper()
    if series in ("L", "R"):
        inferred.append("laterality: Laterality of the series, no Image Laterality")
        return Laterality(series)
    for item in _code_items(dataset, "AnatomicRegionSequence"):
        for modifier in _code_items(item, "AnatomicRegionModifierSequence"):
            if (side := laterality_in_words(text(modifier, "CodeMeaning"))) is not None:
                inferred.append("laterality: Anatomic Region Modifier")
                return side
    # the second direction of an upright CC, MLO points to the middle of the body
    if len(orientation) == 2 and view not in (View.ML, View.LM) and _DIRECTION.fullmatch(orientation[1]):
        medial = set(orientation[1]) & {"L", "R"}
        if len(medial) == 1:
            inferred.append("laterality: Patient Orientation points to the middle of the body")
            return Laterality.RIGHT if medial == {"L"} else Laterality.LEFT
    for keyword, name in (("ViewPosition", "View Position"), *_DESCRIPTIONS, *_NAMES):
        if (side := laterality_in_words(text(dataset, keyword))) is not None:
            inferred.append(f"laterality: {name} names it")
            return side
    raise NotAMammogram(Reason.MISSING_LATERALITY, "neither Image Laterality nor another attribute names the side")


def _spacing(dataset: Dataset, rows: int, inferred: list[str]) -> Size:
    """In the detector plane: no correction for magnification, which differs along the depth of the breast."""
    for keyword, clause in (
        ("ImagerPixelSpacing", ""),
        ("PixelSpacing", "spacing: Pixel Spacing, no Imager Pixel Spacing"),
        ("NominalScannedPixelSpacing", "spacing: Nominal Scanned Pixel Spacing"),
    ):
        size = _size(values(dataset, keyword))
        if size is not None:
            if clause:
                inferred.append(clause)
            return size
    inferred.append(f"spacing: {_FILM_HEIGHT_MM:.0f} mm film height assumed")
    return Size(_FILM_HEIGHT_MM / rows, _FILM_HEIGHT_MM / rows)


def _size(parts: tuple[str, ...]) -> Size | None:
    try:
        row, column = (float(part) for part in parts)
    except ValueError:
        return None
    return Size(row, column) if all(_SMALLEST_MM <= part <= _LARGEST_MM for part in (row, column)) else None
