"""Comprehensive 3D SR of TID 1500: the findings as planar regions with measurements, for research viewers.

The form of measurement that OHIF and highdicom read; workstations for mammography want the Mammography CAD SR.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from pydicom.dataset import Dataset

from reread.analytics.records import DensityScore, Finding, ImageHeader, ImageResult, Laterality, Nature, Provenance
from reread.connectors.identifiers import derived_uid
from reread.connectors.reports.codes import Code
from reread.connectors.results.cad_sr_form import sr_document_values
from reread.connectors.results.document_items import (
    CONTAINS,
    HAS_CONTEXT,
    HAS_MODIFIER,
    code,
    container,
    device_observer,
    image,
    language,
    number,
    region,
    text,
    uid,
)
from reread.connectors.results.forms import Draft, ResultCase
from reread.connectors.results.mark_shapes import extent
from reread.connectors.results.page_language import words
from reread.connectors.results.spoken import speak

COMPREHENSIVE_3D_SR = "1.2.840.10008.5.1.4.1.1.88.34"
MEASUREMENT_REPORT = "measurement-report"


def _dcm(value: str, meaning: str) -> Code:
    return Code(value, "DCM", meaning)


def _sct(value: str, meaning: str) -> Code:
    return Code(value, "SCT", meaning)


_TITLE = _dcm("126000", "Imaging Measurement Report")
_PROCEDURE, _MAMMOGRAPHY = _dcm("121058", "Procedure reported"), _sct("71651007", "Mammography")
_LIBRARY, _LIBRARY_GROUP = _dcm("111028", "Image Library"), _dcm("126200", "Image Library Group")
_MEASUREMENTS, _GROUP = _dcm("126010", "Imaging Measurements"), _dcm("125007", "Measurement Group")
_TRACKING, _TRACKING_UID = _dcm("112039", "Tracking Identifier"), _dcm("112040", "Tracking Unique Identifier")
_FINDING, _REGION = _dcm("121071", "Finding"), _dcm("111030", "Image Region")
_SITE, _LATERALITY = _sct("363698007", "Finding Site"), _sct("272741003", "Laterality")
_BREAST = _sct("76752008", "Breast")
_SIDES = {Laterality.LEFT: _sct("7771000", "Left"), Laterality.RIGHT: _sct("24028007", "Right")}
_LONG_AXIS, _AREA = _sct("103339001", "Long Axis"), _sct("42798000", "Area")
_CALCIFICATIONS = _dcm("111038", "Number of calcifications")
_OPERATING_POINT = _dcm("111071", "CAD Operating Point")
_DENSITY, _COMPOSITION = _dcm("112191", "Breast tissue density"), _sct("129715009", "Breast composition")
_DERIVATION, _TWO_DIMENSIONAL = _dcm("121401", "Derivation"), _dcm("112188", "Two-dimensional method")
_ALGORITHM_NAME, _ALGORITHM_VERSION = _dcm("111001", "Algorithm Name"), _dcm("111003", "Algorithm Version")
_ALGORITHM_PARAMETERS = _dcm("111002", "Algorithm Parameters")
_MM, _MM2 = Code("mm", "UCUM", "millimeter"), Code("mm2", "UCUM", "square millimeter")
_PERCENT, _ONE = Code("%", "UCUM", "Percent"), Code("1", "UCUM", "no units")
_POINTS = Code("{0:2}", "UCUM", "range: 0:2")
_NATURES = {
    Nature.MASS: _sct("129793001", "Mammography breast density"),
    Nature.ASYMMETRY: _sct("129790003", "Asymmetric breast tissue"),
    Nature.DISTORTION: _sct("129792006", "Architectural distortion of breast"),
    Nature.CLUSTER: _sct("129769006", "Calcification Cluster"),
}
_COMPOSITIONS = {
    "a": _sct("129716005", "Almost entirely fat"),
    "b": _sct("129717001", "Scattered fibroglandular densities"),
    "c": _sct("129718006", "Heterogeneously dense"),
    "d": _sct("129719003", "Extremely dense"),
}
"""CID 6000"""


class MeasurementReportForm:
    """One report per study revision; none when there is neither a mark nor a density to report."""

    name = MEASUREMENT_REPORT
    sop_class_uids = (COMPREHENSIVE_3D_SR,)
    depends_on = frozenset({"language"})

    def drafts(self, case: ResultCase) -> Iterator[Draft]:
        """The report."""
        groups = [*_findings(case), *_densities(case)]
        if not groups:
            return
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
        target.SeriesNumber = 9906
        target.SeriesDescription = "Reread measurements"
        sr_document_values(target, case, self.name)
        yield Draft(target)


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
                yield finding_group(name, place, finding, result, case.provenance)


def nature_of(finding: Finding) -> Nature:
    """A cluster is one by its kind, whatever its nature says."""
    return Nature.CLUSTER if finding.kind.value == "calcification" else finding.nature


def finding_group(name: str, place: int, finding: Finding, result: ImageResult, provenance: Provenance) -> Dataset:
    """TID 1410, Planar ROI Measurements and Qualitative Evaluations: the outline, closed, with what it measures.

    Lengths only where the size of a pixel is known.
    """
    header = result.header
    outline = finding.outline if len(finding.outline) >= 3 else extent(finding, header.spacing)
    points = _closed(outline)
    items = [
        *_tracking(name, derived_uid("finding", header.sop_instance_uid, str(place), provenance.version)),
        code(CONTAINS, _FINDING, _NATURES[nature_of(finding)]),
        *_algorithm(provenance),
        _site(header.laterality),
        region(CONTAINS, _REGION, "POLYLINE", points, header),
    ]
    if header.spacing_known:
        items.append(number(CONTAINS, _LONG_AXIS, round(finding.size_mm, 4), _MM))
        items.append(number(CONTAINS, _AREA, round(area_mm2(points, header), 4), _MM2))
    if nature_of(finding) is Nature.CLUSTER:
        items.append(number(CONTAINS, _CALCIFICATIONS, len(finding.members), _ONE))
    items.append(number(CONTAINS, _OPERATING_POINT, finding.operating_point or 0, _POINTS))
    return container(CONTAINS, _GROUP, items, template="1410")


def area_mm2(points: list[tuple[float, float]], header: ImageHeader) -> float:
    """Area of the region that the report draws (shoelace formula)."""
    doubled = sum(x * y_after - x_after * y for (x, y), (x_after, y_after) in pairwise(points))
    return abs(doubled) / 2 * header.spacing.column_spacing_mm * header.spacing.row_spacing_mm


def _densities(case: ResultCase) -> Iterator[Dataset]:
    result = case.result
    for side, score in ((Laterality.RIGHT, result.right), (Laterality.LEFT, result.left)):
        if score is not None:
            yield density_group(side, score, result.study_instance_uid, case.provenance)


def density_group(side: Laterality, score: DensityScore, study_instance_uid: str, provenance: Provenance) -> Dataset:
    """TID 1501, Measurement and Qualitative Evaluation Group: density of a breast, without a region."""
    method = code(HAS_MODIFIER, _DERIVATION, _TWO_DIMENSIONAL)
    name = "Left breast density" if side is Laterality.LEFT else "Right breast density"
    items = [
        *_tracking(name, derived_uid("density", study_instance_uid, side.value, provenance.version)),
        code(CONTAINS, _FINDING, _COMPOSITION),
        *_algorithm(provenance),
        _site(side),
        number(CONTAINS, _DENSITY, round(score.percent_density, 4), _PERCENT, [method]),
    ]
    if score.category in _COMPOSITIONS:
        items.append(code(CONTAINS, _COMPOSITION, _COMPOSITIONS[score.category]))
    return container(CONTAINS, _GROUP, items, template="1501")


def _tracking(name: str, identifier: str) -> list[Dataset]:
    return [text(HAS_CONTEXT, _TRACKING, name), uid(HAS_CONTEXT, _TRACKING_UID, identifier)]


def _site(side: Laterality) -> Dataset:
    return code(HAS_MODIFIER, _SITE, _BREAST, [code(HAS_MODIFIER, _LATERALITY, _SIDES[side])])


def _algorithm(provenance: Provenance) -> list[Dataset]:
    """TID 4019"""
    return [
        text(HAS_MODIFIER, _ALGORITHM_NAME, provenance.algorithm),
        text(HAS_MODIFIER, _ALGORITHM_VERSION, provenance.version),
        text(HAS_MODIFIER, _ALGORITHM_PARAMETERS, f"SHA-256 of parameters: {provenance.parameters_digest}"),
    ]


def _closed(outline: tuple[tuple[float, float], ...]) -> list[tuple[float, float]]:
    points = [point for place, point in enumerate(outline) if place == 0 or point != outline[place - 1]]
    return points if points[0] == points[-1] else [*points, points[0]]
