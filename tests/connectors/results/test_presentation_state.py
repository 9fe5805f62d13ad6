"""Presentation states: what a viewer is told to draw, and that the image looks as before."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from dicom_validators import assert_valid, dcmtk, run
from made_studies import PROVENANCE, image_result, mammogram_dataset, save, study_result
from pydicom.dataset import Dataset
from result_cases import VARIANTS, assert_one_study, author, case_of, real_mammograms

from reread.analytics.errors import AuthoringFailed
from reread.analytics.records import Finding, FindingKind
from reread.connectors.mammograms import read_header, read_mammogram
from reread.connectors.results.authoring import author_study
from reread.connectors.results.page_language import words
from reread.connectors.results.presentation_state import PRESENTATION_STATE, summary_text
from reread.connectors.results.presentation_state_grey import grey_attributes


def assert_presentation_state(path: Path) -> None:
    assert_valid(path)
    status, said = run(dcmtk("dcmpschk"), path)
    assert status == 0, said
    assert "Test passed" in said
    assert "Warning" not in said and "Error" not in said, said


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("findings", [True, False])
def test_every_image_gets_a_valid_state(tmp_path, variant, findings):
    result, sources = case_of(tmp_path / "in", variant, findings=findings)
    written = author(result, sources, tmp_path / "out", [PRESENTATION_STATE])
    assert len(written) == 4
    assert len({item.series_instance_uid for item in written}) == 2
    for item in written:
        assert_presentation_state(item.path)
    assert_one_study([*sources.values(), *(item.path for item in written)])


def test_rows_of_the_requirements(tmp_path):
    result, sources = case_of(tmp_path / "in")
    ds = pydicom.dcmread(author(result, sources, tmp_path, [PRESENTATION_STATE])[3].path)
    header = result.images[3].header
    assert (ds.Modality, ds.Laterality, ds.InstanceNumber) == ("PR", "L", 4)
    assert (ds.ContentLabel, ds.ContentDescription, ds.ContentCreatorName) == ("LMLO", "Reread CAD results", "Reread")
    assert (ds.PresentationCreationDate, ds.PresentationCreationTime) == ("20261121", "050000")
    (series,) = ds.ReferencedSeriesSequence
    assert series.SeriesInstanceUID == header.series_instance_uid
    assert series.ReferencedImageSequence[0].ReferencedSOPInstanceUID == header.sop_instance_uid
    (area,) = ds.DisplayedAreaSelectionSequence
    assert (area.DisplayedAreaTopLeftHandCorner, area.DisplayedAreaBottomRightHandCorner) == ([1, 1], [180, 240])
    assert (area.PresentationSizeMode, area.PresentationPixelSpacing) == ("SCALE TO FIT", [0.5, 0.5])
    assert (ds.ImageRotation, ds.ImageHorizontalFlip) == (0, "N")
    assert [item.GraphicLayer for item in ds.GraphicLayerSequence] == ["REREAD CAD", "REREAD CAD 1", "REREAD CAD 2"]
    assert [item.GraphicLayerOrder for item in ds.GraphicLayerSequence] == [1, 2, 3]
    assert [item.GraphicLayer for item in ds.GraphicAnnotationSequence] == [
        "REREAD CAD",
        "REREAD CAD 1",
        "REREAD CAD 2",
    ]
    assert (ds.SoftcopyVOILUTSequence[0].WindowCenter, ds.SoftcopyVOILUTSequence[0].WindowWidth) == (2048, 4096)
    assert ds.PresentationLUTShape == "IDENTITY"
    assert "PatientOrientation" not in ds
    (summary,) = ds.GraphicAnnotationSequence[0].TextObjectSequence
    assert summary.UnformattedTextValue.split("\r\n") == [
        f"Reread {PROVENANCE.version}",
        "Calcification cluster: 1",
        "Mass: 2",
        "Research and quality software, not a medical device",
    ]
    assert summary.BoundingBoxTopLeftHandCorner == [10, 10]
    assert summary.BoundingBoxBottomRightHandCorner == [100, 100]


def test_masses_are_ellipses_and_clusters_rectangles_around_the_findings(tmp_path):
    result, sources = case_of(tmp_path / "in")
    written = author(result, sources, tmp_path, [PRESENTATION_STATE])
    for image, item in zip(result.images, written, strict=True):
        layers = pydicom.dcmread(item.path).GraphicAnnotationSequence
        mass, cluster, small = [graphic for layer in layers for graphic in layer.GraphicObjectSequence]
        assert [(g.GraphicType, g.NumberOfGraphicPoints) for g in (mass, cluster, small)] == [
            ("ELLIPSE", 4),
            ("POLYLINE", 5),
            ("ELLIPSE", 4),
        ]
        assert all(g.GraphicFilled == "N" and g.GraphicAnnotationUnits == "PIXEL" for g in (mass, cluster, small))
        ends = np.array(mass.GraphicData).reshape(4, 2) - 0.5
        assert np.allclose(ends[:2].mean(axis=0), ends[2:].mean(axis=0), atol=1e-3)
        finding = image.findings[0]
        centre = ends.mean(axis=0)
        along, across = ends[1] - centre, ends[3] - centre
        for point in np.array(finding.outline) - centre:
            assert (point @ along / (along @ along)) ** 2 + (point @ across / (across @ across)) ** 2 < 1
        corners = np.array(cluster.GraphicData).reshape(5, 2) - 0.5
        assert np.array_equal(corners[0], corners[4])
        outline = np.array(image.findings[1].outline + image.findings[1].members)
        assert (corners.min(axis=0) < outline.min(axis=0)).all()
        assert (corners.max(axis=0) > outline.max(axis=0)).all()


def test_a_mass_at_the_border_is_the_visible_part_of_its_ellipse(tmp_path):
    path = save(mammogram_dataset("L", "CC"), tmp_path / "a.dcm")
    image = image_result(read_mammogram(path).header)
    finding = Finding(FindingKind.MASS, 0.0, 2.0, 0.9, 0, ((-0.5, 0.0), (9.0, 1.0), (8.0, 9.0), (0.0, 9.0)), 9.0)
    result = study_result(replace(image, findings=(finding,)))
    (state,) = author(result, {image.header.sop_instance_uid: path}, tmp_path, [PRESENTATION_STATE])
    assert_presentation_state(state.path)
    (graphic,) = pydicom.dcmread(state.path).GraphicAnnotationSequence[0].GraphicObjectSequence
    points = np.array(graphic.GraphicData).reshape(-1, 2)
    assert graphic.GraphicType == "POLYLINE"
    assert (points.min(axis=0) == 0).all()
    assert points.max() > 9.5


def test_without_a_spacing_the_aspect_ratio_is_told_and_no_millimetres(tmp_path):
    result, sources = case_of(tmp_path / "in", "no-spacing")
    for path in sources.values():
        ds = pydicom.dcmread(path)
        ds.PixelAspectRatio = [2, 1]
        ds.save_as(path)
    (area,) = pydicom.dcmread(
        author(result, sources, tmp_path, [PRESENTATION_STATE])[0].path
    ).DisplayedAreaSelectionSequence
    assert area.PresentationPixelAspectRatio == [2, 1]
    assert "PresentationPixelSpacing" not in area


def test_dcmtk_renders_the_image_as_its_own_window_does(tmp_path):
    if not dcmtk("dcmp2pgm").exists():
        pytest.skip("dcmp2pgm is not installed")
    for variant in ("usual", "monochrome1"):
        result, sources = case_of(tmp_path / variant, variant)
        state = author(result, sources, tmp_path / variant / "out", [PRESENTATION_STATE])[0]
        source = sources[result.images[0].header.sop_instance_uid]
        out = tmp_path / f"{variant}.pgm"
        status, said = run(dcmtk("dcmp2pgm"), "-p", state.path, source, out)
        assert status == 0, said
        content = out.read_bytes()
        assert content.startswith(b"P5")
        shown = np.frombuffer(content[-240 * 180 :], np.uint8).reshape(240, 180).astype(float)
        pixels = read_mammogram(source).pixels
        inside = pixels > 0.2
        # brighter is denser in both, whatever the photometric interpretation
        assert np.corrcoef(shown[inside], pixels[inside])[0, 1] > 0.9
        assert shown[inside].mean() > shown[~inside].mean()


def test_the_first_window_is_the_default_one():
    source = Dataset()
    source.WindowCenter, source.WindowWidth = [2000, 10], [3000, 20]
    source.PhotometricInterpretation = "MONOCHROME1"
    grey = grey_attributes(source, Dataset())
    assert (grey.SoftcopyVOILUTSequence[0].WindowCenter, grey.SoftcopyVOILUTSequence[0].WindowWidth) == (2000, 3000)
    assert grey.PresentationLUTShape == "INVERSE"
    assert "RescaleSlope" not in grey


@pytest.mark.parametrize("change", [{"WindowWidth": "0"}, {"WindowCenter": ""}, {"WindowWidth": "x"}])
def test_a_window_that_no_viewer_can_use_is_left_out(change):
    source = Dataset()
    source.WindowCenter, source.WindowWidth = 100, 50
    for keyword, value in change.items():
        source.add_new(keyword, "LO", value)
    assert "SoftcopyVOILUTSequence" not in grey_attributes(source, Dataset())


@pytest.mark.parametrize(("first", "vr"), [(0, "US"), (-1024, "SS")])
def test_a_lookup_table_is_kept_and_goes_before_a_window(tmp_path, first, vr):
    ds = mammogram_dataset("R", "CC")
    table = Dataset()
    table.add_new("LUTDescriptor", vr, [4096, first, 12])
    entries = (np.linspace(0, 1, 4096) ** 2 * 4095).astype("<u2")
    table.add_new("LUTData", "OW", entries.tobytes())
    table.LUTExplanation = "steep"
    ds.VOILUTSequence = [table]
    if first < 0:
        ds.RescaleIntercept = -1024
    path = save(ds, tmp_path / "a.dcm")
    image = image_result(read_header(path))
    (state,) = author(study_result(image), {"2.25.20001": path}, tmp_path / "out", [PRESENTATION_STATE])
    assert_presentation_state(state.path)
    written = pydicom.dcmread(state.path)
    (voi,) = written.SoftcopyVOILUTSequence
    assert list(voi.VOILUTSequence[0].LUTDescriptor) == [4096, first, 16]
    kept = np.frombuffer(bytes(voi.VOILUTSequence[0].LUTData), "<u2")
    assert np.abs(kept / 65535 - entries / 4095).max() < 1e-4
    assert "WindowCenter" not in voi
    assert ("RescaleIntercept" in written) is (first < 0)


def test_the_states_of_a_raw_image_go_to_its_twin_too(tmp_path):
    raw = mammogram_dataset("L", "MLO", number=1)
    raw.SOPClassUID, raw.PresentationIntentType = "1.2.840.10008.5.1.4.1.1.1.2.1", "FOR PROCESSING"
    raw.ImageType = ["ORIGINAL", "PRIMARY"]
    shown = mammogram_dataset("L", "MLO", number=2)
    other = mammogram_dataset("R", "MLO", number=3)
    paths = [save(ds, tmp_path / f"{number}.dcm") for number, ds in enumerate((raw, shown, other))]
    sources = {f"2.25.2000{number}": path for number, path in enumerate(paths, start=1)}
    result = study_result(image_result(read_mammogram(paths[0]).header))
    written = author(result, sources, tmp_path / "out", [PRESENTATION_STATE])
    states = [pydicom.dcmread(item.path) for item in written]
    carriers = [ds.ReferencedSeriesSequence[0].ReferencedImageSequence[0].ReferencedSOPInstanceUID for ds in states]
    assert carriers == ["2.25.20001", "2.25.20002"]
    assert states[0].GraphicAnnotationSequence == states[1].GraphicAnnotationSequence or (
        states[0].GraphicAnnotationSequence[0].GraphicObjectSequence
        == states[1].GraphicAnnotationSequence[0].GraphicObjectSequence
    )


def test_counts_in_words():
    cluster = Finding(FindingKind.CALCIFICATION, 1.0, 1.0, 0.5, 0, (), 5.0)
    mass = replace(cluster, kind=FindingKind.MASS)
    provenance = replace(PROVENANCE, algorithm="site-model", version="7")
    assert summary_text([cluster, cluster, mass], provenance, words("de")).split("\r\n")[:3] == [
        "Reread, model site-model 7",
        "Kalkgruppe: 2",
        "Herdbefund: 1",
    ]


def test_a_source_that_is_gone_is_an_error(tmp_path):
    result, sources = case_of(tmp_path / "in")
    gone = dict(list(sources.items())[:1])
    for uid in list(sources)[1:]:
        gone[uid] = tmp_path / "gone.dcm"
    with pytest.raises(AuthoringFailed, match="cannot be read"):
        author_study(result, sources=gone, provenance=PROVENANCE, folder=tmp_path / "out", formats=[PRESENTATION_STATE])


def test_real_images(tmp_path):
    for path in real_mammograms()[:2]:
        image = image_result(read_header(path))
        sources = {image.header.sop_instance_uid: path}
        for item in author(study_result(image), sources, tmp_path, [PRESENTATION_STATE]):
            assert_presentation_state(item.path)
