"""Content items as nested data sets in a file, every value type included."""

from __future__ import annotations

from pathlib import Path

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from reread.connectors.reports.codes import Code
from reread.connectors.reports.content_items import Item

MAMMOGRAM = "1.2.840.10008.5.1.4.1.1.1.2"
IMAGES = ("2.25.11", "2.25.12")
_TEXTS = {"TEXT": "TextValue", "DATE": "Date", "TIME": "Time", "UIDREF": "UID"}


def as_dataset(made: Item, paths: dict[int, tuple[int, ...]]) -> Dataset:
    """One item with all below it, every value type included."""
    built = Dataset()
    if made.relationship:
        built.RelationshipType = made.relationship
    if made.target is not None:
        built.ReferencedContentItemIdentifier = list(paths[id(made.target)])
        return built
    built.ValueType = made.value_type
    if made.concept is not None:
        built.ConceptNameCodeSequence = [coded(made.concept)]
    if made.value_type == "CONTAINER":
        built.ContinuityOfContent = "SEPARATE"
    if made.value_type in _TEXTS:
        setattr(built, _TEXTS[made.value_type], made.text)
    if made.value_type == "CODE" and made.code is not None:
        built.ConceptCodeSequence = [coded(made.code)]
    if made.value_type == "NUM" and made.code is not None:
        measured = Dataset()
        measured.MeasurementUnitsCodeSequence = [coded(made.code)]
        measured.NumericValue = made.text
        built.MeasuredValueSequence = [measured]
    if made.value_type == "SCOORD":
        built.GraphicType, built.GraphicData = made.graphic_type, list(made.graphic)
    if made.instance is not None:
        built.ReferencedSOPSequence = [reference(*made.instance)]
    if made.template:
        template = Dataset()
        template.MappingResource, template.TemplateIdentifier = "DCMR", made.template
        built.ContentTemplateSequence = [template]
    if made.children:
        built.ContentSequence = [as_dataset(child, paths) for child in made.children]
    return built


def coded(code: Code) -> Dataset:
    """One item of a code sequence."""
    built = Dataset()
    built.CodeValue, built.CodingSchemeDesignator, built.CodeMeaning = code.value, code.scheme, code.meaning[:64]
    return built


def reference(sop_class_uid: str, sop_instance_uid: str) -> Dataset:
    built = Dataset()
    built.ReferencedSOPClassUID, built.ReferencedSOPInstanceUID = sop_class_uid, sop_instance_uid
    return built


def surround(dataset: Dataset) -> None:
    """Patient, study, series, equipment and evidence."""
    dataset.SOPClassUID, dataset.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.88.50", "2.25.1"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "2.25.2", "2.25.3"
    for keyword in ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "ReferringPhysicianName", "StudyID"):
        setattr(dataset, keyword, "")
    dataset.AccessionNumber, dataset.StudyDate, dataset.StudyTime = "", "20260102", "101112"
    dataset.Modality, dataset.SeriesNumber, dataset.InstanceNumber = "SR", "1", "1"
    dataset.Manufacturer = "Reread"
    dataset.ContentDate, dataset.ContentTime = "20260102", "101112"
    dataset.CompletionFlag, dataset.VerificationFlag = "COMPLETE", "UNVERIFIED"
    dataset.PerformedProcedureCodeSequence = []
    dataset.ReferencedPerformedProcedureStepSequence = []
    series = Dataset()
    series.SeriesInstanceUID = "2.25.4"
    series.ReferencedSOPSequence = [reference(MAMMOGRAM, uid) for uid in IMAGES]
    series.ReferencedSOPSequence.append(reference("1.2.840.10008.5.1.4.1.1.88.50", "2.25.13"))
    study = Dataset()
    study.StudyInstanceUID, study.ReferencedSeriesSequence = "2.25.2", [series]
    dataset.CurrentRequestedProcedureEvidenceSequence = [study]


def save_report(dataset: Dataset, path: Path) -> Path:
    """Write it as a file, whatever a test did to it."""
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.get("SOPClassUID", "1.2.3")
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.get("SOPInstanceUID", "1.2.3")
    dataset.save_as(path, enforce_file_format=True)
    return path
