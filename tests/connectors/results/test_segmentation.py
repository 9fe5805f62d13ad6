"""Segmentations: the masks are the outlines and the threshold, the objects valid and readable by others."""

from __future__ import annotations

from dataclasses import replace

import highdicom
import numpy as np
import pydicom
import pytest
from dicom_validators import assert_valid
from hypothesis import given
from hypothesis import strategies as st
from made_studies import failed, image_result, study_result
from result_cases import VARIANTS, assert_one_study, author, case_of, real_mammograms

from reread.analytics.measurement import MammographyAnalysis
from reread.connectors.mammograms import read_mammogram
from reread.connectors.reports.report_options import CadReportOptions
from reread.connectors.results.segmentation import SEGMENTATION
from reread.connectors.results.segmentation_masks import dense_tissue, filled, measured_masks


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_objects_are_valid(tmp_path, variant):
    result, sources = case_of(tmp_path / "in", variant, findings=False)
    written = author(result, sources, tmp_path / "out", [SEGMENTATION])
    assert len(written) == 4
    for item in written:
        assert_valid(item.path)
    assert_one_study([*sources.values(), *(item.path for item in written)])


def test_the_frames_are_the_masks_of_the_image(tmp_path):
    result, sources = case_of(tmp_path / "in")
    written = author(result, sources, tmp_path / "out", [SEGMENTATION])
    for image, item in zip(result.images, written, strict=True):
        masks = measured_masks(read_mammogram(sources[image.header.sop_instance_uid]), image)
        assert list(masks) == (["breast", "muscle", "dense"] if image.pectoral else ["breast", "dense"])
        segmentation = highdicom.seg.segread(item.path)
        assert segmentation.segmented_property_types[0].meaning == "Breast"
        frames = segmentation.get_pixels_by_source_instance(
            [image.header.sop_instance_uid], ignore_spatial_locations=True
        )[0]
        for number, mask in enumerate(masks.values()):
            assert np.array_equal(frames[:, :, number].astype(bool), mask)


def test_segments_say_what_and_how(tmp_path):
    result, sources = case_of(tmp_path / "in")
    ds = pydicom.dcmread(author(result, sources, tmp_path / "out", [SEGMENTATION])[3].path)
    assert [item.SegmentLabel for item in ds.SegmentSequence] == ["Breast", "Pectoral muscle", "Dense tissue"]
    assert {item.SegmentAlgorithmType for item in ds.SegmentSequence} == {"AUTOMATIC"}
    dense = ds.SegmentSequence[2]
    assert dense.SegmentedPropertyTypeCodeSequence[0].CodeValue == "1342375003"
    assert dense.AnatomicRegionSequence[0].AnatomicRegionModifierSequence[0].CodeMeaning == "Left"
    algorithm = dense.SegmentationAlgorithmIdentificationSequence[0]
    assert (algorithm.AlgorithmName, algorithm.AlgorithmVersion) == ("reread-mammography", "0.1.0")
    (derivation,) = ds.PerFrameFunctionalGroupsSequence[2].DerivationImageSequence
    (source,) = derivation.SourceImageSequence
    assert source.ReferencedSOPInstanceUID == result.images[3].header.sop_instance_uid
    assert source.SpatialLocationsPreserved == "YES"


def test_each_image_has_its_series(tmp_path):
    result, sources = case_of(tmp_path / "in")
    written = author(result, sources, tmp_path / "out", [SEGMENTATION])
    assert len({item.series_instance_uid for item in written}) == len(written)
    assert pydicom.dcmread(written[0].path).SeriesDescription == "Reread R CC: breast, muscle, dense tissue"


@pytest.mark.parametrize("variant", VARIANTS)
def test_placed_for_a_viewer(tmp_path, variant):
    """Spacing and orientation only where the option asks for them; the mask stays, valid too, under another UID."""
    result, sources = case_of(tmp_path / "in", variant, findings=False)
    plain = author(result, sources, tmp_path / "out", [SEGMENTATION])
    placed = author(
        result, sources, tmp_path / "placed", [SEGMENTATION], options=CadReportOptions(segmentation_placed=True)
    )
    for image, one, other in zip(result.images, plain, placed, strict=True):
        assert_valid(other.path)
        before, after = pydicom.dcmread(one.path), pydicom.dcmread(other.path)
        assert not before.SharedFunctionalGroupsSequence[0]
        assert before.SOPInstanceUID != after.SOPInstanceUID
        assert before.PixelData == after.PixelData
        shared = after.SharedFunctionalGroupsSequence[0]
        if variant == "no-spacing":
            assert not shared
            continue
        spacing = image.header.spacing
        assert shared.PixelMeasuresSequence[0].PixelSpacing == [spacing.row_spacing_mm, spacing.column_spacing_mm]
        assert shared.PlaneOrientationSequence[0].ImageOrientationPatient == [1, 0, 0, 0, 1, 0]
    assert_one_study([*sources.values(), *(item.path for item in placed)])


def test_an_image_without_a_breast_has_no_segmentation(tmp_path):
    result, sources = case_of(tmp_path / "in")
    images = (*map(failed, result.images[:3]), replace(result.images[3], breast=None))
    assert author(replace(result, images=images), sources, tmp_path / "out", [SEGMENTATION]) == ()


@given(
    st.tuples(st.integers(0, 30), st.integers(0, 20)),
    st.tuples(st.integers(5, 40), st.integers(5, 40)),
)
def test_a_filled_rectangle_has_the_pixels_between_its_corners(corner, size):
    (x, y), (width, height) = corner, size
    outline = ((x, y), (x + width, y), (x + width, y + height), (x, y + height))
    mask = filled(tuple((float(a), float(b)) for a, b in outline), 60, 60)
    wanted = np.zeros((60, 60), dtype=bool)
    wanted[y : y + height + 1, x : x + width + 1] = True
    assert np.array_equal(mask, wanted)


def test_dense_is_above_the_threshold_in_the_breast_outside_the_muscle(tmp_path):
    result, sources = case_of(tmp_path / "in")
    image = result.images[3]
    pixels = read_mammogram(sources[image.header.sop_instance_uid]).pixels
    breast = filled(image.breast.outline, *pixels.shape)
    muscle = filled(image.pectoral.outline, *pixels.shape)
    dense = dense_tissue(pixels, breast, muscle, image.density)
    assert dense.any()
    assert not (dense & muscle).any()
    assert not (dense & ~breast).any()
    assert pixels[dense].min() > image.density.dense_threshold
    assert pixels[breast & ~muscle & ~dense].max() <= image.density.dense_threshold


@pytest.mark.slow
def test_the_share_of_a_real_breast_is_its_measured_density(tmp_path):
    path = real_mammograms()[0]
    mammogram = read_mammogram(path)
    image = MammographyAnalysis().measure(mammogram)
    assert image.density is not None
    masks = measured_masks(mammogram, image)
    muscle = masks.get("muscle", np.zeros_like(masks["breast"]))
    share = 100 * masks["dense"].sum() / (masks["breast"] & ~muscle).sum()
    assert share == pytest.approx(image.density.percent_density, abs=3)
    (item,) = author(study_result(image), {image.header.sop_instance_uid: path}, tmp_path, [SEGMENTATION])
    assert_valid(item.path)


def test_a_real_image_with_a_laid_out_result(tmp_path):
    path = real_mammograms()[-1]
    image = image_result(read_mammogram(path).header)
    (item,) = author(study_result(image), {image.header.sop_instance_uid: path}, tmp_path, [SEGMENTATION])
    assert_valid(item.path)
