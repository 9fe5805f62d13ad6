"""The one way into the house: admit, make the bytes durable, book them. Listener, poller and import use it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from reread.analytics.errors import InputError
from reread.analytics.reasons import Reason
from reread.connectors.admission import (
    Admission,
    AdmissionPolicy,
    Disposition,
    StoreRequest,
    admit,
    refusal_of,
)
from reread.connectors.closing import CaseCloser
from reread.connectors.identifiers import may_be_derived
from reread.connectors.ledger import Ledger
from reread.connectors.ledger_records import CohortKey, Instance, Outcome
from reread.connectors.part10 import Part10, dataset_digest_of, read_contributors, read_part10, read_values
from reread.connectors.pseudonyms import Pseudonyms
from reread.connectors.spool import Spool
from reread.connectors.states import InstanceState
from reread.connectors.store_statuses import OUT_OF_RESOURCES

_STATES = {
    Disposition.QUEUED: InstanceState.RECEIVED,
    Disposition.IGNORED: InstanceState.IGNORED,
    Disposition.PASSED_THROUGH: InstanceState.PASSED_THROUGH,
}


@dataclass(frozen=True, slots=True)
class Reception:
    """What became of one object."""

    admission: Admission
    outcome: Outcome | None
    """None if it was rejected"""
    sop_instance_uid: str = ""
    study_instance_uid: str = ""


class Intake:
    """Takes objects in.

    Parameters
    ----------
    spool, ledger, pseudonyms, policy
        Where bytes go, where they are booked, who makes the pseudonyms, what may come in.
    """

    def __init__(
        self, spool: Spool, ledger: Ledger, pseudonyms: Pseudonyms, policy: AdmissionPolicy | None = None
    ) -> None:
        self.spool = spool
        self.ledger = ledger
        self.policy = policy or AdmissionPolicy()
        self._pseudonyms = pseudonyms

    def receive(
        self,
        part: Path,
        source: str,
        *,
        dataset_digest: str | None = None,
        command_sop_class_uid: str = "",
        command_sop_instance_uid: str = "",
        context_sop_class_uid: str = "",
        may_store: bool = True,
        name: str = "received.dcm",
        cohort: CohortKey | None = None,
    ) -> Reception:
        """Take in a complete Part 10 file that lies in the spool's incoming folder; it is gone from there after.

        When this returns an accepted reception, bytes, name and ledger row are on the disk.

        Raises
        ------
        OSError, LedgerError
            Nothing was acknowledged: the sender has to keep the object.
        """
        try:
            try:
                facts = read_part10(part)
            except InputError as error:
                admission = refusal_of(error)
                if may_store:
                    self._reject(part, name, admission, error.detail, source, None)
                return Reception(admission, None)
            request = replace(
                self._request(part, facts, may_store),
                command_sop_class_uid=command_sop_class_uid,
                command_sop_instance_uid=command_sop_instance_uid,
                context_sop_class_uid=context_sop_class_uid,
            )
            admission = admit(request, self.policy)
            if not admission.accepted:
                if admission.reason is not None and admission.reason is not Reason.IMPOSSIBLE_SIZE:
                    self._reject(part, name, admission, admission.comment, source, facts)
                return Reception(admission, None, facts.sop_instance_uid, facts.study_instance_uid)
            digest = dataset_digest or dataset_digest_of(part, facts)
            outcome = self._book(part, facts, admission, source, digest, cohort)
            return Reception(admission, outcome, facts.sop_instance_uid, facts.study_instance_uid)
        finally:
            part.unlink(missing_ok=True)

    def import_file(self, path: Path, source: str = "import") -> Reception:
        """Copy one file in; the original stays untouched. A file that cannot be used is kept and booked too."""
        if path.stat().st_size + self.policy.min_free_bytes > self.spool.free_bytes():
            admission = Admission(Disposition.REJECTED, OUT_OF_RESOURCES, None, "Out of resources")
            return Reception(admission, None)
        return self.receive(self.spool.copy_in(path), source, name=path.name)

    def import_files(self, files: Sequence[Path], source: str = "import") -> Iterator[tuple[Path, Reception]]:
        """Copy files in, one for each step of the iteration; at its end the studies that they touched are closed.

        Raises
        ------
        OSError
            When the disk is full or unreadable; what was booked so far stays, a repetition completes it.
        """
        studies: dict[str, None] = {}
        for done, path in enumerate(files):
            reception = self.import_file(path, source)
            if reception.admission.status == OUT_OF_RESOURCES:
                raise OSError(f"no space left for the import after {done} files")
            if reception.outcome is not None:
                studies[reception.study_instance_uid] = None
            yield path, reception
        closer = CaseCloser(self.ledger)
        for study in studies:
            closer.import_ended(study, f"import of {len(files)} files")

    def _request(self, part: Path, facts: Part10, may_store: bool) -> StoreRequest:
        wanted = self.policy.wanted_tags
        return StoreRequest(
            sop_class_uid=facts.sop_class_uid,
            sop_instance_uid=facts.sop_instance_uid,
            study_instance_uid=facts.study_instance_uid,
            series_instance_uid=facts.series_instance_uid,
            modality=facts.modality,
            manufacturer=facts.manufacturer,
            lossy=facts.lossy,
            size_bytes=part.stat().st_size,
            # the object is on the disk already
            free_bytes=self.spool.free_bytes() + part.stat().st_size,
            may_store=may_store,
            readable=facts.complete,
            transfer_syntax_uid=facts.transfer_syntax_uid,
            has_pixels=facts.has_pixels,
            values=read_values(part, wanted) if wanted else {},
            contributors=read_contributors(part) if may_be_derived(facts.sop_instance_uid) else (),
        )

    def _reject(
        self, part: Path, name: str, admission: Admission, detail: str, source: str, facts: Part10 | None
    ) -> None:
        stored = self.spool.adopt_rejected(part, name)
        # what is no UID never gets into the ledger
        uids = (facts.sop_instance_uid, facts.study_instance_uid) if facts is not None else ("", "")
        sop, study = (uid if len(uid) <= 64 and set(uid) <= set("0123456789.") else "" for uid in uids)
        self.ledger.reject(
            stored.path,
            admission.reason or Reason.NOT_DICOM,
            detail,
            sop_instance_uid=sop,
            study_instance_uid=study,
            digest=stored.digest,
            source=source,
        )

    def _book(
        self,
        part: Path,
        facts: Part10,
        admission: Admission,
        source: str,
        dataset_digest: str,
        cohort: CohortKey | None,
    ) -> Outcome:
        stored = self.spool.adopt(part, facts.study_instance_uid, facts.sop_instance_uid, dataset_digest)
        # no Patient ID: such a study is a woman of its own, never one with all the others
        identity = facts.patient_id or f"study {facts.study_instance_uid}"
        outcome = self.ledger.add_instance(
            Instance(
                sop_instance_uid=facts.sop_instance_uid,
                sop_class_uid=facts.sop_class_uid,
                series_instance_uid=facts.series_instance_uid,
                study_instance_uid=facts.study_instance_uid,
                woman=self._pseudonyms.woman(identity),
                study_date=facts.study_date if facts.study_date.isdigit() else "",
                modality=facts.modality,
                transfer_syntax_uid=facts.transfer_syntax_uid,
                path=stored.path,
                size_bytes=stored.size_bytes,
                dataset_digest=dataset_digest,
                source=source,
                state=_STATES[admission.disposition],
            ),
            cohort,
        )
        if outcome is Outcome.DUPLICATE:
            self._settle_duplicate(facts.sop_instance_uid, dataset_digest, stored.path)
        return outcome

    def _settle_duplicate(self, uid: str, dataset_digest: str, path: str) -> None:
        """Keep one file: the booked one if it is still there, else this one."""
        booked = self.ledger.instance_path(uid, dataset_digest)
        if booked is None or booked == path:
            return
        if self.spool.holds(booked):
            self.spool.discard(path)
        else:
            self.ledger.move_instance_file(uid, dataset_digest, path)
