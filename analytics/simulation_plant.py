"""Masses, strands and calcifications as path lengths, with the exact chords of their shapes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from reread.analytics.simulation_beam import Map
from reread.analytics.simulation_cells import lesion_place
from reread.analytics.simulation_lesions import BenignGrain, Grain, Lesion, LesionClass, LesionKind
from reread.analytics.simulation_shape import SOURCE_MM, Compression
from reread.analytics.simulation_strands import TubeCanvas, spicule_points, turned
from reread.analytics.simulation_truth import GrainTruth, LesionTruth

Array = NDArray[np.float64]
_OVERSAMPLING = 5
MINERALS = ("hydroxyapatite", "calcium_oxalate")
_MU_20_KEV_PER_MM = {"hydroxyapatite": 2.00, "calcium_oxalate": 0.85}
"""less 0.08 for the tissue in its place, this gives the contrast that the truth states"""
_MU_TISSUE_PER_MM = 0.065


@dataclass(frozen=True, slots=True, eq=False)
class Planted:
    """All lesions of one view."""

    lengths_mm: dict[str, Map]
    """`mass` and the minerals, where there are any"""
    truths: tuple[LesionTruth, ...]
    volume_mm3: float
    """of masses, their strands and minerals"""


def plant(
    compression: Compression,
    lesions: Sequence[tuple[Lesion, float]],
    shape: tuple[int, int],
    pitch_mm: float,
    visible_rows: int,
    room: Map,
) -> Planted:
    """Draw lesions.

    Parameters
    ----------
    lesions
        Each with its linear scale; those of scale 0 are not there yet.
    shape, pitch_mm
        Of the detector's pixels.
    room
        Path between the skins in front of the muscle, in mm; nothing is longer than that.
    """
    maps: dict[str, Map] = {}
    truths = []
    volume = 0.0
    for lesion, scale in lesions:
        if scale <= 0:
            continue
        centre = lesion_place(compression, lesion)
        grow = SOURCE_MM / (SOURCE_MM - centre[2])
        u, v = _pixel(compression, centre, pitch_mm)
        grains: tuple[GrainTruth, ...] = ()
        radius, peak, own = lesion.radius_mm * scale, 0.0, 0.0
        long_axis = 2 * radius
        if lesion.kind is LesionKind.CALCIFICATION:
            grains, own, peak = _draw_grains(maps, shape, pitch_mm, compression, lesion, scale, centre)
            places = np.array([[g.depth_mm, g.down_mm, g.height_mm] for g in grains])
            spread = np.linalg.norm(places[:, None] - places[None], axis=-1)
            long_axis = float(spread.max()) + max(g.length_mm for g in grains)
            middle = np.array([[g.x_px, g.y_px] for g in grains])
            u, v = map(float, (middle.max(axis=0) + middle.min(axis=0)) / 2)
            radius = (float(np.hypot(*(middle - (u, v)).T).max()) * pitch_mm / grow) + 0.2
        elif lesion.kind is LesionKind.MASS:
            canvas = maps.setdefault("mass", np.zeros(shape, dtype=np.float32))
            own, peak = _draw_mass(canvas, pitch_mm, lesion, scale, centre, (u, v), compression.angle_deg)
        if lesion.spicules:
            tubes = TubeCanvas(compression, shape, pitch_mm)
            for spicule in lesion.spicules:
                points, thick = spicule_points(spicule, centre, compression.angle_deg, scale)
                # a strand that runs along the rays would show as a bright dot, which real ones do not
                flat = float(np.hypot(*(points[1] - points[0])[:2]) / np.linalg.norm(points[1] - points[0]))
                tubes.add(points, thick, flat**2)
            canvas = maps.setdefault("mass", np.zeros(shape, dtype=np.float32))
            canvas += tubes.drawn()
            own += tubes.volume_mm3
        truths.append(
            LesionTruth(
                lesion=lesion,
                x_px=u,
                y_px=v,
                depth_mm=float(centre[0]),
                down_mm=float(centre[1]),
                height_mm=float(centre[2] - compression.bottom_mm),
                radius_px=radius * grow / pitch_mm,
                long_axis_mm=long_axis,
                volume_mm3=own,
                peak_mm=peak,
                visible=0 <= u < shape[1] and 0 <= v < visible_rows,
                grains=grains,
            )
        )
        volume += own
    for canvas in maps.values():
        np.minimum(canvas, room, out=canvas)
    return Planted(maps, tuple(truths), volume)


def _pixel(compression: Compression, place: Array, pitch_mm: float) -> tuple[float, float]:
    u, v = compression.on_detector(place[0], place[1], place[2])
    return float(u) / pitch_mm - 0.5, float(v) / pitch_mm - 0.5


def _window(shape: tuple[int, int], u: float, v: float, reach: float) -> tuple[slice, slice] | None:
    """Rows and columns within `reach` pixels of a point that lie on the image."""
    top, bottom = max(int(v - reach), 0), min(int(v + reach) + 2, shape[0])
    left, right = max(int(u - reach), 0), min(int(u + reach) + 2, shape[1])
    return (slice(top, bottom), slice(left, right)) if top < bottom and left < right else None


def _draw_mass(
    canvas: Map, pitch_mm: float, lesion: Lesion, scale: float, centre: Array, at: tuple[float, float], angle_deg: float
) -> tuple[float, float]:
    """A lump whose border departs from a sphere by smooth waves; returns volume (mm³) and longest path (mm)."""
    grow = SOURCE_MM / (SOURCE_MM - centre[2])
    radius = lesion.radius_mm * scale
    pixel_mm = pitch_mm / grow  # in the plane of the lesion
    window = _window(canvas.shape[:2], *at, 1.6 * radius / pixel_mm + 8)
    if window is None:
        return 0.0, 0.0
    rows, columns = np.mgrid[window[0], window[1]].astype(np.float64)
    x, y = (columns - at[0]) * pixel_mm, (rows - at[1]) * pixel_mm
    distance = np.hypot(x, y)
    unit = np.stack([x, y, np.zeros_like(x)], axis=-1) / np.maximum(distance, 1e-6)[..., None]
    border = np.ones_like(x)
    for *vector, phase, amplitude in lesion.waves:
        border += amplitude * (np.cos(unit @ turned(np.array(vector), angle_deg) + phase))
        # a finer wave makes lobes
        border += 0.4 * amplitude * np.cos(2.6 * (unit @ turned(np.array(vector), angle_deg)) + 2 * phase)
    # the border departs from a sphere, the middle is one body: no seams where directions meet
    edge = radius * (1 + (np.clip(border, 0.4, 1.6) - 1) * np.clip(distance / radius, 0, 1) ** 2)
    chord = 1.8 * np.sqrt(np.maximum(edge**2 - distance**2, 0))  # compression flattens it a little
    soft = {LesionClass.CIRCUMSCRIBED: 0.12, LesionClass.SPICULATED: 0.4}.get(lesion.lesion_class, 0.12 * radius)
    chord = cv2.GaussianBlur((chord * lesion.density).astype(np.float32), (0, 0), max(soft / pixel_mm, 0.3))
    canvas[window] += chord
    return float(chord.sum(dtype=np.float64)) * pixel_mm**2, float(chord.max())


def _draw_grains(
    maps: dict[str, Map],
    shape: tuple[int, int],
    pitch_mm: float,
    compression: Compression,
    lesion: Lesion,
    scale: float,
    centre: Array,
) -> tuple[tuple[GrainTruth, ...], float, float]:
    truths, volume, peak = [], 0.0, 0.0
    # growth makes more room rather than larger grains
    grain_scale = float(np.sqrt(scale))
    for grain in lesion.grains:
        place = centre + turned(np.array(grain.offset_mm), compression.angle_deg) * scale
        truth, chord = _draw_grain(maps, shape, pitch_mm, compression, grain, grain_scale, place)
        volume += np.pi / 6 * truth.width_mm**2 * truth.length_mm * grain.packing
        peak = max(peak, chord)
        truths.append(truth)
    return tuple(truths), volume, peak


def plant_benign(
    maps: dict[str, Map],
    compression: Compression,
    benign: Sequence[BenignGrain],
    shape: tuple[int, int],
    pitch_mm: float,
) -> tuple[GrainTruth, ...]:
    """Draw benign calcifications into the maps of their minerals, which are added where missing."""
    truths = []
    for one in benign:
        ball = (np.array([value]) for value in one.ball)
        place = np.array([float(value[0]) for value in compression.from_ball(*ball)])
        truths.append(_draw_grain(maps, shape, pitch_mm, compression, one.grain, 1.0, place)[0])
    return tuple(truths)


def _draw_grain(
    maps: dict[str, Map],
    shape: tuple[int, int],
    pitch_mm: float,
    compression: Compression,
    grain: Grain,
    scale: float,
    place: Array,
) -> tuple[GrainTruth, float]:
    """Draw one calcification; its truth, and the chord through its centre in mm of mineral."""
    canvas = maps.setdefault(grain.material, np.zeros(shape, dtype=np.float32))
    length, width = grain.half_length_mm * scale, grain.half_width_mm * scale
    u, v = _pixel(compression, place, pitch_mm)
    axis = turned(np.array(grain.axis), compression.angle_deg)
    chord = _draw_spheroid(canvas, pitch_mm, place[2], (u, v), axis, length, width, grain.packing)
    extra = _MU_20_KEV_PER_MM[grain.material] * grain.packing - _MU_TISSUE_PER_MM
    truth = GrainTruth(
        x_px=u,
        y_px=v,
        depth_mm=float(place[0]),
        down_mm=float(place[1]),
        height_mm=float(place[2] - compression.bottom_mm),
        length_mm=2 * length,
        width_mm=2 * width,
        material=grain.material,
        contrast=float(1 - np.exp(-extra * chord / grain.packing)),
        visible=0 <= u < shape[1] and 0 <= v < shape[0],
    )
    return truth, chord


def _draw_spheroid(
    canvas: Map,
    pitch_mm: float,
    height_mm: float,
    at: tuple[float, float],
    axis: Array,
    half_length_mm: float,
    half_width_mm: float,
    packing: float,
) -> float:
    """Mean chord over each pixel of a spheroid; returns the chord through its centre in mm of mineral."""
    pixel_mm = pitch_mm * (SOURCE_MM - height_mm) / SOURCE_MM
    flat = float(np.hypot(axis[0], axis[1]))
    # the shadow of a spheroid: an ellipse; the chord through the centre follows from the volume
    long = float(np.sqrt(half_width_mm**2 + (half_length_mm**2 - half_width_mm**2) * flat**2))
    chord = 2 * half_width_mm * half_length_mm / long * packing
    window = _window(canvas.shape[:2], *at, long / pixel_mm + 2)
    if window is None:
        return chord
    step = 1 / _OVERSAMPLING
    fine = [
        np.arange(part.start - 0.5 + step / 2, part.stop - 0.5, step) - middle
        for part, middle in zip(window, reversed(at), strict=True)
    ]
    y, x = (part * pixel_mm for part in np.meshgrid(*fine, indexing="ij"))
    cosine, sine = (axis[0] / flat, axis[1] / flat) if flat > 1e-9 else (1.0, 0.0)
    square = ((x * cosine + y * sine) / long) ** 2 + ((y * cosine - x * sine) / half_width_mm) ** 2
    path = chord * np.sqrt(np.maximum(1 - square, 0))
    rows, columns = window[0].stop - window[0].start, window[1].stop - window[1].start
    canvas[window] += path.reshape(rows, _OVERSAMPLING, columns, _OVERSAMPLING).mean(axis=(1, 3)).astype(np.float32)
    return chord
