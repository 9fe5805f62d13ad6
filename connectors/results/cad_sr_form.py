"""Mammography CAD SR as a form of result: SR Document Series, General and Content around the content tree."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from pydicom.dataset import Dataset

from reread.analytics.errors import AuthoringFailed
from reread.connectors.reports.cad_report import MAMMOGRAPHY_CAD_SR, cad_report_content
from reread.connectors.reports.content_items import reference
from reread.connectors.results.forms import Draft, ResultCase

CAD_SR = "mammography-cad-sr"


class CadSrForm:
    """One report per study revision (R0.40)."""

    name = CAD_SR
    sop_class_uids = (MAMMOGRAPHY_CAD_SR,)

    def drafts(self, case: ResultCase) -> Iterator[Draft]:
        """The report (R0.149 … R0.170)."""
        result = case.result
        if not result.images and not case.unmeasured:
            raise AuthoringFailed("a report needs at least one image of the study")
        dataset = cad_report_content(result, case.unmeasured, case.provenance, case.options)
        dataset.SOPClassUID = MAMMOGRAPHY_CAD_SR
        dataset.Modality = "SR"
        dataset.SeriesNumber = 9901
        dataset.SeriesDescription = "Reread mammography CAD"
        sr_document_values(dataset, case, self.name)
        yield Draft(dataset)


def sr_document_values(dataset: Dataset, case: ResultCase, form: str) -> None:
    """What every SR document of a case says: complete, unverified, its evidence and what it replaces (PS3.3 C.17.2)."""
    dataset.ReferencedPerformedProcedureStepSequence = []
    dataset.PerformedProcedureCodeSequence = []
    dataset.CompletionFlag = "COMPLETE"
    dataset.VerificationFlag = "UNVERIFIED"
    images = [
        (item.header.series_instance_uid, item.header.sop_class_uid, item.header.sop_instance_uid)
        for item in case.result.images
    ]
    images += [(item.series_instance_uid, item.sop_class_uid, item.sop_instance_uid) for item in case.unmeasured]
    dataset.CurrentRequestedProcedureEvidenceSequence = [study_reference(case.result.study_instance_uid, images)]
    predecessor = case.predecessors.get(form)
    if predecessor is not None:
        dataset.PredecessorDocumentsSequence = [
            study_reference(
                predecessor.study_instance_uid,
                [(predecessor.series_instance_uid, predecessor.sop_class_uid, predecessor.sop_instance_uid)],
            )
        ]


def study_reference(study_instance_uid: str, instances: Iterable[tuple[str, str, str]]) -> Dataset:
    """Hierarchical SOP Instance Reference (PS3.3 C.17.2.1) from (series, SOP class, SOP instance) UIDs."""
    by_series: dict[str, list[Dataset]] = defaultdict(list)
    for series, sop_class, sop_instance in instances:
        by_series[series].append(reference(sop_class, sop_instance))
    study = Dataset()
    study.StudyInstanceUID = study_instance_uid
    study.ReferencedSeriesSequence = []
    for series, references in by_series.items():
        item = Dataset()
        item.SeriesInstanceUID = series
        item.ReferencedSOPSequence = references
        study.ReferencedSeriesSequence.append(item)
    return study
