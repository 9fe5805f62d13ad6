"""A measurement that takes its process down on some files, as a codec that crashes does.

Here and not in a test module: worker processes are spawned and import it by name.
"""

from __future__ import annotations

import os
from pathlib import Path

from reread.connectors.mammograms import ReadLimits
from reread.connectors.onnx_models import OnnxModel
from reread.tasks.rereading import RereadImage, reread_file


def reread_or_die(path: Path, limits: ReadLimits, models: tuple[OnnxModel | None, ...]) -> tuple[RereadImage, ...]:
    """Measure; end the process at once on files named ``deadly…``."""
    if path.name.startswith("deadly"):
        os._exit(139)
    return reread_file(path, limits, models)


def own_model_dies(path: Path, limits: ReadLimits, models: tuple[OnnxModel | None, ...]) -> tuple[RereadImage, ...]:
    """Measure; an own model ends the process at once on files named ``deadly…`` and raises on ``cursed…``."""
    if path.name.startswith("deadly") and any(models):
        os._exit(139)
    if path.name.startswith("cursed") and any(models):
        raise ValueError("an error of its own")
    return reread_file(path, limits, models)
