"""Storage Commitment Push Model (PS3.4 annex J): what the messages say, without any network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from reread.analytics.errors import NotDicom
from reread.analytics.reasons import Reason

ALL_COMMITTED = 1
FAILURES_EXIST = 2
REQUEST_COMMITMENT = 1

PROCESSING_FAILURE, NO_SUCH_INSTANCE, CLASS_NOT_SUPPORTED = 0x0110, 0x0112, 0x0122
CLASS_CONFLICT, DUPLICATE_TRANSACTION, RESOURCE_LIMITATION = 0x0119, 0x0131, 0x0213
FAILURE_REASONS: Mapping[int, str] = {
    PROCESSING_FAILURE: "processing failure",
    NO_SUCH_INSTANCE: "no such object instance",
    RESOURCE_LIMITATION: "resource limitation",
    CLASS_NOT_SUPPORTED: "referenced SOP class not supported",
    CLASS_CONFLICT: "class and instance conflict",
    DUPLICATE_TRANSACTION: "duplicate transaction UID",
}
"""Failure Reason (0008,1197) (PS3.3 C.14.1.1, R4.256)."""
GIVEN_REASONS = (NO_SUCH_INSTANCE, CLASS_NOT_SUPPORTED, CLASS_CONFLICT, PROCESSING_FAILURE, DUPLICATE_TRANSACTION)
"""those that we give; a peer may give all"""


@dataclass(frozen=True, slots=True)
class Reference:
    """One object by class and instance."""

    sop_class_uid: str
    sop_instance_uid: str


@dataclass(frozen=True, slots=True)
class CommitmentResult:
    """The answer of the peer (R4.254, R4.255)."""

    transaction_uid: str
    committed: tuple[Reference, ...]
    failed: Mapping[str, int] = field(default_factory=dict)
    """SOP Instance UID to Failure Reason"""

    @property
    def causes(self) -> dict[str, str]:
        """SOP Instance UID to the words for its Failure Reason."""
        return {uid: f"0x{code:04X} {FAILURE_REASONS.get(code, 'unknown')}" for uid, code in self.failed.items()}


@dataclass(frozen=True, slots=True)
class HeldCopy:
    """A file that the ledger holds under a SOP Instance UID."""

    sop_class_uid: str
    path: str
    """relative to the spool"""
    size_bytes: int


def judge(
    reference: Reference,
    copies: Iterable[HeldCopy],
    size_on_disk: Callable[[str], int | None],
    is_storage_class: Callable[[str], bool],
) -> int | None:
    """Whether we can commit to an object: None, or the Failure Reason (R4.554).

    Parameters
    ----------
    copies
        What was received under its SOP Instance UID; all of it has to be there.
    size_on_disk
        Bytes of a file of the spool; None if it is not there.
    is_storage_class
        Whether we would take objects of a class.
    """
    held = tuple(copies)
    if not held:
        return NO_SUCH_INSTANCE if is_storage_class(reference.sop_class_uid) else CLASS_NOT_SUPPORTED
    if all(copy.sop_class_uid != reference.sop_class_uid for copy in held):
        return CLASS_CONFLICT
    sizes = [size_on_disk(copy.path) for copy in held]
    if None in sizes:
        return NO_SUCH_INSTANCE
    return None if sizes == [copy.size_bytes for copy in held] else PROCESSING_FAILURE


def request_dataset(transaction_uid: str, references: Iterable[Reference]) -> Dataset:
    """Action Information of the N-ACTION (R1.82, R4.231)."""
    dataset = Dataset()
    dataset.TransactionUID = transaction_uid
    dataset.ReferencedSOPSequence = Sequence([_item(reference) for reference in references])
    return dataset


def read_request(dataset: Dataset) -> tuple[str, tuple[Reference, ...]]:
    """Transaction UID and objects of an N-ACTION (NotDicom if something required is missing)."""
    transaction = str(dataset.get("TransactionUID", ""))
    references = _references(dataset, "ReferencedSOPSequence")
    if not transaction or not references:
        raise NotDicom(Reason.NOT_DICOM, "a commitment request without Transaction UID or references")
    return transaction, references


def result_dataset(result: CommitmentResult, classes: Mapping[str, str]) -> tuple[int, Dataset]:
    """Event Type ID and Event Information of the N-EVENT-REPORT; `classes` maps failed instances to classes."""
    dataset = Dataset()
    dataset.TransactionUID = result.transaction_uid
    if result.committed:  # type 1C when failures exist
        dataset.ReferencedSOPSequence = Sequence([_item(reference) for reference in result.committed])
    if not result.failed:
        return ALL_COMMITTED, dataset
    items = []
    for uid, code in result.failed.items():
        item = _item(Reference(classes[uid], uid))
        item.FailureReason = code
        items.append(item)
    dataset.FailedSOPSequence = Sequence(items)
    return FAILURES_EXIST, dataset


def read_result(dataset: Dataset) -> CommitmentResult:
    """Read the Event Information of an N-EVENT-REPORT (NotDicom if the Transaction UID is missing)."""
    transaction = str(dataset.get("TransactionUID", ""))
    if not transaction:
        raise NotDicom(Reason.NOT_DICOM, "a commitment result without Transaction UID")
    failed = {
        str(item.get("ReferencedSOPInstanceUID", "")): int(item.get("FailureReason", 0x0110) or 0x0110)
        for item in dataset.get("FailedSOPSequence", None) or ()
    }
    return CommitmentResult(transaction, _references(dataset, "ReferencedSOPSequence"), failed)


def _item(reference: Reference) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = reference.sop_class_uid
    item.ReferencedSOPInstanceUID = reference.sop_instance_uid
    return item


def _references(dataset: Dataset, keyword: str) -> tuple[Reference, ...]:
    return tuple(
        Reference(str(item.get("ReferencedSOPClassUID", "")), str(item.get("ReferencedSOPInstanceUID", "")))
        for item in dataset.get(keyword, None) or ()
    )
