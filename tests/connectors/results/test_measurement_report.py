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
from reread.connectors.results.measurement_report import MEASUREMENT_REPORT, area_mm2, nature_of


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("findings", [True, False])
def test_the_report_is_valid(tmp_path, variant, findings):
    result, sources = case_of(tmp_path / "in", variant, findings=findings)
    (report,) = author(result, sources, tmp_path / "out", [MEASUREMENT_REPORT])
    assert_valid(report.path)
    assert_reads_as_report(report.path)
    assert_one_study([*sources.values(), report.path])


def test_highdicom_reads_the_regions_and_the_densities(tmp_path):
    result, sources = case_of(tmp_path / "in")
    (report,) = author(result, sources, tmp_path / "out", [MEASUREMENT_REPORT])
    content = highdicom.sr.srread(report.path).content
    groups = content.get_planar_roi_measurement_groups()
    marks = result.marks
    assert len(groups) == len(marks) == 12
    for group, (image, finding) in zip(groups, marks, strict=True):
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
    identifiers = [group.tracking_identifier for group in groups[:3]]
    assert identifiers == ["R CC mass 1", "R CC cluster 1", "R CC mass 2"]
    assert len({group.tracking_uid for group in groups}) == 12
    right, _ = content.get_image_measurement_groups()
    (density,) = right.get_measurements()
    assert (density.name.value, density.value, density.unit.value) == ("112191", result.right.percent_density, "%")
    assert right.get_qualitative_evaluations()[0].value.meaning == "Heterogeneously dense"


def test_without_a_spacing_there_are_no_millimetres(tmp_path):
    result, sources = case_of(tmp_path / "in", "no-spacing")
    (report,) = author(result, sources, tmp_path / "out", [MEASUREMENT_REPORT])
    units = {
        element.value[0].CodeValue
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
    result, sources = case_of(tmp_path / "in")
    (first,) = author(result, sources, tmp_path / "a", [MEASUREMENT_REPORT])
    (second,) = author(
        replace(result, revision=2), sources, tmp_path / "b", [MEASUREMENT_REPORT], predecessors={first.format: first}
    )
    (study,) = pydicom.dcmread(second.path).PredecessorDocumentsSequence
    assert study.ReferencedSeriesSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID == first.sop_instance_uid
    assert_valid(second.path)


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
        (report,) = author(study_result(image), sources, tmp_path, [MEASUREMENT_REPORT])
        assert_valid(report.path)
        assert_reads_as_report(report.path)
