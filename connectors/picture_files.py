"""Pictures of images with their marks, as files for the report page."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from reread.connectors.spool import check_uid

_JPEG_QUALITY = 88


def picture_path(folder: Path, study_instance_uid: str, algorithm: str, sop_instance_uid: str) -> Path:
    """Where the picture of an image with the marks of an algorithm lies (NotDicom if a UID cannot name a file)."""
    return folder / check_uid(study_instance_uid) / algorithm / f"{check_uid(sop_instance_uid)}.jpg"


def save_picture(picture: NDArray[np.uint8], path: Path) -> None:
    """Write an RGB picture (rows, columns, 3) as JPEG; it appears whole or not at all."""
    done, encoded = cv2.imencode(".jpg", picture[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    if not done:
        raise ValueError("the picture cannot be written as JPEG")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".part")
    temporary.write_bytes(encoded.tobytes())
    temporary.replace(path)
