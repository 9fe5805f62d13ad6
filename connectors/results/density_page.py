"""SC-BM: one page that shows the density of a woman at a glance (R0.44, R0.537)."""

from __future__ import annotations

from collections.abc import Iterator

from reread.connectors.results.capture import SECONDARY_CAPTURE, capture_attributes
from reread.connectors.results.density_page_drawing import draw_density_page
from reread.connectors.results.density_page_facts import density_facts
from reread.connectors.results.forms import Draft, ResultCase
from reread.connectors.results.page_language import words

DENSITY_PAGE = "density-page"


class DensityPageForm:
    """One page per study revision that has a density."""

    name = DENSITY_PAGE
    sop_class_uids = (SECONDARY_CAPTURE,)
    depends_on = frozenset({"language", "history"})

    def drafts(self, case: ResultCase) -> Iterator[Draft]:
        """The page; none without a density."""
        if case.result.density is None:
            return
        said = words(case.language)
        version = f"{case.provenance.algorithm} {case.provenance.version}"
        facts = density_facts(case.result, said, case.earlier, version=version)
        page = draw_density_page(facts, case.provenance, said)
        dataset = capture_attributes(case.result, page)
        dataset.SeriesDescription = "Reread breast density"
        dataset.SeriesNumber = 9912
        dataset.DerivationDescription = "Page of breast density measured by an algorithm"
        dataset.LossyImageCompression = "00"
        yield Draft(dataset, key=case.history_key)
