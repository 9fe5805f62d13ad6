"""Moving smooth maps from coarse grids to pixels: separable cubic splines, exact at any position."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import BSpline, make_interp_spline
from scipy.sparse import csr_array

from reread.analytics.simulation_beam import Map

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Axis:
    """Positions along one axis of a grid; `cv2.remap` would round them to 1/32, which shows as a lattice."""

    from_nodes: Array
    """values at the nodes → coefficients of the spline through them"""
    basis: csr_array
    """coefficients → values at the positions"""

    @classmethod
    def at(cls, positions: NDArray[np.floating[Any]], count: int, derivative: int = 0) -> Axis:
        """Prepare positions.

        Parameters
        ----------
        positions
            In nodes 0 … count - 1; those outside are moved to the border.
        derivative
            0 for the value, 1 for the slope per node.
        """
        through = make_interp_spline(np.arange(count, dtype=np.float64), np.eye(count), k=3)
        inside = np.clip(positions, 0, count - 1)
        if derivative == 0:
            return cls(through.c, csr_array(BSpline.design_matrix(inside, through.t, 3)).astype(np.float32))
        slope = through.derivative()
        basis = csr_array(BSpline.design_matrix(inside, slope.t, slope.k)).astype(np.float32)
        return cls(slope.c[: len(slope.t) - slope.k - 1], basis)

    def scaled(self, factors: NDArray[np.floating[Any]]) -> Axis:
        """The same with the value at each position multiplied."""
        return Axis(self.from_nodes, csr_array(self.basis.multiply(factors[:, None].astype(np.float32))))


def sampled(grid: Map, rows: Axis, columns: Axis) -> Map:
    """A grid at the product of row and column positions."""
    nodes = (rows.from_nodes @ grid.astype(np.float64) @ columns.from_nodes.T).astype(np.float32)
    across = columns.basis @ np.ascontiguousarray(nodes.T)
    return np.asarray(rows.basis @ np.ascontiguousarray(across.T), dtype=np.float32)


def enlarge(coarse: Map, coarse_pitch_mm: float, pitch_mm: float, shape: tuple[int, int]) -> Map:
    """A coarse map at the centres of fine pixels; both grids start at the same corner."""
    scale = pitch_mm / coarse_pitch_mm
    rows, columns = ((np.arange(size) + 0.5) * scale - 0.5 for size in shape)
    return sampled(coarse, Axis.at(rows, coarse.shape[0]), Axis.at(columns, coarse.shape[1]))
