"""The Image Library, and what was run on which images, out of a content tree."""

from __future__ import annotations

from collections.abc import Iterator

from reread.connectors.reports import codes as c
from reread.connectors.reports.cad_records import CadImage, CadOperatingPoint, CadRun
from reread.connectors.reports.codes import Code
from reread.connectors.reports.content_tree import Node
from reread.connectors.reports.finding_records import LATERALITIES
from reread.connectors.reports.reading_parts import Account, algorithm_of, below, quantity_of, value_of
from reread.connectors.view_codes import MODIFIER_OF_CODE, view_of_code

_IN_MM = {"um": 0.001, "mm": 1.0, "cm": 10.0}
_FAILED = {c.FAILED_DETECTIONS.value, c.FAILED_ANALYSES.value}


def images_of(root: Node, account: Account) -> tuple[CadImage, ...]:
    """Entries of the Image Library; a report without one has the images that stand in it by value."""
    libraries = [node for node in root.walk() if node.name == c.IMAGE_LIBRARY.value and node.value_type]
    account.take(*libraries)
    if not libraries:
        account.problem(root, "no image library")
    within = libraries or [root]
    nodes = [node for library in within for node in library.walk() if node.value_type == "IMAGE"]
    found = []
    for node in nodes:
        account.take(node)
        if node.sop_instance_uid:
            found.append(_image(node, account))
        else:
            account.problem(node, "an image without SOP Instance UID")
    return tuple({image.sop_instance_uid: image for image in reversed(found)}.values())[::-1]


def _image(node: Node, account: Account) -> CadImage:
    own = node.children

    def said(concept: Code) -> str:
        found = value_of(own, concept, account)
        return found.text if found else ""

    side, view = value_of(own, c.IMAGE_LATERALITY, account), value_of(own, c.IMAGE_VIEW, account)
    modifiers = [item for item in below(node) if item.name == c.IMAGE_VIEW_MODIFIER.value and item.code is not None]
    account.take(*modifiers)
    for item in modifiers:
        if item.code is not None and item.code.value not in MODIFIER_OF_CODE:
            account.problem(item, "a view modifier that is not of CID 4015")
    if view is not None and view_of_code(view.value) is None:
        account.problem(view, "a view that is not of CID 4014")
    return CadImage(
        node.sop_instance_uid,
        node.sop_class_uid,
        LATERALITIES.get(side.value) if side else None,
        view_of_code(view.value) if view else None,
        view.code if view else None,
        tuple(item.code for item in modifiers if item.code is not None),
        (said(c.ORIENTATION_ROW), said(c.ORIENTATION_COLUMN)),
        said(c.STUDY_DATE),
        said(c.STUDY_TIME),
        said(c.CONTENT_DATE),
        said(c.CONTENT_TIME),
        _spacing(node, account),
    )


def _spacing(node: Node, account: Account) -> tuple[float, float] | None:
    found = []
    for concept in (c.VERTICAL_SPACING, c.HORIZONTAL_SPACING):
        stated = next((item for item in node.children if item.name == concept.value), None)
        quantity = quantity_of(stated, account) if stated is not None else None
        found.append(quantity.within(_IN_MM) if quantity is not None else None)
    down, across = found
    return None if down is None or across is None else (down, across)


def runs_of(root: Node, account: Account) -> tuple[CadRun, ...]:
    """Detections and analyses that were performed, succeeded and failed (TID 4015 to 4018)."""
    return tuple(run for node, failed in _performed(root, failed=False) if (run := _run(node, account, failed=failed)))


def _performed(node: Node, *, failed: bool) -> Iterator[tuple[Node, bool]]:
    for child in node.children:
        if child.name in (c.DETECTION.value, c.ANALYSIS.value) and child.value_type:
            yield child, failed
        yield from _performed(child, failed=failed or child.name in _FAILED)


def _run(node: Node, account: Account, *, failed: bool) -> CadRun | None:
    account.take(node)
    if node.code is None:
        account.problem(node, "something was performed, but not what")
        return None
    images = []
    for child in node.walk():
        target = account.resolved(child)
        if target is not None and target.value_type == "IMAGE" and target.sop_instance_uid:
            account.take(child)
            images.append(target.sop_instance_uid)
    if not images:
        account.problem(node, "performed on no image of the report")
    lowest, highest = (
        value_of(node.children, code, account) for code in (c.RECOMMENDED_OPERATING_POINT, c.MAXIMUM_OPERATING_POINT)
    )
    for item in below(node):
        if item.name in (c.X_CONCEPT.value, c.Y_CONCEPT.value):
            account.take(item)
    points = [item for item in below(node) if item.name == c.OPERATING_POINT.value and item.number is not None]
    return CadRun(
        node.code,
        node.name == c.DETECTION.value,
        not failed,
        algorithm_of(node, account),
        tuple(dict.fromkeys(images)),
        None if highest is None or highest.number is None else round(highest.number),
        None if lowest is None or lowest.number is None else round(lowest.number),
        tuple(_point(item, account) for item in points),
    )


def _point(node: Node, account: Account) -> CadOperatingPoint:
    account.take(node)
    described = value_of(node.children, c.OPERATING_POINT_DESCRIPTION, account)
    numbers = [quantity_of(child, account) for child in node.children if child.value_type == "NUM"]
    return CadOperatingPoint(
        round(node.number or 0),
        described.text if described else "",
        tuple(quantity for quantity in numbers if quantity is not None),
    )
