"""An archive behind DIMSE: C-ECHO, C-FIND, C-MOVE, C-STORE and storage commitment, as SCU."""

from __future__ import annotations

import contextlib
import logging
import queue
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom import build_context, evt
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelMove,
)

from reread.analytics.errors import ArchiveRefused, ArchiveUnreachable, InputError
from reread.connectors.archive import (
    CommitmentOutcome,
    FetchReport,
    FoundInstance,
    FoundStudy,
    StoreOutcome,
    StudyQuery,
)
from reread.connectors.calling import association_with
from reread.connectors.commitment import REQUEST_COMMITMENT as REQUEST_ACTION
from reread.connectors.commitment import (
    CommitmentResult,
    Reference,
    read_result,
    request_dataset,
)
from reread.connectors.outgoing import (
    ASKED_KEYS,
    FIND,
    MOVE,
    MOVED_KEYS,
    REQUEST_COMMITMENT,
    STORE,
    VERIFY,
    Call,
    Outcome,
)
from reread.connectors.pacing import serve_no_more
from reread.connectors.part10 import Part10, read_part10
from reread.connectors.peers import Peer, check_ae_title
from reread.connectors.plain_objects import can_write_plain, write_plain
from reread.connectors.retrieve_contexts import MOST_CONTEXTS, Pair, ProposedContext
from reread.connectors.services import EXPLICIT_LITTLE, UNCOMPRESSED

LOG = logging.getLogger(__name__)

_NO_CONTEXT = 0x0122


class DimseArchive:
    """The archive of one peer.

    Parameters
    ----------
    peer
        Whom to call.
    own_ae_title
        Our calling AE title.
    move_destination
        AE title that the peer knows our listener by; our own AE title if None.
    timeout_s
        For an association and for each answer.
    commitment_timeout_s
        How long the result of a storage commitment request is waited for on the same association.
    """

    def __init__(
        self,
        peer: Peer,
        own_ae_title: str,
        move_destination: str | None = None,
        *,
        timeout_s: float = 600.0,
        commitment_timeout_s: float = 30.0,
    ) -> None:
        self._peer = peer
        self._own = check_ae_title(own_ae_title)
        self._destination = check_ae_title(move_destination or own_ae_title)
        self._timeout_s = timeout_s
        self._commitment_timeout_s = commitment_timeout_s

    @property
    def name(self) -> str:
        """The peer's name."""
        return self._peer.name

    def echo(self) -> None:
        """C-ECHO (R1.59)."""
        with self._associate(VERIFY) as association:
            _check(association.send_c_echo(), VERIFY)

    def find_studies(self, query: StudyQuery) -> Iterator[FoundStudy]:
        """C-FIND, Study Root, STUDY level (R3.184); Modalities in Study is also checked here (R3.187)."""
        identifier = _identifier(
            ASKED_KEYS,
            "STUDY",
            StudyInstanceUID=query.study_instance_uid,
            StudyDate=_range(_da(query.first_date), _da(query.last_date)),
            StudyTime=_range(_tm(query.first_time), _tm(query.last_time)),
            ModalitiesInStudy=query.modality,
        )
        for answer in self._find(identifier):
            modalities = _words(answer.get("ModalitiesInStudy"))
            if query.modality and modalities and query.modality not in modalities:
                continue
            count = answer.get("NumberOfStudyRelatedInstances")
            uid = str(answer.get("StudyInstanceUID", ""))
            if uid:
                date_text = str(answer.get("StudyDate", "") or "")
                yield FoundStudy(uid, date_text, modalities, int(count) if count not in (None, "") else None)

    def find_instances(self, study_instance_uid: str) -> tuple[FoundInstance, ...]:
        """C-FIND at SERIES, then at IMAGE level: hierarchical, as every peer understands it (R3.158)."""
        series = _identifier(ASKED_KEYS, "SERIES", StudyInstanceUID=study_instance_uid)
        found = []
        for series_uid in [str(answer.SeriesInstanceUID) for answer in self._find(series)]:
            image = _identifier(ASKED_KEYS, "IMAGE", StudyInstanceUID=study_instance_uid, SeriesInstanceUID=series_uid)
            found += [FoundInstance(str(answer.SOPInstanceUID), series_uid) for answer in self._find(image)]
        return tuple(found)

    def fetch_study(self, study_instance_uid: str, missing: Sequence[FoundInstance] = ()) -> FetchReport:
        """C-MOVE to our listener: the study (R3.232), or series by series the missing objects (R3.220)."""
        if not missing:
            identifier = _identifier(MOVED_KEYS, "STUDY", StudyInstanceUID=study_instance_uid)
            return self._move(study_instance_uid, identifier)
        reports = []
        for series_uid in dict.fromkeys(instance.series_instance_uid for instance in missing):
            identifier = _identifier(
                MOVED_KEYS,
                "IMAGE",
                StudyInstanceUID=study_instance_uid,
                SeriesInstanceUID=series_uid,
                SOPInstanceUID=[item.sop_instance_uid for item in missing if item.series_instance_uid == series_uid],
            )
            reports.append(self._move(study_instance_uid, identifier))
        return FetchReport(
            study_instance_uid,
            sum(report.completed for report in reports),
            sum(report.failed for report in reports),
            sum(report.warnings for report in reports),
            max(report.status for report in reports),
        )

    def store(self, paths: Sequence[Path]) -> tuple[StoreOutcome, ...]:
        """C-STORE, bytes as they are in the files; one context for each class and transfer syntax.

        A compressed object for which the peer refuses the context of its transfer syntax is sent uncompressed, if the
        peer takes it so. A file that is no DICOM object or that the peer has no context for gets an outcome that says
        so.
        """
        facts: dict[Path, Part10] = {}
        outcomes: dict[Path, StoreOutcome] = {}
        for path in paths:
            try:
                facts[path] = read_part10(path)
            except (InputError, OSError) as error:
                outcomes[path] = StoreOutcome(path, "", "", 0xC000, f"not sent: {type(error).__name__}")
        pairs = list(dict.fromkeys((item.sop_class_uid, item.transfer_syntax_uid) for item in facts.values()))
        for start in range(0, len(pairs), MOST_CONTEXTS // 2):
            batch = pairs[start : start + MOST_CONTEXTS // 2]
            mine = {
                path: item for path, item in facts.items() if (item.sop_class_uid, item.transfer_syntax_uid) in batch
            }
            wanted = replace(STORE, contexts=store_contexts(batch))
            with self._associate(wanted) as association:
                for number, (path, item) in enumerate(mine.items(), 1):
                    outcomes[path] = _store_one(association, path, item, number)
        return tuple(outcomes[path] for path in paths)

    def commit(self, references: Sequence[Reference], transaction_uid: str | None = None) -> CommitmentOutcome:
        """N-ACTION on an association of its own (R1.18, R4.229); the result is waited for on the same one.

        A result that comes later, on an association that the peer opens, is the listener's business.
        """
        transaction = transaction_uid or generate_uid()
        results: queue.Queue[CommitmentResult] = queue.Queue()

        def on_report(event: Any) -> tuple[int, None]:
            try:
                result = read_result(event.event_information)
            except (InputError, ValueError, AttributeError):
                return 0x0110, None
            if result.transaction_uid != transaction:
                return 0x0119, None
            results.put(result)
            return 0x0000, None

        with self._associate(REQUEST_COMMITMENT, [(evt.EVT_N_EVENT_REPORT, on_report)]) as association:
            status, _ = association.send_n_action(
                request_dataset(transaction, references),
                REQUEST_ACTION,
                StorageCommitmentPushModel,
                StorageCommitmentPushModelInstance,
            )
            _check(status, REQUEST_COMMITMENT)
            with contextlib.suppress(queue.Empty):
                return CommitmentOutcome(transaction, results.get(timeout=self._commitment_timeout_s))
            # one that came at the last moment is answered with success, so it must not be forgotten
            serve_no_more(association)
            return CommitmentOutcome(transaction, None if results.empty() else results.get())

    def _find(self, identifier: Dataset) -> list[Dataset]:
        model = StudyRootQueryRetrieveInformationModelFind
        found: list[Dataset] = []
        with self._associate(FIND) as association:
            for status, answer in association.send_c_find(identifier, model):
                if FIND.outcome(_status(status, FIND)) is Outcome.PENDING:
                    if answer is None:
                        raise ArchiveUnreachable(f"{self.name}: a C-FIND answer that cannot be read")
                    found.append(answer)
                else:
                    _check(status, FIND)
        return found

    def _move(self, study_instance_uid: str, identifier: Dataset) -> FetchReport:
        model = StudyRootQueryRetrieveInformationModelMove
        with self._associate(MOVE) as association:
            for status, _ in association.send_c_move(identifier, self._destination, model):
                code = _status(status, MOVE)
                if MOVE.outcome(code) is Outcome.PENDING:
                    continue
                _check(status, MOVE)
                return FetchReport(
                    study_instance_uid,
                    int(status.get("NumberOfCompletedSuboperations", 0) or 0),
                    int(status.get("NumberOfFailedSuboperations", 0) or 0),
                    int(status.get("NumberOfWarningSuboperations", 0) or 0),
                    code,
                )
        raise ArchiveUnreachable(f"{self.name}: C-MOVE ended without a final answer")

    def _associate(self, call: Call, handlers: Sequence[tuple[Any, Any]] = ()) -> AbstractContextManager[Any]:
        contexts = [build_context(item.abstract_syntax, list(item.transfer_syntaxes)) for item in call.contexts]
        return association_with(self._peer, self._own, contexts, timeout_s=self._timeout_s, handlers=handlers)


def store_contexts(pairs: Iterable[Pair]) -> tuple[ProposedContext, ...]:
    """What is proposed for objects of these SOP classes and transfer syntaxes: each as it is, and uncompressed."""
    found: dict[ProposedContext, None] = {}
    for sop_class, syntax in pairs:
        found[ProposedContext(sop_class, (syntax,))] = None
        if syntax not in UNCOMPRESSED and can_write_plain(syntax):
            found[ProposedContext(sop_class, (EXPLICIT_LITTLE,))] = None
    return tuple(found)


def _store_one(association: Any, path: Path, facts: Part10, number: int) -> StoreOutcome:
    accepted = {(str(item.abstract_syntax), str(item.transfer_syntax[0])) for item in association.accepted_contexts}
    own = (facts.sop_class_uid, facts.transfer_syntax_uid)
    if own in accepted or (facts.sop_class_uid, EXPLICIT_LITTLE) not in accepted:
        return _send(association, path, path, facts, number)
    plain = path.with_suffix(".plain")
    try:
        write_plain(path, plain, EXPLICIT_LITTLE)
        return _send(association, path, plain, facts, number)
    except InputError as error:
        detail = f"not sent: the peer wants it uncompressed, and it cannot be decompressed: {error.reason.value}"
        return StoreOutcome(path, facts.sop_class_uid, facts.sop_instance_uid, _NO_CONTEXT, detail)
    finally:
        plain.unlink(missing_ok=True)


def _send(association: Any, path: Path, sent: Path, facts: Part10, number: int) -> StoreOutcome:
    try:
        status = association.send_c_store(sent, msg_id=number % 65535 + 1)
    except (ValueError, AttributeError) as error:
        detail = f"not sent: {type(error).__name__}: the peer takes no such object"
        return StoreOutcome(path, facts.sop_class_uid, facts.sop_instance_uid, _NO_CONTEXT, detail)
    except RuntimeError as error:
        raise ArchiveUnreachable("the association broke off during C-STORE") from error
    code = _status(status, STORE)
    comment = str(status.get("ErrorComment", "") or "")
    return StoreOutcome(path, facts.sop_class_uid, facts.sop_instance_uid, code, comment)


def _status(status: Dataset, call: Call) -> int:
    if "Status" not in status:  # pynetdicom: time-out, abort or an answer that cannot be read
        raise ArchiveUnreachable(f"{call.operation}: no (valid) answer")
    return int(status.Status)


def _check(status: Dataset, call: Call) -> None:
    code = _status(status, call)
    if call.outcome(code) is not Outcome.DONE:
        raise ArchiveRefused(call.operation, code, str(status.get("ErrorComment", "") or ""))


def _identifier(table: Mapping[str, tuple[str, ...]], level: str, **values: Any) -> Dataset:
    """The keys of a level, empty where there is no value (KeyError for a value of another key)."""
    identifier = Dataset()
    identifier.QueryRetrieveLevel = level
    for keyword in table[level]:
        setattr(identifier, keyword, values.pop(keyword, ""))
    if values:
        raise KeyError(f"no key of our {level} identifiers: {', '.join(values)}")
    return identifier


def _range(first: str, last: str) -> str:
    if first == last:
        return first
    return f"{first}-{last}"


def _da(value: Any) -> str:
    return value.strftime("%Y%m%d") if value is not None else ""


def _tm(value: Any) -> str:
    return value.strftime("%H%M%S") if value is not None else ""


def _words(value: Any) -> tuple[str, ...]:
    if value is None or value == "":
        return ()
    if isinstance(value, str):
        return tuple(value.split("\\"))
    return tuple(str(item) for item in value)
