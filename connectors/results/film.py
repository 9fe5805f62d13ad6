"""Digital Mammography X-Ray For Presentation made from a digitised film (000-cenova 6.9, R0.390-R0.436)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from reread.analytics.errors import AuthoringFailed
from reread.analytics.records import ImageHeader, ImageResult, Size
from reread.connectors.dicom_parts import quiet_reading
from reread.connectors.header_values import valid_date, valid_time
from reread.connectors.mammogram_header import FOR_PRESENTATION, text, values
from reread.connectors.reports.codes import Code
from reread.connectors.reports.content_items import reference
from reread.connectors.results.document_items import coded
from reread.connectors.results.film_looks import LEVELS, LOOKS, Contrast, enhanced, look_table, resampled
from reread.connectors.results.forms import Draft, ResultCase
from reread.connectors.results.segmentation_masks import filled
from reread.connectors.results.source_images import read_source
from reread.connectors.view_codes import VIEW_MEANING, VIEW_SCT

ENHANCED_FILM = "enhanced-film"
_FILM_CLASSES = ("1.2.840.10008.5.1.4.1.1.7", "1.2.840.10008.5.1.4.1.1.7.2", "1.2.840.10008.5.1.4.1.1.7.3")
"""Secondary Capture: what a film digitiser writes"""
_BREAST = Code("76752008", "SCT", "Breast")
_FIRST_INSTANCE = 10
_DETECTORS = {"DIRECT", "SCINTILLATOR", "STORAGE", "FILM"}


@dataclass(frozen=True, slots=True)
class EnhancedFilmForm:
    """One per measured film; none for digital images. A site's own variant is this class with other values."""

    depends_on: ClassVar[frozenset[str]] = frozenset()

    name: str = ENHANCED_FILM
    contrast: Contrast = Contrast.NORMAL
    output_spacing_mm: float | None = None
    """None: that of the film (R0.425)"""
    series_number: int = 9908
    window: tuple[float, float] = (LEVELS / 2, LEVELS)
    """center, width (R0.422)"""

    @property
    def sop_class_uids(self) -> tuple[str, ...]:
        """For Presentation alone."""
        return (FOR_PRESENTATION,)

    def drafts(self, case: ResultCase) -> Iterator[Draft]:
        """The films of a study share a series and are numbered from 10 (R0.390, R0.396)."""
        films = [item for item in case.measured if item.header.sop_class_uid in _FILM_CLASSES]
        for number, image in enumerate(films, start=_FIRST_INSTANCE):
            yield Draft(self.attributes(case, image), key=image.header.sop_instance_uid, instance_number=number)

    def attributes(self, case: ResultCase, image: ImageResult) -> Dataset:
        """All modules but those that every result shares.

        Raises
        ------
        AuthoringFailed
            The output spacing is not positive, or the film cannot be read.
        """
        if self.output_spacing_mm is not None and self.output_spacing_mm <= 0:
            raise AuthoringFailed("the output spacing of an enhanced film has to be positive")
        header = image.header
        mammogram = case.mammogram(image)
        outline = image.breast.outline if image.breast is not None else ()
        breast = filled(outline, header.rows, header.columns)
        stored = enhanced(mammogram.pixels, breast, header.spacing, self.contrast)
        inside = stored[breast] if breast.any() else stored.ravel()
        pixels = resampled(stored, header.spacing, self.output_spacing_mm)
        spacing = Size(
            header.spacing.row_spacing_mm * header.rows / pixels.shape[0],
            header.spacing.column_spacing_mm * header.columns / pixels.shape[1],
        )
        source = read_source(case.sources[header.sop_instance_uid])
        target = Dataset()
        with quiet_reading():
            _series(target, source, self.series_number)
            _image(target, source, mammogram.header, spacing, self.contrast, coarser=pixels.shape != stored.shape)
            _positioning(target, source, header, spacing)
        target.VOILUTSequence = [
            _look(table, look.explanation) for look in LOOKS for table in (look_table(look, inside),)
        ]
        target.WindowCenter, target.WindowWidth = (f"{value:.10g}" for value in self.window)
        _pixels(target, pixels)
        return target


def _series(target: Dataset, source: Dataset, number: int) -> None:
    target.SOPClassUID = FOR_PRESENTATION
    target.Modality, target.PresentationIntentType = "MG", "FOR PRESENTATION"
    target.SeriesNumber, target.SeriesDescription = number, "Reread enhanced film"
    target.BodyPartExamined = text(source, "BodyPartExamined").upper() or "BREAST"
    day, moment = text(source, "AcquisitionDate"), text(source, "AcquisitionTime")
    if valid_date(day):
        target.AcquisitionDate = day
        if valid_time(moment):
            target.AcquisitionTime = moment


def _image(
    target: Dataset, source: Dataset, header: ImageHeader, spacing: Size, contrast: Contrast, *, coarser: bool
) -> None:
    """General Image and DX Image."""
    item = reference(header.sop_class_uid, header.sop_instance_uid)
    item.SpatialLocationsPreserved = "NO" if coarser else "YES"
    target.SourceImageSequence = [item]
    target.ImageType = ["DERIVED", "PRIMARY"]
    target.PatientOrientation = list(header.patient_orientation)
    words = f"{contrast.value} [{_micrometres(header.spacing)}] => [{_micrometres(spacing)}]"
    if not header.spacing_known:
        words += "; pixel spacing assumed from the height of a film, not measured"
    target.DerivationDescription = words
    target.BurnedInAnnotation = "YES" if text(source, "BurnedInAnnotation").upper() == "YES" else "NO"
    lossy = text(source, "LossyImageCompression") == "01"
    target.LossyImageCompression = "01" if lossy or coarser else "00"
    if lossy:
        for keyword in ("LossyImageCompressionRatio", "LossyImageCompressionMethod"):
            told = values(source, keyword)
            if told:
                setattr(target, keyword, list(told))
    target.PixelIntensityRelationship, target.PixelIntensityRelationshipSign = "LOG", -1
    target.RescaleIntercept, target.RescaleSlope, target.RescaleType = 0, 1, "US"
    target.PresentationLUTShape = "IDENTITY"


def _micrometres(spacing: Size) -> str:
    return f"{1000 * spacing.mean_mm:.1f} um"


def _positioning(target: Dataset, source: Dataset, header: ImageHeader, spacing: Size) -> None:
    """DX Detector, DX Positioning, Mammography Image and Acquisition Context."""
    detector = text(source, "DetectorType").upper()
    target.DetectorType = detector if detector in _DETECTORS else "FILM"
    if text(source, "DetectorID"):
        target.DetectorID = text(source, "DetectorID")[:16]
    target.ImagerPixelSpacing = [f"{spacing.row_spacing_mm:.10g}", f"{spacing.column_spacing_mm:.10g}"]
    target.ViewPosition = text(source, "ViewPosition").upper() or header.view.value
    if header.acquisition.magnification is not None:
        target.EstimatedRadiographicMagnificationFactor = f"{header.acquisition.magnification:.10g}"
    positioner = text(source, "PositionerType").upper()
    target.PositionerType = positioner if positioner in ("MAMMOGRAPHIC", "NONE") else "MAMMOGRAPHIC"
    target.ImageLaterality = header.laterality.value
    target.OrganExposed = "BREAST"
    for keyword in ("BreastImplantPresent", "PartialView"):
        told = text(source, keyword).upper()
        if told in ("YES", "NO"):
            setattr(target, keyword, told)
    regions = _codes(source, "AnatomicRegionSequence")
    target.AnatomicRegionSequence = regions[:1] or [coded(_BREAST)]
    views = source.get("ViewCodeSequence") or []
    own = _codes(source, "ViewCodeSequence")[:1]
    view = own[0] if own else coded(Code(VIEW_SCT[header.view], "SCT", VIEW_MEANING[header.view]))
    view.ViewModifierCodeSequence = _codes(views[0], "ViewModifierCodeSequence") if own else []
    target.ViewCodeSequence = [view]
    target.AcquisitionContextSequence = []


def _codes(dataset: Dataset, keyword: str) -> list[Dataset]:
    """The whole items of a code sequence."""
    found = []
    for item in dataset.get(keyword) or ():
        code = Code(text(item, "CodeValue"), text(item, "CodingSchemeDesignator"), text(item, "CodeMeaning"))
        if all(code):
            found.append(coded(code))
    return found


def _look(table: NDArray[np.uint16], explanation: str) -> Dataset:
    item = Dataset()
    item.add_new(0x00283002, "US", [LEVELS, 0, 12])
    item.LUTExplanation = explanation
    item.add_new(0x00283006, "OW", table.astype("<u2").tobytes())
    return item


def _pixels(target: Dataset, pixels: NDArray[np.uint16]) -> None:
    target.SamplesPerPixel, target.PhotometricInterpretation = 1, "MONOCHROME2"
    target.Rows, target.Columns = pixels.shape
    target.BitsAllocated, target.BitsStored, target.HighBit, target.PixelRepresentation = 16, 12, 11, 0
    target.PixelData = pixels.astype("<u2").tobytes()
    target["PixelData"].VR = "OW"
