"""The forms for viewers that show more than a report: presentation states, key objects, segmentations and copies."""

from __future__ import annotations

from reread.connectors.results.cine import CineForm
from reread.connectors.results.enhanced_report import EnhancedReportForm
from reread.connectors.results.film import EnhancedFilmForm
from reread.connectors.results.forms import Form
from reread.connectors.results.key_objects import KeyObjectForm
from reread.connectors.results.measurement_report import MeasurementReportForm
from reread.connectors.results.overlays import OverlayForm
from reread.connectors.results.presentation_state import PresentationStateForm
from reread.connectors.results.segmentation import SegmentationForm

VIEWER_FORMS: tuple[Form, ...] = (
    PresentationStateForm(),
    KeyObjectForm(),
    SegmentationForm(),
    MeasurementReportForm(),
    OverlayForm(),
    EnhancedFilmForm(),
    CineForm(),
    EnhancedReportForm(),
)
"""in the order in which they are written"""
