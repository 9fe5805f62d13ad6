"""What our objects hold: read off objects that the authoring code writes of three made studies.

Each has a digital image and a digitised film. Two studies differ in everything that can differ, the third has images
that say as little as they may. What is the same in all is fixed; what equals an image is copied. So the tables cannot
say anything else than the code. Of a form that writes several objects the first of a study is described.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from highdicom._standard_utils import get_iod_module_map, get_module_attribute_map, get_sop_class_iod_map
from pydicom.datadict import dictionary_description, dictionary_VR, keyword_for_tag
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID

from reread.analytics.records import (
    BreastRegion,
    DensityScore,
    Finding,
    FindingKind,
    ImageHeader,
    ImageResult,
    Laterality,
    Nipple,
    PectoralMuscle,
    Provenance,
    StudyResult,
    View,
)
from reread.connectors.conformance_facts import WrittenAttribute, WrittenObject
from reread.connectors.header_values import COPIED
from reread.connectors.mammogram_header import FOR_PRESENTATION
from reread.connectors.mammograms import read_header
from reread.connectors.results.authoring import WRITTEN_TRANSFER_SYNTAX, ResultFormat, author_study
from reread.connectors.results.capture import SECONDARY_CAPTURE
from reread.connectors.results.forms import AuthoredObject

FIXED, COPY, MADE = "fixed", "copied from an image of the study", "made for each object"
ALWAYS, ALWAYS_EMPTY, SOMETIMES = "always", "always, may be empty", "where it applies"
_BYTES = ("OB", "OW", "OB or OW")
_SIDES = (Laterality.LEFT, Laterality.RIGHT, Laterality.LEFT)
_REPLACING = (ResultFormat.CAD_SR, ResultFormat.MEASUREMENT_REPORT, ResultFormat.ENHANCED_REPORT)
"""the forms that name what they replace"""


@dataclass(frozen=True, slots=True)
class _Study:
    """One made study and what was written of it."""

    sources: tuple[Dataset, ...]
    objects: Mapping[str, Dataset]
    """name of a form → its first object"""


def written_objects(folder: Path) -> tuple[WrittenObject, ...]:
    """Author the samples in a folder and describe them."""
    studies = [_authored(folder / str(number), number) for number in range(3)]
    return tuple(_described(form, studies) for form in ResultFormat)


def _described(form: ResultFormat, studies: list[_Study]) -> WrittenObject:
    first = studies[0].objects[form]
    content = tuple(_content(first)) if "ContentSequence" in first else ()
    return WrittenObject(form, str(first.SOPClassUID), tuple(_attributes(form, studies)), content)


def _attributes(form: str, studies: list[_Study]) -> Iterator[WrittenAttribute]:
    modules = _modules(str(studies[0].objects[form].SOPClassUID))
    written = [study.objects[form] for study in studies]
    for tag in sorted({int(element.tag) for dataset in written for element in dataset}):
        keyword = keyword_for_tag(tag)
        module, usage = modules.get(keyword, ("(none of the IOD)", ""))
        elements = [dataset.get_item(tag) for dataset in written]
        vr = next(dataset[tag].VR for dataset in written if tag in dataset)
        if None in elements:
            presence = SOMETIMES
        else:
            presence = ALWAYS_EMPTY if any(dataset[tag].is_empty for dataset in written) else ALWAYS
        yield WrittenAttribute(
            module, usage, tag, dictionary_description(tag), vr, presence, _origin(tag, vr, studies, written)
        )


def _origin(tag: int, vr: str, studies: list[_Study], written: list[Dataset]) -> str:
    values = [dataset[tag].value for dataset in written if tag in dataset]
    if all(dataset[tag].is_empty for dataset in written if tag in dataset):
        return f"{FIXED}: empty"
    pairs = [(study.sources, dataset) for study, dataset in zip(studies, written, strict=True) if tag in dataset]
    copied = all(
        dataset[tag].is_empty or any(tag in source and source[tag].value == dataset[tag].value for source in sources)
        for sources, dataset in pairs
    )
    if vr in _BYTES:
        return COPY if copied else MADE
    if all(value == values[0] for value in values[1:]) and len(values) == len(written):
        return f"{FIXED}: {_shown(values[0])}" if vr != "SQ" else FIXED
    return COPY if copied else MADE


def _shown(value: Any) -> str:
    parts = [value] if isinstance(value, str) or not hasattr(value, "__iter__") else list(value)
    return ", ".join(map(str, parts))


def _modules(sop_class_uid: str) -> dict[str, tuple[str, str]]:
    """Keyword to the first module of the IOD that has it at its top level, and the usage of that module."""
    attributes = get_module_attribute_map()
    found: dict[str, tuple[str, str]] = {}
    for module in get_iod_module_map()[get_sop_class_iod_map()[sop_class_uid]]:
        for attribute in attributes[module["key"]]:
            if not attribute["path"]:
                found.setdefault(attribute["keyword"], (module["key"].replace("-", " "), module["usage"]))
    return found


def _content(root: Dataset) -> Iterator[tuple[str, str, str, str]]:
    """The content tree, each kind of item once."""
    seen = set()

    def below(item: Dataset, path: tuple[str, ...]) -> Iterator[tuple[str, str, str, str]]:
        concepts = item.get("ConceptNameCodeSequence")
        concept = _code(concepts[0]) if concepts else ""
        relationship = str(item.get("RelationshipType", ""))
        value_type = str(item.get("ValueType", "by reference"))
        own = (*path, f"{relationship} {value_type} {concept}")
        if own not in seen:
            seen.add(own)
            units = item.get("MeasuredValueSequence")
            unit = _code(units[0].MeasurementUnitsCodeSequence[0]) if units else ""
            yield f"{'> ' * len(path)}{relationship}".strip(), value_type, concept, unit
        for child in item.get("ContentSequence", ()):
            yield from below(child, own)

    yield from below(root, ())


def _code(item: Dataset) -> str:
    return f"({item.CodeValue}, {item.CodingSchemeDesignator}, {item.CodeMeaning})"


def _authored(folder: Path, number: int) -> _Study:
    folder.mkdir(parents=True)
    sources = (_source(number), _film(number))
    paths = [folder / f"{source.SOPInstanceUID}.dcm" for source in sources]
    for source, path in zip(sources, paths, strict=True):
        source.save_as(path, enforce_file_format=True)
    result = _result(paths, number)
    uids = [item.header.sop_instance_uid for item in result.images]
    written = author_study(
        result,
        sources=dict(zip(uids, paths, strict=True)),
        provenance=Provenance(
            "reread-mammography", f"0.{number}", "0" * 16, "run", f"2026-01-0{number + 1}T0{number}:01:02Z"
        ),
        folder=folder,
        formats=tuple(ResultFormat),
        predecessors={form: _replaced(form, path) for form in _REPLACING for path in paths[:1]} if number == 1 else {},
    )
    objects: dict[str, Dataset] = {}
    for item in written:
        objects.setdefault(item.format, pydicom.dcmread(item.path))
    return _Study(sources, objects)


def _replaced(form: ResultFormat, path: Path) -> AuthoredObject:
    return AuthoredObject(form, form.sop_class_uid, "2.25.1", "2.25.2", "2.25.3", path)


def _source(number: int) -> Dataset:
    """A mammogram; the last one says no more than what makes it readable."""
    dataset = Dataset()
    if number < 2:
        dataset.SpecificCharacterSet = ("ISO_IR 100", "ISO_IR 192")[number]
        for keyword in COPIED:
            setattr(dataset, keyword, _value(dictionary_VR(keyword), keyword, number))
        dataset.ContentDate, dataset.ContentTime = f"2020010{number + 1}", "101500"
        dataset.PatientOrientation = (["A", "R"], ["P", "L"])[number]
        dataset.Manufacturer, dataset.ManufacturerModelName = f"Made {number}", f"Model {number}"
        dataset.ImagerPixelSpacing = dataset.PixelSpacing = [f"0.{number + 1}", f"0.{number + 1}"]
    dataset.SOPClassUID, dataset.SOPInstanceUID = FOR_PRESENTATION, f"2.25.10{number}"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = f"2.25.20{number}", f"2.25.30{number}"
    dataset.Modality, dataset.PresentationIntentType = "MG", "FOR PRESENTATION"
    dataset.ImageLaterality, dataset.ViewPosition = _SIDES[number].value, "CC"
    dataset.SeriesNumber, dataset.InstanceNumber = number + 1, number + 1
    _pixels(dataset, number)
    return dataset


def _film(number: int) -> Dataset:
    """A digitised film of the same study."""
    dataset = _source(number)
    dataset.SOPClassUID, dataset.SOPInstanceUID = SECONDARY_CAPTURE, f"2.25.11{number}"
    dataset.SeriesInstanceUID, dataset.ConversionType, dataset.ViewPosition = f"2.25.31{number}", "DF", "MLO"
    del dataset.PresentationIntentType
    dataset.file_meta.MediaStorageSOPClassUID = UID(SECONDARY_CAPTURE)
    dataset.file_meta.MediaStorageSOPInstanceUID = UID(dataset.SOPInstanceUID)
    return dataset


def _pixels(dataset: Dataset, number: int) -> None:
    rows, columns = 100 + 20 * number, 80 + 10 * number
    y, x = np.mgrid[:rows, :columns]
    right = _SIDES[number] is Laterality.RIGHT
    inside = ((columns - x if right else x) / 60) ** 2 + ((y - rows / 2) / 45) ** 2 < 1
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows, dataset.Columns = rows, columns
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    dataset.add_new(0x7FE00010, "OW", np.where(inside, 1000 + 10 * x + y, 0).astype("<u2").tobytes())
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(WRITTEN_TRANSFER_SYNTAX)
    dataset.file_meta.MediaStorageSOPClassUID = UID(FOR_PRESENTATION)
    dataset.file_meta.MediaStorageSOPInstanceUID = UID(dataset.SOPInstanceUID)


def _value(vr: str, keyword: str, number: int) -> str:
    by_vr = {"DA": f"2020010{number + 1}", "TM": f"0{number}0000", "AS": f"05{number}Y", "DS": f"6{number}"}
    return by_vr.get(vr, "FM"[number] if vr == "CS" else f"{keyword[:12]} {number}")


def _result(paths: Sequence[Path], number: int) -> StudyResult:
    """What an analysis might have found; laid out by hand, so that the numbers are no secret of an algorithm."""
    density = DensityScore(20.0 + number, "b", 800.0, 4000.0, 0.5)
    images = tuple(_image(read_header(path), density, number) for path in paths)
    header = images[0].header
    return StudyResult(
        header.study_instance_uid, number + 1, "woman", header.study_date, images, (), density, density, density
    )


def _image(header: ImageHeader, density: DensityScore, number: int) -> ImageResult:
    right = header.laterality is Laterality.RIGHT

    def at(*points: tuple[float, float]) -> tuple[tuple[float, float], ...]:
        return tuple((header.columns - 1 - x if right else x, y) for x, y in points)

    ring = at((20.0, 45.0), (30.0, 45.0), (30.0, 55.0), (20.0, 55.0))
    ((mass_x, mass_y), (cluster_x, cluster_y)) = at((25.0, 50.0), (15.0, 60.0))
    findings = (
        Finding(FindingKind.MASS, mass_x, mass_y, 0.9, 0, ring, 12.0),
        Finding(FindingKind.CALCIFICATION, cluster_x, cluster_y, 0.8, 1, ring, 8.0, at((14.0, 60.0), (16.0, 60.0))),
    )
    ((nipple_x, nipple_y),) = at((60.0, 50.0))
    return ImageResult(
        header,
        BreastRegion(at((0.0, 5.0), (60.0, 50.0), (0.0, 95.0)), 4000.0, not right),
        PectoralMuscle(at((0.0, 0.0), (20.0, 0.0), (0.0, 30.0)), 900.0, 25.0) if header.view is View.MLO else None,
        Nipple(nipple_x, nipple_y, 0.8),
        density,
        findings[: 2 - number] or findings[:1],
        None,
        "",
        (),
    )
