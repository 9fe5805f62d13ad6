"""The Enhanced SR for legacy receivers: the tree that they expect, and valid by the standard."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pydicom
import pytest
from dicom_validators import assert_valid
from made_studies import failed, image_result, study_result
from result_cases import VARIANTS, assert_one_study, assert_reads_as_report, author, case_of, real_mammograms

from reread.connectors.mammograms import read_header
from reread.connectors.results.enhanced_report import ENHANCED_REPORT


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("findings", [True, False])
def test_the_report_is_valid(tmp_path, variant, findings):
    result, sources = case_of(tmp_path / "in", variant, findings=findings)
    (report,) = author(result, sources, tmp_path / "out", [ENHANCED_REPORT])
    assert_valid(report.path)
    assert_reads_as_report(report.path)
    assert_one_study([*sources.values(), report.path])


def test_the_tree_of_the_requirements(tmp_path):
    result, sources = case_of(tmp_path / "in")
    result = replace(result, images=(*result.images[:2], failed(result.images[2]), result.images[3]))
    (report,) = author(result, sources, tmp_path / "out", [ENHANCED_REPORT])
    assert_valid(report.path)
    assert_reads_as_report(report.path)
    ds = pydicom.dcmread(report.path)
    assert (ds.CompletionFlag, ds.VerificationFlag, "VerifyingObserverSequence" in ds) == (
        "COMPLETE",
        "UNVERIFIED",
        False,
    )
    assert "ContentTemplateSequence" not in ds
    assert ds.ConceptNameCodeSequence[0].CodeValue == "111036"
    assert len(ds.ContentSequence) == 4
    for node, image in zip(ds.ContentSequence, result.images, strict=True):
        assert (node.ValueType, node.RelationshipType, node.ContinuityOfContent) == (
            "CONTAINER",
            "CONTAINS",
            "SEPARATE",
        )
        assert (node.ConceptNameCodeSequence[0].CodeValue, node.ConceptNameCodeSequence[0].CodingSchemeDesignator) == (
            "T-04000",
            "SNM3",
        )
        assert node.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == image.header.sop_instance_uid
        below = [
            (item.ConceptNameCodeSequence[0].CodeValue, item.get("GraphicType"), len(item.get("GraphicData", ())))
            for item in node.ContentSequence
        ]
        if image.failure:
            assert below == [("111224", None, 0)]
        else:
            assert below == [("F-01796", "ELLIPSE", 8), ("F-01776", "POLYLINE", 10), ("F-01796", "ELLIPSE", 8)]


def test_meanings_in_the_language_of_the_site(tmp_path):
    """The codes stay."""
    result, sources = case_of(tmp_path / "in")
    result = replace(result, images=(*result.images[:2], failed(result.images[2]), result.images[3]))

    def concepts(language):
        (report,) = author(result, sources, tmp_path / language, [ENHANCED_REPORT], language=language)
        assert_valid(report.path)
        assert_reads_as_report(report.path)
        return [
            (element.value[0].CodeValue, element.value[0].CodeMeaning)
            for element in pydicom.dcmread(report.path).iterall()
            if element.keyword == "ConceptNameCodeSequence"
        ]

    english, german = concepts("en"), concepts("de")
    assert [value for value, _ in english] == [value for value, _ in german]
    said = dict(german)
    assert [said[value] for value in ("T-04000", "F-01796", "F-01776", "111224")] == [
        "Brust",
        "Herdbefund",
        "Einzelne Verkalkung",
        "Fehlgeschlagen",
    ]
    assert dict(english)["F-01776"] == "Individual Calcification"


def test_an_ellipse_at_the_border_stays_on_the_image(tmp_path):
    result, sources = case_of(tmp_path / "in")
    image = result.images[1]
    near = replace(image.findings[0], outline=((-0.5, -0.5), (20.0, 0.0), (15.0, 9.0)))
    changed = replace(result, images=(replace(image, findings=(near,)),))
    (report,) = author(changed, sources, tmp_path / "out", [ENHANCED_REPORT])
    assert_valid(report.path)
    (mark,) = pydicom.dcmread(report.path).ContentSequence[0].ContentSequence
    points = np.array(mark.GraphicData).reshape(4, 2)
    assert mark.GraphicType == "ELLIPSE"
    assert points.min() >= 0
    assert (points.max(axis=0) <= (180, 240)).all()


def test_real_images(tmp_path):
    path = real_mammograms()[0]
    image = image_result(read_header(path))
    (report,) = author(study_result(image), {image.header.sop_instance_uid: path}, tmp_path, [ENHANCED_REPORT])
    assert_valid(report.path)
    assert_reads_as_report(report.path)
