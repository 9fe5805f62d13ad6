"""Which content item may have which relationship to which other: the tables A.35.x-2 of PS3.3, one per SR IOD."""

from __future__ import annotations

from dataclasses import dataclass

_PLAIN = frozenset({"TEXT", "CODE", "NUM", "DATETIME", "DATE", "TIME", "UIDREF", "PNAME"})
_OBJECTS = frozenset({"COMPOSITE", "IMAGE", "WAVEFORM"})
_COORDINATES = frozenset({"SCOORD", "TCOORD"})
_CONTAINER = frozenset({"CONTAINER"})
_MODIFIERS = frozenset({"TEXT", "CODE"})
_VALUED = frozenset({"TEXT", "CODE", "NUM"})
_ACQUIRED = frozenset({"CONTAINER", "IMAGE", "WAVEFORM", "COMPOSITE"})
_NUMBERS = frozenset({"NUM"})
_DATES = frozenset({"DATE", "TIME"})
ANY = frozenset({"*"})
VALUE_TYPES = _PLAIN | _OBJECTS | _COORDINATES | _CONTAINER | {"SCOORD3D", "TABLE"}


@dataclass(frozen=True, slots=True)
class Allowed:
    """One row of a relationship table."""

    relationship: str
    sources: frozenset[str]
    targets: frozenset[str]
    by_reference: bool = False
    """also by reference; containers never, which would make loops"""


@dataclass(frozen=True, slots=True)
class SrIod:
    """What an SR IOD allows in its content tree."""

    name: str
    clause: str
    """of PS3.3"""
    rows: tuple[Allowed, ...]
    root_template: str = ""
    modality: str = "SR"
    by_reference: bool = False

    def allows(self, source: str, relationship: str, target: str, *, by_reference: bool) -> bool:
        """Whether the relationship is in the table."""
        return any(
            row.relationship == relationship
            and (row.sources is ANY or source in row.sources)
            and target in row.targets
            and (row.by_reference or not by_reference)
            for row in self.rows
        )


_SELECTED = (
    Allowed("SELECTED FROM", frozenset({"SCOORD"}), frozenset({"IMAGE"}), by_reference=True),
    Allowed("SELECTED FROM", frozenset({"TCOORD"}), frozenset({"SCOORD", "SCOORD3D", "IMAGE", "WAVEFORM"}), True),
)
_TEXTUAL = _PLAIN - _NUMBERS
_BASIC = (
    Allowed("CONTAINS", _CONTAINER, _TEXTUAL | _OBJECTS | _CONTAINER),
    Allowed("HAS OBS CONTEXT", _CONTAINER, _TEXTUAL | {"COMPOSITE"}),
    Allowed("HAS ACQ CONTEXT", _ACQUIRED, _TEXTUAL),
    Allowed("HAS CONCEPT MOD", ANY, _MODIFIERS),
    Allowed("HAS PROPERTIES", frozenset({"TEXT"}), _TEXTUAL | _OBJECTS),
    Allowed("HAS PROPERTIES", frozenset({"PNAME"}), _TEXTUAL),
    Allowed("INFERRED FROM", frozenset({"TEXT"}), _TEXTUAL | _OBJECTS),
)
_ENHANCED = (
    Allowed("CONTAINS", _CONTAINER, _PLAIN | _OBJECTS | _COORDINATES | _CONTAINER),
    Allowed("HAS OBS CONTEXT", _CONTAINER, _PLAIN | {"COMPOSITE"}),
    Allowed("HAS ACQ CONTEXT", _ACQUIRED, _PLAIN),
    Allowed("HAS CONCEPT MOD", ANY, _MODIFIERS),
    Allowed("HAS PROPERTIES", _VALUED, _PLAIN | _OBJECTS | _COORDINATES),
    Allowed("HAS PROPERTIES", frozenset({"PNAME"}), _TEXTUAL),
    Allowed("INFERRED FROM", _VALUED, _PLAIN | _OBJECTS | _COORDINATES),
    *_SELECTED,
)


def _comprehensive(coordinates: frozenset[str]) -> tuple[Allowed, ...]:
    everything = _PLAIN | _OBJECTS | coordinates | _CONTAINER
    return (
        Allowed("CONTAINS", _CONTAINER, everything - _CONTAINER, by_reference=True),
        Allowed("CONTAINS", _CONTAINER, _CONTAINER),
        Allowed("HAS OBS CONTEXT", _CONTAINER | _VALUED, _PLAIN | {"COMPOSITE"}, by_reference=True),
        Allowed("HAS ACQ CONTEXT", _ACQUIRED | _NUMBERS, _PLAIN | _CONTAINER, by_reference=True),
        Allowed("HAS CONCEPT MOD", ANY, _MODIFIERS),
        Allowed("HAS PROPERTIES", _VALUED, everything, by_reference=True),
        Allowed("HAS PROPERTIES", frozenset({"PNAME"}), _TEXTUAL, by_reference=True),
        Allowed("INFERRED FROM", _VALUED, everything, by_reference=True),
        *_SELECTED,
    )


_KEY_OBJECTS = (
    Allowed("CONTAINS", _CONTAINER, _OBJECTS | {"TEXT"}),
    Allowed("HAS OBS CONTEXT", _CONTAINER, frozenset({"TEXT", "CODE", "UIDREF", "PNAME"})),
    Allowed("HAS CONCEPT MOD", _CONTAINER, frozenset({"CODE"})),
)
_MAMMOGRAPHY_TARGETS = _VALUED | _CONTAINER | {"IMAGE", "SCOORD"}
_MAMMOGRAPHY = (
    Allowed("CONTAINS", _CONTAINER, _MAMMOGRAPHY_TARGETS | {"DATE"}),
    Allowed("HAS OBS CONTEXT", _CONTAINER | _VALUED, (_PLAIN - {"DATETIME"}) | {"COMPOSITE"}),
    # UIDREF came with the frame of reference of TID 4020 row 17
    Allowed("HAS ACQ CONTEXT", frozenset({"IMAGE"}), _VALUED | _DATES | {"UIDREF"}),
    Allowed("HAS CONCEPT MOD", _CONTAINER | {"CODE", "NUM", "COMPOSITE"}, _MODIFIERS),
    Allowed("HAS PROPERTIES", _VALUED, _MAMMOGRAPHY_TARGETS | {"DATE", "UIDREF"}, by_reference=True),
    Allowed("INFERRED FROM", _VALUED - {"TEXT"}, _MAMMOGRAPHY_TARGETS, by_reference=True),
    Allowed("SELECTED FROM", frozenset({"SCOORD"}), frozenset({"IMAGE"}), by_reference=True),
)
_DOSE = (
    Allowed("CONTAINS", _CONTAINER, (_PLAIN - _DATES) | {"IMAGE", "COMPOSITE"} | _CONTAINER),
    Allowed("HAS OBS CONTEXT", _CONTAINER | _VALUED, (_PLAIN - _DATES) | {"COMPOSITE"} | _CONTAINER),
    Allowed("HAS ACQ CONTEXT", _ACQUIRED, (_PLAIN - _DATES) | _CONTAINER),
    Allowed("HAS CONCEPT MOD", ANY, _MODIFIERS),
    Allowed("HAS PROPERTIES", _VALUED, (_PLAIN - _DATES) | {"IMAGE", "COMPOSITE"} | _CONTAINER),
    Allowed("HAS PROPERTIES", frozenset({"PNAME"}), _TEXTUAL),
    Allowed("INFERRED FROM", _VALUED, (_PLAIN - _DATES) | {"IMAGE", "COMPOSITE"} | _CONTAINER),
)
_PREFIX = "1.2.840.10008.5.1.4.1.1.88."
MAMMOGRAPHY_CAD_SR = _PREFIX + "50"
KEY_OBJECTS = _PREFIX + "59"
SR_IODS = {
    _PREFIX + "11": SrIod("Basic Text SR", "A.35.1", _BASIC),
    _PREFIX + "22": SrIod("Enhanced SR", "A.35.2", _ENHANCED),
    _PREFIX + "33": SrIod("Comprehensive SR", "A.35.3", _comprehensive(_COORDINATES), by_reference=True),
    KEY_OBJECTS: SrIod("Key Object Selection", "A.35.4", _KEY_OBJECTS, "2010", "KO"),
    MAMMOGRAPHY_CAD_SR: SrIod("Mammography CAD SR", "A.35.5", _MAMMOGRAPHY, "4000", by_reference=True),
    _PREFIX + "67": SrIod("X-Ray Radiation Dose SR", "A.35.8", _DOSE),
    _PREFIX + "34": SrIod(
        "Comprehensive 3D SR", "A.35.13", _comprehensive(_COORDINATES | {"SCOORD3D"}), by_reference=True
    ),
}
"""SOP Class UID → IOD; other SR classes are held to the rules that all share"""
