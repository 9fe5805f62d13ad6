"""TID 1500 row by row: what highdicom and we write is accepted, every way to break it is found by its row."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
import pytest
from broken_reports import above, concept, image_item, named, removed, text_item, walk
from made_studies import mammogram_dataset
from pydicom import config
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code as Coded
from report_files import MAMMOGRAM, coded
from result_cases import VARIANTS, author, case_of

from reread.connectors.reports.codes import Code
from reread.connectors.reports.object_checking import check_file
from reread.connectors.reports.report_options import CadReportOptions

SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
SQUARE = np.array([[5.0, 5.0], [20.0, 5.0], [20.0, 20.0], [5.0, 5.0]])
Spoil = Callable[[Dataset], None]


@pytest.fixture(autouse=True)
def lenient_writing(strict_writing) -> Iterator[None]:
    """Broken values must reach the file."""
    before = config.settings.reading_validation_mode
    config.settings.writing_validation_mode = config.settings.reading_validation_mode = config.IGNORE
    yield
    config.settings.reading_validation_mode = before


def measured(value: float, **rest: object) -> hd.sr.Measurement:
    return hd.sr.Measurement(name=codes.SCT.LongAxis, value=value, unit=codes.UCUM.Millimeter, **rest)


def groups_of(source: Dataset) -> list[Dataset]:
    """TID 1410 by an outline and by a segmentation, TID 1411 and TID 1501."""
    image = hd.sr.SourceImageForRegion(source.SOPClassUID, source.SOPInstanceUID)
    region = hd.sr.ImageRegion(hd.sr.GraphicTypeValues.POLYLINE, SQUARE, image)
    site = hd.sr.FindingSite(codes.SCT.Breast, laterality=codes.SCT.Left)
    frame = hd.sr.ReferencedSegmentationFrame(
        sop_class_uid=SEGMENTATION,
        sop_instance_uid="2.25.32",
        frame_number=1,
        segment_number=1,
        source_image=hd.sr.SourceImageForSegmentation(source.SOPClassUID, source.SOPInstanceUID),
    )

    def tracked(number: int) -> hd.sr.TrackingIdentifier:
        return hd.sr.TrackingIdentifier(uid=f"2.25.5{number}", identifier=f"group {number}")

    return [
        hd.sr.PlanarROIMeasurementsAndQualitativeEvaluations(
            tracked(1),
            referenced_region=region,
            finding_type=codes.SCT.Mass,
            finding_category=codes.SCT.MorphologicallyAbnormalStructure,
            finding_sites=[site],
            algorithm_id=hd.sr.AlgorithmIdentification(name="peer", version="1", parameters=["a=1"]),
            measurements=[measured(12.5, derivation=codes.SCT.Mean, finding_sites=[site])],
            qualitative_evaluations=[hd.sr.QualitativeEvaluation(codes.SCT.Shape, Coded("1", "99TEST", "Round"))],
        ),
        hd.sr.PlanarROIMeasurementsAndQualitativeEvaluations(
            tracked(2), referenced_segment=frame, measurements=[measured(3.0)]
        ),
        hd.sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
            tracked(3), referenced_regions=[region, copy.deepcopy(region)], measurements=[measured(4.0)]
        ),
        hd.sr.MeasurementsAndQualitativeEvaluations(
            tracked(4),
            source_images=[hd.sr.SourceImageForMeasurementGroup(source.SOPClassUID, source.SOPInstanceUID)],
            measurements=[
                measured(
                    5.0,
                    referenced_images=[hd.sr.SourceImageForMeasurement(source.SOPClassUID, source.SOPInstanceUID)] * 2,
                )
            ],
        ),
    ]


def made_by_highdicom() -> Dataset:
    """A person and a device about a specimen, an image library and each of the kinds of group."""
    source = mammogram_dataset("L", "MLO", number=1)
    source.SOPInstanceUID = "2.25.11"
    person = hd.sr.PersonObserverIdentifyingAttributes("Reader^A")
    device = hd.sr.DeviceObserverIdentifyingAttributes(uid="2.25.37", name="peer")
    report = hd.sr.MeasurementReport(
        observation_context=hd.sr.ObservationContext(
            observer_person_context=hd.sr.ObserverContext(codes.DCM.Person, person),
            observer_device_context=hd.sr.ObserverContext(codes.DCM.Device, device),
            subject_context=hd.sr.SubjectContext(
                codes.DCM.Specimen, hd.sr.SubjectContextSpecimen(uid="2.25.38", identifier="S1")
            ),
        ),
        procedure_reported=Coded("71651007", "SCT", "Mammography"),
        imaging_measurements=groups_of(source),
        title=codes.DCM.ImagingMeasurementReport,
        referenced_images=[source],
    )
    segmentation = copy.deepcopy(source)
    segmentation.SOPClassUID, segmentation.SOPInstanceUID = SEGMENTATION, "2.25.32"
    segmentation.SeriesInstanceUID = "2.25.33"
    return hd.sr.Comprehensive3DSR(
        evidence=[source, segmentation],
        content=report[0],
        series_instance_uid="2.25.40",
        series_number=1,
        sop_instance_uid="2.25.41",
        instance_number=1,
        manufacturer="peer",
        record_evidence=False,
    )


@pytest.fixture(scope="module")
def good() -> Dataset:
    """Read back, so that its content sequences take any data set."""
    written = BytesIO()
    made_by_highdicom().save_as(written, enforce_file_format=True)
    return pydicom.dcmread(BytesIO(written.getvalue()))


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
