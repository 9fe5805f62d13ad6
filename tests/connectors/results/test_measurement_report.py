"""The TID 1500 report: valid, and read by another library as the same regions and numbers."""

from __future__ import annotations

from dataclasses import replace

import highdicom
import numpy as np
import pydicom
import pytest
from dicom_validators import assert_valid
from made_studies import failed, image_result, study_result
from pydicom.sr.codedict import codes
from result_cases import VARIANTS, assert_one_study, assert_reads_as_report, author, case_of, real_mammograms

from reread.analytics.records import Nature
from reread.connectors.mammograms import read_header
from reread.connectors.reports.object_checking import check_file
from reread.connectors.reports.report_options import CadReportOptions
from reread.connectors.results.measured_region import measured_region
from reread.connectors.results.measurement_items import area_mm2
from reread.connectors.results.measurement_report import MEASUREMENT_REPORT, nature_of
from reread.connectors.results.segmentation_masks import filled

TRACKED = CadReportOptions(cornerstone_tracking=True)
TOOL = "Cornerstone3DTools@^0.1.0:PlanarFreehandROI"


def groups_of(path):
    """Each measurement group by its tracking identifier."""
    (measurements,) = [
        item
        for item in pydicom.dcmread(path).ContentSequence
        if item.ConceptNameCodeSequence[0].CodeMeaning == "Imaging Measurements"
    ]
    return {group.ContentSequence[0].TextValue: list(group.ContentSequence) for group in measurements.ContentSequence}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("findings", [True, False])
@pytest.mark.parametrize("options", [None, TRACKED])
def test_the_documents_are_valid(tmp_path, variant, findings, options):
    result, sources = case_of(tmp_path / "in", variant, findings=findings)
    written = author(result, sources, tmp_path / "out", [MEASUREMENT_REPORT], options=options)
    assert [item.key for item in written] == ["findings"] * findings + ["images", "breasts"]
    for report in written:
        assert_valid(report.path)
        assert_reads_as_report(report.path)
        assert check_file(report.path, {}).violations == ()
    assert_one_study([*sources.values(), *(item.path for item in written)])


def test_the_documents_can_be_told_apart(tmp_path):
    result, sources = case_of(tmp_path / "in")
    written = [pydicom.dcmread(item.path) for item in author(result, sources, tmp_path, [MEASUREMENT_REPORT])]
    assert [item.SeriesDescription for item in written] == [
        "Reread findings with measurements",
        "Reread density by image",
        "Reread density by breast",
    ]
    for keyword in ("SOPInstanceUID", "SeriesInstanceUID", "SeriesNumber"):
        assert len({item[keyword].value for item in written}) == 3


def test_highdicom_reads_the_regions_and_the_densities(tmp_path):
    result, sources = case_of(tmp_path / "in")
    findings, of_images, of_breasts = author(result, sources, tmp_path / "out", [MEASUREMENT_REPORT])
    groups = [
        group
        for item in (findings, of_images)
        for group in highdicom.sr.srread(item.path).content.get_planar_roi_measurement_groups()
    ]
    marks = result.marks
    assert len(groups) == len(marks) + len(result.images) == 16
    for group, (image, finding) in zip(groups[:12], marks, strict=True):
        assert group.finding_type.value == ("129769006" if finding.members else "129793001")
        assert group.finding_sites[0].value.value == "76752008"
        (source,) = [item for item in group.roi.ContentSequence if item.ValueType == "IMAGE"]
        assert source.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == image.header.sop_instance_uid
        points = np.array(group.roi.GraphicData).reshape(-1, 2) - 0.5
        assert np.array_equal(points[0], points[-1])
        if finding.outline:
            assert np.allclose(points[:-1], np.array(finding.outline), atol=1e-3)
        (axis,) = group.get_measurements(name=codes.SCT.LongAxis)
        assert (axis.value, axis.unit.value) == (finding.size_mm, "mm")
    for group, image in zip(groups[12:], result.images, strict=True):
        assert group.finding_type.value == "129715009"
        (area,) = group.get_measurements(name=codes.SCT.Area)
        assert (area.value, area.unit.value) == (image.density.breast_area_mm2, "mm2")
        (share,) = [item for item in group.get_measurements() if item.name.value == "112191"]
        assert (share.value, share.unit.value) == (image.density.percent_density, "%")
    identifiers = [group.tracking_identifier for group in (*groups[:3], groups[12])]
    assert identifiers == ["R CC mass 1", "R CC cluster 1", "R CC mass 2", "R CC density"]
    assert len({group.tracking_uid for group in groups}) == 16
    right, _ = highdicom.sr.srread(of_breasts.path).content.get_image_measurement_groups()
    (density,) = right.get_measurements()
    assert (density.name.value, density.value, density.unit.value) == ("112191", result.right.percent_density, "%")
    assert right.get_qualitative_evaluations()[0].value.meaning == "Heterogeneously dense"


def test_the_number_of_a_breast_rests_on_the_regions_of_its_views(tmp_path):
    result, sources = case_of(tmp_path / "in")
    *_, of_breasts = author(result, sources, tmp_path / "out", [MEASUREMENT_REPORT])
    for side, items in zip("RL", groups_of(of_breasts.path).values(), strict=True):
        (density,) = [item for item in items if item.ValueType == "NUM"]
        assert {(item.ValueType, item.RelationshipType) for item in density.ContentSequence} == {
            ("SCOORD", "INFERRED FROM")
        }
        assert [
            item.ContentSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID
            for item in density.ContentSequence
        ] == [item.header.sop_instance_uid for item in result.images if item.header.laterality.value == side]


def test_breasts_without_a_region_have_their_density_all_the_same(tmp_path):
    result, sources = case_of(tmp_path / "in", findings=False)
    bare = replace(result, images=tuple(replace(image, breast=None) for image in result.images))
    (report,) = author(bare, sources, tmp_path / "out", [MEASUREMENT_REPORT])
    assert report.key == "breasts"
    assert_valid(report.path)
    for items in groups_of(report.path).values():
        (density,) = [item for item in items if item.ValueType == "NUM"]
        assert "ContentSequence" not in density


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_a_viewer_takes_over(tmp_path, variant):
    """The tool's name in front, the name as a comment, the area first, and the outline of the region below it again."""
    result, sources = case_of(tmp_path / "in", variant)
    findings, of_images, of_breasts = author(result, sources, tmp_path / "out", [MEASUREMENT_REPORT], options=TRACKED)
    groups = groups_of(findings.path) | groups_of(of_images.path)
    assert len(groups) == 16
    assert list(groups)[:2] == [f"{TOOL}:R CC mass 1", f"{TOOL}:R CC cluster 1"]
    for identifier, items in groups.items():
        assert [
            item.TextValue for item in items if item.RelationshipType == "CONTAINS" and item.ValueType == "TEXT"
        ] == [identifier.removeprefix(f"{TOOL}:")]
        (outline,) = [item for item in items if item.ValueType == "SCOORD"]
        first = next(item for item in items if item.ValueType == "NUM")
        assert first.ConceptNameCodeSequence[0].CodeMeaning == "Area"
        (source,) = first.ContentSequence
        assert (source.RelationshipType, source.GraphicType) == ("INFERRED FROM", "POLYLINE")
        assert source.GraphicData == outline.GraphicData
        unit = first.MeasuredValueSequence[0].MeasurementUnitsCodeSequence[0].CodeValue
        assert unit == ("{pixels}" if variant == "no-spacing" else "mm2")
    assert list(groups_of(of_breasts.path)) == ["Right breast density", "Left breast density"]


def test_without_a_spacing_there_are_no_millimetres(tmp_path):
    result, sources = case_of(tmp_path / "in", "no-spacing")
    written = author(result, sources, tmp_path / "out", [MEASUREMENT_REPORT])
    units = {
        element.value[0].CodeValue
        for report in written
        for element in pydicom.dcmread(report.path).iterall()
        if element.keyword == "MeasurementUnitsCodeSequence"
    }
    assert units == {"1", "%", "{0:2}"}


def test_nothing_to_say_no_report(tmp_path):
    result, sources = case_of(tmp_path / "in", findings=False)
    images = tuple(failed(image) for image in result.images)
    empty = replace(result, images=images, density=None, left=None, right=None)
    assert author(empty, sources, tmp_path / "out", [MEASUREMENT_REPORT]) == ()


def test_a_revision_names_what_it_replaces(tmp_path):
    """Each document the one of its kind."""
    result, sources = case_of(tmp_path / "in")
    first = author(result, sources, tmp_path / "a", [MEASUREMENT_REPORT])
    predecessors = {item.slot: item for item in first}
    assert list(predecessors) == [f"measurement-report/{key}" for key in ("findings", "images", "breasts")]
    second = author(
        replace(result, revision=2), sources, tmp_path / "b", [MEASUREMENT_REPORT], predecessors=predecessors
    )
    for before, after in zip(first, second, strict=True):
        (study,) = pydicom.dcmread(after.path).PredecessorDocumentsSequence
        (replaced,) = study.ReferencedSeriesSequence[0].ReferencedSOPSequence
        assert replaced.ReferencedSOPInstanceUID == before.sop_instance_uid != after.sop_instance_uid
        assert before.series_instance_uid == after.series_instance_uid
        assert_valid(after.path)


def test_the_region_is_the_breast_without_the_muscle(tmp_path):
    result, _ = case_of(tmp_path / "in")
    with_muscle = next(image for image in result.images if image.pectoral is not None)
    rows, columns = with_muscle.header.rows, with_muscle.header.columns
    expected = filled(with_muscle.breast.outline, rows, columns) & ~filled(with_muscle.pectoral.outline, rows, columns)
    drawn = filled(measured_region(with_muscle), rows, columns)
    assert (drawn ^ expected).sum() < 0.01 * expected.sum()
    assert measured_region(replace(with_muscle, pectoral=None)) == with_muscle.breast.outline
    assert measured_region(replace(with_muscle, breast=None)) == ()
    everything = replace(with_muscle.pectoral, outline=((-9, -9), (9e3, -9), (9e3, 9e3), (-9, 9e3)))
    assert measured_region(replace(with_muscle, pectoral=everything)) == ()


def test_areas_and_natures(tmp_path):
    result, _ = case_of(tmp_path / "in")
    header = result.images[0].header
    square = [(0.0, 0.0), (10.0, 0.0), (10.0, 8.0), (0.0, 8.0), (0.0, 0.0)]
    assert area_mm2(square, header) == pytest.approx(80 * 0.25)
    assert area_mm2(square[::-1], header) == pytest.approx(80 * 0.25)
    mass, cluster = result.images[0].findings[:2]
    assert nature_of(cluster) is Nature.CLUSTER
    assert nature_of(replace(mass, nature=Nature.DISTORTION)) is Nature.DISTORTION


def test_real_images(tmp_path):
    images, sources = [], {}
    for path in real_mammograms()[:2]:
        image = image_result(read_header(path))
        images.append(image)
        sources[image.header.sop_instance_uid] = path
    for image in images:
        for report in author(study_result(image), sources, tmp_path, [MEASUREMENT_REPORT]):
            assert_valid(report.path)
            assert_reads_as_report(report.path)
