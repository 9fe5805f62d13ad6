"""One file, one study: a measurement or a named reason, never an exception."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_nights import PATIENT_ID, PATIENT_NAME, phantom_file, phantom_study
from made_studies import mammogram_dataset, save

from reread.analytics.measurement import MammographyAnalysis
from reread.analytics.reasons import Reason
from reread.analytics.records import RejectedImage
from reread.connectors.mammograms import ReadLimits
from reread.connectors.spool import sha256_of
from reread.tasks.rereading import gather_study, reread_file, reread_image

LIMITS = ReadLimits()


def changed(path: Path, **changes: object) -> Path:
    ds = mammogram_dataset()
    save(ds, path)
    for keyword, value in changes.items():
        if value is None:
            delattr(ds, keyword)
        else:
            setattr(ds, keyword, value)
    ds.save_as(path)
    return path


def cut_off(path: Path) -> Path:
    save(mammogram_dataset(), path)
    path.write_bytes(path.read_bytes()[:-400])
    return path


def of_bytes(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


BAD = {
    Reason.EMPTY: lambda path: of_bytes(path, b""),
    Reason.NOT_DICOM: lambda path: of_bytes(path, b"%PDF-1.7"),
    Reason.TRUNCATED: cut_off,
    Reason.NO_PIXEL_DATA: lambda path: changed(path, PixelData=None),
    Reason.IMPOSSIBLE_SIZE: lambda path: changed(path, Rows=60000, Columns=60000),
    Reason.MISSING_VIEW: lambda path: changed(path, ViewPosition=None, ViewCodeSequence=None),
    Reason.MISSING_LATERALITY: lambda path: changed(path, ImageLaterality=None, PatientOrientation=None),
    Reason.WRONG_MODALITY: lambda path: changed(path, Modality="CT", SOPClassUID="1.2.840.10008.5.1.4.1.1.2"),
    Reason.NOT_MEASURABLE: lambda path: changed(path, NumberOfFrames=2),
}


@pytest.mark.parametrize("reason", BAD, ids=str)
def test_bad_input_becomes_a_record_with_its_reason(tmp_path, reason):
    path = BAD[reason](tmp_path / f"{PATIENT_NAME}.dcm")
    (image,) = reread_image(path, [MammographyAnalysis()], LIMITS, shown_as="objects/x.dcm")
    assert (image.result, image.picture) == (None, None)
    assert image.rejected.reason is reason
    assert image.rejected.path == "objects/x.dcm"
    assert image.rejected.input_digest == sha256_of(path)
    assert image.rejected.study_instance_uid == ("" if reason in (Reason.EMPTY, Reason.NOT_DICOM) else "2.25.1001")
    assert PATIENT_NAME not in repr(image.rejected)
    assert PATIENT_ID not in image.rejected.detail


def test_a_file_that_is_gone_is_a_record_too(tmp_path):
    (image,) = reread_file(tmp_path / "gone.dcm", LIMITS)
    assert image.rejected.reason is Reason.NOT_DICOM
    assert image.rejected.input_digest == ""
    assert image.rejected.path == str(tmp_path / "gone.dcm")


def test_a_mammogram_is_read_measured_and_drawn(tmp_path):
    path = phantom_file(tmp_path / "a.dcm")
    (image,) = reread_file(path, LIMITS)
    assert image.rejected is None
    assert image.result.failure is None
    assert image.result.header.input_digest == sha256_of(path)
    stages = [time.stage for time in image.result.times]
    assert (stages[0], stages[-1]) == ("read", "draw")
    assert len(stages) > 3
    assert all(time.seconds >= 0 for time in image.result.times)
    assert image.picture.ndim == 3
    assert image.picture.shape[2] == 3


def test_a_study_is_gathered_from_good_and_bad(tmp_path):
    files = [*phantom_study(tmp_path, count=4), of_bytes(tmp_path / "x.dcm", b"junk")]
    refused = RejectedImage("y.dcm", Reason.WORKER_DIED, "")
    study = gather_study(
        [reread_file(path, LIMITS)[0] for path in files],
        study_instance_uid="2.25.1001",
        revision=2,
        woman="woman",
        study_date="20250102",
        rejected=(refused,),
    )
    uids = {f"2.25.1001.{number}" for number in range(1, 5)}
    assert set(study.pictures) == set(study.sources) == uids
    assert [image.reason for image in study.result.rejected] == [Reason.NOT_DICOM, Reason.WORKER_DIED]
    assert (study.result.revision, len(study.result.images)) == (2, 4)
    assert study.result.density is not None


def test_a_study_of_nothing_has_no_density():
    study = gather_study([], study_instance_uid="2.25.1", revision=1, woman="w", study_date="")
    assert (study.result.images, study.result.density, dict(study.pictures)) == ((), None, {})
