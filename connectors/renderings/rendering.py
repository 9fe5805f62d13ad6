"""Drawing files: every object becomes PNG files of what a viewer would show of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import UID

from reread.analytics.errors import InputError
from reread.connectors.dicom_parts import identify, parse, quiet_reading, read_bytes
from reread.connectors.mammogram_header import text
from reread.connectors.mammograms import read_header
from reread.connectors.picture_files import save_png
from reread.connectors.renderings import presentation
from reread.connectors.renderings.canvas import Canvas, Hanging
from reread.connectors.renderings.grey_scale import greys
from reread.connectors.renderings.report_marks import draw_marks, report_marks
from reread.connectors.renderings.segments import draw_segments, segments
from reread.connectors.renderings.stored_pixels import frames, is_grey, whole_number
from reread.connectors.reports.content_tree import read_content
from reread.connectors.results.presentation_state_grey import grey_attributes

_LARGEST_FILE = 1 << 31
_STATE = "1.2.840.10008.5.1.4.1.1.11.1"
_SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
_KEY_OBJECTS = "1.2.840.10008.5.1.4.1.1.88.59"
_REPORTS = "1.2.840.10008.5.1.4.1.1.88."
HEIGHT_PX = 1200


@dataclass(frozen=True, slots=True)
class Rendered:
    """What became of one file."""

    path: Path
    kind: str
    pictures: tuple[Path, ...] = ()
    problems: tuple[str, ...] = ()
    """what could not be drawn, and why; the rest is drawn"""


@dataclass(slots=True)
class _Work:
    folder: Path
    height_px: int
    images: Mapping[str, Path]
    taken: set[Path]
    """names of this run: files of two folders may have one name"""
    pictures: list[Path] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def render_files(
    paths: Iterable[Path], folder: Path, *, images: Iterable[Path] = (), height_px: int = HEIGHT_PX
) -> Iterator[Rendered]:
    """Draw files and all DICOM files of folders, in order.

    Images become one PNG a frame; presentation states, reports, segmentations and key object selections one PNG for
    each image that they refer to.

    Parameters
    ----------
    folder
        Gets the PNG files, named after the file that they show.
    images
        Files and folders with the images that others refer to; those among `paths` count too.
    """
    given = list(_files(paths))
    known = image_files([*given, *_files(images)])
    taken: set[Path] = set()
    for path in given:
        yield _rendered(path, _Work(folder, height_px, known, taken))


def image_files(paths: Iterable[Path]) -> dict[str, Path]:
    """SOP Instance UID → file, of all that can be read; which of them are images shows when one is asked for."""
    found: dict[str, Path] = {}
    for path in paths:
        try:
            found.setdefault(identify(path).sop_instance_uid, path)
        except InputError:
            continue
    return found


def _rendered(path: Path, work: _Work) -> Rendered:
    """Draw one file; never raises for what is in it."""
    kind = ""
    try:
        dataset = parse(read_bytes(path, _LARGEST_FILE))
        with quiet_reading():
            kind = UID(text(dataset, "SOPClassUID")).name
            _draw(path, dataset, work)
    except InputError as error:
        work.problems.append(str(error))
    except Exception as error:  # bytes that no parser expects: said, and on to the next file
        work.problems.append(f"cannot be drawn ({type(error).__name__})")
    return Rendered(path, kind, tuple(work.pictures), tuple(work.problems))


def _draw(path: Path, dataset: Dataset, work: _Work) -> None:
    sop_class_uid = text(dataset, "SOPClassUID")
    if sop_class_uid == _STATE:
        _state(path, dataset, work)
    elif sop_class_uid == _SEGMENTATION:
        _segmentation(path, dataset, work)
    elif sop_class_uid.startswith(_REPORTS):
        _report(path, work, every_image=sop_class_uid == _KEY_OBJECTS)
    elif whole_number(dataset, "Rows"):
        _image(path, dataset, work)
    else:
        work.problems.append("nothing in it can be drawn")


def _image(path: Path, dataset: Dataset, work: _Work) -> None:
    many = whole_number(dataset, "NumberOfFrames", 1) > 1
    grey = is_grey(dataset)
    state = grey_attributes(dataset, Dataset()) if grey else None
    for place, frame in enumerate(frames(dataset), start=1):
        shown = np.asarray(frame, np.uint8) if state is None else greys(frame, dataset, state)
        where = _whole(dataset, shown)
        # a capture is made to be read at its own size
        height = min(work.height_px, shown.shape[0]) if grey and "ViewPosition" in dataset else shown.shape[0]
        canvas = Canvas(where.picture(shown, height))
        _overlays(canvas, dataset, where)
        _save(work, path, f"-{place}" if many else "", canvas)


def _state(path: Path, state: Dataset, work: _Work) -> None:
    for uid in presentation.images_of(state):
        image = _named(uid, work)
        if image is None:
            continue
        (frame,) = frames(image)
        shown = greys(frame, image, state)
        where = presentation.hanging(state, image, *shown.shape)
        canvas = Canvas(where.picture(shown, work.height_px))
        presentation.draw(canvas, state, image, where)
        _save(work, path, f"-{_view(image, work.images[uid])}", canvas)
    work.problems += [f"{name} left out" for name in presentation.left_out(state)]


def _segmentation(path: Path, dataset: Dataset, work: _Work) -> None:
    found = tuple(segments(dataset))
    for uid in dict.fromkeys(item.sop_instance_uid for item in found):
        image = _named(uid, work)
        if image is None:
            continue
        canvas, where = _plain(image, work.height_px)
        here = tuple(item for item in found if item.sop_instance_uid == uid)
        size = (whole_number(image, "Rows"), whole_number(image, "Columns"))
        if any(item.mask.shape != size for item in here):
            work.problems.append("a segment has not the size of its image")
            continue
        draw_segments(canvas, here, where)
        _save(work, path, f"-{_view(image, work.images[uid])}", canvas)


def _report(path: Path, work: _Work, *, every_image: bool) -> None:
    """Draw the images with coordinates; a key object selection shows every image it names."""
    _, root = read_content(path)
    marks = report_marks(root)
    uids = [mark.sop_instance_uid for mark in marks]
    if every_image:
        uids = [node.sop_instance_uid for node in root.walk() if node.value_type == "IMAGE"]
    if not uids:
        work.problems.append("no coordinates on any image")
    for uid in dict.fromkeys(uids):
        image = _named(uid, work)
        if image is None:
            continue
        canvas, where = _plain(image, work.height_px)
        draw_marks(canvas, tuple(mark for mark in marks if mark.sop_instance_uid == uid), where)
        _save(work, path, f"-{_view(image, work.images[uid])}", canvas)


def _named(uid: str, work: _Work) -> Dataset | None:
    path = work.images.get(uid)
    if path is None:
        work.problems.append(f"image {uid or 'without a UID'} is not among the files")
        return None
    image = parse(read_bytes(path, _LARGEST_FILE))
    if not is_grey(image) or whole_number(image, "NumberOfFrames", 1) > 1:
        work.problems.append(f"{path.name} is no grey image of one frame")
        return None
    return image


def _plain(image: Dataset, height_px: int) -> tuple[Canvas, Hanging]:
    (frame,) = frames(image)
    shown = greys(frame, image, grey_attributes(image, Dataset()))
    where = _whole(image, shown)
    return Canvas(where.picture(shown, height_px)), where


def _whole(image: Dataset, shown: NDArray[np.uint8]) -> Hanging:
    rows, columns = shown.shape[:2]
    return Hanging(0, 0, columns, rows, aspect=presentation.pixel_aspect(image))


def _overlays(canvas: Canvas, image: Dataset, where: Hanging) -> None:
    """Overlay planes 60xx, white with a dark seam (PS3.3 C.9.2)."""
    for group in range(0x6000, 0x601F, 2):
        if (group, 0x3000) not in image:
            continue
        plane = np.zeros((where.bottom, where.right), np.uint8)
        drawn = (np.asarray(image.overlay_array(group)) > 0).astype(np.uint8) * 255
        top, left = (int(value) - 1 for value in image[group, 0x0050].value)
        part = drawn[max(-top, 0) :, max(-left, 0) :][: where.bottom - max(top, 0), : where.right - max(left, 0)]
        plane[max(top, 0) :, max(left, 0) :][: part.shape[0], : part.shape[1]] = part
        strokes = where.picture(plane, canvas.height_px) > 20
        seam = cv2.dilate(strokes.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        canvas.pixels[seam], canvas.pixels[strokes] = 0, 255


def _view(image: Dataset, path: Path) -> str:
    """Side and view for the name of a file, as measuring reads them; of another image what its attributes say."""
    try:
        header = read_header(path)
        named = f"{header.laterality.value}{header.view.value}"
    except InputError:
        named = f"{text(image, 'ImageLaterality') or text(image, 'Laterality')}{text(image, 'ViewPosition')}"
    return "".join(letter for letter in named if letter.isalnum()) or "image"


def _save(work: _Work, path: Path, suffix: str, canvas: Canvas) -> None:
    name, count = f"{path.stem}{suffix}", 1
    while (target := work.folder / f"{name}.png") in work.taken:
        count += 1
        name = f"{path.stem}{suffix}-{count}"
    save_png(canvas.pixels, target)
    work.taken.add(target)
    work.pictures.append(target)


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(found for found in path.rglob("*") if found.is_file() and _is_dicom(found))
        else:
            yield path


def _is_dicom(path: Path) -> bool:
    try:
        identify(path)
    except InputError:
        return False
    return True
