"""The compressed breast between paddle and support: outline, rounded edges, skin, and where rays pass it.

Coordinates in millimetres: `x` from the chest wall edge of the detector towards the nipple, `y` down the image
(lateral to medial on CC, superior to inferior on MLO, for either breast), `z` from the detector towards the tube.
The source stands above the chest wall edge, half way down the image. A right breast is made in the same frame and
mirrored at the very end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from reread.analytics.records import View
from reread.analytics.simulation_beam import Map
from reread.analytics.simulation_grids import Axis, sampled

SOURCE_MM = 650.0
"""height of the source above the detector"""
_PITCH_MM = 1.0
"""grid of the distance to the skin; the distance is smooth, so cubic interpolation is exact to a few micrometres"""
_MARGIN_MM = 12.0

Array = NDArray[np.float64]
Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class Muscle:
    """The pectoral muscle on an oblique view: behind the line from (`top_mm`, 0) to (0, `foot_mm`)."""

    top_mm: float
    foot_mm: float
    bulge_mm: float
    """how far the edge bows out of the straight line in its middle; negative: inwards"""
    share: float
    """part of the thickness that it fills well behind its edge"""


@dataclass(frozen=True, slots=True)
class Compression:
    """One positioned and compressed breast."""

    view: View
    angle_deg: float
    """angle of the compression axis: 0 on CC, about 45 on MLO"""
    depth_mm: float
    up_mm: float
    """half width of the breast at the chest wall, towards the top of the image"""
    down_mm: float
    exponent: float
    """2: half ellipse; more: squarer"""
    upper_exponent: float
    """the same above the nipple: below 2 towards the axilla, where the outline is straight or hollow"""
    ripple: tuple[float, ...]
    """cosine and sine amplitudes by which the radius of the outline departs from the half ellipse"""
    centre_mm: float
    """height of the nipple in the image"""
    height_mm: float
    """visible height of the detector"""
    width_mm: float
    thickness_mm: float
    """between the plates, at the chest wall"""
    tilt: float
    """loss of thickness per mm towards the nipple"""
    bottom_mm: float
    """height of the support plate above the detector"""
    skin_mm: float
    muscle: Muscle | None

    @property
    def middle_mm(self) -> float:
        """Height of the middle of the breast above the detector."""
        return self.bottom_mm + self.thickness_mm / 2

    @property
    def shrink(self) -> float:
        """Factor from the detector plane to the middle of the breast, seen from the source."""
        return 1 - self.middle_mm / SOURCE_MM

    def radius(self, angle: Array) -> Array:
        """Distance of the outline from the nipple-level point of the chest wall; angle from the x axis, upwards."""
        half = np.where(angle >= 0, self.up_mm, self.down_mm)
        cosine, sine = np.abs(np.cos(angle)), np.abs(np.sin(angle))
        power = np.where(angle >= 0, self.upper_exponent, self.exponent)
        radius = ((cosine / self.depth_mm) ** power + (sine / half) ** power) ** (-1 / power)
        wave = np.zeros_like(angle)
        for order, amplitude in enumerate(self.ripple, 2):
            # none at the nipple and at the chest wall, where the outline has to stay where it is
            wave = wave + amplitude * np.sin(order * angle) * cosine**0.5
        return np.asarray(radius * (1 + wave), dtype=np.float64)

    def half_thickness(self, x_mm: Floats) -> Array:
        """Half the distance between the plates at a depth."""
        return np.asarray(self.thickness_mm / 2 - self.tilt / 2 * np.clip(x_mm, 0, None), dtype=np.float64)

    def to_ball(self, x_mm: Array, y_mm: Array, z_mm: Array) -> tuple[Array, Array, Array]:
        """Where a point of the compressed breast lies in the uncompressed half ball.

        Returns
        -------
        depth, lateral, superior
            Depth 0 (chest wall) to 1 (nipple), and the transverse coordinates; inside when the norm is below 1.
        """
        up = self.centre_mm - y_mm
        angle = np.arctan2(up, np.maximum(x_mm, 1e-6))
        flat = np.hypot(np.maximum(x_mm, 0), up) / self.radius(angle)
        height = np.clip((z_mm - self.middle_mm) / self.half_thickness(x_mm), -1, 1)
        # a square of (flat, height) onto a disc: the elliptical grid mapping
        outward, upward = flat * np.sqrt(1 - height**2 / 2), height * np.sqrt(np.maximum(1 - flat**2 / 2, 0))
        across = outward * np.sin(angle)
        turn = np.radians(self.angle_deg)
        return (
            outward * np.cos(angle),
            across * np.cos(turn) - upward * np.sin(turn),
            across * np.sin(turn) + upward * np.cos(turn),
        )

    def from_ball(self, depth: Array, lateral: Array, superior: Array) -> tuple[Array, Array, Array]:
        """The inverse of `to_ball`, for points inside."""
        turn = np.radians(self.angle_deg)
        across = lateral * np.cos(turn) + superior * np.sin(turn)
        upward = superior * np.cos(turn) - lateral * np.sin(turn)
        angle = np.arctan2(across, depth)
        outward = np.hypot(across, depth)
        root = 2 * np.sqrt(2)
        base = 2 + outward**2 - upward**2
        flat = (np.sqrt(np.maximum(base + root * outward, 0)) - np.sqrt(np.maximum(base - root * outward, 0))) / 2
        base = 2 - outward**2 + upward**2
        height = (np.sqrt(np.maximum(base + root * upward, 0)) - np.sqrt(np.maximum(base - root * upward, 0))) / 2
        reach = flat * self.radius(angle)
        x = reach * np.cos(angle)
        z = self.middle_mm + np.clip(height, -1, 1) * self.half_thickness(x)
        return x, self.centre_mm - reach * np.sin(angle), z

    def on_detector(self, x_mm: Array, y_mm: Array, z_mm: Array) -> tuple[Array, Array]:
        """Where the ray through a point meets the detector."""
        grow = SOURCE_MM / (SOURCE_MM - z_mm)
        middle = self.height_mm / 2
        return x_mm * grow, middle + (y_mm - middle) * grow

    def outline(self, points: int = 1500) -> Array:
        """The skin line in the middle plane from top to bottom, shape (points, 2): x, y; also outside the image."""
        angle = np.linspace(np.pi / 2, -np.pi / 2, points)
        radius = self.radius(angle)
        return np.stack([radius * np.cos(angle), self.centre_mm - radius * np.sin(angle)], axis=1)

    def muscle_depth(self, x_mm: Floats, y_mm: Floats) -> Array:
        """Distance behind the edge of the pectoral muscle; negative in front of it."""
        muscle = self.muscle
        if muscle is None:
            return np.full(np.broadcast(x_mm, y_mm).shape, -1e3)
        length = float(np.hypot(muscle.top_mm, muscle.foot_mm))
        along = (muscle.top_mm * (muscle.top_mm - x_mm) + muscle.foot_mm * y_mm) / length**2
        bow = muscle.bulge_mm * 4 * along * (1 - along)
        behind = muscle.foot_mm * (muscle.top_mm - x_mm) - muscle.top_mm * y_mm
        return np.asarray(behind / length + np.where((along > 0) & (along < 1), bow, 0), dtype=np.float64)

    def muscle_share(self, x_mm: Floats, y_mm: Floats) -> Array:
        """Part of the thickness, from the support plate upwards, that is muscle."""
        if self.muscle is None:
            return np.zeros(np.broadcast(x_mm, y_mm).shape)
        behind = self.muscle_depth(x_mm, y_mm)
        # a blunt edge, then thickening towards the chest wall
        edge = np.clip(behind / 2.5, 0, 1)
        return np.asarray(self.muscle.share * edge * (0.62 + 0.38 * np.clip(behind / 30, 0, 1)), dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Rays:
    """A grid of rays to the detector, and the distance to the skin where they cross the middle plane."""

    distance: Map
    """positive inside"""
    lean: Map
    """change of that distance per mm of height along the ray"""
    half: Map
    """half the distance between the plates"""
    oblique: Map
    """how much longer the ray is than a vertical one"""

    def span(self, inset_mm: float = 0.0) -> tuple[Map, Map]:
        """Where rays enter and leave the breast, or the part of it that lies deeper than `inset_mm` under the skin.

        The edge of the breast is a half circle across its thickness; a ray that leans meets it in the roots of a
        quadratic, solved exactly with the distance to the skin taken as linear along the ray.

        Returns
        -------
        low, high
            Heights in mm above the middle plane; equal where the ray misses.
        """
        inset = np.float32(inset_mm)
        half = np.ascontiguousarray(self.half - inset)
        short = half - (self.distance - inset)  # how far the middle point is outwards of the edge circle's centre
        high, low = half.copy(), -half
        # only near the edge is there anything to solve
        edge = np.flatnonzero(short > -np.abs(self.lean) * half)
        lean, short, half = self.lean.ravel()[edge], short.ravel()[edge], half.ravel()[edge]
        square = 1 + lean * lean
        root = lean * lean * short * short - square * (short * short - half * half)
        reach, middle = np.sqrt(np.maximum(root, 0)), lean * short
        # where the ray's end lies over the flat part it ends at the plate
        upper = np.where(lean * half >= short, half, np.clip((middle + reach) / square, -half, half))
        lower = np.where(-lean * half >= short, -half, np.clip((middle - reach) / square, -half, half))
        hits = ((root > 0) | (short <= 0)) & (upper > lower)
        high.ravel()[edge] = np.where(hits, upper, 0)
        low.ravel()[edge] = np.where(hits, lower, 0)
        return low, high


@dataclass(frozen=True, slots=True, eq=False)
class SkinDistance:
    """Distance to the skin line in the middle plane, positive inside, on a grid that can be sampled anywhere."""

    compression: Compression
    grid: Map

    @classmethod
    def of(cls, compression: Compression) -> SkinDistance:
        """Measure the distance on the grid of one compressed breast."""
        line = compression.outline()
        columns = int((compression.width_mm + 2 * _MARGIN_MM) / _PITCH_MM) + 1
        rows = int((compression.height_mm + 2 * _MARGIN_MM) / _PITCH_MM) + 1
        x, y = np.meshgrid(np.arange(columns) * _PITCH_MM - _MARGIN_MM, np.arange(rows) * _PITCH_MM - _MARGIN_MM)
        # the breast goes on behind the edge of the detector: no skin there
        behind = line * np.array([-1.0, 1.0])
        distance, _ = cKDTree(np.concatenate([line, behind])).query(np.stack([x.ravel(), y.ravel()], axis=1))
        up = compression.centre_mm - y
        depth = np.abs(x)
        inside = np.hypot(depth, up) <= compression.radius(np.arctan2(up, np.maximum(depth, 1e-9)))
        signed = np.where(inside, distance.reshape(x.shape), -distance.reshape(x.shape))
        return cls(compression, signed.astype(np.float32))

    def rays(self, shape: tuple[int, int], pitch_mm: float) -> Rays:
        """The rays to the centres of pixels, the first at half a pixel from the upper left corner of the detector."""
        breast = self.compression
        middle = breast.height_mm / 2
        u = (np.arange(shape[1]) + 0.5) * pitch_mm
        v = (np.arange(shape[0]) + 0.5) * pitch_mm - middle
        x, y = u * breast.shrink, v * breast.shrink + middle
        column, row = (x + _MARGIN_MM) / _PITCH_MM, (y + _MARGIN_MM) / _PITCH_MM
        across, down = Axis.at(column, self.grid.shape[1]), Axis.at(row, self.grid.shape[0])
        slope_x = Axis.at(column, self.grid.shape[1], 1).scaled(-u / (SOURCE_MM * _PITCH_MM))
        slope_y = Axis.at(row, self.grid.shape[0], 1).scaled(-v / (SOURCE_MM * _PITCH_MM))
        lean = sampled(self.grid, down, slope_x)
        lean += sampled(self.grid, slope_y, across)
        half = np.broadcast_to(breast.half_thickness(x).astype(np.float32), shape)
        oblique = np.sqrt(1 + (u[None, :] ** 2 + v[:, None] ** 2) / SOURCE_MM**2)
        return Rays(sampled(self.grid, down, across), lean, half, oblique.astype(np.float32))

    def volume_mm3(self, inset_mm: float = 0.0, pitch_mm: float = 0.25) -> float:
        """Volume of the part that the image shows, by integration of the thickness over the middle plane.

        The thickness is that between the surfaces along the vertical: no ray is involved.
        """
        breast = self.compression
        middle = breast.height_mm / 2
        width, height = breast.width_mm * breast.shrink, breast.height_mm * breast.shrink
        columns, rows = round(width / pitch_mm), round(height / pitch_mm)
        x = (np.arange(columns) + 0.5) * (width / columns)
        y = (np.arange(rows) + 0.5) * (height / rows) + middle - height / 2
        across = Axis.at((x + _MARGIN_MM) / _PITCH_MM, self.grid.shape[1])
        down = Axis.at((y + _MARGIN_MM) / _PITCH_MM, self.grid.shape[0])
        distance = sampled(self.grid, down, across).astype(np.float64) - inset_mm
        half = breast.half_thickness(x)[None, :] - inset_mm
        short = np.clip(half - distance, 0, None)
        chord = 2 * np.sqrt(np.maximum(half**2 - short**2, 0)) * (distance > 0)
        return float(chord.sum()) * (width / columns) * (height / rows)
