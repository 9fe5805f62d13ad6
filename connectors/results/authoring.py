"""Result objects for the archive: a study result in, DICOM files out, each a pure function of its inputs."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from importlib.metadata import entry_points
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import UID

from reread.analytics.errors import AuthoringFailed
from reread.analytics.measurement import NAME
from reread.analytics.records import Provenance, StudyResult
from reread.connectors.header_values import equipment_values, source_values
from reread.connectors.identifiers import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from reread.connectors.reports.content_encoding import keep_encoded
from reread.connectors.reports.report_options import CadReportOptions
from reread.connectors.results.cad_sr_form import CAD_SR, CadSrForm
from reread.connectors.results.capture import CAPTURE, CaptureForm
from reread.connectors.results.character_sets import fit_character_set
from reread.connectors.results.cine import CINE
from reread.connectors.results.density_page import DENSITY_PAGE, DensityPageForm
from reread.connectors.results.enhanced_report import ENHANCED_REPORT
from reread.connectors.results.film import ENHANCED_FILM
from reread.connectors.results.forms import AuthoredObject, Draft, EarlierDensity, Form, ResultCase
from reread.connectors.results.key_objects import KEY_OBJECTS
from reread.connectors.results.measurement_report import MEASUREMENT_REPORT
from reread.connectors.results.overlays import OVERLAY
from reread.connectors.results.page_language import ENGLISH
from reread.connectors.results.presentation_state import PRESENTATION_STATE
from reread.connectors.results.recipients import Authored, Recipient, variants_of
from reread.connectors.results.segmentation import SEGMENTATION
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
    PRESENTATION_STATE = PRESENTATION_STATE
    KEY_OBJECTS = KEY_OBJECTS
    SEGMENTATION = SEGMENTATION
    MEASUREMENT_REPORT = MEASUREMENT_REPORT
    OVERLAY = OVERLAY
    ENHANCED_FILM = ENHANCED_FILM
    CINE = CINE
    ENHANCED_REPORT = ENHANCED_REPORT

    @property
    def sop_class_uid(self) -> str:
        """Of its objects; the first, if it writes several kinds."""
        return next(form for form in _BUILT_IN if form.name == self).sop_class_uids[0]


DEFAULT_FORMATS = (ResultFormat.CAD_SR, ResultFormat.CAPTURE, ResultFormat.DENSITY_PAGE)
"""what is written where nobody asks for something else: what every archive takes and every viewer shows"""
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
    language: str = ENGLISH,
    earlier: tuple[EarlierDensity, ...] = (),
) -> tuple[AuthoredObject, ...]:
    """Write the result objects of one study revision for one reader; `author_for` writes for several.

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
        Language of texts, earlier examinations of the woman.

    Raises
    ------
    AuthoringFailed
        The result has no image, no source, no picture where one is needed, or a form is not known.
    """
    case = ResultCase(
        result=result,
        provenance=provenance,
        sources=sources,
        unmeasured=unmeasured_images(result, sources),
        pictures=pictures or {},
        greys=greys or {},
        language=language,
        earlier=earlier,
    )
    recipient = Recipient("", tuple(formats), options or CadReportOptions())
    authored = author_for(case, (recipient,), folder, tuple((predecessors or {}).values()))
    for form, problem in authored.problems:
        raise AuthoringFailed(problem) from authored.causes[form]
    return authored.objects


def author_for(
    case: ResultCase,
    recipients: Sequence[Recipient],
    folder: Path,
    predecessors: Sequence[AuthoredObject] = (),
) -> Authored:
    """Write each object once for every variant that somebody wants, and say who wants which.

    Parameters
    ----------
    case
        Its options, formats, variants and predecessors are set here.
    folder
        Where the files go, named by SOP Instance UID; each appears whole or not at all.
    predecessors
        What was written of the study by the same analysis, oldest first. A new object replaces the last one of its
        form, variant and key; one that is among them itself (it is written again) replaces the one before it.

    Returns
    -------
    Authored
        A form that fails is named there; the others are written.

    Raises
    ------
    AuthoringFailed
        The result has no source, or a form is not known: nothing was written.
    """
    forms = known_forms()
    unknown = sorted({name for recipient in recipients for name in recipient.formats} - set(forms))
    if unknown:
        raise AuthoringFailed(f"no such form of result: {', '.join(unknown)}")
    header = source_values(_first_source(case.result, case.sources))
    header.StudyInstanceUID = case.result.study_instance_uid
    objects: list[AuthoredObject] = []
    causes: dict[str, Exception] = {}
    for variant in variants_of(forms, recipients, case.language):
        form = forms[variant.form]
        own = replace(
            case,
            options=variant.options,
            language=variant.language,
            formats=variant.refers_to,
            variants=variant.of_forms,
        )
        mine = [item for item in predecessors if (item.format, item.variant) == (form.name, variant.name)]
        own = replace(own, predecessors=_replaced(mine, own))
        try:
            for draft in form.drafts(own):
                written = _author(form.name, draft, own, header, folder)
                objects.append(replace(written, variant=variant.name, destinations=variant.destinations))
        except Exception as error:  # a dirty header breaks writers in many ways; it must not cost the other forms
            causes.setdefault(form.name, error)
    return Authored(tuple(objects), causes)


def _replaced(written: Sequence[AuthoredObject], case: ResultCase) -> dict[str, AuthoredObject]:
    """By slot the last object before the one that is written now."""
    found: dict[str, AuthoredObject] = {}
    passed: set[str] = set()
    for item in written:
        if item.sop_instance_uid == case.instance_uid(item.format, item.key):
            passed.add(item.slot)
        elif item.slot not in passed:
            found[item.slot] = item
    return found


def _author(form: str, draft: Draft, case: ResultCase, header: Dataset, folder: Path) -> AuthoredObject:
    dataset = draft.dataset
    if not draft.keeps_header:
        dataset.update(header)
        equipment_values(dataset, case.provenance)
    if case.provenance.algorithm != NAME and dataset.get("SeriesDescription"):
        # series of two analyses stand side by side in a viewer
        dataset.SeriesDescription = f"{dataset.SeriesDescription}, {case.provenance.algorithm}"[:64]
    dataset.SOPInstanceUID = case.instance_uid(form, draft.key)
    dataset.SeriesInstanceUID = case.series_uid(form, draft.series)
    dataset.InstanceNumber = case.result.revision if draft.instance_number is None else draft.instance_number
    if case.language != ENGLISH:
        fit_character_set(dataset)
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
