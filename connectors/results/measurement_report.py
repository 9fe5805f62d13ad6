"""Comprehensive 3D SR of TID 1500: the findings as planar regions with measurements, for research viewers.

The form of measurement that OHIF and highdicom read; workstations for mammography want the Mammography CAD SR.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydicom.dataset import Dataset

from reread.analytics.records import Finding, ImageResult, Nature
from reread.connectors.identifiers import derived_uid
from reread.connectors.reports.codes import Code
from reread.connectors.reports.private_codes import scheme_identification
from reread.connectors.results.cad_sr_form import sr_document_values
from reread.connectors.results.document_items import (
    CONTAINS,
    HAS_MODIFIER,
    code,
    container,
    device_observer,
    image,
    language,
    number,
)
from reread.connectors.results.forms import Draft, ResultCase
from reread.connectors.results.mark_shapes import extent
from reread.connectors.results.measurement_density import breast_densities, image_densities, measured_regions
from reread.connectors.results.measurement_items import (
    FINDING,
    GROUP,
    ONE,
    algorithm,
    area_mm2,
    closed,
    dcm,
    outlined,
    sct,
    site,
    tracking,
)
from reread.connectors.results.page_language import words
from reread.connectors.results.spoken import speak

COMPREHENSIVE_3D_SR = "1.2.840.10008.5.1.4.1.1.88.34"
MEASUREMENT_REPORT = "measurement-report"
FINDINGS, IMAGES, BREASTS = "findings", "images", "breasts"
"""keys of the three documents"""
_SERIES = {
    FINDINGS: (9906, "Reread findings with measurements"),
    IMAGES: (9913, "Reread density by image"),
    BREASTS: (9914, "Reread density by breast"),
}
_TITLE = dcm("126000", "Imaging Measurement Report")
_PROCEDURE, _MAMMOGRAPHY = dcm("121058", "Procedure reported"), sct("71651007", "Mammography")
_LIBRARY, _LIBRARY_GROUP = dcm("111028", "Image Library"), dcm("126200", "Image Library Group")
_MEASUREMENTS = dcm("126010", "Imaging Measurements")
_LONG_AXIS = sct("103339001", "Long Axis")
_CALCIFICATIONS = dcm("111038", "Number of calcifications")
_OPERATING_POINT = dcm("111071", "CAD Operating Point")
_MM = Code("mm", "UCUM", "millimeter")
_POINTS = Code("{0:2}", "UCUM", "range: 0:2")
_NATURES = {
    Nature.MASS: sct("129793001", "Mammography breast density"),
    Nature.ASYMMETRY: sct("129790003", "Asymmetric breast tissue"),
    Nature.DISTORTION: sct("129792006", "Architectural distortion of breast"),
    Nature.CLUSTER: sct("129769006", "Calcification Cluster"),
}


class MeasurementReportForm:
    """Three documents per study revision: findings, density of each image, density of each breast.

    The first two have a place on an image in every group, without which OHIF breaks off; outlines of whole breasts
    would hide the findings. What has nothing to say is left out.
    """

    name = MEASUREMENT_REPORT
    sop_class_uids = (COMPREHENSIVE_3D_SR,)
    depends_on = frozenset({"cornerstone_tracking", "language"})

    def drafts(self, case: ResultCase) -> Iterator[Draft]:
        """The documents."""
        regions = measured_regions(case.result.images)
        for key, groups in (
            (FINDINGS, [*_findings(case)]),
            (IMAGES, [*image_densities(case, regions)]),
            (BREASTS, [*breast_densities(case, regions)]),
        ):
            if groups:
                target = _document(case, groups)
                target.SeriesNumber, target.SeriesDescription = _SERIES[key]
                if key == IMAGES:
                    target.CodingSchemeIdentificationSequence = [scheme_identification()]
                sr_document_values(target, case, f"{self.name}/{key}")
                yield Draft(target, key=key, series=key)


def _document(case: ResultCase, groups: list[Dataset]) -> Dataset:
    target = container(
        "",
        _TITLE,
        [
            language(),
            *device_observer(case.provenance),
            code(HAS_MODIFIER, _PROCEDURE, _MAMMOGRAPHY),
            container(CONTAINS, _LIBRARY, [_library(case)]),
            container(CONTAINS, _MEASUREMENTS, groups),
        ],
        template="1500",
    )
    speak(target, words(case.language))
    target.SOPClassUID = COMPREHENSIVE_3D_SR
    target.Modality = "SR"
    return target


def _library(case: ResultCase) -> Dataset:
    """TID 1600 without descriptors: the images say themselves what they are."""
    headers = [item.header for item in case.result.images]
    return container(
        CONTAINS, _LIBRARY_GROUP, [image(CONTAINS, item.sop_class_uid, item.sop_instance_uid) for item in headers]
    )


def _findings(case: ResultCase) -> Iterator[Dataset]:
    for result in case.result.images:
        counts: dict[Nature, int] = {}
        for place, finding in enumerate(result.findings):
            if finding.operating_point is not None:
                nature = nature_of(finding)
                counts[nature] = counts.get(nature, 0) + 1
                name = f"{result.header.laterality} {result.header.view} {nature.value} {counts[nature]}"
                yield _finding_group(name, place, finding, result, case)


def nature_of(finding: Finding) -> Nature:
    """A cluster is one by its kind, whatever its nature says."""
    return Nature.CLUSTER if finding.kind.value == "calcification" else finding.nature


def _finding_group(name: str, place: int, finding: Finding, result: ImageResult, case: ResultCase) -> Dataset:
    """TID 1410, Planar ROI Measurements and Qualitative Evaluations: the outline, closed, with what it measures.

    Lengths only where the size of a pixel is known.
    """
    header, cornerstone = result.header, case.options.cornerstone_tracking
    outline = finding.outline if len(finding.outline) >= 3 else extent(finding, header.spacing)
    identifier = derived_uid("finding", header.sop_instance_uid, str(place), case.provenance.version)
    items = [
        *tracking(name, identifier, cornerstone=cornerstone),
        code(CONTAINS, FINDING, _NATURES[nature_of(finding)]),
        *algorithm(case.provenance),
        site(header.laterality),
        *outlined(outline, area_mm2(closed(outline), header), header, cornerstone=cornerstone),
    ]
    if header.spacing_known:
        items.append(number(CONTAINS, _LONG_AXIS, round(finding.size_mm, 4), _MM))
    if nature_of(finding) is Nature.CLUSTER:
        items.append(number(CONTAINS, _CALCIFICATIONS, len(finding.members), ONE))
    items.append(number(CONTAINS, _OPERATING_POINT, finding.operating_point or 0, _POINTS))
    return container(CONTAINS, GROUP, items, template="1410")
