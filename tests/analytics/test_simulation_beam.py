"""Beams: against spekpy and xraydb, energy by energy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reread.analytics.simulation_beam import SimulationInvalid, beam_table
from reread.analytics.simulation_dose import glandular_dose_per_mas_mgy, usual_dose_mgy
from reread.connectors.simulated_beams import FILTERS_MM, attenuation_per_mm, beam

pytest.importorskip("spekpy")
pytest.importorskip("xraydb")

TABLE = beam_table(beam("W", "Rh", 28), "selenium", 0.2)


def summed(materials: dict[str, float]) -> tuple[float, float]:
    """Detected energy and its noise energy, energy by energy: Beer-Lambert without any table."""
    source = TABLE.beam
    depth = sum(attenuation_per_mm(name, source.energies_kev) * mm for name, mm in materials.items())
    absorbed = 1 - np.exp(-attenuation_per_mm("selenium", source.energies_kev) * 0.2)
    energy = source.fluence_per_mas * np.exp(-depth) * absorbed * source.energies_kev
    return float(energy.sum()), float((energy * source.energies_kev).sum() / energy.sum())


@settings(max_examples=60, deadline=None)
@given(
    adipose=st.floats(0, 80),
    glandular=st.floats(0, 60),
    skin=st.floats(0, 4),
    muscle=st.floats(0, 40),
    mass=st.floats(0, 20),
)
def test_the_table_is_the_sum_over_energies_for_any_slabs(adipose, glandular, skin, muscle, mass):
    slabs = {"adipose": adipose, "glandular": glandular, "skin": skin, "muscle": muscle, "mass": mass}
    mean, energy = TABLE.signal({name: np.full((1, 1), mm, dtype=np.float32) for name, mm in slabs.items()})
    expected, noise = summed(slabs)
    assert mean[0, 0] == pytest.approx(expected, rel=1e-3)
    assert energy[0, 0] == pytest.approx(noise, rel=1e-3)


@pytest.mark.parametrize(("material", "mm", "error"), [("hydroxyapatite", 0.5, 2e-3), ("calcium_oxalate", 0.6, 2e-3)])
def test_minerals_lie_within_the_two_tissues(material, mm, error):
    """A calcification is so much glandular less so much adipose tissue; the K edge of calcium is at 4 keV."""
    slabs = {"adipose": 30.0, "glandular": 15.0, material: mm}
    mean, _ = TABLE.signal({name: np.full((1, 1), length, dtype=np.float32) for name, length in slabs.items()})
    assert mean[0, 0] == pytest.approx(summed(slabs)[0], rel=error)


@pytest.mark.parametrize("pair", FILTERS_MM)
def test_a_half_value_layer_halves_the_kerma(pair):
    import spekpy

    made = beam(*pair, 28)
    tube = spekpy.Spek(kvp=28, th=16.0, targ=pair[0], dk=0.5, z=65.0, mas=1.0)
    window = 0.63 if pair[0] == "W" else 0.8
    tube.multi_filter([("Be", window), (pair[1], made.filter_mm), ("Perspex", 2.5)])
    full = tube.get_kerma()
    assert made.kerma_per_mas_ugy == pytest.approx(full, rel=0.01)
    tube.filter("Al", made.hvl_mm_al)
    assert tube.get_kerma() == pytest.approx(full / 2, rel=0.01)


@pytest.mark.parametrize(
    ("pair", "kvp", "published"), [(("Mo", "Mo"), 28, 0.36), (("Mo", "Rh"), 28, 0.42), (("W", "Rh"), 28, 0.53)]
)
def test_half_value_layers_are_those_of_clinical_tubes(pair, kvp, published):
    """European guidelines, 4th edition, appendix 5, table A5.4: with compression plate."""
    assert beam(*pair, kvp).hvl_mm_al == pytest.approx(published, abs=0.05)


def test_attenuation_at_20_kev_is_what_was_measured():
    """Johns and Yaffe 1987, doi:10.1088/0031-9155/32/6/002: fat 0.456, gland 0.802, carcinoma 0.844 per cm."""
    at = np.array([20.0])
    fat, gland, mass = (10 * attenuation_per_mm(name, at)[0] for name in ("adipose", "glandular", "mass"))
    assert fat == pytest.approx(0.456, rel=0.15)
    assert gland == pytest.approx(0.802, rel=0.05)
    assert mass == pytest.approx(0.844, rel=0.05)


def test_more_tissue_and_denser_tissue_pass_less():
    lengths = np.linspace(0, 90, 200, dtype=np.float32)[None, :]
    mean, energy = TABLE.signal({"adipose": lengths})
    assert np.all(np.diff(mean[0]) < 0)
    assert np.all(np.diff(energy[0]) > 0)  # the beam hardens
    assert TABLE.signal({"glandular": lengths + 1})[0].min() < TABLE.signal({"adipose": lengths + 1})[0].min()


def test_doses_are_those_of_screening():
    """1.3 mGy at 53 mm needs some 50 to 200 mAs with tungsten and rhodium."""
    mas = usual_dose_mgy(53) / glandular_dose_per_mas_mgy(beam("W", "Rh", 28), 53, 12)
    assert 50 < mas < 200
    thick = [glandular_dose_per_mas_mgy(beam("W", "Rh", 28), mm, 12) for mm in (20, 40, 60, 80)]
    assert thick == sorted(thick, reverse=True)


@pytest.mark.parametrize(
    ("pair", "kvp", "thickness"), [(("W", "Rh"), 28, 53), (("Mo", "Mo"), 28, 45), (("Rh", "Rh"), 30, 60)]
)
def test_the_dose_lies_between_what_energy_balance_allows(pair, kvp, thickness):
    """More than what the photoelectric effect takes at the first interaction, less than all that interacts."""
    import xraydb

    made = beam(*pair, kvp)
    shares = {"adipose": {"H": 0.112, "C": 0.619, "N": 0.017, "O": 0.251}}
    shares["glandular"] = {"H": 0.102, "C": 0.184, "N": 0.032, "O": 0.677, "P": 0.002, "S": 0.001, "K": 0.001}
    density = {"adipose": 0.93, "glandular": 1.04}
    photo = {
        name: density[name]
        / 10
        * sum(w * xraydb.mu_elam(e, made.energies_kev * 1000, kind="photo") for e, w in parts.items())
        for name, parts in shares.items()
    }
    total = (made.mu_per_mm["adipose"] + made.mu_per_mm["glandular"]) / 2
    mixed = (photo["adipose"] + photo["glandular"]) / 2
    surface = made.fluence_per_mas * (650 / (650 - 12 - thickness)) ** 2 * np.exp(-5 * made.mu_per_mm["adipose"])
    interacting = surface * (1 - np.exp(-total * (thickness - 10))) * made.energies_kev
    # gland takes more than its share of the energy
    per_mass = (
        1.602e-16 * 1000 / ((thickness - 10) * 0.985e-6) * float(np.mean(photo["glandular"] / 1.04 / (mixed / 0.985)))
    )
    least, most = float((interacting * mixed / total).sum()) * per_mass, float(interacting.sum()) * per_mass
    dose = glandular_dose_per_mas_mgy(made, thickness, 12)
    assert least < dose < most
    assert dose == pytest.approx((least + most) / 2, rel=0.2)


@pytest.mark.parametrize(("anode", "filter_material", "kvp"), [("Cu", "Rh", 28), ("W", "Mo", 28), ("W", "Rh", 60)])
def test_a_beam_that_does_not_exist_is_named(anode, filter_material, kvp):
    with pytest.raises(SimulationInvalid, match=r"known: W/Rh|outside 22 to 40"):
        beam(anode, filter_material, kvp)
