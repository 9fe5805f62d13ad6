"""The density page: what stands on it, and that every result fits it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pydicom
import pytest
from dicom_validators import assert_valid
from made_studies import PROVENANCE, density, failed, image_result, mammogram_dataset, save, study_result

from reread.analytics.records import Laterality, Positioning, VolumetricDensity
from reread.connectors.mammograms import read_header
from reread.connectors.results.authoring import ResultFormat, author_study
from reread.connectors.results.density_page_drawing import PAGE_COLUMNS, PAGE_ROWS, draw_density_page
from reread.connectors.results.density_page_facts import area_scale, density_facts, volume_scale
from reread.connectors.results.forms import EarlierDensity
from reread.connectors.results.page_language import languages, words
from reread.connectors.results.page_palette import STEPS
from reread.connectors.results.page_remarks import image_remarks, nipple_line_remark

VERSION = "reread-mammography 0.1.0"
EARLIER = (
    EarlierDensity("20190310", 38.0, "c", 36.0, 40.0, 9.2, "reread-mammography 0.0.9"),
    EarlierDensity("20210402", 35.0, "c", 33.0, None, None, VERSION),
)
VOLUME = VolumetricDensity(9.4, "c", 720.0, 67.0, 58.0, 0.5)


@pytest.fixture
def study(tmp_path):
    images, sources = [], {}
    for number, (side, view) in enumerate((("R", "CC"), ("L", "CC"), ("R", "MLO"), ("L", "MLO")), start=1):
        path = save(mammogram_dataset(side, view, number=number), tmp_path / f"{number}.dcm")
        header = read_header(path)
        sources[header.sop_instance_uid] = path
        images.append(replace(image_result(header), density=density(20.0 + 2 * number)))
    return study_result(*images), sources


def drawn(result, language="en", earlier=()):
    said = words(language)
    return draw_density_page(density_facts(result, said, earlier, version=VERSION), PROVENANCE, said)


def test_facts(study):
    result, _ = study
    facts = density_facts(result, words(), EARLIER)
    assert [f"{view.laterality} {view.view}" for view in facts.views] == ["R CC", "L CC", "R MLO", "L MLO"]
    assert (facts.both.percent, facts.right.letter, facts.left.percent) == (23.4, "c", 20.0)
    assert facts.left_less_right == pytest.approx(20.0 - 26.8)
    # R CC 22, R MLO 26; L CC 24, L MLO 28
    assert (facts.right.cc_less_mlo, facts.left.cc_less_mlo) == (-4.0, -4.0)
    assert facts.right.dense_area_cm2 == pytest.approx(10.72)
    assert facts.earlier == EARLIER
    alone = density_facts(replace(result, images=result.images[:1]), words())
    assert alone.right.cc_less_mlo is None


def test_the_scales_are_those_that_the_letters_come_from():
    assert area_scale().limits == (10.0, 25.0, 50.0)
    assert "Boyd" in area_scale().source
    assert volume_scale().limits == (3.5, 7.5, 15.5)


def test_remarks_name_the_views_that_they_are_on(study):
    result, _ = study
    short = Positioning(None, None, None, None, False, -14.0, False, True)
    images = tuple(
        replace(image, positioning=short) if image.header.view == "MLO" else image for image in result.images
    )
    facts = density_facts(replace(result, images=(*images[:3], failed(replace(images[3], positioning=None)))), words())
    assert facts.remarks == (
        "R MLO: muscle ends 14 mm above the nipple level",
        "R MLO: nipple not in profile",
        "L MLO: not measured (measurement failed)",
    )
    both = density_facts(replace(result, images=images), words("de"))
    assert both.remarks[1] == "R MLO, L MLO: Mamille nicht im Profil"


def test_limits_of_remarks():
    columns = {
        "view": "CC",
        "cut_front_mm": 5.0,
        "cut_above_mm": 4.9,
        "cut_below_mm": None,
        "muscle_below_nipple_level_mm": -20.0,
        "muscle_reaches_nipple_level": True,
        "nipple_in_profile": None,
        "fold_on_image": None,
        "clipped_bright": 0.02,
        "clipped_dark": 0.01,
        "spacing_known": True,
    }
    assert image_remarks(columns, words()) == (
        "breast cut off opposite the chest wall, 5 mm",
        "2 % of the breast at the highest value",
    )
    assert nipple_line_remark(-10.0, words()) == nipple_line_remark(None, words()) == ""
    assert nipple_line_remark(-12.6, words()) == "posterior nipple line, CC less MLO: −13 mm"


def test_the_page_is_stored_as_it_was_drawn(study, tmp_path):
    result, sources = study
    options = {"sources": sources, "provenance": PROVENANCE, "formats": [ResultFormat.DENSITY_PAGE]}
    (page,) = author_study(result, folder=tmp_path / "a", **options)
    assert_valid(page.path)
    ds = pydicom.dcmread(page.path)
    assert np.array_equal(ds.pixel_array, drawn(result))
    assert (ds.PhotometricInterpretation, ds.PlanarConfiguration, ds.LossyImageCompression) == ("RGB", 0, "00")
    assert (ds.BurnedInAnnotation, ds.SamplesPerPixel, ds.BitsStored) == ("YES", 3, 8)
    (again,) = author_study(result, folder=tmp_path / "b", **options)
    assert again.path.read_bytes() == page.path.read_bytes()
    (later,) = author_study(result, folder=tmp_path / "c", earlier=EARLIER, **options)
    assert later.sop_instance_uid != page.sop_instance_uid  # another history, another object
    assert_valid(later.path)
    assert author_study(replace(result, density=None), folder=tmp_path / "d", **options) == ()


@pytest.mark.parametrize(
    ("charset", "name"),
    [
        ("ISO_IR 192", "Wang^XiaoDong=王^小东"),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        (["", "ISO 2022 IR 149"], "Hong^Gildong=洪^吉洞=홍^길동"),
        ("GB18030", "Wang^XiaoDong=王^小东"),
        ("ISO_IR 144", "Люкceмбypг"),
    ],
)
def test_names_keep_their_character_set_and_are_not_drawn(tmp_path, charset, name):
    pages = []
    for number, stated in enumerate((name, "Test^Anna")):
        ds = mammogram_dataset()
        ds.SpecificCharacterSet, ds.PatientName = charset, stated
        path = save(ds, tmp_path / f"{number}.dcm")
        header = read_header(path)
        written = author_study(
            study_result(image_result(header)),
            sources={header.sop_instance_uid: path},
            provenance=PROVENANCE,
            folder=tmp_path / str(number),
            formats=[ResultFormat.CAPTURE, ResultFormat.DENSITY_PAGE],
        )
        for item in written:
            assert_valid(item.path)
            stored = pydicom.dcmread(item.path)
            assert (stored.SpecificCharacterSet, str(stored.PatientName)) == (charset, stated)
        pages.append([pydicom.dcmread(item.path).PixelData for item in written])
    assert pages[0] == pages[1]


@pytest.mark.parametrize("language", languages())
def test_every_language_fits_the_page(study, language):
    result, _ = study
    full = replace(
        result,
        volumetric=VOLUME,
        volumetric_left=VOLUME,
        volumetric_right=VOLUME,
        images=tuple(replace(image, volumetric=VOLUME) for image in result.images),
    )
    for shown, earlier in ((full, EARLIER), (result, ())):
        page = drawn(shown, language, earlier)
        assert page.shape == (PAGE_ROWS, PAGE_COLUMNS, 3)
        assert not (page[:, -40:] > 60).any()  # nothing runs out at the right
        assert not (page[-20:] > 60).any()


def test_the_letter_is_shown_on_its_step(study):
    result, _ = study
    for letter, colour in STEPS.items():
        page = drawn(replace(result, density=density(30.0, letter)))
        assert tuple(page[150, 100]) == colour


def test_sides_differ_without_colour(study):
    result, _ = study
    page = drawn(result)
    right, left = (page[370:386, x : x + 26].max(axis=2) > 120 for x in (82, 686))
    assert right.any()
    assert left.any()
    assert right.sum() != left.sum()


def test_nothing_measured_but_one_breast(study):
    result, _ = study
    right = [image for image in result.images if image.header.laterality is Laterality.RIGHT]
    alone = replace(result, images=(*right,), left=None)
    assert not np.array_equal(drawn(alone), drawn(result))
