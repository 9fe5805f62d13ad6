"""The cine: every view twice, marks in the second one, and history at the end."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pydicom
import pytest
from dicom_validators import assert_valid
from made_studies import PROVENANCE, failed, image_result, mammogram_dataset, save, study_result
from result_cases import VARIANTS, assert_one_study, author, case_of, real_mammograms

from reread.analytics.errors import InputError
from reread.connectors.mammograms import read_header, read_mammogram
from reread.connectors.results.cine import CINE, GRAYSCALE_BYTE, TRUE_COLOR, CineForm
from reread.connectors.results.cine_frames import history_frame, in_hanging_order, stacked, view_frames
from reread.connectors.results.forms import EarlierDensity, ResultCase
from reread.connectors.results.page_language import words

EARLIER = tuple(
    EarlierDensity(f"{year}0102", percent, "c", None, None, None, "reread-mammography 0.1.0")
    for year, percent in ((2019, 44.0), (2021, 38.0), (2023, 31.0))
)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("findings", [True, False])
def test_the_cine_is_valid(tmp_path, variant, findings):
    result, sources = case_of(tmp_path / "in", variant, findings=findings)
    (item,) = author(result, sources, tmp_path / "out", [CINE])
    assert item.sop_class_uid == TRUE_COLOR
    assert_valid(item.path)
    assert_one_study([*sources.values(), item.path])
    with pytest.raises(InputError):
        read_header(item.path)


def test_rows_of_the_requirements(tmp_path):
    result, sources = case_of(tmp_path / "in")
    ds = pydicom.dcmread(author(result, sources, tmp_path / "out", [CINE])[0].path)
    assert (ds.Modality, ds.ConversionType) == ("MG", "WSD")
    assert ds.ImageType == ["DERIVED", "SECONDARY"]
    assert (ds.NumberOfFrames, ds.FrameIncrementPointer) == (8, 0x00181063)
    assert (ds.FrameTime, ds.PreferredPlaybackSequencing, ds.RecommendedDisplayFrameRate) == (1200, 0, 1)
    assert (ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PlanarConfiguration) == (3, "RGB", 0)
    assert (ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.BurnedInAnnotation) == (8, 8, 7, "NO")
    assert len(ds.DerivationDescription.split("$$")) == 2
    sources_named = [item.ReferencedSOPInstanceUID for item in ds.SourceImageSequence]
    assert sources_named == [item.header.sop_instance_uid for item in result.images]
    frames = ds.pixel_array
    assert frames.shape == (8, 720, ds.Columns, 3)
    for plain, marked in zip(frames[::2], frames[1::2], strict=True):
        assert (plain[..., 0] == plain[..., 1])[:, 100:-100].all()
        assert 0.001 < (plain != marked).any(axis=-1).mean() < 0.4


def test_grey_bytes_are_valid_too(tmp_path):
    result, sources = case_of(tmp_path / "in")
    form = CineForm(in_colour=False)
    (draft,) = form.drafts(ResultCase(result, PROVENANCE, sources))
    ds = draft.dataset
    assert ds.SOPClassUID == GRAYSCALE_BYTE
    assert (ds.PhotometricInterpretation, ds.SamplesPerPixel, ds.RescaleSlope) == ("MONOCHROME2", 1, 1)
    assert len(ds.PixelData) == 8 * ds.Rows * ds.Columns
    base = mammogram_dataset()
    for keyword in ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime"):
        ds[keyword] = base[keyword]
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SOPInstanceUID = "2.25.1", "2.25.2", "2.25.3"
    ds.ReferringPhysicianName, ds.StudyID, ds.AccessionNumber, ds.InstanceNumber = "", "", "", 1
    ds.ContentDate, ds.ContentTime, ds.Manufacturer = "20250101", "000000", "Reread"
    assert_valid(save(ds, tmp_path / "grey.dcm"))


def test_history_comes_last_when_it_is_known(tmp_path):
    result, sources = case_of(tmp_path / "in")
    (item,) = author(result, sources, tmp_path / "out", [CINE], earlier=EARLIER)
    assert_valid(item.path)
    frames = pydicom.dcmread(item.path).pixel_array
    assert len(frames) == 9
    alone = history_frame(result, EARLIER, 720, frames.shape[2], words())
    assert alone is not None
    # one bar of the colour of the skin line per examination, as long as the density is high
    bars = [int(row.sum()) for row in (alone == (92, 178, 190)).all(axis=-1) if row.any()]
    lengths = list(dict.fromkeys(bars))
    assert lengths == sorted(lengths, reverse=True)
    assert len(lengths) == 4


def test_texts_in_the_language_of_the_site(tmp_path):
    result, sources = case_of(tmp_path / "in")
    english, german = (
        author(result, sources, tmp_path / language, [CINE], earlier=EARLIER, language=language)[0]
        for language in ("en", "de")
    )
    assert english.sop_instance_uid != german.sop_instance_uid
    assert_valid(german.path)
    first, second = pydicom.dcmread(english.path), pydicom.dcmread(german.path)
    assert first.DerivationDescription.split("$$")[0] == "Views without and with marks"
    assert second.DerivationDescription.split("$$")[0] == "Aufnahmen ohne und mit Marken"
    frames = [ds.pixel_array for ds in (first, second)]
    assert np.array_equal(frames[0][:-1], frames[1][:-1])
    assert not np.array_equal(frames[0][-1], frames[1][-1])
    unknown = [replace(item, study_date="") for item in EARLIER]
    assert not np.array_equal(
        history_frame(result, unknown, 720, 500, words("fr")), history_frame(result, unknown, 720, 500, words("it"))
    )


def test_history_needs_an_earlier_and_a_present_density(tmp_path):
    result, _ = case_of(tmp_path / "in")
    assert history_frame(result, (), 720, 500, words()) is None
    assert history_frame(replace(result, density=None), EARLIER, 720, 500, words()) is None
    many = tuple(replace(EARLIER[0], study_date=f"20{year:02d}0101") for year in range(40))
    assert history_frame(result, many, 720, 500, words()) is not None


def test_frames_hang_as_views_do(tmp_path):
    result, sources = case_of(tmp_path / "in")
    order = in_hanging_order(tuple(reversed(result.images)))
    names = [f"{item.header.laterality}{item.header.view}" for item in order]
    assert names == ["RCC", "LCC", "RMLO", "LMLO"]
    image = result.images[1]
    mammogram = read_mammogram(sources[image.header.sop_instance_uid])
    plain, marked = view_frames(mammogram, replace(image, findings=()), 300)
    assert plain.shape == marked.shape == (300, 225, 3)


def test_frames_of_different_sizes_stand_in_the_middle():
    cine = stacked([np.full((4, 3, 3), 200, np.uint8), np.full((8, 5, 3), 100, np.uint8)])
    assert cine.shape == (2, 8, 6, 3)
    assert (cine[0, 2:6, 1:4] == 200).all()
    assert cine[0, 0, 0].max() < 20
    with pytest.raises(ValueError, match="frame"):
        stacked([])


def test_nothing_measured_no_cine(tmp_path):
    result, sources = case_of(tmp_path / "in")
    images = tuple(failed(image) for image in result.images)
    assert author(replace(result, images=images), sources, tmp_path / "out", [CINE]) == ()


def test_a_real_image(tmp_path):
    path = real_mammograms()[0]
    image = image_result(read_header(path))
    (item,) = author(study_result(image), {image.header.sop_instance_uid: path}, tmp_path, [CINE])
    assert_valid(item.path)
