"""Made mammograms with known truth.

A half-ellipse of fat with a thinning edge, a muscle wedge on oblique and lateral views, a nipple on the
skin line, a disc of dense tissue, one mass and one cluster of calcifications. Everything is laid out in
millimetres and the tissue texture depends on the seed alone, so two phantoms of one seed and different
pixel spacing show the same breast.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from reread.analytics.records import ImageHeader, Laterality, Mammogram, Size, View

FOR_PRESENTATION = "1.2.840.10008.5.1.4.1.1.1.2"
FOR_PROCESSING = "1.2.840.10008.5.1.4.1.1.1.2.1"

_FAT, _GLAND, _MUSCLE, _BACKGROUND = 0.34, 0.24, 0.34, 0.02
_EDGE_MM = 12.0  # the breast thins over this distance to the skin
_NIPPLE_RADIUS_MM = 4.0


@dataclass(frozen=True, slots=True, eq=False)
class Phantom:
    """A mammogram and what is in it; masks have the shape of the image, points are (x_px, y_px)."""

    mammogram: Mammogram
    chest_wall_on_left: bool
    breast: NDArray[np.bool_]
    """breast with muscle, without label"""
    pectoral: NDArray[np.bool_]
    """all False on views without muscle"""
    pectoral_angle_deg: float | None
    dense: NDArray[np.bool_]
    percent_density: float
    """of the breast without muscle"""
    nipple: tuple[float, float]
    mass: tuple[float, float] | None
    mass_radius_mm: float
    cluster: tuple[float, float] | None
    calcifications: tuple[tuple[float, float], ...]


def phantom(
    view: View = View.MLO,
    laterality: Laterality = Laterality.LEFT,
    rows: int = 1000,
    columns: int = 800,
    spacing_mm: float = 0.2,
    seed: int = 1,
    *,
    chest_wall_on_left: bool | None = None,
    mass: bool = True,
    cluster: bool = True,
    label: bool = True,
    gland_radius_mm: float = 24.0,
    noise: float = 0.006,
) -> Phantom:
    """Make one mammogram.

    Parameters
    ----------
    rows, columns, spacing_mm
        Size of the image; the breast fills 80 % of its height.
    chest_wall_on_left
        None: as images are hung (left breast: chest wall on the left edge).
    mass, cluster, label
        Whether to plant a mass of 6 mm radius, a cluster of 8 calcifications, and a film label outside the breast.
    gland_radius_mm
        Radius of the dense disc.
    noise
        Standard deviation of the pixel noise, in units of the full range.
    """
    rng = np.random.default_rng(seed)
    on_left = laterality is Laterality.LEFT if chest_wall_on_left is None else chest_wall_on_left
    height_mm, width_mm = rows * spacing_mm, columns * spacing_mm
    y_mm, x_mm = np.mgrid[0:rows, 0:columns].astype(np.float32) * np.float32(spacing_mm)

    centre_y, half_height, depth = 0.5 * height_mm, 0.4 * height_mm, 0.55 * width_mm
    breast = (x_mm / depth) ** 2 + ((y_mm - centre_y) / half_height) ** 2 <= 1
    nipple_mm = (depth, centre_y)
    breast |= np.hypot(x_mm - nipple_mm[0], y_mm - nipple_mm[1]) <= _NIPPLE_RADIUS_MM
    depth_mm = cv2.distanceTransform(np.pad(breast, ((0, 0), (1, 0)), mode="edge").astype(np.uint8), cv2.DIST_L2, 5)
    depth_mm = depth_mm[:, 1:] * spacing_mm
    thickness = 1 - np.exp(-depth_mm / (_EDGE_MM / 3))

    pectoral = np.zeros_like(breast)
    angle = None
    if view.shows_pectoral:
        top, bottom = centre_y - half_height, centre_y + 0.1 * half_height
        wide = 0.36 * depth
        pectoral = breast & (x_mm < wide * (bottom - y_mm) / (bottom - top))
        angle = float(np.degrees(np.arctan2(wide, bottom - top)))

    gland_mm = (0.58 * depth, centre_y + 0.05 * half_height)
    gland = (np.hypot(x_mm - gland_mm[0], y_mm - gland_mm[1]) <= gland_radius_mm) & breast & ~pectoral

    # texture on a 1 mm grid that knows nothing of the pixels
    grid = rng.standard_normal((400, 400)).astype(np.float32)
    grid = cv2.GaussianBlur(grid, (0, 0), 2.0)
    grid *= 0.015 / grid.std()
    texture = cv2.remap(grid, x_mm, y_mm, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    soft_gland = cv2.GaussianBlur(gland.astype(np.float32), (0, 0), 1.0 / spacing_mm)
    tissue = _FAT + _GLAND * soft_gland + texture
    tissue = np.where(pectoral, _FAT + _MUSCLE + texture, tissue)

    mass_mm, radius_mm = (0.35 * depth, centre_y + 0.55 * half_height), 6.0
    if mass:
        away = np.hypot(x_mm - mass_mm[0], y_mm - mass_mm[1])
        tissue = tissue + 0.08 * (1 - np.tanh((away - radius_mm) / 1.6))

    cluster_mm = (0.5 * depth, centre_y - 0.5 * half_height)
    members_mm: list[tuple[float, float]] = []
    if cluster:
        while len(members_mm) < 8:
            point = (cluster_mm[0] + rng.uniform(-4, 4), cluster_mm[1] + rng.uniform(-4, 4))
            if all(np.hypot(point[0] - x, point[1] - y) > 1.2 for x, y in members_mm):
                members_mm.append(point)
        for x, y in members_mm:
            tissue = tissue + 0.22 * np.exp(-((x_mm - x) ** 2 + (y_mm - y) ** 2) / (2 * 0.2**2))

    pixels = np.where(breast, _BACKGROUND + (tissue - _BACKGROUND) * thickness, _BACKGROUND)
    if label:
        left, top = int(0.80 * columns), int(0.04 * rows)
        pixels[top : top + int(0.08 * rows), left : left + int(0.14 * columns)] = 0.9
    pixels = pixels + noise * rng.standard_normal(pixels.shape)
    pixels = np.clip(pixels, 0, 1).astype(np.float32)

    if not on_left:
        pixels, breast, pectoral, gland = (np.ascontiguousarray(a[:, ::-1]) for a in (pixels, breast, pectoral, gland))

    def pixel(point: tuple[float, float]) -> tuple[float, float]:
        x, y = point[0] / spacing_mm, point[1] / spacing_mm
        return (x if on_left else columns - 1 - x, y)

    members = tuple(pixel(point) for point in members_mm)
    without_muscle = breast & ~pectoral
    return Phantom(
        mammogram=Mammogram(_header(view, laterality, rows, columns, spacing_mm, seed, on_left), pixels),
        chest_wall_on_left=on_left,
        breast=breast,
        pectoral=pectoral,
        pectoral_angle_deg=angle,
        dense=gland,
        percent_density=100.0 * float(gland.sum()) / float(without_muscle.sum()),
        nipple=pixel((nipple_mm[0] + 0.5 * _NIPPLE_RADIUS_MM, nipple_mm[1])),
        mass=pixel(mass_mm) if mass else None,
        mass_radius_mm=radius_mm,
        cluster=(
            float(np.mean([x for x, _ in members])),
            float(np.mean([y for _, y in members])),
        )
        if cluster
        else None,
        calcifications=members,
    )


def _header(
    view: View, laterality: Laterality, rows: int, columns: int, spacing_mm: float, seed: int, on_left: bool
) -> ImageHeader:
    name = f"{view}-{laterality}-{rows}-{columns}-{spacing_mm}-{seed}-{on_left}"
    number = int(hashlib.sha256(name.encode()).hexdigest()[:24], 16)
    return ImageHeader(
        sop_instance_uid=f"2.25.{number}",
        sop_class_uid=FOR_PRESENTATION,
        series_instance_uid=f"2.25.{seed}.2",
        study_instance_uid=f"2.25.{seed}.1",
        rows=rows,
        columns=columns,
        laterality=laterality,
        view=view,
        spacing=Size(spacing_mm, spacing_mm),
        for_processing=False,
        manufacturer="Phantom",
        model="Half ellipse",
        device_serial="1",
        study_date="20260102",
        study_time="080000",
        content_date="20260102",
        content_time="080000",
        patient_orientation=("A" if on_left else "P", "F"),
        inferred=(),
        input_digest=hashlib.sha256(f"digest {name}".encode()).hexdigest(),
    )
