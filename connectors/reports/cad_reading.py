"""Reading Mammography CAD SR documents, ours and those of others, into plain records.

Reports in the wild break their template: summaries hang under the wrong relationship, algorithm inputs under a
TEXT, meanings come in other case, codes are invented. So what counts here is the code value and the position
below a finding, not relationships, schemes, meanings or the place in the document. What is not understood is kept in
`CadReport.others`, what is broken is listed in `CadReport.problems`; neither is an error.
"""

from __future__ import annotations

from pathlib import Path

from pydicom.dataset import Dataset

from reread.connectors.dicom_parts import quiet_reading
from reread.connectors.mammogram_header import text, values
from reread.connectors.reports import codes as c
from reread.connectors.reports.cad_reading_density import breast_densities, breast_quantities, image_densities
from reread.connectors.reports.cad_reading_findings import composites_of, findings_of
from reread.connectors.reports.cad_reading_runs import images_of, runs_of
from reread.connectors.reports.cad_records import CadDocument, CadImpression, CadProducer, CadReport
from reread.connectors.reports.content_tree import Node, read_content
from reread.connectors.reports.reading_parts import Account, algorithm_of, intent_of, value_of

_EVIDENCE = ("CurrentRequestedProcedureEvidenceSequence", "PertinentOtherEvidenceSequence")
_SUMMARIES = {c.FINDINGS_SUMMARY.value, c.DETECTIONS.value, c.ANALYSES.value}


def read_cad_report(path: Path) -> CadReport:
    """Read a Mammography CAD SR.

    Raises
    ------
    InputError
        Not DICOM, or not a structured report.
    """
    dataset, root = read_content(path)
    return cad_report_of(dataset, root)


def cad_report_of(dataset: Dataset, root: Node) -> CadReport:
    """The same of a document that has been parsed."""
    account = Account({node.path: node for node in root.walk()})
    with quiet_reading():
        document, producer = _document(dataset, root, account), producer_of(dataset)
    images = images_of(root, account)
    findings = findings_of(root, account)
    composites = composites_of(root, findings, account)
    runs = runs_of(root, account)
    impressions = tuple(_impression(node, account) for node in root.walk() if node.name == c.IMPRESSION.value)
    numbers = breast_quantities(root, account)
    densities = (*breast_densities(numbers, account), *image_densities(findings))
    summary, detections, analyses = (
        _status(root, code.value, account) for code in (c.FINDINGS_SUMMARY, c.DETECTIONS, c.ANALYSES)
    )
    others = account.others()
    return CadReport(
        document,
        producer,
        images,
        findings,
        composites,
        impressions,
        densities,
        tuple(quantity for _, quantity in numbers),
        runs,
        summary,
        detections,
        analyses,
        others,
        tuple(sorted(account.problems, key=lambda problem: problem.path)),
    )


def _document(dataset: Dataset, root: Node, account: Account) -> CadDocument:
    account.take(root)
    if root.name != c.REPORT.value:
        account.problem(root, "the root is no Mammography CAD Report")
    language = value_of(root.children, c.LANGUAGE, account)
    if language is not None:
        value_of(language.children, c.COUNTRY, account)
    return document_of(dataset, root, language.code.value if language is not None and language.code else "")


def document_of(dataset: Dataset, root: Node, language: str = "") -> CadDocument:
    """The report as an object, whatever its template."""
    return CadDocument(
        text(dataset, "SOPInstanceUID"),
        text(dataset, "SOPClassUID"),
        text(dataset, "SeriesInstanceUID"),
        text(dataset, "StudyInstanceUID"),
        text(dataset, "StudyDate"),
        text(dataset, "ContentDate"),
        text(dataset, "ContentTime"),
        text(dataset, "CompletionFlag"),
        text(dataset, "VerificationFlag"),
        root.template,
        language,
        tuple(uid for keyword in _EVIDENCE for uid in _referenced(dataset, keyword)),
        _referenced(dataset, "PredecessorDocumentsSequence"),
    )


def producer_of(dataset: Dataset) -> CadProducer:
    """The equipment that made it."""
    return CadProducer(
        text(dataset, "Manufacturer"),
        text(dataset, "ManufacturerModelName"),
        values(dataset, "SoftwareVersions"),
        text(dataset, "DeviceSerialNumber"),
        text(dataset, "StationName"),
    )


def _referenced(dataset: Dataset, keyword: str) -> tuple[str, ...]:
    """SOP Instance UIDs of a hierarchical reference."""
    found = []
    for study in _items(dataset, keyword):
        for series in _items(study, "ReferencedSeriesSequence"):
            found += [text(item, "ReferencedSOPInstanceUID") for item in _items(series, "ReferencedSOPSequence")]
    return tuple(dict.fromkeys(uid for uid in found if uid))


def _items(dataset: Dataset, keyword: str) -> list[Dataset]:
    try:
        return [item for item in dataset.get(keyword) or [] if isinstance(item, Dataset)]
    except Exception:  # not a sequence, or one that cannot be parsed: nothing stated
        return []


def _impression(node: Node, account: Account) -> CadImpression:
    description = value_of(node.children, c.IMPRESSION_DESCRIPTION, account)
    algorithm = algorithm_of(node, account)
    stated = [child for child in node.children if child.name == c.RENDERING_INTENT.value]
    intent = intent_of(node, account)[0] if stated else ""
    return CadImpression(node.path, description.text if description else "", intent, algorithm)


def _status(root: Node, name: str, account: Account) -> str:
    for node in root.walk():
        if node.name == name and node.value_type:
            account.take(node)
            if node.relationship != "CONTAINS" and node.name in _SUMMARIES:
                account.problem(node, f"a summary under {node.relationship or 'no relationship'}, not CONTAINS")
            if node.code is None:
                account.problem(node, "a summary without a code")
            return node.value
    return ""
