"""Multi-frame Secondary Capture: the views with and without marks, one after the other (R4.471-R4.483)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from reread.connectors.header_values import recorded
from reread.connectors.reports.content_items import reference
from reread.connectors.results.cine_frames import Frame, history_frame, in_hanging_order, stacked, view_frames
from reread.connectors.results.forms import Draft, ResultCase
from reread.connectors.results.page_language import words

GRAYSCALE_BYTE = "1.2.840.10008.5.1.4.1.1.7.2"
TRUE_COLOR = "1.2.840.10008.5.1.4.1.1.7.4"
CINE = "cine"


@dataclass(frozen=True, slots=True)
class CineForm:
    """One object per study revision; none when no image could be measured."""

    depends_on: ClassVar[frozenset[str]] = frozenset({"history", "language"})

    name: str = CINE
    in_colour: bool = True
    """False: grayscale byte, for viewers that play no colour"""
    frame_time_ms: float = 1200.0
    """long enough to look at a view, short enough to see marks come and go"""

    @property
    def sop_class_uids(self) -> tuple[str, ...]:
        """What is written."""
        return (TRUE_COLOR if self.in_colour else GRAYSCALE_BYTE,)

    def drafts(self, case: ResultCase) -> Iterator[Draft]:
        """The cine."""
        frames: list[Frame] = []
        for image in in_hanging_order(case.measured):
            frames += view_frames(case.mammogram(image), image)
        if not frames:
            return
        height_px, width_px = frames[0].shape[:2]
        history = history_frame(case.result, case.earlier, height_px, width_px, words(case.language))
        if history is not None:
            frames.append(history)
        target = self.attributes(case, stacked(frames))
        yield Draft(target, key="" if history is None else case.history_key)

    def attributes(self, case: ResultCase, cine: NDArray[np.uint8]) -> Dataset:
        """SC Equipment, General Image, Image Pixel, Cine, Multi-frame and SC Multi-frame Image modules.

        Parameters
        ----------
        cine
            Shape (frames, rows, columns, 3), RGB.
        """
        moment = recorded(case.provenance)
        target = Dataset()
        target.SOPClassUID = self.sop_class_uids[0]
        target.Modality, target.ConversionType = "MG", "WSD"
        target.SeriesNumber = 9909
        target.SeriesDescription = "Reread cine of views and marks"
        target.BodyPartExamined, target.Laterality = "BREAST", None
        target.PatientOrientation = None
        target.ImageType = ["DERIVED", "SECONDARY"]
        target.DateOfSecondaryCapture = moment.strftime("%Y%m%d")
        target.TimeOfSecondaryCapture = moment.strftime("%H%M%S")
        target.SecondaryCaptureDeviceManufacturer = "Reread"
        target.SecondaryCaptureDeviceManufacturerModelName = "Reread"
        # the user's words, then what made it (R4.476)
        target.DerivationDescription = (
            f"{words(case.language).views_and_marks}$$"
            "Windowed mammograms with the marks of an algorithm, not a medical device"
        )
        target.SourceImageSequence = [
            reference(item.header.sop_class_uid, item.header.sop_instance_uid)
            for item in in_hanging_order(case.measured)
        ]
        # marks, views and percentages: nobody can be recognised from them (PS3.3 C.7.6.1.1.3)
        target.BurnedInAnnotation = "NO"
        target.RecognizableVisualFeatures = "NO"
        target.LossyImageCompression = "00"
        target.PreferredPlaybackSequencing = 0
        target.FrameTime = f"{self.frame_time_ms:.10g}"
        rate = max(1, round(1000 / self.frame_time_ms))
        target.RecommendedDisplayFrameRate, target.CineRate = rate, rate
        target.NumberOfFrames = len(cine)
        target.FrameIncrementPointer = 0x00181063
        target.Rows, target.Columns = cine.shape[1:3]
        target.BitsAllocated, target.BitsStored, target.HighBit, target.PixelRepresentation = 8, 8, 7, 0
        if self.in_colour:
            target.SamplesPerPixel, target.PhotometricInterpretation, target.PlanarConfiguration = 3, "RGB", 0
            target.PixelData = cine.tobytes()
        else:
            target.SamplesPerPixel, target.PhotometricInterpretation = 1, "MONOCHROME2"
            target.PresentationLUTShape = "IDENTITY"
            target.RescaleIntercept, target.RescaleSlope, target.RescaleType = 0, 1, "US"
            target.PixelData = np.stack([cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in cine]).tobytes()
        target["PixelData"].VR = "OB"
        return target
