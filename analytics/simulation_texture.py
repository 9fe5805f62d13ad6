"""Texture finer than the cells of the volume: the power law carried on to the pixels, and thin strands."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator

from reread.analytics.records import View
from reread.analytics.simulation_beam import Map
from reread.analytics.simulation_cells import CELL_MM
from reread.analytics.simulation_gland import random_field
from reread.analytics.simulation_grids import enlarge

_TILE = 1024
_TILE_PITCH_MM = 0.1
_TRUSTED_CELLS = 2.4
"""the cells are trusted down to this wavelength"""
_STRAND_LAYERS = 6
_STRAND_WAVELENGTH_MM = 11.0
_STRAND_WIDTH = 0.075
"""of a sheet seen edge-on, in standard deviations of the field whose zero it is"""
_RADIAL_STRETCH = 0.55
_RADIUS_MM = 48.0
"""strands run towards the nipple; at this distance they are as wide as in the tile"""
_FAT_STRANDS_MM = 0.16
"""standard deviation of what strands add in fat"""


@dataclass(frozen=True, slots=True, eq=False)
class FineTiles:
    """Periodic tiles of fine texture of one breast: the same in all its years."""

    cloud: Map
    strands: Map

    @classmethod
    def of(cls, rng: Generator) -> FineTiles:
        """Draw them."""
        return cls(_cloud_tile(rng, _TRUSTED_CELLS * CELL_MM), _strand_tile(rng))

    def for_view(self, view: View) -> FineTiles:
        """Another part of them in another view: what overlaps there is something else."""
        if view is View.CC:
            return self
        shift = (_TILE // 3, _TILE // 5)
        return FineTiles(np.roll(self.cloud, shift, (0, 1)), np.roll(self.strands, shift, (0, 1)))


def fine_texture(
    tiles: FineTiles,
    coarse: Map,
    room: Map,
    pitch_mm: float,
    nipple_px: tuple[float, float],
) -> Map:
    """What the coarse projection lacks, zero-mean, in mm of gland; shape as `room`.

    In a spectrum 1/f^3 the octave below a frequency holds as much variance as everything above it, so the local
    strength of the coarse projection's last octave is that of the finer texture. Half of it is cloud, half of it
    strands.

    Parameters
    ----------
    coarse
        Path length of gland in mm on the grid of the cells, which starts at the same corner as the pixels.
    room
        Path between the skins in front of the muscle, in mm, at the pixels.
    """
    sigma = _TRUSTED_CELLS / (2 * np.pi)
    smooth = cv2.GaussianBlur(coarse, (0, 0), sigma)
    octave = cv2.subtract(smooth, cv2.GaussianBlur(coarse, (0, 0), 2 * sigma))
    strength = np.sqrt(cv2.GaussianBlur(cv2.multiply(octave, octave), (0, 0), 4.0 / CELL_MM))
    local = enlarge(np.asarray(strength, dtype=np.float32), CELL_MM, pitch_mm, (room.shape[0], room.shape[1]))
    np.maximum(local, 0, out=local)
    # a tile is repeated: it is finer than any structure that could show it
    columns = (np.arange(room.shape[1], dtype=np.float32) + 0.5) * np.float32(pitch_mm)
    rows = (np.arange(room.shape[0], dtype=np.float32) + 0.5) * np.float32(pitch_mm)
    x, y = np.meshgrid(columns, rows)
    texture = _from_tile(tiles.cloud, x, y, pitch_mm) * (local * np.float32(0.7))
    x -= np.float32((nipple_px[0] + 0.5) * pitch_mm)
    y -= np.float32((nipple_px[1] + 0.5) * pitch_mm)
    radius, angle = cv2.cartToPolar(x, y)
    radius *= np.float32(_RADIAL_STRETCH)
    # the direction beyond the nipple is where the angle jumps: away from the breast
    angle *= np.float32(_RADIUS_MM)
    drawn = _from_tile(tiles.strands, np.asarray(radius), np.asarray(angle), pitch_mm)
    local += np.float32(_FAT_STRANDS_MM) * np.clip(room / np.float32(30), 0, 1)
    texture += drawn * local
    return texture


def _from_tile(tile: Map, x_mm: Map, y_mm: Map, pitch_mm: float) -> Map:
    if pitch_mm > _TILE_PITCH_MM:
        # what the pixels cannot show must not alias
        padded = np.pad(tile, 32, mode="wrap")
        blurred = cv2.GaussianBlur(padded, (0, 0), 0.4 * pitch_mm / _TILE_PITCH_MM)
        tile = np.asarray(blurred, dtype=np.float32)[32:-32, 32:-32]
    column = np.mod(x_mm / np.float32(_TILE_PITCH_MM), np.float32(_TILE))
    row = np.mod(y_mm / np.float32(_TILE_PITCH_MM), np.float32(_TILE))
    return np.asarray(cv2.remap(tile, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP), dtype=np.float32)


def _cloud_tile(rng: Generator, longest_mm: float) -> Map:
    noise = random_field(rng, (_TILE, _TILE), longest_mm / _TILE_PITCH_MM)
    return _high_pass(noise, longest_mm / (2 * np.pi) / _TILE_PITCH_MM)


def _strand_tile(rng: Generator) -> Map:
    lines = np.zeros((_TILE, _TILE), dtype=np.float32)
    for _ in range(_STRAND_LAYERS):
        sheet = random_field(rng, (_TILE, _TILE), _STRAND_WAVELENGTH_MM / _TILE_PITCH_MM, beta=4.5)
        patchy = random_field(rng, (_TILE, _TILE), _STRAND_WAVELENGTH_MM / _TILE_PITCH_MM, beta=5.0)
        lines += np.exp(-((sheet / np.float32(_STRAND_WIDTH)) ** 2)) * np.clip(patchy + 0.6, 0, 2)
    return _high_pass(lines, 1.3 / _TILE_PITCH_MM)


def _high_pass(tile: Map, sigma: float) -> Map:
    padded = np.pad(tile, 128, mode="wrap")
    rest = tile - np.asarray(cv2.GaussianBlur(padded, (0, 0), sigma))[128:-128, 128:-128]
    return np.asarray(rest / rest.std(), dtype=np.float32)
