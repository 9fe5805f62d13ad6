"""Whatever is measured, written with whatever options: the reader says it again, the checker has no objection."""

from __future__ import annotations

from dataclasses import fields, replace
from enum import StrEnum
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_studies import PROVENANCE
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from reread.analytics.records import (
    BreastRegion,
    DensityScore,
    Finding,
    FindingKind,
    ImageHeader,
    ImageQuality,
    ImageResult,
    Laterality,
    Nature,
    Nipple,
    PectoralMuscle,
    Positioning,
    Shape,
    Size,
    StudyResult,
    View,
    VolumetricDensity,
)
from reread.connectors.reports.cad_checking import check_cad_report
from reread.connectors.reports.cad_reading import read_cad_report
from reread.connectors.reports.cad_records import CadDensity, CadReport
from reread.connectors.reports.cad_report import MAMMOGRAPHY_CAD_SR, cad_report_content
from reread.connectors.reports.content_encoding import content_dataset, write_content
from reread.connectors.reports.finding_records import CadFinding
from reread.connectors.reports.report_options import CadReportOptions

ROWS, COLUMNS = 3000, 2400
STUDY = "2.25.700"
VIEWS = (
    (Laterality.RIGHT, View.CC),
    (Laterality.LEFT, View.CC),
    (Laterality.RIGHT, View.MLO),
    (Laterality.LEFT, View.MLO),
)

positions = st.tuples(st.floats(0, COLUMNS - 1, width=32), st.floats(0, ROWS - 1, width=32))
outlines = st.lists(
    st.tuples(st.integers(0, COLUMNS - 1).map(float), st.integers(0, ROWS - 1).map(float)),
    min_size=3, max_size=12, unique=True,
).map(tuple)  # fmt: skip
lengths = st.floats(0.01, 300).map(lambda value: round(value, 4))
shares = st.floats(0, 100).map(lambda value: round(value, 4))
units = st.floats(0, 1).map(lambda value: round(value, 6))
letters = st.sampled_from("abcd")
shapes = st.builds(
    Shape,
    long_axis=st.one_of(st.just(()), st.tuples(positions, positions)),
    area_mm2=st.one_of(st.just(0.0), lengths),
    contrast_percent=shares,
    margin_mm=st.none() | lengths,
    spiculation_percent=st.none() | shares,
    nipple_distance_mm=st.none() | lengths,
    chest_wall_distance_mm=lengths,
)


@st.composite
def findings(draw: st.DrawFn) -> Finding:
    kind = draw(st.sampled_from(FindingKind))
    x_px, y_px = draw(positions)
    members = draw(st.lists(positions, max_size=4)) if kind is FindingKind.CALCIFICATION else []
    sized = draw(st.booleans())
    natures = st.sampled_from([Nature.MASS, Nature.ASYMMETRY, Nature.DISTORTION])
    return Finding(
        kind, x_px, y_px, draw(units), draw(st.sampled_from([0, 1, 2, None])), draw(st.just(()) | outlines),
        draw(lengths), tuple(members), tuple(draw(lengths) for _ in members) if sized else (),
        Nature.CLUSTER if kind is FindingKind.CALCIFICATION else draw(natures),
        draw(st.none() | st.floats(-5, 50).map(lambda value: round(value, 4))), draw(st.none() | shapes),
        draw(st.none() | st.integers(1, 2)), draw(st.none() | st.integers(1, 2)),
    )  # fmt: skip


densities = st.builds(DensityScore, shares, letters, lengths, lengths, units)
volumes = st.builds(VolumetricDensity, shares, letters, lengths, lengths, lengths, units)
qualities = st.builds(
    ImageQuality, units, units, units, lengths, lengths, units, st.none() | lengths, st.none() | lengths, lengths
)
positionings = st.builds(
    Positioning, st.none() | lengths, st.none() | lengths, st.none() | lengths, st.none() | st.floats(0, 60).map(round),
    st.none() | st.booleans(), st.none() | lengths, st.none() | st.booleans(), st.none() | st.booleans(),
)  # fmt: skip
breasts = st.builds(BreastRegion, outlines, lengths, st.booleans())
muscles = st.builds(PectoralMuscle, outlines, lengths, shares)
nipples = st.builds(Nipple, st.floats(0, COLUMNS - 1, width=32), st.floats(0, ROWS - 1, width=32), units)


def header(number: int, modifiers: tuple[str, ...] = ()) -> ImageHeader:
    side, view = VIEWS[number]
    return ImageHeader(
        f"2.25.80{number}", "1.2.840.10008.5.1.4.1.1.1.2", "2.25.701", STUDY, ROWS, COLUMNS, side, view,
        Size(0.08, 0.07), for_processing=False, manufacturer="", model="", device_serial="", study_date="20250102",
        study_time="101112", content_date="20250102", content_time="101500", patient_orientation=("A", "FR"),
        inferred=(), input_digest="", view_modifiers=modifiers,
    )  # fmt: skip


@st.composite
def studies(draw: st.DrawFn) -> StudyResult:
    modifiers = st.lists(st.sampled_from(["rolled lateral", "implant displaced", "nipple in profile"]), unique=True)
    images = tuple(
        ImageResult(
            header(number, tuple(draw(modifiers))), draw(breasts), draw(st.none() | muscles), draw(st.none() | nipples),
            draw(st.none() | densities), tuple(draw(st.lists(findings(), max_size=4))), None, "", (),
            volumetric=draw(st.none() | volumes), quality=draw(st.none() | qualities),
            positioning=draw(st.none() | positionings),
        )
        for number in range(draw(st.integers(1, 4)))
    )  # fmt: skip
    area, volume = st.none() | densities, st.none() | volumes
    return StudyResult(
        STUDY, 1, "woman", "20250102", images, (), draw(area), draw(area), draw(area),
        draw(volume), draw(volume), draw(volume),
    )  # fmt: skip


@st.composite
def any_options(draw: st.DrawFn) -> CadReportOptions:
    chosen = {}
    for item in fields(CadReportOptions):
        kind = type(item.default)
        chosen[item.name] = draw(st.sampled_from(list(kind)) if issubclass(kind, StrEnum) else st.booleans())
    return CadReportOptions(**chosen)


def document(result: StudyResult, options: CadReportOptions) -> Dataset:
    ds = Dataset()
    write_content(ds, cad_report_content(result, (), PROVENANCE, options))
    ds.SOPClassUID, ds.SOPInstanceUID = MAMMOGRAPHY_CAD_SR, "2.25.9"
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.Modality, ds.SeriesNumber = STUDY, "2.25.10", "SR", 1
    ds.CompletionFlag, ds.VerificationFlag, ds.InstanceNumber = "COMPLETE", "UNVERIFIED", 1
    ds.ContentDate, ds.ContentTime, ds.Manufacturer = "20260101", "120000", "Reread"
    study, series = Dataset(), Dataset()
    study.StudyInstanceUID, series.SeriesInstanceUID = STUDY, "2.25.701"
    series.ReferencedSOPSequence = [Dataset() for _ in result.images]
    for item, image in zip(series.ReferencedSOPSequence, result.images, strict=True):
        item.ReferencedSOPClassUID = image.header.sop_class_uid
        item.ReferencedSOPInstanceUID = image.header.sop_instance_uid
    study.ReferencedSeriesSequence = [series]
    ds.CurrentRequestedProcedureEvidenceSequence = [study]
    return ds


def save(ds: Dataset, path: Path) -> Path:
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.save_as(path, enforce_file_format=True)
    return path


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(studies(), any_options())
def test_reading_gives_back_what_was_measured(tmp_path_factory, result, options):
    path = save(document(result, options), tmp_path_factory.mktemp("sr") / "a.dcm")
    report = read_cad_report(path)
    assert report.problems == ()
    assert report.others == ()
    assert_findings(result, report, options)
    assert_images(result, report)
    assert_densities(result, report, options)
    assert [violation for violation in check_cad_report(path) if not violation.notice] == []


def assert_findings(result: StudyResult, report: CadReport, options: CadReportOptions) -> None:
    """Each finding of the report is one of the result, with all that the options let in."""
    expected = {
        (image.header.sop_instance_uid, place): finding
        for image in result.images
        for place, finding in enumerate(image.findings, start=1)
        if options.findings
        and finding.operating_point is not None
        and (options.operating_points or finding.operating_point == 0)
    }
    found = {
        (item.sop_instance_uid, item.identifier): item for item in report.findings if item.kind in set(FindingKind)
    }
    assert found.keys() == expected.keys()
    assert len([item for item in report.findings if item.kind in set(FindingKind)]) == len(expected)
    for key, finding in expected.items():
        assert_finding(finding, found[key], options)
    assert_composites(expected, report, options)


def assert_finding(finding: Finding, read: CadFinding, options: CadReportOptions) -> None:
    assert read.kind == finding.kind.value
    assert (read.x_px, read.y_px) == pytest.approx((finding.x_px, finding.y_px), abs=1e-3)
    assert read.operating_point == finding.operating_point
    assert (read.match, read.composite) == (finding.match, finding.composite)
    assert (read.algorithm.name, read.algorithm.version) == (PROVENANCE.algorithm, PROVENANCE.version)
    assert read.certainty_percent == (pytest.approx(100 * finding.score) if options.certainty else None)
    if options.outlines and not options.markers:
        assert [*map(pytest.approx, finding.outline)] == [*read.outline]
    else:
        assert bool(read.outline) == bool(options.outlines and finding.outline)
    members = finding.members if options.calcifications else ()
    assert [(one.x_px, one.y_px) for one in read.members] == [pytest.approx(xy, abs=1e-3) for xy in members]
    if not options.metrics:
        assert (read.size_mm, read.score, read.area_mm2) == (None, None, None)
        return
    assert read.size_mm == pytest.approx(finding.size_mm)
    assert read.nature is finding.nature
    assert (read.score, read.evidence) == pytest.approx((finding.score, finding.evidence))
    assert read.calcification_count == (len(finding.members) or None)
    sizes = finding.member_sizes_mm or (None,) * len(members)
    assert [one.size_mm for one in read.members] == [pytest.approx(size) for size, _ in zip(sizes, members)]  # noqa: B905
    shape = finding.shape
    if shape is None:
        return
    assert [*read.long_axis] == [pytest.approx(xy, abs=1e-3) for xy in shape.long_axis]
    assert (read.area_mm2 or 0.0) == pytest.approx(shape.area_mm2)
    for name in (
        "contrast_percent",
        "margin_mm",
        "spiculation_percent",
        "nipple_distance_mm",
        "chest_wall_distance_mm",
    ):
        assert getattr(read, name) == pytest.approx(getattr(shape, name)), name


def assert_composites(expected: dict[tuple[str, int], Finding], report: CadReport, options: CadReportOptions) -> None:
    """A mass and the clusters of its image stand in one feature; nothing stands in a feature without a reason."""
    if not options.composites:
        assert report.composites == ()
        return
    joined = []
    for composite in report.composites:
        members = [report.findings[place] for place in composite.findings]
        assert len(members) > 1
        uids = {member.sop_instance_uid for member in members}
        assert composite.scope is not None
        assert composite.scope.value == ("111158" if len(uids) > 1 else "111157")
        if composite.code.value == "111459" and len(uids) == 1 and len({m.composite for m in members}) == 1:
            joined.append({(member.sop_instance_uid, member.identifier) for member in members})
        elif composite.within is None:
            assert any(member.match is not None for member in members)
    groups: dict[tuple[str, int], set[tuple[str, int]]] = {}
    for (uid, place), finding in expected.items():
        if finding.composite is not None:
            groups.setdefault((uid, finding.composite), set()).add((uid, place))
    for group in groups.values():
        if {expected[key].kind for key in group} == set(FindingKind):
            assert group in joined


def assert_images(result: StudyResult, report: CadReport) -> None:
    for image, read in zip(result.images, report.images, strict=True):
        head = image.header
        assert (read.sop_instance_uid, read.laterality, read.view) == (
            head.sop_instance_uid,
            head.laterality,
            head.view,
        )
        assert tuple(code.meaning.lower() for code in read.view_modifiers) == head.view_modifiers
        assert read.patient_orientation == head.patient_orientation
        assert (read.study_date, read.content_time) == (head.study_date, head.content_time)
        assert read.spacing_mm == pytest.approx((0.08, 0.07))


def assert_densities(result: StudyResult, report: CadReport, options: CadReportOptions) -> None:
    if not options.density:
        assert report.densities == ()
        return
    sides = {Laterality.LEFT: ("left", "volumetric_left"), Laterality.RIGHT: ("right", "volumetric_right")}
    for density in report.densities:
        if density.per_image:
            continue
        area, volume = sides.get(density.laterality, ("density", "volumetric"))
        assert_density(getattr(result, volume if density.method == "3d" else area), density)
    wanted = (
        result.density,
        result.left,
        result.right,
        result.volumetric,
        result.volumetric_left,
        result.volumetric_right,
    )
    has_composition = any((result.density, result.volumetric, result.left, result.right))
    count = sum(item is not None for item in wanted) if has_composition else 0
    assert len([item for item in report.densities if not item.per_image]) == count
    for image in result.images:
        own = [item for item in report.densities if item.per_image and item.method]
        if options.geometry:
            own = [item for item in own if item.sop_instance_uid == image.header.sop_instance_uid]
            assert len(own) == (image.density is not None) + (image.volumetric is not None)
            for density in own:
                assert_density(image.volumetric if density.method == "3d" else image.density, density)


def assert_density(score: DensityScore | VolumetricDensity | None, read: CadDensity) -> None:
    assert score is not None
    assert read.category == score.category
    if isinstance(score, DensityScore):
        assert read.percent == pytest.approx(score.percent_density)
        assert (read.dense_area_mm2, read.breast_area_mm2, read.dense_threshold) == pytest.approx(
            (score.dense_area_mm2, score.breast_area_mm2, score.dense_threshold)
        )
    else:
        assert read.percent == pytest.approx(score.volumetric_percent)
        assert (read.gland_volume_cm3, read.breast_volume_cm3) == pytest.approx(
            (score.gland_volume_cm3, score.breast_volume_cm3)
        )


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(studies(), any_options())
def test_the_bytes_are_those_that_pydicom_writes(result, options):
    root = cad_report_content(result, (), PROVENANCE, options)
    quick, slow = Dataset(), content_dataset(root)
    write_content(quick, root)
    written = []
    for ds in (quick, slow):
        stream = BytesIO()
        ds.save_as(stream, implicit_vr=False, little_endian=True)
        written.append(stream.getvalue())
    assert written[0] == written[1]


def test_texts_beyond_ascii_are_left_to_pydicom():
    result = replace(StudyResult(STUDY, 1, "woman", "", (), (), None, None, None), images=())
    named = replace(PROVENANCE, algorithm="Modèle-王")
    root = cad_report_content(replace(result, images=(_image(),)), (), named)
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    write_content(ds, root)
    stream = BytesIO()
    ds.save_as(stream, implicit_vr=False, little_endian=True)
    assert "Modèle-王".encode() in stream.getvalue()


def _image() -> ImageResult:
    score = DensityScore(10.0, "a", 100.0, 1000.0, 0.5)
    return ImageResult(header(0), None, None, None, score, (), None, "", ())
