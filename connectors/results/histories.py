"""Earlier examinations of many women at once, as the tables have them now: read before a night measures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from reread.connectors.results.case_page_facts import earlier_density
from reread.connectors.results.forms import EarlierDensity
from reread.connectors.warehouse import Warehouse


@dataclass(frozen=True, slots=True)
class Histories:
    """What the tables know of some women."""

    by_woman: Mapping[str, tuple[tuple[str, EarlierDensity], ...]] = field(default_factory=dict)
    """pseudonym → (algorithm, density), oldest first"""

    def before(self, woman: str, study_date: str) -> dict[str, tuple[EarlierDensity, ...]]:
        """By algorithm what is known of a woman before a day (DICOM DA); nothing if the day is not known."""
        found: dict[str, tuple[EarlierDensity, ...]] = {}
        for algorithm, density in self.by_woman.get(woman, ()):
            if density.study_date < study_date:
                found[algorithm] = (*found.get(algorithm, ()), density)
        return found


def histories(warehouse: Warehouse, women: Collection[str]) -> Histories:
    """The newest density of every study of the women; one query."""
    if not women or not warehouse.catalogue_path.is_file():
        return Histories()
    names = ", ".join("'" + woman.replace("'", "''") + "'" for woman in sorted(women))
    answer = warehouse.query(
        f"""SELECT * FROM current_studies WHERE woman IN ({names})
        AND percent_density IS NOT NULL AND study_date IS NOT NULL ORDER BY study_date, study_instance_uid"""
    )
    found: defaultdict[str, list[tuple[str, EarlierDensity]]] = defaultdict(list)
    for values in answer.rows:
        row = dict(zip(answer.columns, values, strict=True))
        found[row["woman"]].append((row["algorithm"], earlier_density(row)))
    return Histories({woman: tuple(items) for woman, items in found.items()})
