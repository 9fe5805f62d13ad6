"""Simulated mammograms as DICOM: valid, honest about what they are, and read back by our own reader."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pydicom
import pytest
from dicom_validators import assert_valid

from reread.analytics.records import Laterality, View
from reread.analytics.simulation import Insides, SimulatedImage, simulate_image
from reread.analytics.simulation_vendors import vendor_of
from reread.analytics.simulation_women import LesionWish, draw_woman
from reread.connectors.mammograms import read_mammogram
from reread.connectors.simulated_beams import beam
from reread.connectors.simulated_objects import Intent, image_uid, patient_id, simulated_object, write_object

pytest.importorskip("spekpy")
pytest.importorskip("xraydb")

WOMAN = draw_woman(9, 3, years=2, wish=LesionWish(1.0))
CASES = [(key, intent) for key in "ABC" for intent in ("processing", "presentation")] + [("F", "film")]


@lru_cache(maxsize=1)
def insides() -> Insides:
    return Insides.of(WOMAN)


@lru_cache(maxsize=8)
def image(key: str, laterality: Laterality = Laterality.RIGHT, view: View = View.MLO) -> SimulatedImage:
    return simulate_image(WOMAN, insides(), laterality, view, 1, 2, vendor_of(key).quick(), beam)


@pytest.mark.parametrize(("key", "intent"), CASES)
def test_dciodvfy_finds_no_error(key: str, intent: Intent, tmp_path: Path):
    path = tmp_path / "image.dcm"
    write_object(image(key), intent, path)
    assert_valid(path)
    assert [found.name for found in tmp_path.iterdir()] == ["image.dcm"]


@pytest.mark.parametrize(("key", "intent"), CASES)
def test_our_reader_reads_it_as_it_was_made(key: str, intent: Intent, tmp_path: Path):
    path = tmp_path / "image.dcm"
    made = image(key)
    write_object(made, intent, path)
    read = read_mammogram(path)
    header = read.header
    assert (header.laterality, header.view) == (Laterality.RIGHT, View.MLO)
    assert header.sop_instance_uid == image_uid(made, intent)
    assert header.for_processing is (intent == "processing")
    assert header.manufacturer == vendor_of(key).manufacturer
    if intent != "film":
        assert header.spacing.mean_mm == pytest.approx(made.spacing_mm)
    assert header.patient_orientation[0] == "P"
    # brighter is denser, whatever the vendor: the muscle is brighter than fat, air is darkest
    nipple_x, nipple_y = made.truth.nipple_px
    muscle = read.pixels[:20, -30:-10].mean()
    air = read.pixels[int(nipple_y), : int(nipple_x * 0.4)].mean()
    assert muscle > air + 0.2


def test_it_says_in_many_places_that_it_is_made():
    made = simulated_object(image("A"), "presentation")
    assert made.ImageType[0] == "DERIVED"
    for text in (made.PatientComments, made.ImageComments, made.DerivationDescription):
        assert "Simulated" in text
    assert str(made.PatientName).startswith("Simulated^")
    assert made.PatientID == patient_id(WOMAN)
    assert made.Manufacturer.startswith("Phantom Vendor")


def test_the_header_tells_how_it_was_taken():
    made, exposure = simulated_object(image("C"), "processing"), image("C").exposure
    assert float(made.KVP) == exposure.beam.kvp
    assert made.ExposureInuAs == pytest.approx(exposure.mas * 1000, abs=1)
    assert made.BodyPartThickness == round(image("C").truth.thickness_mm)
    assert made.AnodeTargetMaterial in ("MOLYBDENUM", "RHODIUM")
    assert float(made.OrganDose) * 100 == pytest.approx(exposure.dose_mgy, rel=1e-3)
    assert made.PixelIntensityRelationship == "LIN"
    assert made.PixelIntensityRelationshipSign == 1
    assert float(made.DistanceSourceToDetector) == 650
    assert int(made.PatientAge[:3]) == WOMAN.age_years + 1  # in her second year
    logarithmic = simulated_object(image("B"), "processing")
    assert (logarithmic.PixelIntensityRelationship, logarithmic.PixelIntensityRelationshipSign) == ("LOG", -1)


def test_pixels_are_stored_bit_by_bit(tmp_path: Path):
    path = tmp_path / "image.dcm"
    write_object(image("A"), "processing", path)
    raw = image("A").raw
    assert raw is not None
    assert np.array_equal(pydicom.dcmread(path).pixel_array, raw)


def test_identifiers_follow_from_the_seed_and_differ():
    base = image("A")
    uids = {
        image_uid(replace(base, vendor=vendor_of(key), laterality=side, view=view, year=year), intent)
        for key in ("A", "C")
        for side in Laterality
        for view in (View.CC, View.MLO)
        for year in (0, 1)
        for intent in ("processing", "presentation")
    }
    assert len(uids) == 32
    assert image_uid(replace(base, woman=draw_woman(9, 4)), "processing") not in uids
    assert all(uid.startswith("2.25.") and len(uid) <= 64 for uid in uids)
    same = replace(base, vendor=vendor_of("A"), woman=draw_woman(9, 3, years=2, wish=LesionWish(1.0)))
    assert image_uid(same, "processing") in uids


def test_a_detector_makes_no_film_and_film_nothing_raw():
    with pytest.raises(ValueError, match="makes no image for film"):
        simulated_object(image("A"), "film")
    with pytest.raises(ValueError, match="makes no image for processing"):
        simulated_object(image("F"), "processing")
