"""Checking SR documents: a Mammography CAD SR against TID 4000, a measurement report against TID 1500, all by IOD.

The template rules are the rows of `templates`, which the writer uses too. IOD validators (dciodvfy, dsrdump) know
the IOD only: seven of ten reports that were broken on purpose pass both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from pydicom.dataset import Dataset

from reread.connectors.dicom_parts import quiet_reading
from reread.connectors.mammogram_header import text
from reread.connectors.reports.cad_meaning_checking import check_meaning
from reread.connectors.reports.content_tree import Node, read_content
from reread.connectors.reports.document_checking import check_document
from reread.connectors.reports.relationship_rules import MAMMOGRAPHY_CAD_SR
from reread.connectors.reports.template_checking import check_template
from reread.connectors.reports.templates import row
from reread.connectors.reports.templates_conditions import describe
from reread.connectors.reports.tree_checking import check_tree, items_by_path
from reread.connectors.reports.violations import ImageFacts, Violation, named_path

_MEASUREMENT_REPORT = "1500"
__all__ = ["Violation", "check_cad_report", "check_report"]


def check_cad_report(path: Path, images: Mapping[str, ImageFacts] | None = None) -> tuple[Violation, ...]:
    """Check one Mammography CAD SR; only what is against the standard, no notices.

    Raises
    ------
    InputError
        Not DICOM, or not a structured report.
    """
    dataset, root = read_content(path)
    found = check_report(dataset, root, images or {})
    with quiet_reading():
        sop_class_uid = text(dataset, "SOPClassUID")
    if sop_class_uid != MAMMOGRAPHY_CAD_SR:
        found = (Violation((), "PS3.3-A.35.5", "not Mammography CAD SR Storage", "SOPClassUID"), *found)
    return tuple(violation for violation in found if not violation.notice)


def check_report(dataset: Dataset, root: Node, images: Mapping[str, ImageFacts]) -> tuple[Violation, ...]:
    """Check an SR document of any kind.

    Parameters
    ----------
    dataset, root
        As `content_tree.read_content` gives them.
    images
        Facts of images that the report refers to, by SOP Instance UID, as far as they are at hand.

    Returns
    -------
    In the order of the document, notices included; empty when nothing was found.
    """
    document = describe(root)
    found: list[Violation] = []
    with quiet_reading():
        sop_class_uid = text(dataset, "SOPClassUID")
        found += check_document(dataset, document.nodes)
        found += check_tree(sop_class_uid, document.nodes, items_by_path(dataset), images)
    if sop_class_uid == MAMMOGRAPHY_CAD_SR:
        found += check_template(document, images)
        found += check_meaning(document)
    elif root.template == _MEASUREMENT_REPORT:
        found += check_template(document, images, row(1500, 1))
    return _told_once(found, document.nodes)


def _told_once(found: Iterable[Violation], nodes: Mapping[tuple[int, ...], Node]) -> tuple[Violation, ...]:
    named = {replace(item, where=item.where or named_path(item.path, nodes)): None for item in found}
    return tuple(sorted(named, key=lambda item: (item.path, item.notice, item.rule)))
