"""Result objects for the archive: a study result in, DICOM files out, each a pure function of its inputs."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from enum import StrEnum
from importlib.metadata import entry_points
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import UID

from reread.analytics.errors import AuthoringFailed
from reread.analytics.records import Provenance, StudyResult
from reread.connectors.header_values import equipment_values, source_values
from reread.connectors.identifiers import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from reread.connectors.reports.content_encoding import keep_encoded
from reread.connectors.reports.report_options import CadReportOptions
from reread.connectors.results.cad_sr_form import CAD_SR, CadSrForm
from reread.connectors.results.capture import CAPTURE, CaptureForm
from reread.connectors.results.density_page import DENSITY_PAGE, DensityPageForm
from reread.connectors.results.forms import AuthoredObject, Draft, EarlierDensity, Form, ResultCase
from reread.connectors.results.unmeasured_images import unmeasured_images
from reread.connectors.results.viewer_forms import VIEWER_FORMS
from reread.connectors.services import EXPLICIT_LITTLE

_BUILT_IN: tuple[Form, ...] = (
    CadSrForm(),
    CaptureForm(),
    DensityPageForm(),
    *VIEWER_FORMS,
)
_GROUP = "reread.forms"


class ResultFormat(StrEnum):
    """The built-in forms."""

    CAD_SR = CAD_SR
    CAPTURE = CAPTURE
    DENSITY_PAGE = DENSITY_PAGE

    @property
    def sop_class_uid(self) -> str:
        """Of its objects; the first, if it writes several kinds."""
        return next(form for form in _BUILT_IN if form.name == self).sop_class_uids[0]


WRITTEN_TRANSFER_SYNTAX = EXPLICIT_LITTLE
"""of all that we write"""


def known_forms() -> dict[str, Form]:
    """Name → form: the built-in ones, and those that installed packages offer as entry points ``reread.forms``.

    Raises
    ------
    AuthoringFailed
        An installed form has the name of another, or cannot be loaded.
    """
    found = {form.name: form for form in _BUILT_IN}
    for point in entry_points(group=_GROUP):
        try:
            form: Form = point.load()()
        except Exception as error:  # somebody else's code
            raise AuthoringFailed(f"the form {point.name!r} cannot be loaded ({type(error).__name__})") from error
        if found.setdefault(form.name, form) is not form:
            raise AuthoringFailed(f"two forms are named {form.name!r}")
    return found


def author_study(
    result: StudyResult,
    *,
    sources: Mapping[str, Path],
    provenance: Provenance,
    folder: Path,
    formats: Collection[str],
    pictures: Mapping[str, NDArray[np.uint8]] | None = None,
    predecessors: Mapping[str, AuthoredObject] | None = None,
    options: CadReportOptions | None = None,
    greys: Mapping[str, NDArray[np.uint8]] | None = None,
    language: str = "en",
    earlier: tuple[EarlierDensity, ...] = (),
) -> tuple[AuthoredObject, ...]:
    """Write the result objects of one study revision.

    Parameters
    ----------
    sources
        SOP Instance UID → file of the images; patient and study attributes come from the first of the result.
    folder
        Where the files go, named by SOP Instance UID; each appears whole or not at all.
    formats
        Names of forms; written in the order of `known_forms`.
    pictures
        SOP Instance UID → RGB picture; needed for a secondary capture.
    predecessors
        `AuthoredObject.slot` → the object of an earlier revision that the new one replaces.
    greys
        SOP Instance UID → picture of `render_grey`, so that pages need not read the pixels again.
    language, earlier
        Of the pages: language of their texts, earlier examinations of the woman.

    Raises
    ------
    AuthoringFailed
        The result has no image, no source, no picture where one is needed, or a form is not known.
    """
    forms = known_forms()
    unknown = sorted(set(formats) - set(forms))
    if unknown:
        raise AuthoringFailed(f"no such form of result: {', '.join(unknown)}")
    header = source_values(_first_source(result, sources))
    header.StudyInstanceUID = result.study_instance_uid
    case = ResultCase(
        result=result,
        provenance=provenance,
        sources=sources,
        unmeasured=unmeasured_images(result, sources),
        pictures=pictures or {},
        options=options or CadReportOptions(),
        greys=greys or {},
        language=language,
        earlier=earlier,
        predecessors=predecessors or {},
        formats=frozenset(formats),
    )
    chosen = [form for name, form in forms.items() if name in formats]
    return tuple(_author(form.name, draft, case, header, folder) for form in chosen for draft in form.drafts(case))


def _author(form: str, draft: Draft, case: ResultCase, header: Dataset, folder: Path) -> AuthoredObject:
    dataset = draft.dataset
    if not draft.keeps_header:
        dataset.update(header)
        equipment_values(dataset, case.provenance)
    dataset.SOPInstanceUID = case.instance_uid(form, draft.key)
    dataset.SeriesInstanceUID = case.series_uid(form, draft.series)
    dataset.InstanceNumber = case.result.revision if draft.instance_number is None else draft.instance_number
    path = folder / f"{dataset.SOPInstanceUID}.dcm"
    keep_encoded(dataset)
    _write(dataset, path, draft.transfer_syntax_uid)
    return AuthoredObject(
        form,
        str(dataset.SOPClassUID),
        str(dataset.SOPInstanceUID),
        str(dataset.SeriesInstanceUID),
        case.result.study_instance_uid,
        path,
        draft.key,
    )


def _first_source(result: StudyResult, sources: Mapping[str, Path]) -> Path:
    uids = [item.header.sop_instance_uid for item in result.images]
    uids += [item.sop_instance_uid for item in result.rejected]
    for uid in uids:
        if uid in sources:
            return sources[uid]
    raise AuthoringFailed("no source file of any image of the study is at hand")


def _write(dataset: Dataset, path: Path, transfer_syntax_uid: str) -> None:
    """Write beside the place, flush to disk, rename: nobody ever sees half an object."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = UID(transfer_syntax_uid)
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
