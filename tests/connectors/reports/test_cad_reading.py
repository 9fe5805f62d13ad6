"""Reports of others: other codes, other places, broken items. All is kept, what is wrong is listed, nothing crashes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_studies import PROVENANCE, image_result, mammogram_dataset, save, study_result
from pydicom.dataset import Dataset

from reread.analytics.errors import InputError
from reread.analytics.records import Laterality
from reread.connectors.mammograms import read_header
from reread.connectors.reports.cad_reading import read_cad_report
from reread.connectors.results.authoring import ResultFormat, author_study


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    sources, images = {}, []
    for number, view in enumerate(("CC", "MLO"), start=1):
        path = save(mammogram_dataset("L", view, number=number), folder / f"{number}.dcm")
        images.append(image_result(read_header(path)))
        sources[images[-1].header.sop_instance_uid] = path
    (made,) = author_study(
        study_result(*images),
        sources=sources,
        provenance=PROVENANCE,
        folder=folder,
        formats=[ResultFormat.CAD_SR],
    )
    return made.path


def coded(value: str, scheme: str = "DCM", meaning: str = "x") -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def number(
    concept: Dataset, value: str, unit: str, relationship: str = "CONTAINS", below: list[Dataset] | None = None
) -> Dataset:
    item, measured = Dataset(), Dataset()
    item.RelationshipType, item.ValueType, item.ConceptNameCodeSequence = relationship, "NUM", [concept]
    measured.NumericValue, measured.MeasurementUnitsCodeSequence = value, [coded(unit, "UCUM")]
    item.MeasuredValueSequence = [measured]
    if below:
        item.ContentSequence = below
    return item


def code(concept: Dataset, value: Dataset, relationship: str = "HAS CONCEPT MOD") -> Dataset:
    item = Dataset()
    item.RelationshipType, item.ValueType = relationship, "CODE"
    item.ConceptNameCodeSequence, item.ConceptCodeSequence = [concept], [value]
    return item


def text(concept: Dataset, value: str, relationship: str) -> Dataset:
    item = Dataset()
    item.RelationshipType, item.ValueType, item.TextValue = relationship, "TEXT", value
    item.ConceptNameCodeSequence = [concept]
    return item


def walk(item: Dataset) -> Iterator[Dataset]:
    yield item
    for child in item.get("ContentSequence") or []:
        yield from walk(child)


def test_a_density_report_of_another_maker(tmp_path, report):
    """Densities straight below the summary, in SRT, with volumes in other units; inputs below the version text."""
    ds = pydicom.dcmread(report)
    del ds.CodingSchemeIdentificationSequence
    ds.Manufacturer, ds.ManufacturerModelName, ds.SoftwareVersions = "Another", "Dense", ["1.5", "7"]
    summary = ds.ContentSequence[2]
    version = text(coded("111003"), "1.5", "HAS PROPERTIES")
    version.ContentSequence = [text(coded("INPUT-1", "99OTHER"), "thickness", "HAS PROPERTIES")]
    densities = []
    for side, share, gland, breast in (("T-04030", "11.5", "60", "500"), ("T-04020", "9", "55", "510")):
        qualified = [
            code(coded("G-C171", "SRT"), coded(side, "SRT")),
            code(coded("121401"), coded("112189")),
        ]
        densities += [
            number(coded("112191"), share, "%", below=qualified),
            number(coded("112192"), gland, "ml", below=qualified),
            number(coded("112193"), breast, "ml", below=qualified),
        ]
    own = number(coded("GRADE", "99OTHER", "Density grade"), "2", "1")
    summary.ContentSequence = [text(coded("111001"), "Dense", "HAS PROPERTIES"), version, *densities, own]
    for item in ds.ContentSequence[3:]:
        item.RelationshipType, item.ContentSequence = "HAS CONCEPT MOD", []
    path = tmp_path / "a.dcm"
    ds.save_as(path)
    read = read_cad_report(path)
    assert (read.producer.manufacturer, read.producer.model) == ("Another", "Dense")
    assert read.producer.software_versions == ("1.5", "7")
    left, right = (item for item in read.densities if item.percent is not None)
    assert (left.laterality, left.percent, left.method) == (Laterality.LEFT, 11.5, "3d")
    assert (left.gland_volume_cm3, left.breast_volume_cm3) == (60.0, 500.0)
    assert (right.laterality, right.percent) == (Laterality.RIGHT, 9.0)
    assert (left.algorithm.name, left.algorithm.version) == ("Dense", "1.5")
    assert [item.value for item in read.quantities if item.concept.value == "GRADE"] == [2.0]
    assert [item.text for item in read.others if item.concept and item.concept.value == "INPUT-1"] == ["thickness"]
    assert sum("not CONTAINS" in problem.what for problem in read.problems) == 2


def test_codes_that_nobody_knows_are_kept(tmp_path, report):
    ds = pydicom.dcmread(report)
    values = [item for item in walk(ds) if "ConceptCodeSequence" in item]
    finding = next(item for item in values if item.ConceptCodeSequence[0].CodeValue == "129793001")
    finding.ConceptCodeSequence = [coded("M-1", "99OTHER", "Something")]
    finding.ContentSequence.append(number(coded("Q-1", "99OTHER"), "4.5", "mm", "HAS PROPERTIES"))
    finding.ContentSequence.append(code(coded("Q-2", "99OTHER"), coded("V-2", "99OTHER"), "HAS PROPERTIES"))
    finding.ContentSequence.append(text(coded("Q-3", "99OTHER"), "said", "HAS PROPERTIES"))
    ds.ContentSequence[1].ContentSequence[0].ContentSequence.append(
        text(coded("Q-4", "99OTHER"), "library", "HAS ACQ CONTEXT")
    )
    path = tmp_path / "a.dcm"
    ds.save_as(path)
    read = read_cad_report(path)
    found = next(item for item in read.findings if item.kind == "M-1")
    assert found.code == ("M-1", "99OTHER", "Something")
    assert [(item.value, item.unit.value) for item in found.quantities if item.concept.value == "Q-1"] == [(4.5, "mm")]
    assert [item.value.value for item in found.qualities] == ["V-2"]
    assert [item.value for item in found.texts] == ["said"]
    assert [item.text for item in read.others] == ["library"]


def test_broken_items_are_listed_and_the_rest_is_read(tmp_path, report):
    ds = pydicom.dcmread(report)
    whole = read_cad_report(report)
    masses = [
        item for item in walk(ds) if "GraphicType" in item and item.ConceptNameCodeSequence[0].CodeValue == "111010"
    ]
    masses[0].ContentSequence[0].ReferencedContentItemIdentifier = [1, 2, 77]
    masses[1].GraphicData = []
    numbers = [item for item in walk(ds) if item.get("ValueType") == "NUM"]
    numbers[-1].MeasuredValueSequence = []
    ds.ContentSequence[2].ConceptCodeSequence = []
    path = tmp_path / "a.dcm"
    ds.save_as(path)
    read = read_cad_report(path)
    said = " | ".join(problem.what for problem in read.problems)
    for part in ("refers to 1.2.77", "without points", "a NUM without", "a summary without a code"):
        assert part in said
    assert len(read.findings) == len(whole.findings)
    assert read.summary == ""


def test_no_report_of_any_kind_crashes_it(tmp_path):
    ds = Dataset()
    ds.file_meta = pydicom.dataset.FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    ds.SOPClassUID, ds.SOPInstanceUID, ds.ValueType = "1.2.840.10008.5.1.4.1.1.88.11", "2.25.1", "CONTAINER"
    ds.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    read = read_cad_report(tmp_path / "a.dcm")
    assert (read.findings, read.images, read.densities) == ((), (), ())
    assert {problem.what for problem in read.problems} == {"the root is no Mammography CAD Report", "no image library"}


def damage(ds: Dataset, how: list[tuple[str, int, int]]) -> None:
    """Remove, move, rename or empty items anywhere."""
    for what, place, other in how:
        items = [item for item in walk(ds) if item is not ds]
        if not items:
            return
        item = items[place % len(items)]
        if what == "delete":
            keyword = sorted(element.keyword for element in item if element.keyword)
            if keyword:
                delattr(item, keyword[other % len(keyword)])
        elif what == "type":
            item.ValueType = ("NUM", "CODE", "SCOORD", "IMAGE", "TEXT", "CONTAINER", "WAVEFORM", "")[other % 8]
        elif what == "target":
            item.ReferencedContentItemIdentifier = [1, other % 7, other % 50]
        elif what == "concept":
            item.ConceptNameCodeSequence = [coded(("111059", "111015", "111028", "112191", "111010", "X")[other % 6])]
        elif what == "graft":
            item.ContentSequence = [*(item.get("ContentSequence") or []), Dataset()]
        elif what == "number":
            broken = Dataset()
            broken.add_new("NumericValue", "SH", ("1e300", "", "-1", "inf", "nan")[other % 5])
            item.MeasuredValueSequence = [broken]


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["delete", "type", "target", "concept", "graft", "number"]),
            st.integers(0, 5000),
            st.integers(0, 5000),
        ),
        min_size=1,
        max_size=25,
    )
)
def test_any_damage_is_survived(tmp_path, report, how):
    ds = pydicom.dcmread(report)
    damage(ds, how)
    path = tmp_path / "a.dcm"
    ds.save_as(path)
    read = read_cad_report(path)
    for finding in read.findings:
        assert isinstance(finding.outline, tuple)
        assert finding.composite is None or finding.composite > 0


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=12), st.floats(0.05, 1))
def test_any_bytes_are_read_or_refused(tmp_path, report, changes, kept):
    content = bytearray(report.read_bytes())
    for place, value in changes:
        content[int(place * (len(content) - 1))] = value
    path = tmp_path / "a.dcm"
    path.write_bytes(bytes(content[: int(kept * len(content))]))
    try:
        read_cad_report(path)
    except InputError as error:
        assert error.detail
