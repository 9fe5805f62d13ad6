"""A finding as a plain record, with all that is said of it: numbers, codes, texts and coordinates.

Codes are kept as they were written; comparisons go by `modern_value`. Coordinates are those of Reread: (x_px, y_px)
from the centre of the first pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, pi, sin

from reread.analytics.records import Contour, Laterality, Nature
from reread.connectors.reports import codes as c
from reread.connectors.reports import private_codes as own
from reread.connectors.reports.code_profiles import modern_value
from reread.connectors.reports.codes import Code

Path = tuple[int, ...]
"""place in the document, from the root (1,)"""
_IN_MM = {"mm": 1.0, "cm": 10.0, "um": 0.001, "m": 1000.0}
_IN_MM2 = {"mm2": 1.0, "cm2": 100.0}
_AXIS = 2
LATERALITIES = {c.LEFT_BREAST.value: Laterality.LEFT, c.RIGHT_BREAST.value: Laterality.RIGHT}
METHODS = {c.TWO_DIMENSIONAL.value: "2d", c.THREE_DIMENSIONAL.value: "3d"}


@dataclass(frozen=True, slots=True)
class CadAlgorithm:
    """TID 4019; "" where it does not say."""

    name: str = ""
    version: str = ""
    parameters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CadGraphic:
    """Coordinates on an image; a closed line does not repeat its first point."""

    concept: Code
    graphic_type: str
    points: Contour
    sop_instance_uid: str
    """"" when the report does not say"""
    closed: bool = False


@dataclass(frozen=True, slots=True)
class CadQuantity:
    """A number with all that qualifies it."""

    concept: Code
    value: float
    unit: Code | None
    path: Path
    derivation: Code | None = None
    breast: Code | None = None
    description: str = ""
    """of the calculation; density categories stand here"""
    along: CadGraphic | None = None
    """what a length was measured along"""

    @property
    def name(self) -> str:
        """Code value of the concept, SCT where it has one."""
        return modern_value(self.concept.value)

    @property
    def laterality(self) -> Laterality | None:
        """None: both breasts, or not said."""
        return LATERALITIES.get(modern_value(self.breast.value)) if self.breast else None

    @property
    def method(self) -> str:
        """2d, 3d, or "" when the derivation says neither."""
        return METHODS.get(modern_value(self.derivation.value), "") if self.derivation else ""

    def within(self, units: dict[str, float]) -> float | None:
        """The value in the unit that `units` gives factors to; None when its own is none of them."""
        factor = units.get(self.unit.value) if self.unit else None
        return None if factor is None else self.value * factor


@dataclass(frozen=True, slots=True)
class CadQuality:
    """A coded property."""

    concept: Code
    value: Code


@dataclass(frozen=True, slots=True)
class CadText:
    """A property in words."""

    concept: Code
    value: str


@dataclass(frozen=True, slots=True)
class CadFinding:
    """One single image finding."""

    path: Path
    code: Code
    kind: str
    """mass, calcification (a cluster), single calcification, nipple, breast geometry, breast composition, selected
    region, image quality, or the code value of another finding"""
    intent: str
    """required, optional, not presented, or "" """
    operating_point: int | None
    """0 when presentation is required; None when optional without a point, or not for presentation"""
    algorithm: CadAlgorithm
    sop_instance_uid: str
    """of the image; "" when the report does not say"""
    quantities: tuple[CadQuantity, ...] = ()
    qualities: tuple[CadQuality, ...] = ()
    texts: tuple[CadText, ...] = ()
    graphics: tuple[CadGraphic, ...] = ()
    members: tuple[CadFinding, ...] = ()
    """single calcifications of a cluster"""

    def quantity(self, concept: Code) -> CadQuantity | None:
        """The first number of a concept."""
        return next((item for item in self.quantities if item.name == concept.value), None)

    def graphic(self, concept: Code) -> CadGraphic | None:
        """The first coordinates of a concept."""
        return next((item for item in self.graphics if modern_value(item.concept.value) == concept.value), None)

    def length_mm(self, concept: Code) -> float | None:
        """A length in mm; None without it, or in a unit that is not known."""
        found = self.quantity(concept)
        return None if found is None else found.within(_IN_MM)

    def number(self, concept: Code) -> float | None:
        """A number as it stands."""
        found = self.quantity(concept)
        return None if found is None else found.value

    @property
    def center(self) -> tuple[float, float] | None:
        """(x_px, y_px)"""
        found = self.graphic(c.CENTER)
        return found.points[0] if found and found.points else None

    @property
    def x_px(self) -> float:
        """Column of the centre; nan without one."""
        return self.center[0] if self.center else float("nan")

    @property
    def y_px(self) -> float:
        """Row of the centre; nan without one."""
        return self.center[1] if self.center else float("nan")

    @property
    def outline(self) -> Contour:
        """Vertices; of an ellipse 36 points on it."""
        found = self.graphic(c.OUTLINE)
        return _contour(found) if found else ()

    @property
    def outer_margin(self) -> Contour:
        """Outer limits of a fuzzy margin."""
        found = self.graphic(c.OUTER_MARGIN)
        return _contour(found) if found else ()

    @property
    def size_mm(self) -> float | None:
        """Long axis."""
        return self.length_mm(c.LONG_AXIS)

    @property
    def long_axis(self) -> Contour:
        """Its two ends."""
        found = self.quantity(c.LONG_AXIS)
        return found.along.points if found and found.along and len(found.along.points) == _AXIS else ()

    @property
    def area_mm2(self) -> float | None:
        """Area of a mass or a cluster."""
        found = self.quantity(c.AREA)
        return None if found is None else found.within(_IN_MM2)

    @property
    def nipple_distance_mm(self) -> float | None:
        """Distance from nipple."""
        return self.length_mm(c.NIPPLE_DISTANCE)

    @property
    def chest_wall_distance_mm(self) -> float | None:
        """Distance from chest wall."""
        return self.length_mm(c.CHEST_WALL_DISTANCE)

    @property
    def certainty_percent(self) -> float | None:
        """Certainty of Finding."""
        return self.number(c.CERTAINTY)

    @property
    def calcification_count(self) -> int | None:
        """Number of calcifications as stated."""
        found = self.number(c.CALCIFICATION_COUNT)
        return None if found is None else round(found)

    @property
    def score(self) -> float | None:
        """Detector score of a report of ours."""
        return self.number(own.SCORE)

    @property
    def evidence(self) -> float | None:
        """Detector evidence of a report of ours."""
        return self.number(own.EVIDENCE)

    @property
    def contrast_percent(self) -> float | None:
        """As defined by `Shape`, of a report of ours."""
        return self.number(own.CONTRAST)

    @property
    def margin_mm(self) -> float | None:
        """As defined by `Shape`, of a report of ours."""
        return self.length_mm(own.MARGIN_WIDTH)

    @property
    def spiculation_percent(self) -> float | None:
        """As defined by `Shape`, of a report of ours."""
        return self.number(own.SPICULATION)

    @property
    def nature(self) -> Nature | None:
        """What a finding of ours looks like."""
        found = self.quantity(own.SCORE)
        return Nature(found.description) if found and found.description in set(Nature) else None

    @property
    def identifier(self) -> int | None:
        """Place in the result of its image, from 1, of a report of ours."""
        return _whole(self.number(own.FINDING_IDENTIFIER))

    @property
    def match(self) -> int | None:
        """Number of the place that it shows, of a report of ours."""
        return _whole(self.number(own.PLACE_IDENTIFIER))

    @property
    def composite(self) -> int | None:
        """Number of the composite that it belongs to, of a report of ours."""
        return _whole(self.number(own.COMPOSITE_IDENTIFIER))


@dataclass(frozen=True, slots=True)
class CadComposite:
    """A composite feature; temporal and contralateral ones of others look the same."""

    path: Path
    code: Code
    intent: str
    relation: Code | None
    """CID 6035"""
    scope: Code | None
    """CID 6036"""
    algorithm: CadAlgorithm
    findings: tuple[int, ...]
    """places in `CadReport.findings` of all that is below, by value or by reference"""
    within: int | None = None
    """place in `CadReport.composites` of the one that it is part of"""
    quantities: tuple[CadQuantity, ...] = ()
    qualities: tuple[CadQuality, ...] = ()
    texts: tuple[CadText, ...] = ()
    graphics: tuple[CadGraphic, ...] = ()


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)


def _contour(graphic: CadGraphic) -> Contour:
    ends = graphic.points
    if graphic.graphic_type == "CIRCLE" and len(ends) == _AXIS:
        (x, y), (rim_x, rim_y) = ends
        across, up = (rim_x - x, rim_y - y), (y - rim_y, rim_x - x)
    elif graphic.graphic_type == "ELLIPSE" and len(ends) == 2 * _AXIS:
        (left, top), (right, bottom) = ends[0], ends[1]
        x, y = (left + right) / 2, (top + bottom) / 2
        across, up = (right - x, bottom - y), (ends[3][0] - x, ends[3][1] - y)
    else:
        return ends
    angles = [2 * pi * step / 36 for step in range(36)]
    return tuple(
        (x + across[0] * cos(angle) + up[0] * sin(angle), y + across[1] * cos(angle) + up[1] * sin(angle))
        for angle in angles
    )
