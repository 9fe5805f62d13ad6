"""What the header of an image that could not be measured says of it, for the Image Library of a report."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from reread.analytics.errors import InputError
from reread.analytics.reasons import Reason
from reread.analytics.records import Laterality, StudyResult
from reread.connectors.dicom_parts import identify, parse, quiet_reading, read_bytes
from reread.connectors.input_kinds import input_kind
from reread.connectors.mammogram_header import text, values, view_modifiers
from reread.connectors.reports.cad_report import UnmeasuredImage
from reread.connectors.view_codes import view_of_code

_NOT_AN_IMAGE_OF_THE_STUDY = frozenset(
    {Reason.WRONG_MODALITY, Reason.DUPLICATE, Reason.CONFLICT, Reason.TWO_PATIENTS, Reason.NOT_DICOM, Reason.EMPTY}
)
_LARGEST = 1 << 31
_DIRECTIONS = 2


def unmeasured_images(result: StudyResult, sources: Mapping[str, Path]) -> tuple[UnmeasuredImage, ...]:
    """Rejected images that belong to the study and can be named, each with what its header has (R1.158)."""
    known = {item.header.sop_instance_uid for item in result.images}
    found = []
    for item in result.rejected:
        uid = item.sop_instance_uid
        if uid in known or uid not in sources or item.reason in _NOT_AN_IMAGE_OF_THE_STUDY:
            continue
        image = unmeasured_image(uid, sources[uid], result.study_instance_uid)
        if image is not None:
            known.add(uid)
            found.append(image)
    return tuple(found)


def unmeasured_image(uid: str, path: Path, study_instance_uid: str) -> UnmeasuredImage | None:
    """One of them; None when it is of another study or has no class."""
    identity = identify(path)
    if identity.study_instance_uid != study_instance_uid or not identity.sop_class_uid:
        return None
    named = UnmeasuredImage(uid, identity.sop_class_uid, identity.series_instance_uid)
    try:
        dataset = parse(read_bytes(path, _LARGEST), stop_before_pixels=True)
    except InputError:  # its name is all that can be read
        return named
    with quiet_reading():
        side = text(dataset, "ImageLaterality") or text(dataset, "Laterality")
        orientation = values(dataset, "PatientOrientation")
        spacing = _numbers(values(dataset, "ImagerPixelSpacing")) or _numbers(values(dataset, "PixelSpacing"))
        return UnmeasuredImage(
            uid,
            identity.sop_class_uid,
            identity.series_instance_uid,
            kind=input_kind(dataset),
            laterality=Laterality(side) if side in set(Laterality) else None,
            view=next((view_of_code(code) for code in _view_codes(dataset)), None),
            view_modifiers=view_modifiers(dataset),
            patient_orientation=(orientation[0], orientation[1]) if len(orientation) == _DIRECTIONS else ("", ""),
            study_date=text(dataset, "StudyDate"),
            study_time=text(dataset, "StudyTime"),
            content_date=text(dataset, "ContentDate"),
            content_time=text(dataset, "ContentTime"),
            spacing_mm=(spacing[0], spacing[1]) if len(spacing) == _DIRECTIONS else None,
        )


def _view_codes(dataset: object) -> Collection[str]:
    try:
        items = list(getattr(dataset, "ViewCodeSequence", None) or [])
    except Exception:  # not a sequence, or one that cannot be parsed: nothing stated
        return ()
    return [text(item, "CodeValue") for item in items]


def _numbers(parts: tuple[str, ...]) -> tuple[float, ...]:
    try:
        found = tuple(float(part) for part in parts)
    except ValueError:
        return ()
    return found if all(0 < number < float("inf") for number in found) else ()
