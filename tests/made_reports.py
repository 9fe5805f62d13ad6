"""A Mammography CAD SR that has every row of TID 4000 to 4023, made through the table of templates.

No measurement gives a report like this one; it is there so that every row is written, read and accepted once.
"""

from __future__ import annotations

from pydicom.dataset import Dataset
from report_files import IMAGES, MAMMOGRAM, as_dataset, surround

from reread.connectors.reports import codes as c
from reread.connectors.reports.codes import Code
from reread.connectors.reports.content_items import Item
from reread.connectors.reports.report_options import CodeProfile
from reread.connectors.reports.templates import row
from reread.connectors.reports.templates_items import fitted, item
from reread.connectors.reports.value_sets import dcm, members

ROWS, COLUMNS = 400, 300
CONTAINS, HAS, INFERRED = "CONTAINS", "HAS PROPERTIES", "INFERRED FROM"
MASS_FEATURE = Code("129788004", "SCT", "Mammographic breast mass")
LONG_AXIS, AREA = Code("103339001", "SCT", "Long axis"), Code("42798000", "SCT", "Area")
DEFINED_AREA, VOLUME = Code("131184002", "SCT", "Area of defined region"), Code("118565006", "SCT", "Volume")
MM2, MM3 = Code("mm2", "UCUM", "square millimeter"), Code("mm3", "UCUM", "cubic millimeter")


class Builder:
    """Items by template and row; the images first, for the references."""

    def __init__(self) -> None:
        self.images = [self._image(uid) for uid in IMAGES]

    def of(self, template: int, number: int | str, value: object = None, *below: Item, **rest: object) -> Item:
        return item(row(template, number), value, below, **rest)  # type: ignore[arg-type]

    def referring(self, template: int, number: int | str, target: Item) -> Item:
        entry = row(template, number)
        return fitted(entry, Item(entry.relationship, "", target=target))

    def graphic(
        self, template: int, number: int | str, kind: str, points: tuple[float, ...], *below: Item, **rest: object
    ) -> Item:
        entry = row(template, number)
        concept = rest.get("concept") or entry.concept
        relationship = str(rest.get("relationship") or entry.relationship or HAS)
        made = Item(relationship, "SCOORD", concept, below, graphic_type=kind, graphic=points)  # type: ignore[arg-type]
        return fitted(entry, made)

    def _image(self, uid: str) -> Item:
        of = self.of
        plane = [of(4020, number, 0.5) for number in range(18, 27)]
        return of(
            4020,
            1,
            (MAMMOGRAM, uid),
            of(4020, 2, c.LEFT_BREAST),
            of(4020, 3, members(4014)[7], of(4020, 4, members(4015)[0])),
            of(4020, 5, "A"),
            of(4020, 6, "FL"),
            of(4020, 7, "20260102"),
            of(4020, 8, "101112"),
            of(4020, 9, "20260102"),
            of(4020, 10, "101113.5"),
            of(4020, 11, 70.0, unit=c.MICROMETER),
            of(4020, 12, 0.07, unit=c.MILLIMETER),
            of(4020, 13, 45.0),
            of(4020, 14, 0.0),
            of(4020, 15, 1.0),
            of(4020, 16, 1.0),
            of(4020, 17, "2.25.99"),
            *plane,
            of(4020, 27, ROWS),
            of(4020, 28, COLUMNS),
        )

    def algorithm(self, relationship: str, *, full: bool = False) -> list[Item]:
        if not full:
            return [self.of(4019, number, "1.0", relationship=relationship) for number in (1, 2)]
        return [
            self.of(4019, 1, "sample", relationship=relationship),
            self.of(4019, "1b", Code("T1", "99TEST", "Sample"), relationship=relationship),
            self.of(4019, 2, "1.0", relationship=relationship),
            self.of(4019, "2b", "Nobody", relationship=relationship),
            self.of(4019, 3, "threshold 1", relationship=relationship),
            self.of(4019, 4, Code("T2", "99TEST", "Family"), relationship=relationship),
        ]

    def tracking(self) -> list[Item]:
        return [self.of(4108, 1, "place 1"), self.of(4108, 2, "2.25.98")]

    def source(self) -> Item:
        language = self.of(1204, 1, c.ENGLISH, self.of(1204, 2, c.UNITED_STATES))
        made = Item(
            "HAS OBS CONTEXT",
            "COMPOSITE",
            row(4022, 1).concept,
            (language,),
            instance=("1.2.840.10008.5.1.4.1.1.88.50", "2.25.13"),
        )
        return fitted(row(4022, 1), made)

    def body(self, relationship: str) -> list[Item]:
        def of(number: int, value: object, *below: Item, **rest: object) -> Item:
            return self.of(4002, number, value, *below, relationship=relationship, **rest)

        def side(number: int) -> Item:
            return self.of(4002, number, c.LEFT_BREAST)

        return [
            of(1, members(6026)[0], side(2)),
            of(3, members(6002)[0], side(4)),
            of(5, "an impression"),
            of(6, members(6028)[0], side(7)),
            of(8, 6, unit=members(6046)[1]) if relationship == HAS else of(9, "20270102"),
            of(10, 50.0),
            *self.algorithm(relationship, full=True),
            of(
                12,
                23.0,
                side(13),
                self.of(4002, 14, c.TWO_DIMENSIONAL),
                self.of(4002, 15, "b"),
                concept=c.TISSUE_DENSITY,
                unit=c.PERCENT,
            ),
        ]

    def measured(self, image: Item, *, full: bool = False) -> list[Item]:
        """TID 1400 to 1402, by coordinates or without; a CAD report tells the place in no other way (TID 4011-4)."""
        if not full:
            return [
                self.of(1400, 1, 12.0, concept=LONG_AXIS, unit=c.MILLIMETER),
                self.of(1401, 1, 9.0, concept=AREA, unit=MM2),
                self.of(1402, 1, 9.0, concept=VOLUME, unit=MM3),
            ]
        path = self.graphic(1400, 2, "POLYLINE", (1, 1, 9, 9), self.referring(1400, 3, image))
        vertices = [self.graphic(1400, 5, "POINT", (2, place), self.referring(1400, 6, image)) for place in (1, 2)]
        outline = self.graphic(1401, 2, "CIRCLE", (20, 20, 25, 20), self.referring(1401, 3, image))
        perimeter = self.graphic(1402, 2, "CIRCLE", (20, 20, 25, 20), self.referring(1402, 3, image))
        tracking = self.tracking()
        return [
            self.of(1400, 1, 12.0, path, *tracking, concept=LONG_AXIS, unit=c.MILLIMETER),
            self.of(1400, 1, 3.0, *vertices, concept=c.NIPPLE_DISTANCE, unit=c.MILLIMETER),
            self.of(
                1401, 1, 9.0, outline, self.of(1401, 7, members(7473)[0]), *tracking, concept=DEFINED_AREA, unit=MM2
            ),
            self.of(1401, 1, 9.0, concept=AREA, unit=MM2),
            self.of(1402, 1, 9.0, perimeter, self.of(1402, 7, members(7474)[0]), *tracking, concept=VOLUME, unit=MM3),
        ]

    def geometry(self, image: Item, relationship: str = HAS) -> list[Item]:
        closed = (10.0, 10.0, 30.0, 10.0, 30.0, 30.0, 10.0, 10.0)
        rest = {"relationship": relationship}
        return [
            self.graphic(4021, 1, "POINT", (20, 20), self.referring(4021, 2, image), **rest),
            self.graphic(4021, 3, "POLYLINE", closed, self.referring(4021, 4, image), **rest),
            self.graphic(4021, 5, "POLYLINE", closed, self.referring(4021, 6, image), concept=dcm("113663"), **rest),
        ]

    def finding(
        self, kind: Code, *below: Item, relationship: str = CONTAINS, intent: Item | None = None, more: bool = False
    ) -> Item:
        """TID 4006 with what all kinds have in common; `below` comes after the algorithm."""
        intent = intent or self.of(4006, 2, c.REQUIRED)
        tracking = self.tracking() if more else []
        last = [self.source()] if more else []
        return self.of(4006, 1, kind, intent, *tracking, *self.algorithm(HAS), *below, *last, relationship=relationship)

    def calculated(self) -> Item:
        derived = (self.of(4006, 23, c.TWO_DIMENSIONAL), self.of(4006, 24, "how"))
        return self.of(4006, 22, 7.0, *derived, concept=dcm("112200"), unit=c.MILLIMETER)

    def findings(self) -> list[Item]:
        image = self.images[0]
        chance = (self.of(4006, 6, 80.0), self.of(4006, 7, 60.0))
        place = self.geometry(image)
        optional = self.of(4006, 2, c.OPTIONAL, self.of(4006, 3, 1, unit=c.ONE_TO_TWO))
        breast = self.finding(
            c.BREAST_GEOMETRY,
            self.graphic(4008, 1, "POLYLINE", (1, 1, 9, 1, 9, 9, 1, 1), self.referring(4008, 2, image)),
            self.graphic(4008, 3, "POLYLINE", (1, 1, 5, 1, 5, 5, 1, 1), self.referring(4008, 4, image)),
        )
        single = self.finding(
            c.CALCIFICATION,
            *place,
            self.of(4009, 1, members(6010)[0]),
            *self.measured(image, full=True),
            relationship=INFERRED,
        )
        region = self.graphic(4006, 19, "CIRCLE", (20, 20, 25, 20), self.referring(4006, 20, image))
        quality = self.of(
            4014,
            1,
            members(6041)[0],
            self.of(4014, 2, members(6044)[0]),
            self.of(4014, 3, members(6045)[0]),
            self.of(4014, 4, 40.0, unit=c.PERCENT),
        )
        non_lesion = dcm("111102")
        return [
            breast,
            self.finding(
                c.COMPOSITION,
                self.of(4007, 1, c.COMPOSITIONS["b"]),
                self.of(4007, 2, 23.0),
                self.referring(4006, 10, breast),
                self.calculated(),
            ),
            self.finding(c.NIPPLE, *place, self.of(4006, 15, members(6039)[0])),
            self.finding(
                c.MASS,
                *chance,
                *place,
                self.of(4011, 1, members(6008)[0]),
                self.of(4011, 2, members(6004)[0]),
                self.of(4011, 3, members(6006)[0]),
                *self.measured(image, full=True),
                self.calculated(),
                intent=optional,
                more=True,
            ),
            self.finding(
                c.CLUSTER,
                *chance,
                *place,
                self.of(4010, 1, members(6010)[0]),
                self.of(4010, 2, members(6012)[0]),
                self.of(4010, 3, 3),
                *self.measured(image),
                self.calculated(),
                single,
            ),
            self.finding(non_lesion, *place, self.of(4012, 1, members(6040)[0]), *self.measured(image)),
            self.finding(dcm("111099"), *place, self.of(4013, 1, "a region"), *self.measured(image)),
            self.finding(dcm("111101"), self.referring(4006, 18, image), quality),
            self.finding(dcm("111101"), region, quality),
        ]

    def feature(
        self, kind: Code, relation: Code, *below: Item, relationship: str, special: tuple[Item, ...] = ()
    ) -> Item:
        image = self.images[0]
        return self.of(
            4004,
            1,
            kind,
            self.of(4004, 2, c.REQUIRED),
            *self.tracking(),
            self.of(4005, 1, relation),
            self.of(4005, 2, members(6036)[0]),
            *self.algorithm(HAS),
            self.of(4005, 4, 70.0),
            self.of(4005, 5, 60.0),
            self.of(4005, 6, members(6030)[0]),
            *self.measured(image),
            *self.geometry(image),
            *special,
            *below,
            self.source(),
            relationship=relationship,
        )

    def features(self) -> list[Item]:
        def of(number: int, value: object, *below: Item, **rest: object) -> Item:
            return self.of(4005, number, value, *below, **rest)

        image = self.images[0]
        numbers = [self.of(1400, 1, value, concept=LONG_AXIS, unit=c.MILLIMETER) for value in (11.0, 12.0)]
        shapes = [self.of(4011, 2, members(6004)[place]) for place in (0, 1)]
        findings = [
            self.finding(c.MASS, *self.geometry(image), shape, number, relationship=INFERRED)
            for shape, number in zip(shapes, numbers, strict=True)
        ]
        place = (of(16, members(6020)[0]), of(17, members(6018)[0]), of(18, members(6024)[0]))
        derived = (of(26, c.TWO_DIMENSIONAL), of(27, "how"))
        calculated = of(25, 3.0, *derived, concept=dcm("112191"), unit=c.PERCENT)
        temporal = (
            of(
                11,
                1.0,
                *(self.referring(4005, 12, number) for number in numbers),
                concept=members(6037)[0],
                unit=c.MILLIMETER,
            ),
            of(13, members(6038)[0], of(14, "rounder"), *(self.referring(4005, 15, shape) for shape in shapes)),
            *place,
            of(19, members(6008)[0]),
            of(20, members(6004)[0]),
            of(21, members(6006)[0]),
            calculated,
        )
        mass = self.feature(MASS_FEATURE, dcm("111153"), *findings, relationship=INFERRED, special=temporal)
        clustered = (*place, of(22, members(6010)[0]), of(23, members(6012)[0]), of(24, 4), calculated)
        spot = self.finding(c.CLUSTER, *self.geometry(image), relationship=INFERRED)
        cluster = self.feature(
            c.CLUSTER,
            dcm("111154"),
            spot,
            self.finding(c.MASS, *self.geometry(image), relationship=INFERRED),
            relationship=INFERRED,
            special=clustered,
        )
        return [self.feature(dcm("111459"), dcm("111154"), mass, cluster, relationship=CONTAINS)]

    def performed(self, template: int, kind: Code, *below: Item) -> Item:
        image = (MAMMOGRAM, IMAGES[1])
        by_value = self.graphic(template, 6, "CIRCLE", (20, 20, 25, 20), self.of(template, 7, image))
        referring = self.graphic(template, 6, "CIRCLE", (20, 20, 25, 20), self.referring(template, 8, self.images[0]))
        return self.of(
            template,
            1,
            kind,
            *self.algorithm(HAS),
            self.of(template, 3, image),
            self.referring(template, 4, self.images[0]),
            self.of(template, 5, "2.25.97"),
            by_value,
            referring,
            *below,
            relationship=CONTAINS,
        )

    def points(self) -> list[Item]:
        def point(number: int) -> Item:
            return self.of(
                4023,
                6,
                number,
                self.of(4023, 7, "a point"),
                self.of(4023, 8, 90.0, concept=c.LESION_SENSITIVITY, unit=c.PERCENT),
                self.of(4023, 9, 0.5, concept=c.FALSE_MARKERS_PER_IMAGE, unit=c.NO_UNITS),
                unit=c.ZERO_TO_TWO,
            )

        axes = (self.of(4023, 4, c.LESION_SENSITIVITY), self.of(4023, 5, c.FALSE_MARKERS_PER_IMAGE))
        return [
            self.of(4023, 1, 2),
            self.of(4023, 2, 1, unit=c.ZERO_TO_TWO),
            self.of(4023, 3, None, *axes, *(point(number) for number in range(3))),
        ]

    def report(self) -> Item:
        of = self.of
        partly = (of(4001, 1, c.SOME_WITH), c.PARTIALLY)
        impression = of(
            4003,
            1,
            None,
            of(4003, 2, c.REQUIRED),
            *self.body(CONTAINS),
            *self.features(),
            *self.findings(),
        )
        summary = of(4001, 1, c.SOME_WITH, *self.body(HAS), impression)
        lists = []
        for template, kind, below in ((4017, c.MASS, tuple(self.points())), (4018, c.COMPOSITION_ANALYSIS, ())):
            performed = self.performed(template, kind, *below)
            lists.append((of(template - 2, 1, None, performed), of(template - 2, 3, None, performed)))
        return of(
            4000,
            1,
            None,
            of(1204, 1, c.ENGLISH, of(1204, 2, c.UNITED_STATES)),
            of(4000, 3, None, *self.images),
            summary,
            of(4000, 6, partly[1], *lists[0]),
            of(4000, 8, partly[1], *lists[1]),
        )


def whole_report(profile: CodeProfile = CodeProfile.SCT) -> Dataset:
    """The data set with all rows; the profile is that of the concepts that have a legacy form of ours."""
    root = Builder().report()
    paths: dict[int, tuple[int, ...]] = {}

    def walk(made: Item, path: tuple[int, ...]) -> None:
        paths.setdefault(id(made), path)
        for place, child in enumerate(made.children, start=1):
            walk(child, (*path, place))

    walk(root, (1,))
    dataset = as_dataset(root, paths)
    surround(dataset)
    return dataset
