"""What a report says beyond the columns of findings and densities: every other coded item, number and text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from reread.connectors.reports import codes as c
from reread.connectors.reports import private_codes as own
from reread.connectors.reports.content_tree import Node
from reread.connectors.reports.finding_records import LATERALITIES, METHODS, Path
from reread.connectors.reports.reading_parts import INTENTS
from reread.connectors.reports.report_reading import ReadReport
from reread.connectors.view_codes import MODIFIER_OF_CODE, view_of_code

_KEPT = {"CODE", "TEXT", "NUM", "DATE", "TIME", "DATETIME", "UIDREF", "PNAME"}
_IF_UNREAD = {"SCOORD", "SCOORD3D", "TCOORD", "COMPOSITE", "WAVEFORM"}
_DRAWN = {
    "111030",  # image region
    *(code.value for code in (c.CENTER, c.OUTLINE, c.OUTER_MARGIN, c.PATH, c.BREAST_OUTLINE, c.PECTORAL_OUTLINE)),
}
"""coordinates whose meaning is known; what a table needs of them is the place"""
_OF_DOCUMENT = {code.value for code in (c.LANGUAGE, c.COUNTRY, c.FINDINGS_SUMMARY, c.DETECTIONS, c.ANALYSES)}
"""in columns of the document, when they stand where they belong"""
_DEEPEST_OF_DOCUMENT = 3
_ALGORITHM = {code.value for code in (c.ALGORITHM_NAME, c.ALGORITHM_VERSION, c.ALGORITHM_PARAMETERS)}
_OF_IMAGE = {
    code.value
    for code in (
        c.IMAGE_LATERALITY,
        c.ORIENTATION_ROW,
        c.ORIENTATION_COLUMN,
        c.STUDY_DATE,
        c.STUDY_TIME,
        c.CONTENT_DATE,
        c.CONTENT_TIME,
        c.HORIZONTAL_SPACING,
        c.VERTICAL_SPACING,
    )
}
"""what the warehouse knows better"""
_DENSITIES = {
    code.value
    for code in (
        c.TISSUE_DENSITY,
        c.FIBROGLANDULAR,
        c.TISSUE_VOLUME,
        c.BREAST_VOLUME,
        own.DENSE_AREA,
        own.BREAST_AREA,
        own.DENSE_THRESHOLD,
        own.THICKNESS,
    )
}
_QUALIFYING = {
    c.LATERALITY.value: {*LATERALITIES, c.BOTH_BREASTS.value},
    c.DERIVATION.value: {*METHODS, c.UNSPECIFIED_METHOD.value, c.ESTIMATED.value},
}
"""what the columns of a number say already"""
_SUBJECTS = {"121029", "121030", "121031", "121022", "121008", "121009", "121010", "121011", "121170", "121171"}
"""Subject Name, ID and Birth Date, Accession Number, Person Observer and her organisation and role, ECG names"""
_IN_WORDS = {"TEXT", "PNAME", "DATE", "DATETIME"}


@dataclass(frozen=True, slots=True)
class InColumns:
    """What of a report stands in columns already."""

    numbers: set[Path]
    """places of the numbers of findings"""
    densities: set[float]
    """numbers of densities"""
    algorithms: set[str]
    """names, versions and parameters"""
    findings: Mapping[Path, Mapping[str, Any]]
    """place of each finding -> its row"""


def kept_items(read: ReadReport, known: InColumns) -> Iterator[dict[str, Any]]:
    """Rows of `reported_items` without the columns of the report and its producer, in document order.

    Names of persons, and what stands under a concept that names one, have no text.
    """
    unread = {item.path for item in read.report.others}

    def walk(node: Node, finding: Mapping[str, Any] | None, *, qualifies_kept: bool) -> Iterator[dict[str, Any]]:
        finding = known.findings.get(node.path, finding)
        kept = node.path not in known.numbers and (
            _of_kept_number(node) if qualifies_kept else _says_more(node, finding, unread, known)
        )
        if kept:
            yield _row(node, finding["finding_index"] if finding else None)
        for child in node.children:
            yield from walk(child, finding, qualifies_kept=kept and node.value_type == "NUM")

    yield from walk(read.root, None, qualifies_kept=False)


def _of_kept_number(node: Node) -> bool:
    return node.value_type in _KEPT | _IF_UNREAD


def _says_more(node: Node, finding: Mapping[str, Any] | None, unread: set[Path], known: InColumns) -> bool:
    if node.value_type == "SCOORD" and node.name not in _DRAWN and node.path not in known.findings:
        return True
    if node.value_type in _IF_UNREAD:
        return node.path in unread or node.value_type in ("SCOORD3D", "TCOORD", "WAVEFORM")
    if node.value_type not in _KEPT:
        return False
    if node.path in unread:
        return True
    name = node.name
    if name in _ALGORITHM:
        return node.text not in known.algorithms
    if name in _OF_DOCUMENT:
        return len(node.path) > _DEEPEST_OF_DOCUMENT
    if name == c.SINGLE_IMAGE_FINDING.value:
        return node.path not in known.findings and node.value != c.CALCIFICATION.value
    if name == c.OPERATING_POINT.value:
        return finding is None or node.number != finding["operating_point"]
    if name == c.RENDERING_INTENT.value:
        return finding is None or node.value not in INTENTS
    if name == c.CALCULATION_DESCRIPTION.value:
        return node.text.lower() not in c.COMPOSITIONS
    if name == c.IMAGE_VIEW.value:
        return view_of_code(node.value) is None
    if name == c.IMAGE_VIEW_MODIFIER.value:
        return node.code is None or node.code.value not in MODIFIER_OF_CODE
    if node.value_type == "NUM" and name in _DENSITIES:
        return node.number is None or node.number not in known.densities
    return name not in _OF_IMAGE and node.value not in _QUALIFYING.get(name, ())


def _row(node: Node, finding_index: int | None) -> dict[str, Any]:
    concept, value, unit = node.concept, node.code, node.unit
    names_a_person = node.value_type == "PNAME" or (node.name in _SUBJECTS and node.value_type in _IN_WORDS)
    return {
        "path": ".".join(map(str, node.path)),
        "finding_index": finding_index,
        "relationship": node.relationship,
        "value_type": node.value_type,
        "concept_code": concept.value if concept else "",
        "concept_scheme": concept.scheme if concept else "",
        "concept_meaning": concept.meaning if concept else "",
        "number": node.number,
        "unit_code": unit.value if unit else "",
        "value_code": value.value if value else "",
        "value_scheme": value.scheme if value else "",
        "value_meaning": value.meaning if value else "",
        "text": "" if names_a_person else node.text or node.sop_instance_uid,
        "coordinates": [number for point in node.points for number in point],
    }
