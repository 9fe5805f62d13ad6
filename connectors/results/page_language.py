"""The words of pages, presentation states and reports in the language of a site.

The words are in `page_language.json`, one entry per word with all languages side by side. The meanings of codes stay
those of the standard in the code sequences of a report; the words here are for texts that a person reads.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files

from reread.analytics.errors import SettingsInvalid
from reread.analytics.records import FindingKind, Laterality, Nature

ENGLISH = "en"


@dataclass(frozen=True, slots=True)
class Words:
    """Every word of one language; the texts with braces take numbers."""

    language: str
    """code of RFC 5646, for Language of Content Item (CID 5000, scheme RFC5646)"""
    language_name: str
    """its code meaning, in English as PS3.16 has it"""
    notice: str
    marks: str
    density: str
    right_breast: str
    left_breast: str
    both_breasts: str
    percent_density: str
    area: str
    volume: str
    volumetric_density: str
    breast_volume: str
    gland_volume: str
    dense_area: str
    breast_area: str
    thickness: str
    composition_a: str
    composition_b: str
    composition_c: str
    composition_d: str
    letter_note: str
    threshold_source: str
    agreement: str
    left_less_right: str
    cc_less_mlo: str
    points: str
    """percentage points"""
    history: str
    no_history: str
    this_examination: str
    other_version: str
    quality: str
    no_remark: str
    cut_front: str
    cut_above: str
    cut_below: str
    muscle_short: str
    nipple_not_in_profile: str
    fold_missing: str
    clipped_bright: str
    clipped_dark: str
    size_unknown: str
    nipple_line: str
    no_volume: str
    not_measured: str
    not_in_study: str
    not_shown: str
    findings: str
    no_finding: str
    mass: str
    asymmetry: str
    distortion: str
    cluster: str
    single_calcifications: str
    operating_point: str
    heavier_line: str
    probability: str
    size: str
    nipple_distance: str
    chest_wall_distance: str
    view: str
    kind: str
    nipple: str
    muscle: str
    skin_line: str
    study_date: str
    unknown: str
    provenance: str
    algorithm: str
    revision: str
    parameters: str
    recorded: str
    inferred: str
    case: str
    show: str
    decimal_mark: str
    views_and_marks: str
    no_date: str
    one_calcification: str
    one_breast: str
    succeeded: str
    partially_succeeded: str
    failed: str
    not_attempted: str

    def number(self, value: float, digits: int = 0, *, signed: bool = False) -> str:
        """A number as the language writes it, with a true minus sign.

        >>> words("de").number(-12.34, 1)
        '−12,3'
        """
        text = f"{value:+.{digits}f}" if signed else f"{value:.{digits}f}"
        if not text.strip("+-0."):
            text = text.lstrip("+-")
        return text.replace("-", "−").replace(".", self.decimal_mark)

    def breast(self, laterality: Laterality) -> str:
        """The name of one breast."""
        return self.right_breast if laterality is Laterality.RIGHT else self.left_breast

    def composition(self, letter: str) -> str:
        """The meaning of a letter of breast composition (CID 6000); "" for any other letter."""
        return str(getattr(self, f"composition_{letter}", "")) if letter in ("a", "b", "c", "d") else ""

    def finding(self, kind: FindingKind, nature: Nature) -> str:
        """What a finding is called."""
        if kind is FindingKind.CALCIFICATION:
            return self.cluster
        return {Nature.ASYMMETRY: self.asymmetry, Nature.DISTORTION: self.distortion}.get(nature, self.mass)

    def meaning(self, code_value: str, otherwise: str) -> str:
        """The words for a code of a Mammography CAD report; `otherwise` where there are none.

        Parameters
        ----------
        code_value
            Of SNOMED CT (scheme SCT) or of PS3.16 (DCM).
        """
        name = _CODED.get(code_value)
        return otherwise if name is None else str(getattr(self, name))


_CODED = {
    "129716005": "composition_a",
    "129717001": "composition_b",
    "129718006": "composition_c",
    "129719003": "composition_d",
    "73056007": "right_breast",
    "80248007": "left_breast",
    "63762007": "both_breasts",
    "129793001": "mass",
    "129769006": "cluster",
    "129770007": "one_calcification",
    "24142002": "nipple",
    "76752008": "one_breast",
    "111222": "succeeded",
    "111223": "partially_succeeded",
    "111224": "failed",
    "111225": "not_attempted",
}


@cache
def _table() -> dict[str, dict[str, str]]:
    text = (files("reread.connectors.results") / "page_language.json").read_text(encoding="utf-8")
    table: dict[str, dict[str, str]] = json.loads(text)
    return table


def languages() -> tuple[str, ...]:
    """Codes (RFC 5646) of the languages that there are words for; English first."""
    return tuple(_table()["language_name"])


@cache
def words(language: str = ENGLISH) -> Words:
    """The words of a language; a region is ignored (``de-CH`` is ``de``).

    Raises
    ------
    SettingsInvalid
        There are no words for it.
    """
    code = language.replace("_", "-").split("-")[0].lower()
    if code not in languages():
        raise SettingsInvalid(f"no words for the language {language[:35]!r}; there are: {', '.join(languages())}")
    table = _table()
    names = [field.name for field in fields(Words) if field.name != "language"]
    return Words(language=code, **{name: table[name][code] for name in names})
