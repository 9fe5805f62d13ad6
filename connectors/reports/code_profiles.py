"""Code schemes as a profile: SCT, or the SRT and SNM3 of older workstations; and back to SCT when reading."""

from __future__ import annotations

from functools import cache

from pydicom.sr import _snomed_dict

from reread.analytics.records import View
from reread.connectors.reports import codes as c
from reread.connectors.reports.codes import Code
from reread.connectors.reports.report_options import CodeProfile
from reread.connectors.view_codes import MODIFIER_CODES, VIEW_SCT, VIEW_SRT

_SNM3_HERE = {c.LEFT_BREAST.value, c.RIGHT_BREAST.value, c.NIPPLE.value, c.LONG_AXIS.value, c.AREA.value}
"""concepts that workstations of the time know in SNM3 only (R0.176, R0.238, R0.255, R1.215)"""
_BY_STANDARD: dict[str, str] = _snomed_dict.mapping["SCT"]
_OURS = (
    c.LEFT_BREAST,
    c.RIGHT_BREAST,
    c.BOTH_BREASTS,
    c.LATERALITY,
    c.MASS,
    c.CLUSTER,
    c.CALCIFICATION,
    c.COMPOSITION,
    c.NIPPLE,
    c.LONG_AXIS,
    c.AREA,
    c.ESTIMATED,
    c.COLLOCATION_ANALYSIS,
    c.QUALITY_ANALYSIS,
    c.COMPOSITION_ANALYSIS,
    *c.COMPOSITIONS.values(),
    *c.MODIFIERS.values(),
)
LEGACY: dict[str, tuple[str, str]] = {
    **{code.value: (_BY_STANDARD[code.value], "SNM3" if code.value in _SNM3_HERE else "SRT") for code in _OURS},
    **{VIEW_SCT[view]: (VIEW_SRT[view], "SRT") for view in View},
}
"""SCT code → code value and scheme of the legacy profile"""
_SNM3_VIEWS = (View.ML, View.MLO, View.LM, View.LMO, View.CC, View.FB, View.SIO)
_SNM3_MODIFIERS = (
    "cleavage",
    "axillary tail",
    "rolled lateral",
    "rolled medial",
    "implant displaced",
    "magnification",
    "spot compression",
    "tangential",
)
SNM3: dict[str, str] = {
    **{VIEW_SCT[view]: VIEW_SRT[view] for view in _SNM3_VIEWS},
    VIEW_SCT[View.XCCL]: "Y-X1770",
    VIEW_SCT[View.XCCM]: "Y-X1771",
    **{sct: old for old, sct in (MODIFIER_CODES[name] for name in _SNM3_MODIFIERS)},
}
"""SCT code of a view or its modifier → SNM3 (R1.277 without its misprint of MLO, R1.278); what it lacks is SRT.

dciodvfy calls the codes of the exaggerated views deprecated: who asks for this profile has a workstation that knows no
others.
"""
_ENGLISH = Code("en", "RFC3066", "English")
_MODERN = {legacy: sct for sct, (legacy, _) in LEGACY.items()}
# SNM3 of older devices (R1.277), and a misprint that devices copied
_MODERN |= {"Y-X1770": VIEW_SCT[View.XCCL], "Y-X1771": VIEW_SCT[View.XCCM], "R-10266": VIEW_SCT[View.MLO]}


@cache
def in_profile(code: Code, profile: CodeProfile, scheme: str = "") -> Code:
    """The code as the profile writes it; `scheme` in place of the one that the legacy profile has for it."""
    if profile is CodeProfile.SCT:
        return code
    if profile is CodeProfile.SNM3 and code.scheme == "SCT" and code.value in SNM3:
        return Code(SNM3[code.value], "SNM3", code.meaning)
    if code.scheme == "SCT":
        value, usual = LEGACY[code.value]
        return Code(value, scheme or usual, code.meaning)
    return _ENGLISH if code == c.ENGLISH else code


def modern_value(value: str) -> str:
    """The SCT value of a value of SRT or SNM3; every other value as it is."""
    return _MODERN.get(value) or _snomed_dict.mapping["SRT"].get(value, value)
