"""Reading voxel phantoms: MetaImage headers (.mhd) with raw or gzipped voxels, as the VICTRE pipeline writes them."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import numpy as np

from reread.analytics.simulation_beam import SimulationInvalid
from reread.analytics.simulation_voxels import VoxelBreast

_LARGEST_VOXELS = 4_000_000_000


def read_phantom(path: Path) -> VoxelBreast:
    """Read a phantom of uint8 labels; the first axis of the file goes from the chest wall, the third up.

    Parameters
    ----------
    path
        The .mhd file; its voxels lie next to it, also as .raw.gz where the header says .raw.

    Raises
    ------
    SimulationInvalid
        Not such a file, cut off, or with labels that are not known.
    """
    fields: dict[str, str] = {}
    for line in path.read_text(encoding="ascii", errors="replace").splitlines():
        name, _, value = line.partition("=")
        fields[name.strip()] = value.strip()
    try:
        size = [int(word) for word in fields["DimSize"].split()]
        spacing = [float(word) for word in fields["ElementSpacing"].split()]
        data_name, kind = fields["ElementDataFile"], fields["ElementType"]
    except (KeyError, ValueError) as error:
        raise SimulationInvalid(f"{path.name} is no MetaImage header of a phantom") from error
    if len(size) != 3 or kind != "MET_UCHAR" or min(size) < 1 or np.prod(size, dtype=np.float64) > _LARGEST_VOXELS:
        raise SimulationInvalid(f"{path.name}: three dimensions of MET_UCHAR are wanted, it has {size} of {kind}")
    if len(set(spacing)) != 1 or spacing[0] <= 0:
        raise SimulationInvalid(f"{path.name}: cubic voxels are wanted, it has {spacing}")
    data = path.parent / Path(data_name).name
    if not data.exists():
        data = data.with_name(data.name + ".gz")
    if not data.exists():
        raise SimulationInvalid(f"{path.name}: its voxels {data_name} are not beside it")
    try:
        raw = gzip.decompress(data.read_bytes()) if data.suffix == ".gz" else data.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise SimulationInvalid(f"{data.name} cannot be decompressed: cut off or damaged") from error
    if len(raw) != int(np.prod(size)):
        raise SimulationInvalid(f"{data.name}: {len(raw)} voxels, the header says {int(np.prod(size))}")
    labels = np.frombuffer(raw, dtype=np.uint8).reshape(size[2], size[1], size[0])
    return VoxelBreast(path.stem, labels, spacing[0])
