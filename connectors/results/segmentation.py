"""DICOM Segmentation of breast, pectoral muscle and dense tissue: one binary object per image (PS3.3 A.51)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset

from reread.analytics.records import ImageHeader, Provenance
from reread.connectors.identifiers import derived_uid
from reread.connectors.reports.codes import Code
from reread.connectors.reports.content_items import reference
from reread.connectors.results.document_items import coded
from reread.connectors.results.forms import Draft, ResultCase
from reread.connectors.results.segmentation_masks import Mask, measured_masks

SEGMENTATION_STORAGE = "1.2.840.10008.5.1.4.1.1.66.4"
SEGMENTATION = "segmentation"
_ANATOMY = Code("91723000", "SCT", "Anatomical Structure")
_TISSUE = Code("85756007", "SCT", "Tissue")
_BREAST = Code("76752008", "SCT", "Breast")
_SIDES = {"L": Code("7771000", "SCT", "Left"), "R": Code("24028007", "SCT", "Right")}
_SOURCE = Code("121322", "DCM", "Source image for image processing operation")
_SEGMENTED = Code("113076", "DCM", "Segmentation")
_MORPHOLOGY = Code("123104", "DCM", "Morphological Operations")
_EDGES = Code("123103", "DCM", "Edge Detection")
_HISTOGRAM = Code("123105", "DCM", "Histogram Analysis")
"""CID 7162"""


@dataclass(frozen=True, slots=True)
class _Segment:
    label: str
    description: str
    category: Code
    property_type: Code
    family: Code
    """of the algorithm"""
    display_cielab: tuple[int, int, int]
    """Recommended Display CIELab Value: a hue for each, away from the grey of the image"""


_SEGMENTS = {
    "breast": _Segment(
        "Breast",
        "Breast within the skin line, pectoral muscle included",
        _ANATOMY,
        _BREAST,
        _MORPHOLOGY,
        (43802, 26566, 27000),
    ),
    "muscle": _Segment(
        "Pectoral muscle",
        "Pectoral muscle within the image",
        _ANATOMY,
        Code("60005003", "SCT", "Pectoralis major muscle"),
        _EDGES,
        (43000, 36000, 46000),
    ),
    "dense": _Segment(
        "Dense tissue",
        "Breast without muscle above the threshold of the density measurement",
        _TISSUE,
        # CID 7163
        Code("1342375003", "SCT", "Breast fibroglandular tissue"),
        _HISTOGRAM,
        (54000, 38000, 53000),
    ),
}


class SegmentationForm:
    """One per measured image on which the breast was found."""

    name = SEGMENTATION
    sop_class_uids = (SEGMENTATION_STORAGE,)
    depends_on = frozenset({"segmentation_placed"})

    def drafts(self, case: ResultCase) -> Iterator[Draft]:
        """The objects; the side is told by the segments."""
        for place, image in enumerate(case.measured, start=1):
            if image.breast is None or not image.breast.outline:
                continue
            masks = measured_masks(case.mammogram(image), image)
            if masks:
                target = segmentation_attributes(image.header, masks, case.provenance)
                if case.options.segmentation_placed and image.header.spacing_known:
                    _place(target, image.header)
                yield Draft(
                    target,
                    key=image.header.sop_instance_uid,
                    # viewers show one segmentation of a series, OHIF the last
                    series=image.header.sop_instance_uid,
                    instance_number=place,
                )


def segmentation_attributes(header: ImageHeader, masks: Mapping[str, Mask], provenance: Provenance) -> Dataset:
    """All modules but those that every result shares; a frame per segment, in the order of the masks."""
    target = Dataset()
    target.SOPClassUID = SEGMENTATION_STORAGE
    target.Modality = "SEG"
    target.SeriesNumber = 9905
    target.SeriesDescription = f"Reread {header.laterality} {header.view}: breast, muscle, dense tissue"[:64]
    target.BodyPartExamined = "BREAST"
    target.ImageType = ["DERIVED", "PRIMARY"]
    target.PatientOrientation = list(header.patient_orientation)
    target.ContentLabel = f"{header.laterality}{header.view}"
    target.ContentDescription = "Breast, pectoral muscle and dense tissue"
    target.ContentCreatorName = "Reread"
    target.BurnedInAnnotation = "NO"
    target.LossyImageCompression = "00"
    target.SegmentationType = "BINARY"
    target.SegmentSequence = [_segment(number, name, header, provenance) for number, name in enumerate(masks, start=1)]
    _references(target, header)
    _dimensions(target, header, len(masks))
    _pixels(target, header, masks)
    return target


def _segment(number: int, name: str, header: ImageHeader, provenance: Provenance) -> Dataset:
    known = _SEGMENTS[name]
    item = Dataset()
    item.SegmentNumber = number
    item.SegmentLabel = known.label
    item.SegmentDescription = known.description
    item.SegmentAlgorithmType = "AUTOMATIC"
    item.SegmentAlgorithmName = f"{provenance.algorithm} {provenance.version}"[:64]
    item.SegmentationAlgorithmIdentificationSequence = [_algorithm(known.family, provenance)]
    item.SegmentedPropertyCategoryCodeSequence = [coded(known.category)]
    property_type = coded(known.property_type)
    side = coded(_SIDES[header.laterality.value])
    if known.property_type is _BREAST:
        property_type.SegmentedPropertyTypeModifierCodeSequence = [side]
    else:
        region = coded(_BREAST)
        region.AnatomicRegionModifierSequence = [side]
        item.AnatomicRegionSequence = [region]
    item.SegmentedPropertyTypeCodeSequence = [property_type]
    item.RecommendedDisplayCIELabValue = list(known.display_cielab)
    item.TrackingID = f"{header.laterality} {header.view} {known.label}"
    item.TrackingUID = derived_uid("segment", header.sop_instance_uid, name)
    return item


def _algorithm(family: Code, provenance: Provenance) -> Dataset:
    """Algorithm Identification (PS3.3 10.16)."""
    item = Dataset()
    item.AlgorithmFamilyCodeSequence = [coded(family)]
    item.AlgorithmName = provenance.algorithm[:64]
    item.AlgorithmVersion = provenance.version[:64]
    item.AlgorithmParameters = f"SHA-256 of parameters: {provenance.parameters_digest}"
    item.AlgorithmSource = "Reread"
    return item


def _references(target: Dataset, header: ImageHeader) -> None:
    """Common Instance Reference."""
    series = Dataset()
    series.SeriesInstanceUID = header.series_instance_uid
    series.ReferencedInstanceSequence = [reference(header.sop_class_uid, header.sop_instance_uid)]
    target.ReferencedSeriesSequence = [series]


def _dimensions(target: Dataset, header: ImageHeader, frames: int) -> None:
    """One dimension, the segment; and the functional groups.

    A mammogram has no frame of reference: what a frame shows is told by the image that it was derived from, pixel
    for pixel (PS3.3 A.51.3, Derivation Image), so its spacing too is that of the source.
    """
    organization = derived_uid("segment dimensions")
    item = Dataset()
    item.DimensionOrganizationUID = organization
    target.DimensionOrganizationSequence = [item]
    index = Dataset()
    index.DimensionOrganizationUID = organization
    index.DimensionIndexPointer, index.FunctionalGroupPointer = 0x0062000B, 0x0062000A
    index.DimensionDescriptionLabel = "Segment"
    target.DimensionIndexSequence = [index]
    target.SharedFunctionalGroupsSequence = [Dataset()]
    target.PerFrameFunctionalGroupsSequence = [_frame(number, header) for number in range(1, frames + 1)]


def _frame(number: int, header: ImageHeader) -> Dataset:
    frame, content, segment = Dataset(), Dataset(), Dataset()
    content.DimensionIndexValues = [number]
    frame.FrameContentSequence = [content]
    segment.ReferencedSegmentNumber = number
    frame.SegmentIdentificationSequence = [segment]
    source = reference(header.sop_class_uid, header.sop_instance_uid)
    source.SpatialLocationsPreserved = "YES"
    source.PurposeOfReferenceCodeSequence = [coded(_SOURCE)]
    derivation = Dataset()
    derivation.SourceImageSequence = [source]
    derivation.DerivationCodeSequence = [coded(_SEGMENTED)]
    frame.DerivationImageSequence = [derivation]
    return frame


def _place(target: Dataset, header: ImageHeader) -> None:
    """Pixel Measures and Plane Orientation, which OHIF 3.12 reads without asking whether they are there.

    The spacing is that of the source. A mammogram is taken along no known axes of the patient; the orientation is the
    one that OHIF supposes of an image without one, so that mask and image meet (hence an option, and off).
    """
    measures, orientation = Dataset(), Dataset()
    measures.PixelSpacing = [header.spacing.row_spacing_mm, header.spacing.column_spacing_mm]
    orientation.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    groups = target.SharedFunctionalGroupsSequence[0]
    groups.PixelMeasuresSequence, groups.PlaneOrientationSequence = [measures], [orientation]


def _pixels(target: Dataset, header: ImageHeader, masks: Mapping[str, Mask]) -> None:
    """A bit per pixel, frame after frame without a gap (PS3.5 8.1.1)."""
    target.NumberOfFrames = len(masks)
    target.SamplesPerPixel, target.PhotometricInterpretation = 1, "MONOCHROME2"
    target.Rows, target.Columns = header.rows, header.columns
    target.BitsAllocated, target.BitsStored, target.HighBit, target.PixelRepresentation = 1, 1, 0, 0
    bits = np.packbits(np.concatenate([mask.ravel() for mask in masks.values()]), bitorder="little").tobytes()
    target.PixelData = bits + b"\0" * (len(bits) % 2)
    target["PixelData"].VR = "OB"
