"""Simulated mammograms as DICOM: Digital Mammography X-Ray for processing, for presentation; film as Secondary Capture.

Every object says that it is made: in Image Type, Patient Comments, Image Comments, Institution Name and the invented
manufacturer; Patient Identity Removed is NO because there never was one (PS3.3 C.7.1.1, C.8.11.7).
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from reread.analytics.records import Laterality, View
from reread.analytics.simulation import SimulatedImage
from reread.analytics.simulation_vendors import RawRelation, Vendor
from reread.analytics.simulation_women import Woman
from reread.connectors.identifiers import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME, derived_uid
from reread.connectors.view_codes import VIEW_MEANING, VIEW_SCT

Intent = Literal["processing", "presentation", "film"]
SOP_CLASSES: dict[Intent, str] = {
    "processing": "1.2.840.10008.5.1.4.1.1.1.2.1",
    "presentation": "1.2.840.10008.5.1.4.1.1.1.2",
    "film": "1.2.840.10008.5.1.4.1.1.7",
}
_NOTICE = "Simulated by Reread: no patient, no X-rays"
_FIRST_YEAR = 2015
_TARGET = {"W": "TUNGSTEN", "Mo": "MOLYBDENUM", "Rh": "RHODIUM"}
_FILTER = {"Rh": "RHODIUM", "Mo": "MOLYBDENUM", "Ag": "SILVER"}
_ORDER = {
    (Laterality.RIGHT, View.CC): 1,
    (Laterality.LEFT, View.CC): 2,
    (Laterality.RIGHT, View.MLO): 3,
    (Laterality.LEFT, View.MLO): 4,
}


def study_uid(woman: Woman, year: int, vendor: Vendor) -> str:
    """Study Instance UID of a woman's examination in one year on one vendor's device."""
    return derived_uid("simulated study", str(woman.seed), str(woman.number), str(year), _device(vendor))


def image_uid(image: SimulatedImage, intent: Intent) -> str:
    """SOP Instance UID of one object."""
    study = study_uid(image.woman, image.year, image.vendor)
    return derived_uid("simulated image", study, image.laterality, image.view, intent)


def patient_id(woman: Woman) -> str:
    """Patient ID of a made woman."""
    return f"SIM{woman.seed}-{woman.number:06d}"


def study_day(woman: Woman, year: int) -> date:
    """Day of the examination: spread over the year by her number."""
    return date(_FIRST_YEAR + year, 1, 6) + timedelta(days=(woman.number * 37 + woman.seed * 11) % 350)


def birth_date(woman: Woman) -> date:
    """Her birthday: it makes her age in the first examination what it is."""
    first = study_day(woman, 0)
    month, day = 1 + woman.number % 12, 1 + woman.number % 28
    return date(first.year - woman.age_years - ((month, day) > (first.month, first.day)), month, day)


def _device(vendor: Vendor) -> str:
    detector = vendor.detector
    return f"{vendor.key}-{detector.rows}x{detector.columns}"


def write_object(image: SimulatedImage, intent: Intent, path: Path) -> None:
    """Write one object as a Part 10 file, by way of a partial one."""
    temporary = path.with_suffix(".part")
    simulated_object(image, intent).save_as(temporary, enforce_file_format=True)
    temporary.replace(path)


def simulated_object(image: SimulatedImage, intent: Intent) -> Dataset:
    """One image as a DICOM object.

    Parameters
    ----------
    intent
        Which of the image's pixels.

    Raises
    ------
    ValueError
        A film has no image for processing or presentation, and a detector no film.
    """
    pixels = image.raw if intent == "processing" else image.shown
    if pixels is None or (intent == "film") != image.vendor.is_film:
        raise ValueError(f"{image.vendor.manufacturer} makes no image for {intent}")
    target = Dataset()
    target.file_meta = FileMetaDataset()
    target.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    target.file_meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    target.file_meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    target.file_meta.MediaStorageSOPClassUID = target.SOPClassUID = UID(SOP_CLASSES[intent])
    target.file_meta.MediaStorageSOPInstanceUID = target.SOPInstanceUID = UID(image_uid(image, intent))
    _patient_and_study(target, image, intent)
    _pixels(target, image, intent, pixels)
    if intent == "film":
        target.Modality = "MG"
        target.ConversionType = "DF"
        target.SecondaryCaptureDeviceManufacturer = image.vendor.manufacturer
        target.SecondaryCaptureDeviceManufacturerModelName = image.vendor.model
        target.Laterality = image.laterality.value
        target.ViewPosition = image.view.value
        target.NominalScannedPixelSpacing = [image.spacing_mm, image.spacing_mm]
    else:
        _mammography(target, image, intent)
        _acquisition(target, image)
    return target


def _patient_and_study(target: Dataset, image: SimulatedImage, intent: Intent) -> None:
    woman, vendor = image.woman, image.vendor
    day = study_day(woman, image.year)
    target.PatientName = f"Simulated^Woman {woman.number:06d}"
    target.PatientID = patient_id(woman)
    target.IssuerOfPatientID = "REREAD SIMULATION"
    target.PatientSex = "F"
    born = birth_date(woman)
    target.PatientBirthDate = born.strftime("%Y%m%d")
    target.PatientAge = f"{day.year - born.year - ((day.month, day.day) < (born.month, born.day)):03d}Y"
    target.PatientComments = _NOTICE
    target.StudyInstanceUID = study_uid(woman, image.year, vendor)
    # Laterality of a film belongs to its series (PS3.3 C.7.3.1), so each side has one
    side = (image.laterality.value,) if intent == "film" else ()
    target.SeriesInstanceUID = derived_uid("simulated series", target.StudyInstanceUID, intent, *side)
    target.StudyID = f"{woman.number}-{image.year}"
    target.AccessionNumber = f"S{woman.seed % 10000:04d}{woman.number:06d}{image.year:02d}"[:16]
    target.ReferringPhysicianName = ""
    target.StudyDescription = "Simulated screening mammography"
    target.SeriesDescription = f"Simulated, {intent}"
    target.SeriesNumber = {"processing": 2, "presentation": 1, "film": 1}[intent]
    target.InstanceNumber = _ORDER[image.laterality, image.view]
    start = 8 * 3600 + (woman.number * 613) % 30000
    target.StudyDate = target.SeriesDate = day.strftime("%Y%m%d")
    target.StudyTime = target.SeriesTime = _clock(start)
    target.AcquisitionDate = target.ContentDate = target.StudyDate
    target.AcquisitionTime = target.ContentTime = _clock(start + 70 * target.InstanceNumber)
    target.Manufacturer = vendor.manufacturer
    target.ManufacturerModelName = vendor.model
    target.InstitutionName = "Reread simulation"
    target.StationName = f"SIM-{vendor.key}"
    target.DeviceSerialNumber = vendor.detector.name
    target.SoftwareVersions = IMPLEMENTATION_VERSION_NAME
    target.ImageComments = _NOTICE
    target.BurnedInAnnotation = "YES" if intent == "film" else "NO"


def _clock(seconds: int) -> str:
    return f"{seconds // 3600 % 24:02d}{seconds // 60 % 60:02d}{seconds % 60:02d}"


def _pixels(
    target: Dataset, image: SimulatedImage, intent: Intent, pixels: NDArray[np.uint16] | NDArray[np.uint8]
) -> None:
    target.SamplesPerPixel = 1
    target.Rows, target.Columns = pixels.shape
    target.PixelRepresentation = 0
    target.LossyImageCompression = "00"
    on_left = image.laterality is Laterality.LEFT
    medial = "R" if on_left else "L"
    target.PatientOrientation = ["A" if on_left else "P", medial if image.view is View.CC else f"F{medial}"]
    target.BodyPartExamined = "BREAST"
    if intent == "film":
        # derived: there never was a film
        target.ImageType = ["DERIVED", "PRIMARY"]
        target.DerivationDescription = _NOTICE
        target.BitsAllocated, target.BitsStored, target.HighBit = 8, 8, 7
        target.PhotometricInterpretation = "MONOCHROME2"
    else:
        bits = image.vendor.detector.bits if intent == "processing" else image.vendor.look.bits
        target.BitsAllocated, target.BitsStored, target.HighBit = 16, bits, bits - 1
        inverted = intent == "presentation" and image.vendor.look.inverted
        linear = intent == "processing" and image.vendor.raw_relation is RawRelation.LINEAR
        target.PhotometricInterpretation = "MONOCHROME1" if inverted or linear else "MONOCHROME2"
    target.PixelData = pixels.astype(pixels.dtype.newbyteorder("<"), copy=False).tobytes()
    target["PixelData"].VR = "OB" if target.BitsAllocated == 8 else "OW"


def _coded(value: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "SCT", meaning
    return item


def _mammography(target: Dataset, image: SimulatedImage, intent: Intent) -> None:
    """The DX, mammography image and detector modules."""
    for_processing = intent == "processing"
    target.Modality = "MG"
    target.PresentationIntentType = "FOR PROCESSING" if for_processing else "FOR PRESENTATION"
    target.ImageType = ["DERIVED", "PRIMARY"]
    target.DerivationDescription = _NOTICE
    target.ImageLaterality = image.laterality.value
    target.ViewPosition = image.view.value
    view = _coded(VIEW_SCT[image.view], VIEW_MEANING[image.view])
    view.ViewModifierCodeSequence = []
    target.ViewCodeSequence = [view]
    target.AnatomicRegionSequence = [_coded("76752008", "Breast")]
    target.OrganExposed = "BREAST"
    target.BreastImplantPresent = "NO"
    target.PositionerType = "MAMMOGRAPHIC"
    target.PositionerPrimaryAngle = round(image.angle_deg if image.laterality is Laterality.RIGHT else -image.angle_deg)
    target.PixelIntensityRelationship = "LOG"
    target.PixelIntensityRelationshipSign = -1
    if for_processing:
        target.PixelIntensityRelationship = image.vendor.raw_relation.value
        target.PixelIntensityRelationshipSign = 1 if image.vendor.raw_relation is RawRelation.LINEAR else -1
    elif image.vendor.look.inverted:
        target.PixelIntensityRelationshipSign = 1
    target.RescaleIntercept, target.RescaleSlope, target.RescaleType = 0, 1, "US"
    if not for_processing:
        full = 2**image.vendor.look.bits
        target.WindowCenter, target.WindowWidth = full // 2, full
        target.PresentationLUTShape = "INVERSE" if image.vendor.look.inverted else "IDENTITY"
    else:
        target.PresentationLUTShape = "INVERSE" if target.PhotometricInterpretation == "MONOCHROME1" else "IDENTITY"
    target.AcquisitionContextSequence = []


def _acquisition(target: Dataset, image: SimulatedImage) -> None:
    exposure, detector = image.exposure, image.vendor.detector
    beam = exposure.beam
    target.ImagerPixelSpacing = [image.spacing_mm, image.spacing_mm]
    target.DetectorType = "DIRECT" if detector.absorber == "selenium" else "SCINTILLATOR"
    target.DetectorConfiguration = "AREA"
    target.DetectorID = detector.name
    target.DateOfLastDetectorCalibration = f"{_FIRST_YEAR + image.year}0102"
    target.DetectorElementSpacing = target.DetectorElementPhysicalSize = [image.spacing_mm, image.spacing_mm]
    target.DetectorActiveShape = "RECTANGLE"
    target.FieldOfViewShape = "RECTANGLE"
    target.FieldOfViewDimensions = [round(target.Rows * image.spacing_mm), round(target.Columns * image.spacing_mm)]
    target.FieldOfViewOrigin, target.FieldOfViewRotation, target.FieldOfViewHorizontalFlip = ["0", "0"], "0", "NO"
    target.KVP = beam.kvp
    target.ExposureInuAs = round(exposure.mas * 1000)
    target.Exposure = round(exposure.mas)
    target.XRayTubeCurrent = 100
    target.XRayTubeCurrentInuA = 100_000
    target.ExposureTime = round(exposure.mas * 10)
    target.ExposureControlMode = "AUTOMATIC"
    target.ExposureControlModeDescription = "usual dose for the thickness"
    target.AnodeTargetMaterial = _TARGET[beam.anode]
    target.FilterType = "FLAT"
    target.FilterMaterial = _FILTER[beam.filter_material]
    target.FilterThicknessMinimum = target.FilterThicknessMaximum = beam.filter_mm
    target.FocalSpots = 0.3
    target.HalfValueLayer = round(beam.hvl_mm_al, 3)
    target.Grid = ["FIXED", "FOCUSED", "LINEAR"] if detector.has_grid else "NONE"
    target.BodyPartThickness = exposure.thickness_mm
    target.CompressionForce = exposure.force_n
    target.DistanceSourceToDetector = exposure.source_to_detector_mm
    target.DistanceSourceToPatient = round(exposure.source_to_patient_mm, 1)
    target.EstimatedRadiographicMagnificationFactor = round(exposure.magnification, 4)
    # Organ Dose (0040,0316) is in dGy, Entrance Dose in mGy (0040,8302) says so
    target.OrganDose = round(exposure.dose_mgy / 100, 7)
    target.EntranceDoseInmGy = round(exposure.entrance_dose_mgy, 3)
    target.RelativeXRayExposure = round(exposure.mas)
