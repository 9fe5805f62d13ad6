"""Enhanced films: valid For Presentation images whose looks do what their names say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pydicom
import pytest
from dicom_validators import assert_valid
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from made_studies import PROVENANCE, image_result, study_result
from pydicom.pixels import apply_voi_lut
from result_cases import assert_one_study, author, case_of, real_mammograms

from reread.analytics.errors import AuthoringFailed, InputError
from reread.analytics.records import Size
from reread.connectors.mammograms import read_header, read_mammogram
from reread.connectors.results.film import ENHANCED_FILM, EnhancedFilmForm
from reread.connectors.results.film_looks import LOOKS, Contrast, enhanced, look_table, resampled
from reread.connectors.results.forms import ResultCase

HALF_MM = Size(0.5, 0.5)


@pytest.mark.parametrize("findings", [True, False])
def test_films_become_images_for_presentation(tmp_path, findings):
    result, sources = case_of(tmp_path / "in", "no-spacing", findings=findings)
    written = author(result, sources, tmp_path / "out", [ENHANCED_FILM])
    assert len(written) == 4
    assert len({item.series_instance_uid for item in written}) == 1
    for item in written:
        assert_valid(item.path)
    assert_one_study([*sources.values(), *(item.path for item in written)])
    with pytest.raises(InputError, match="result of Reread"):
        read_header(written[0].path)


def test_digital_images_are_left_alone(tmp_path):
    result, sources = case_of(tmp_path / "in")
    assert author(result, sources, tmp_path / "out", [ENHANCED_FILM]) == ()


def test_rows_of_the_requirements(tmp_path):
    result, sources = case_of(tmp_path / "in", "no-spacing")
    written = author(result, sources, tmp_path / "out", [ENHANCED_FILM])
    assert [pydicom.dcmread(item.path).InstanceNumber for item in written] == [10, 11, 12, 13]
    ds = pydicom.dcmread(written[3].path)
    header = result.images[3].header
    assert (ds.Modality, ds.PresentationIntentType, ds.BodyPartExamined) == ("MG", "FOR PRESENTATION", "BREAST")
    assert (ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation) == (16, 12, 11, 0)
    assert (ds.PixelIntensityRelationship, ds.PixelIntensityRelationshipSign) == ("LOG", -1)
    assert (ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType) == (0, 1, "US")
    assert (ds.PhotometricInterpretation, ds.PresentationLUTShape) == ("MONOCHROME2", "IDENTITY")
    assert (ds.LossyImageCompression, ds.BurnedInAnnotation) == ("00", "NO")
    assert (ds.WindowCenter, ds.WindowWidth) == (2048, 4096)
    assert [item.LUTExplanation for item in ds.VOILUTSequence] == [
        "NORMAL Tissue",
        "DENSE Tissue",
        "OVEREXPOSED Image",
        "UNDEREXPOSED Image",
    ]
    assert all(list(item.LUTDescriptor) == [4096, 0, 12] for item in ds.VOILUTSequence)
    (source,) = ds.SourceImageSequence
    assert (source.ReferencedSOPInstanceUID, source.SpatialLocationsPreserved) == (header.sop_instance_uid, "YES")
    assert (ds.ImageLaterality, ds.ViewPosition, ds.OrganExposed) == ("L", "MLO", "BREAST")
    assert ds.ViewCodeSequence[0].CodeValue == "399368009"
    assert (ds.AcquisitionDate, ds.AcquisitionTime) == ("20250102", "101500")
    assert ds.ContentDate == "20261121"
    assert len(ds.AcquisitionContextSequence) == 0
    assert ds.DerivationDescription.startswith("NORMAL Contrast [1000.0 um] => [1000.0 um]; pixel spacing assumed")
    assert ds.Manufacturer == "Reread"


def test_a_coarser_output_says_so(tmp_path):
    result, sources = case_of(tmp_path / "in", "no-spacing")
    case = ResultCase(result, PROVENANCE, sources)
    ds = EnhancedFilmForm(output_spacing_mm=2.0, contrast=Contrast.HIGH).attributes(case, result.images[0])
    assert (ds.Rows, ds.Columns) == (120, 90)
    assert ds.ImagerPixelSpacing == [2.0, 2.0]
    assert (ds.LossyImageCompression, ds.SourceImageSequence[0].SpatialLocationsPreserved) == ("01", "NO")
    assert ds.DerivationDescription.startswith("HIGH Contrast [1000.0 um] => [2000.0 um]")
    fine = EnhancedFilmForm(output_spacing_mm=0.1).attributes(case, result.images[0])
    assert (fine.Rows, fine.LossyImageCompression) == (240, "00")
    with pytest.raises(AuthoringFailed, match="positive"):
        EnhancedFilmForm(output_spacing_mm=0.0).attributes(case, result.images[0])


def test_another_program_shows_the_looks(tmp_path):
    result, sources = case_of(tmp_path / "in", "no-spacing")
    ds = pydicom.dcmread(author(result, sources, tmp_path / "out", [ENHANCED_FILM])[0].path)
    shown = [apply_voi_lut(ds.pixel_array, ds, index=place, prefer_lut=True).astype(int) for place in range(4)]
    pixels = read_mammogram(sources[result.images[0].header.sop_instance_uid]).pixels
    inside = pixels > 0.25
    normal, dense, overexposed, underexposed = (picture[inside].mean() for picture in shown)
    assert overexposed > normal > underexposed
    assert dense < normal


@given(arrays.arrays(np.uint16, st.integers(1, 200), elements=st.integers(0, 4095)), st.sampled_from(LOOKS))
def test_a_look_never_falls_and_stays_in_12_bits(inside, look):
    table = look_table(look, inside).astype(int)
    assert table.shape == (4096,)
    assert (np.diff(table) >= 0).all()
    assert table.min() >= 0 and table.max() <= 4095


def test_looks_spread_what_they_are_for():
    inside = np.clip(np.random.default_rng(1).normal(1800, 500, 5000), 0, 4095).astype(np.uint16)
    normal, dense, over, under = (look_table(look, inside).astype(int) for look in LOOKS)
    high, middle = int(np.percentile(inside, 95)), int(np.percentile(inside, 50))
    assert dense[high] - dense[middle] > normal[high] - normal[middle]
    assert (over >= normal).all() and over[middle] > normal[middle]
    assert (under <= normal).all() and under[middle] < normal[middle]
    with pytest.raises(ValueError, match="pixel"):
        look_table(LOOKS[0], inside[:0])


def test_contrast_raises_detail_and_none_leaves_the_values():
    y, x = np.mgrid[0:200, 0:200]
    pixels = (0.3 + 0.3 * x / 200 + 0.02 * (((x // 2) + (y // 2)) % 2)).astype(np.float32)
    everywhere = np.ones(pixels.shape, dtype=bool)

    def detail(contrast):
        values = enhanced(pixels, everywhere, HALF_MM, contrast).astype(float)
        middle = values[60:140, 60:140]
        return np.abs(np.diff(middle, axis=0)).mean() / (middle.max() - middle.min())

    assert detail(Contrast.HIGH) > detail(Contrast.NORMAL) > detail(Contrast.LOW) > detail(Contrast.NONE)
    untouched = enhanced(pixels, everywhere, HALF_MM, Contrast.NONE)
    assert np.abs(untouched / 4095 - pixels).max() < 2e-4
    assert np.array_equal(
        enhanced(pixels, ~everywhere, HALF_MM, Contrast.LOW), enhanced(pixels, everywhere, HALF_MM, Contrast.LOW)
    )


def test_resampling_keeps_the_mean():
    stored = np.random.default_rng(2).integers(0, 4095, (80, 60)).astype(np.uint16)
    half = resampled(stored, HALF_MM, 1.0)
    assert half.shape == (40, 30)
    assert half.mean() == pytest.approx(stored.mean(), rel=0.01)
    assert resampled(stored, HALF_MM, None) is stored


@pytest.mark.slow
def test_real_films(tmp_path):
    for path in real_mammograms()[:2]:
        image = image_result(read_header(path))
        (item,) = author(
            study_result(replace(image, findings=())), {image.header.sop_instance_uid: path}, tmp_path, [ENHANCED_FILM]
        )
        assert_valid(item.path)
