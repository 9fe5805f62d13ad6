"""Mammography CAD SR as a form of result: SR Document Series, General and Content around the content tree."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace

from pydicom.dataset import Dataset

from reread.analytics.errors import AuthoringFailed
from reread.analytics.input_kind import InputKind
from reread.connectors.reports.cad_report import MAMMOGRAPHY_CAD_SR, cad_report_content
from reread.connectors.reports.content_encoding import content_dataset, write_content
from reread.connectors.reports.content_items import Item, reference
from reread.connectors.reports.private_codes import SCHEME, scheme_identification
from reread.connectors.results.forms import Draft, ResultCase
from reread.connectors.results.page_language import ENGLISH, words
from reread.connectors.results.spoken import speak

CAD_SR = "mammography-cad-sr"
_NAMES = {InputKind.TWO_D: "", InputKind.GENERATED_2D: " of generated 2D", InputKind.THREE_D: " of tomosynthesis"}


class CadSrForm:
    """One report per study revision and kind of image (R0.40 to R0.42)."""

    name = CAD_SR
    sop_class_uids = (MAMMOGRAPHY_CAD_SR,)
    depends_on = frozenset({"options", "language"})

    def drafts(self, case: ResultCase) -> Iterator[Draft]:
        """The reports (R0.149 … R0.170)."""
        if not case.result.images and not case.unmeasured:
            raise AuthoringFailed("a report needs at least one image of the study")
        for kind, part in cases_by_kind(case):
            options = case.options
            if kind is InputKind.GENERATED_2D:
                # the points above 0 were measured on images as they were taken (R0.356, R0.357)
                options = replace(options, operating_points=False)
            dataset = Dataset()
            content = cad_report_content(part.result, part.unmeasured, case.provenance, options)
            if case.language == ENGLISH:
                write_content(dataset, content)
            else:
                dataset.update(content_dataset(content))
                speak(dataset, words(case.language))
            dataset.SOPClassUID = MAMMOGRAPHY_CAD_SR
            dataset.Modality = "SR"
            dataset.SeriesNumber = 9901
            dataset.SeriesDescription = f"Reread mammography CAD{_NAMES[kind]}"
            if has_private_codes(content):
                dataset.CodingSchemeIdentificationSequence = [scheme_identification()]
            key = "" if kind is InputKind.TWO_D else kind.value
            sr_document_values(dataset, part, f"{self.name}/{key}" if key else self.name)
            yield Draft(dataset, key=key, series=key)


def cases_by_kind(case: ResultCase) -> tuple[tuple[InputKind, ResultCase], ...]:
    """The case once for each kind of image that it has, with the images of that kind alone.

    Values of the breasts are computed from all images of the study; they go with the first kind that has one (R0.41).
    """
    found: list[tuple[InputKind, ResultCase]] = []
    stated = False
    for kind in InputKind:
        images = tuple(item for item in case.result.images if item.header.input_kind is kind)
        unmeasured = tuple(item for item in case.unmeasured if item.kind is kind)
        if not images and not unmeasured:
            continue
        result = replace(case.result, images=images)
        if stated or not any(item.density is not None or item.volumetric is not None for item in images):
            result = replace(
                result,
                density=None,
                left=None,
                right=None,
                volumetric=None,
                volumetric_left=None,
                volumetric_right=None,
            )
        else:
            stated = True
        found.append((kind, replace(case, result=result, unmeasured=unmeasured)))
    return tuple(found)


def has_private_codes(content: Item) -> bool:
    """Whether any item has a code of our own, so that the scheme must be identified (PS3.3 C.12.1)."""
    return (content.concept is not None and content.concept.scheme == SCHEME) or any(
        has_private_codes(child) for child in content.children
    )


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
