"""Modality Performed Procedure Step SCP (PS3.4 annex F.7): N-CREATE and N-SET.

A modality says when it begins with a case and, at the end, which images it made. A step in progress keeps its
study open; a completed one closes it as soon as the images are here. Only UIDs, status and times are kept:
we are no worklist manager, and nothing here is told to anybody else.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom import evt

from reread.analytics.errors import LedgerError, NotDicom, RereadError
from reread.connectors.closing import CaseCloser
from reread.connectors.dicom_parts import quiet_reading
from reread.connectors.gatekeeper import Gatekeeper
from reread.connectors.ledger import Ledger
from reread.connectors.ledger_announcements import ProcedureStep
from reread.connectors.mammogram_header import text
from reread.connectors.peers import Peer, PeerRole
from reread.connectors.services import Handler, Offer, StatusMeaning
from reread.connectors.spool import check_uid
from reread.connectors.states import STEP_TRANSITIONS, StepStatus

LOG = logging.getLogger(__name__)

MODALITY_PERFORMED_PROCEDURE_STEP = "1.2.840.10008.3.1.2.3.3"

SUCCESS = 0x0000
INVALID_VALUE = 0x0106
PROCESSING_FAILURE = 0x0110
DUPLICATE_INSTANCE = 0x0111
NO_SUCH_INSTANCE = 0x0112
INVALID_INSTANCE = 0x0117
MISSING_ATTRIBUTE = 0x0120
MISSING_VALUE = 0x0121
NOT_AUTHORISED = 0x0124
RESOURCE_LIMITATION = 0x0213

MAY_NOT_BE_UPDATED = "Performed Procedure Step Object may no longer be updated"
MAY_NOT_BE_UPDATED_ID = 0xA710
"""Error Comment and Error ID of PS3.4 table F.7.2-2."""

MAX_INSTANCES = 20_000

REQUIRED_IN_CREATE = (
    ("ScheduledStepAttributesSequence", "Scheduled Step Attributes Sequence"),
    ("PerformedProcedureStepID", "Performed Procedure Step ID"),
    ("PerformedStationAETitle", "Performed Station AE Title"),
    ("PerformedProcedureStepStartDate", "PPS Start Date"),
    ("PerformedProcedureStepStartTime", "PPS Start Time"),
    ("PerformedProcedureStepStatus", "PPS Status"),
    ("Modality", "Modality"),
)
"""Type 1 in an N-CREATE (PS3.4 table F.7.2-1)."""


class StepRefused(RereadError):
    """An N-CREATE or N-SET that is answered with a failure; the comment holds no value of the message."""

    def __init__(self, status: int, comment: str, error_id: int | None = None) -> None:
        super().__init__(comment)
        self.status, self.comment, self.error_id = status, comment, error_id


class ProcedureStepService:
    """Books procedure steps.

    Parameters
    ----------
    ledger
        Where they are, before they are answered.
    gate
        Knows who calls.
    closer
        Closes what a completed step completes.
    """

    name = "Modality Performed Procedure Step"

    def __init__(self, ledger: Ledger, gate: Gatekeeper, closer: CaseCloser) -> None:
        self._ledger = ledger
        self._gate = gate
        self._closer = closer

    def offers(self) -> Sequence[Offer]:
        """The MPPS class; not its Retrieve and Notification classes."""
        return (Offer(MODALITY_PERFORMED_PROCEDURE_STEP),)

    def handlers(self) -> Sequence[Handler]:
        """N-CREATE and N-SET."""
        return (evt.EVT_N_CREATE, self._on_create), (evt.EVT_N_SET, self._on_set)

    def statuses(self) -> Sequence[StatusMeaning]:
        """Those of PS3.7 annex C that are sent, with the comment of PS3.4 table F.7.2-2."""
        return (
            StatusMeaning(SUCCESS, "success", "the step was booked"),
            StatusMeaning(
                INVALID_VALUE, "failure", "a status that the step cannot have now, or a value that is none of its kind"
            ),
            StatusMeaning(
                PROCESSING_FAILURE,
                "failure",
                "the step is completed or discontinued and may no longer be updated (Error ID A710), or it could not "
                "be booked",
            ),
            StatusMeaning(DUPLICATE_INSTANCE, "failure", "a step of that SOP Instance UID was created before"),
            StatusMeaning(NO_SUCH_INSTANCE, "failure", "no step of that SOP Instance UID was created"),
            StatusMeaning(INVALID_INSTANCE, "failure", "the SOP Instance UID is none"),
            StatusMeaning(MISSING_ATTRIBUTE, "failure", "a required attribute is missing"),
            StatusMeaning(MISSING_VALUE, "failure", "a required attribute is empty"),
            StatusMeaning(NOT_AUTHORISED, "failure", "the sender is not a configured source"),
            StatusMeaning(RESOURCE_LIMITATION, "failure", f"the step names more than {MAX_INSTANCES} images"),
        )

    def _on_create(self, event: Any) -> tuple[Dataset | int, Dataset | None]:
        def create(peer: Peer) -> Dataset | None:
            given = event.request.AffectedSOPInstanceUID
            uid = _instance_uid(given) if given else str(generate_uid(prefix=None))
            with quiet_reading():
                step = created(event.attribute_list, uid, peer.name)
            if not self._ledger.create_step(step):
                raise StepRefused(DUPLICATE_INSTANCE, "this procedure step was created before")
            LOG.info("a procedure step of %s is in progress", peer.name)
            if given:
                return None
            named = Dataset()
            named.AffectedSOPInstanceUID = uid  # PS3.7 10.1.5.1.4
            return named

        return self._answer(event, create)

    def _on_set(self, event: Any) -> tuple[Dataset | int, Dataset | None]:
        def set_it(peer: Peer) -> None:
            uid = _instance_uid(event.request.RequestedSOPInstanceUID)
            with quiet_reading():
                change = read_change(event.modification_list)
            step = self._ledger.change_step(uid, lambda step: changed(step, change))
            if step is None:
                raise StepRefused(NO_SUCH_INSTANCE, "no such procedure step")
            LOG.info("a procedure step of %s is %s", peer.name, step.status.value.lower())
            if step.status is not StepStatus.IN_PROGRESS:
                self._close(step)

        return self._answer(event, set_it)

    def _answer(self, event: Any, operation: Callable[[Peer], Dataset | None]) -> tuple[Dataset | int, Dataset | None]:
        peer = self._gate.caller(event.assoc)
        try:
            if peer is None or PeerRole.SOURCE not in peer.roles:
                raise StepRefused(NOT_AUTHORISED, "this AE title is not a configured source")
            return SUCCESS, operation(peer)
        except StepRefused as refused:
            LOG.warning("procedure step refused with 0x%04X: %s", refused.status, refused.comment)
            return _failure(refused), None
        except Exception as error:  # R1.57: whatever went wrong, the requestor gets an answer
            LOG.error("a procedure step could not be booked: %s", type(error).__name__)
            return _failure(StepRefused(PROCESSING_FAILURE, "internal error")), None

    def _close(self, step: ProcedureStep) -> None:
        """Close what the end of the step completes; the step is booked, so a failure here waits for the next look."""
        try:
            for study in step.studies:
                self._closer.close_study(study)
        except (OSError, LedgerError) as error:
            LOG.error("a study could not be closed at once: %s", type(error).__name__)


def created(attributes: Dataset, sop_instance_uid: str, source: str) -> ProcedureStep:
    """The step of an N-CREATE (PS3.4 F.7.2.1); StepRefused if it cannot be one."""
    for keyword, name in REQUIRED_IN_CREATE:
        _require(attributes, keyword, name)
    if text(attributes, "PerformedProcedureStepStatus") != StepStatus.IN_PROGRESS:
        raise StepRefused(INVALID_VALUE, "PPS Status must be IN PROGRESS in an N-CREATE")
    studies = []
    for item in attributes.ScheduledStepAttributesSequence:
        _require(item, "StudyInstanceUID", "Study Instance UID")
        studies.append(_uid(text(item, "StudyInstanceUID"), "Study Instance UID"))
    series, instances = _performed(attributes)
    return ProcedureStep(
        sop_instance_uid,
        StepStatus.IN_PROGRESS,
        tuple(dict.fromkeys(studies)),
        source,
        started=_moment(attributes, "Start"),
        ended=_moment(attributes, "End"),
        series_count=series,
        instances=instances,
    )


@dataclass(frozen=True, slots=True)
class StepChange:
    """What an N-SET has; None where it has nothing."""

    status: str | None
    ended: str
    """date and time of the end, together; may be empty"""
    performed: tuple[int, frozenset[str]] | None
    """number of series, and the SOP Instance UIDs of their images"""


def read_change(modifications: Dataset) -> StepChange:
    """Read an N-SET; attributes that it must not have are not looked at (StepRefused for a value of no use)."""
    return StepChange(
        text(modifications, "PerformedProcedureStepStatus")
        if "PerformedProcedureStepStatus" in modifications
        else None,
        _moment(modifications, "End"),
        _performed(modifications) if "PerformedSeriesSequence" in modifications else None,
    )


def changed(step: ProcedureStep, change: StepChange) -> ProcedureStep:
    """The step after an N-SET (PS3.4 F.7.2.2): what it has replaces what was there; StepRefused if it must not."""
    if not STEP_TRANSITIONS[step.status]:
        raise StepRefused(PROCESSING_FAILURE, MAY_NOT_BE_UPDATED, MAY_NOT_BE_UPDATED_ID)
    try:
        status = step.status if change.status is None else StepStatus(change.status)
    except ValueError:
        raise StepRefused(INVALID_VALUE, "PPS Status is none of the three values") from None
    series, instances = change.performed or (step.series_count, step.instances)
    after = replace(step, status=status, ended=change.ended or step.ended, series_count=series, instances=instances)
    if status is not StepStatus.IN_PROGRESS:  # the final state needs them (table F.7.2-1)
        if not after.ended:
            raise StepRefused(MISSING_ATTRIBUTE, "PPS End Date and PPS End Time are missing")
        if not after.series_count:
            raise StepRefused(MISSING_ATTRIBUTE, "Performed Series Sequence is missing or empty")
    return after


def _performed(attributes: Dataset) -> tuple[int, frozenset[str]]:
    """How many series, and the images that they name."""
    items = list(attributes.get("PerformedSeriesSequence") or ())
    instances: set[str] = set()
    for uid in _images(items):
        instances.add(uid)
        if len(instances) > MAX_INSTANCES:
            raise StepRefused(RESOURCE_LIMITATION, f"more than {MAX_INSTANCES} images in one step")
    return len(items), frozenset(instances)


def _images(series: Sequence[Dataset]) -> Iterator[str]:
    # not the Non-Image Composite ones: a modality's own reports are not sent to everybody who gets its images
    for item in series:
        _require(item, "SeriesInstanceUID", "Series Instance UID")
        for reference in item.get("ReferencedImageSequence") or ():
            _require(reference, "ReferencedSOPInstanceUID", "Referenced SOP Instance UID")
            yield _uid(text(reference, "ReferencedSOPInstanceUID"), "Referenced SOP Instance UID")


def _moment(attributes: Dataset, end: str) -> str:
    """Date and time of the start or end, together; empty unless both are there."""
    day = text(attributes, f"PerformedProcedureStep{end}Date")
    time = text(attributes, f"PerformedProcedureStep{end}Time")
    if not day or not time:
        return ""
    moment = (day + time).replace(".", "", 1)
    if not (moment.isascii() and moment.isdigit() and len(day) == 8):  # it goes into the ledger: nothing but a time
        raise StepRefused(INVALID_VALUE, f"PPS {end} Date or PPS {end} Time is none")
    return day + time


def _require(dataset: Dataset, keyword: str, name: str) -> None:
    if keyword not in dataset:
        raise StepRefused(MISSING_ATTRIBUTE, f"{name} is missing")
    if not dataset.get(keyword):
        raise StepRefused(MISSING_VALUE, f"{name} is empty")


def _instance_uid(value: Any) -> str:
    try:
        return check_uid(str(value))
    except NotDicom:
        raise StepRefused(INVALID_INSTANCE, "the SOP Instance UID is none") from None


def _uid(value: str, name: str) -> str:
    try:
        return check_uid(value)
    except NotDicom:
        raise StepRefused(INVALID_VALUE, f"{name} is not a UID") from None


def _failure(refused: StepRefused) -> Dataset:
    status = Dataset()
    status.Status = refused.status
    status.ErrorComment = refused.comment[:64]
    if refused.error_id is not None:
        status.ErrorID = refused.error_id
    return status
