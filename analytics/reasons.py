"""Why an image was not measured: the closed list of named reasons.

The same word stands in the ledger, in the `images` table and on the person's screen.
"""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """A named reason, with the sentence that the person reads."""

    sentence: str

    def __new__(cls, value: str, sentence: str) -> Reason:
        member = str.__new__(cls, value)
        member._value_ = value
        member.sentence = sentence
        return member

    NOT_DICOM = "not_dicom", "not a DICOM file"
    EMPTY = "empty_file", "a file of zero bytes; ask the sender for it again"
    TRUNCATED = "truncated", "cut off before its end; ask the sender for it again"
    NO_PIXEL_DATA = "no_pixel_data", "no pixel data"
    IMPOSSIBLE_SIZE = "impossible_size", "Rows x Columns contradict the pixel data or exceed the limit"
    UNKNOWN_TRANSFER_SYNTAX = "unknown_transfer_syntax", "a transfer syntax that is not known or has no decoder"
    UNDECODABLE = "undecodable", "the pixel data could not be decoded"
    MISSING_LATERALITY = "missing_laterality", "neither header nor pixels tell left from right"
    MISSING_VIEW = "missing_view", "the header does not tell the view"
    WRONG_MODALITY = "wrong_modality", "not a mammogram"
    NOT_MEASURABLE = (
        "not_measurable",
        "a mammogram of a kind that is not measured (for example a multi-frame or colour image)",
    )
    DUPLICATE = "duplicate", "the same instance, byte for byte, was here before"
    CONFLICT = "conflicting_duplicate", "another object under a SOP Instance UID that was here before; both are kept"
    TWO_PATIENTS = "two_patients_in_study", "two patients under one Study Instance UID; nothing of it is combined"
    MEASUREMENT_FAILED = "measurement_failed", "the measurement failed; the log has the cause"
    WORKER_DIED = "worker_died", "the worker process died on this image"


class MuscleOutcome(StrEnum):
    """What became of the search for the pectoral muscle, with the sentence that the person reads."""

    sentence: str

    def __new__(cls, value: str, sentence: str) -> MuscleOutcome:
        member = str.__new__(cls, value)
        member._value_ = value
        member.sentence = sentence
        return member

    FOUND = "found", "found"
    NOT_IN_VIEW = "not_in_view", "the view does not show it"
    NO_CLEAR_EDGE = "no_clear_edge", "no edge from the upper border to the chest wall is clear enough"
    TOO_SMALL = "too_small", "what was found is too small for a muscle"
    NOT_SEARCHED = "not_searched", "the search did not come to an end"


class Refusal(StrEnum):
    """Why an image that was measured has no volumetric density, with the sentence that the person reads."""

    sentence: str

    def __new__(cls, value: str, sentence: str) -> Refusal:
        member = str.__new__(cls, value)
        member._value_ = value
        member.sentence = sentence
        return member

    FOR_PRESENTATION = "for_presentation", "processed for display: its values are not those of the detector"
    UNKNOWN_SCALE = "unknown_scale", "logarithmic raw values whose scale no attribute gives"
    NO_THICKNESS = "no_thickness", "no Body Part Thickness between 10 and 150 mm"
    NO_KVP = "no_kvp", "no KVP between 20 and 49"
    UNKNOWN_BEAM = "unknown_beam", "no known anode and filter"
    NO_SPACING = "no_spacing", "no attribute gives the size of a pixel"
    NO_REFERENCE = "no_reference", "no part of the breast is compressed to the full thickness"
    FAILED = "failed", "the measurement failed; the log has the cause"
