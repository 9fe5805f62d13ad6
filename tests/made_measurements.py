"""A measurement report (TID 1500) made by highdicom: observers, a subject, an image library and all kinds of group."""

from __future__ import annotations

import copy
from io import BytesIO

import highdicom as hd
import numpy as np
from made_studies import mammogram_dataset
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code as Coded

SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
SQUARE = np.array([[5.0, 5.0], [20.0, 5.0], [20.0, 20.0], [5.0, 5.0]])


def measured(value: float, **rest: object) -> hd.sr.Measurement:
    return hd.sr.Measurement(name=codes.SCT.LongAxis, value=value, unit=codes.UCUM.Millimeter, **rest)


def groups_of(source: Dataset) -> list[Dataset]:
    """TID 1410 by an outline and by a segmentation, TID 1411 and TID 1501."""
    image = hd.sr.SourceImageForRegion(source.SOPClassUID, source.SOPInstanceUID)
    region = hd.sr.ImageRegion(hd.sr.GraphicTypeValues.POLYLINE, SQUARE, image)
    site = hd.sr.FindingSite(codes.SCT.Breast, laterality=codes.SCT.Left)
    frame = hd.sr.ReferencedSegmentationFrame(
        sop_class_uid=SEGMENTATION,
        sop_instance_uid="2.25.32",
        frame_number=1,
        segment_number=1,
        source_image=hd.sr.SourceImageForSegmentation(source.SOPClassUID, source.SOPInstanceUID),
    )

    def tracked(number: int) -> hd.sr.TrackingIdentifier:
        return hd.sr.TrackingIdentifier(uid=f"2.25.5{number}", identifier=f"group {number}")

    return [
        hd.sr.PlanarROIMeasurementsAndQualitativeEvaluations(
            tracked(1),
            referenced_region=region,
            finding_type=codes.SCT.Mass,
            finding_category=codes.SCT.MorphologicallyAbnormalStructure,
            finding_sites=[site],
            algorithm_id=hd.sr.AlgorithmIdentification(name="peer", version="1", parameters=["a=1"]),
            measurements=[measured(12.5, derivation=codes.SCT.Mean, finding_sites=[site])],
            qualitative_evaluations=[hd.sr.QualitativeEvaluation(codes.SCT.Shape, Coded("1", "99TEST", "Round"))],
        ),
        hd.sr.PlanarROIMeasurementsAndQualitativeEvaluations(
            tracked(2), referenced_segment=frame, measurements=[measured(3.0)]
        ),
        hd.sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
            tracked(3), referenced_regions=[region, copy.deepcopy(region)], measurements=[measured(4.0)]
        ),
        hd.sr.MeasurementsAndQualitativeEvaluations(
            tracked(4),
            source_images=[hd.sr.SourceImageForMeasurementGroup(source.SOPClassUID, source.SOPInstanceUID)],
            measurements=[
                measured(
                    5.0,
                    referenced_images=[hd.sr.SourceImageForMeasurement(source.SOPClassUID, source.SOPInstanceUID)] * 2,
                )
            ],
        ),
    ]


def made_by_highdicom() -> Dataset:
    """A person and a device about a specimen, an image library and each of the kinds of group."""
    source = mammogram_dataset("L", "MLO", number=1)
    source.SOPInstanceUID = "2.25.11"
    person = hd.sr.PersonObserverIdentifyingAttributes("Reader^A")
    device = hd.sr.DeviceObserverIdentifyingAttributes(uid="2.25.37", name="peer")
    report = hd.sr.MeasurementReport(
        observation_context=hd.sr.ObservationContext(
            observer_person_context=hd.sr.ObserverContext(codes.DCM.Person, person),
            observer_device_context=hd.sr.ObserverContext(codes.DCM.Device, device),
            subject_context=hd.sr.SubjectContext(
                codes.DCM.Specimen, hd.sr.SubjectContextSpecimen(uid="2.25.38", identifier="S1")
            ),
        ),
        procedure_reported=Coded("71651007", "SCT", "Mammography"),
        imaging_measurements=groups_of(source),
        title=codes.DCM.ImagingMeasurementReport,
        referenced_images=[source],
    )
    segmentation = copy.deepcopy(source)
    segmentation.SOPClassUID, segmentation.SOPInstanceUID = SEGMENTATION, "2.25.32"
    segmentation.SeriesInstanceUID = "2.25.33"
    return hd.sr.Comprehensive3DSR(
        evidence=[source, segmentation],
        content=report[0],
        series_instance_uid="2.25.40",
        series_number=1,
        sop_instance_uid="2.25.41",
        instance_number=1,
        manufacturer="peer",
        record_evidence=False,
    )


def measurement_report() -> bytes:
    """The report as a file."""
    written = BytesIO()
    made_by_highdicom().save_as(written, enforce_file_format=True)
    return written.getvalue()
