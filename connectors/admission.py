"""What may come in: one pure decision for listener, poller and folder import (R0.519).

============== ======================================================================= ======
disposition    when                                                                    status
============== ======================================================================= ======
queued         a mammography or tomosynthesis class; or Secondary Capture, CR, DX with 0000
               Modality MG (digitised film and computed radiography come so)
ignored        our own results; any other class that may be stored (R0.84, R0.93)       0000
passed through the same, where the policy says that others are forwarded (R0.94)        0000
rejected       no UID or a contradicting one (A900, R0.98), no space (A700, R0.97),     other
               too large or from a peer that may not store (C014, 0124), lossy where
               the policy refuses it (C013, R0.78, R0.102), unreadable (C000, R4.271)
============== ======================================================================= ======

All but the refused ones are stored: what is not measured today may be tomorrow.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from reread.analytics.reasons import Reason

SUCCESS = 0x0000
OUT_OF_RESOURCES = 0xA700
SOP_CLASS_MISMATCH = 0xA900
CANNOT_UNDERSTAND = 0xC000
VALUE_OUT_OF_RANGE = 0xC013
WILL_NOT_PROCESS = 0xC014
NOT_AUTHORISED = 0x0124

MAMMOGRAPHY_CLASSES = frozenset(
    {
        "1.2.840.10008.5.1.4.1.1.1.2",  # Digital Mammography X-Ray, For Presentation
        "1.2.840.10008.5.1.4.1.1.1.2.1",  # Digital Mammography X-Ray, For Processing
        "1.2.840.10008.5.1.4.1.1.13.1.3",  # Breast Tomosynthesis
        "1.2.840.10008.5.1.4.1.1.13.1.4",  # Breast Projection X-Ray, For Presentation
        "1.2.840.10008.5.1.4.1.1.13.1.5",  # Breast Projection X-Ray, For Processing
    }
)
GENERAL_CLASSES = frozenset(
    {
        "1.2.840.10008.5.1.4.1.1.7",  # Secondary Capture
        "1.2.840.10008.5.1.4.1.1.7.2",  # Multi-frame Grayscale Byte Secondary Capture
        "1.2.840.10008.5.1.4.1.1.7.3",  # Multi-frame Grayscale Word Secondary Capture
        "1.2.840.10008.5.1.4.1.1.1",  # Computed Radiography
        "1.2.840.10008.5.1.4.1.1.1.1",  # Digital X-Ray, For Presentation
        "1.2.840.10008.5.1.4.1.1.1.1.1",  # Digital X-Ray, For Processing
    }
)

_UID = re.compile(r"(?=.*[0-9])[0-9.]{1,64}")
_SOP_CLASS, _SOP_INSTANCE = 0x00080016, 0x00080018
_STUDY, _SERIES, _LOSSY = 0x0020000D, 0x0020000E, 0x00282110


class Disposition(StrEnum):
    """What becomes of an object (R0.92 to R0.95)."""

    QUEUED = "queued"
    IGNORED = "ignored"
    PASSED_THROUGH = "passed_through"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class StoreRequest:
    """What is known about an object at the door; empty where the header has nothing."""

    sop_class_uid: str
    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str
    modality: str
    manufacturer: str
    lossy: str
    """Lossy Image Compression (0028,2110)"""
    size_bytes: int
    free_bytes: int
    """free space of the spool"""
    command_sop_class_uid: str = ""
    """Affected SOP Class UID (0000,0002); empty for a file import"""
    command_sop_instance_uid: str = ""
    """Affected SOP Instance UID (0000,1000); empty for a file import"""
    may_store: bool = True
    """the sender is a configured source"""
    readable: bool = True
    """the data set could be parsed to its end"""


@dataclass(frozen=True, slots=True)
class AdmissionPolicy:
    """A site's choices.

    `others` is what becomes of objects that are stored and not measured: IGNORED or PASSED_THROUGH.
    """

    always_measured: frozenset[str] = MAMMOGRAPHY_CLASSES
    measured_if_mg: frozenset[str] = GENERAL_CLASSES
    own_manufacturer: str = "Reread"
    others: Disposition = Disposition.IGNORED
    refuse_lossy: bool = False
    max_object_bytes: int = 4 << 30
    min_free_bytes: int = 1 << 30


@dataclass(frozen=True, slots=True)
class Admission:
    """The decision; `comment` holds at most 64 characters and no patient data (Error Comment, LO)."""

    disposition: Disposition
    status: int
    offending_element: int | None = None
    """tag for (0000,0901)"""
    comment: str = ""
    reason: Reason | None = None

    @property
    def accepted(self) -> bool:
        return self.status == SUCCESS


def admit(request: StoreRequest, policy: AdmissionPolicy) -> Admission:
    """Decide on one object. Pure: no clock, no disk, no network."""
    if not request.may_store:
        return _refuse(NOT_AUTHORISED, "this AE title is not a configured source", None, None)
    if request.size_bytes > policy.max_object_bytes:
        return _refuse(WILL_NOT_PROCESS, "the object is larger than this server takes", None, Reason.IMPOSSIBLE_SIZE)
    if request.free_bytes < policy.min_free_bytes + request.size_bytes:
        return _refuse(OUT_OF_RESOURCES, "Out of resources", None, None)
    if not request.readable:
        return _refuse(CANNOT_UNDERSTAND, "the data set cannot be read to its end", None, Reason.TRUNCATED)
    for tag, uid in (
        (_SOP_CLASS, request.sop_class_uid),
        (_SOP_INSTANCE, request.sop_instance_uid),
        (_STUDY, request.study_instance_uid),
        (_SERIES, request.series_instance_uid),
    ):
        if not uid:
            return _refuse(SOP_CLASS_MISMATCH, "a required UID is missing", tag, Reason.NOT_DICOM)
        if not _UID.fullmatch(uid):
            return _refuse(SOP_CLASS_MISMATCH, "not a UID: 1 to 64 digits and dots", tag, Reason.NOT_DICOM)
    if request.command_sop_class_uid and request.command_sop_class_uid != request.sop_class_uid:
        return _refuse(SOP_CLASS_MISMATCH, "SOP Class UID differs from the request", _SOP_CLASS, Reason.NOT_DICOM)
    if request.command_sop_instance_uid and request.command_sop_instance_uid != request.sop_instance_uid:
        return _refuse(SOP_CLASS_MISMATCH, "SOP Instance UID differs from the request", _SOP_INSTANCE, Reason.NOT_DICOM)
    if request.manufacturer == policy.own_manufacturer:
        return Admission(Disposition.IGNORED, SUCCESS)
    measured = request.sop_class_uid in policy.always_measured or (
        request.sop_class_uid in policy.measured_if_mg and request.modality == "MG"
    )
    if not measured:
        return Admission(policy.others, SUCCESS)
    if policy.refuse_lossy and request.lossy not in ("", "00"):
        return _refuse(VALUE_OUT_OF_RANGE, "lossy compressed", _LOSSY, Reason.NOT_MEASURABLE)
    return Admission(Disposition.QUEUED, SUCCESS)


def _refuse(status: int, comment: str, tag: int | None, reason: Reason | None) -> Admission:
    return Admission(Disposition.REJECTED, status, tag, comment, reason)
