"""Result objects for the archive: a study result in, DICOM files out, each a pure function of its inputs."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import UID

from reread.analytics.errors import AuthoringFailed
from reread.analytics.reasons import Reason
from reread.analytics.records import Provenance, StudyResult
from reread.connectors.cad_codes import CadReportOptions
from reread.connectors.cad_report import MAMMOGRAPHY_CAD_SR, UnmeasuredImage, cad_report_content
from reread.connectors.capture import SECONDARY_CAPTURE, capture_attributes, capture_page
from reread.connectors.content_items import reference
from reread.connectors.dicom_parts import identify
from reread.connectors.header_values import equipment_values, source_values
from reread.connectors.identifiers import (
    IMPLEMENTATION_CLASS_UID,
    IMPLEMENTATION_VERSION_NAME,
    instance_uid,
    series_uid,
)
from reread.connectors.services import EXPLICIT_LITTLE


class ResultFormat(StrEnum):
    """What is written back to the archive."""

    CAD_SR = "mammography-cad-sr"
    CAPTURE = "secondary-capture"

    @property
    def sop_class_uid(self) -> str:
        return MAMMOGRAPHY_CAD_SR if self is ResultFormat.CAD_SR else SECONDARY_CAPTURE


WRITTEN_TRANSFER_SYNTAX = EXPLICIT_LITTLE
"""of all that we write"""


@dataclass(frozen=True, slots=True)
class AuthoredObject:
    """One written DICOM file."""

    format: ResultFormat
    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str
    study_instance_uid: str
    path: Path


_NOT_AN_IMAGE_OF_THE_STUDY = frozenset(
    {Reason.WRONG_MODALITY, Reason.DUPLICATE, Reason.CONFLICT, Reason.TWO_PATIENTS, Reason.NOT_DICOM, Reason.EMPTY}
)


def author_study(
    result: StudyResult,
    *,
    sources: Mapping[str, Path],
    provenance: Provenance,
    folder: Path,
    formats: Collection[ResultFormat],
    pictures: Mapping[str, NDArray[np.uint8]] | None = None,
    predecessor: AuthoredObject | None = None,
    options: CadReportOptions | None = None,
) -> tuple[AuthoredObject, ...]:
    """Write the result objects of one study revision.

    Parameters
    ----------
    sources
        SOP Instance UID → file of the images; patient and study attributes come from the first of the result.
    folder
        Where the files go, named by SOP Instance UID; each appears whole or not at all.
    formats
        Which objects; written in the order of `ResultFormat`.
    pictures
        SOP Instance UID → RGB picture; needed for a secondary capture.
    predecessor
        The report of an earlier revision that the new report replaces.

    Raises
    ------
    AuthoringFailed
        The result has no image, no source, or no picture where one is needed.
    """
    header = source_values(_first_source(result, sources))
    header.StudyInstanceUID = result.study_instance_uid
    unmeasured = _unmeasured(result, sources)
    written = []
    for chosen in (item for item in ResultFormat if item in formats):
        if chosen is ResultFormat.CAD_SR:
            dataset = _report(result, unmeasured, provenance, options, predecessor)
        else:
            dataset = capture_attributes(result, capture_page(result, provenance, pictures or {}))
        dataset.update(header)
        equipment_values(dataset, provenance)
        profile = "-legacy" if chosen is ResultFormat.CAD_SR and options and options.legacy_codes else ""
        dataset.SOPInstanceUID = instance_uid(result, provenance, chosen.value + profile)
        dataset.SeriesInstanceUID = series_uid(result, provenance, chosen.value + profile)
        dataset.InstanceNumber = result.revision
        path = folder / f"{dataset.SOPInstanceUID}.dcm"
        _write(dataset, path)
        written.append(
            AuthoredObject(
                chosen,
                str(dataset.SOPClassUID),
                str(dataset.SOPInstanceUID),
                str(dataset.SeriesInstanceUID),
                result.study_instance_uid,
                path,
            )
        )
    return tuple(written)


def _first_source(result: StudyResult, sources: Mapping[str, Path]) -> Path:
    uids = [item.header.sop_instance_uid for item in result.images]
    uids += [item.sop_instance_uid for item in result.rejected]
    for uid in uids:
        if uid in sources:
            return sources[uid]
    raise AuthoringFailed("no source file of any image of the study is at hand")


def _unmeasured(result: StudyResult, sources: Mapping[str, Path]) -> tuple[UnmeasuredImage, ...]:
    """Rejected images that belong to the study and can be named."""
    known = {item.header.sop_instance_uid for item in result.images}
    found = []
    for item in result.rejected:
        uid = item.sop_instance_uid
        if uid in known or uid not in sources or item.reason in _NOT_AN_IMAGE_OF_THE_STUDY:
            continue
        identity = identify(sources[uid])
        if identity.study_instance_uid == result.study_instance_uid and identity.sop_class_uid:
            known.add(uid)
            found.append(UnmeasuredImage(uid, identity.sop_class_uid, identity.series_instance_uid))
    return tuple(found)


def _report(
    result: StudyResult,
    unmeasured: tuple[UnmeasuredImage, ...],
    provenance: Provenance,
    options: CadReportOptions | None,
    predecessor: AuthoredObject | None,
) -> Dataset:
    """SR Document Series, General and Content (R0.149 … R0.170)."""
    if not result.images and not unmeasured:
        raise AuthoringFailed("a report needs at least one image of the study")
    dataset = cad_report_content(result, unmeasured, provenance, options)
    dataset.SOPClassUID = MAMMOGRAPHY_CAD_SR
    dataset.Modality = "SR"
    dataset.SeriesNumber = 9901
    dataset.SeriesDescription = "Reread mammography CAD"
    dataset.ReferencedPerformedProcedureStepSequence = []
    dataset.PerformedProcedureCodeSequence = []
    dataset.CompletionFlag = "COMPLETE"
    dataset.VerificationFlag = "UNVERIFIED"
    images = [
        (item.header.series_instance_uid, item.header.sop_class_uid, item.header.sop_instance_uid)
        for item in result.images
    ]
    images += [(item.series_instance_uid, item.sop_class_uid, item.sop_instance_uid) for item in unmeasured]
    dataset.CurrentRequestedProcedureEvidenceSequence = [_evidence(result.study_instance_uid, images)]
    if predecessor is not None:
        dataset.PredecessorDocumentsSequence = [
            _evidence(
                predecessor.study_instance_uid,
                [(predecessor.series_instance_uid, predecessor.sop_class_uid, predecessor.sop_instance_uid)],
            )
        ]
    return dataset


def _evidence(study_instance_uid: str, images: list[tuple[str, str, str]]) -> Dataset:
    by_series: dict[str, list[Dataset]] = defaultdict(list)
    for series, sop_class, sop_instance in images:
        by_series[series].append(reference(sop_class, sop_instance))
    study = Dataset()
    study.StudyInstanceUID = study_instance_uid
    study.ReferencedSeriesSequence = []
    for series, references in by_series.items():
        item = Dataset()
        item.SeriesInstanceUID = series
        item.ReferencedSOPSequence = references
        study.ReferencedSeriesSequence.append(item)
    return study


def _write(dataset: Dataset, path: Path) -> None:
    """Write beside the place, flush to disk, rename: nobody ever sees half an object."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = UID(WRITTEN_TRANSFER_SYNTAX)
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    dataset.file_meta = meta
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as stream:
            dcmwrite(stream, dataset, enforce_file_format=True)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(path)
    except (ValueError, TypeError, UnicodeError) as error:
        part.unlink(missing_ok=True)
        raise AuthoringFailed(f"the object cannot be encoded ({type(error).__name__})") from None
