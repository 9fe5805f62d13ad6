"""Densities out of the numbers of impressions and of breast composition findings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from reread.connectors.reports import codes as c
from reread.connectors.reports import private_codes as own
from reread.connectors.reports.cad_records import CadDensity
from reread.connectors.reports.code_profiles import modern_value
from reread.connectors.reports.content_tree import Node
from reread.connectors.reports.finding_records import CadAlgorithm, CadFinding, CadQuantity, Path
from reread.connectors.reports.reading_parts import Account, algorithm_of, quantity_of

CATEGORIES = {code.value: letter for letter, code in c.COMPOSITIONS.items()}
"""CID 6000"""
_IN_CM3 = {"cm3": 1.0, "mL": 1.0, "ml": 1.0, "cc": 1.0, "mm3": 0.001, "dm3": 1000.0, "L": 1000.0}
_IN_MM2 = {"mm2": 1.0, "cm2": 100.0}
_IN_MM = {"mm": 1.0, "cm": 10.0}
_PLACES = {c.FINDINGS_SUMMARY.value, c.IMPRESSION.value}
_ELSEWHERE = {c.DETECTIONS.value, c.ANALYSES.value, c.IMAGE_LIBRARY.value}
_OWNING = {c.SINGLE_IMAGE_FINDING.value, c.COMPOSITE_FEATURE.value}


def breast_quantities(root: Node, account: Account) -> tuple[tuple[Node, CadQuantity], ...]:
    """Numbers of the summary and of impressions, each with the node that it belongs to.

    That is the impression when there is one; reports of others hang them straight below the summary, or the root.
    """
    found = []

    def walk(node: Node, owner: Node) -> None:
        for child in node.children:
            if child.name in _OWNING or child.name in _ELSEWHERE:
                continue
            if child.value_type == "NUM":
                if child.path not in account.read and (quantity := quantity_of(child, account)) is not None:
                    found.append((owner, quantity))
                continue
            walk(child, child if child.name in _PLACES else owner)

    walk(root, root)
    return tuple(found)


def breast_densities(numbers: Iterable[tuple[Node, CadQuantity]], account: Account) -> tuple[CadDensity, ...]:
    """One density for each breast and method; the numbers that belong together stand below the same node."""
    groups: dict[tuple[Path, str, str], list[CadQuantity]] = {}
    owners: dict[Path, Node] = {}
    for owner, quantity in numbers:
        side = modern_value(quantity.breast.value) if quantity.breast else ""
        owners[owner.path] = owner
        groups.setdefault((owner.path, side, quantity.method), []).append(quantity)
    return tuple(
        density
        for (path, _, _), group in groups.items()
        if (density := density_of(group, algorithm_of(owners[path], account))) is not None
    )


def image_densities(findings: Iterable[CadFinding]) -> tuple[CadDensity, ...]:
    """One density for each breast composition finding and method that gives a number or a category of an image."""
    findings = tuple(findings)
    images = _images(findings)
    found: list[CadDensity] = []
    for finding in findings:
        if finding.kind != "breast composition":
            continue
        letter = next((CATEGORIES.get(modern_value(item.value.value), "") for item in finding.qualities), "")
        by_method: dict[str, list[CadQuantity]] = {}
        for quantity in finding.quantities:
            by_method.setdefault(quantity.method, []).append(quantity)
        # Percent Fibroglandular Tissue names no method; in our reports it is the area density again
        loose = by_method.pop("", [])
        if loose:
            by_method.setdefault(_like(loose, by_method), []).extend(loose)
        image = images.get(finding.path, "")
        for group in by_method.values():
            density = density_of(group, finding.algorithm, letter, image, per_image=True)
            if density is not None:
                found.append(density)
    return tuple(found)


def _like(loose: list[CadQuantity], by_method: Mapping[str, list[CadQuantity]]) -> str:
    shares = {item.value for item in loose if item.name == c.FIBROGLANDULAR.value}
    for method, group in by_method.items():
        if any(item.name == c.TISSUE_DENSITY.value and item.value in shares for item in group):
            return method
    return next(iter(by_method), "") if not shares else ""


def _images(findings: tuple[CadFinding, ...]) -> dict[Path, str]:
    """Image of each finding: its own, else the one that all its neighbours in the same impression lie on."""
    found = {}
    for finding in findings:
        near = {other.sop_instance_uid for other in findings if other.path[:-1] == finding.path[:-1]} - {""}
        found[finding.path] = finding.sop_instance_uid or (next(iter(near)) if len(near) == 1 else "")
    return found


def density_of(
    group: list[CadQuantity],
    algorithm: CadAlgorithm,
    letter: str = "",
    image: str = "",
    *,
    per_image: bool = False,
) -> CadDensity | None:
    """The numbers of one breast or image and one method together; None when none of them is a density."""
    named = {item.name: item for item in reversed(group)}
    share = named.get(c.TISSUE_DENSITY.value) or named.get(c.FIBROGLANDULAR.value)
    glandular, breast = named.get(c.TISSUE_VOLUME.value), named.get(c.BREAST_VOLUME.value)
    dense, whole = named.get(own.DENSE_AREA.value), named.get(own.BREAST_AREA.value)
    threshold, grade = named.get(own.DENSE_THRESHOLD.value), named.get(own.DENSITY_CATEGORY.value)
    if not any((share, glandular, breast, dense, whole, grade)):
        return None
    thickness, fat = named.get(own.THICKNESS.value), named.get(own.FAT_ATTENUATION.value)
    said = next((item.description for item in (share, grade) if item is not None and item.description), "")
    first = group[0]
    return CadDensity(
        percent=share.value if share is not None else None,
        laterality=first.laterality,
        category=said.lower() if said.lower() in c.COMPOSITIONS else letter,
        per_image=per_image,
        method=first.method,
        sop_instance_uid=image,
        gland_volume_cm3=glandular.within(_IN_CM3) if glandular else None,
        breast_volume_cm3=breast.within(_IN_CM3) if breast else None,
        dense_area_mm2=dense.within(_IN_MM2) if dense else None,
        breast_area_mm2=whole.within(_IN_MM2) if whole else None,
        dense_threshold=threshold.value if threshold else None,
        thickness_mm=thickness.within(_IN_MM) if thickness else None,
        fat_attenuation=fat.value if fat else None,
        algorithm=algorithm,
    )
