"""A site's own ONNX model: what it is, whether it can be used, and the analysis made of it.

onnxruntime is an optional extra and is imported only when a model is used. A model runs on the CPU with one thread,
from the bytes that were digested: the same weights on the same image give the same numbers.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reread.analytics.errors import MeasurementFailed, SettingsInvalid
from reread.analytics.measurement import Analysis, MammographyAnalysis
from reread.analytics.model_analysis import ModelAnalysis
from reread.analytics.model_input import InputPreparation, Tensor
from reread.analytics.model_output import OutputKind, OutputMapping, map_of, number_of

_FLOAT = "tensor(float)"


@dataclass(frozen=True, slots=True)
class OnnxModel:
    """A file of weights and how it is used."""

    name: str
    version: str
    file: Path
    sha256: str
    """of the file, lower-case hex; another file is refused"""
    input: InputPreparation
    output: OutputMapping
    input_name: str = ""
    """empty: the only one"""
    output_name: str = ""
    """empty: the only one"""


def analysis_of(model: OnnxModel | None) -> Analysis:
    """The analysis; None is the built-in one. The file is opened when the first image is measured."""
    if model is None:
        return MammographyAnalysis()
    return ModelAnalysis(model.name, model.version, model.sha256, model.input, model.output, partial(_run, model))


def sha256_of_weights(file: Path) -> str:
    """Digest of a file of weights (SettingsInvalid when it cannot be read)."""
    return hashlib.sha256(_weights(file)).hexdigest()


def check_model(model: OnnxModel) -> None:
    """Open a model and run it once on an empty image.

    Raises
    ------
    SettingsInvalid
        In one line: the extra is missing, the file is not there or another one, it is no model, or it has other inputs
        or outputs than stated.
    """
    output = _run(model, np.full(_shape(model), model.input.scaled_to[0], np.float32))
    try:
        if model.output.kind is OutputKind.HEAT_MAP:
            high, wide = map_of(output, model.output).shape
            if high > model.input.rows or wide > model.input.columns:
                raise MeasurementFailed(f"its map of {high} x {wide} is finer than its input")
        else:
            number_of(output, model.output)
    except MeasurementFailed as error:
        raise SettingsInvalid(f"model {model.name}: {error}") from error


def _run(model: OnnxModel, tensor: Tensor) -> NDArray[Any]:
    session, given, wanted = _session(model)
    try:
        (output,) = session.run([wanted], {given: tensor})
    except Exception as error:  # the runtime's own errors have no common root
        raise SettingsInvalid(f"model {model.name}: it does not run on {tensor.shape}: {_line(error)}") from error
    return np.asarray(output)


@lru_cache(maxsize=4)
def _session(model: OnnxModel) -> tuple[Any, str, str]:
    """The opened model, the names of its input and of its output; once for each process."""
    runtime = _runtime(model.name)
    weights = _weights(model.file)
    found = hashlib.sha256(weights).hexdigest()
    if found != model.sha256.lower():
        raise SettingsInvalid(f"model {model.name}: SHA-256 of {model.file} is {found}, not {model.sha256}")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.execution_mode = runtime.ExecutionMode.ORT_SEQUENTIAL
    options.use_deterministic_compute = True
    options.log_severity_level = 4  # its errors arrive as exceptions
    try:
        session = runtime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise SettingsInvalid(f"model {model.name}: {model.file} cannot be opened: {_line(error)}") from error
    given = _chosen(model.name, "input", model.input_name, session.get_inputs())
    wanted = _chosen(model.name, "output", model.output_name, session.get_outputs())
    if len(session.get_inputs()) != 1:
        raise SettingsInvalid(f"model {model.name}: it has {len(session.get_inputs())} inputs; Reread gives it one")
    shape = _shape(model)
    fits = len(given.shape) == len(shape) and all(
        there == size for there, size in zip(given.shape, shape, strict=True) if isinstance(there, int)
    )
    if not fits:
        raise SettingsInvalid(f"model {model.name}: its input {given.name} is {given.shape}, the settings say {shape}")
    return session, given.name, wanted.name


def _chosen(model: str, what: str, name: str, there: list[Any]) -> Any:
    found = [item for item in there if name in ("", item.name)]
    if len(found) != 1:
        names = ", ".join(item.name for item in there)
        raise SettingsInvalid(f"model {model}: {what} {name or '(unnamed)'} is not one of its {what}s: {names}")
    if found[0].type != _FLOAT:
        raise SettingsInvalid(f"model {model}: its {what} {found[0].name} is {found[0].type}, not {_FLOAT}")
    return found[0]


def _shape(model: OnnxModel) -> tuple[int, int, int, int]:
    return 1, model.input.channels, model.input.rows, model.input.columns


def _runtime(name: str) -> ModuleType:
    try:
        import onnxruntime
    except ImportError as error:
        raise SettingsInvalid(f"model {name}: onnxruntime is missing; pip install 'reread[onnx]'") from error
    runtime: ModuleType = onnxruntime
    return runtime


def _weights(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise SettingsInvalid(f"model file {file} cannot be read: {error.strerror}") from error


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
