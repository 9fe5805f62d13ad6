"""Basic Study Content Notification SCP: the sender says what belongs to a case (R1.11, R1.34, R1.68 to R1.75).

The class is retired: annex R of older editions of PS3.4. It travels as a C-STORE, so the storage service
receives it and hands it on; it is no object, and nothing of it is kept but UIDs. What the message names is
compared with what is here and the answer says all, part or none; all three are success to the sender. A
message may come before its images: when the last of them is here, the study is complete.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset

from reread.analytics.errors import InputError, LedgerError, NotDicom, RereadError
from reread.connectors.closing import CaseCloser
from reread.connectors.dicom_parts import parse, quiet_reading, read_bytes
from reread.connectors.ledger import Ledger
from reread.connectors.ledger_announcements import Held
from reread.connectors.mammogram_header import text
from reread.connectors.peers import Peer, PeerRole
from reread.connectors.services import EXPLICIT_LITTLE, IMPLICIT_LITTLE, Handler, Offer, StatusMeaning
from reread.connectors.spool import check_uid
from reread.connectors.store_lane import StoreAnswer, StoreArrival

LOG = logging.getLogger(__name__)

BASIC_STUDY_CONTENT_NOTIFICATION = "1.2.840.10008.1.9"
_EXPLICIT_BIG = "1.2.840.10008.1.2.2"

ALL_HERE, PARTLY_HERE, NOTHING_HERE = 0x0000, 0x0001, 0x0002  # R1.74, R1.73, R1.72
DATA_INVALID = 0xA900  # R1.69
INTERNAL_ERROR = 0x0110  # R1.70
FAILED_OPERATION = 0xC002  # R1.71
NOT_AUTHORISED = 0x0124

_MAX_BYTES = 16 << 20
MAX_INSTANCES = 20_000
"""A breast tomosynthesis study has tens of instances, a CT study some thousands."""

_SOP_INSTANCE, _STUDY, _SERIES_SEQUENCE = 0x00080018, 0x0020000D, 0x00081115


@dataclass(frozen=True, slots=True)
class StudyContent:
    """What a notification says (R1.427 to R1.435); names and IDs of the patient are not read."""

    sop_instance_uid: str
    """of the message itself"""
    study_instance_uid: str
    instances: frozenset[str]
    """SOP Instance UIDs; empty if it names none: then it means what was sent"""


class MessageRefused(RereadError):
    """A message that is answered with a failure; the comment holds no value of the message."""

    def __init__(self, comment: str, tag: int | None = None, status: int = DATA_INVALID) -> None:
        super().__init__(comment)
        self.comment, self.tag, self.status = comment, tag, status


class NotificationService:
    """Answers end-of-case messages.

    Parameters
    ----------
    ledger
        Knows what is here, and remembers what was announced.
    closer
        Closes what the message completes.
    """

    name = "Study Content Notification (retired)"

    def __init__(self, ledger: Ledger, closer: CaseCloser) -> None:
        self._ledger = ledger
        self._closer = closer

    def offers(self) -> Sequence[Offer]:
        """The retired class, in the three transfer syntaxes of R1.38."""
        return (Offer(BASIC_STUDY_CONTENT_NOTIFICATION, (EXPLICIT_LITTLE, IMPLICIT_LITTLE, _EXPLICIT_BIG)),)  # R1.38

    def handlers(self) -> Sequence[Handler]:
        """None: C-STORE belongs to the storage service, which calls `answer`."""
        return ()

    def statuses(self) -> Sequence[StatusMeaning]:
        """R1.69 to R1.74, and the refusal of strangers."""
        return (
            StatusMeaning(ALL_HERE, "success", "every instance that the message names is here; the study is complete"),
            StatusMeaning(PARTLY_HERE, "success", "some of the instances that the message names are here"),
            StatusMeaning(NOTHING_HERE, "success", "none of the instances that the message names is here"),
            StatusMeaning(DATA_INVALID, "refused", "a required attribute is missing or not valid"),
            StatusMeaning(INTERNAL_ERROR, "failure", "the message could not be received or booked"),
            StatusMeaning(
                FAILED_OPERATION,
                "failure",
                f"the message is larger than {_MAX_BYTES >> 20} MiB or names more than {MAX_INSTANCES} instances",
            ),
            StatusMeaning(NOT_AUTHORISED, "refused", "the sender is not a configured source"),
        )

    def answer(self, arrival: StoreArrival, peer: Peer | None) -> StoreAnswer:
        """Take one message, which was received whole; never raises."""
        if peer is None or PeerRole.SOURCE not in peer.roles:
            return StoreAnswer(NOT_AUTHORISED, "this AE title is not a configured source")
        try:
            if arrival.incoming.failure is not None:
                raise arrival.incoming.failure
            if arrival.incoming.too_large:
                raise MessageRefused("the message is too large", None, FAILED_OPERATION)
            content = read_study_content(arrival.incoming.path, arrival.command.sop_instance_uid)
            held = self._ledger.announce_study_content(
                content.sop_instance_uid, content.study_instance_uid, content.instances, peer.name
            )
            if held.study_known:
                self._closer.close_study(content.study_instance_uid)
        except MessageRefused as error:
            LOG.warning("end-of-case message of %s refused with 0x%04X: %s", peer.name, error.status, error.comment)
            return StoreAnswer(error.status, error.comment, error.tag)
        except (OSError, LedgerError) as error:
            LOG.error("an end-of-case message could not be booked: %s", type(error).__name__)
            return StoreAnswer(INTERNAL_ERROR, "internal error")
        LOG.info("end-of-case message of %s: %d of %d instances are here", peer.name, held.held, held.named)
        return StoreAnswer(status_of(held))


def status_of(held: Held) -> int:
    """All, part or none (R1.72 to R1.75). A message that names nothing is about what was sent of its study."""
    if not held.named:
        return ALL_HERE if held.study_known else NOTHING_HERE
    if held.held == held.named:
        return ALL_HERE
    return PARTLY_HERE if held.held else NOTHING_HERE


def read_study_content(path: Path, command_sop_instance_uid: str) -> StudyContent:
    """Read a message from a Part 10 file.

    Raises
    ------
    MessageRefused
        With status, comment and offending element.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise MessageRefused("the message is too large", None, FAILED_OPERATION)
        dataset = parse(read_bytes(path, _MAX_BYTES))
    except InputError:
        raise MessageRefused("the data set cannot be read to its end") from None
    with quiet_reading():
        try:
            return _content(dataset, command_sop_instance_uid)
        except (MessageRefused, MemoryError):
            raise
        except Exception as error:  # an element that contradicts its VR; pydicom raises many types on access
            raise MessageRefused(f"the data set cannot be read ({type(error).__name__})") from None


def _content(dataset: Dataset, command_sop_instance_uid: str) -> StudyContent:
    if text(dataset, "SOPClassUID") != BASIC_STUDY_CONTENT_NOTIFICATION:
        raise MessageRefused("SOP Class UID differs from the request", 0x00080016)
    uid = _uid(text(dataset, "SOPInstanceUID"), _SOP_INSTANCE)
    if uid != command_sop_instance_uid:
        raise MessageRefused("SOP Instance UID differs from the request", _SOP_INSTANCE)
    study = _uid(text(dataset, "StudyInstanceUID"), _STUDY)
    if "ReferencedSeriesSequence" not in dataset:
        raise MessageRefused("Referenced Series Sequence is missing", _SERIES_SEQUENCE)
    instances: set[str] = set()
    for reference in _references(dataset):
        instances.add(reference)
        if len(instances) > MAX_INSTANCES:
            raise MessageRefused(f"names more than {MAX_INSTANCES} instances", _SERIES_SEQUENCE, FAILED_OPERATION)
    return StudyContent(uid, study, frozenset(instances))


def _references(dataset: Dataset) -> Iterator[str]:
    for series in dataset.ReferencedSeriesSequence or ():
        for keyword in ("ReferencedImageSequence", "ReferencedSOPSequence"):
            for item in series.get(keyword) or ():
                if stated := text(item, "ReferencedSOPInstanceUID"):  # type 2 (R1.433): an empty one names nothing
                    yield _uid(stated, 0x00081155)


def _uid(value: str, tag: int) -> str:
    if not value:
        raise MessageRefused("a required UID is missing", tag)
    try:
        return check_uid(value)
    except NotDicom:
        raise MessageRefused("not a UID: 1 to 64 digits and dots", tag) from None
