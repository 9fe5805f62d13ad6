"""The files that `receive` sends: mammograms with grain, CT slices, one large tomosynthesis object.

They are written once and get new UIDs in place before each run, so that no receiver meets an object twice.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

ROWS, COLUMNS = 3328, 2560
"""A 24 x 30 cm digital mammogram at about 70 um, 12 of 16 bits: 17.0 MB"""
TOMO_ROWS = TOMO_COLUMNS = 2048
_CLASSES = {
    "mammogram": ("MG", "1.2.840.10008.5.1.4.1.1.1.2"),
    "ct": ("CT", "1.2.840.10008.5.1.4.1.1.2"),
    "tomosynthesis": ("MG", "1.2.840.10008.5.1.4.1.1.13.1.3"),
}
_IMAGES_PER_STUDY = {"mammogram": 4, "ct": 200, "tomosynthesis": 1}

Cells = NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class MadeFile:
    """A file and where its UIDs stand."""

    path: Path
    kind: str
    number: int
    size_bytes: int
    places: tuple[tuple[int, int], ...]
    """(offset, which): 1 SOP Instance UID, 2 Series, 3 Study"""

    def renew(self, run: int) -> None:
        """Write the UIDs of this run into the file."""
        uids = _uids(run, self.kind, self.number)
        with self.path.open("r+b") as file:
            for offset, which in self.places:
                file.seek(offset)
                file.write(uids[which])


def breast(rng: np.random.Generator) -> Cells:
    """Half an ellipse of tissue with cloudy texture, black air, and grain that grows with the signal."""
    rows, columns = np.ogrid[0:ROWS, 0:COLUMNS]
    radius = np.hypot((rows - ROWS / 2) / (0.42 * ROWS), columns / (0.72 * COLUMNS)).astype(np.float32)
    texture = np.zeros((ROWS // 16, COLUMNS // 16), np.float32)
    for sigma in (1.0, 3.0, 9.0):
        cloud = cv2.GaussianBlur(rng.standard_normal(texture.shape, np.float32), (0, 0), sigma)
        texture += cloud / cloud.std()
    thickness = np.sqrt(np.clip(1.0 - radius, 0.0, None))
    plane = thickness * (1700.0 + 180.0 * cv2.resize(texture, (COLUMNS, ROWS), interpolation=cv2.INTER_LINEAR))
    plane += (radius < 1.0) * np.sqrt(np.clip(plane, 0.0, None)) * rng.standard_normal(plane.shape, np.float32) * 0.6
    return np.clip(plane, 0, 4095).astype(np.uint16)


def mammograms(folder: Path, count: int) -> list[MadeFile]:
    """Mammograms of 17 MB; each is another shift of one breast."""
    plane = breast(np.random.default_rng(1))
    return [
        _write(folder, "mammogram", number, ROWS, COLUMNS, [np.roll(plane, 41 * number, axis=0)])
        for number in range(count)
    ]


def ct_slices(folder: Path, count: int) -> list[MadeFile]:
    """CT slices of 0.5 MB."""
    rng = np.random.default_rng(2)
    noise = rng.normal(1000.0, 60.0, (512, 512)).clip(0, 4095).astype(np.uint16)
    return [_write(folder, "ct", number, 512, 512, [np.roll(noise, 17 * number)]) for number in range(count)]


def tomosynthesis(folder: Path, megabytes: int) -> list[MadeFile]:
    """One multi-frame object of about this size."""
    plane = breast(np.random.default_rng(3))[:TOMO_ROWS, :TOMO_COLUMNS]
    frames = round(megabytes * 1e6 / plane.nbytes)
    shifted = (np.roll(plane, 13 * number, axis=0) for number in range(frames))
    return [_write(folder, "tomosynthesis", 0, TOMO_ROWS, TOMO_COLUMNS, shifted, frames)]


def _uids(run: int, kind: str, number: int) -> dict[int, bytes]:
    study = number // _IMAGES_PER_STUDY[kind]
    tail = f"{run:09d}{list(_CLASSES).index(kind)}{study:08d}"
    return {which: f"2.25.{which}{tail}{number if which == 1 else 0:010d}".encode() for which in (1, 2, 3)}


def _write(
    folder: Path, kind: str, number: int, rows: int, columns: int, frames: Iterable[Cells], count: int = 1
) -> MadeFile:
    uids = {which: uid.decode() for which, uid in _uids(0, kind, number).items()}
    modality, sop_class = _CLASSES[kind]
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = sop_class, uids[1]
    dataset.StudyDate = dataset.SeriesDate = dataset.AcquisitionDate = dataset.ContentDate = "20260102"
    dataset.StudyTime = dataset.ContentTime = "083000"
    dataset.AccessionNumber, dataset.Modality, dataset.Manufacturer = "1", modality, "Phantom"
    dataset.StudyDescription, dataset.SeriesDescription = "SCREENING", "L CC"
    dataset.PatientName, dataset.PatientID = "Phantom^Made", f"M{number:06d}"
    dataset.PatientBirthDate, dataset.PatientSex, dataset.PatientAge = "19600101", "F", "066Y"
    dataset.BodyPartExamined, dataset.KVP, dataset.ExposureTime = "BREAST", "29", "800"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = uids[3], uids[2]
    dataset.StudyID, dataset.SeriesNumber, dataset.InstanceNumber = "1", "1", str(number + 1)
    dataset.ImageLaterality, dataset.ViewPosition = "L", "CC"
    dataset.PatientOrientation = ["A", "F"]
    dataset.PixelSpacing = dataset.ImagerPixelSpacing = [0.07, 0.07]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.NumberOfFrames, dataset.Rows, dataset.Columns = count, rows, columns
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    dataset.WindowCenter, dataset.WindowWidth = 2048, 4096
    dataset.PresentationIntentType = "FOR PRESENTATION"
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID, dataset.file_meta.MediaStorageSOPInstanceUID = sop_class, uids[1]
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    path = folder / f"{kind}-{number:05d}.dcm"
    dataset.save_as(path, enforce_file_format=True)
    head = path.read_bytes()
    with path.open("ab") as file:
        file.write(struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OW", 0, 2 * rows * columns * count))
        for frame in frames:
            file.write(frame.tobytes())
    return MadeFile(path, kind, number, path.stat().st_size, tuple(_places(head, uids)))


def _places(head: bytes, uids: dict[int, str]) -> Iterable[tuple[int, int]]:
    for which, uid in uids.items():
        at = head.find(uid.encode())
        while at >= 0:
            yield at, which
            at = head.find(uid.encode(), at + 1)
