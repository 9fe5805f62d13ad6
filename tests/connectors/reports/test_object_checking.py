"""Presentation states and captures: ours are accepted, and each way to break one is found by its rule."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pydicom
import pytest
from made_studies import PROVENANCE, image_result, mammogram_dataset, save, study_result
from pydicom import config
from pydicom.dataset import Dataset
from pydicom.uid import JPEGBaseline8Bit
from report_files import save_report

from reread.connectors.mammograms import read_header
from reread.connectors.reports.object_checking import check_file, check_files, image_facts
from reread.connectors.results.authoring import author_study, known_forms

Spoil = Callable[[Dataset], None]


@pytest.fixture(autouse=True)
def lenient_writing(strict_writing) -> Iterator[None]:
    """Broken values must reach the file."""
    before = config.settings.reading_validation_mode
    config.settings.writing_validation_mode = config.settings.reading_validation_mode = config.IGNORE
    yield
    config.settings.reading_validation_mode = before


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    return save(mammogram_dataset("R", "CC"), tmp_path_factory.mktemp("source") / "a.dcm")


@pytest.fixture(scope="module")
def authored(tmp_path_factory, source) -> Callable[[str], list[Path]]:
    header = read_header(source)
    folder = tmp_path_factory.mktemp("authored")
    found: dict[str, list[Path]] = {}

    def make(form: str) -> list[Path]:
        if form not in found:
            objects = author_study(
                study_result(image_result(header)),
                sources={header.sop_instance_uid: source},
                provenance=PROVENANCE,
                folder=folder / form,
                formats=[form],
            )
            found[form] = [item.path for item in objects]
        return found[form]

    return make


@pytest.mark.slow
@pytest.mark.parametrize("form", sorted(known_forms()))
def test_every_form_of_ours_is_accepted(authored, source, form):
    paths = authored(form)
    for checked in check_files([*paths, source]):
        assert (checked.error, checked.violations) == ("", ())


def checked(path: Path, spoil: Spoil, folder: Path, source: Path) -> set[str]:
    ds = pydicom.dcmread(path)
    spoil(ds)
    uid, facts = image_facts(source)
    return {item.rule for item in check_file(save_report(ds, folder / "spoiled.dcm"), {uid: facts}).violations}


def annotation(ds: Dataset) -> Dataset:
    return ds.GraphicAnnotationSequence[0]


def graphic(ds: Dataset) -> Dataset:
    return annotation(ds).GraphicObjectSequence[0]


def label(ds: Dataset) -> Dataset:
    return annotation(ds).TextObjectSequence[0]


def area(ds: Dataset) -> Dataset:
    return ds.DisplayedAreaSelectionSequence[0]


def window(ds: Dataset) -> Dataset:
    return ds.SoftcopyVOILUTSequence[0]


def root(ds: Dataset) -> Dataset:
    return ds


def sets(find: Callable[[Dataset], Dataset], **values: object) -> Spoil:
    def spoil(ds: Dataset) -> None:
        for keyword, value in values.items():
            setattr(find(ds), keyword, value)

    return spoil


def deletes(find: Callable[[Dataset], Dataset], *keywords: str) -> Spoil:
    def spoil(ds: Dataset) -> None:
        for keyword in keywords:
            delattr(find(ds), keyword)

    return spoil


def another_image(find: Callable[[Dataset], Dataset]) -> Spoil:
    return lambda ds: setattr(find(ds).ReferencedImageSequence[0], "ReferencedSOPInstanceUID", "2.25.5")


CORNERS = ("BoundingBoxTopLeftHandCorner", "BoundingBoxBottomRightHandCorner")
STATES: dict[str, tuple[Spoil, str]] = {
    "another modality": (sets(root, Modality="MG"), "PS3.3-C.11.9"),
    "no image": (sets(root, ReferencedSeriesSequence=[]), "PS3.3-C.11.11"),
    "another class of the image": (
        lambda ds: setattr(
            ds.ReferencedSeriesSequence[0].ReferencedImageSequence[0],
            "ReferencedSOPClassUID",
            "1.2.840.10008.5.1.4.1.1.7",
        ),
        "PS3.3-C.11.11",
    ),
    "no displayed area": (deletes(root, "DisplayedAreaSelectionSequence"), "PS3.3-displayed-area"),
    "an area for another image": (another_image(area), "PS3.3-C.10.4"),
    "a size mode that does not exist": (sets(area, PresentationSizeMode="SCALE"), "PS3.3-C.10.4"),
    "true size without spacing": (
        lambda ds: (
            sets(area, PresentationSizeMode="TRUE SIZE", PresentationPixelAspectRatio=[1, 1])(ds),
            deletes(area, "PresentationPixelSpacing")(ds),
        )[0],
        "PS3.3-C.10.4",
    ),
    "no pixel size": (deletes(area, "PresentationPixelSpacing"), "PS3.3-C.10.4"),
    "magnified by nothing": (sets(area, PresentationSizeMode="MAGNIFY"), "PS3.3-C.10.4"),
    "an area beside the image": (
        sets(area, DisplayedAreaTopLeftHandCorner=[900, 900], DisplayedAreaBottomRightHandCorner=[1000, 1000]),
        "PS3.3-C.10.4",
    ),
    "a layer that is not there": (sets(annotation, GraphicLayer="OTHER"), "PS3.3-C.10.7"),
    "two layers of one name": (
        lambda ds: setattr(ds.GraphicLayerSequence[1], "GraphicLayer", ds.GraphicLayerSequence[0].GraphicLayer),
        "PS3.3-C.10.7",
    ),
    "a grey beyond white": (
        lambda ds: setattr(ds.GraphicLayerSequence[0], "GraphicLayerRecommendedDisplayCIELabValue", [1, 2]),
        "PS3.3-C.10.7",
    ),
    "an empty annotation": (deletes(annotation, "TextObjectSequence", "GraphicObjectSequence"), "PS3.3-C.10.5"),
    "an annotation of another image": (another_image(annotation), "PS3.3-C.10.5"),
    "text nowhere": (deletes(label, *CORNERS), "PS3.3-C.10.5"),
    "half a bounding box": (deletes(label, CORNERS[0]), "PS3.3-C.10.5"),
    "a box without units": (deletes(label, "BoundingBoxAnnotationUnits"), "PS3.3-C.10.5"),
    "a box without justification": (deletes(label, "BoundingBoxTextHorizontalJustification"), "PS3.3-C.10.5"),
    "a box outside the image": (sets(label, **{CORNERS[1]: [5000.0, 50.0]}), "PS3.3-C.10.5.1.2"),
    "a box beyond the display": (sets(label, BoundingBoxAnnotationUnits="DISPLAY"), "PS3.3-C.10.5.1.2"),
    "text without text": (sets(label, UnformattedTextValue=""), "PS3.3-graphic-annotation"),
    "an anchor without visibility": (
        sets(label, AnchorPoint=[5.0, 5.0], AnchorPointAnnotationUnits="PIXEL"),
        "PS3.3-C.10.5",
    ),
    "a graphic outside the image": (sets(graphic, GraphicData=[-9.0] * 8), "PS3.3-C.10.5.1.2"),
    "a graphic type of reports": (sets(graphic, GraphicType="MULTIPOINT"), "PS3.3-C.10.5"),
    "too few points": (sets(graphic, GraphicData=[9.0] * 6), "PS3.3-C.10.5"),
    "an ellipse of three points": (sets(graphic, GraphicData=[9.0] * 6, NumberOfGraphicPoints=3), "PS3.3-C.10.5"),
    "points in three dimensions": (sets(graphic, GraphicDimensions=3), "PS3.3-C.10.5"),
    "an ellipse that may be filled": (deletes(graphic, "GraphicFilled"), "PS3.3-C.10.5"),
    "units of nothing": (sets(graphic, GraphicAnnotationUnits="MM"), "PS3.3-C.10.5"),
    "no units": (deletes(graphic, "GraphicAnnotationUnits"), "PS3.3-graphic-annotation"),
    "turned by 45 degrees": (sets(root, ImageRotation=45), "PS3.3-C.10.6"),
    "turned without flip": (deletes(root, "ImageHorizontalFlip"), "PS3.3-C.10.6"),
    "a window of width 0": (sets(window, WindowWidth="0"), "PS3.3-C.11.2.1.2"),
    "two centers and one width": (sets(window, WindowCenter=["1", "2"]), "PS3.3-C.11.2"),
    "no window": (deletes(window, "WindowCenter", "WindowWidth"), "PS3.3-C.11.8"),
    "a window for another image": (another_image(window), "PS3.3-C.11.8"),
    "a slope alone": (sets(root, RescaleSlope="2"), "PS3.3-C.11.1"),
    "a slope without type": (sets(root, RescaleSlope="2", RescaleIntercept="0"), "PS3.3-C.11.1"),
    "no presentation LUT": (deletes(root, "PresentationLUTShape"), "PS3.3-C.11.6"),
    "a shape that does not exist": (sets(root, PresentationLUTShape="LINEAR"), "PS3.3-C.11.6"),
    "no label": (deletes(root, "ContentLabel"), "PS3.3-presentation-state-identification"),
    "no date of creation": (deletes(root, "PresentationCreationDate"), "PS3.3-presentation-state-identification"),
}


@pytest.mark.parametrize(("spoil", "rule"), [pytest.param(*case, id=name) for name, case in STATES.items()])
def test_ways_to_break_a_presentation_state(tmp_path, authored, source, spoil: Spoil, rule):
    (path,) = authored("presentation-state")
    assert rule in checked(path, spoil, tmp_path, source)


def test_a_state_whose_images_are_not_at_hand_is_checked_as_far_as_it_goes(tmp_path, authored):
    (path,) = authored("presentation-state")
    assert check_file(path, {}).violations == ()


def test_a_breast_without_laterality(tmp_path, authored, source):
    (path,) = authored("presentation-state")

    def spoil(ds: Dataset) -> None:
        ds.BodyPartExamined = "BREAST"
        ds.pop("Laterality", None)

    assert checked(path, spoil, tmp_path, source) == {"PS3.3-general-series"}


CAPTURES: dict[str, tuple[Spoil, str]] = {
    "a row too many": (lambda ds: setattr(ds, "Rows", ds.Rows + 1), "PS3.3-C.7.6.3"),
    "no rows": (sets(root, Rows=0), "PS3.3-C.7.6.3"),
    "no pixels": (deletes(root, "PixelData"), "PS3.3-C.7.6.3"),
    "three samples of grey": (sets(root, SamplesPerPixel=3, PhotometricInterpretation="MONOCHROME2"), "PS3.3-C.7.6.3"),
    "a photometric interpretation of nothing": (sets(root, PhotometricInterpretation="GREY"), "PS3.3-C.7.6.3"),
    "more bits than there are": (sets(root, BitsStored=12), "PS3.3-C.7.6.3"),
    "12 bits allocated": (sets(root, BitsAllocated=12), "PS3.3-C.7.6.3"),
    "a high bit elsewhere": (sets(root, HighBit=3), "PS3.3-C.7.6.3"),
    "half signed": (sets(root, PixelRepresentation=2), "PS3.3-C.7.6.3"),
    "planes of one sample": (
        sets(root, PlanarConfiguration=0, SamplesPerPixel=1, PhotometricInterpretation="MONOCHROME2"),
        "PS3.3-C.7.6.3",
    ),
    "a palette without tables": (
        sets(root, SamplesPerPixel=1, PhotometricInterpretation="PALETTE COLOR"),
        "PS3.3-C.7.6.3",
    ),
    "no conversion type": (deletes(root, "ConversionType"), "PS3.3-sc-equipment"),
    "a conversion of nothing": (sets(root, ConversionType="XYZ"), "PS3.3-C.8.6.1"),
    "an image type of one word": (sets(root, ImageType="DERIVED"), "PS3.3-C.7.6.1.1.2"),
    "an image type of other words": (sets(root, ImageType=["NEW", "SECONDARY"]), "PS3.3-C.7.6.1.1.2"),
    "perhaps burned in": (sets(root, BurnedInAnnotation="MAYBE"), "PS3.3-C.7.6.1"),
    "lossy in another way": (sets(root, LossyImageCompression="02"), "PS3.3-C.7.6.1"),
    "a window of width 0": (sets(root, WindowCenter="1", WindowWidth="0"), "PS3.3-C.11.2.1.2"),
    "no patient": (deletes(root, "PatientID"), "PS3.3-patient"),
    "several frames": (sets(root, NumberOfFrames="2"), "PS3.3-A.8.1"),
    "a shape that does not exist": (sets(root, PresentationLUTShape="LINEAR"), "PS3.3-C.7.6.1"),
}


@pytest.mark.parametrize(("spoil", "rule"), [pytest.param(*case, id=name) for name, case in CAPTURES.items()])
def test_ways_to_break_a_capture(tmp_path, authored, source, spoil: Spoil, rule):
    path = authored("secondary-capture")[0]
    assert rule in checked(path, spoil, tmp_path, source)


def test_a_capture_that_does_not_say_whether_text_is_in_it_gets_a_notice(tmp_path, authored):
    ds = pydicom.dcmread(authored("secondary-capture")[0])
    del ds.BurnedInAnnotation
    found = check_file(save_report(ds, tmp_path / "a.dcm"), {})
    assert found.violations == ()
    assert "PS3.3-C.7.6.1" in {item.rule for item in found.notices}


def test_lossy_pixels_say_so(tmp_path, authored):
    ds = pydicom.dcmread(authored("secondary-capture")[0])
    ds.LossyImageCompression = "00"
    path = save_report(ds, tmp_path / "a.dcm")
    renamed = pydicom.dcmread(path)
    renamed.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    from reread.connectors.reports.capture_checking import check_compression

    assert [item.rule for item in check_compression(renamed, JPEGBaseline8Bit)] == ["PS3.3-C.7.6.1.1.5"]
    assert list(check_compression(renamed, "1.2.840.10008.1.2.1")) == []


def cine(authored) -> Path:
    return authored("cine")[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spoil", "rule"),
    [
        (deletes(root, "FrameIncrementPointer"), "PS3.3-C.8.6.3"),
        (sets(root, FrameIncrementPointer=0x00541001), "PS3.3-C.7.6.6"),
        (lambda ds: setattr(ds, "NumberOfFrames", int(ds.NumberOfFrames) + 1), "PS3.3-C.7.6.3"),
        (sets(root, PhotometricInterpretation="MONOCHROME1"), "PS3.3-A.8"),
        (deletes(root, "BurnedInAnnotation"), "PS3.3-C.7.6.1"),
    ],
)
def test_ways_to_break_a_cine(tmp_path, authored, source, spoil: Spoil, rule):
    assert rule in checked(cine(authored), spoil, tmp_path, source)


def test_files_that_are_none_of_these(tmp_path, source):
    (tmp_path / "notes.txt").write_text("a folder has other files too")
    (tmp_path / "cut.dcm").write_bytes(source.read_bytes()[:200])
    named, cut, notes = check_files([source, tmp_path])
    assert named.kind == "image"
    assert cut.error
    assert (notes.kind, notes.error) == ("other", "")
    (asked,) = check_files([tmp_path / "notes.txt"])
    assert asked.error, "a file that was named must be one"
