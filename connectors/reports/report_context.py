"""What all parts of one report share: how it is written, by which algorithm, and the entries that findings point to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from reread.analytics.records import ImageHeader, Provenance
from reread.connectors.reports import codes as c
from reread.connectors.reports.code_profiles import in_profile
from reread.connectors.reports.codes import Code
from reread.connectors.reports.content_items import CONTAINS, HAS_PROPERTIES, Item
from reread.connectors.reports.report_options import CadReportOptions, Lengths
from reread.connectors.reports.templates import Row, row
from reread.connectors.reports.templates_items import Value, fitted, item

_NAME, _VERSION, _PARAMETERS = row(4019, 1), row(4019, 2), row(4019, 3)
_FINDING, _INTENT, _POINT = row(4006, 1), row(4006, 2), row(4006, 3)
_LENGTH, _PATH, _ON_PATH = row(1400, 1), row(1400, 2), row(1400, 3)


@dataclass(frozen=True, slots=True)
class Calculated:
    """The rows of a calculated value in one template: the number, its derivation, its description, its breast."""

    number: Row
    derivation: Row
    description: Row
    breast: Row | None = None


OF_IMPRESSION = Calculated(row(4002, 12), row(4002, 14), row(4002, 15), row(4002, 13))
OF_FEATURE = Calculated(row(4005, 25), row(4005, 26), row(4005, 27))
OF_FINDING = Calculated(row(4006, 22), row(4006, 23), row(4006, 24))


@dataclass(frozen=True, slots=True, eq=False)
class ReportContext:
    """Of one report."""

    options: CadReportOptions
    provenance: Provenance
    entries: Mapping[str, Item]
    """SOP Instance UID → its entry of the Image Library"""
    algorithm: tuple[Item, ...]
    """TID 4019 as properties"""
    contained: tuple[Item, ...]
    """TID 4019 below an impression, where the algorithm is CONTAINed (R0.192)"""
    intents: Mapping[int | None, Item]
    """operating point → Rendering Intent of a mark; None: optional without a point"""
    not_presented: Item

    def made(
        self,
        row: Row,
        value: Value = None,
        children: Iterable[Item] = (),
        *,
        relationship: str = "",
        concept: Code | None = None,
        unit: Code | None = None,
    ) -> Item:
        """A content item of a row in the codes of the destination; see `templates_items.item`."""
        profile = self.options.codes
        return item(row, value, children, relationship=relationship, concept=concept, unit=unit, profile=profile)

    def entry(self, header: ImageHeader) -> Item:
        """Of an image."""
        return self.entries[header.sop_instance_uid]

    def length(self, concept: Code, millimetres: float, path: Item | None = None) -> Item:
        """TID 1400 in the unit of the destination; `path` is the line along which it was measured."""
        below = () if path is None else (fitted(_PATH, path),)
        if self.options.lengths is Lengths.CENTIMETRES:
            return self.made(_LENGTH, millimetres / 10, below, concept=concept, unit=c.CENTIMETER)
        return self.made(_LENGTH, millimetres, below, concept=concept, unit=c.MILLIMETER)

    def calculated(
        self,
        rows: Calculated,
        concept: Code,
        value: float,
        unit: Code,
        method: Code = c.ESTIMATED,
        *,
        said: str = "",
        breast: Code | None = None,
    ) -> Item:
        """A calculated value with its derivation; codes of ours extend CID 6142."""
        below = []
        if breast is not None and rows.breast is not None:
            # the side of a number is in SRT throughout (R0.200), that of an image in SNM3 (R0.176)
            side = in_profile(breast, self.options.codes, "SRT")
            below.append(self.made(rows.breast, side))
        below.append(self.made(rows.derivation, method))
        if said:
            below.append(self.made(rows.description, said))
        relationship = CONTAINS if rows is OF_IMPRESSION else HAS_PROPERTIES
        return self.made(rows.number, value, below, relationship=relationship, concept=concept, unit=unit)

    def finding(self, kind: Code, intent: Item, properties: Iterable[Item], relationship: str = CONTAINS) -> Item:
        """TID 4006: a single image finding."""
        return self.made(_FINDING, kind, (intent, *self.algorithm, *properties), relationship=relationship)


def _algorithm(provenance: Provenance, relationship: str) -> tuple[Item, ...]:
    """TID 4019: name, version, parameters (R0.364)."""
    return (
        item(_NAME, provenance.algorithm, relationship=relationship),
        item(_VERSION, provenance.version, relationship=relationship),
        item(_PARAMETERS, f"SHA-256 of parameters: {provenance.parameters_digest}", relationship=relationship),
    )


def report_context(options: CadReportOptions, provenance: Provenance, entries: Mapping[str, Item]) -> ReportContext:
    """Lay out what every finding repeats."""
    # required at point 0, optional from 1 or 2 on (R0.359)
    intents: dict[int | None, Item] = {0: item(_INTENT, c.REQUIRED), None: item(_INTENT, c.OPTIONAL)}
    for point in (1, 2):
        intents[point] = item(_INTENT, c.OPTIONAL, [item(_POINT, point)])
    return ReportContext(
        options,
        provenance,
        entries,
        _algorithm(provenance, HAS_PROPERTIES),
        _algorithm(provenance, CONTAINS),
        intents,
        item(_INTENT, c.NOT_PRESENTED),
    )
