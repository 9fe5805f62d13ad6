"""Single image findings and composite features out of a content tree."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from reread.connectors.reports import codes as c
from reread.connectors.reports.content_tree import Node
from reread.connectors.reports.finding_records import CadComposite, CadFinding, CadGraphic, Path
from reread.connectors.reports.reading_parts import Account, algorithm_of, intent_of, properties_of, value_of

KINDS = {
    c.MASS.value: "mass",
    c.CLUSTER.value: "calcification",
    c.CALCIFICATION.value: "single calcification",
    c.NIPPLE.value: "nipple",
    c.BREAST_GEOMETRY.value: "breast geometry",
    c.COMPOSITION.value: "breast composition",
    c.SELECTED_REGION.value: "selected region",
    c.IMAGE_QUALITY.value: "image quality",
}
_MOST_OFTEN = (c.CENTER.value, c.OUTLINE.value, c.BREAST_OUTLINE.value)


def findings_of(root: Node, account: Account) -> tuple[CadFinding, ...]:
    """All findings in document order; single calcifications stand in their cluster."""
    found = []
    for node in _outermost(root, c.SINGLE_IMAGE_FINDING.value):
        finding = _finding(node, account)
        if finding is not None:
            found.append(finding)
    return tuple(found)


def composites_of(root: Node, findings: Iterable[CadFinding], account: Account) -> tuple[CadComposite, ...]:
    """All composite features in document order, each with the findings below it."""
    nodes = [node for node in root.walk() if node.name == c.COMPOSITE_FEATURE.value and node.value_type]
    places = {finding.path: place for place, finding in enumerate(findings)}
    composites: list[CadComposite] = []
    by_path: dict[Path, int] = {}
    for node in nodes:
        if node.code is None:
            account.problem(node, "a composite feature without a code")
            continue
        account.take(node)
        relation = value_of(node.children, c.COMPOSITE_TYPE, account)
        scope = value_of(node.children, c.SCOPE, account)
        intent, _ = intent_of(node, account)
        algorithm = algorithm_of(node, account)
        said = properties_of(node, account)
        by_path[node.path] = len(composites)
        above = [node.path[:depth] for depth in range(len(node.path) - 1, 0, -1) if node.path[:depth] in by_path]
        composites.append(
            CadComposite(
                node.path,
                node.code,
                intent,
                relation.code if relation else None,
                scope.code if scope else None,
                algorithm,
                tuple(dict.fromkeys(_targets(node, places, account))),
                by_path[above[0]] if above else None,
                said.quantities,
                said.qualities,
                said.texts,
                said.graphics,
            )
        )
    return tuple(composites)


def _targets(node: Node, places: Mapping[Path, int], account: Account) -> Iterable[int]:
    for item in node.walk():
        found = account.resolved(item)
        if found is not None and found.path in places:
            yield places[found.path]


def _finding(node: Node, account: Account) -> CadFinding | None:
    account.take(node)
    if node.code is None:
        account.problem(node, "a finding without a code")
        return None
    intent, point = intent_of(node, account)
    algorithm = algorithm_of(node, account)
    said = properties_of(node, account)
    members = [_finding(child, account) for child in _outermost_below(node)]
    return CadFinding(
        node.path,
        node.code,
        KINDS.get(node.value, node.value),
        intent,
        point,
        algorithm,
        _image(node, said.graphics, account),
        said.quantities,
        said.qualities,
        said.texts,
        said.graphics,
        tuple(member for member in members if member is not None),
    )


def _image(node: Node, graphics: Iterable[CadGraphic], account: Account) -> str:
    """Where it lies; a finding without coordinates may name an image, or another finding that has some."""
    uids = list(dict.fromkeys(graphic.sop_instance_uid for graphic in graphics if graphic.sop_instance_uid))
    if len(uids) > 1:
        account.problem(node, "coordinates of one finding on several images")
    if uids:
        return uids[0]
    direct = account.image_of(node)
    if direct:
        return direct
    for child in node.children:
        other = account.resolved(child) if not child.value_type else None
        if other is not None and other.name == c.SINGLE_IMAGE_FINDING.value:
            for item in other.children:
                if item.name in _MOST_OFTEN and (uid := account.image_of(item)):
                    return uid
    return ""


def _outermost(node: Node, name: str) -> Iterable[Node]:
    """The nearest nodes of a name below; what is nested in one of them belongs to it."""
    for child in node.children:
        if child.name == name and child.value_type:
            yield child
        else:
            yield from _outermost(child, name)


def _outermost_below(node: Node) -> Iterable[Node]:
    return _outermost(node, c.SINGLE_IMAGE_FINDING.value)
