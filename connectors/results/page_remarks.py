"""What pages say about the quality of an image, in words; from the columns of the quality table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reread.connectors.results.page_language import Words


@dataclass(frozen=True, slots=True)
class RemarkLimits:
    """From where on a page remarks on something; the tables hold every number, remarked on or not."""

    cut_mm: float = 5.0
    """length of breast at a border of the image"""
    muscle_short_mm: float = 10.0
    """muscle that ends this far above the level of the nipple (European guidelines 2006, chapter 3: to that level)"""
    nipple_line_mm: float = 10.0
    """difference of the posterior nipple lines of two views (the same guidelines: within 1 cm)"""
    clipped: float = 0.02
    """share of the breast at the lowest or highest value"""


def image_remarks(columns: Mapping[str, Any], words: Words, limits: RemarkLimits | None = None) -> tuple[str, ...]:
    """Remarks on one image, the graver first; none for a good one.

    Parameters
    ----------
    columns
        As the quality table has them (`quality_columns`); what is None is not remarked on.
    """
    limits = limits or RemarkLimits()
    found = []
    for name, text in (("cut_front", words.cut_front), ("cut_above", words.cut_above), ("cut_below", words.cut_below)):
        length_mm = columns[f"{name}_mm"]
        # the upper border cuts every oblique view through the axilla, the lower one ends below the fold
        usual = columns["view"] not in ("CC", "XCCL", "XCCM", "FB") and name != "cut_front"
        if length_mm is not None and length_mm >= limits.cut_mm and not usual:
            found.append(text.format(mm=words.number(length_mm)))
    below_mm = columns["muscle_below_nipple_level_mm"]
    if below_mm is not None and below_mm <= -limits.muscle_short_mm and not columns["muscle_reaches_nipple_level"]:
        found.append(words.muscle_short.format(mm=words.number(-below_mm)))
    if columns["nipple_in_profile"] is False:
        found.append(words.nipple_not_in_profile)
    if columns["fold_on_image"] is False:
        found.append(words.fold_missing)
    for name, text in (("clipped_bright", words.clipped_bright), ("clipped_dark", words.clipped_dark)):
        share = columns[name]
        if share is not None and share >= limits.clipped:
            found.append(text.format(percent=words.number(100 * share)))
    if columns["spacing_known"] is False:
        found.append(words.size_unknown)
    return tuple(found)


def nipple_line_remark(difference_mm: float | None, words: Words, limits: RemarkLimits | None = None) -> str:
    """On the posterior nipple lines of the two views of one breast; "" when they agree or are not known."""
    limits = limits or RemarkLimits()
    if difference_mm is None or abs(difference_mm) <= limits.nipple_line_mm:
        return ""
    return words.nipple_line.format(mm=words.number(difference_mm, signed=True))
