"""Whatever arrives, the answer is a mammogram or a named reason."""

from __future__ import annotations

from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_studies import coded, mammogram_dataset, save
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate

from reread.analytics.errors import InputError
from reread.analytics.reasons import Reason
from reread.connectors.mammograms import ReadLimits, identify, read_header, read_mammogram

HOSTILE = Path(__file__).parents[2].parent / "shared" / "data" / "interop"


def reason_of(path: Path, **options: ReadLimits) -> Reason:
    with pytest.raises(InputError) as caught:
        read_mammogram(path, **options)
    assert "Test^Anna" not in str(caught.value)
    assert "T-1" not in str(caught.value)
    return caught.value.reason


def test_no_file_empty_text_and_a_pdf(tmp_path):
    assert reason_of(tmp_path / "none.dcm") is Reason.NOT_DICOM
    for content, reason in (
        (b"", Reason.EMPTY),
        (b"%PDF-1.7 and more", Reason.NOT_DICOM),
        (b"name,age\nsomebody,50\n" * 40, Reason.NOT_DICOM),
        (b"\0" * 128 + b"DICM", Reason.NOT_DICOM),
        (bytes(range(256)) * 20, Reason.NOT_DICOM),
    ):
        path = tmp_path / "x.dcm"
        path.write_bytes(content)
        assert reason_of(path) is reason, content[:20]
        assert identify(path).sop_instance_uid == ""


def test_a_file_without_preamble_is_read(tmp_path):
    path = tmp_path / "bare"
    mammogram_dataset().save_as(path, implicit_vr=True, little_endian=True, enforce_file_format=False)
    assert path.read_bytes()[:4] == b"\x08\x00\x08\x00"
    mammogram = read_mammogram(path)
    assert "transfer syntax: guessed from the encoding, the file names none" in mammogram.header.inferred


@pytest.mark.parametrize("keep", [0.3, 0.6, 0.9, 0.999])
def test_cut_off_native(tmp_path, keep):
    path = save(mammogram_dataset(), tmp_path / "a.dcm")
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])
    assert reason_of(path) is Reason.TRUNCATED
    assert identify(path).sop_instance_uid == "2.25.20001"


def test_cut_off_in_the_header(tmp_path):
    path = save(mammogram_dataset(), tmp_path / "a.dcm")
    content = path.read_bytes()
    for length in range(132, 1500, 37):
        path.write_bytes(content[:length])
        with pytest.raises(InputError):
            read_mammogram(path)


def encoded_dataset() -> Dataset:
    ds = mammogram_dataset()
    words = np.frombuffer(ds.PixelData, "<u2").reshape(ds.Rows, ds.Columns)
    ds.PixelData = encapsulate([bytes(imagecodecs.jpegls_encode(words))])
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True
    return ds


def test_cut_off_encoded(tmp_path):
    path = save(encoded_dataset(), tmp_path / "a.dcm", "1.2.840.10008.1.2.4.80")
    read_mammogram(path)
    content = path.read_bytes()
    path.write_bytes(content[:-200])
    assert reason_of(path) is Reason.TRUNCATED


def test_broken_codestream(tmp_path):
    path = save(encoded_dataset(), tmp_path / "a.dcm", "1.2.840.10008.1.2.4.80")
    content = bytearray(path.read_bytes())
    content[-3000:-1000] = b"\xff\xd9" * 1000
    path.write_bytes(bytes(content))
    assert reason_of(path) is Reason.UNDECODABLE


def test_impossible_sizes(tmp_path):
    for rows, columns in ((46341, 46341), (65535, 65535), (0, 180), (241, 180), (24000, 180)):
        ds = mammogram_dataset()
        ds.Rows, ds.Columns = rows, columns
        assert reason_of(save(ds, tmp_path / "a.dcm")) is Reason.IMPOSSIBLE_SIZE, (rows, columns)
    ds = encoded_dataset()
    ds.Rows = 10000
    assert reason_of(save(ds, tmp_path / "b.dcm", "1.2.840.10008.1.2.4.80")) is Reason.IMPOSSIBLE_SIZE
    path = save(mammogram_dataset(), tmp_path / "c.dcm")
    assert reason_of(path, limits=ReadLimits(max_pixels=1000)) is Reason.IMPOSSIBLE_SIZE
    assert reason_of(path, limits=ReadLimits(max_file_bytes=1000)) is Reason.IMPOSSIBLE_SIZE
    ds = mammogram_dataset()
    del ds.Rows
    assert reason_of(save(ds, tmp_path / "d.dcm")) is Reason.IMPOSSIBLE_SIZE


def test_a_small_rle_cannot_ask_for_much_memory(tmp_path):
    ds = mammogram_dataset()
    ds.Rows, ds.Columns = 10000, 10000
    ds.PixelData = encapsulate([(2).to_bytes(4, "little") + (64).to_bytes(4, "little") * 15 + b"\x81\0" * 40])
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True
    assert reason_of(save(ds, tmp_path / "a.dcm", "1.2.840.10008.1.2.5")) is Reason.IMPOSSIBLE_SIZE


def test_unknown_transfer_syntax(tmp_path):
    path = save(mammogram_dataset(), tmp_path / "a.dcm")
    content = path.read_bytes()
    assert content.count(b"1.2.840.10008.1.2.1\0") == 1
    path.write_bytes(content.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.99999.1.2.1\0"))
    assert reason_of(path) is Reason.UNKNOWN_TRANSFER_SYNTAX


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"PixelData": None}, Reason.NO_PIXEL_DATA),
        ({"Modality": "CT", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.2"}, Reason.WRONG_MODALITY),
        ({"Modality": "OT", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, None),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.11.1", "Modality": "PR"}, Reason.WRONG_MODALITY),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.50", "Modality": "SR"}, Reason.WRONG_MODALITY),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.13.1.3"}, Reason.NOT_MEASURABLE),
        ({"NumberOfFrames": 50}, Reason.NOT_MEASURABLE),
        ({"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"}, Reason.NOT_MEASURABLE),
        ({"BitsAllocated": 32}, Reason.NOT_MEASURABLE),
        ({"ImageLaterality": "B"}, Reason.NOT_MEASURABLE),
        ({"ViewCodeSequence": None, "ViewPosition": None}, Reason.MISSING_VIEW),
        ({"ImageLaterality": None, "PatientOrientation": None}, Reason.MISSING_LATERALITY),
        ({"SOPInstanceUID": None}, Reason.NOT_DICOM),
    ],
)
def test_named_reasons(tmp_path, change, reason):
    ds = mammogram_dataset()
    path = tmp_path / "a.dcm"
    save(ds, path)
    for keyword, value in change.items():
        if value is None:
            delattr(ds, keyword)
        else:
            setattr(ds, keyword, value)
    ds.save_as(path)
    if reason is None:
        assert read_header(path).inferred[0].startswith("modality: OT given")
    else:
        assert reason_of(path) is reason


def test_spot_views_are_not_measured(tmp_path):
    ds = mammogram_dataset()
    ds.ViewCodeSequence[0].ViewModifierCodeSequence = [coded("399055006", "SCT", "Spot Compression")]
    assert reason_of(save(ds, tmp_path / "a.dcm")) is Reason.NOT_MEASURABLE


def test_sequences_nested_without_end(tmp_path):
    path = save(mammogram_dataset(), tmp_path / "a.dcm")
    content = path.read_bytes()
    at = content.find(b"\x54\x00\x20\x02SQ")
    opening = b"\x54\x00\x20\x02SQ\0\0\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
    path.write_bytes(content[:at] + opening * 20000 + content[at:])
    assert reason_of(path) in (Reason.NOT_DICOM, Reason.TRUNCATED)


def test_wrong_vrs_get_a_reason_or_are_survived(tmp_path):
    path = save(mammogram_dataset(), tmp_path / "a.dcm")
    content = path.read_bytes()
    for tag in (
        b"\x28\x00\x10\x00",
        b"\x28\x00\x00\x01",
        b"\x54\x00\x20\x02",
        b"\x18\x00\x64\x11",
        b"\x20\x00\x62\x00",
    ):
        at = content.find(tag) + 4
        for vr in (b"SQ", b"FD", b"AT", b"PN", b"XX", b"IS"):
            path.write_bytes(content[:at] + vr + content[at + 2 :])
            try:
                read_mammogram(path)
            except InputError as error:
                assert error.reason in Reason


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 1400), st.binary(min_size=1, max_size=12))
def test_any_damage_of_the_header_is_survived(tmp_path_factory, place, junk):
    path = tmp_path_factory.mktemp("damaged") / "a.dcm"
    content = damaged_source()
    path.write_bytes(content[:place] + junk + content[place + len(junk) :])
    try:
        read_mammogram(path)
    except InputError as error:
        assert error.reason in Reason
    identify(path)


_content: list[bytes] = []


def damaged_source() -> bytes:
    if not _content:
        from io import BytesIO

        from pydicom.dataset import FileMetaDataset
        from pydicom.uid import ExplicitVRLittleEndian

        ds = mammogram_dataset(pixels=np.arange(64, dtype=np.uint16).reshape(8, 8))
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        stream = BytesIO()
        ds.save_as(stream, enforce_file_format=True)
        _content.append(stream.getvalue())
    return _content[0]


@pytest.mark.skipif(not HOSTILE.is_dir(), reason="the shared hostile files are not here")
def test_hostile_files_all_get_a_reason():
    found = {}
    for path in sorted(HOSTILE.rglob("*")):
        if path.is_file():
            with pytest.raises(InputError) as caught:
                read_mammogram(path)
            found[path.name] = caught.value.reason
            identify(path)
    assert found["2026-05-06-Deeply-Nested-Sequence.dcm"] is Reason.NOT_DICOM
    assert found["DICOMDIR"] is Reason.WRONG_MODALITY
    assert found["GH340.dcm"] is Reason.NOT_DICOM
    assert len(found) > 50
