"""The statuses of C-STORE: one meaning for each code, for what we answer and for what peers answer.

The rows disagree on some codes. What was decided:

* A700 is for space alone; A710 for the ledger, A750 for a spool that cannot be written for another reason
  (R4.543). All three are worth a retry.
* A730 is for bytes that are no DICOM data set; C000 for one that breaks off. Neither gets better by a retry;
  that A7xx reads "out of resources" to a sender that knows only PS3.4 B.2.3 is the price of R4.130.
* An error of our own is 0110 (R1.63, R3.122), not A720 (R4.129): 0110 has that meaning in PS3.7 annex C, and
  A720 would be read as a lack of resources.
* A SOP class that contradicts its presentation context is A900 (R4.132), not 0122: the context was accepted.
* C010 to C014 keep the meanings of R0.99 to R0.103, with "licence" read as "device enabled here" (R0.520).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

SUCCESS = 0x0000
PROCESSING_FAILURE = 0x0110
NO_SUCH_CLASS = 0x0122
NOT_AUTHORISED = 0x0124
OUT_OF_RESOURCES = 0xA700
CANNOT_WRITE_LEDGER = 0xA710
TOOLKIT_PROBLEM = 0xA720
NOT_UNDERSTOOD = 0xA730
PIXELS_NOT_ACCESSIBLE = 0xA740
CANNOT_WRITE_SPOOL = 0xA750
NO_DESTINATION = 0xA760
SENDER_UNKNOWN = 0xA780
SOP_CLASS_MISMATCH = 0xA900
CANNOT_UNDERSTAND = 0xC000
DEVICE_UNKNOWN = 0xC010
DEVICE_NOT_ENABLED = 0xC011
ATTRIBUTE_MISSING = 0xC012
VALUE_OUT_OF_RANGE = 0xC013
WILL_NOT_PROCESS = 0xC014


@dataclass(frozen=True, slots=True)
class StoreStatus:
    """One status of a C-STORE response."""

    code: int
    kind: str
    """success, warning, refused or failure"""
    meaning: str
    """when it is sent, one sentence without full stop"""
    rows: str
    """where it comes from"""
    needs_element: bool = False
    """Offending Element (0000,0901) goes with it"""
    sent: bool = True
    """False: only understood when a peer answers it"""


_TABLE = (
    StoreStatus(SUCCESS, "success", "the object is on the disk and in the ledger", "R0.96, R1.64, R3.121, R4.135"),
    StoreStatus(PROCESSING_FAILURE, "failure", "an error of our own", "R1.63, R3.122"),
    StoreStatus(NO_SUCH_CLASS, "refused", "the peer takes no objects of this class", "PS3.7 C.5.9", sent=False),
    StoreStatus(NOT_AUTHORISED, "refused", "the calling AE title is not a configured source", "PS3.7 C.5.17"),
    StoreStatus(OUT_OF_RESOURCES, "refused", "not enough disk space or memory", "R0.97, R4.127"),
    StoreStatus(CANNOT_WRITE_LEDGER, "refused", "the object could not be booked in the ledger", "R4.110, R4.128"),
    StoreStatus(TOOLKIT_PROBLEM, "refused", "problem in the peer's DICOM toolkit", "R4.111", sent=False),
    StoreStatus(NOT_UNDERSTOOD, "refused", "the data set is no DICOM data set", "R4.112, R4.130"),
    StoreStatus(
        PIXELS_NOT_ACCESSIBLE,
        "refused",
        "an image that would be measured has no pixel data in its data set",
        "R4.113, R4.131",
        needs_element=True,
    ),
    StoreStatus(
        CANNOT_WRITE_SPOOL, "refused", "the spool cannot be written, for another reason than space", "R4.114, R4.543"
    ),
    StoreStatus(NO_DESTINATION, "refused", "no destination for redirected PET raw data", "R4.115", sent=False),
    StoreStatus(SENDER_UNKNOWN, "refused", "the sender is not configured on the peer", "R4.116", sent=False),
    StoreStatus(
        SOP_CLASS_MISMATCH,
        "failure",
        "a UID is missing, is none, or differs from the request or the presentation context",
        "R0.98, R1.62, R4.117, R4.132",
        needs_element=True,
    ),
    StoreStatus(CANNOT_UNDERSTAND, "failure", "the data set breaks off before its end", "R4.118, R4.133"),
    StoreStatus(
        DEVICE_UNKNOWN,
        "failure",
        "devices have to be enabled here and the object names none",
        "R0.99, R0.81",
        needs_element=True,
    ),
    StoreStatus(
        DEVICE_NOT_ENABLED, "failure", "the device of the object is not enabled here", "R0.100", needs_element=True
    ),
    StoreStatus(
        ATTRIBUTE_MISSING,
        "failure",
        "an attribute that this site requires for measuring is missing",
        "R0.101, R0.79",
        needs_element=True,
    ),
    StoreStatus(
        VALUE_OUT_OF_RANGE,
        "failure",
        "an attribute that this site requires is empty, or the image is lossy where that is refused",
        "R0.102, R0.78",
        needs_element=True,
    ),
    StoreStatus(WILL_NOT_PROCESS, "failure", "the object is larger than this node takes", "R0.103"),
    StoreStatus(0xB000, "warning", "elements were coerced", "R4.119, R4.134", sent=False),
    StoreStatus(0xB006, "warning", "elements were discarded", "R4.120, R4.134", sent=False),
    StoreStatus(0xB007, "warning", "the data set does not match its SOP class", "R4.121, R4.134", sent=False),
)

STORE_STATUSES: Mapping[int, StoreStatus] = MappingProxyType({status.code: status for status in _TABLE})
"""By code. We coerce and discard nothing (R3.97), and so send no warnings."""
