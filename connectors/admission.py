"""What may come in: one pure decision for listener, poller and folder import (R0.519).

============== ======================================================================= ======
disposition    when                                                                    status
============== ======================================================================= ======
queued         a mammography or tomosynthesis class; or Secondary Capture, CR, DX with 0000
               Modality MG (digitised film and computed radiography come so)
ignored        our own results; any other class that may be stored (R0.84, R0.93)       0000
passed through the same, where the policy says that others are forwarded (R0.94)        0000
rejected       see `store_statuses.STORE_STATUSES`                                       other
============== ======================================================================= ======

All but the refused ones are stored: what is not measured today may be tomorrow. A site's own rules (lossy,
required attributes, enabled devices) concern objects that would be measured, no others. What can only be
seen in the image or needs the view (R0.87 to R0.89) is decided when it is measured.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from reread.analytics.errors import InputError, LedgerError
from reread.analytics.reasons import Reason
from reread.connectors.negotiation import ALWAYS_LOSSY
from reread.connectors.store_statuses import (
    ATTRIBUTE_MISSING,
    CANNOT_UNDERSTAND,
    CANNOT_WRITE_LEDGER,
    CANNOT_WRITE_SPOOL,
    DEVICE_NOT_ENABLED,
    DEVICE_UNKNOWN,
    NOT_AUTHORISED,
    NOT_UNDERSTOOD,
    OUT_OF_RESOURCES,
    PIXELS_NOT_ACCESSIBLE,
    PROCESSING_FAILURE,
    SOP_CLASS_MISMATCH,
    SUCCESS,
    VALUE_OUT_OF_RANGE,
    WILL_NOT_PROCESS,
)

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
_AFFECTED_CLASS, _SOP_CLASS, _SOP_INSTANCE = 0x00000002, 0x00080016, 0x00080018
_STUDY, _SERIES, _LOSSY, _PIXELS = 0x0020000D, 0x0020000E, 0x00282110, 0x7FE00010
DEVICE_SERIAL_NUMBER, DETECTOR_ID = 0x00181000, 0x0018700A
_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.ENOMEM, errno.EMFILE, errno.ENFILE})


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
    context_sop_class_uid: str = ""
    """abstract syntax of the presentation context; empty for a file import"""
    transfer_syntax_uid: str = ""
    has_pixels: bool = True
    """there is an element of pixel data in the data set"""
    values: Mapping[int, str] = field(default_factory=dict)
    """tag to value, for the tags of `AdmissionPolicy.wanted_tags` that the data set has; empty: no value"""
    contributors: tuple[str, ...] = ()
    """manufacturers of equipment that contributed, of objects whose UID may be one that we made"""


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
    low_free_bytes: int = 0
    """below this no new association may store (`disk_space`)"""
    required_tags: tuple[int, ...] = ()
    """without one of these, or with an empty one, what would be measured is refused (R0.79 to R0.81)"""
    enabled_devices: frozenset[str] = frozenset()
    """if any: only objects with one of these as Device Serial Number or Detector ID are measured (R0.81, R0.520)"""

    @property
    def wanted_tags(self) -> tuple[int, ...]:
        """Tags whose values `StoreRequest.values` has to hold; none by default, then no header is read twice."""
        devices = (DEVICE_SERIAL_NUMBER, DETECTOR_ID) if self.enabled_devices else ()
        return tuple(dict.fromkeys((*self.required_tags, *devices)))


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
    contradiction = _contradiction(request)
    if contradiction is not None:
        return contradiction
    # copies of images with our marks keep the manufacturer of the image; measured again they would never end
    if policy.own_manufacturer in (request.manufacturer, *request.contributors):
        return Admission(Disposition.IGNORED, SUCCESS)
    measured = request.sop_class_uid in policy.always_measured or (
        request.sop_class_uid in policy.measured_if_mg and request.modality == "MG"
    )
    if not measured:
        return Admission(policy.others, SUCCESS)
    return _not_measurable(request, policy) or Admission(Disposition.QUEUED, SUCCESS)


def refusal_of(error: Exception) -> Admission:
    """What the sender is told when an object could not be taken in (R4.543). Quotes nothing of the error."""
    if isinstance(error, LedgerError):
        return _refuse(CANNOT_WRITE_LEDGER, "the object could not be booked", None, None)
    if isinstance(error, InputError):
        status = CANNOT_UNDERSTAND if error.reason is Reason.TRUNCATED else NOT_UNDERSTOOD
        return _refuse(status, error.reason.sentence, None, error.reason)
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno in _NO_SPACE):
        return _refuse(OUT_OF_RESOURCES, "Out of resources", None, None)
    if isinstance(error, OSError):
        return _refuse(CANNOT_WRITE_SPOOL, "the object could not be written", None, None)
    return _refuse(PROCESSING_FAILURE, "internal error", None, None)


def _contradiction(request: StoreRequest) -> Admission | None:
    """A900: the UIDs are missing, are none, or are not those of the request (R0.98, R4.132)."""
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
    if request.context_sop_class_uid and request.context_sop_class_uid != request.sop_class_uid:
        text = "SOP Class UID differs from the presentation context"
        return _refuse(SOP_CLASS_MISMATCH, text, _AFFECTED_CLASS, Reason.NOT_DICOM)
    if request.command_sop_instance_uid and request.command_sop_instance_uid != request.sop_instance_uid:
        return _refuse(SOP_CLASS_MISMATCH, "SOP Instance UID differs from the request", _SOP_INSTANCE, Reason.NOT_DICOM)
    return None


def _not_measurable(request: StoreRequest, policy: AdmissionPolicy) -> Admission | None:
    """Why an object that would be measured is refused; None if it is not."""
    if not request.has_pixels:
        return _refuse(PIXELS_NOT_ACCESSIBLE, "there is no pixel data in the data set", _PIXELS, Reason.NO_PIXEL_DATA)
    if policy.refuse_lossy and (request.lossy not in ("", "00") or request.transfer_syntax_uid in ALWAYS_LOSSY):
        return _refuse(VALUE_OUT_OF_RANGE, "lossy compressed", _LOSSY, Reason.NOT_MEASURABLE)
    if policy.enabled_devices:
        shown = {tag: request.values.get(tag, "") for tag in (DEVICE_SERIAL_NUMBER, DETECTOR_ID)}
        named = [tag for tag, value in shown.items() if value]
        if not named:
            text = "neither Device Serial Number nor Detector ID"
            return _refuse(DEVICE_UNKNOWN, text, DEVICE_SERIAL_NUMBER, Reason.NOT_MEASURABLE)
        if not policy.enabled_devices & set(shown.values()):
            return _refuse(DEVICE_NOT_ENABLED, "this device is not enabled here", named[0], Reason.NOT_MEASURABLE)
    for tag in policy.required_tags:
        if tag not in request.values:
            return _refuse(ATTRIBUTE_MISSING, "a required attribute is missing", tag, Reason.NOT_MEASURABLE)
        if not request.values[tag]:
            return _refuse(VALUE_OUT_OF_RANGE, "a required attribute is empty", tag, Reason.NOT_MEASURABLE)
    return None


def _refuse(status: int, comment: str, tag: int | None, reason: Reason | None) -> Admission:
    return Admission(Disposition.REJECTED, status, tag, comment[:64], reason)
