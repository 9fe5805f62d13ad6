"""Small ONNX models made on the spot, and the files that describe them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

ROWS, COLUMNS = 400, 320


def _save(path: Path, nodes, constants, output_shape, *, channels=1, inputs=1, kind=TensorProto.FLOAT) -> Path:
    given = [
        helper.make_tensor_value_info("image" if n == 0 else f"more{n}", kind, [1, channels, ROWS, COLUMNS])
        for n in range(inputs)
    ]
    wanted = [helper.make_tensor_value_info("out", TensorProto.FLOAT, output_shape)]
    initial = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "made", given, wanted, initial)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


def bright_spots(path: Path, *, above: float = 0.5, width: int = 9, stride: int = 1, **changes) -> Path:
    """A heat map: what lies above `above` after a box blur, per pixel or per cell of `stride` pixels."""
    if stride > 1:  # cells edge to edge
        width = stride
    pad = 0 if stride > 1 else width // 2
    kernel = np.full((1, 1, width, width), 1 / width**2, np.float32)
    nodes = [
        helper.make_node("Conv", ["image", "kernel"], ["smooth"], pads=[pad] * 4, strides=[stride] * 2),
        helper.make_node("Sub", ["smooth", "above"], ["over"]),
        helper.make_node("Clip", ["over", "zero", "one"], ["out"]),
    ]
    constants = {"kernel": kernel, "above": np.float32(above), "zero": np.float32(0), "one": np.float32(1)}
    shape = [1, 1, -(-ROWS // stride), -(-COLUMNS // stride)]
    return _save(path, nodes, constants, shape, **changes)


def constant(path: Path, value: float, **changes) -> Path:
    """One number whatever the image."""
    nodes = [
        helper.make_node("ReduceMean", ["image"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "value"], ["out"]),
    ]
    return _save(path, nodes, {"zero": np.float32(0), "value": np.float32(value)}, [], **changes)


def described(
    file: Path, *, name: str = "my-model", output: str = 'kind = "heat-map"', more: str = "", **given
) -> Path:
    """The description beside a model file; `given` are values of [input] as TOML."""
    values = {"rows": ROWS, "columns": COLUMNS, "spacing_mm": 0.5, **given}
    lines = [f'name = "{name}"', 'version = "1.0"', f'file = "{file.name}"', more, "[input]"]
    lines += [f"{key} = {value}" for key, value in values.items()]
    path = file.with_suffix(".toml")
    path.write_text("\n".join([*lines, "[output]", output]) + "\n")
    return path
