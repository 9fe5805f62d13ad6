"""Every view of CID 4014 and modifier of CID 4015 is measured, or refused with its reason; and the beam is read."""

import pytest
from made_studies import mammogram_dataset, save
from pydicom.dataset import Dataset
from pydicom.sr._cid_dict import cid_concepts
from pydicom.sr.codedict import codes

from reread.analytics.errors import NotAMammogram
from reread.analytics.reasons import Reason
from reread.connectors.mammograms import read_header, read_mammogram


def coded(concept, modifier=None) -> list[Dataset]:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = concept.value, "SCT", concept.meaning
    item.ViewModifierCodeSequence = [] if modifier is None else coded(modifier)
    return [item]


def concept(cid: int, name: str):
    return getattr(getattr(codes, f"cid{cid}"), name)


@pytest.mark.parametrize("name", cid_concepts[4014]["SCT"])
def test_every_view_of_cid_4014(name, tmp_path):
    ds = mammogram_dataset()
    ds.ViewCodeSequence = coded(concept(4014, name))
    path = save(ds, tmp_path / "a.dcm")
    if name == "TissueSpecimenFromBreast":
        with pytest.raises(NotAMammogram, match="specimen") as caught:
            read_header(path)
        assert caught.value.reason is Reason.NOT_MEASURABLE
    else:
        assert not any(clause.startswith("view") for clause in read_header(path).inferred)


@pytest.mark.parametrize("name", cid_concepts[4015]["SCT"])
def test_every_modifier_of_cid_4015(name, tmp_path):
    ds = mammogram_dataset()
    ds.ViewCodeSequence = coded(codes.cid4014.CranioCaudal, concept(4015, name))
    path = save(ds, tmp_path / "a.dcm")
    if name in ("Cleavage", "Magnification", "SpotCompression"):
        with pytest.raises(NotAMammogram, match="view"):
            read_header(path)
    else:
        header = read_header(path)
        assert len(header.view_modifiers) == 1
        partial = ("AxillaryTail", "AxillaryTissue", "Tangential", "AnteriorCompression", "InfraMammaryFold")
        assert header.shows_whole_breast is (name not in partial)


@pytest.mark.parametrize(("factor", "taken"), [(0.89, False), (0.9, True), (1.05, True), (1.1, True), (1.5, False)])
def test_magnified_images_are_refused(factor, taken, tmp_path):
    ds = mammogram_dataset()
    ds.EstimatedRadiographicMagnificationFactor = factor
    path = save(ds, tmp_path / "a.dcm")
    if taken:
        assert read_header(path).acquisition.magnification == factor
    else:
        with pytest.raises(NotAMammogram, match="magnified"):
            read_header(path)


def test_an_implant_in_the_way_is_refused_a_displaced_one_is_not(tmp_path):
    ds = mammogram_dataset()
    ds.BreastImplantPresent = "YES"
    with pytest.raises(NotAMammogram, match="implant"):
        read_header(save(ds, tmp_path / "a.dcm"))
    ds.ViewCodeSequence = coded(codes.cid4014.CranioCaudal, codes.cid4015.ImplantDisplaced)
    assert read_header(save(ds, tmp_path / "b.dcm")).view_modifiers == ("implant displaced",)


def test_the_beam_is_read(tmp_path):
    ds = mammogram_dataset()
    ds.KVP, ds.AnodeTargetMaterial, ds.FilterMaterial = 28, "TUNGSTEN", "RHODIUM"
    ds.BodyPartThickness, ds.CompressionForce, ds.ExposureInuAs, ds.OrganDose = 51, 104, 86000, 0.0121
    ds.Grid, ds.DistanceSourceToDetector = ["FIXED", "LINEAR"], 660
    taken = read_mammogram(save(ds, tmp_path / "a.dcm")).header.acquisition
    assert (taken.kvp, taken.anode, taken.filter_material, taken.thickness_mm) == (28, "W", "Rh", 51)
    assert (taken.force_n, taken.exposure_mas, taken.has_grid, taken.source_to_detector_mm) == (104, 86, True, 660)
    assert taken.organ_dose_mgy == pytest.approx(1.21)
    assert taken.log_range is None  # for presentation


def test_what_is_no_number_is_unknown(tmp_path):
    ds = mammogram_dataset()
    ds.FilterMaterial = ["RHODIUM", "SILVER"]
    ds.Grid = "NONE"
    taken = read_header(save(ds, tmp_path / "a.dcm")).acquisition
    assert (taken.kvp, taken.filter_material, taken.thickness_mm, taken.has_grid) == (None, "", None, False)
