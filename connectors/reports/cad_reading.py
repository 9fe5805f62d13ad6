"""Reading Mammography CAD SR documents, ours and those of others, into plain marks and densities.

Reports in the wild break their template: summaries hang under the wrong relationship, algorithm inputs under a
TEXT, meanings come in other case, codes are invented. So what counts here is the code value and the position
below a finding, not relationships, schemes, meanings or the place in the document.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from reread.analytics.records import Contour, Laterality, View
from reread.connectors.reports import codes as c
from reread.connectors.reports.content_tree import Node, read_content
from reread.connectors.view_codes import view_of_code


@dataclass(frozen=True, slots=True)
class CadMark:
    """One single image finding that lies somewhere."""

    kind: str
    """mass, calcification (a cluster), single calcification, nipple, or the code value of another finding"""
    x_px: float
    y_px: float
    sop_instance_uid: str
    """of the image; "" when the report does not say"""
    operating_point: int | None
    """0 when presentation is required; None when optional without a point, or not for presentation"""
    outline: Contour = ()
    size_mm: float | None = None
    certainty_percent: float | None = None
    algorithm: str = ""
    version: str = ""
    members: tuple[CadMark, ...] = ()
    """single calcifications of a cluster"""


@dataclass(frozen=True, slots=True)
class CadDensity:
    """A density in percent of one image or of one or both breasts."""

    percent: float
    laterality: Laterality | None
    """None: both breasts, or not said"""
    category: str
    """a, b, c, d, or "" when not given"""
    per_image: bool


@dataclass(frozen=True, slots=True)
class CadOutline:
    """Breast or pectoral muscle of one image."""

    part: str
    """breast or pectoral"""
    outline: Contour
    sop_instance_uid: str


@dataclass(frozen=True, slots=True)
class CadImage:
    """One entry of the Image Library."""

    sop_instance_uid: str
    sop_class_uid: str
    laterality: Laterality | None
    view: View | None


@dataclass(frozen=True, slots=True)
class CadReport:
    """What a report says, in document order."""

    images: tuple[CadImage, ...]
    marks: tuple[CadMark, ...]
    densities: tuple[CadDensity, ...]
    outlines: tuple[CadOutline, ...]
    summary: str
    """code value of the findings summary, 111241 … 111245; empty when missing"""
    detections: str
    """code value of the status (111222 … 111225); empty when missing"""
    analyses: str


_KINDS = {c.MASS.value: "mass", c.CLUSTER.value: "calcification", c.CALCIFICATION.value: "single calcification"}
_KINDS |= {c.NIPPLE.value: "nipple"}
_BREASTS = {c.LEFT_BREAST.value: Laterality.LEFT, c.RIGHT_BREAST.value: Laterality.RIGHT}
_CATEGORIES = {code.value: letter for letter, code in c.COMPOSITIONS.items()}
_POINTS_OF_A_LINE = 2


def read_cad_report(path: Path) -> CadReport:
    """Read a Mammography CAD SR.

    Raises
    ------
    InputError
        Not DICOM, or not a structured report.
    """
    _, root = read_content(path)
    images = {node.path: node for node in root.walk() if node.value_type == "IMAGE" and node.sop_instance_uid}
    findings = [node for node in root.walk() if node.name == c.SINGLE_IMAGE_FINDING.value]
    nested = {id(below) for node in findings for below in node.walk() if below is not node}
    return CadReport(
        images=tuple(_library_entry(node) for path_, node in images.items() if len(path_) == len((1, 2, 1))),
        marks=tuple(mark for node in findings if id(node) not in nested and (mark := _mark(node, images)) is not None),
        densities=_densities(root),
        outlines=tuple(
            CadOutline(part, _contour(node), _image_of(node, images))
            for node in root.walk()
            for part, concept in (("breast", c.BREAST_OUTLINE), ("pectoral", c.PECTORAL_OUTLINE))
            if node.name == concept.value and len(node.points) > _POINTS_OF_A_LINE
        ),
        summary=_status(root, c.FINDINGS_SUMMARY.value),
        detections=_status(root, c.DETECTIONS.value),
        analyses=_status(root, c.ANALYSES.value),
    )


def _library_entry(node: Node) -> CadImage:
    laterality = next((child.value for child in node.named(c.IMAGE_LATERALITY)), "")
    view = next((child.code.value for child in node.named(c.IMAGE_VIEW) if child.code), "")
    return CadImage(node.sop_instance_uid, node.sop_class_uid, _BREASTS.get(laterality), view_of_code(view))


def _mark(node: Node, images: dict[tuple[int, ...], Node]) -> CadMark | None:
    own = _own(node)
    center = next((item for item in own if item.name == c.CENTER.value and item.points), None)
    if center is None:
        return None
    outline = next((item for item in own if item.name == c.OUTLINE.value and len(item.points) > 1), None)
    members = [
        _mark(child, images)
        for child in node.walk()
        if child is not node and child.name == c.SINGLE_IMAGE_FINDING.value
    ]
    return CadMark(
        kind=_KINDS.get(node.value, node.value),
        x_px=center.points[0][0] - 0.5,
        y_px=center.points[0][1] - 0.5,
        sop_instance_uid=_image_of(center, images),
        operating_point=_operating_point(own),
        outline=_contour(outline) if outline else (),
        size_mm=_millimetres(own),
        certainty_percent=next((item.number for item in own if item.name == c.CERTAINTY.value), None),
        algorithm=next((item.text for item in own if item.name == c.ALGORITHM_NAME.value), ""),
        version=next((item.text for item in own if item.name == c.ALGORITHM_VERSION.value), ""),
        members=tuple(member for member in members if member is not None),
    )


def _own(node: Node) -> list[Node]:
    """Everything below a finding that does not belong to a finding nested in it."""
    found: list[Node] = []
    for child in node.children:
        if child.name != c.SINGLE_IMAGE_FINDING.value:
            found += [child, *_own(child)]
    return found


def _operating_point(own: list[Node]) -> int | None:
    intent = next((item.value for item in own if item.name == c.RENDERING_INTENT.value), "")
    if intent == c.REQUIRED.value:
        return 0
    stated = next((item.number for item in own if item.name == c.OPERATING_POINT.value), None)
    return None if stated is None or intent == c.NOT_PRESENTED.value else round(stated)


def _millimetres(own: list[Node]) -> float | None:
    for item in own:
        if item.name == c.LONG_AXIS.value and item.number is not None:
            factor = {"mm": 1.0, "cm": 10.0, "um": 0.001}.get(item.unit.value if item.unit else "")
            return None if factor is None else item.number * factor
    return None


def _contour(node: Node) -> Contour:
    points = node.points[:-1] if len(node.points) > 1 and node.points[0] == node.points[-1] else node.points
    return tuple((x - 0.5, y - 0.5) for x, y in points)


def _image_of(node: Node, images: dict[tuple[int, ...], Node]) -> str:
    for child in node.children:
        if child.target in images:
            return images[child.target].sop_instance_uid
        if child.sop_instance_uid:
            return child.sop_instance_uid
    return ""


def _densities(root: Node) -> tuple[CadDensity, ...]:
    found: list[CadDensity] = []
    for node in root.walk():
        for child in node.children:
            if child.number is None:
                continue
            if child.name == c.TISSUE_DENSITY.value:
                side = next((item.value for item in child.named(c.LATERALITY)), "")
                letter = next((item.text for item in child.named(c.CALCULATION_DESCRIPTION)), "")
                found.append(CadDensity(child.number, _BREASTS.get(side), letter, per_image=False))
            elif child.name == c.FIBROGLANDULAR.value:
                letter = next((_CATEGORIES.get(item.value, "") for item in node.named(c.COMPOSITION)), "")
                found.append(CadDensity(child.number, None, letter, per_image=True))
    return tuple(found)


def _status(root: Node, name: str) -> str:
    return next((node.value for node in root.walk() if node.name == name), "")
