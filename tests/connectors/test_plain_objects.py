"""Writing objects anew for receivers that refuse them as they lie: same object, same pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from made_dicom import made, write
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGLosslessSV1,
    RLELossless,
)

from reread.analytics.errors import PixelsUnreadable
from reread.connectors.plain_objects import can_write_plain, write_plain

SYNTAXES = Path(__file__).parents[2].parent / "shared" / "data" / "interop" / "syntaxes"
EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
PLAIN = [EXPLICIT, IMPLICIT]


def object_of(syntax: str, frames: int = 1) -> Dataset:
    """16 bits, a sequence, text, an element after the pixels."""
    dataset = made(1, syntax=ExplicitVRLittleEndian)
    values = np.arange(frames * 32 * 32, dtype=np.uint16).reshape(frames, 32, 32) * 7
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
    dataset.NumberOfFrames = frames
    dataset.SpecificCharacterSet, dataset.PatientName = "ISO_IR 100", "Müller^Ä"
    item = Dataset()
    item.CodeValue, item.CodeMeaning = "1", "Größe"
    dataset.ProcedureCodeSequence = [item]
    dataset.PixelData = (values % 4096).tobytes()
    dataset["PixelData"].VR = "OW"
    dataset.DataSetTrailingPadding = bytes(10)
    if syntax == ExplicitVRBigEndian:
        dataset.PixelData = (values % 4096).astype(">u2").tobytes()
    dataset.file_meta.TransferSyntaxUID = syntax
    return dataset


def same(source: Path, target: Path) -> None:
    before, after = pydicom.dcmread(source), pydicom.dcmread(target)
    assert np.array_equal(before.pixel_array, after.pixel_array)
    assert before.file_meta.MediaStorageSOPInstanceUID == after.file_meta.MediaStorageSOPInstanceUID
    elements = [element for element in before if element.keyword != "PixelData"]
    assert elements
    for element in elements:
        assert after[element.tag].value == element.value, element.keyword


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
@pytest.mark.parametrize("target", PLAIN)
def test_native(tmp_path, syntax, target):
    source = write(object_of(syntax, 3), tmp_path / "a.dcm")
    write_plain(source, tmp_path / "b.dcm", target)
    same(source, tmp_path / "b.dcm")
    assert pydicom.dcmread(tmp_path / "b.dcm").file_meta.TransferSyntaxUID == target
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.dcm", "b.dcm"]


def test_explicit_stays_the_same_bytes(tmp_path):
    source = write(object_of(ExplicitVRLittleEndian), tmp_path / "a.dcm")
    write_plain(source, tmp_path / "b.dcm", EXPLICIT)
    assert source.read_bytes()[-2300:] == (tmp_path / "b.dcm").read_bytes()[-2300:]


@pytest.mark.parametrize("target", PLAIN)
def test_big_endian(tmp_path, target):
    source = write(object_of(ExplicitVRBigEndian), tmp_path / "a.dcm")
    write_plain(source, tmp_path / "b.dcm", target)
    same(source, tmp_path / "b.dcm")


@pytest.mark.parametrize("target", PLAIN)
def test_compressed(tmp_path, target):
    dataset = object_of(ExplicitVRLittleEndian, 4)
    dataset.compress(RLELossless, generate_instance_uid=False)
    source = write(dataset, tmp_path / "a.dcm")
    write_plain(source, tmp_path / "b.dcm", target)
    same(source, tmp_path / "b.dcm")


@pytest.mark.skipif(not SYNTAXES.is_dir(), reason="shared/data/interop/syntaxes is not there")
@pytest.mark.parametrize("last", ["57", "70", "80", "90"])
def test_compressed_by_others(tmp_path, last):
    source = SYNTAXES / f"1.2.840.10008.1.2.4.{last}.dcm"
    write_plain(source, tmp_path / "b.dcm", EXPLICIT)
    before, after = pydicom.dcmread(source), pydicom.dcmread(tmp_path / "b.dcm")
    assert np.array_equal(before.pixel_array, after.pixel_array)


def test_what_cannot_be_decoded_says_so(tmp_path):
    dataset = object_of(ExplicitVRLittleEndian)
    dataset.PixelData = encapsulate([b"\xff\xd8 this is no JPEG \xff\xd9"])
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = JPEGLosslessSV1
    source = write(dataset, tmp_path / "a.dcm")
    with pytest.raises(PixelsUnreadable) as error:
        write_plain(source, tmp_path / "b.dcm", EXPLICIT)
    assert "Müller" not in str(error.value)
    assert can_write_plain(JPEGLosslessSV1) and not can_write_plain("1.2.840.10008.1.2.4.102")
    assert not can_write_plain("1.2.3.4")


def test_an_object_without_pixels(tmp_path):
    dataset = object_of(ExplicitVRLittleEndian)
    del dataset.PixelData
    dataset.file_meta.TransferSyntaxUID = JPEGLosslessSV1
    source = write(dataset, tmp_path / "a.dcm")
    write_plain(source, tmp_path / "b.dcm", IMPLICIT)
    assert pydicom.dcmread(tmp_path / "b.dcm").PatientName == "Müller^Ä"
