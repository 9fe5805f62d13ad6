"""Thin structures, drawn as tubes: ligaments, ducts, vessels, the strands of lesions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from reread.analytics.simulation_beam import Map
from reread.analytics.simulation_lesions import BenignGrain, Grain, Spicule
from reread.analytics.simulation_shape import Compression

Array = NDArray[np.float64]
_STEP_MM = 0.12
_BALL_MM = 75.0
"""length of a unit of the half ball in a breast of medium size"""


@dataclass(frozen=True, slots=True, eq=False)
class Strand:
    """A curved tube in the half ball; points of shape (n, 3): depth, lateral, superior."""

    points: Array
    radius_mm: float
    is_vessel: bool = False


def draw_strands(rng: Generator) -> tuple[Strand, ...]:
    """Ligaments towards the skin, ducts towards the nipple, and a few vessels of one breast."""
    strands = [_ligament(rng) for _ in range(int(rng.integers(160, 300)))]
    strands += [branch for _ in range(int(rng.integers(10, 18))) for branch in _duct(rng)]
    strands += [_vessel(rng) for _ in range(int(rng.integers(3, 8)))]
    return tuple(strands)


def _curve(start: Array, direction: Array, length: float, bend: Array) -> Array:
    """A parabola of a length, shape (points, 3)."""
    along = np.linspace(0, length, max(int(length * _BALL_MM / 2), 8))[:, None]
    return np.asarray(start + along * direction + along**2 * bend, dtype=np.float64)


def _ligament(rng: Generator) -> Strand:
    outward = np.array([rng.uniform(0.05, 1), *rng.normal(0, 0.7, 2)])
    outward /= np.linalg.norm(outward)
    # between gland and skin, more along the surface than straight out
    direction = outward * rng.uniform(0.2, 1) + rng.normal(0, 0.55, 3)
    direction /= np.linalg.norm(direction)
    start = outward * rng.uniform(0.35, 0.8)
    return Strand(
        _curve(start, direction, rng.uniform(0.12, 0.42), rng.normal(0, 0.6, 3)), float(rng.uniform(0.15, 0.45))
    )


def _duct(rng: Generator) -> list[Strand]:
    nipple = np.array([0.97, *rng.normal(0, 0.02, 2)])
    direction = np.array([-1.0, *rng.normal(0, 0.45, 2)])
    direction /= np.linalg.norm(direction)
    trunk = _curve(nipple, direction, rng.uniform(0.25, 0.5), rng.normal(0, 0.35, 3))
    strands = [Strand(trunk, float(rng.uniform(0.35, 0.8)))]
    for _ in range(int(rng.integers(2, 6))):
        root = trunk[int(rng.integers(len(trunk) // 3, len(trunk)))]
        aside = direction + rng.normal(0, 0.5, 3)
        aside /= np.linalg.norm(aside)
        strands.append(
            Strand(_curve(root, aside, rng.uniform(0.15, 0.4), rng.normal(0, 0.5, 3)), float(rng.uniform(0.2, 0.45)))
        )
    return strands


def _vessel(rng: Generator) -> Strand:
    # under the skin, from the chest wall forwards
    angle, reach = rng.uniform(0, 2 * np.pi), rng.uniform(0.55, 0.85)
    along = np.linspace(0.05, rng.uniform(0.5, 0.8), 60)
    turn = angle + rng.normal(0, 0.6) * along + 0.08 * np.sin(along * rng.uniform(10, 25) + rng.uniform(0, 6))
    wide = reach * np.sqrt(np.clip(1 - along**2, 0.02, 1))
    points = np.stack([along, wide * np.cos(turn), wide * np.sin(turn)], axis=1)
    return Strand(points, float(rng.uniform(0.45, 1.1)), is_vessel=True)


def draw_benign(rng: Generator, strands: Sequence[Strand], age_years: int) -> tuple[BenignGrain, ...]:
    """Single benign calcifications, and those of arteries: more with age.

    Arteries: one woman in eight of a screening programme, 12.7 % (Hendriks et al. 2015, Atherosclerosis 239:11-20),
    counted over both breasts and over the ages that are drawn here.
    """
    grains = []
    for _ in range(int(rng.poisson(1.2 + 0.06 * max(age_years - 45, 0)))):
        size = float(np.clip(rng.lognormal(np.log(0.45), 0.4), 0.2, 1.4))
        depth, lateral, superior = rng.uniform(0.15, 0.9), *rng.uniform(-0.65, 0.65, 2)
        if depth**2 + lateral**2 + superior**2 < 0.85**2:
            grain = Grain((0.0, 0.0, 0.0), (1.0, 0.0, 0.0), size / 2, size / 2, "hydroxyapatite", 0.6)
            grains.append(BenignGrain((float(depth), float(lateral), float(superior)), grain, in_vessel=False))
    vessels = [strand for strand in strands if strand.is_vessel]
    if vessels and rng.random() < 0.015 + 0.0035 * max(age_years - 45, 0):
        grains += _in_artery(rng, vessels[int(rng.integers(len(vessels)))])
    return tuple(grains)


def _in_artery(rng: Generator, vessel: Strand) -> list[BenignGrain]:
    """Two broken lines along the walls of a part of a vessel."""
    found = []
    first = int(rng.integers(0, len(vessel.points) // 2))
    last = min(first + int(rng.integers(12, 30)), len(vessel.points) - 1)
    for number in range(first, last):
        start, step = vessel.points[number], vessel.points[number + 1] - vessel.points[number]
        along = step / np.linalg.norm(step)
        aside = np.cross(along, np.array([0.0, 0.6, 0.8]))
        aside *= vessel.radius_mm / _BALL_MM / max(float(np.linalg.norm(aside)), 1e-6)
        for share in np.arange(0, 1, 0.25):
            for wall in (-1, 1):
                if rng.random() < 0.55:
                    place = start + share * step + wall * aside
                    length = float(rng.uniform(0.15, 0.4))
                    axis = (float(along[0]), float(along[1]), float(along[2]))
                    grain = Grain((0.0, 0.0, 0.0), axis, length, length * 0.4, "hydroxyapatite", 0.45)
                    found.append(
                        BenignGrain((float(place[0]), float(place[1]), float(place[2])), grain, in_vessel=True)
                    )
    return found


def in_view(strands: Sequence[Strand], compression: Compression) -> list[tuple[Array, Array]]:
    """Where strands lie in the compressed breast.

    Returns
    -------
    list
        For each strand its points (n, 3) as x, y, z in mm, and the radius at each in mm.
    """
    found = []
    for strand in strands:
        inside = (np.linalg.norm(strand.points, axis=1) < 0.97) & (strand.points[:, 0] > 0)
        points = strand.points[inside]
        if len(points) < 2:
            continue
        place = np.stack(compression.from_ball(points[:, 0], points[:, 1], points[:, 2]), axis=1)
        found.append((place, np.full(len(place), strand.radius_mm)))
    return found


def spicule_points(spicule: Spicule, centre: Array, angle_deg: float, scale: float) -> tuple[Array, Array]:
    """A strand of a lesion in the compressed breast: points x, y, z in mm, and the radius at each."""
    direction = turned(np.array(spicule.direction), angle_deg)
    aside = np.cross(direction, np.array([0.0, 0.0, 1.0]))
    length = spicule.length_mm * scale
    along = np.linspace(0, 1, max(int(length / 0.8), 5))
    reach = spicule.start_mm * scale + along * length
    points = centre + reach[:, None] * direction + (spicule.curl * length * along**2)[:, None] * aside
    return points, spicule.radius_mm * (1 - 0.85 * along)


def turned(vector: Array, angle_deg: float) -> Array:
    """A vector (depth, lateral, superior) as (x, y, z) of a view."""
    turn = np.radians(angle_deg)
    across = vector[..., 1] * np.cos(turn) + vector[..., 2] * np.sin(turn)
    upward = vector[..., 2] * np.cos(turn) - vector[..., 1] * np.sin(turn)
    return np.stack([vector[..., 0], -across, upward], axis=-1)


class TubeCanvas:
    """Collects tubes and draws them as path length of their tissue; conserves their volume.

    Parameters
    ----------
    shape, pitch_mm
        Of the detector's pixels.
    """

    _CLASSES_MM = (0.12, 0.24, 0.42, 0.75, 1.2)

    def __init__(self, compression: Compression, shape: tuple[int, int], pitch_mm: float) -> None:
        self.compression, self.shape, self.pitch_mm = compression, shape, pitch_mm
        self._where: list[list[tuple[Array, Array, Array]]] = [[] for _ in self._CLASSES_MM]
        self.volume_mm3 = 0.0

    def add(self, points: Array, radius_mm: Array, fill: float | Array = 1.0) -> None:
        """One tube.

        Parameters
        ----------
        points
            Shape (n, 3): x, y, z in mm.
        radius_mm
            At each point.
        fill
            Share of its volume that is new: less where it runs through gland.
        """
        step = np.linalg.norm(np.diff(points, axis=0), axis=1)
        total = float(step.sum())
        if total <= 0:
            return
        at = np.concatenate([[0.0], np.cumsum(step)])
        count = max(int(total / _STEP_MM), 2)
        dense = (np.arange(count) + 0.5) * (total / count)
        place = np.stack([np.interp(dense, at, points[:, axis]) for axis in range(3)], axis=1)
        radius = np.interp(dense, at, radius_mm)
        new = np.interp(dense, at, np.broadcast_to(np.asarray(fill, dtype=np.float64), at.shape))
        volume = np.pi * radius**2 * (total / count) * new
        u, v = self.compression.on_detector(place[:, 0], place[:, 1], place[:, 2])
        grow = 650.0 / (650.0 - place[:, 2])
        # the path length that, over the pixels of the detector plane, holds the volume
        amount = volume * grow**2 / self.pitch_mm**2
        self.volume_mm3 += float(volume.sum())
        kind = np.searchsorted(np.sqrt(np.array(self._CLASSES_MM[:-1]) * np.array(self._CLASSES_MM[1:])), radius)
        for number in np.unique(kind):
            mine = kind == number
            self._where[int(number)].append((u[mine], v[mine], amount[mine]))

    def drawn(self) -> Map:
        """Path length in mm, shape as the detector's."""
        rows, columns = self.shape
        total = np.zeros(self.shape, dtype=np.float32)
        for radius, parts in zip(self._CLASSES_MM, self._where, strict=True):
            if not parts:
                continue
            u = np.concatenate([part[0] for part in parts]) / self.pitch_mm - 0.5
            v = np.concatenate([part[1] for part in parts]) / self.pitch_mm - 0.5
            amount = np.concatenate([part[2] for part in parts])
            column, row = np.floor(u).astype(np.int64), np.floor(v).astype(np.int64)
            across, down = u - column, v - row
            layer = np.zeros(rows * columns)
            for right, below in ((0, 0), (1, 0), (0, 1), (1, 1)):
                c, r = column + right, row + below
                share = (across if right else 1 - across) * (down if below else 1 - down)
                ok = (c >= 0) & (c < columns) & (r >= 0) & (r < rows)
                layer += np.bincount(r[ok] * columns + c[ok], (amount * share)[ok], minlength=rows * columns)
            # a disc of the tube's radius seen from the side has a standard deviation of half the radius
            drawn = layer.reshape(self.shape).astype(np.float32)
            sigma = max(radius / 2 / self.pitch_mm, 0.3)
            total += cv2.GaussianBlur(drawn, (0, 0), sigma, borderType=cv2.BORDER_CONSTANT)
        return total
