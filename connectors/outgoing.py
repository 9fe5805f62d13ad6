"""What we propose to peers and what we make of their answers: the tables that the calling code works by.

The conformance statement prints them. For each call the first answer that fits a status counts; a status that
no answer names is a refusal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StorageCommitmentPushModel,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelMove,
    Verification,
)

from reread.connectors.retrieve_contexts import ProposedContext
from reread.connectors.services import UNCOMPRESSED


class Outcome(StrEnum):
    """What an answer means to us."""

    DONE = "done"
    PENDING = "pending"
    WARNING = "warning"
    TOO_MUCH = "too much"
    """the same can be asked in smaller parts"""
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Answer:
    """Statuses of a peer, and what we do about them."""

    first: int
    last: int
    outcome: Outcome
    reaction: str
    """one sentence without full stop"""


@dataclass(frozen=True, slots=True)
class Call:
    """One operation that we ask of a peer."""

    operation: str
    contexts: tuple[ProposedContext, ...]
    """empty: they depend on the objects that are sent"""
    answers: tuple[Answer, ...]
    otherwise: str
    """what we do about every other status; one sentence without full stop"""
    unanswered: str
    """what we do when no answer comes, or the association breaks off"""
    role: str = "SCU"
    """ours; SCP is proposed by role selection (PS3.7 D.3.3.4)"""

    def outcome(self, status: int) -> Outcome:
        """What a status of a response means."""
        return next(
            (answer.outcome for answer in self.answers if answer.first <= status <= answer.last), Outcome.REFUSED
        )


def _only(code: int, outcome: Outcome, reaction: str) -> Answer:
    return Answer(code, code, outcome, reaction)


_MATCH = "the match is taken"

VERIFY = Call(
    "C-ECHO",
    (ProposedContext(Verification, UNCOMPRESSED),),
    (_only(0x0000, Outcome.DONE, "the peer is there"),),
    "the peer counts as not reachable; the status is shown",
    "the peer counts as not reachable",
)
FIND = Call(
    "C-FIND",
    (ProposedContext(StudyRootQueryRetrieveInformationModelFind, UNCOMPRESSED),),
    (
        _only(0x0000, Outcome.DONE, "the answer is complete"),
        _only(0xFF00, Outcome.PENDING, _MATCH),
        _only(0xFF01, Outcome.PENDING, _MATCH),
        _only(
            0xA700, Outcome.TOO_MUCH, "the window of dates is asked again in two halves, down to a second if need be"
        ),
    ),
    "the query has failed; the next poll asks again",
    "the query has failed; the next poll asks again",
)
MOVE = Call(
    "C-MOVE",
    (ProposedContext(StudyRootQueryRetrieveInformationModelMove, UNCOMPRESSED),),
    (
        _only(0x0000, Outcome.DONE, "what arrived is counted in the ledger"),
        _only(0xB000, Outcome.DONE, "what arrived is counted in the ledger; the next poll asks for what is missing"),
        _only(0xFF00, Outcome.PENDING, "the next response is waited for"),
        _only(0xFF01, Outcome.PENDING, "the next response is waited for"),
    ),
    "the study could not be fetched; other studies are, and the next poll asks again",
    "the study could not be fetched; other studies are, and the next poll asks again",
)
STORE = Call(
    "C-STORE",
    (),
    (
        _only(0x0000, Outcome.DONE, "the object is sent"),
        Answer(0xB000, 0xBFFF, Outcome.DONE, "the object is sent; a warning does not send it again"),
    ),
    "the delivery is tried again, and given up after the retry duration",
    "all deliveries of this association are tried again, and given up after the retry duration",
)
"""Results, to destinations."""
SEND_HELD = Call(
    "C-STORE",
    (),
    (
        _only(0x0000, Outcome.DONE, "counted as completed"),
        Answer(0xB000, 0xBFFF, Outcome.WARNING, "counted as warning"),
        _only(0x0001, Outcome.WARNING, "counted as warning"),
        _only(0x0107, Outcome.WARNING, "counted as warning"),
        _only(0x0116, Outcome.WARNING, "counted as warning"),
    ),
    "counted as failed; the object is in Failed SOP Instance UID List",
    "counted as failed; of a C-MOVE, the objects after it are sent on an association of their own",
)
"""What is retrieved from us: sub-operations of C-MOVE and C-GET."""
REQUEST_COMMITMENT = Call(
    "N-ACTION",
    (ProposedContext(StorageCommitmentPushModel, UNCOMPRESSED),),
    (_only(0x0000, Outcome.DONE, "the result is waited for, on this association and on ones that the peer opens"),),
    "the objects count as not committed and are sent again",
    "commitment is asked for again in the next round",
)
REPORT_COMMITMENT = Call(
    "N-EVENT-REPORT",
    (ProposedContext(StorageCommitmentPushModel, UNCOMPRESSED),),
    (_only(0x0000, Outcome.DONE, "the report is delivered"),),
    "the report is repeated, and given up after the retry duration",
    "the report is repeated, and given up after the retry duration",
    role="SCP",
)

ASKED_KEYS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "STUDY": ("StudyInstanceUID", "StudyDate", "StudyTime", "ModalitiesInStudy", "NumberOfStudyRelatedInstances"),
        "SERIES": ("StudyInstanceUID", "SeriesInstanceUID"),
        "IMAGE": ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"),
    }
)
"""Query/Retrieve Level to the keys of our C-FIND identifiers, Study Root."""
MOVED_KEYS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "STUDY": ("StudyInstanceUID",),
        "IMAGE": ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"),
    }
)
"""The same for our C-MOVE identifiers."""
