"""Copies of source images: what a derived image keeps, and what it says of where it comes from (PS3.3 C.7.6.1)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydicom import config
from pydicom._dicom_dict import DicomDictionary
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.valuerep import validate_value

from reread.analytics.errors import AuthoringFailed
from reread.analytics.records import ImageHeader, Provenance
from reread.connectors.dicom_parts import quiet_reading
from reread.connectors.header_values import recorded, source_values
from reread.connectors.mammogram_header import text, values
from reread.connectors.reports.codes import Code
from reread.connectors.reports.content_items import reference
from reread.connectors.results.document_items import coded
from reread.connectors.results.source_images import read_source
from reread.connectors.services import EXPLICIT_LITTLE

_SOURCE = Code("121322", "DCM", "Source image for image processing operation")
_PROCESSING = Code("109102", "DCM", "Processing Equipment")
_BIG_ENDIAN = "1.2.840.10008.1.2.2"
_NATIVE = {"", "1.2.840.10008.1.2", EXPLICIT_LITTLE, "1.2.840.10008.1.2.1.99", _BIG_ENDIAN}
_SIGNATURES = (0x4FFE0001, 0xFFFAFFFA)
"""MAC parameters and digital signatures: of the source, not of a copy"""
_REPEATING = {group + step for group in (0x5000, 0x6000) for step in range(0, 0x20, 2)}
_STANDARD_GROUPS = {tag >> 16 for tag in DicomDictionary} | _REPEATING
"""even groups that the standard knows; some devices write others"""
_CHECKED = {"AE", "AS", "CS", "DA", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UR", "UT"}


def derived_copy(path: Path, header: ImageHeader) -> tuple[Dataset, str]:
    """All attributes and the encoded pixel data of a source, marked as derived from it.

    Encapsulated pixel data stay as they are; native ones become explicit little endian. Elements whose values their VR
    does not allow are left out (of patient and study: empty), since whoever made the source would not be asked for
    them; Patient Orientation that holds no directions becomes what was inferred.

    Returns
    -------
    data set, transfer syntax UID

    Raises
    ------
    AuthoringFailed
        The source cannot be read.
    """
    source = read_source(path, with_pixels=True)
    with quiet_reading():
        syntax = text(getattr(source, "file_meta", Dataset()), "TransferSyntaxUID")
        native = syntax in _NATIVE
        copy = _readable(source, big_endian=syntax == _BIG_ENDIAN or not source.original_encoding[1])
        if "PixelData" not in copy:
            raise AuthoringFailed("a source image of the result has no pixel data any more")
        copy.update(source_values(path))
        copy["PixelData"].VR = "OW" if native and text(source, "BitsAllocated") != "8" else "OB"
        copy["PixelData"].is_undefined_length = not native
        kind = [part.upper() for part in values(source, "ImageType")]
        copy.ImageType = ["DERIVED", *(kind[1:] or ["PRIMARY"])]
        if tuple(values(source, "PatientOrientation")) != header.patient_orientation:
            copy.PatientOrientation = list(header.patient_orientation)
    item = reference(header.sop_class_uid, header.sop_instance_uid)
    item.SpatialLocationsPreserved = "YES"
    item.PurposeOfReferenceCodeSequence = [coded(_SOURCE)]
    copy.SourceImageSequence = [item]
    return copy, EXPLICIT_LITTLE if native else syntax


def _readable(source: Dataset, *, big_endian: bool) -> Dataset:
    """Elements that can be parsed, without group lengths, signatures and groups of no standard; words are swapped."""
    copy = Dataset()
    for tag in sorted(source.keys()):
        if tag.element == 0 or int(tag) in _SIGNATURES or not (tag.is_private or tag.group in _STANDARD_GROUPS):
            continue
        try:
            element = source[tag]
            _settle(element)
            if big_endian:
                _swap_words(element)
        except Exception:  # bytes that contradict their VR in one of many ways; the rest is kept
            continue
        copy.add(element)
    return copy


def _settle(element: DataElement) -> None:
    """Parse and check all that is nested, so that nothing is left to fail when it is written.

    Raises
    ------
    ValueError
        The VR of the element does not allow its value.
    """
    if element.VR == "SQ":
        for item in element.value:
            for tag in list(item.keys()):
                try:
                    _settle(item[tag])
                except Exception:  # as in `_readable`
                    del item[tag]
    elif " or " in element.VR:
        element.VR = "OW" if isinstance(element.value, bytes) else "US"
    elif element.VR == "DS" and not element.is_empty:
        # more digits than 16 characters hold are common, and no reason to lose the number
        numbers = element.value if element.VM > 1 else [element.value]
        element.value = [told if len(told := str(part)) <= 16 else f"{float(part):.10g}" for part in numbers]
    elif element.VR in _CHECKED and not element.is_empty:
        for part in element.value if element.VM > 1 else [element.value]:
            validate_value(element.VR, str(part), config.RAISE)


def _swap_words(element: DataElement) -> None:
    if element.VR == "OW" and isinstance(element.value, bytes):
        even = element.value[: len(element.value) // 2 * 2]
        element.value = np.frombuffer(even, ">u2").astype("<u2").tobytes()
    elif element.VR == "SQ":
        for item in element.value:
            for nested in item:
                _swap_words(nested)


def contribute(dataset: Dataset, provenance: Provenance, what: str) -> None:
    """Add us to the equipment that contributed (PS3.3 C.12.1.1.9), with what was done and when."""
    moment = recorded(provenance)
    item = Dataset()
    item.PurposeOfReferenceCodeSequence = [coded(_PROCESSING)]
    item.Manufacturer = "Reread"
    item.ManufacturerModelName = "Reread"
    item.SoftwareVersions = f"{provenance.algorithm} {provenance.version}"[:64]
    item.ContributionDateTime = moment.strftime("%Y%m%d%H%M%S+0000")
    item.ContributionDescription = what
    before = list(dataset.get("ContributingEquipmentSequence") or [])
    dataset.ContributingEquipmentSequence = [*before, item]
    told = text(dataset, "DerivationDescription")
    dataset.DerivationDescription = (f"{told}; {what}" if told else what)[:1024]
    dataset.InstanceCreationDate = moment.strftime("%Y%m%d")
    dataset.InstanceCreationTime = moment.strftime("%H%M%S")
