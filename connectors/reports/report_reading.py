"""Reading any structured report: which reader takes it, who is named in it, and its tree for what is kept as it is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset

from reread.analytics.errors import NotDicom
from reread.analytics.reasons import Reason
from reread.connectors.dicom_parts import quiet_reading
from reread.connectors.mammogram_header import text, values
from reread.connectors.reports import codes as c
from reread.connectors.reports.cad_reading import cad_report_of
from reread.connectors.reports.cad_records import CadReport
from reread.connectors.reports.content_tree import Node, read_content
from reread.connectors.reports.measurement_reading import measurement_report_of

_OF_CAD = {c.FINDINGS_SUMMARY.value, c.IMPRESSION.value, c.DETECTIONS.value, c.ANALYSES.value}
_IDENTIFYING = (
    "PatientName",
    "PatientID",
    "OtherPatientIDs",
    "OtherPatientNames",
    "PatientBirthName",
    "PatientBirthDate",
    "PatientMotherBirthName",
    "PatientAddress",
    "PatientTelephoneNumbers",
    "AccessionNumber",
    "ReferringPhysicianName",
    "OperatorsName",
    "PerformingPhysicianName",
    "NameOfPhysiciansReadingStudy",
)
_SHORTEST_WORD = 3


@dataclass(frozen=True, slots=True)
class ReadReport:
    """A report with its tree."""

    report: CadReport
    root: Node
    identifying: frozenset[str]
    """words of the header that name a person, in lower case: text that holds one is not passed on"""


def read_report(path: Path) -> ReadReport:
    """Read a structured report of any template.

    Raises
    ------
    InputError
        Not DICOM, or not a structured report.
    """
    dataset, root = read_content(path)
    try:
        with quiet_reading():
            read = cad_report_of if _is_cad(root) else measurement_report_of
            return ReadReport(read(dataset, root), root, _identifying(dataset))
    except RecursionError:
        raise NotDicom(Reason.UNDECODABLE, "content items nested too deeply") from None


def _is_cad(root: Node) -> bool:
    """By what hangs below the root: titles and SOP classes of others are not to be relied on."""
    return any(node.name in _OF_CAD for node in root.children)


def _identifying(dataset: Dataset) -> frozenset[str]:
    words: set[str] = set()
    for keyword in _IDENTIFYING:
        for value in (text(dataset, keyword), *values(dataset, keyword)):
            parts = value.lower().replace("^", " ").replace("=", " ").split()
            words.update(part for part in (value.lower(), *parts) if len(part) >= _SHORTEST_WORD)
    return frozenset(words)
