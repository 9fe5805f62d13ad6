"""A Secondary Capture for viewers that show no CAD SR: one page per study, 8-bit RGB, without patient data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from reread.analytics.errors import AuthoringFailed
from reread.analytics.measurement import NAME
from reread.analytics.pictures import montage, write_text
from reread.analytics.records import Provenance, StudyResult
from reread.connectors.reports.content_items import reference
from reread.connectors.results.forms import Draft, ResultCase

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
CAPTURE = "secondary-capture"
_BACKGROUND, _INK, _FAINT = (10, 12, 16), (236, 238, 240), (150, 158, 168)


class CaptureForm:
    """One page per study revision."""

    name = CAPTURE
    sop_class_uids = (SECONDARY_CAPTURE,)

    def drafts(self, case: ResultCase) -> Iterator[Draft]:
        """The page."""
        yield Draft(capture_attributes(case.result, capture_page(case.result, case.provenance, case.pictures)))


def capture_page(
    result: StudyResult, provenance: Provenance, pictures: Mapping[str, NDArray[np.uint8]]
) -> NDArray[np.uint8]:
    """The page: the views as they hang, density and marks in words, and what this is.

    Parameters
    ----------
    pictures
        SOP Instance UID → RGB, shape (rows, columns, 3), as `draw_marks` makes them.

    Raises
    ------
    AuthoringFailed
        There is no picture of any image of the study, or one of another shape.
    """
    shown = [
        (item.header, pictures[item.header.sop_instance_uid])
        for item in result.images
        if item.header.sop_instance_uid in pictures
    ]
    if not shown:
        raise AuthoringFailed("a secondary capture needs the picture of at least one image")
    for _, picture in shown:
        if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
            raise AuthoringFailed("pictures of a secondary capture are RGB, 8 bits per sample")
    hung = montage(shown)
    name = "Reread" if provenance.algorithm == NAME else f"Reread, model {provenance.algorithm}"
    size = max(11, min(22, hung.shape[1] // 58))
    band = np.full((4 * size + 20, hung.shape[1], 3), _BACKGROUND, dtype=np.uint8)
    write_text(band, _summary(result), 14, 12 + size, size_px=size, colour=_INK)
    write_text(
        band,
        "circle: mass   triangle: calcifications   heavier line: more specific",
        14,
        12 + 2 * size + size // 2,
        size_px=round(size * 0.85),
        colour=_FAINT,
    )
    write_text(
        band,
        f"{name} {provenance.version} - research and quality software, not a medical device",
        14,
        12 + 4 * size,
        size_px=round(size * 0.85),
        colour=_FAINT,
    )
    page = np.concatenate([hung, band])
    # an even number of columns keeps the pixel data of even length without a padding byte
    return np.ascontiguousarray(page[:, : page.shape[1] // 2 * 2])


def _summary(result: StudyResult) -> str:
    kinds = [finding.kind.value for _, finding in result.marks]
    parts = [f"{kinds.count('mass')} mass marks, {kinds.count('calcification')} calcification marks"]
    for name, score in (("density", result.density), ("R", result.right), ("L", result.left)):
        if score is not None:
            parts.append(f"{name} {score.percent_density:.0f} % ({score.category})")
    failed = len(result.rejected) + sum(not item.succeeded for item in result.images)
    if failed:
        parts.append(f"{failed} not measured")
    return "   ".join(parts)


def capture_attributes(result: StudyResult, page: NDArray[np.uint8]) -> Dataset:
    """The Secondary Capture modules of a page (R0.367 … R0.387); colour, so no grey-scale attributes."""
    target = Dataset()
    target.SOPClassUID = SECONDARY_CAPTURE
    target.Modality = "MG"
    target.ConversionType = "SYN"
    target.SeriesDescription = "Reread marks and density"
    target.SeriesNumber = 9902
    target.BodyPartExamined = "BREAST"
    target.Laterality = None
    target.PatientOrientation = None
    target.ImageType = ["DERIVED", "SECONDARY"]
    target.DerivationDescription = "Windowed mammograms with the marks and outlines of an algorithm"
    target.SourceImageSequence = [
        reference(item.header.sop_class_uid, item.header.sop_instance_uid) for item in result.images
    ]
    # nobody can be recognised from what is burned in (PS3.3 C.7.6.1.1.3)
    target.BurnedInAnnotation = "NO"
    target.RecognizableVisualFeatures = "NO"
    target.LossyImageCompression = "00"
    target.SamplesPerPixel = 3
    target.PhotometricInterpretation = "RGB"
    target.PlanarConfiguration = 0
    target.Rows, target.Columns = page.shape[:2]
    target.BitsAllocated, target.BitsStored, target.HighBit, target.PixelRepresentation = 8, 8, 7, 0
    target.PixelData = page.tobytes()
    target["PixelData"].VR = "OB"
    return target
