"""What our objects hold: read off objects that the authoring code writes of three made studies.

Two studies differ in everything that can differ, the third has images that say as little as they may. What is
the same in all is fixed; what equals the image is copied. So the tables cannot say anything else than the code.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
    Size,
    StudyResult,
    View,
)
from reread.connectors.conformance_facts import WrittenAttribute, WrittenObject
from reread.connectors.header_values import COPIED
from reread.connectors.mammogram_header import FOR_PRESENTATION
from reread.connectors.reports.cad_report import MAMMOGRAPHY_CAD_SR
from reread.connectors.results.authoring import WRITTEN_TRANSFER_SYNTAX, ResultFormat, author_study
from reread.connectors.results.forms import AuthoredObject

FIXED, COPY, MADE = "fixed", "copied from an image of the study", "made for each object"
ALWAYS, ALWAYS_EMPTY, SOMETIMES = "always", "always, may be empty", "where it applies"
_BYTES = ("OB", "OW", "OB or OW")


@dataclass(frozen=True, slots=True)
class _Study:
    """One made study and what was written of it."""

    source: Dataset
    objects: Mapping[ResultFormat, Dataset]


def written_objects(folder: Path) -> tuple[WrittenObject, ...]:
    """Author the samples in a folder and describe them."""
    studies = [_authored(folder / str(number), number) for number in range(3)]
    return tuple(
        WrittenObject(
            format,
            tuple(_attributes(format, studies)),
            tuple(_content(studies[0].objects[format])) if "ContentSequence" in studies[0].objects[format] else (),
        )
        for format in ResultFormat
    )


def _attributes(format: ResultFormat, studies: list[_Study]) -> Iterator[WrittenAttribute]:
    modules = _modules(format.sop_class_uid)
    written = [study.objects[format] for study in studies]
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
    if vr in _BYTES:
        return MADE
    if all(value == values[0] for value in values[1:]) and len(values) == len(written):
        return f"{FIXED}: {_shown(values[0])}" if vr != "SQ" else FIXED
    pairs = [(study.source, dataset) for study, dataset in zip(studies, written, strict=True) if tag in dataset]
    if all(
        dataset[tag].is_empty or (tag in source and source[tag].value == dataset[tag].value)
        for source, dataset in pairs
    ):
        return COPY
    return MADE


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
    source = _source(number)
    path = folder / "source.dcm"
    source.save_as(path, enforce_file_format=True)
    result = _result(source, number)
    picture = np.zeros((64 + 32 * number, 48 + 32 * number, 3), dtype=np.uint8)
    written = author_study(
        result,
        sources={item.header.sop_instance_uid: path for item in result.images},
        provenance=Provenance(
            "reread-mammography", f"0.{number}", "0" * 16, "run", f"2026-01-0{number + 1}T0{number}:01:02Z"
        ),
        folder=folder,
        formats=tuple(ResultFormat),
        pictures={item.header.sop_instance_uid: picture for item in result.images},
        predecessors={
            ResultFormat.CAD_SR: AuthoredObject(
                ResultFormat.CAD_SR, MAMMOGRAPHY_CAD_SR, "2.25.1", "2.25.2", "2.25.3", path
            )
        }
        if number == 1
        else {},
    )
    return _Study(source, {ResultFormat(item.format): pydicom.dcmread(item.path) for item in written})


def _source(number: int) -> Dataset:
    """The header of a mammogram; the last one is bare."""
    dataset = Dataset()
    if number < 2:
        dataset.SpecificCharacterSet = ("ISO_IR 100", "ISO_IR 192")[number]
        for keyword in COPIED:
            setattr(dataset, keyword, _value(dictionary_VR(keyword), keyword, number))
    dataset.SOPClassUID, dataset.SOPInstanceUID = FOR_PRESENTATION, f"2.25.10{number}"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = f"2.25.20{number}", f"2.25.30{number}"
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(WRITTEN_TRANSFER_SYNTAX)
    dataset.file_meta.MediaStorageSOPClassUID = UID(FOR_PRESENTATION)
    dataset.file_meta.MediaStorageSOPInstanceUID = UID(dataset.SOPInstanceUID)
    return dataset


def _value(vr: str, keyword: str, number: int) -> str:
    by_vr = {"DA": f"2020010{number + 1}", "TM": f"0{number}0000", "AS": f"05{number}Y", "DS": f"6{number}"}
    return by_vr.get(vr, "FM"[number] if vr == "CS" else f"{keyword[:12]} {number}")


def _result(source: Dataset, number: int) -> StudyResult:
    header = ImageHeader(
        sop_instance_uid=str(source.SOPInstanceUID),
        sop_class_uid=FOR_PRESENTATION,
        series_instance_uid=str(source.SeriesInstanceUID),
        study_instance_uid=str(source.StudyInstanceUID),
        rows=100,
        columns=80,
        laterality=(Laterality.LEFT, Laterality.RIGHT, Laterality.LEFT)[number],
        view=View.MLO,
        spacing=Size(0.1, 0.1),
        for_processing=False,
        manufacturer="",
        model="",
        device_serial="",
        study_date=str(source.get("StudyDate", "")),
        study_time=str(source.get("StudyTime", "")),
        content_date=f"2020010{number + 1}" if number < 2 else "",
        content_time="101500" if number < 2 else "",
        patient_orientation=("A", "FR"),
        inferred=(),
        input_digest="0" * 64,
    )
    density = DensityScore(20.0 + number, "b", 800.0, 4000.0, 0.5)
    ring = ((10.0, 10.0), (20.0, 10.0), (20.0, 20.0), (10.0, 20.0))
    findings = (
        Finding(FindingKind.MASS, 15.0, 15.0, 0.9, 0, ring, 12.0),
        Finding(FindingKind.CALCIFICATION, 30.0, 30.0, 0.8, 1, ring, 8.0, ((29.0, 30.0), (31.0, 30.0))),
    )
    image = ImageResult(
        header,
        BreastRegion(((0.0, 5.0), (60.0, 50.0), (0.0, 95.0)), 4000.0, True),
        PectoralMuscle(((0.0, 0.0), (20.0, 0.0), (0.0, 30.0)), 900.0, 25.0),
        Nipple(60.0, 50.0, 0.8),
        density,
        findings[: 2 - number],
        None,
        "",
        (),
    )
    return StudyResult(
        header.study_instance_uid, number + 1, "woman", header.study_date, (image,), (), density, density, density
    )
