"""Secondary Captures for viewers that show no CAD SR: the modules, and the form of the sheet with burned-in marks."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from reread.analytics.errors import AuthoringFailed, InputError
from reread.analytics.pictures_grey import Grey, render_grey
from reread.analytics.records import ImageResult, StudyResult
from reread.connectors.reports.content_items import reference
from reread.connectors.results.forms import Draft, ResultCase
from reread.connectors.results.page_language import words
from reread.connectors.results.sheet import draw_sheet, sheet_places

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
CAPTURE = "secondary-capture"


class CaptureForm:
    """SC-CAD: one sheet of four views per study revision (R0.43, R0.536)."""

    name = CAPTURE
    sop_class_uids = (SECONDARY_CAPTURE,)
    depends_on = frozenset({"language"})

    def drafts(self, case: ResultCase) -> Iterator[Draft]:
        """The sheet."""
        shown = sheet_places(case.result).values()
        greys = {image.header.sop_instance_uid: grey for image in shown if (grey := _grey(case, image)) is not None}
        page = draw_sheet(case.result, case.provenance, greys, words(case.language))
        dataset = capture_attributes(case.result, page)
        dataset.SeriesDescription = "Reread marks"
        dataset.SeriesNumber = 9902
        dataset.DerivationDescription = (
            "Windowed, reduced renderings of up to four views with the marks of an algorithm"
        )
        # reduced to 8 bits and the size of the sheet (R0.380); no compression took place, so no ratio, no method
        dataset.LossyImageCompression = "01"
        yield Draft(dataset)


def _grey(case: ResultCase, image: ImageResult) -> Grey | None:
    """The picture of an image: handed over, or rendered again; None where the pixels are gone."""
    given = case.greys.get(image.header.sop_instance_uid)
    if given is not None:
        return given
    try:
        return render_grey(case.mammogram(image), image)
    except (AuthoringFailed, InputError):
        return None


def capture_attributes(result: StudyResult, page: NDArray[np.uint8]) -> Dataset:
    """The Secondary Capture modules of a page (R0.367 … R0.388, R4.473 … R4.477).

    Parameters
    ----------
    page
        Grey, shape (rows, columns), or RGB, shape (rows, columns, 3); 8 bits.

    Raises
    ------
    AuthoringFailed
        The page has another shape.
    """
    colour = page.ndim == 3
    if page.dtype != np.uint8 or page.ndim not in (2, 3) or (colour and page.shape[2] != 3) or page.size % 2:
        raise AuthoringFailed("a page is grey or RGB, 8 bits per sample, of an even number of bytes")
    target = Dataset()
    target.SOPClassUID = SECONDARY_CAPTURE
    target.Modality = "MG"
    target.ConversionType = "SYN"
    target.BodyPartExamined = "BREAST"
    target.Laterality = None
    target.PatientOrientation = None
    target.ImageType = ["DERIVED", "SECONDARY"]
    target.SourceImageSequence = [
        reference(item.header.sop_class_uid, item.header.sop_instance_uid) for item in result.images
    ]
    # nobody's name is burned in, but dates of examinations are, and what films have on them (R0.379, R0.536)
    target.BurnedInAnnotation = "YES"
    target.RecognizableVisualFeatures = "NO"
    target.SamplesPerPixel = 3 if colour else 1
    target.PhotometricInterpretation = "RGB" if colour else "MONOCHROME2"
    if colour:
        target.PlanarConfiguration = 0
    else:
        target.PresentationLUTShape = "IDENTITY"
        target.WindowCenter, target.WindowWidth = 128, 256
        target.SmallestImagePixelValue, target.LargestImagePixelValue = 0, 255
    target.Rows, target.Columns = page.shape[:2]
    target.BitsAllocated, target.BitsStored, target.HighBit, target.PixelRepresentation = 8, 8, 7, 0
    target.PixelData = np.ascontiguousarray(page).tobytes()
    target["PixelData"].VR = "OB"
    return target
