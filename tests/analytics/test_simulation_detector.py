"""The detector: counting statistics, scatter, sharpness."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from reread.analytics.simulation_beam import beam_table
from reread.analytics.simulation_detector import expose, scatter_of, scatter_to_primary, spread_scatter
from reread.analytics.simulation_processing import log_attenuation, present
from reread.analytics.simulation_projection import Grid, PathLengths
from reread.analytics.simulation_vendors import VENDORS
from reread.connectors.simulated_beams import beam

pytest.importorskip("spekpy")
pytest.importorskip("xraydb")

BEAM = beam("W", "Rh", 28)


def slab(detector, lengths_mm: dict[str, np.ndarray]) -> PathLengths:
    shape = next(iter(lengths_mm.values())).shape
    grid = Grid(detector.rows, detector.columns, detector.pitch_mm)
    thickness = np.zeros(shape, dtype=np.float32) + sum(lengths_mm.values())
    return PathLengths(grid, lengths_mm, thickness, truth=None)  # type: ignore[arg-type]


def quiet(key: str = "A", **changes: object):
    """A detector without anything but what the test wants."""
    base = VENDORS[key].detector
    plain = {"electronic_noise_kev": 0.0, "fixed_pattern": 0.0, "noise_excess": 1.0, "rows": 400, "columns": 400}
    return replace(base, **plain | {"offset": 0, "bits": 16, "counts_per_kev": 0.1} | changes)


def test_noise_is_that_of_the_photons():
    """Variance = mean x the mean energy (an energy-integrating detector counts each photon with its energy)."""
    detector = quiet(counts_per_kev=0.05, blur_mm=0.0)
    table = beam_table(BEAM, detector.absorber, detector.absorber_mm)
    lengths = {"adipose": np.full((400, 400), 38, dtype=np.float32), "glandular": np.full((400, 400), 10, np.float32)}
    _, energy = table.signal(lengths)
    ratios = []
    for mas in (20, 80, 320):
        counts = expose(slab(detector, lengths), table, detector, mas, np.random.default_rng(5)).counts / 0.05
        inner = counts[100:300, 100:300]
        ratios.append(inner.var() / inner.mean())
    assert ratios == pytest.approx([float(energy[0, 0])] * 3, rel=0.03)


def test_signal_is_proportional_to_exposure_and_logarithmic_to_tissue():
    detector = quiet(blur_mm=0.0)
    table = beam_table(BEAM, detector.absorber, detector.absorber_mm)
    lengths = {"adipose": np.full((400, 400), 45, dtype=np.float32)}
    counts = [
        expose(slab(detector, lengths), table, detector, mas, np.random.default_rng(1)).counts.mean()
        for mas in (50, 100)
    ]
    assert counts[1] / counts[0] == pytest.approx(2, rel=2e-3)
    raw = expose(slab(detector, lengths), table, detector, 100, np.random.default_rng(1))
    primary, _ = table.signal(lengths)
    share = 1 + float(scatter_to_primary(45.0, has_grid=True))
    expected = np.log(raw.air_counts / (primary[0, 0] * share * 100 * detector.pitch_mm**2 * 0.72 * 0.1))
    clipped = raw.air_counts > detector.full_scale
    assert log_attenuation(raw)[200, 200] == pytest.approx(
        expected - (np.log(raw.air_counts / detector.full_scale) if clipped else 0), abs=0.03
    )


@pytest.mark.parametrize("key", ["A", "C"])
def test_sharpness_is_the_modulation_transfer_that_the_detector_states(key):
    """From the edge of a thin step: its derivative is the line spread, whose transform is the MTF without aperture."""
    detector = quiet(key, noise_is_blurred=False, counts_per_kev=0.1)
    table = beam_table(BEAM, detector.absorber, detector.absorber_mm)
    step = np.zeros((400, 400), dtype=np.float32)
    step[:, 200:] = 0.05  # so thin that the signal is linear in it
    lengths = {"adipose": np.full((400, 400), 30, dtype=np.float32), "hydroxyapatite": step}
    mean = table.signal(lengths)[0][0, 0] * 400 * detector.pitch_mm**2 * 0.72
    detector = replace(detector, counts_per_kev=float(40000 / mean))
    # the same noise twice, with and without the step, is gone in the difference
    images = [
        expose(
            slab(detector, {**lengths, "hydroxyapatite": part}), table, detector, 400, np.random.default_rng(2)
        ).counts
        for part in (step, np.zeros_like(step))
    ]
    edge = (images[0][60:340].astype(float) / images[1][60:340]).mean(axis=0)[150:250]
    line = np.diff(edge)
    line -= np.median(line)
    spectrum = np.abs(np.fft.rfft(line))
    frequency = np.fft.rfftfreq(line.size, detector.pitch_mm)
    measured = spectrum / spectrum[0]
    stated = detector.mtf(frequency) / np.sinc(frequency * detector.pitch_mm)
    low = frequency < 3
    assert measured[low] == pytest.approx(stated[low], abs=0.06)


def test_scatter_is_spread_and_neither_made_nor_lost():
    rng = np.random.default_rng(3)
    source = rng.random((150, 120)).astype(np.float32)
    assert spread_scatter(source, 2.0).sum(dtype=float) == pytest.approx(source.sum(dtype=float), rel=1e-4)
    primary = np.full((600, 500), 100, dtype=np.float32)
    thickness = np.zeros((600, 500), dtype=np.float32)
    thickness[100:500, :350] = 50
    scatter = scatter_of(primary, thickness, 0.34, has_grid=False)
    expected = (primary * scatter_to_primary(thickness, has_grid=False)).sum(dtype=float)
    assert scatter.sum(dtype=float) == pytest.approx(expected, rel=0.01)
    assert scatter[300, 100] == pytest.approx(100 * 0.6, rel=0.1)  # 0.12 per cm in the middle of a wide slab
    assert scatter[50, 100] > 0  # and some beside it


def test_a_grid_takes_scatter_away():
    thick = np.array([20, 40, 60, 80], dtype=np.float32)
    without, with_grid = scatter_to_primary(thick, has_grid=False), scatter_to_primary(thick, has_grid=True)
    assert np.all(np.diff(without) > 0)
    assert np.all(with_grid < without / 3)


def test_a_scintillator_correlates_its_noise_and_a_photoconductor_does_not():
    lengths = {"adipose": np.full((400, 400), 45, dtype=np.float32)}
    found = {}
    for key in ("A", "C"):
        detector = quiet(key, counts_per_kev=0.5, bits=16)
        table = beam_table(BEAM, detector.absorber, detector.absorber_mm)
        image = expose(slab(detector, lengths), table, detector, 10, np.random.default_rng(4)).counts.astype(float)
        image = image[50:350, 50:350] - image[50:350, 50:350].mean()
        found[key] = float((image[:, 1:] * image[:, :-1]).mean() / (image**2).mean())
    assert abs(found["A"]) < 0.02
    assert found["C"] > 0.15


def test_looks_show_denser_tissue_brighter_and_inverted_ones_darker():
    for key in ("A", "B", "C"):
        vendor = VENDORS[key].quick()
        detector = replace(vendor.detector, rows=300, columns=240)
        table = beam_table(BEAM, detector.absorber, detector.absorber_mm)
        y, x = np.mgrid[0:300, 0:240]
        body = (np.hypot(x, y - 150) < 130).astype(np.float32)
        gland = (np.hypot(x - 60, y - 150) < 30).astype(np.float32)
        lengths = {"adipose": 45 * body - 20 * gland, "glandular": 20 * gland}
        raw = expose(slab(detector, lengths), table, detector, 90, np.random.default_rng(6))
        shown = present(raw, vendor.look).astype(float)
        inside, around, outside = shown[140:160, 50:70].mean(), shown[140:160, 100:110].mean(), shown[5, -10:].mean()
        order = [outside, around, inside]
        assert order == sorted(order, reverse=vendor.look.inverted), key
