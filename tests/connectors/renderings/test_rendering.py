"""Pictures of results without a viewer: the grey scale against dcmtk, marks where the result has them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pydicom
import pytest
from dicom_validators import dcmtk, run
from hypothesis import given
from hypothesis import strategies as st
from made_studies import mammogram_dataset, save
from pydicom.dataset import Dataset
from result_cases import author, case_of

from reread.connectors.renderings.canvas import Hanging
from reread.connectors.renderings.grey_scale import greys
from reread.connectors.renderings.rendering import Rendered, render_files
from reread.connectors.renderings.stored_pixels import frames

MARKED = ["presentation-state", "segmentation", "mammography-cad-sr", "measurement-report", "key-objects"]
ALL = [*MARKED, "secondary-capture", "density-page", "cine", "overlay"]


def picture(path: Path) -> np.ndarray:
    return np.asarray(cv2.imread(str(path)))


def drawn(path: Path, folder: Path, images: Path, height: int = 240) -> Rendered:
    (found,) = render_files([path], folder, images=[images], height_px=height)
    return found


@pytest.mark.parametrize("form", ALL)
def test_every_form_becomes_pictures(tmp_path, form):
    result, sources = case_of(tmp_path / "in")
    for item in author(result, sources, tmp_path / "out", [form]):
        found = drawn(item.path, tmp_path / "png", tmp_path / "in")
        if found.pictures:
            assert found.problems == ()
            assert all(picture(path).std() > 5 for path in found.pictures)
        else:  # a report of numbers alone
            assert (form, found.problems) == ("measurement-report", ("no coordinates on any image",))


def marked_mask(path: Path, plain: Path) -> np.ndarray:
    return np.abs(picture(path).astype(int) - picture(plain).astype(int)).max(axis=2) > 40


@pytest.mark.parametrize("form", ["presentation-state", "mammography-cad-sr", "measurement-report"])
def test_marks_lie_round_the_finding(tmp_path, form):
    """The picture has the size of the image, so that its pixels are those of the result."""
    result, sources = case_of(tmp_path / "in")
    image = result.images[0]
    source = sources[image.header.sop_instance_uid]
    plain = drawn(source, tmp_path / "plain", tmp_path / "in").pictures[0]
    name = f"{image.header.laterality.value}{image.header.view.value}"
    written = author(result, sources, tmp_path / "out", [form])
    pictures = [
        path
        for item in written
        for path in drawn(item.path, tmp_path / "png", tmp_path / "in").pictures
        if path.stem.endswith(f"-{name}")
    ]
    changed = marked_mask(pictures[0], plain)
    x, y = (round(value) for value in (image.findings[0].x_px, image.findings[0].y_px))
    reach = max(int(np.ptp(np.array(image.findings[0].outline), axis=0).max()), 8)
    near = np.zeros_like(changed)
    near[max(y - reach, 0) : y + reach, max(x - reach, 0) : x + reach] = True
    assert (changed & near).any()


@pytest.mark.parametrize("variant", ["usual", "monochrome1", "flipped"])
def test_the_grey_scale_is_that_of_dcmtk(tmp_path, variant):
    if not dcmtk("dcmp2pgm").exists():
        pytest.skip("dcmp2pgm is not installed")
    result, sources = case_of(tmp_path / "in", variant)
    for image, item in zip(result.images, author(result, sources, tmp_path, ["presentation-state"]), strict=True):
        source = sources[image.header.sop_instance_uid]
        status, said = run(dcmtk("dcmp2pgm"), "-p", item.path, source, tmp_path / "a.pgm")
        assert status == 0, said
        theirs = np.frombuffer((tmp_path / "a.pgm").read_bytes()[-240 * 180 :], np.uint8).reshape(240, 180)
        dataset = pydicom.dcmread(source)
        (stored,) = frames(dataset)
        ours = greys(stored, dataset, pydicom.dcmread(item.path))
        # dcmtk counts in whole steps of its output
        assert np.abs(ours.astype(int) - theirs).max() <= 1


def ramp() -> tuple[np.ndarray, Dataset]:
    image = Dataset()
    image.BitsStored, image.PixelRepresentation = 12, 0
    return np.arange(4096).reshape(64, 64), image


def window(center: float, width: float, function: str = "LINEAR") -> Dataset:
    state, item = Dataset(), Dataset()
    item.WindowCenter, item.WindowWidth, item.VOILUTFunction = center, width, function
    state.SoftcopyVOILUTSequence, state.PresentationLUTShape = [item], "IDENTITY"
    return state


def test_windows_follow_their_function():
    """PS3.3 C.11.2.1.2 and C.11.2.1.3, at points worked out by hand."""
    stored, image = ramp()
    linear = greys(stored, image, window(2048, 4096)).ravel()
    assert (linear[0], linear[4095]) == (0, 255)
    assert linear[2048] == round((0.5 / 4095 + 0.5) * 255)
    exact = greys(stored, image, window(1000, 100, "LINEAR_EXACT")).ravel()
    assert (exact[950], exact[1000], exact[1050]) == (0, 128, 255)
    sigmoid = greys(stored, image, window(1000, 400, "SIGMOID")).ravel()
    assert (sigmoid[1000], sigmoid[1100]) == (128, round(255 / (1 + np.exp(-1))))


def test_without_a_window_the_whole_range_is_shown_and_inverse_turns_it():
    stored, image = ramp()
    state = Dataset()
    state.PresentationLUTShape = "INVERSE"
    shown = greys(stored, image, state).ravel()
    assert (shown[0], shown[4095]) == (255, 0)


def test_tables_go_before_and_after(tmp_path):
    stored, image = ramp()
    modality, presentation, state = Dataset(), Dataset(), Dataset()
    modality.add_new("LUTDescriptor", "US", [4096, 0, 16])
    modality.add_new("LUTData", "OW", np.arange(4096, dtype="<u2")[::-1].tobytes())
    presentation.add_new("LUTDescriptor", "US", [2, 0, 16])
    presentation.add_new("LUTData", "US", [0, 32768])
    state.ModalityLUTSequence, state.PresentationLUTSequence = [modality], [presentation]
    shown = greys(stored, image, state).ravel()
    assert (shown[0], shown[4095]) == (128, 0)


@given(
    st.integers(0, 3),
    st.booleans(),
    st.integers(-5, 20),
    st.integers(-5, 20),
    st.integers(30, 60),
    st.integers(30, 60),
    st.tuples(st.integers(22, 28), st.integers(22, 28)),
)
def test_a_pixel_and_a_point_on_it_land_at_one_place(turns, mirrored, left, top, right, bottom, spot):
    """Whatever part of the image is shown and however it is turned."""
    x, y = spot
    image = np.zeros((60, 60), np.uint8)
    image[y, x] = 255
    where = Hanging(left, top, right, bottom, quarter_turns=turns, mirrored=mirrored)
    high = right - left if turns % 2 else bottom - top
    shown = where.picture(image, high)
    row, column = np.unravel_index(int(shown.argmax()), shown.shape)
    assert shown[row, column] == 255
    assert np.allclose(where.place(np.array([(x + 0.5, y + 0.5)]), high)[0], (column + 0.5, row + 0.5))


def graphics_state(image: Dataset, **changes: object) -> Dataset:
    """A presentation state of another maker: turned, with graphics in parts of what is shown."""
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = image.SOPClassUID, image.SOPInstanceUID
    state, series, annotation, layer = Dataset(), Dataset(), Dataset(), Dataset()
    state.SOPClassUID, state.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.11.1", "2.25.777"
    series.ReferencedImageSequence = [reference]
    state.ReferencedSeriesSequence = [series]
    state.ImageRotation, state.ImageHorizontalFlip, state.PresentationLUTShape = 90, "N", "IDENTITY"
    graphic = Dataset()
    graphic.GraphicAnnotationUnits, graphic.GraphicType, graphic.GraphicFilled = "DISPLAY", "CIRCLE", "Y"
    graphic.GraphicData = [0.25, 0.5, 0.25, 0.55]
    curve = Dataset()
    curve.GraphicAnnotationUnits, curve.GraphicType, curve.GraphicFilled = "PIXEL", "INTERPOLATED", "N"
    curve.GraphicData = [10, 200, 60, 180, 120, 200]
    point = Dataset()
    point.GraphicAnnotationUnits, point.GraphicType, point.GraphicFilled = "PIXEL", "POINT", "N"
    point.GraphicData = [90, 30]
    words = Dataset()
    words.AnchorPointAnnotationUnits, words.AnchorPoint, words.AnchorPointVisibility = "DISPLAY", [0.5, 0.9], "N"
    words.UnformattedTextValue = "seen\r\nthere"
    annotation.GraphicLayer, annotation.GraphicObjectSequence = "ONE", [graphic, curve, point]
    annotation.TextObjectSequence = [words]
    layer.GraphicLayer, layer.GraphicLayerOrder = "ONE", 1
    layer.GraphicLayerRecommendedDisplayGrayscaleValue = 65535
    state.GraphicAnnotationSequence, state.GraphicLayerSequence = [annotation], [layer]
    for keyword, value in changes.items():
        setattr(state, keyword, value)
    return state


def saved(state: Dataset, path: Path) -> Path:
    state.file_meta = pydicom.dataset.FileMetaDataset()
    state.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    state.file_meta.MediaStorageSOPClassUID = state.SOPClassUID
    state.file_meta.MediaStorageSOPInstanceUID = state.SOPInstanceUID
    state.save_as(path, enforce_file_format=True)
    return path


def test_a_state_of_another_maker_is_turned_and_its_graphics_drawn(tmp_path):
    image = mammogram_dataset("L", "CC")
    save(image, tmp_path / "image.dcm")
    path = saved(graphics_state(image), tmp_path / "state.dcm")
    found = drawn(path, tmp_path / "png", tmp_path / "image.dcm", height=180)
    assert found.problems == ()
    shown = picture(found.pictures[0])
    assert shown.shape[:2] == (180, 240)
    # the filled circle in the middle of the left half, the point turned with the image
    assert (shown[90, 60] == 255).all()
    assert shown[88:92, 208:212].max() > 150


def test_what_is_not_drawn_is_said(tmp_path):
    image = mammogram_dataset("L", "CC")
    save(image, tmp_path / "image.dcm")
    state = graphics_state(image, ShutterShape="CIRCULAR")
    found = drawn(saved(state, tmp_path / "state.dcm"), tmp_path / "png", tmp_path / "image.dcm")
    assert found.problems == ("shutter left out",)
    assert len(found.pictures) == 1


def test_an_image_that_is_not_there_is_named_and_nothing_else_is_lost(tmp_path):
    result, sources = case_of(tmp_path / "in")
    gone = result.images[0].header.sop_instance_uid
    sources_left = [path for uid, path in sources.items() if uid != gone]
    (report,) = author(result, sources, tmp_path / "out", ["mammography-cad-sr"])
    (found,) = render_files([report.path], tmp_path / "png", images=sources_left)
    assert found.problems == (f"image {gone} is not among the files",)
    assert len(found.pictures) == 3


@pytest.mark.parametrize("content", [b"", b"no DICOM at all", bytes(400)])
def test_files_that_are_none_are_said_to_be_none(tmp_path, content):
    (tmp_path / "a.dcm").write_bytes(content)
    (found,) = render_files([tmp_path / "a.dcm"], tmp_path / "png")
    assert found.pictures == ()
    assert len(found.problems) == 1


def test_an_image_cut_off_is_said_to_be_so(tmp_path):
    path = save(mammogram_dataset("L", "CC"), tmp_path / "a.dcm")
    path.write_bytes(path.read_bytes()[:-5000])
    (found,) = render_files([path], tmp_path / "png")
    assert found.pictures == ()
    assert "truncated" in found.problems[0]
