"""Small made DICOM objects for the network tests."""

from __future__ import annotations

from pathlib import Path

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

MAMMOGRAM = "1.2.840.10008.5.1.4.1.1.1.2"


def made(
    number: int = 1,
    *,
    study: str = "2.25.1",
    series: str | None = None,
    patient: str = "P1",
    study_date: str = "20260102",
    study_time: str = "083000",
    modality: str = "MG",
    sop_class: str = MAMMOGRAM,
    manufacturer: str = "Phantom",
    size: int = 32,
    value: int = 7,
    syntax: str = ExplicitVRLittleEndian,
) -> Dataset:
    """One object; `value` changes its bytes, not its UIDs."""
    dataset = Dataset()
    dataset.SOPClassUID = sop_class
    dataset.SOPInstanceUID = f"{study}.{number}"
    dataset.StudyDate, dataset.StudyTime = study_date, study_time
    dataset.AccessionNumber = ""
    dataset.Modality = modality
    dataset.Manufacturer = manufacturer
    dataset.PatientName, dataset.PatientID = f"Secret^{patient}", patient
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study, series or f"{study}.900"
    dataset.InstanceNumber = str(number)
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows = dataset.Columns = size
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation = 7, 0
    dataset.PixelData = bytes([value]) * (size * size)
    dataset["PixelData"].VR = "OB"
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.file_meta.MediaStorageSOPClassUID = sop_class
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    return dataset


def write(dataset: Dataset, path: Path) -> Path:
    """As a Part 10 file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    return path


def study(folder: Path, count: int = 4, **arguments: object) -> list[Path]:
    """A study of some objects, as files."""
    uid = str(arguments.get("study", "2.25.1"))
    return [write(made(n, **arguments), folder / f"{uid}-{n}.dcm") for n in range(1, count + 1)]  # type: ignore[arg-type]
