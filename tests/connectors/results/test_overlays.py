"""Overlay copies: the image as it was, one plane more, and honest about it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pydicom
import pytest
from dicom_validators import assert_valid
from hypothesis import given, settings
from hypothesis import strategies as st
from made_studies import image_result, mammogram_dataset, save, study_result
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian, RLELossless
from result_cases import VARIANTS, assert_one_study, author, case_of, errors_of, real_mammograms

from reread.analytics.errors import AuthoringFailed, InputError
from reread.analytics.reasons import Reason
from reread.analytics.records import Finding, FindingKind
from reread.connectors.mammograms import read_header, read_mammogram
from reread.connectors.results.overlays import OVERLAY
from reread.connectors.results.overlays_plane import overlay_plane, packed

DICOM_MG = Path(__file__).parents[3].parent / "shared" / "data" / "dicom-mg"


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_copies_are_valid(tmp_path, variant):
    result, sources = case_of(tmp_path / "in", variant)
    written = author(result, sources, tmp_path / "out", [OVERLAY])
    assert len(written) == 4
    for item in written:
        assert_valid(item.path)
    assert_one_study([*sources.values(), *(item.path for item in written)])


def test_nothing_but_the_plane_and_the_origin_is_new(tmp_path):
    result, sources = case_of(tmp_path / "in")
    for image, item in zip(result.images, author(result, sources, tmp_path / "out", [OVERLAY]), strict=True):
        before, after = pydicom.dcmread(sources[image.header.sop_instance_uid]), pydicom.dcmread(item.path)
        changed = {
            element.keyword for element in after if before.get(element.tag) != element and element.tag.group < 0x6000
        }
        assert changed == {
            "SOPInstanceUID",
            "SeriesInstanceUID",
            "SeriesNumber",
            "SeriesDescription",
            "InstanceCreationDate",
            "InstanceCreationTime",
            "SourceImageSequence",
            "ContributingEquipmentSequence",
            "DerivationDescription",
        } | ({"InstanceNumber"} if before.InstanceNumber != after.InstanceNumber else set())
        assert after.PixelData == before.PixelData
        (source,) = after.SourceImageSequence
        assert source.ReferencedSOPInstanceUID == before.SOPInstanceUID
        assert source.SpatialLocationsPreserved == "YES"
        (equipment,) = after.ContributingEquipmentSequence
        assert (equipment.Manufacturer, equipment.ContributionDateTime) == ("Reread", "20261121050000+0000")


def test_rows_of_the_requirements(tmp_path):
    result, sources = case_of(tmp_path / "in")
    item = author(result, sources, tmp_path / "out", [OVERLAY])[0]
    ds = pydicom.dcmread(item.path)
    assert (ds[0x60000010].value, ds[0x60000011].value) == (240, 180)
    assert (ds[0x60000040].value, ds[0x60000050].value) == ("G", [1, 1])
    assert (ds[0x60000100].value, ds[0x60000102].value) == (1, 0)
    assert (ds[0x60000045].value, ds[0x60001500].value) == ("AUTOMATED", "Reread")
    assert ds[0x60000022].value.startswith("Reread 0.1.0")
    plane = ds.overlay_array(0x6000)
    marks = [finding for finding in result.images[0].findings if finding.operating_point is not None]
    assert np.array_equal(plane.astype(bool), overlay_plane(marks, result.images[0].header))


def made_image(tmp_path, change=None, transfer_syntax="1.2.840.10008.1.2.1"):
    ds = mammogram_dataset("L", "MLO")
    if change:
        change(ds)
    path = tmp_path / "source.dcm"
    if transfer_syntax == RLELossless:
        ds.file_meta = pydicom.dataset.FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
        ds.compress(RLELossless, generate_instance_uid=False)
    elif transfer_syntax == ExplicitVRBigEndian:
        ds.PixelData = np.frombuffer(ds.PixelData, "<u2").astype(">u2").tobytes()
    save(ds, path, transfer_syntax)
    image = image_result(read_header(path))
    return path, study_result(image), {image.header.sop_instance_uid: path}


@pytest.mark.parametrize("transfer_syntax", [RLELossless, ImplicitVRLittleEndian, ExplicitVRBigEndian])
def test_the_pixels_of_every_syntax_are_the_same(tmp_path, transfer_syntax):
    path, result, sources = made_image(tmp_path, transfer_syntax=transfer_syntax)
    (item,) = author(result, sources, tmp_path / "out", [OVERLAY])
    assert_valid(item.path)
    after = pydicom.dcmread(item.path)
    if transfer_syntax == RLELossless:
        assert after.file_meta.TransferSyntaxUID == RLELossless
        assert after.PixelData == pydicom.dcmread(path).PixelData
    else:
        assert after.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
    assert np.array_equal(after.pixel_array, pydicom.dcmread(path).pixel_array)


def test_a_group_that_is_taken_is_left_alone(tmp_path):
    def with_overlay(ds):
        for element, vr, value in (
            (0x10, "US", 240),
            (0x11, "US", 180),
            (0x40, "CS", "G"),
            (0x50, "SS", [1, 1]),
            (0x100, "US", 1),
            (0x102, "US", 0),
            (0x3000, "OW", b"\1\0" * 2700),
        ):
            ds.add_new((0x6000 << 16) | element, vr, value)

    _, result, sources = made_image(tmp_path, with_overlay)
    (item,) = author(result, sources, tmp_path / "out", [OVERLAY])
    assert_valid(item.path)
    ds = pydicom.dcmread(item.path)
    assert ds[0x60003000].value == b"\1\0" * 2700
    assert ds[0x60021500].value == "Reread"


def test_sixteen_overlays_are_all_there_can_be(tmp_path):
    def full(ds):
        for group in range(0x6000, 0x6020, 2):
            ds.add_new((group << 16) | 0x22, "LO", "taken")

    _, result, sources = made_image(tmp_path, full)
    with pytest.raises(AuthoringFailed, match="every group"):
        author(result, sources, tmp_path / "out", [OVERLAY])


def test_no_mark_no_copy(tmp_path):
    result, sources = case_of(tmp_path / "in", findings=False)
    assert author(result, sources, tmp_path / "out", [OVERLAY]) == ()


def test_the_marks_of_a_raw_image_go_to_its_twin_too(tmp_path):
    raw = mammogram_dataset("L", "MLO", number=1)
    raw.SOPClassUID, raw.PresentationIntentType = "1.2.840.10008.5.1.4.1.1.1.2.1", "FOR PROCESSING"
    raw.ImageType = ["ORIGINAL", "PRIMARY"]
    raw.SeriesInstanceUID, raw.SeriesNumber = "2.25.1003", 2
    del raw.WindowCenter, raw.WindowWidth
    shown = [mammogram_dataset("L", "MLO", number=number) for number in (2, 3)]
    item = pydicom.Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = raw.SOPClassUID, raw.SOPInstanceUID
    shown[1].SourceImageSequence = [item]
    paths = [save(ds, tmp_path / f"{number}.dcm") for number, ds in enumerate((raw, *shown))]
    sources = {f"2.25.2000{number}": path for number, path in enumerate(paths, start=1)}
    image = image_result(read_mammogram(paths[0]).header)
    written = author(study_result(image), sources, tmp_path / "out", [OVERLAY])
    first, twin = (pydicom.dcmread(item.path) for item in written)
    assert (first.SOPClassUID, twin.SOPClassUID) == (raw.SOPClassUID, shown[1].SOPClassUID)
    assert twin.SourceImageSequence[0].ReferencedSOPInstanceUID == "2.25.20003"
    assert first.ImageType == ["DERIVED", "PRIMARY"]
    assert np.array_equal(first.overlay_array(0x6000), twin.overlay_array(0x6000))
    for item in written:
        assert_valid(item.path)


@settings(max_examples=40, deadline=None)
@given(st.integers(40, 140), st.integers(40, 200), st.floats(2, 30), st.sampled_from(list(FindingKind)))
def test_a_line_closes_around_its_finding(tmp_path_factory, x, y, size_mm, kind):
    header = HEADER(tmp_path_factory)
    finding = Finding(kind, float(x), float(y), 0.9, 0, (), size_mm)
    plane = overlay_plane([finding], header)
    _, labels = cv2.connectedComponents((~plane).astype(np.uint8), connectivity=4)
    assert not plane[y, x]
    radius = size_mm / 2 / header.spacing.mean_mm
    yy, xx = np.mgrid[0 : header.rows, 0 : header.columns]
    inside = np.hypot(xx - x, yy - y) < radius - 1
    assert len(set(labels[inside])) == 1
    if x - radius > 12 and x + radius < header.columns - 12 and y - radius > 12 and y + radius < header.rows - 12:
        assert labels[y, x] != labels[0, 0]


_HEADERS = []


def HEADER(tmp_path_factory):
    """One header for all examples."""
    if not _HEADERS:
        path = save(mammogram_dataset(), tmp_path_factory.mktemp("plane") / "a.dcm")
        _HEADERS.append(read_header(path))
    return _HEADERS[0]


def test_bits_are_packed_from_the_lowest_one():
    plane = np.zeros((3, 3), dtype=bool)
    plane[0, 0] = plane[2, 2] = True
    assert packed(plane) == b"\x01\x01"
    assert len(packed(np.zeros((5, 5), dtype=bool))) == 4


def test_real_images_gain_no_error(tmp_path):
    for path in real_mammograms()[:2]:
        image = image_result(read_header(path))
        (item,) = author(study_result(image), {image.header.sop_instance_uid: path}, tmp_path, [OVERLAY])
        assert set(errors_of(item.path)) <= set(errors_of(path))
        before, after = pydicom.dcmread(path), pydicom.dcmread(item.path)
        assert after.PixelData == before.PixelData
        assert after.file_meta.TransferSyntaxUID == before.file_meta.TransferSyntaxUID


def test_values_that_no_reader_accepts_are_not_passed_on(tmp_path):
    def dirty(ds):
        ds.PatientBirthDate = "19600102"
        ds.add_new(0x00291010, "SH", "short")
        ds.add_new(0x00290010, "LO", "SOMEONE")
        ds.ImageComments = "kept"
        ds.add_new(0xEAEA0102, "LO", "in no standard")

    path, result, sources = made_image(tmp_path, dirty)
    content = path.read_bytes().replace(b"19600102", b"00000000").replace(b"SH\x06\x00short ", b"DA\x06\x00short ")
    path.write_bytes(content)
    (item,) = author(result, sources, tmp_path / "out", [OVERLAY])
    assert_valid(item.path)
    ds = pydicom.dcmread(item.path)
    assert (ds.PatientBirthDate, ds.ImageComments) == ("", "kept")
    assert 0x00291010 not in ds and 0xEAEA0102 not in ds
    assert 0x00290010 in ds


@pytest.mark.skipif(not DICOM_MG.is_dir(), reason="the shared mammograms are not here")
@pytest.mark.parametrize("name", ["GE-Essential-RMLO-jpegll.dcm", "NEMA-WG04-MG1-J2KI.dcm"])
def test_copies_of_other_devices_are_valid(tmp_path, name):
    path = DICOM_MG / name
    image = image_result(read_header(path))
    (item,) = author(study_result(image), {image.header.sop_instance_uid: path}, tmp_path, [OVERLAY])
    assert_valid(item.path)


def test_a_copy_is_never_measured_again(tmp_path):
    _, result, sources = made_image(tmp_path)
    (item,) = author(result, sources, tmp_path / "out", [OVERLAY])
    with pytest.raises(InputError) as caught:
        read_header(item.path)
    assert caught.value.reason is Reason.NOT_MEASURABLE


def test_a_copy_keeps_the_other_values_of_image_type(tmp_path):
    def typed(ds):
        ds.ImageType = ["ORIGINAL", "PRIMARY", "", "LEFT"]

    _, result, sources = made_image(tmp_path, typed)
    (item,) = author(result, sources, tmp_path / "out", [OVERLAY])
    assert pydicom.dcmread(item.path).ImageType == ["DERIVED", "PRIMARY", "", "LEFT"]
