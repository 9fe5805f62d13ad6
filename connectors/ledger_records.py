"""What goes into the ledger and what comes out of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from reread.analytics.reasons import Reason
from reread.connectors.states import DeliveryState, InstanceState, StudyState


class Outcome(StrEnum):
    """What the ledger said to an instance."""

    NEW = "new"
    DUPLICATE = "duplicate"
    """the same data set was here before; nothing changed"""
    CONFLICT = "conflict"
    """another data set under the same SOP Instance UID was here before; both are kept"""


@dataclass(frozen=True, slots=True)
class Instance:
    """One DICOM object in the spool. Holds no patient data."""

    sop_instance_uid: str
    sop_class_uid: str
    series_instance_uid: str
    study_instance_uid: str
    woman: str
    """keyed pseudonym"""
    study_date: str
    """DICOM DA, may be empty"""
    modality: str
    transfer_syntax_uid: str
    path: str
    """relative to the root of the spool"""
    size_bytes: int
    dataset_digest: str
    """BLAKE3 of transfer syntax and data set without file meta information, lower-case hex: two receptions of
    one object differ in file meta information (who wrote it), never in this"""
    source: str
    """name of the peer, or "import" """
    state: InstanceState = InstanceState.RECEIVED
    reason: Reason | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class CohortKey:
    """The AE titles that make a cohort (R4.37)."""

    calling_ae_title: str
    called_ae_title: str

    @classmethod
    def of(cls, calling_ae_title: str, called_ae_title: str) -> CohortKey | None:
        """The key, if the called AE title asks for a cohort by the keyword; else None."""
        calling, called = calling_ae_title.strip(), called_ae_title.strip()
        return cls(calling, called) if "MULTIPATIENT" in called else None


@dataclass(frozen=True, slots=True)
class Cohort:
    """What came from one AE title to one of our cohort titles until it was quiet."""

    number: int
    key: CohortKey
    studies: int
    instances: int
    is_open: bool
    evidence: str
    """why it counts as complete"""


@dataclass(frozen=True, slots=True)
class InstanceReason:
    """Why an instance is flagged."""

    sop_instance_uid: str
    study_instance_uid: str
    state: InstanceState
    reason: Reason
    detail: str
    path: str


@dataclass(frozen=True, slots=True)
class StudyRevision:
    """Names one revision of one study."""

    study_instance_uid: str
    revision: int


@dataclass(frozen=True, slots=True)
class Measurement:
    """Names what measured a revision: an analysis with all that its numbers depend on."""

    algorithm: str
    version: str
    parameters_digest: str


@dataclass(frozen=True, slots=True)
class StudyWork:
    """One revision with the images of one woman: what there is to measure."""

    study_instance_uid: str
    revision: int
    woman: str
    study_date: str
    instances: tuple[Instance, ...]
    """those queued for measuring, in order of arrival"""
    state: StudyState = StudyState.CLOSED
    evidence: str = ""
    """why it counts as complete"""
    two_patients: bool = False
    """another patient's images came under the same Study Instance UID; they are in a revision of their own"""
    closed_by: str = ""
    """the rule that closed it, a word of `completeness.ClosingRule`"""
    cohort: int | None = None
    """the cohort that it came with"""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One result object for one destination."""

    sop_instance_uid: str
    sop_class_uid: str
    study_instance_uid: str
    revision: int
    destination: str
    """name of the peer"""
    path: str
    """as given by the caller"""
    commit: bool
    """whether storage commitment is wanted; without it, sent is final"""
    state: DeliveryState
    attempts: int
    transaction_uid: str
    """of the last storage commitment request, or empty"""
    detail: str
    """last failure"""


@dataclass(frozen=True, slots=True)
class LedgerCounts:
    """How many there are in each state, for a status line."""

    instances: Mapping[InstanceState, int]
    studies: Mapping[StudyState, int]
    deliveries: Mapping[DeliveryState, int]
    rejections: int
    duplicates: int
    """receptions of an object that was here before"""
    two_patient_studies: int
    failures: Mapping[str, int]
    """failed studies by reason"""
    closed_by: Mapping[str, int] = field(default_factory=dict)
    """revisions by the rule that closed them"""


_REASONS = {reason.value: reason for reason in Reason}


def reason_named(word: str) -> Reason:
    """The reason that this word of the ledger stands for."""
    return _REASONS[word]
