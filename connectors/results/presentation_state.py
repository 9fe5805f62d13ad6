"""Grayscale Softcopy Presentation State: the marks of one image as graphics that a viewer can switch off.

001-secondlook 6.9 (R1.295-R1.322) and 003 7.4 (R3.378-R3.442); PS3.3 A.33.1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pydicom.dataset import Dataset

from reread.analytics.measurement import NAME
from reread.analytics.records import Contour, Finding, FindingKind, ImageHeader, ImageResult, Provenance
from reread.connectors.dicom_parts import quiet_reading
from reread.connectors.header_values import recorded
from reread.connectors.mammogram_header import values
from reread.connectors.reports.content_items import reference
from reread.connectors.results.forms import Draft, ResultCase
from reread.connectors.results.mark_shapes import Rectangle, clipped, ends_inside, mark_shape
from reread.connectors.results.page_language import Words, words
from reread.connectors.results.presentation_state_grey import grey_attributes
from reread.connectors.results.source_images import Carrier, carriers, read_source

GRAYSCALE_PRESENTATION_STATE = "1.2.840.10008.5.1.4.1.1.11.1"
PRESENTATION_STATE = "presentation-state"
_LAYERS = {0: "REREAD CAD", 1: "REREAD CAD 1", 2: "REREAD CAD 2"}
"""by operating point, so that a viewer shows as many marks as its user wants; CS, at most 16 characters"""
_DESCRIPTIONS = {
    0: "Marks at the most specific operating point, and counts",
    1: "Further marks at operating point 1",
    2: "Further marks at operating point 2",
}
_WHITE = 65535
"""P-value: the marks lie on grey tissue, where the middle grey of R1.319 would not be seen"""
_BOX_PX = (10.0, 100.0)
"""upper left corner of the text, and the least lower right one (R1.317)"""
_BOX_WIDTH, _BOX_HEIGHT = 0.3, 0.08
"""of the image: a box of 90 pixels could not be read on an image of 4,000"""


class PresentationStateForm:
    """One per measured image, also when nothing was found on it, and per For Presentation twin of a raw image."""

    name = PRESENTATION_STATE
    sop_class_uids = (GRAYSCALE_PRESENTATION_STATE,)
    depends_on = frozenset({"language"})

    def drafts(self, case: ResultCase) -> Iterator[Draft]:
        """A series for each side, because Laterality belongs to the series."""
        for place, carrier in enumerate(carriers(case), start=1):
            yield Draft(
                presentation_state_attributes(carrier, case.provenance, words(case.language)),
                key=carrier.header.sop_instance_uid,
                series=carrier.header.laterality.value,
                instance_number=place,
            )


def presentation_state_attributes(carrier: Carrier, provenance: Provenance, said: Words) -> Dataset:
    """All modules but those that every result shares.

    Raises
    ------
    AuthoringFailed
        The source cannot be read.
    """
    header = carrier.header
    source = read_source(carrier.path)
    image = reference(header.sop_class_uid, header.sop_instance_uid)
    moment = recorded(provenance)
    target = grey_attributes(source, image)
    target.SOPClassUID = GRAYSCALE_PRESENTATION_STATE
    target.Modality = "PR"
    target.SeriesNumber = 9903
    target.SeriesDescription = "Reread CAD marks"
    target.Laterality = header.laterality.value
    target.ContentLabel = f"{header.laterality}{header.view}"
    target.ContentDescription = "Reread CAD results"
    target.ContentCreatorName = "Reread"
    target.PresentationCreationDate = moment.strftime("%Y%m%d")
    target.PresentationCreationTime = moment.strftime("%H%M%S")
    series = Dataset()
    series.SeriesInstanceUID = header.series_instance_uid
    series.ReferencedImageSequence = [image]
    target.ReferencedSeriesSequence = [series]
    target.DisplayedAreaSelectionSequence = [_displayed_area(header, source, image)]
    target.ImageRotation, target.ImageHorizontalFlip = 0, "N"
    _annotate(target, carrier.image, header, image, summary_text(_marks(carrier.image), provenance, said))
    return target


def _displayed_area(header: ImageHeader, source: Dataset, image: Dataset) -> Dataset:
    """The whole image (R1.311-R1.314); millimetres only where the header gives them."""
    area = Dataset()
    area.ReferencedImageSequence = [image]
    area.DisplayedAreaTopLeftHandCorner = [1, 1]
    area.DisplayedAreaBottomRightHandCorner = [header.columns, header.rows]
    area.PresentationSizeMode = "SCALE TO FIT"
    if header.spacing_known:
        spacing = header.spacing
        area.PresentationPixelSpacing = [f"{spacing.row_spacing_mm:.10g}", f"{spacing.column_spacing_mm:.10g}"]
    else:
        area.PresentationPixelAspectRatio = _aspect_ratio(source)
    return area


def _aspect_ratio(source: Dataset) -> list[int]:
    with quiet_reading():
        try:
            vertical, horizontal = (int(part) for part in values(source, "PixelAspectRatio"))
        except ValueError:
            return [1, 1]
    return [vertical, horizontal] if vertical > 0 and horizontal > 0 else [1, 1]


def _annotate(target: Dataset, result: ImageResult, header: ImageHeader, image: Dataset, summary: str) -> None:
    """Graphic Annotation and Graphic Layer modules: a layer for each operating point that has marks."""
    marks = _marks(result)
    used = sorted({0} | {item.operating_point or 0 for item in marks})
    annotations, layers = [], []
    for order, point in enumerate(used, start=1):
        annotation = Dataset()
        annotation.ReferencedImageSequence = [image]
        annotation.GraphicLayer = _layer_name(point)
        if point == 0:
            annotation.TextObjectSequence = [_text_object(summary, header)]
        graphics = [_graphic_object(item, header) for item in marks if item.operating_point == point]
        if graphics:
            annotation.GraphicObjectSequence = graphics
        annotations.append(annotation)
        layer = Dataset()
        layer.GraphicLayer = _layer_name(point)
        layer.GraphicLayerOrder = order
        layer.GraphicLayerRecommendedDisplayGrayscaleValue = _WHITE
        layer.GraphicLayerDescription = _DESCRIPTIONS.get(point, f"Further marks at operating point {point}")
        layers.append(layer)
    target.GraphicAnnotationSequence, target.GraphicLayerSequence = annotations, layers


def _marks(result: ImageResult) -> list[Finding]:
    return [item for item in result.findings if item.operating_point is not None]


def _layer_name(point: int) -> str:
    return _LAYERS.get(point, f"REREAD CAD {point}")[:16]


def summary_text(marks: Sequence[Finding], provenance: Provenance, said: Words) -> str:
    """Version and counts (R1.317), and what it is not, in the language of the site."""
    clusters = sum(item.kind is FindingKind.CALCIFICATION for item in marks)
    masses = len(marks) - clusters
    name = "Reread" if provenance.algorithm == NAME else f"Reread, model {provenance.algorithm}"
    lines = [
        f"{name} {provenance.version}",
        f"{said.cluster}: {clusters}",
        f"{said.mass}: {masses}",
        said.notice,
    ]
    return "\r\n".join(lines)


def _text_object(summary: str, header: ImageHeader) -> Dataset:
    first, least = _BOX_PX
    item = Dataset()
    item.BoundingBoxAnnotationUnits = "PIXEL"
    item.UnformattedTextValue = summary
    item.BoundingBoxTopLeftHandCorner = [min(first, header.columns / 4), min(first, header.rows / 4)]
    item.BoundingBoxBottomRightHandCorner = [
        min(max(least, first + _BOX_WIDTH * header.columns), float(header.columns)),
        min(max(least, first + _BOX_HEIGHT * header.rows), float(header.rows)),
    ]
    item.BoundingBoxTextHorizontalJustification = "LEFT"
    return item


def _graphic_object(finding: Finding, header: ImageHeader) -> Dataset:
    """An ELLIPSE, or a closed POLYLINE: of four corners, or of the visible part of an ellipse at the border."""
    shape = mark_shape(finding, header)
    if isinstance(shape, Rectangle):
        return graphic("POLYLINE", (*shape.corners, shape.corners[0]), header)
    if ends_inside(shape, header.rows, header.columns):
        return graphic("ELLIPSE", shape.ends, header)
    outline = clipped(shape.polygon(), header.rows, header.columns)
    return graphic("POLYLINE", (*outline, outline[0]), header)


def graphic(graphic_type: str, points: Contour, header: ImageHeader) -> Dataset:
    """A graphic object (R1.318); PIXEL counts from the corner of the first pixel, 0\\0 to columns\\rows
    (PS3.3 C.10.5.1.2), the records from its centre."""
    item = Dataset()
    item.GraphicAnnotationUnits = "PIXEL"
    item.GraphicDimensions = 2
    item.NumberOfGraphicPoints = len(points)
    item.GraphicData = [
        min(max(value + 0.5, 0.0), float(limit))
        for x, y in points
        for value, limit in ((x, header.columns), (y, header.rows))
    ]
    item.GraphicType = graphic_type
    item.GraphicFilled = "N"
    return item
