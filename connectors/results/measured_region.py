"""The part of an image that its density is a share of: the breast without the pectoral muscle, as one outline."""

from __future__ import annotations

import cv2
import numpy as np

from reread.analytics.records import Contour, ImageResult
from reread.connectors.results.segmentation_masks import filled

_TOLERANCE_PX = 0.5
_LEAST = 3


def measured_region(image: ImageResult) -> Contour:
    """The outline, not closed; () where no breast was found.

    Without a muscle it is that of the record. With one it runs along the pixels that remain, the largest piece if the
    muscle cuts the breast in two, and leaves out points that are off a straight line by half a pixel at most.
    """
    breast = image.breast.outline if image.breast is not None else ()
    muscle = image.pectoral.outline if image.pectoral is not None else ()
    if len(breast) < _LEAST:
        return ()
    if len(muscle) < _LEAST:
        return breast
    rows, columns = image.header.rows, image.header.columns
    left = filled(breast, rows, columns) & ~filled(muscle, rows, columns)
    pieces, _ = cv2.findContours(left.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    largest = max(pieces, key=cv2.contourArea, default=None)
    if largest is None:
        return ()
    outline = cv2.approxPolyDP(largest, _TOLERANCE_PX, True)[:, 0, :]
    return tuple((float(x), float(y)) for x, y in outline) if len(outline) >= _LEAST else ()
