"""The CAD SR: what goes in comes out again, and the codes are those of the standard."""

from __future__ import annotations

from dataclasses import replace

import pydicom
import pytest
from dicom_validators import assert_valid
from made_studies import PROVENANCE, density, failed, image_result, mammogram_dataset, save, study_result

from reread.analytics.errors import InputError
from reread.analytics.records import ImageResult, Laterality, StudyResult, View
from reread.connectors.mammograms import read_header
from reread.connectors.reports.cad_checking import check_cad_report
from reread.connectors.reports.cad_reading import CadReport, read_cad_report
from reread.connectors.reports.report_options import CadReportOptions, CodeProfile
from reread.connectors.results.authoring import ResultFormat, author_study


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sources")
    found = {}
    for number, (side, view) in enumerate([("R", "CC"), ("L", "CC"), ("R", "MLO"), ("L", "MLO")], start=1):
        path = save(mammogram_dataset(side, view, number=number), folder / f"{number}.dcm")
        found[read_header(path).sop_instance_uid] = path
    return found


@pytest.fixture(scope="module")
def images(sources) -> list[ImageResult]:
    return [image_result(read_header(path)) for path in sources.values()]


def written(result: StudyResult, sources, folder, options: CadReportOptions | None = None):
    (report,) = author_study(
        result, sources=sources, provenance=PROVENANCE, folder=folder, formats=[ResultFormat.CAD_SR], options=options
    )
    return report.path


def assert_same_marks(result: StudyResult, report: CadReport) -> None:
    marks = [mark for mark in report.marks if mark.kind != "nipple"]
    assert len(marks) == len(result.marks)
    for (image, finding), mark in zip(result.marks, marks, strict=True):
        assert mark.kind == finding.kind.value
        assert mark.sop_instance_uid == image.header.sop_instance_uid
        assert (mark.x_px, mark.y_px) == pytest.approx((finding.x_px, finding.y_px), abs=1e-3)
        assert mark.operating_point == finding.operating_point
        assert mark.size_mm == pytest.approx(finding.size_mm, abs=1e-4)
        assert len(mark.outline) == len(finding.outline)
        for read, meant in zip(mark.outline, finding.outline, strict=True):
            assert read == pytest.approx(meant, abs=1e-3)
        assert len(mark.members) == len(finding.members)
        for member, (x_px, y_px) in zip(mark.members, finding.members, strict=True):
            assert (member.kind, member.x_px, member.y_px) == (
                "single calcification",
                pytest.approx(x_px, abs=1e-3),
                pytest.approx(y_px, abs=1e-3),
            )
        assert (mark.algorithm.name, mark.algorithm.version) == (PROVENANCE.algorithm, PROVENANCE.version)


@pytest.mark.parametrize("options", [CadReportOptions(), CadReportOptions(codes=CodeProfile.LEGACY, certainty=True)])
def test_a_report_says_again_what_was_measured(tmp_path, sources, images, options):
    result = study_result(*images)
    path = written(result, sources, tmp_path, options)
    assert_valid(path)
    assert check_cad_report(path) == ()
    report = read_cad_report(path)
    assert_same_marks(result, report)
    assert [(image.laterality, image.view) for image in report.images] == [
        (Laterality.RIGHT, View.CC),
        (Laterality.LEFT, View.CC),
        (Laterality.RIGHT, View.MLO),
        (Laterality.LEFT, View.MLO),
    ]
    per_breast = {item.laterality: (item.percent, item.category) for item in report.densities if not item.per_image}
    assert per_breast == {None: (23.4, "b"), Laterality.LEFT: (20.0, "b"), Laterality.RIGHT: (26.8, "c")}
    assert [item.percent for item in report.densities if item.per_image] == [23.4] * 4
    assert [item.part for item in report.outlines].count("breast") == 4
    assert [item.part for item in report.outlines].count("pectoral") == 2
    assert (report.summary, report.detections, report.analyses) == ("111242", "111222", "111222")
    stated = {mark.certainty_percent for mark in report.marks if mark.kind == "calcification"}
    assert stated == ({80.0} if options.certainty else {None})


def test_candidates_below_every_point_are_not_in_the_report(tmp_path, sources, images):
    (image,) = images[:1]
    below = [finding for finding in image.findings if finding.operating_point is None]
    assert below
    report = read_cad_report(written(study_result(image), sources, tmp_path))
    assert not [mark for mark in report.marks if mark.x_px == pytest.approx(below[0].x_px, abs=1e-3)]


def test_legacy_codes_where_older_viewers_look_for_them(tmp_path, sources, images):
    ds = pydicom.dcmread(written(study_result(*images), sources, tmp_path, CadReportOptions(codes=CodeProfile.LEGACY)))
    text = str(ds)
    for code in ("T-04030", "T-04020", "R-10242", "F-01796", "F-01775", "F-01776", "T-04100", "G-A185", "P5-B3414"):
        assert code in text, code
    assert "'SCT'" not in text
    assert "SNM3" in text


@pytest.mark.parametrize(
    ("made", "summary", "detections"),
    [
        ("all with", "111242", "111222"),
        ("all without", "111241", "111222"),
        ("some with", "111244", "111223"),
        ("some without", "111243", "111223"),
        ("none", "111245", "111224"),
    ],
)
def test_summary_codes(tmp_path, sources, images, made, summary, detections):
    chosen = list(images)
    if "without" in made:
        chosen = [replace(image, findings=image.findings[-1:]) for image in chosen]
    if "some" in made:
        chosen[2] = failed(chosen[2])
    if made == "none":
        chosen = [failed(image) for image in chosen]
    result = study_result(*chosen)
    path = written(result, sources, tmp_path)
    assert_valid(path)
    assert check_cad_report(path) == ()
    report = read_cad_report(path)
    assert (report.summary, report.detections, report.analyses) == (summary, detections, detections)
    assert len(report.images) == 4
    assert_same_marks(result, report)


def test_a_missing_density_is_a_failed_analysis_only(tmp_path, sources, images):
    chosen = [replace(images[0], density=None), *images[1:]]
    report = read_cad_report(written(study_result(*chosen), sources, tmp_path))
    assert (report.summary, report.detections, report.analyses) == ("111244", "111222", "111223")


def test_a_report_of_another_maker_is_read_however_malformed(tmp_path, sources, images):
    """The known real one: wrong relationships, inputs below a TEXT, an invented modifier, meanings in other case."""
    path = written(study_result(*images), sources, tmp_path)
    ds = pydicom.dcmread(path)
    modifier = pydicom.Dataset()
    modifier.RelationshipType, modifier.ValueType = "HAS CONCEPT MOD", "CODE"
    modifier.ConceptNameCodeSequence = [_coded("111032", "Image View Modifier")]
    modifier.ConceptCodeSequence = [_coded("T-Rex", "invented")]
    library = ds.ContentSequence[1].ContentSequence
    library[0].ContentSequence[1].ContentSequence = [modifier]
    for summary in ds.ContentSequence[3:]:
        summary.RelationshipType = "HAS CONCEPT MOD"
    performed = ds.ContentSequence[3].ContentSequence[0].ContentSequence[0]
    performed.ContentSequence[1].ContentSequence = [performed.ContentSequence.pop(3)]
    for item in library:
        for below in item.ContentSequence:
            below.ConceptNameCodeSequence[0].CodeMeaning = below.ConceptNameCodeSequence[0].CodeMeaning.upper()
    ds.save_as(path)
    report = read_cad_report(path)
    assert_same_marks(study_result(*images), report)
    assert (report.summary, report.detections) == ("111242", "111222")
    assert report.images[0].view is View.CC
    assert {violation.rule for violation in check_cad_report(path)} >= {"TID4000-6", "TID4000-8", "TID4020-4"}


def _coded(value: str, meaning: str) -> pydicom.Dataset:
    item = pydicom.Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", meaning
    return item


def test_what_is_no_report_is_refused(tmp_path, sources):
    with pytest.raises(InputError):
        read_cad_report(next(iter(sources.values())))
    (tmp_path / "x").write_bytes(b"nothing")
    with pytest.raises(InputError):
        read_cad_report(tmp_path / "x")


def test_densities_keep_their_letter(tmp_path, sources, images):
    for letter in "abcd":
        image = replace(images[0], density=density(12.5, letter))
        report = read_cad_report(written(study_result(image), sources, tmp_path))
        (item,) = [item for item in report.densities if item.per_image]
        assert (item.percent, item.category) == (12.5, letter)
