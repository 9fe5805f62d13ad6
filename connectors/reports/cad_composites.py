"""Composite features, TID 4004 and 4005: a mass with its calcifications, and the same place in two views.

A finding stands by value in one place of the tree (TID 4004 rows 5 and 6 have no by-reference form): below the
composite of its image, which in turn may stand below that of several images.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from reread.analytics.records import Finding, FindingKind, ImageResult
from reread.connectors.reports import codes as c
from reread.connectors.reports import private_codes as own
from reread.connectors.reports.cad_marks import is_written, mark
from reread.connectors.reports.codes import Code
from reread.connectors.reports.content_items import CONTAINS, INFERRED_FROM, Item
from reread.connectors.reports.report_context import OF_FEATURE, ReportContext
from reread.connectors.reports.templates import row

_FEATURE, _INTENT, _TYPE, _SCOPE = row(4004, 1), row(4004, 2), row(4005, 1), row(4005, 2)


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """A finding that is written, with its image."""

    image: ImageResult
    finding: Finding
    identifier: int
    """place of the finding in the result of its image, from 1"""


@dataclass(frozen=True, slots=True, eq=False)
class Feature:
    """What stands for itself in an impression: one finding, or several that belong together."""

    parts: tuple[Placed | Feature, ...]
    number: int = 0
    """of the composite or of the place; 0 for a single finding"""

    @property
    def placed(self) -> Iterator[Placed]:
        """All findings in it."""
        for part in self.parts:
            if isinstance(part, Placed):
                yield part
            else:
                yield from part.placed

    @property
    def is_single(self) -> bool:
        """Whether it is one finding for itself."""
        return len(self.parts) == 1 and isinstance(self.parts[0], Placed)

    @property
    def images(self) -> tuple[str, ...]:
        """SOP Instance UIDs, each once, in the order of the findings."""
        return tuple(dict.fromkeys(item.image.header.sop_instance_uid for item in self.placed))


def features(images: Sequence[ImageResult], context: ReportContext) -> list[Feature]:
    """All findings that are written, each once: alone or within a composite feature."""
    written = [
        Placed(image, finding, place)
        for image in images
        for place, finding in enumerate(image.findings, start=1)
        if is_written(finding, context)
    ]
    if not context.options.composites:
        return [Feature((item,)) for item in written]
    by_composite: dict[tuple[str, int], list[Placed]] = defaultdict(list)
    for item in written:
        if item.finding.composite is not None:
            by_composite[item.image.header.sop_instance_uid, item.finding.composite].append(item)
    unit_of: dict[int, Feature] = {}
    for (_, number), members in by_composite.items():
        kinds = {item.finding.kind for item in members}
        if len(kinds) > 1:  # a mass and at least one cluster: one may lie below the operating points of the report
            joined = Feature(tuple(members), number)
            unit_of |= {id(item): joined for item in members}
    units = list(dict.fromkeys(unit_of.setdefault(id(item), Feature((item,))) for item in written))
    by_place: dict[int, list[Feature]] = defaultdict(list)
    for item in written:
        if item.finding.match is not None and unit_of[id(item)] not in by_place[item.finding.match]:
            by_place[item.finding.match].append(unit_of[id(item)])
    taken: dict[Feature, Feature] = {}
    for number, members_of_place in by_place.items():
        if len(members_of_place) > 1 and not any(unit in taken for unit in members_of_place):
            several = Feature(tuple(members_of_place), number)
            taken |= dict.fromkeys(members_of_place, several)
    return list(dict.fromkeys(taken.get(unit, unit) for unit in units))


def feature_item(feature: Feature, context: ReportContext, relationship: str = CONTAINS) -> Item:
    """TID 4006 for a single finding, else TID 4004 (R0.218 … R0.228)."""
    first = feature.parts[0]
    if len(feature.parts) == 1 and isinstance(first, Placed):
        return mark(first.finding, first.identifier, first.image, context, relationship)
    several = len(feature.images) > 1
    number = own.PLACE_IDENTIFIER if several else own.COMPOSITE_IDENTIFIER
    required = any(item.finding.operating_point == 0 for item in feature.placed)
    below = [
        context.made(_INTENT, c.REQUIRED if required else c.OPTIONAL),
        context.made(_TYPE, c.SPATIALLY_RELATED),
        context.made(_SCOPE, c.ON_SEVERAL_IMAGES if several else c.ON_ONE_OF_THE_IMAGES),
        *context.algorithm,
        context.calculated(OF_FEATURE, number, feature.number, c.NO_UNITS, c.UNSPECIFIED_METHOD),
        *(_part(part, context) for part in feature.parts),
    ]
    return context.made(_FEATURE, _kind(feature), below, relationship=relationship)


def _part(part: Placed | Feature, context: ReportContext) -> Item:
    if isinstance(part, Placed):
        return mark(part.finding, part.identifier, part.image, context, INFERRED_FROM)
    return feature_item(part, context, INFERRED_FROM)


def _kind(feature: Feature) -> Code:
    """CID 6016"""
    kinds = {item.finding.kind for item in feature.placed}
    if len(kinds) > 1:
        return c.MASS_WITH_CALCIFICATIONS
    return c.FINDING_CODES[FindingKind.MASS if FindingKind.MASS in kinds else FindingKind.CALCIFICATION]
