"""What a report says beyond the columns of findings and densities: every other coded item, number and text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from reread.connectors.reports import codes as c
from reread.connectors.reports import private_codes as own
from reread.connectors.reports.content_tree import Node
from reread.connectors.reports.finding_records import LATERALITIES, METHODS, Path
from reread.connectors.reports.report_reading import ReadReport
from reread.connectors.view_codes import MODIFIER_OF_CODE, view_of_code

_KEPT = {"CODE", "TEXT", "NUM", "DATE", "TIME", "DATETIME", "UIDREF", "PNAME"}
_IF_UNREAD = {"SCOORD", "SCOORD3D", "TCOORD", "COMPOSITE", "WAVEFORM"}
_ELSEWHERE = {
    code.value
    for code in (
        # in columns of the document
        c.LANGUAGE,
        c.COUNTRY,
        c.FINDINGS_SUMMARY,
        c.DETECTIONS,
        c.ANALYSES,
        # in columns of the finding
        c.SINGLE_IMAGE_FINDING,
        c.OPERATING_POINT,
        c.ALGORITHM_NAME,
        c.ALGORITHM_VERSION,
        c.ALGORITHM_PARAMETERS,
        # of the image, which the warehouse knows better
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
_INTENTS = {c.REQUIRED.value, c.OPTIONAL.value, c.NOT_PRESENTED.value}
_SUBJECTS = {"121029", "121030", "121031", "121022", "121008", "121009", "121010", "121011", "121170", "121171"}
"""Subject Name, ID and Birth Date, Accession Number, Person Observer and her organisation and role, ECG names"""
_IN_WORDS = {"TEXT", "PNAME", "DATE", "DATETIME"}


def kept_items(
    read: ReadReport, used: set[Path], densities: set[float], findings: Mapping[Path, int]
) -> Iterator[dict[str, Any]]:
    """Rows of `reported_items`, in document order.

    Parameters
    ----------
    used
        Places of the numbers that stand in a column of a finding.
    densities
        Numbers that stand in a column of a density.
    findings
        Place of each finding -> its number.

    Yields
    ------
    dict
        Without the columns of the report and its producer. Names of persons, and what stands under a concept that
        names one, have no text.
    """
    unread = {item.path for item in read.report.others}
    for node in read.root.walk():
        if node.path in used or not _says_more(node, unread, densities):
            continue
        above = (node.path[:depth] for depth in range(len(node.path), 0, -1))
        yield _row(node, next((findings[path] for path in above if path in findings), None))


def _says_more(node: Node, unread: set[Path], densities: set[float]) -> bool:
    if node.value_type in _IF_UNREAD:
        return node.path in unread or node.value_type in ("SCOORD3D", "TCOORD", "WAVEFORM")
    if node.value_type not in _KEPT:
        return False
    if node.path in unread:
        return True
    if node.value in _QUALIFYING.get(node.name, ()):
        return False
    if node.name == c.CALCULATION_DESCRIPTION.value:
        return node.text.lower() not in c.COMPOSITIONS
    if node.name == c.RENDERING_INTENT.value:
        return node.value not in _INTENTS
    if node.name == c.IMAGE_VIEW.value:
        return view_of_code(node.value) is None
    if node.name == c.IMAGE_VIEW_MODIFIER.value:
        return node.code is None or node.code.value not in MODIFIER_OF_CODE
    if node.value_type == "NUM" and node.name in _DENSITIES:
        return node.number is None or node.number not in densities
    return node.name not in _ELSEWHERE


def _row(node: Node, finding: int | None) -> dict[str, Any]:
    concept, value, unit = node.concept, node.code, node.unit
    names_a_person = node.value_type == "PNAME" or (node.name in _SUBJECTS and node.value_type in _IN_WORDS)
    return {
        "path": ".".join(map(str, node.path)),
        "finding_index": finding,
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
