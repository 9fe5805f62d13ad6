"""TID 300 to 321 as rows: a measurement, its properties and what it was taken from (PS3.16 Annex A).

Rows whose concept or value is a parameter leave it open: TID 1500 binds the parameters to baseline groups, which
suggest codes and forbid none (PS3.16 6.1.9).
"""

from __future__ import annotations

from reread.connectors.reports import codes as c
from reread.connectors.reports.codes import Code
from reread.connectors.reports.templates_rows import HAS, INFERRED, MC, MOD, OBS, SELECTED, UC, M, Row, U, entry, xor
from reread.connectors.reports.value_sets import dcm

METHOD = Code("370129005", "SCT", "Measurement Method")
SITE = Code("363698007", "SCT", "Finding Site")
TOPOGRAPHY = Code("106233006", "SCT", "Topographical modifier")
EQUIVALENT = dcm("121050")
VALUE_MAP = dcm("126100")
VALUE_MAPS = ("1.2.840.10008.5.1.4.1.1.67",)
"""Real World Value Mapping Storage"""
_PLACES = xor("1", "2", "3", "6")
_SIGNALS = xor("1", "2", "3")

TABLE: tuple[Row, ...] = (
    # TID 300 Measurement
    entry((300, "1", 0), "", "NUM", M),
    entry((300, "1b", 1), "", "", M, includes=301),
    # TID 301 Measurement Content
    entry((301, "2", 0), MOD, "CODE", U, "1-n"),
    entry((301, "3", 0), MOD, "CODE", U, concept=METHOD),
    entry((301, "4", 0), MOD, "CODE", U, concept=c.DERIVATION),
    entry((301, "5", 0), MOD, "CODE", U, "1-n", concept=SITE),
    entry((301, "6", 1), MOD, "CODE", U, concept=c.LATERALITY, value_sets=(244,)),
    entry((301, "7", 1), MOD, "CODE", U, concept=TOPOGRAPHY),
    entry((301, "8", 0), HAS, "", U, includes=310),
    entry((301, "9", 0), INFERRED, "NUM", UC, "1-n", xor("9", "10")),
    entry((301, "10", 0), INFERRED, "NUM", UC, "1-n", xor("9", "10"), by_reference=True),
    entry((301, "11", 0), INFERRED, "", UC, "1", xor("11", "12"), includes=315),
    entry((301, "12", 0), INFERRED, "TEXT", UC, "1", xor("11", "12"), concept_sets=(228,)),
    entry((301, "13", 0), "", "", U, "1-n", includes=320),
    entry((301, "14", 0), "", "", U, "1-n", includes=321),
    entry((301, "15", 0), "", "", U, includes=1000),
    entry((301, "16", 0), MOD, "TEXT", U, concept=EQUIVALENT),
    entry((301, "16b", 0), MOD, "CODE", U, concept=EQUIVALENT),
    entry((301, "17", 0), OBS, "", U, includes=4108),
    entry((301, "18", 0), INFERRED, "COMPOSITE", U, concept=VALUE_MAP, sop_classes=VALUE_MAPS),
    entry((301, "19", 0), MOD, "", U, includes=4019),
    # TID 310 Measurement Properties
    entry((310, "1", 0), "", "CODE", U, concept=dcm("121402"), value_sets=(222,)),
    entry((310, "2", 0), "", "", U, includes=311),
    entry((310, "3", 0), "", "", U, includes=312),
    entry((310, "4", 0), "", "CODE", U, concept=dcm("121403"), value_sets=(220,)),
    entry((310, "5", 0), "", "NUM", U, "1-n", concept_sets=(225,)),
    entry((310, "6", 0), "", "CODE", U, concept=dcm("121404"), value_sets=(224,)),
    # TID 311 Measurement Statistical Properties
    entry((311, "1", 0), "", "NUM", M, "1-n", concept_sets=(221,)),
    entry((311, "2", 0), "", "TEXT", U, concept=dcm("121405")),
    entry((311, "3", 0), "", "TEXT", UC, "1", xor("3", "4"), concept=dcm("121406")),
    entry((311, "4", 0), "", "CODE", UC, "1", xor("3", "4"), concept=dcm("121406")),
    # TID 312 Normal Range Properties
    entry((312, "1", 0), "", "NUM", M, "1-n", concept_sets=(223,)),
    entry((312, "2", 0), "", "TEXT", U, concept=dcm("121407")),
    entry((312, "3", 0), "", "TEXT", UC, "1", xor("3", "4"), concept=dcm("121408")),
    entry((312, "4", 0), "", "CODE", UC, "1", xor("3", "4"), concept=dcm("121408")),
    # TID 315 Equation or Table
    entry((315, "1", 0), "", "CODE", M, concept_sets=(228,)),
    entry((315, "2", 1), HAS, "NUM", U, "1-n"),
    entry((315, "3", 1), HAS, "NUM", U, "1-n", by_reference=True),
    # TID 320 Image or Spatial Coordinates
    entry((320, "1", 0), INFERRED, "IMAGE", MC, "1", _PLACES),
    entry((320, "2", 0), INFERRED, "IMAGE", MC, "1", _PLACES, by_reference=True),
    entry((320, "3", 0), INFERRED, "SCOORD", MC, "1", _PLACES),
    entry((320, "4", 1), SELECTED, "IMAGE", MC, "1", xor("4", "5")),
    entry((320, "5", 1), SELECTED, "IMAGE", MC, "1", xor("4", "5"), by_reference=True),
    entry((320, "6", 0), INFERRED, "SCOORD3D", MC, "1", _PLACES),
    # TID 321 Waveform or Temporal Coordinates
    entry((321, "1", 0), INFERRED, "WAVEFORM", MC, "1", _SIGNALS),
    entry((321, "2", 0), INFERRED, "WAVEFORM", MC, "1", _SIGNALS, by_reference=True),
    entry((321, "3", 0), INFERRED, "TCOORD", MC, "1", _SIGNALS),
    entry((321, "4", 1), SELECTED, "WAVEFORM", MC, "1", xor("4", "5")),
    entry((321, "5", 1), SELECTED, "WAVEFORM", MC, "1", xor("4", "5"), by_reference=True),
)
