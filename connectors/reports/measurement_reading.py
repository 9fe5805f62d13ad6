"""Reading structured reports that are no Mammography CAD SR: TID 1500, and Enhanced or Comprehensive SR of any tree.

What is read are measurement groups (TID 1410, 1411, 1501), coordinates whose concept names a finding, and numbers of
density, wherever they stand. Laterality, image and algorithm that a container states hold for all below it until
another is stated (PS3.3 C.17.3.2.3 has it so for the observation context). All else is kept as items.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import groupby

from pydicom.dataset import Dataset

from reread.analytics.records import Laterality
from reread.connectors.reports import codes as c
from reread.connectors.reports import private_codes as own
from reread.connectors.reports.cad_reading import document_of, producer_of
from reread.connectors.reports.cad_reading_density import CATEGORIES, density_of
from reread.connectors.reports.cad_reading_findings import KINDS, findings_of
from reread.connectors.reports.cad_reading_runs import images_of
from reread.connectors.reports.cad_records import CadDensity, CadImage, CadProducer, CadReport
from reread.connectors.reports.content_tree import Node
from reread.connectors.reports.finding_natures import NATURES, kind_of
from reread.connectors.reports.finding_records import LATERALITIES, CadAlgorithm, CadFinding, CadQuantity
from reread.connectors.reports.reading_parts import Account, intent_of, properties_of, quantity_of

GROUP, FINDING, SITE = "125007", "121071", "363698007"
"""Measurement Group and Finding (DCM), Finding Site (SCT)"""
_SIDES = {
    **LATERALITIES,
    "7771000": Laterality.LEFT,
    "24028007": Laterality.RIGHT,
}
"""of the breast, and Left and Right alone (CID 244)"""
_METHOD = "370129005"
_METHODS = {c.TWO_DIMENSIONAL.value, c.THREE_DIMENSIONAL.value}
_OBSERVER_NAME, _OBSERVER_MANUFACTURER, _OBSERVER_MODEL = "121013", "121014", "121015"
_DENSITIES = {c.TISSUE_DENSITY.value, c.FIBROGLANDULAR.value, c.TISSUE_VOLUME.value, c.BREAST_VOLUME.value}
_MARKS = {*KINDS, *NATURES}
"""concepts of coordinates that are a finding by themselves"""


@dataclass(frozen=True, slots=True)
class _Context:
    """What the containers above have stated."""

    side: Laterality | None = None
    image: str = ""
    algorithm: CadAlgorithm = field(default_factory=CadAlgorithm)


def measurement_report_of(dataset: Dataset, root: Node) -> CadReport:
    """A report of any tree as the records of a CAD report; images, findings and densities in document order."""
    account = Account({node.path: node for node in root.walk()})
    account.take(root)
    images = _images(root, account)
    findings = list(findings_of(root, account))
    densities: list[CadDensity] = []
    sides: dict[str, Laterality] = {}
    _walk(root, _Context(), account, findings, densities, sides)
    images = tuple(replace(item, laterality=item.laterality or sides.get(item.sop_instance_uid)) for item in images)
    language = next((node.code.value for node in root.named(c.LANGUAGE) if node.code), "")
    account.take(*root.named(c.LANGUAGE))
    return CadReport(
        replace(document_of(dataset, root), language=language),
        _producer(dataset, root, account),
        images,
        tuple(sorted(findings, key=lambda finding: finding.path)),
        (),
        (),
        tuple(densities),
        (),
        (),
        "",
        "",
        "",
        account.others(),
        tuple(sorted(account.problems, key=lambda problem: problem.path)),
    )


def _walk(
    node: Node,
    above: _Context,
    account: Account,
    findings: list[CadFinding],
    densities: list[CadDensity],
    sides: dict[str, Laterality],
) -> None:
    context = _stated(node, above, account)
    grouped = node.name == GROUP and node.value_type == "CONTAINER"
    dense = list(_densities(node, context, account))
    densities += dense
    if grouped and (finding := _group(node, context, account, dense=bool(dense))) is not None:
        findings.append(finding)
        if context.side is not None:
            sides.setdefault(finding.sop_instance_uid, context.side)
    elif grouped and context.image and context.side is not None:
        sides.setdefault(context.image, context.side)
    for child in node.children:
        if child.name == c.SINGLE_IMAGE_FINDING.value or child.path in account.read:
            continue
        if not grouped and child.value_type == "SCOORD" and child.name in _MARKS:
            findings.append(_mark(child, context, account))
        elif child.value_type in ("CONTAINER", "CODE", "TEXT", "IMAGE"):
            _walk(child, context, account, findings, densities, sides)


def _stated(node: Node, above: _Context, account: Account) -> _Context:
    """What holds below this node."""
    side = _side_of(node, account)
    name, version, parameters = (
        [item for item in node.named(code) if item.text]
        for code in (c.ALGORITHM_NAME, c.ALGORITHM_VERSION, c.ALGORITHM_PARAMETERS)
    )
    account.take(*name, *version, *parameters)
    algorithm = above.algorithm
    if name or version:
        algorithm = CadAlgorithm(
            name[0].text if name else above.algorithm.name,
            version[0].text if version else "",
            tuple(item.text for item in parameters),
        )
    image = node.sop_instance_uid if node.value_type in ("CONTAINER", "IMAGE") else ""
    if not image and node.name == GROUP:
        image = _image_of_region(node)
    return _Context(side or above.side, image or _image_below(node, account) or above.image, algorithm)


def _image_below(node: Node, account: Account) -> str:
    """Of the images straight below: one only, else nobody knows which is meant."""
    if node.name in (c.IMAGE_LIBRARY.value, "126200"):
        return ""
    uids = {
        found.sop_instance_uid
        for child in node.children
        if (found := account.resolved(child)) is not None and found.value_type == "IMAGE" and found.sop_instance_uid
    }
    return next(iter(uids)) if len(uids) == 1 else ""


def _image_of_region(node: Node) -> str:
    """Of the coordinates straight below a group (TID 1410): one only."""
    uids = {
        image.sop_instance_uid
        for child in node.children
        if child.value_type == "SCOORD"
        for image in child.children
        if image.value_type == "IMAGE"
    }
    return next(iter(uids)) if len(uids) == 1 else ""


def _side_of(node: Node, account: Account) -> Laterality | None:
    """Laterality, Image Laterality, or a Finding Site that is one breast or has a laterality."""
    if (node.name == SITE and node.code is not None) and node.value in _SIDES:
        return _SIDES[node.value]
    for child in node.children:
        if child.name in (c.LATERALITY.value, c.IMAGE_LATERALITY.value) and child.value in _SIDES:
            account.take(child)
            return _SIDES[child.value]
        if child.name == SITE:
            within = child.named(c.LATERALITY)
            found = _SIDES.get(child.value) or next(
                (_SIDES[item.value] for item in within if item.value in _SIDES), None
            )
            if found is not None:
                account.take(child, *within)
                return found
    return None


def _group(node: Node, context: _Context, account: Account, *, dense: bool) -> CadFinding | None:
    """One measurement group; of breast composition only if it has coordinates, and not the densities as well."""
    coded = next((item for item in node.named(c.Code(FINDING, "DCM", "")) if item.code is not None), None)
    if coded is not None:
        account.take(coded)
    if coded is not None and coded.value == c.COMPOSITION.value and (dense or not any(_coordinates(node))):
        return None
    intent, point = intent_of(node, account)
    said = properties_of(node, account)
    account.take(node)
    uids = list(dict.fromkeys(graphic.sop_instance_uid for graphic in said.graphics if graphic.sop_instance_uid))
    if len(uids) > 1:
        account.problem(node, "coordinates of one finding on several images")
    for item in node.walk():
        if item.value_type == "SCOORD3D":
            account.problem(item, "coordinates of a frame of reference, which are not brought onto an image")
    code = coded.code if coded is not None and coded.code is not None else node.concept
    assert code is not None, "a group is found by its concept"
    return CadFinding(
        node.path,
        code,
        kind_of(coded.value) if coded is not None else "measurement group",
        intent,
        point,
        context.algorithm,
        uids[0] if uids else context.image,
        said.quantities,
        said.qualities,
        said.texts,
        said.graphics,
    )


def _coordinates(node: Node) -> Iterator[Node]:
    return (item for item in node.walk() if item.value_type in ("SCOORD", "SCOORD3D"))


def _mark(node: Node, context: _Context, account: Account) -> CadFinding:
    """Coordinates whose concept says what lies there: the marks of an Enhanced SR (001-secondlook 6.2)."""
    assert node.concept is not None, "a mark is found by its concept"
    holder = replace(node, children=(node,), value_type="CONTAINER", concept=None)
    said = properties_of(holder, account)
    image = next((graphic.sop_instance_uid for graphic in said.graphics if graphic.sop_instance_uid), context.image)
    # an individual calcification that is marked by itself stands for its cluster (R1.143)
    kind = "calcification" if node.name == c.CALCIFICATION.value else kind_of(node.name)
    return CadFinding(node.path, node.concept, kind, "", None, context.algorithm, image, (), (), (), said.graphics)


def _densities(node: Node, context: _Context, account: Account) -> Iterator[CadDensity]:
    """The numbers of density straight below a node, by breast and method; or a category alone."""
    composed = any(item.name == FINDING and item.value == c.COMPOSITION.value for item in node.children)
    letters = [item for item in node.children if item.value_type == "CODE" and item.value in CATEGORIES]
    stated: list[tuple[Laterality | None, CadQuantity]] = []
    for child in node.children:
        area = composed and child.name == c.AREA.value
        if child.value_type != "NUM" or not (area or _is_density(child)) or child.path in account.read:
            continue
        side = _side_of(child, account) or context.side
        if (quantity := quantity_of(child, account)) is not None:
            # what it was measured on is kept beside it
            account.read.difference_update(item.path for part in _coordinates(child) for item in part.walk())
            quantity = _with_method(_with_method(quantity, child, account), node, account)
            stated.append((side, replace(quantity, concept=own.BREAST_AREA) if area else quantity))
    account.take(*letters)
    default = CATEGORIES[letters[0].value] if letters else ""
    by_side = {_side_of(item, account) or context.side: CATEGORIES[item.value] for item in letters}
    if len(by_side) > 1:
        default = ""

    def key(item: tuple[Laterality | None, CadQuantity]) -> tuple[str, str]:
        return (item[0].value if item[0] else "", item[1].method)

    for _, group in groupby(sorted(stated, key=key), key):
        members = list(group)
        side = members[0][0]
        letter = by_side.get(side, default)
        per_image = bool(context.image)
        quantities = [quantity for _, quantity in members]
        density = density_of(quantities, context.algorithm, letter, context.image, per_image=per_image)
        if density is not None:
            yield replace(density, laterality=side)
    for missing in by_side.keys() - {side for side, _ in stated}:
        yield CadDensity(
            None,
            missing,
            by_side[missing],
            bool(context.image),
            sop_instance_uid=context.image,
            algorithm=context.algorithm,
        )


def _is_density(node: Node) -> bool:
    return node.name in _DENSITIES or node.name.startswith("RR002")


def _with_method(quantity: CadQuantity, node: Node, account: Account) -> CadQuantity:
    """The method that is not given as a derivation but as a Measurement Method."""
    if quantity.derivation is not None:
        return quantity
    method = next((item for item in node.children if item.name == _METHOD and item.value in _METHODS), None)
    if method is None:
        return quantity
    account.take(method)
    return replace(quantity, derivation=method.code)


def _images(root: Node, account: Account) -> tuple[CadImage, ...]:
    """The library where there is one, else all images of the report; sides also as Left and Right alone."""
    before = list(account.problems)
    found = images_of(root, account)
    # a library is a must in TID 4000 only
    account.problems[:] = [*before, *(item for item in account.problems[len(before) :] if item.path != root.path)]
    sides: dict[str, Laterality | None] = {}
    for node in root.walk():
        if node.value_type == "IMAGE" and node.sop_instance_uid:
            sides.setdefault(node.sop_instance_uid, _side_of(node, account))
    named = {image.sop_instance_uid for image in found}
    holders = {
        node.sop_instance_uid: node
        for node in root.walk()
        if node.value_type == "CONTAINER" and node.sop_instance_uid and node.sop_instance_uid not in named
    }
    account.take(*holders.values())
    held = [CadImage(uid, node.sop_class_uid, _side_of(node, account), None) for uid, node in holders.items()]
    return (
        *(replace(image, laterality=image.laterality or sides.get(image.sop_instance_uid)) for image in found),
        *held,
    )


def _producer(dataset: Dataset, root: Node, account: Account) -> CadProducer:
    """The equipment; the device observer where it does not say."""
    stated = producer_of(dataset)
    said = {node.name: node.text for node in root.children if node.text}
    known = (_OBSERVER_NAME, _OBSERVER_MANUFACTURER, _OBSERVER_MODEL)
    account.take(*(node for node in root.children if node.name in known))
    return replace(
        stated,
        manufacturer=stated.manufacturer or said.get(_OBSERVER_MANUFACTURER, ""),
        model=stated.model or said.get(_OBSERVER_MODEL, "") or said.get(_OBSERVER_NAME, ""),
    )
