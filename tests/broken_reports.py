"""Ways to break a Mammography CAD SR, each with the rule that must notice."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator

from made_reports import ROWS
from pydicom.dataset import Dataset
from report_files import IMAGES, MAMMOGRAM, coded

from reread.connectors.reports.codes import Code

Spoil = Callable[[Dataset], None]
Find = Callable[[Dataset], Dataset]


def walk(item: Dataset) -> Iterator[Dataset]:
    yield item
    for child in item.get("ContentSequence") or []:
        yield from walk(child)


def concept(item: Dataset) -> str:
    return str(item.ConceptNameCodeSequence[0].CodeValue) if "ConceptNameCodeSequence" in item else ""


def value(item: Dataset) -> str:
    return str(item.ConceptCodeSequence[0].CodeValue) if "ConceptCodeSequence" in item else ""


def named(ds: Dataset, wanted: str) -> Dataset:
    return next(item for item in walk(ds) if concept(item) == wanted)


def valued(ds: Dataset, wanted: str) -> Dataset:
    """The last one: findings stand behind the features that have them as parts."""
    return [item for item in walk(ds) if value(item) == wanted and concept(item) != "111022"][-1]


def above(ds: Dataset, wanted: Dataset) -> Dataset:
    return next(item for item in walk(ds) if any(child is wanted for child in item.get("ContentSequence") or []))


def without(item: Dataset, *concepts: str) -> None:
    item.ContentSequence = [part for part in item.ContentSequence if concept(part) not in concepts]


def code(item: Dataset, new: str, scheme: str = "DCM", meaning: str = "something else") -> None:
    item.ConceptCodeSequence = [coded(Code(new, scheme, meaning))]


def number(item: Dataset, new: str) -> None:
    item.MeasuredValueSequence[0].NumericValue = new


def unit(item: Dataset, new: str) -> None:
    item.MeasuredValueSequence[0].MeasurementUnitsCodeSequence = [coded(Code(new, "UCUM", new))]


def removed(ds: Dataset, item: Dataset) -> None:
    parent = above(ds, item)
    parent.ContentSequence = [part for part in parent.ContentSequence if part is not item]


def text_item(wanted: str, relationship: str) -> Dataset:
    item = Dataset()
    item.RelationshipType, item.ValueType, item.TextValue = relationship, "TEXT", "x"
    item.ConceptNameCodeSequence = [coded(Code(wanted, "DCM", "x"))]
    return item


MASS, CLUSTER, COMPOSITION, DOT = "129793001", "129769006", "129715009", "129770007"


def root(ds: Dataset) -> Dataset:
    return ds


def name(wanted: str) -> Find:
    return lambda ds: named(ds, wanted)


def of(wanted: str) -> Find:
    return lambda ds: valued(ds, wanted)


def sets(find: Find, **values: object) -> Spoil:
    def spoil(ds: Dataset) -> None:
        for keyword, new in values.items():
            setattr(find(ds), keyword, new)

    return spoil


def deletes(find: Find, keyword: str) -> Spoil:
    return lambda ds: delattr(find(ds), keyword)


def removes(find: Find) -> Spoil:
    return lambda ds: removed(ds, find(ds))


def drops(find: Find, *concepts: str) -> Spoil:
    return lambda ds: without(find(ds), *concepts)


def recodes(find: Find, new: str, scheme: str = "DCM", meaning: str = "something else") -> Spoil:
    return lambda ds: code(find(ds), new, scheme, meaning)


def renumbers(find: Find, new: str) -> Spoil:
    return lambda ds: number(find(ds), new)


def in_units(find: Find, new: str) -> Spoil:
    return lambda ds: unit(find(ds), new)


# the ten variants of the research, made from our own good report
def composition_contains(ds: Dataset) -> None:
    for item in valued(ds, COMPOSITION).ContentSequence:
        if concept(item) == COMPOSITION:
            item.RelationshipType = "CONTAINS"


def no_evidence(ds: Dataset) -> None:
    del ds.CurrentRequestedProcedureEvidenceSequence


def summary_as_context(ds: Dataset) -> None:
    named(ds, "111064").RelationshipType = "HAS OBS CONTEXT"


def missing_target(ds: Dataset) -> None:
    named(ds, "111010").ContentSequence[0].ReferencedContentItemIdentifier = [1, 2, 99]


def outline_of_one_point(ds: Dataset) -> None:
    named(ds, "111041").GraphicData = [10.0, 10.0]


TEN: list[tuple[Spoil, str]] = [
    (composition_contains, "PS3.3-A.35.5"),
    (no_evidence, "PS3.3-C.17.2.3"),
    (summary_as_context, "TID4000-6"),
    (missing_target, "PS3.3-C.17.3.2.5"),
    (drops(of(MASS), "111001", "111003"), "TID4019-1"),
    (recodes(of(MASS), "12345", "99X"), "TID4006-1"),
    (removes(name("111028")), "TID4000-3"),
    (outline_of_one_point, "PS3.3-C.18.6"),
    (renumbers(name("111012"), "187"), "TID4006-6"),
    (lambda ds: delattr(named(ds, "111046").MeasuredValueSequence[0], "MeasurementUnitsCodeSequence"), "PS3.3-C.18.1"),
]


def exchanged(ds: Dataset) -> None:
    item = valued(ds, MASS)
    below = list(item.ContentSequence)
    item.ContentSequence = [*below[1:], below[0]]


def nested_under_text(ds: Dataset) -> None:
    version = named(ds, "111003")
    version.ContentSequence = [text_item("111002", "HAS PROPERTIES")]


def to_geometry(ds: Dataset) -> None:
    reference = named(ds, "111010").ContentSequence[0]
    reference.ReferencedContentItemIdentifier = [1, 3]


def other_image(ds: Dataset) -> None:
    named(ds, "111041").ContentSequence[0].ReferencedContentItemIdentifier = [1, 2, 2]


def loop(ds: Dataset) -> None:
    item = Dataset()
    item.RelationshipType, item.ReferencedContentItemIdentifier = "INFERRED FROM", [1, 3]
    named(ds, "111017").ContentSequence.append(item)


def image_by_value(ds: Dataset) -> None:
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = MAMMOGRAM, IMAGES[0]
    item = Dataset()
    item.RelationshipType, item.ValueType, item.ReferencedSOPSequence = "SELECTED FROM", "IMAGE", [reference]
    named(ds, "111010").ContentSequence = [item]


def point_of_baseline(ds: Dataset) -> None:
    code(named(valued(ds, MASS), "111056"), "111150")


def composition_to_mass(ds: Dataset) -> None:
    finding = valued(ds, COMPOSITION)
    for item in finding.ContentSequence:
        if "ReferencedContentItemIdentifier" in item:
            item.ReferencedContentItemIdentifier = [1, 3, 14, 19]


def twice(ds: Dataset, wanted: str) -> None:
    item = named(ds, wanted)
    parent = above(ds, item)
    place = next(number for number, part in enumerate(parent.ContentSequence) if part is item)
    parent.ContentSequence.insert(place, copy.deepcopy(item))


def scheme(ds: Dataset) -> None:
    named(ds, "111064").ConceptNameCodeSequence[0].CodingSchemeDesignator = "99DCM"


def no_table_point(ds: Dataset) -> None:
    table = named(ds, "111093")
    table.ContentSequence = list(table.ContentSequence)[:-1]


def recommended(ds: Dataset) -> None:
    number(named(ds, "111092"), "3")


def private_number(ds: Dataset) -> None:
    item = valued(ds, MASS)
    made = copy.deepcopy(named(item, "112200"))
    made.ConceptNameCodeSequence = [coded(Code("Z1", "99REREAD", "of ours"))]
    del made.ContentSequence
    unit(made, "1")
    item.ContentSequence.insert(-1, made)


def under_code(ds: Dataset) -> None:
    named(valued(ds, COMPOSITION), "111046").RelationshipType = "CONTAINS"


def image_item(relationship: str, sop_class_uid: str, *, wanted: str = "") -> Dataset:
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = sop_class_uid, IMAGES[0]
    item = Dataset()
    item.RelationshipType, item.ValueType, item.ReferencedSOPSequence = relationship, "IMAGE", [reference]
    if wanted:
        item.ConceptNameCodeSequence = [coded(Code(wanted, "DCM", "x"))]
    return item


def interval_beside_date(ds: Dataset) -> None:
    impression = named(ds, "111034")
    place = next(at for at, item in enumerate(impression.ContentSequence) if concept(item) == "111054")
    impression.ContentSequence.insert(place, copy.deepcopy(named(ds, "111055")))


def path_by_value(ds: Dataset) -> None:
    named(valued(ds, MASS), "121055").ContentSequence = [image_item("SELECTED FROM", MAMMOGRAM)]


def segmented(wanted: str, sop_class_uid: str) -> Spoil:
    def spoil(ds: Dataset) -> None:
        area = named(valued(ds, MASS), wanted)
        frame = image_item("INFERRED FROM", sop_class_uid, wanted="121214")
        area.ContentSequence = [frame, *(area.get("ContentSequence") or [])]

    return spoil


def regions_of_two_images(ds: Dataset) -> None:
    quality = valued(ds, "111101")
    place = next(at for at, item in enumerate(quality.ContentSequence) if concept(item) == "111030")
    other = copy.deepcopy(quality.ContentSequence[place])
    other.ContentSequence[0].ReferencedContentItemIdentifier = [1, 2, 2]
    quality.ContentSequence.insert(place, other)


def shapes_and_margins(ds: Dataset) -> None:
    shapes = [item for item in walk(ds) if concept(item) == "107644003" and concept(above(ds, item)) == "111059"]
    shapes[0].ConceptNameCodeSequence = [coded(Code("112233002", "SCT", "Margin"))]


def difference_in_other_units(ds: Dataset) -> None:
    difference = next(
        item
        for item in walk(ds)
        if item.get("ValueType") == "NUM"
        and sum("ReferencedContentItemIdentifier" in part for part in item.get("ContentSequence") or []) == 2
    )
    unit(difference, "cm")


def quoted_from_a_device(ds: Dataset) -> None:
    kind = Dataset()
    kind.RelationshipType, kind.ValueType = "HAS OBS CONTEXT", "CODE"
    kind.ConceptNameCodeSequence = [coded(Code("121005", "DCM", "Observer Type"))]
    kind.ConceptCodeSequence = [coded(Code("121007", "DCM", "Device"))]
    valued(ds, MASS).ContentSequence.append(kind)


SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
MORE: list[tuple[str, Spoil, str]] = [
    ("a follow-up by interval and by date", interval_beside_date, "TID4002-8"),
    ("a follow-up on the day of the study", sets(name("111054"), Date="20260102"), "TID4002-9"),
    ("the image of a path by value", path_by_value, "TID4011-4"),
    ("an area of a segmentation", segmented("42798000", SEGMENTATION), "TID4011-5"),
    ("an area told in two ways", segmented("131184002", SEGMENTATION), "TID1401-2"),
    ("an area of a segmentation that is none", segmented("42798000", MAMMOGRAM), "TID1401-5"),
    ("regions of bad quality on two images", regions_of_two_images, "TID4006-20"),
    ("a change between two kinds of value", shapes_and_margins, "TID4005-15"),
    ("a difference in other units than its values", difference_in_other_units, "TID4005-12"),
    ("a tracking identifier of two lines", sets(name("112039"), TextValue="place\n1"), "TID4108-1"),
    ("quoted from a device without UID", quoted_from_a_device, "TID1004-1"),
    (
        "another root template",
        lambda ds: setattr(ds.ContentTemplateSequence[0], "TemplateIdentifier", "1500"),
        "PS3.3-A.35.5",
    ),
    ("another root concept", lambda ds: setattr(ds.ConceptNameCodeSequence[0], "CodeValue", "126000"), "TID4000-1"),
    ("no language", removes(name("121049")), "TID1204-1"),
    ("an empty library", deletes(name("111028"), "ContentSequence"), "TID4020-1"),
    ("two libraries", lambda ds: twice(ds, "111028"), "TID4000-3"),
    ("no summary of analyses", removes(name("111065")), "TID4000-8"),
    ("a status of another set", recodes(name("111065"), "111241"), "TID4000-8"),
    ("failures that are not told", recodes(name("111064"), "111222"), "TID4015-3"),
    ("not attempted and yet listed", recodes(name("111064"), "111225"), "TID4000-7"),
    ("partial without its failures", removes(name("111025")), "TID4015-3"),
    ("a list of nothing", deletes(name("111063"), "ContentSequence"), "TID4017-1"),
    (
        "detection without images",
        lambda ds: setattr(named(ds, "111022"), "ContentSequence", list(named(ds, "111022").ContentSequence)[:2]),
        "TID4017-3",
    ),
    ("analysis of another set", recodes(name("111004"), MASS, "SCT"), "TID4018-1"),
    ("summary says without findings", recodes(name("111017"), "111243"), "TID4001-1"),
    ("summary says all succeeded", recodes(name("111017"), "111242"), "TID4001-1"),
    ("an impression about nothing", drops(name("111034"), "111059", "111015"), "TID4003-4"),
    ("impression without intent", drops(name("111034"), "111056"), "TID4003-2"),
    ("body without impression", drops(name("111034"), "111005", "111023", "111033", "111053", "111054"), "TID4002-1"),
    ("calculated value without derivation", drops(name("112191"), "121401"), "TID4002-14"),
    ("certainty of no impression", drops(name("111017"), "111005", "111023", "111033"), "TID4002-10"),
    ("finding without intent", drops(of(CLUSTER), "111056"), "TID4006-2"),
    ("an intent of another set", lambda ds: code(named(valued(ds, MASS), "111056"), "111222"), "TID4006-2"),
    ("finding without centre", drops(of("24142002"), "111010"), "TID4021-1"),
    ("centre as a circle", sets(name("111010"), GraphicType="CIRCLE", GraphicData=[5, 5, 6, 6]), "TID4021-1"),
    ("coordinates without image", deletes(name("111010"), "ContentSequence"), "TID4021-2"),
    ("coordinates from an item that is no image", to_geometry, "TID4021-2"),
    ("outline on another image than the centre", other_image, "TID4021-4"),
    ("an image by value", image_by_value, "TID4021-2"),
    ("outline as a circle", sets(name("111007"), GraphicType="CIRCLE", GraphicData=[5, 5, 6, 6]), "TID4008-1"),
    ("geometry without outline", drops(of("111100"), "111007"), "TID4008-1"),
    ("coordinates below 0", sets(name("111010"), GraphicData=[-5.0, 5.0]), "PS3.3-C.18.6.1.2"),
    ("coordinates beyond the image", sets(name("111010"), GraphicData=[5.0, ROWS + 1.0]), "PS3.3-C.18.6.1.2"),
    (
        "an odd number of coordinates",
        lambda ds: setattr(named(ds, "111007"), "GraphicData", list(named(ds, "111007").GraphicData)[:-1]),
        "PS3.3-C.18.6",
    ),
    ("a graphic type of presentation states", sets(name("111041"), GraphicType="INTERPOLATED"), "PS3.3-C.18.6"),
    ("composition without its value", drops(of(COMPOSITION), COMPOSITION, "111046"), "TID4007-1"),
    (
        "a composition of another set",
        lambda ds: code(named(valued(ds, COMPOSITION), COMPOSITION), CLUSTER, "SCT"),
        "TID4007-1",
    ),
    ("percent above 100", renumbers(name("111046"), "123"), "TID4007-2"),
    ("percent in millimetres", in_units(name("111046"), "mm"), "TID4007-2"),
    ("CONTAINS from a CODE", under_code, "PS3.3-A.35.5"),
    ("composition from a mass", composition_to_mass, "TID4006-10"),
    ("cluster template below a mass", recodes(of(CLUSTER), "129792006", "SCT"), "TID4006-13"),
    ("no whole number of calcifications", lambda ds: number(named(valued(ds, CLUSTER), "111038"), "2.5"), "TID4010-3"),
    ("another finding below a cluster", recodes(of(DOT), MASS, "SCT"), "TID4006-1"),
    (
        "calcification without type and size",
        drops(of(DOT), "111009", "103339001", "121242", "131184002", "42798000"),
        "TID4009-1",
    ),
    ("an operating point of a required mark", point_of_baseline, "TID4006-3"),
    ("an operating point above the maximum", lambda ds: number(named(valued(ds, MASS), "111071"), "3"), "TID4006-3"),
    (
        "an optional mark without point",
        lambda ds: delattr(named(valued(ds, MASS), "111056"), "ContentSequence"),
        "TID4006-3",
    ),
    (
        "a probability for a nipple",
        lambda ds: valued(ds, "24142002").ContentSequence.insert(7, copy.deepcopy(named(ds, "111047"))),
        "TID4006-7",
    ),
    ("a table with a point missing", no_table_point, "TID4023-6"),
    ("a recommended point above the maximum", recommended, "TID4023-2"),
    ("an axis of another set", recodes(name("122698"), MASS, "SCT"), "TID4023-4"),
    ("non-lesion without its kind", drops(of("111102"), "111039"), "TID4012-1"),
    ("region without its name", drops(of("111099"), "111058"), "TID4013-1"),
    ("quality without finding", drops(of("111101"), "111052"), "TID4014-1"),
    ("an assessment without standard", drops(name("111052"), "111051"), "TID4014-3"),
    ("feature of one part", lambda ds: removed(ds, valued(valued(ds, "111459"), "129788004")), "TID4004-5"),
    ("feature without type", drops(name("111015"), "111016"), "TID4005-1"),
    ("asymmetry that is not contra-lateral", recodes(name("111015"), "129790003", "SCT"), "TID4005-1"),
    ("a difference without time", lambda ds: code(named(valued(ds, "129788004"), "111016"), "111154"), "TID4005-11"),
    ("order of the rows", exchanged, "TID4006-order"),
    ("an item below a TEXT", nested_under_text, "TID4019-extra"),
    (
        "an item that no row knows",
        lambda ds: valued(ds, MASS).ContentSequence.append(text_item("111033", "HAS PROPERTIES")),
        "TID4006-extra",
    ),
    ("a private number without derivation", private_number, "TID4006-23"),
    ("algorithm twice", lambda ds: twice(valued(ds, MASS), "111001"), "TID4019-1"),
    ("algorithm without a name", sets(name("111001"), TextValue=""), "PS3.3-C.17.3"),
    ("algorithm as a code", sets(name("111003"), ValueType="PNAME"), "TID4019-2"),
    (
        "two paths of a length",
        lambda ds: named(valued(ds, MASS), "103339001").ContentSequence.append(copy.deepcopy(named(ds, "121230"))),
        "TID1400-2",
    ),
    ("one vertex of a path", lambda ds: removed(named(ds, "121242"), named(ds, "121230")), "TID1400-5"),
    ("a length in percent", in_units(name("103339001"), "%"), "TID1400-1"),
    ("an area of nothing", deletes(name("131184002"), "ContentSequence"), "TID1401-2"),
    ("spacing 0", renumbers(name("111026"), "0"), "TID4020-11"),
    ("a view of another set", recodes(name("111031"), CLUSTER, "SCT"), "TID4020-3"),
    ("a view modifier that nobody knows", recodes(name("111032"), "T-Rex", "SRT"), "TID4020-4"),
    ("rows without columns", removes(name("110911")), "TID4020-28"),
    ("a position of two numbers", removes(name("110903")), "TID4020-20"),
    ("a date of the 13th month", sets(name("111060"), Date="20261301"), "PS3.5-6.2"),
    ("a UID with letters", sets(name("112227"), UID="1.2.x"), "PS3.5-9.1"),
    ("a relationship that does not exist", sets(name("111064"), RelationshipType="KNOWS"), "PS3.3-C.17.3.2.4"),
    ("a value type that does not exist", sets(name("111064"), ValueType="WORD"), "PS3.3-C.17.3.2.1"),
    ("no value type", deletes(name("111064"), "ValueType"), "PS3.3-C.17.3.2"),
    ("no continuity", deletes(name("111034"), "ContinuityOfContent"), "PS3.3-C.18.8"),
    ("a loop", loop, "PS3.3-C.17.3.2.5"),
    ("a concept of another scheme", scheme, "TID4000-6"),
    (
        "a code without scheme",
        lambda ds: delattr(named(ds, "111064").ConceptCodeSequence[0], "CodingSchemeDesignator"),
        "PS3.3-8.8",
    ),
    ("a number without a number", renumbers(name("111046"), ""), "PS3.3-C.18.1"),
    (
        "another class in the evidence",
        lambda ds: setattr(
            ds.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0].ReferencedSOPSequence[0],
            "ReferencedSOPClassUID",
            "1.2.3",
        ),
        "PS3.3-C.17.2.3",
    ),
    (
        "no instance behind an image",
        lambda ds: delattr(named(ds, "111028").ContentSequence[0], "ReferencedSOPSequence"),
        "PS3.3-C.18.4",
    ),
    ("a modality of images", sets(root, Modality="MG"), "PS3.3-C.17.1"),
    ("a flag that does not exist", sets(root, CompletionFlag="DONE"), "PS3.3-C.17.2"),
    ("verified by nobody", sets(root, VerificationFlag="VERIFIED"), "PS3.3-C.17.2"),
]
