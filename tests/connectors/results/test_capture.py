"""Secondary Captures: what is on the sheet, and what must not be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pydicom
import pytest
from dicom_validators import assert_valid
from made_studies import PROVENANCE, failed, image_result, mammogram_dataset, save, study_result

from reread.analytics.errors import AuthoringFailed
from reread.analytics.pictures_grey import render_grey
from reread.analytics.reasons import Reason
from reread.analytics.records import FindingKind, Laterality, View
from reread.connectors.mammograms import InputError, read_header, read_mammogram
from reread.connectors.results.authoring import ResultFormat, author_study
from reread.connectors.results.capture import capture_attributes
from reread.connectors.results.page_language import languages, words
from reread.connectors.results.sheet import PLACES, SHEET_COLUMNS, SHEET_ROWS, draw_sheet, sheet_places

VIEWS = [("R", "CC"), ("L", "CC"), ("R", "MLO"), ("L", "MLO")]
HALF = SHEET_COLUMNS // 2


@pytest.fixture
def four(tmp_path):
    sources, images, greys = {}, [], {}
    for number, (side, view) in enumerate(VIEWS, start=1):
        path = save(mammogram_dataset(side, view, number=number), tmp_path / f"{number}.dcm")
        mammogram = read_mammogram(path)
        image = image_result(mammogram.header)
        images.append(image)
        sources[mammogram.header.sop_instance_uid] = path
        greys[mammogram.header.sop_instance_uid] = render_grey(mammogram, image)
    return study_result(*images), sources, greys


def authored(result, sources, folder, **options):
    (capture,) = author_study(
        result, sources=sources, provenance=PROVENANCE, folder=folder, formats=[ResultFormat.CAPTURE], **options
    )
    return capture.path


def test_the_sheet_is_stored_as_it_was_drawn(four, tmp_path):
    result, sources, greys = four
    path = authored(result, sources, tmp_path / "out")
    assert_valid(path)
    ds = pydicom.dcmread(path)
    assert np.array_equal(ds.pixel_array, draw_sheet(result, PROVENANCE, greys, words()))
    assert (ds.BurnedInAnnotation, ds.ConversionType, ds.Modality) == ("YES", "SYN", "MG")
    assert (ds.PhotometricInterpretation, ds.SamplesPerPixel, ds.PresentationLUTShape) == ("MONOCHROME2", 1, "IDENTITY")
    assert (ds.WindowCenter, ds.WindowWidth, ds.LossyImageCompression) == (128, 256, "01")
    assert ds.ImageType == ["DERIVED", "SECONDARY"]
    assert [item.ReferencedSOPInstanceUID for item in ds.SourceImageSequence] == list(sources)
    # pictures that are handed over change nothing
    again = authored(result, sources, tmp_path / "again", greys=greys)
    assert again.read_bytes() == path.read_bytes()


def test_our_own_sheet_is_never_measured_again(four, tmp_path):
    result, sources, greys = four
    with pytest.raises(InputError) as caught:
        read_header(authored(result, sources, tmp_path / "out", greys=greys))
    assert caught.value.reason is Reason.NOT_MEASURABLE


def test_each_view_stands_in_its_place(four):
    result, _, greys = four
    places = sheet_places(result)
    assert [place.name for place in places] == ["R CC", "L CC", "R MLO", "L MLO"] == [place.name for place in PLACES]
    assert [f"{image.header.laterality} {image.header.view}" for image in places.values()] == [p.name for p in PLACES]
    sheet = draw_sheet(result, PROVENANCE, greys, words())
    assert sheet.shape == (SHEET_ROWS, SHEET_COLUMNS)
    # breasts meet in the middle, the outer quarter is air
    for top in (400, 1500):
        middle, outer = sheet[top : top + 500, HALF - 300 : HALF + 300], sheet[top : top + 500, :150]
        assert np.median(middle) > 60
        assert np.median(outer) == 0
    without = draw_sheet(replace(result, images=result.images[1:]), PROVENANCE, greys, words())
    assert np.array_equal(without[76:1226, HALF + 4 :], sheet[76:1226, HALF + 4 :])
    assert (without[300:1000, 100 : HALF - 100] != sheet[300:1000, 100 : HALF - 100]).mean() > 0.1


def test_marks_are_burned_in_where_the_findings_are(four):
    result, _, greys = four
    bare = replace(result, images=tuple(replace(image, findings=()) for image in result.images))
    difference = draw_sheet(result, PROVENANCE, greys, words()) != draw_sheet(bare, PROVENANCE, greys, words())
    cell = difference[76:1226, HALF + 4 :]
    image = next(i for i in result.images if (i.header.laterality, i.header.view) == (Laterality.LEFT, View.CC))
    scale = 1150 / image.header.rows
    changed = np.zeros_like(cell)
    for finding in image.findings:
        if finding.operating_point is not None:
            x, y = round((finding.x_px + 0.5) * scale), round((finding.y_px + 0.5) * scale)
            around = (slice(max(0, y - 90), y + 90), slice(max(0, x - 90), x + 160))
            assert cell[around].sum() > 100
            changed[around] = True
            assert not cell[y - 3 : y + 3, x - 3 : x + 3].any()  # the finding itself stays to be seen
    assert not (cell & ~changed).any()


def test_one_scale_for_views_of_known_pixel_size(four):
    result, _, greys = four
    small = result.images[0]
    size = replace(small.header.spacing, row_spacing_mm=0.25, column_spacing_mm=0.25)
    images = (replace(small, header=replace(small.header, spacing=size)), *result.images[1:])
    bright = {True: 0, False: 0}
    for known in bright:
        shown = tuple(replace(i, header=replace(i.header, spacing_known=known)) for i in images)
        sheet = draw_sheet(replace(result, images=shown), PROVENANCE, greys, words())
        bright[known] = int((sheet[76:1226, 300 : HALF - 4] > 40).sum())
    assert bright[True] < 0.4 * bright[False]


def test_the_usual_view_comes_before_its_relatives_and_a_measured_one_before_a_failed(four):
    result, _, _ = four
    first, *rest = result.images
    exaggerated = replace(first, header=replace(first.header, view=View.XCCL, sop_instance_uid="1.9"))
    broken = replace(failed(first), header=replace(first.header, sop_instance_uid="1.1"))
    for images in ((exaggerated, broken, first, *rest), (first, *rest, broken, exaggerated)):
        assert sheet_places(replace(result, images=images))[PLACES[0]] is first
    assert sheet_places(replace(result, images=(exaggerated, broken)))[PLACES[0]] is exaggerated


@pytest.mark.parametrize("language", languages())
def test_every_language_fits_the_sheet(four, language):
    result, _, greys = four
    sheet = draw_sheet(result, PROVENANCE, greys, words(language))
    assert (sheet[2400:] > 120).any(axis=1).sum() > 60
    assert not (sheet[:, -16:] > 120).any()  # no text runs out at the right
    if language != "en":
        assert not np.array_equal(sheet, draw_sheet(result, PROVENANCE, greys, words()))


def test_another_language_is_another_object(four, tmp_path):
    result, sources, greys = four
    english, german = (
        pydicom.dcmread(authored(result, sources, tmp_path / word, greys=greys, language=word)) for word in ("en", "de")
    )
    assert english.SOPInstanceUID != german.SOPInstanceUID


def test_pixels_that_are_gone_leave_a_named_place(four, tmp_path):
    result, sources, greys = four
    (uid, path), *_ = sources.items()
    del greys[uid]
    path.write_bytes(path.read_bytes()[:-5000])  # cut off since it was measured
    sheet = pydicom.dcmread(authored(result, sources, tmp_path / "out", greys=greys)).pixel_array
    assert not sheet[400:600, 100 : HALF - 60].any()
    assert sheet[600:720, 100 : HALF - 60].any()


def test_pages_of_another_shape_are_refused(four):
    result, _, _ = four
    for shape, kind in (((4, 4, 4), np.uint8), ((4, 4), np.uint16), ((3, 3), np.uint8), ((4,), np.uint8)):
        with pytest.raises(AuthoringFailed, match="8 bits"):
            capture_attributes(result, np.zeros(shape, kind))


def test_all_kinds_of_findings_have_their_shape(four):
    result, _, greys = four
    assert {finding.kind for _, finding in result.marks} == set(FindingKind)
    assert draw_sheet(result, PROVENANCE, greys, words()).max() == 255
