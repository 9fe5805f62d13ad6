"""Every storage SOP class that we take: of the standard, retired, and the private one of the requirements.

The current classes are those of the DICOM toolkits (PS3.4 table B.5-1). Listed here are the ones that
pynetdicom 3.0.4 does not know as storage: without registration it accepts such a context and never answers
the C-STORE (R4.542).

Not storage classes, and so left out: the print management classes (R4.62 to R4.68), media directories and
storage commitment. Left out too are the objects without a patient (hanging protocols, colour palettes,
implant templates, defined procedure protocols, inventories; PS3.4 annex GG): they belong to no study, and
`admission.admit` needs one.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pydicom.uid import UID_dictionary  # type: ignore[attr-defined]
from pynetdicom import register_uid, sop_class
from pynetdicom.service_class import StorageServiceClass

RETIRED_CLASSES: Mapping[str, str] = MappingProxyType(
    {
        "1.2.840.10008.5.1.1.27": "Stored Print Storage",
        "1.2.840.10008.5.1.1.29": "Hardcopy Grayscale Image Storage",
        "1.2.840.10008.5.1.1.30": "Hardcopy Color Image Storage",
        "1.2.840.10008.5.1.4.1.1.3": "Ultrasound Multi-frame Image Storage",
        "1.2.840.10008.5.1.4.1.1.5": "Nuclear Medicine Image Storage",
        "1.2.840.10008.5.1.4.1.1.6": "Ultrasound Image Storage",
        "1.2.840.10008.5.1.4.1.1.8": "Standalone Overlay Storage",
        "1.2.840.10008.5.1.4.1.1.9": "Standalone Curve Storage",
        "1.2.840.10008.5.1.4.1.1.9.1": "Waveform Storage - Trial",
        "1.2.840.10008.5.1.4.1.1.10": "Standalone Modality LUT Storage",
        "1.2.840.10008.5.1.4.1.1.11": "Standalone VOI LUT Storage",
        "1.2.840.10008.5.1.4.1.1.12.3": "X-Ray Angiographic Bi-Plane Image Storage",
        "1.2.840.10008.5.1.4.1.1.77.1": "VL Image Storage - Trial",
        "1.2.840.10008.5.1.4.1.1.77.2": "VL Multi-frame Image Storage - Trial",
        "1.2.840.10008.5.1.4.1.1.88.1": "Text SR Storage - Trial",
        "1.2.840.10008.5.1.4.1.1.88.2": "Audio SR Storage - Trial",
        "1.2.840.10008.5.1.4.1.1.88.3": "Detail SR Storage - Trial",
        "1.2.840.10008.5.1.4.1.1.88.4": "Comprehensive SR Storage - Trial",
        "1.2.840.10008.5.1.4.1.1.129": "Standalone PET Curve Storage",
        "1.2.840.10008.5.1.4.34.1": "RT Beams Delivery Instruction Storage - Trial",
    }
)
"""PS3.6 table A-1, marked retired (R3.54, R3.63, R3.65, R3.75, R4.49, R4.69)."""

INDUSTRIAL_CLASSES: Mapping[str, str] = MappingProxyType(
    {
        "1.2.840.10008.5.1.4.1.1.501.1": "DICOS CT Image Storage",
        "1.2.840.10008.5.1.4.1.1.501.2.1": "DICOS Digital X-Ray Image Storage - For Presentation",
        "1.2.840.10008.5.1.4.1.1.501.2.2": "DICOS Digital X-Ray Image Storage - For Processing",
        "1.2.840.10008.5.1.4.1.1.501.3": "DICOS Threat Detection Report Storage",
        "1.2.840.10008.5.1.4.1.1.501.4": "DICOS 2D AIT Storage",
        "1.2.840.10008.5.1.4.1.1.501.5": "DICOS 3D AIT Storage",
        "1.2.840.10008.5.1.4.1.1.501.6": "DICOS Quadrupole Resonance (QR) Storage",
        "1.2.840.10008.5.1.4.1.1.601.1": "Eddy Current Image Storage",
        "1.2.840.10008.5.1.4.1.1.601.2": "Eddy Current Multi-frame Image Storage",
    }
)
"""In PS3.6 table A-1 for the sister standards of security and non-destructive testing."""

PRIVATE_CLASSES: Mapping[str, str] = MappingProxyType(
    {"1.2.840.113619.4.27": "Private storage class 1.2.840.113619.4.27 (nuclear medicine workstation)"}
)
"""R4.54."""

_STORAGE_ROOT = "1.2.840.10008.5.1.4.1.1."
_STANDARD_ROOT = "1.2.840.10008."


def _current_classes() -> dict[str, str]:
    classes = {}
    for keyword, uid in sop_class._STORAGE_CLASSES.items():
        if uid in RETIRED_CLASSES or uid in INDUSTRIAL_CLASSES or uid in PRIVATE_CLASSES:
            continue  # registered by an earlier import of this module
        known = UID_dictionary.get(uid)
        classes[uid] = known[0] if known else _spaced(keyword)
    return classes


def _spaced(keyword: str) -> str:
    """Words of a keyword that pydicom has no name for yet: "LabelMapSegmentationStorage"."""
    words = ""
    for before, letter in zip(" " + keyword, keyword, strict=False):
        words += (" " if letter.isupper() and before.islower() else "") + letter
    return words


CURRENT_CLASSES: Mapping[str, str] = MappingProxyType(_current_classes())
"""PS3.4 table B.5-1."""

STORAGE_CLASSES: Mapping[str, str] = MappingProxyType(
    dict(sorted({**CURRENT_CLASSES, **RETIRED_CLASSES, **INDUSTRIAL_CLASSES, **PRIVATE_CLASSES}.items()))
)
"""SOP Class UID to name: all that we offer by name, as SCP and as SCU."""


def register_storage_classes() -> None:
    """Make pynetdicom serve the classes that it does not know (R4.542). May be called often."""
    for group in (RETIRED_CLASSES, INDUSTRIAL_CLASSES, PRIVATE_CLASSES):
        for uid in group:
            if uid not in sop_class._STORAGE_CLASSES.values():
                register_uid(uid, "Storage_" + uid.replace(".", "_"), StorageServiceClass)


def may_be_storage(abstract_syntax: str) -> bool:
    """Whether an abstract syntax that nobody here knows can be a storage class.

    A private one can; one of the standard only below the storage root, where new classes appear, and if it
    is not a known class of another service.
    """
    if abstract_syntax.startswith(_STANDARD_ROOT):
        return abstract_syntax.startswith(_STORAGE_ROOT) and abstract_syntax not in UID_dictionary
    return True
