"""A site's own ONNX model: opened, checked, the same numbers each time."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest
from phantoms import phantom

pytest.importorskip("onnx", reason="the test makes its models with onnx")
pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
from made_models import COLUMNS, ROWS, bright_spots, constant

from reread.analytics.errors import SettingsInvalid
from reread.analytics.measurement import Analysis, MammographyAnalysis
from reread.analytics.model_input import InputPreparation
from reread.analytics.model_output import OutputKind, OutputMapping
from reread.analytics.records import Laterality, View
from reread.connectors.onnx_models import (
    OnnxModel,
    _session,
    analysis_of,
    check_model,
    sha256_of_weights,
)


def model_of(file, kind=OutputKind.HEAT_MAP, **changes) -> OnnxModel:
    model = OnnxModel(
        "my-model",
        "1.0",
        file,
        sha256_of_weights(file),
        InputPreparation(ROWS, COLUMNS, 0.5),
        OutputMapping(kind, least_score=0.02),
    )
    return replace(model, **changes)


def image():
    return phantom(View.CC, Laterality.LEFT, rows=400, columns=320, spacing_mm=0.5, cluster=False)


@pytest.mark.parametrize("stride", [1, 8])
def test_a_heat_map_finds_the_mass(tmp_path, stride):
    truth = image()
    analysis = analysis_of(model_of(bright_spots(tmp_path / "m.onnx", above=0.42, stride=stride)))
    assert isinstance(analysis, Analysis)
    result = analysis.measure(truth.mammogram)
    assert (result.failure, result.failure_detail) == (None, "")
    assert result.findings
    x, y = truth.mass
    away_mm = min(np.hypot(finding.x_px - x, finding.y_px - y) * 0.5 for finding in result.findings)
    assert away_mm < 3


def test_the_same_bytes_give_the_same_numbers_in_every_session(tmp_path):
    model = model_of(bright_spots(tmp_path / "m.onnx"))
    mammogram = image().mammogram
    results = []
    for _ in range(2):
        _session.cache_clear()
        results.append(replace(analysis_of(model).measure(mammogram), times=()))
    assert results[0] == results[1]
    assert results[0].findings
    session, _, _ = _session(model)
    options = session.get_session_options()
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (1, 1)
    assert session.get_providers() == ["CPUExecutionProvider"]


def test_the_digest_is_that_of_weights_preparation_and_mapping(tmp_path):
    model = model_of(constant(tmp_path / "a.onnx", 20.0), OutputKind.DENSITY)
    elsewhere = model_of(constant(tmp_path / "b.onnx", 20.0), OutputKind.DENSITY)
    assert analysis_of(model).parameters_digest == analysis_of(elsewhere).parameters_digest
    others = [
        model_of(constant(tmp_path / "c.onnx", 21.0), OutputKind.DENSITY),
        replace(model, input=replace(model.input, window=(0.1, 1.0))),
        replace(model, output=replace(model.output, scale=2.0)),
    ]
    digests = {analysis_of(item).parameters_digest for item in [model, *others]}
    assert len(digests) == 4
    assert {len(digest) for digest in digests} == {16}
    assert analysis_of(None) == MammographyAnalysis()


def test_a_usable_model_passes(tmp_path):
    check_model(model_of(bright_spots(tmp_path / "m.onnx")))
    check_model(model_of(constant(tmp_path / "c.onnx", 20.0), OutputKind.DENSITY))


def broken(folder, name) -> OnnxModel:
    spots = folder / "m.onnx"
    match name:
        case "digest":
            return model_of(bright_spots(spots), sha256="0" * 64)
        case "no model":
            spots.write_bytes(b"not a model")
            return model_of(spots)
        case "size":
            return model_of(bright_spots(spots), input=InputPreparation(512, COLUMNS, 0.5))
        case "channels":
            return model_of(bright_spots(spots), input=InputPreparation(ROWS, COLUMNS, 0.5, channels=3))
        case "input":
            return model_of(bright_spots(spots), input_name="picture")
        case "two inputs":
            return model_of(bright_spots(spots, inputs=2), input_name="image")
        case "output":
            return model_of(bright_spots(spots), output_name="heat")
        case "kind":
            return model_of(bright_spots(spots), OutputKind.DENSITY)
        case _:
            return model_of(constant(spots, 1.0))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("digest", r"SHA-256 of .*m\.onnx is [0-9a-f]{64}, not 0000"),
        ("no model", "cannot be opened"),
        ("size", r"its input image is \[1, 1, 400, 320\], the settings say \(1, 1, 512, 320\)"),
        ("channels", r"the settings say \(1, 3, 400, 320\)"),
        ("input", "input picture is not one of its inputs: image"),
        ("two inputs", "2 inputs"),
        ("output", "output heat is not one of its outputs: out"),
        ("kind", "not one number for each class"),
        ("map of a constant", "not a map for each class"),
    ],
)
def test_what_cannot_be_used_is_said_in_one_line(tmp_path, name, words):
    with pytest.raises(SettingsInvalid, match=words) as caught:
        check_model(broken(tmp_path, name))
    assert "\n" not in str(caught.value)


def test_a_missing_extra_and_a_missing_file(tmp_path, monkeypatch):
    model = model_of(bright_spots(tmp_path / "m.onnx"))
    _session.cache_clear()
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(SettingsInvalid, match=r"pip install 'reread\[onnx\]'"):
        check_model(model)
    monkeypatch.undo()
    with pytest.raises(SettingsInvalid, match="cannot be read: No such file"):
        check_model(replace(model, file=tmp_path / "gone.onnx"))
