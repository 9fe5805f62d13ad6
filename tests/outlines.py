"""The same breast with another outline, to see what hangs on it."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from reread.analytics.breast import SegmentedBreast, _depth_mm
from reread.analytics.pectoral import SegmentedPectoral


def whole_mask(breast: SegmentedBreast, mask: NDArray[np.bool_] | None = None) -> NDArray[np.bool_]:
    """A mask of the breast's frame (None: the breast) in the whole image."""
    rows, columns = breast.mask.shape
    left, top = breast.offset
    out = np.zeros(breast.surroundings.pixels.shape, bool)
    out[top : top + rows, left : left + columns] = breast.mask if mask is None else mask
    return out


def with_mask(breast: SegmentedBreast, mask: NDArray[np.bool_]) -> SegmentedBreast:
    """The breast with another mask of the whole image."""
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    left, right, top, bottom = int(columns[0]), int(columns[-1]) + 1, int(rows[0]), int(rows[-1]) + 1
    depth = _depth_mm(mask, breast.surroundings.spacing_mm)
    return replace(
        breast,
        frame=breast.surroundings.crop(left, top, right, bottom),
        mask=np.ascontiguousarray(mask[top:bottom, left:right]),
        depth_mm=np.ascontiguousarray(depth[top:bottom, left:right]),
        offset=(left, top),
    )


def moved(
    breast: SegmentedBreast, pectoral: SegmentedPectoral | None, outwards_mm: float
) -> tuple[SegmentedBreast, SegmentedPectoral | None]:
    """The breast and its muscle with the skin line this much farther out."""
    spacing_mm = breast.surroundings.spacing_mm
    mask = whole_mask(breast)
    if outwards_mm < 0:
        mask = whole_mask(breast, breast.mask & (breast.depth_mm > -outwards_mm))
    else:
        away = cv2.distanceTransform(1 - mask.astype(np.uint8), cv2.DIST_L2, 5) * spacing_mm
        left = breast.offset[0]
        mask[:, left:] = away[:, left:] <= outwards_mm
    other = with_mask(breast, mask)
    if pectoral is None:
        return other, None
    (left, top), (rows, columns) = other.offset, other.mask.shape
    muscle = (whole_mask(breast, pectoral.mask) & mask)[top : top + rows, left : left + columns]
    return other, replace(pectoral, mask=np.ascontiguousarray(muscle))
