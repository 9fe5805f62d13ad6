"""Whether an image is a 2D mammogram, generated from a tomosynthesis, or the tomosynthesis itself."""

from __future__ import annotations

import re

from pydicom.dataset import Dataset

from reread.analytics.input_kind import InputKind
from reread.connectors.mammogram_header import text, values

_THREE_D = {
    "1.2.840.10008.5.1.4.1.1.13.1.3",  # Breast Tomosynthesis
    "1.2.840.10008.5.1.4.1.1.13.1.4",  # Breast Projection X-Ray for presentation
    "1.2.840.10008.5.1.4.1.1.13.1.5",  # Breast Projection X-Ray for processing
}
_GENERATED = {"GENERATED_2D", "TOMO_2D"}
"""values of Image Type (0008,0008) for an image that was computed from a tomosynthesis"""
_NAMES = re.compile(r"\b([CSV][- ]?VIEW|V[- ]?PREVIEW|INSIGHT[- ]?2D|INTELLIGENT[- ]?2D|SYNTHETIC[- ]?2D)\b")
"""what devices call such images in Series Description (0008,103E)"""


def input_kind(dataset: Dataset) -> InputKind:
    """From SOP class, number of frames, Image Type and Series Description (R0.35)."""
    frames = text(dataset, "NumberOfFrames")
    image_type = {value.upper() for value in values(dataset, "ImageType")}
    if image_type & _GENERATED or _NAMES.search(text(dataset, "SeriesDescription").upper()):
        return InputKind.GENERATED_2D
    if text(dataset, "SOPClassUID") in _THREE_D or frames not in ("", "0", "1"):
        return InputKind.THREE_D
    return InputKind.TWO_D
