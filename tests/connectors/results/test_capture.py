"""The Secondary Capture: what is on it, and what must not be."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest
from dicom_validators import assert_valid
from made_studies import PROVENANCE, failed, image_result, mammogram_dataset, save, study_result

from reread.analytics.errors import AuthoringFailed
from reread.analytics.pictures import draw_marks
from reread.analytics.reasons import Reason
from reread.connectors.mammograms import InputError, read_header, read_mammogram
from reread.connectors.results.authoring import ResultFormat, author_study
from reread.connectors.results.capture import capture_page


def made(tmp_path):
    path = save(mammogram_dataset("R", "MLO"), tmp_path / "a.dcm")
    mammogram = read_mammogram(path)
    image = image_result(mammogram.header)
    uid = mammogram.header.sop_instance_uid
    return path, uid, image, draw_marks(mammogram, image, height_px=301)


def test_the_page_is_stored_as_it_was_drawn(tmp_path):
    path, uid, image, picture = made(tmp_path)
    result = study_result(image)
    (capture,) = author_study(
        result,
        sources={uid: path},
        provenance=PROVENANCE,
        folder=tmp_path,
        formats=[ResultFormat.CAPTURE],
        pictures={uid: picture},
    )
    assert_valid(capture.path)
    ds = pydicom.dcmread(capture.path)
    assert np.array_equal(ds.pixel_array, capture_page(result, PROVENANCE, {uid: picture}))
    assert (ds.BurnedInAnnotation, ds.ConversionType, ds.Modality) == ("NO", "SYN", "MG")
    assert [item.ReferencedSOPInstanceUID for item in ds.SourceImageSequence] == [uid]


def test_our_own_capture_is_never_measured_again(tmp_path):
    path, uid, image, picture = made(tmp_path)
    (capture,) = author_study(
        study_result(image),
        sources={uid: path},
        provenance=PROVENANCE,
        folder=tmp_path,
        formats=[ResultFormat.CAPTURE],
        pictures={uid: picture},
    )
    with pytest.raises(InputError) as caught:
        read_header(capture.path)
    assert caught.value.reason is Reason.NOT_MEASURABLE


def test_the_page_says_what_it_is_whatever_the_result(tmp_path):
    _, uid, image, picture = made(tmp_path)
    page = capture_page(study_result(image), PROVENANCE, {uid: picture})
    assert page.shape[1] % 2 == 0
    band = page[picture.shape[0] :]
    assert (band > 120).any(axis=(1, 2)).sum() > 20
    other = capture_page(study_result(failed(image)), PROVENANCE, {uid: picture})
    assert other.shape == page.shape
    assert not np.array_equal(other, page)


def test_pictures_of_another_shape_are_refused(tmp_path):
    _, uid, image, picture = made(tmp_path)
    with pytest.raises(AuthoringFailed, match="RGB"):
        capture_page(study_result(image), PROVENANCE, {uid: picture[:, :, 0]})
    with pytest.raises(AuthoringFailed, match="picture"):
        capture_page(study_result(image), PROVENANCE, {"other": picture})
