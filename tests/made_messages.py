"""End-of-case messages and procedure steps as a modality makes them, and a modality that sends them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pynetdicom import AE, build_context

NOTIFICATION = "1.2.840.10008.1.9"
STEP = "1.2.840.10008.3.1.2.3.3"
MAMMOGRAM = "1.2.840.10008.5.1.4.1.1.1.2"
SYNTAXES = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2")


def _references(instances: Iterable[str]) -> Sequence:
    items = []
    for uid in instances:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = MAMMOGRAM, uid
        items.append(item)
    return Sequence(items)


def study_content(instances: Iterable[str], study: str = "2.25.1", uid: str = "2.25.77.1") -> Dataset:
    """A Basic Study Content Notification with everything of R1.427 to R1.435."""
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = NOTIFICATION, uid
    dataset.PatientName, dataset.PatientID = "Secret^P1", "P1"
    dataset.StudyID, dataset.StudyInstanceUID = "", study
    named = list(instances)
    series = Dataset()
    series.SeriesInstanceUID = f"{study}.900"
    series.ReferencedImageSequence = _references(named)
    dataset.ReferencedSeriesSequence = Sequence([series] if named else [])
    return dataset


def begun(*studies: str) -> Dataset:
    """The attribute list of an N-CREATE."""
    dataset = Dataset()
    items = []
    for study in studies or ("2.25.1",):
        item = Dataset()
        item.StudyInstanceUID, item.AccessionNumber, item.ReferencedStudySequence = study, "", Sequence([])
        items.append(item)
    dataset.ScheduledStepAttributesSequence = Sequence(items)
    dataset.PatientName, dataset.PatientID = "Secret^P1", "P1"
    dataset.PerformedProcedureStepID, dataset.PerformedStationAETitle = "PPS1", "SENDER"
    dataset.PerformedProcedureStepStartDate, dataset.PerformedProcedureStepStartTime = "20260102", "083000.25"
    dataset.PerformedProcedureStepStatus, dataset.Modality = "IN PROGRESS", "MG"
    dataset.PerformedProcedureStepEndDate = dataset.PerformedProcedureStepEndTime = ""
    dataset.PerformedSeriesSequence = Sequence([])
    return dataset


def ended(status: str = "COMPLETED", instances: Iterable[str] = (), series: int = 1) -> Dataset:
    """The modification list of the last N-SET."""
    dataset = Dataset()
    dataset.PerformedProcedureStepStatus = status
    dataset.PerformedProcedureStepEndDate, dataset.PerformedProcedureStepEndTime = "20260102", "084500"
    items = []
    for number in range(series):
        item = Dataset()
        item.SeriesInstanceUID = f"2.25.1.90{number}"
        item.ReferencedImageSequence = _references(instances)
        items.append(item)
    dataset.PerformedSeriesSequence = Sequence(items)
    return dataset


class Modality:
    """An association of a modality: each method gives the whole status of the answer."""

    def __init__(self, association: Any) -> None:
        self.association = association

    def notify(self, dataset: Dataset) -> Dataset:
        """C-STORE of an end-of-case message, in the transfer syntax that was accepted for it."""
        accepted = {item.abstract_syntax: item.transfer_syntax[0] for item in self.association.accepted_contexts}
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = accepted[NOTIFICATION]
        return self.association.send_c_store(dataset)  # type: ignore[no-any-return]

    def create(self, dataset: Dataset | None, uid: str | None) -> Dataset:
        """N-CREATE."""
        return self.association.send_n_create(dataset, STEP, uid)[0]  # type: ignore[no-any-return]

    def set(self, dataset: Dataset, uid: str) -> Dataset:
        """N-SET."""
        return self.association.send_n_set(dataset, STEP, uid)[0]  # type: ignore[no-any-return]


@contextmanager
def modality(
    port: int, *, ae_title: str = "SENDER", called: str = "REREAD", syntax: str = SYNTAXES[1]
) -> Iterator[Modality]:
    """An association that proposes both services."""
    contexts = [build_context(NOTIFICATION, syntax), build_context(STEP, list(SYNTAXES[:2]))]
    association = AE(ae_title).associate("127.0.0.1", port, contexts=contexts, ae_title=called)
    assert association.is_established, "no association"
    try:
        yield Modality(association)
    finally:
        association.release()
