"""Pictures of images as files: with marks burned in, and without but with the geometry of the marks beside them."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from reread.analytics.pictures_overlay import Mark, Overlay
from reread.analytics.records import FindingKind, Nature
from reread.connectors.spool import check_uid

_JPEG_QUALITY = 88
_PLAIN_QUALITY = 92


def picture_path(folder: Path, study_instance_uid: str, algorithm: str, sop_instance_uid: str) -> Path:
    """Where the picture of an image with the marks of an algorithm lies (NotDicom if a UID cannot name a file)."""
    return folder / check_uid(study_instance_uid) / algorithm / f"{check_uid(sop_instance_uid)}.jpg"


def plain_path(folder: Path, study_instance_uid: str, algorithm: str, sop_instance_uid: str) -> Path:
    """Where the picture without marks lies; the geometry is beside it, as JSON."""
    return picture_path(folder, study_instance_uid, algorithm, sop_instance_uid).with_suffix(".plain.jpg")


def save_picture(picture: NDArray[np.uint8], path: Path) -> None:
    """Write an RGB picture (rows, columns, 3) as JPEG; it appears whole or not at all."""
    _write(_encoded(".jpg", picture[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]), path)


def save_png(picture: NDArray[np.uint8], path: Path) -> None:
    """Write a grey (rows, columns) or RGB picture (rows, columns, 3) as PNG, without loss; whole or not at all."""
    _write(_encoded(".png", picture if picture.ndim == 2 else picture[:, :, ::-1], []), path)


def save_plain(grey: NDArray[np.uint8], overlay: Overlay, path: Path) -> None:
    """Write a grey picture as JPEG, and what belongs over it as JSON; both whole or not at all."""
    geometry = json.dumps(asdict(overlay), default=str, separators=(",", ":"))
    # the picture comes last: where it is, the geometry is too
    _write(geometry.encode(), _geometry_path(path))
    _write(_encoded(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, _PLAIN_QUALITY]), path)


def read_plain(path: Path) -> tuple[bytes, Overlay] | None:
    """The JPEG of a picture without marks and its geometry; None where there is none, or it cannot be read."""
    try:
        return path.read_bytes(), _overlay(json.loads(_geometry_path(path).read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def decoded(jpeg: bytes) -> NDArray[np.uint8]:
    """The pixels of a grey JPEG."""
    return np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE), np.uint8)


def _geometry_path(path: Path) -> Path:
    return path.with_name(path.name.removesuffix(".plain.jpg") + ".json")


def _overlay(raw: dict[str, Any]) -> Overlay:
    def contour(points: Any) -> tuple[tuple[float, float], ...]:
        return tuple((float(x), float(y)) for x, y in points)

    marks = tuple(
        Mark(
            kind=FindingKind(item["kind"]),
            nature=Nature(item["nature"]),
            index=int(item["index"]),
            operating_point=int(item["operating_point"]),
            members=contour(item["members"]),
            **{name: float(item[name]) for name in ("score", "x", "y", "half_width", "half_height")},
        )
        for item in raw["marks"]
    )
    nipple, pixel_mm = raw["nipple"], raw["pixel_mm"]
    return Overlay(
        width=int(raw["width"]),
        height=int(raw["height"]),
        skin=contour(raw["skin"]),
        muscle=contour(raw["muscle"]),
        nipple=contour([nipple])[0] if nipple else None,
        nipple_seen=bool(raw["nipple_seen"]),
        marks=marks,
        pixel_mm=None if pixel_mm is None else float(pixel_mm),
    )


def _encoded(kind: str, picture: NDArray[np.uint8], options: list[int]) -> bytes:
    done, encoded = cv2.imencode(kind, picture, options)
    if not done:
        raise ValueError(f"the picture cannot be written as {kind[1:].upper()}")
    return bytes(encoded.tobytes())


def _write(content: bytes, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".part")
    temporary.write_bytes(content)
    temporary.replace(path)
