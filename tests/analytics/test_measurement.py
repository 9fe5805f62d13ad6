"""The analysis as a whole: a result for every readable image, never an exception."""

from dataclasses import replace

import numpy as np
import pytest
from phantoms import phantom

from reread.analytics import measurement
from reread.analytics.density import DensityParameters
from reread.analytics.measurement import STAGES, Analysis, MammographyAnalysis, Parameters
from reread.analytics.reasons import Reason
from reread.analytics.records import FindingKind, Laterality, Mammogram, Size, View


@pytest.mark.parametrize("view", [View.CC, View.MLO])
@pytest.mark.parametrize("laterality", list(Laterality))
def test_everything_is_measured(view: View, laterality: Laterality) -> None:
    truth = phantom(view, laterality)
    result = MammographyAnalysis().measure(truth.mammogram)
    assert result.succeeded and result.failure_detail == ""
    assert result.header is truth.mammogram.header
    assert result.breast is not None and result.nipple is not None and result.density is not None
    assert (result.pectoral is not None) is (view is View.MLO)
    assert {f.kind for f in result.findings} == set(FindingKind)
    assert tuple(t.stage for t in result.times) == STAGES
    assert all(t.seconds >= 0 for t in result.times)
    for kind in FindingKind:
        scores = [f.score for f in result.findings if f.kind is kind]
        assert scores == sorted(scores, reverse=True)


def test_it_is_an_analysis() -> None:
    analysis = MammographyAnalysis()
    assert isinstance(analysis, Analysis)
    assert (analysis.name, analysis.version) == ("reread-mammography", "0.4.0")


def test_the_same_image_gives_the_same_numbers() -> None:
    image = phantom().mammogram
    before = image.pixels.copy()
    one, other = (replace(MammographyAnalysis().measure(image), times=()) for _ in range(2))
    assert one == other
    assert np.array_equal(image.pixels, before)


def test_the_digest_knows_every_parameter() -> None:
    plain = MammographyAnalysis().parameters_digest
    assert plain == MammographyAnalysis().parameters_digest
    assert len(plain) == 16 and int(plain, 16) >= 0
    changed = MammographyAnalysis(Parameters(density=DensityParameters(category_b_from=11.0)))
    assert changed.parameters_digest != plain


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_a_blank_image_fails_cleanly(level: float) -> None:
    image = Mammogram(phantom().mammogram.header, np.full((1000, 800), level, np.float32))
    result = MammographyAnalysis().measure(image)
    assert result.failure is Reason.MEASUREMENT_FAILED
    assert "blank" in result.failure_detail and "MeasurementFailed" in result.failure_detail
    assert result.breast is None and result.density is None and result.findings == ()


@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (4, 4), (40, 3), (100, 100)])
def test_a_tiny_image_fails_cleanly(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(3)
    image = Mammogram(phantom().mammogram.header, rng.random(shape).astype(np.float32))
    result = MammographyAnalysis().measure(image)
    assert result.failure is Reason.MEASUREMENT_FAILED
    assert result.findings == ()


def test_noise_alone_does_not_raise() -> None:
    rng = np.random.default_rng(3)
    for sigma in (0.001, 0.05, 0.3):
        pixels = np.clip(0.4 + sigma * rng.standard_normal((1000, 800)), 0, 1).astype(np.float32)
        result = MammographyAnalysis().measure(Mammogram(phantom().mammogram.header, pixels))
        assert result.times


@pytest.mark.parametrize("spacing_mm", [0.0, -0.1, float("nan"), 60.0])
def test_an_impossible_spacing_fails_cleanly(spacing_mm: float) -> None:
    image = phantom().mammogram
    header = replace(image.header, spacing=Size(spacing_mm, spacing_mm))
    result = MammographyAnalysis().measure(Mammogram(header, image.pixels))
    assert result.failure is Reason.MEASUREMENT_FAILED
    assert "pixel distance" in result.failure_detail


def test_a_failing_stage_keeps_what_the_others_gave(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ValueError("no gland in sight")

    monkeypatch.setattr(measurement, "measure_density", fail)
    result = MammographyAnalysis().measure(phantom().mammogram)
    assert result.failure is Reason.MEASUREMENT_FAILED
    assert result.failure_detail == "density: ValueError: no gland in sight"
    assert result.density is None
    assert result.breast is not None and result.nipple is not None and result.findings


def test_unequal_pixel_distances_are_respected() -> None:
    truth = phantom(rows=1000, columns=800)
    squeezed = Mammogram(
        replace(truth.mammogram.header, columns=400, spacing=Size(0.2, 0.4)),
        np.ascontiguousarray(truth.mammogram.pixels[:, ::2]),
    )
    plain, other = (MammographyAnalysis().measure(image) for image in (truth.mammogram, squeezed))
    assert plain.breast is not None and other.breast is not None
    assert other.breast.area_mm2 == pytest.approx(plain.breast.area_mm2, rel=0.04)
    assert plain.nipple is not None and other.nipple is not None
    assert other.nipple.x_px * 2 == pytest.approx(plain.nipple.x_px, abs=12)
