"""TID 1500 row by row: what highdicom and we write is accepted, every way to break it is found by its row."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from broken_reports import above, concept, image_item, named, removed, text_item, walk
from made_measurements import SEGMENTATION, measurement_report
from pydicom import config
from pydicom.dataset import Dataset
from report_files import MAMMOGRAM, coded
from result_cases import VARIANTS, author, case_of

from reread.connectors.reports.codes import Code
from reread.connectors.reports.object_checking import check_file
from reread.connectors.reports.report_options import CadReportOptions

Spoil = Callable[[Dataset], None]


@pytest.fixture(autouse=True)
def lenient_writing(strict_writing) -> Iterator[None]:
    """Broken values must reach the file."""
    before = config.settings.reading_validation_mode
    config.settings.writing_validation_mode = config.settings.reading_validation_mode = config.IGNORE
    yield
    config.settings.reading_validation_mode = before


@pytest.fixture(scope="module")
def good() -> Dataset:
    """Read back, so that its content sequences take any data set."""
    return pydicom.dcmread(BytesIO(measurement_report()))


def rules(dataset: Dataset, folder: Path) -> set[str]:
    dataset.save_as(folder / "report.dcm", enforce_file_format=True)
    return {item.rule for item in check_file(folder / "report.dcm", {}).violations}


def groups(ds: Dataset) -> list[Dataset]:
    return [item for item in walk(ds) if concept(item) == "125007"]


def of_group(place: int, wanted: str) -> Callable[[Dataset], Dataset]:
    return lambda ds: named(groups(ds)[place], wanted)


def anywhere(wanted: str) -> Callable[[Dataset], Dataset]:
    return lambda ds: named(ds, wanted)


def removes(find: Callable[[Dataset], Dataset]) -> Spoil:
    return lambda ds: removed(ds, find(ds))


def sets(find: Callable[[Dataset], Dataset], **values: object) -> Spoil:
    def spoil(ds: Dataset) -> None:
        for keyword, new in values.items():
            setattr(find(ds), keyword, new)

    return spoil


def recodes(find: Callable[[Dataset], Dataset], value: str, scheme: str = "DCM") -> Spoil:
    return lambda ds: setattr(find(ds), "ConceptCodeSequence", [coded(Code(value, scheme, "x"))])


def twice(find: Callable[[Dataset], Dataset]) -> Spoil:
    def spoil(ds: Dataset) -> None:
        item = find(ds)
        above(ds, item).ContentSequence.append(copy.deepcopy(item))

    return spoil


def adds(find: Callable[[Dataset], Dataset], made: Dataset) -> Spoil:
    def spoil(ds: Dataset) -> None:
        item = find(ds)
        item.ContentSequence = [*(item.get("ContentSequence") or []), copy.deepcopy(made)]

    return spoil


def group(place: int) -> Callable[[Dataset], Dataset]:
    return lambda ds: groups(ds)[place]


def uid_item(relationship: str, wanted: str) -> Dataset:
    item = Dataset()
    item.RelationshipType, item.ValueType, item.UID = relationship, "UIDREF", "2.25.60"
    item.ConceptNameCodeSequence = [coded(Code(wanted, "DCM", "x"))]
    return item


def value_map(relationship: str, sop_class_uid: str) -> Dataset:
    item = image_item(relationship, sop_class_uid, wanted="126100")
    item.ValueType = "COMPOSITE"
    return item


def without_device_type(ds: Dataset) -> None:
    types = [item for item in walk(ds) if concept(item) == "121005"]
    removed(ds, types[1])


def person_without_name(ds: Dataset) -> None:
    removed(ds, named(ds, "121008"))


def segment_without_source(ds: Dataset) -> None:
    volume = groups(ds)[2]
    kept = [item for item in volume.ContentSequence if concept(item) != "111030"]
    volume.ContentSequence = [*kept, image_item("CONTAINS", SEGMENTATION, wanted="121191")]


def thickness_of_a_projection(ds: Dataset) -> None:
    thickness = copy.deepcopy(named(ds, "111026"))
    thickness.ConceptNameCodeSequence = [coded(Code("112225", "DCM", "Slice Thickness"))]
    above(ds, named(ds, "111026")).ContentSequence.append(thickness)


def derived_at_the_end(ds: Dataset) -> None:
    derivation = copy.deepcopy(named(ds, "121401"))
    length = named(groups(ds)[3], "103339001")
    length.ContentSequence = [*length.ContentSequence, derivation]


def said_to_be(place: int, template: str) -> Spoil:
    def spoil(ds: Dataset) -> None:
        named_template = Dataset()
        named_template.MappingResource, named_template.TemplateIdentifier = "DCMR", template
        groups(ds)[place].ContentTemplateSequence = [named_template]

    return spoil


BROKEN: list[tuple[str, Spoil, str]] = [
    ("another title", lambda ds: setattr(ds.ConceptNameCodeSequence[0], "CodeValue", "111036"), "TID1500-1"),
    ("nothing measured", removes(anywhere("126010")), "TID1500-6"),
    ("two lists of measurements", twice(anywhere("126010")), "TID1500-6"),
    ("a device that nobody announced", without_device_type, "TID1002-3"),
    ("a device without UID", removes(anywhere("121012")), "TID1004-1"),
    ("a person without name", person_without_name, "TID1003-1"),
    ("an observer of another set", recodes(anywhere("121005"), "121025"), "TID1002-1"),
    ("a specimen without class", removes(anywhere("121024")), "TID1006-4"),
    ("a specimen that is a patient", recodes(anywhere("121024"), "121025"), "TID1006-4"),
    ("a group without region", removes(of_group(0, "111030")), "TID1410-5"),
    ("a planar group of two regions", twice(of_group(0, "111030")), "TID1410-5"),
    ("a volume that says it is planar", said_to_be(2, "1410"), "TID1410-5"),
    ("a region of many points", sets(of_group(0, "111030"), GraphicType="MULTIPOINT"), "TID1410-5"),
    ("a region of no image", lambda ds: delattr(named(groups(ds)[0], "111030"), "ContentSequence"), "TID1410-6"),
    ("a segmentation without source", removes(of_group(1, "121233")), "TID1410-8"),
    ("the source of no segmentation", adds(group(0), image_item("CONTAINS", MAMMOGRAM, wanted="121233")), "TID1410-8"),
    (
        "a segmentation that is a mammogram",
        lambda ds: setattr(named(groups(ds)[1], "121214").ReferencedSOPSequence[0], "ReferencedSOPClassUID", MAMMOGRAM),
        "TID1410-7",
    ),
    ("two findings", twice(of_group(0, "121071")), "TID1410-3b"),
    ("tracked as a UID", sets(of_group(0, "112039"), ValueType="PNAME"), "TID1410-2"),
    ("an algorithm without version", removes(of_group(0, "111003")), "TID4019-2"),
    ("a side of another set", recodes(of_group(0, "272741003"), "80248007", "SCT"), "TID1419-3"),
    ("a side as a property", sets(of_group(0, "272741003"), RelationshipType="HAS PROPERTIES"), "TID1419-3"),
    (
        "a volume of outlines and of a segment",
        adds(group(2), image_item("CONTAINS", SEGMENTATION, wanted="121191")),
        "TID1411-5",
    ),
    ("a segment without source", segment_without_source, "TID1411-11"),
    ("the source series of outlines", adds(group(2), uid_item("CONTAINS", "121232")), "TID1411-11"),
    ("descriptors of projections without modality", removes(anywhere("121139")), "TID1602-13"),
    ("the thickness of a projection", thickness_of_a_projection, "TID1602-14"),
    (
        "rows in another unit",
        lambda ds: setattr(
            named(ds, "110910").MeasuredValueSequence[0].MeasurementUnitsCodeSequence[0], "CodeValue", "1"
        ),
        "TID1602-11",
    ),
    ("two libraries", twice(anywhere("111028")), "TID1600-1"),
    ("a derivation behind the images", derived_at_the_end, "TID300-order"),
    (
        "a value map that is an image",
        adds(of_group(3, "103339001"), value_map("INFERRED FROM", MAMMOGRAM)),
        "TID301-18",
    ),
    ("tracked twice", twice(of_group(3, "112040")), "TID1501-3"),
]


@pytest.mark.parametrize(("spoil", "rule"), [pytest.param(*case[1:], id=case[0]) for case in BROKEN])
def test_what_breaks_a_row_is_found(tmp_path, good, spoil: Spoil, rule):
    broken = copy.deepcopy(good)
    spoil(broken)
    assert rule in rules(broken, tmp_path)


def without_templates(ds: Dataset) -> None:
    for item in groups(ds):
        if "ContentTemplateSequence" in item:
            del item.ContentTemplateSequence


def backwards(ds: Dataset) -> None:
    for item in [ds, *groups(ds)]:
        item.ContentSequence = list(item.ContentSequence)[::-1]


def without_numbers(ds: Dataset) -> None:
    """A site and evaluations are no call of TID 1419, which would need a number."""
    removed(ds, named(groups(ds)[0], "103339001"))


def about_a_patient(ds: Dataset) -> None:
    ds.ContentSequence = [item for item in ds.ContentSequence if concept(item) not in ("121024", "121039", "121041")]
    ds.ContentSequence = [*ds.ContentSequence, text_item("121030", "HAS OBS CONTEXT")]


@pytest.mark.parametrize(
    "change",
    [
        lambda ds: None,
        without_templates,
        backwards,
        without_numbers,
        adds(group(0), text_item("126070", "HAS OBS CONTEXT")),
        adds(group(3), text_item("121106", "CONTAINS")),
        adds(of_group(3, "103339001"), value_map("INFERRED FROM", "1.2.840.10008.5.1.4.1.1.67")),
        lambda ds: setattr(ds.ConceptNameCodeSequence[0], "CodingSchemeDesignator", "99PEER"),
        removes(anywhere("111028")),
        about_a_patient,
    ],
    ids=["as made", "groups unnamed", "any order", "no numbers", "half a time point", "a comment", "value map",
         "a private title", "no library", "the ID of a patient"],
)  # fmt: skip
def test_what_the_rows_allow_is_accepted(tmp_path, good, change: Spoil):
    made = copy.deepcopy(good)
    change(made)
    assert {rule for rule in rules(made, tmp_path) if rule.startswith("TID")} == set()


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("tracking", [False, True])
def test_ours_is_accepted(tmp_path, variant, tracking):
    result, sources = case_of(tmp_path / "in", variant)
    options = CadReportOptions(cornerstone_tracking=tracking)
    made = author(result, sources, tmp_path / "out", ["measurement-report"], options=options)
    assert made
    for item in made:
        assert pydicom.dcmread(item.path).ContentTemplateSequence[0].TemplateIdentifier == "1500"
        assert check_file(item.path, {}).violations == ()
