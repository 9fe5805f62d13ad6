"""Made studies for the tests of DICOM objects: files of sane mammograms and results laid out by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from reread.analytics.reasons import Reason
from reread.analytics.records import (
    BreastRegion,
    DensityScore,
    Finding,
    FindingKind,
    ImageHeader,
    ImageResult,
    Laterality,
    Nipple,
    PectoralMuscle,
    Provenance,
    StudyResult,
)

PROVENANCE = Provenance("reread-mammography", "0.1.0", "0123456789abcdef", "run-1", "2026-11-21T05:00:00Z")
STUDY_UID = "2.25.1001"
FOR_PRESENTATION = "1.2.840.10008.5.1.4.1.1.1.2"
VIEW_CODES = {"CC": ("399162004", "cranio-caudal"), "MLO": ("399368009", "medio-lateral oblique")}


def coded(value: str, scheme: str, meaning: str) -> Dataset:
    """One item of a code sequence."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def mammogram_dataset(
    laterality: str = "L", view: str = "CC", pixels: NDArray[np.uint16] | None = None, number: int = 1
) -> Dataset:
    """A Digital Mammography X-Ray image for presentation that dciodvfy accepts."""
    if pixels is None:
        rows, columns = 240, 180
        y, x = np.mgrid[0:rows, 0:columns]
        x = x if laterality == "L" else columns - 1 - x
        inside = (x / 150.0) ** 2 + ((y - 120) / 110.0) ** 2 < 1
        pixels = np.where(inside, 1200 + 6 * x + 3 * (y % 40), 20).astype(np.uint16)
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = FOR_PRESENTATION, f"2.25.2000{number}"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = STUDY_UID, "2.25.1002"
    ds.PatientName, ds.PatientID, ds.PatientBirthDate, ds.PatientSex = "Test^Anna", "T-1", "19600102", "F"
    ds.StudyDate, ds.StudyTime, ds.ContentDate, ds.ContentTime = "20250102", "101112", "20250102", "101500"
    ds.AcquisitionDate, ds.AcquisitionTime = ds.ContentDate, ds.ContentTime
    ds.ReferringPhysicianName, ds.StudyID, ds.AccessionNumber = "", "7", "A7"
    ds.Modality, ds.PresentationIntentType, ds.SeriesNumber, ds.InstanceNumber = "MG", "FOR PRESENTATION", 1, number
    ds.Manufacturer, ds.ManufacturerModelName, ds.DeviceSerialNumber = "Made", "Phantom", "1"
    ds.SoftwareVersions = "1"
    ds.ImageType = ["DERIVED", "PRIMARY"]
    medial = "R" if laterality == "L" else "L"
    ds.PatientOrientation = ["A" if laterality == "L" else "P", medial if view == "CC" else f"F{medial}"]
    ds.ImageLaterality, ds.ViewPosition = laterality, view
    ds.ImagerPixelSpacing, ds.PixelSpacing = [0.5, 0.5], [0.5, 0.5]
    item = coded(VIEW_CODES[view][0], "SCT", VIEW_CODES[view][1])
    item.ViewModifierCodeSequence = []
    ds.ViewCodeSequence = [item]
    ds.AnatomicRegionSequence = [coded("76752008", "SCT", "Breast")]
    ds.OrganExposed, ds.BodyPartExamined, ds.PositionerType, ds.BreastImplantPresent = "BREAST", "BREAST", "NONE", "NO"
    ds.DetectorType, ds.BurnedInAnnotation, ds.LossyImageCompression = "DIRECT", "NO", "00"
    ds.PixelIntensityRelationship, ds.PixelIntensityRelationshipSign = "LOG", -1
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = 0, 1, "US"
    ds.PresentationLUTShape = "IDENTITY"
    ds.WindowCenter, ds.WindowWidth = 2048, 4096
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns = pixels.shape
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.AcquisitionContextSequence = []
    ds.PixelData = pixels.astype("<u2").tobytes()
    ds["PixelData"].VR = "OW"
    return ds


def save(ds: Dataset, path: Path, transfer_syntax: str = ExplicitVRLittleEndian) -> Path:
    """Write a dataset as a DICOM file."""
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = transfer_syntax
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.save_as(path, enforce_file_format=True)
    return path


def image_result(header: ImageHeader) -> ImageResult:
    """A full result on any image, laid out in parts of its size; marks at points 0, 1, 2 and below all."""
    on_left = header.laterality is Laterality.LEFT

    def at(x: float, y: float) -> tuple[float, float]:
        x_px = x * (header.columns - 1)
        return (x_px if on_left else header.columns - 1 - x_px, y * (header.rows - 1))

    def ring(x: float, y: float) -> tuple[tuple[float, float], ...]:
        return tuple(at(x + 0.05 * np.cos(t), y + 0.05 * np.sin(t)) for t in np.linspace(0, 2 * np.pi, 12)[:-1])

    breast = BreastRegion((at(0, 0.05), at(0.5, 0.2), at(0.83, 0.5), at(0.5, 0.8), at(0, 0.95)), 9000.0, on_left)
    muscle = PectoralMuscle((at(0, 0), at(0.3, 0), at(0, 0.45)), 900.0, 25.0) if header.view.shows_pectoral else None
    findings = (
        Finding(FindingKind.MASS, *at(0.4, 0.5), 0.9, 0, ring(0.4, 0.5), 12.0),
        Finding(
            FindingKind.CALCIFICATION, *at(0.3, 0.62), 0.8, 1, ring(0.3, 0.62), 8.0, (at(0.29, 0.6), at(0.3, 0.64))
        ),
        Finding(FindingKind.MASS, *at(0.2, 0.4), 0.4, 2, (), 9.0),
        Finding(FindingKind.MASS, *at(0.6, 0.5), 0.1, None, ring(0.6, 0.5), 9.0),
    )
    return ImageResult(header, breast, muscle, Nipple(*at(0.83, 0.5), 0.8), density(23.4), findings, None, "", ())


def density(percent: float, category: str = "b") -> DensityScore:
    """A density score of a breast of 4000 mm2."""
    return DensityScore(percent, category, 40 * percent, 4000.0, 0.5)


def failed(image: ImageResult) -> ImageResult:
    """The same image when its measurement failed."""
    return replace(
        image,
        breast=None,
        pectoral=None,
        nipple=None,
        density=None,
        findings=(),
        failure=Reason.MEASUREMENT_FAILED,
        failure_detail="made to fail",
    )


def study_result(*images: ImageResult, revision: int = 1) -> StudyResult:
    """A study of these images."""
    header = images[0].header
    measured = any(image.density for image in images)
    return StudyResult(
        header.study_instance_uid,
        revision,
        "woman",
        header.study_date,
        images,
        (),
        density(23.4) if measured else None,
        density(20.0) if measured else None,
        density(26.8, "c") if measured else None,
    )
