"""What a coded finding is in the words of our own tables: its kind and its nature."""

from __future__ import annotations

from reread.analytics.records import FindingKind, Nature
from reread.connectors.reports import codes as c
from reread.connectors.reports.cad_reading_findings import KINDS

NATURES = {
    c.MASS.value: Nature.MASS,
    "129788004": Nature.MASS,  # mammographic breast mass
    "4147007": Nature.MASS,  # mass
    "129790003": Nature.ASYMMETRY,  # asymmetric breast tissue
    "129792006": Nature.DISTORTION,  # architectural distortion of breast
    c.CLUSTER.value: Nature.CLUSTER,
}
"""SCT code of a finding -> nature"""


def kind_of(code: str) -> str:
    """Kind of a finding by its SCT code: mass for all natures of one, else that of a CAD report, else the code."""
    nature = NATURES.get(code)
    if nature is None:
        return KINDS.get(code, code)
    return (FindingKind.CALCIFICATION if nature is Nature.CLUSTER else FindingKind.MASS).value
