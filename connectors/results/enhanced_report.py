"""Enhanced SR for receivers from before the Mammography CAD SR (001-secondlook 6.2, R1.138-R1.145).

The tree that they expect, with what the standard demands of it: a graphic is selected from its image, and a failure
is a text, because a graphic without coordinates is not valid (R1.145).
"""

from __future__ import annotations

from collections.abc import Iterator

from pydicom.dataset import Dataset

from reread.analytics.records import Finding, ImageResult
from reread.connectors.reports.cad_report import UnmeasuredImage
from reread.connectors.reports.codes import Code
from reread.connectors.reports.content_items import reference
from reread.connectors.results.cad_sr_form import sr_document_values
from reread.connectors.results.document_items import CONTAINS, container, region, text
from reread.connectors.results.forms import Draft, ResultCase
from reread.connectors.results.mark_shapes import Rectangle, fitted, mark_shape
from reread.connectors.results.page_language import Words, words
from reread.connectors.results.spoken import speak

ENHANCED_SR = "1.2.840.10008.5.1.4.1.1.88.22"
ENHANCED_REPORT = "enhanced-report"
_REPORT = Code("111036", "DCM", "Mammography CAD Report")
_BREAST = Code("T-04000", "SNM3", "Breast")
_DENSITY = Code("F-01796", "SRT", "Mammographic breast density")
_CALCIFICATION = Code("F-01776", "SRT", "Individual Calcification")
_FAILED = Code("111224", "DCM", "Failed")
"""printed with scheme SRT; the code is one of DCM"""


class EnhancedReportForm:
    """One report per study revision, without a template (R1.139)."""

    name = ENHANCED_REPORT
    sop_class_uids = (ENHANCED_SR,)
    depends_on = frozenset({"language"})

    def drafts(self, case: ResultCase) -> Iterator[Draft]:
        """The report; none when the study has no image."""
        images = [image_node(item) for item in case.result.images]
        said = words(case.language)
        images += [_unmeasured_node(item, said) for item in case.unmeasured]
        if not images:
            return
        target = container("", _REPORT, images)
        speak(target, said)
        target.SOPClassUID = ENHANCED_SR
        target.Modality = "SR"
        target.SeriesNumber = 9910
        target.SeriesDescription = "Reread CAD, Enhanced SR"
        sr_document_values(target, case, self.name)
        yield Draft(target)


def image_node(image: ImageResult) -> Dataset:
    """One image: its marks, its failure, or nothing below when nothing was found (R1.138)."""
    header = image.header
    if image.failure is not None:
        below = [text(CONTAINS, _FAILED, image.failure.value)]
    else:
        below = [_mark(item, image) for item in image.findings if item.operating_point is not None]
    return _node(header.sop_class_uid, header.sop_instance_uid, below)


def _unmeasured_node(image: UnmeasuredImage, said: Words) -> Dataset:
    return _node(image.sop_class_uid, image.sop_instance_uid, [text(CONTAINS, _FAILED, said.not_measured)])


def _node(sop_class_uid: str, sop_instance_uid: str, below: list[Dataset]) -> Dataset:
    """The container itself names its image (R1.141)."""
    item = container(CONTAINS, _BREAST, below)
    item.ReferencedSOPSequence = [reference(sop_class_uid, sop_instance_uid)]
    return item


def _mark(finding: Finding, image: ImageResult) -> Dataset:
    """An ellipse of four points, or a closed rectangle of five (R1.143, R1.144)."""
    header = image.header
    shape = mark_shape(finding, header)
    if isinstance(shape, Rectangle):
        points = [*shape.corners, shape.corners[0]]
        return region(CONTAINS, _CALCIFICATION, "POLYLINE", points, header)
    return region(CONTAINS, _DENSITY, "ELLIPSE", fitted(shape, header.rows, header.columns).ends, header)
