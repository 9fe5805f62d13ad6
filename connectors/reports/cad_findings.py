"""The findings of one image as content items: TID 4003 and 4006 with 4007, 4008, 4009, 4010, 4011 and 4021."""

from __future__ import annotations

from math import hypot

from pydicom.dataset import Dataset

from reread.analytics.records import DensityScore, Finding, FindingKind, ImageResult, Provenance, StudyResult
from reread.connectors.reports import codes as c
from reread.connectors.reports.code_profiles import in_profile
from reread.connectors.reports.codes import Code
from reread.connectors.reports.content_items import code, container, number, point, polygon, text
from reread.connectors.reports.report_options import CadReportOptions

Target = tuple[int, ...]
"""Path of an Image Library entry from the root of the tree."""

_HAS, _MOD, _CONTAINS, _INFERRED = "HAS PROPERTIES", "HAS CONCEPT MOD", "CONTAINS", "INFERRED FROM"


def algorithm_items(provenance: Provenance) -> list[Dataset]:
    """TID 4019: name, version, parameters."""
    return [
        text(_HAS, c.ALGORITHM_NAME, provenance.algorithm),
        text(_HAS, c.ALGORITHM_VERSION, provenance.version),
        text(_HAS, c.ALGORITHM_PARAMETERS, f"SHA-256 of parameters: {provenance.parameters_digest}"),
    ]


def study_impression(result: StudyResult, provenance: Provenance, options: CadReportOptions) -> Dataset | None:
    """Density of both breasts and of each (R0.189 … R0.206, with a standard concept in place of the private one)."""
    breasts = ((result.density, c.BOTH_BREASTS), (result.right, c.RIGHT_BREAST), (result.left, c.LEFT_BREAST))
    numbers = [_breast_density(score, breast, options) for score, breast in breasts if score is not None]
    if not numbers:
        return None
    # below an impression the algorithm is CONTAINed, not a property (R0.192)
    algorithm = algorithm_items(provenance)
    for item in algorithm:
        item.RelationshipType = _CONTAINS
    intent = code(_MOD, c.RENDERING_INTENT, c.REQUIRED)
    description = text(_CONTAINS, c.IMPRESSION_DESCRIPTION, "Breast density")
    return container(_INFERRED, c.IMPRESSION, [intent, description, *algorithm, *numbers])


def _breast_density(score: DensityScore, breast: Code, options: CadReportOptions) -> Dataset:
    return number(
        _CONTAINS,
        c.TISSUE_DENSITY,
        round(score.percent_density, 4),
        c.PERCENT,
        [
            code(_MOD, in_profile(c.LATERALITY, options.codes), in_profile(breast, options.codes)),
            code(_MOD, c.DERIVATION, c.TWO_DIMENSIONAL),
            text(_INFERRED, c.CALCULATION_DESCRIPTION, score.category),
        ],
    )


def image_impression(
    image: ImageResult, target: Target, provenance: Provenance, options: CadReportOptions
) -> Dataset | None:
    """Everything found on one image (R1.192), or None when there is nothing.

    Candidates below every operating point are left out.
    """
    header = image.header
    findings = [
        *_composition(image, provenance, options),
        *_geometry(image, target, provenance),
        *_nipple(image, target, provenance, options),
        *(
            _mark(finding, image, target, provenance, options)
            for finding in image.findings
            if finding.operating_point is not None
        ),
    ]
    if not findings:
        return None
    intent = code(_MOD, c.RENDERING_INTENT, c.REQUIRED)
    description = text(_CONTAINS, c.IMPRESSION_DESCRIPTION, f"{header.laterality} {header.view}")
    return container(_INFERRED, c.IMPRESSION, [intent, description, *findings])


def _intent(intent: Code, operating_point: int | None = None) -> Dataset:
    below = []
    if operating_point is not None:
        below = [number(_HAS, c.OPERATING_POINT, operating_point, c.ONE_TO_TWO)]
    return code(_MOD, c.RENDERING_INTENT, intent, below)


def _finding(kind: Code, intent: Dataset, provenance: Provenance, properties: list[Dataset]) -> Dataset:
    return code(_CONTAINS, c.SINGLE_IMAGE_FINDING, kind, [intent, *algorithm_items(provenance), *properties])


def _composition(image: ImageResult, provenance: Provenance, options: CadReportOptions) -> list[Dataset]:
    """TID 4007; under a CODE only HAS PROPERTIES is allowed (PS3.3 A.35.5.3.1.2)."""
    if image.density is None:
        return []
    composition = in_profile(c.COMPOSITION, options.codes)
    properties = [
        code(_HAS, composition, in_profile(c.COMPOSITIONS[image.density.category], options.codes)),
        number(_HAS, c.FIBROGLANDULAR, round(image.density.percent_density, 4), c.PERCENT),
    ]
    return [_finding(composition, _intent(c.NOT_PRESENTED), provenance, properties)]


def _geometry(image: ImageResult, target: Target, provenance: Provenance) -> list[Dataset]:
    """TID 4008"""
    if image.breast is None or not image.breast.outline:
        return []
    properties = [polygon(c.BREAST_OUTLINE, image.breast.outline, target)]
    if image.pectoral is not None and image.pectoral.outline:
        properties.append(polygon(c.PECTORAL_OUTLINE, image.pectoral.outline, target))
    return [_finding(c.BREAST_GEOMETRY, _intent(c.OPTIONAL), provenance, properties)]


def _nipple(image: ImageResult, target: Target, provenance: Provenance, options: CadReportOptions) -> list[Dataset]:
    if image.nipple is None:
        return []
    center = point(c.CENTER, image.nipple.x_px, image.nipple.y_px, target)
    return [_finding(in_profile(c.NIPPLE, options.codes), _intent(c.OPTIONAL), provenance, [center])]


def _mark(
    finding: Finding, image: ImageResult, target: Target, provenance: Provenance, options: CadReportOptions
) -> Dataset:
    """A mass or a cluster: required at operating point 0, optional from 1 or 2 on (R0.359)."""
    at = finding.operating_point
    intent = _intent(c.REQUIRED) if at == 0 else _intent(c.OPTIONAL, at)
    properties: list[Dataset] = []
    if options.certainty:
        properties.append(number(_HAS, c.CERTAINTY, round(100 * finding.score, 4), c.PERCENT))
    properties.append(point(c.CENTER, finding.x_px, finding.y_px, target))
    if len(finding.outline) >= 3:
        properties.append(polygon(c.OUTLINE, finding.outline, target))
    if finding.kind is FindingKind.CALCIFICATION:
        properties.append(number(_HAS, c.CALCIFICATION_COUNT, len(finding.members), c.NO_UNITS))
    properties.append(number(_HAS, in_profile(c.LONG_AXIS, options.codes), round(finding.size_mm, 4), c.MILLIMETER))
    if image.nipple is not None:
        size = image.header.spacing
        distance_mm = hypot(
            (finding.x_px - image.nipple.x_px) * size.column_spacing_mm,
            (finding.y_px - image.nipple.y_px) * size.row_spacing_mm,
        )
        properties.append(number(_HAS, c.NIPPLE_DISTANCE, round(distance_mm, 2), c.MILLIMETER))
    properties += [_calcification(x_px, y_px, target, provenance, options) for x_px, y_px in finding.members]
    return _finding(in_profile(c.FINDING_CODES[finding.kind], options.codes), intent, provenance, properties)


def _calcification(
    x_px: float, y_px: float, target: Target, provenance: Provenance, options: CadReportOptions
) -> Dataset:
    """TID 4009, below its cluster"""
    item = _finding(
        in_profile(c.CALCIFICATION, options.codes),
        _intent(c.OPTIONAL),
        provenance,
        [point(c.CENTER, x_px, y_px, target)],
    )
    item.RelationshipType = _INFERRED
    return item
