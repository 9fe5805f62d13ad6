"""Key objects: the images with findings, and nothing when there are none."""

from __future__ import annotations

from dataclasses import replace

import pydicom
import pytest
from dicom_validators import assert_valid
from made_studies import image_result, study_result
from result_cases import VARIANTS, assert_one_study, assert_reads_as_report, author, case_of, real_mammograms

from reread.connectors.mammograms import read_header
from reread.connectors.results.key_objects import KEY_OBJECTS
from reread.connectors.results.presentation_state import PRESENTATION_STATE


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_document_is_valid(tmp_path, variant):
    result, sources = case_of(tmp_path / "in", variant)
    (document,) = author(result, sources, tmp_path / "out", [KEY_OBJECTS])
    assert_valid(document.path)
    assert_reads_as_report(document.path)
    assert_one_study([*sources.values(), document.path])


def test_only_images_with_marks_are_selected(tmp_path):
    result, sources = case_of(tmp_path / "in")
    images = list(result.images)
    images[1] = replace(images[1], findings=())
    # a candidate below every operating point is no mark
    images[2] = replace(images[2], findings=images[2].findings[3:])
    (document,) = author(replace(result, images=tuple(images)), sources, tmp_path / "out", [KEY_OBJECTS])
    ds = pydicom.dcmread(document.path)
    selected = [item for item in ds.ContentSequence if item.ValueType == "IMAGE"]
    uids = [item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID for item in selected]
    assert uids == [images[0].header.sop_instance_uid, images[3].header.sop_instance_uid]
    assert not any("ConceptNameCodeSequence" in item for item in selected)
    (series,) = ds.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
    assert [item.ReferencedSOPInstanceUID for item in series.ReferencedSOPSequence] == uids
    (words,) = [item.TextValue for item in ds.ContentSequence if item.ValueType == "TEXT" and "TextValue" in item][-1:]
    assert words.startswith("CAD marks: 6 (View: 2)")


def test_rows_of_the_requirements(tmp_path):
    result, sources = case_of(tmp_path / "in")
    ds = pydicom.dcmread(author(result, sources, tmp_path / "out", [KEY_OBJECTS])[0].path)
    assert (ds.Modality, ds.ValueType, ds.ContinuityOfContent) == ("KO", "CONTAINER", "SEPARATE")
    (title,) = ds.ConceptNameCodeSequence
    assert (title.CodeValue, title.CodingSchemeDesignator, title.CodeMeaning) == ("113000", "DCM", "Of Interest")
    assert ds.ContentTemplateSequence[0].TemplateIdentifier == "2010"
    assert len(ds.ReferencedPerformedProcedureStepSequence) == 0
    assert (ds.ContentDate, ds.ContentTime) == ("20261121", "050000")
    assert "ReferencedRequestSequence" not in ds


def test_the_presentation_states_go_with_the_images_when_they_are_written(tmp_path):
    result, sources = case_of(tmp_path / "in")
    *states, document = author(result, sources, tmp_path / "out", [PRESENTATION_STATE, KEY_OBJECTS])
    assert_valid(document.path)
    assert_reads_as_report(document.path)
    ds = pydicom.dcmread(document.path)
    shown = [
        item.ReferencedSOPSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID
        for item in ds.ContentSequence
        if item.ValueType == "IMAGE"
    ]
    assert shown == [item.sop_instance_uid for item in states]
    evidence = {
        (series.SeriesInstanceUID, item.ReferencedSOPInstanceUID)
        for series in ds.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
        for item in series.ReferencedSOPSequence
    }
    assert {(item.series_instance_uid, item.sop_instance_uid) for item in states} < evidence


def test_nothing_found_nothing_selected(tmp_path):
    result, sources = case_of(tmp_path / "in", findings=False)
    assert author(result, sources, tmp_path / "out", [KEY_OBJECTS]) == ()


def test_real_images(tmp_path):
    images, sources = [], {}
    for path in real_mammograms()[:4]:
        image = image_result(read_header(path))
        images.append(image)
        sources[image.header.sop_instance_uid] = path
    for item in author(study_result(*images[:1]), sources, tmp_path, [KEY_OBJECTS]):
        assert_valid(item.path)
        assert_reads_as_report(item.path)
