"""What became of one study under one analysis: authored, drawn, and in a few words. No Prefect here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from shutil import rmtree

from reread.analytics.errors import AuthoringFailed
from reread.analytics.measurement import Analysis
from reread.analytics.pictures_overlay import hung, overlay_of
from reread.analytics.reasons import Reason
from reread.analytics.records import FindingKind, Provenance, RejectedImage
from reread.analytics.tables import views_label
from reread.connectors.picture_files import picture_path, plain_path, save_picture, save_plain
from reread.connectors.results.authoring import author_for
from reread.connectors.results.forms import AuthoredObject, ResultCase
from reread.connectors.results.recipients import Writing
from reread.connectors.results.unmeasured_images import unmeasured_images
from reread.tasks.rereading import RereadStudy

_AGAIN = ".again"
"""folder inside that of the results, for objects that may be there already"""


@dataclass(frozen=True, slots=True)
class StudyOutcome:
    """What became of one study revision under one analysis: what the ledger books and the person sees."""

    study_instance_uid: str
    revision: int
    woman: str
    source: str
    provenance: Provenance
    """the analysis and the run"""
    views: str = ""
    category: str = ""
    percent_density: float | None = None
    mass_marks: int = 0
    calcification_marks: int = 0
    seconds: float = 0.0
    rejected: tuple[RejectedImage, ...] = ()
    objects: tuple[AuthoredObject, ...] = ()
    failure: Reason | None = None
    detail: str = ""
    unwritten: Mapping[str, str] = field(default_factory=dict)
    """form → why it, or some of its objects, could not be written; the numbers are safe all the same"""


def unusable_images(outcomes: Iterable[StudyOutcome]) -> tuple[RejectedImage, ...]:
    """Every image that was not measured, in order; one that no analysis could read stands there once."""
    return tuple(dict.fromkeys(image for outcome in outcomes for image in outcome.rejected))


def provenance_of(analysis: Analysis, run_id: str) -> Provenance:
    """The stamp of everything that is recorded now."""
    return Provenance(
        algorithm=analysis.name,
        version=analysis.version,
        parameters_digest=analysis.parameters_digest,
        run_id=run_id,
        recorded_at=datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
    )


def finish_study(
    study: RereadStudy,
    *,
    source: str,
    provenance: Provenance,
    writing: Writing,
    results: Path,
    pictures: Path,
    again: bool = False,
) -> StudyOutcome:
    """Write the pictures and the DICOM results of a study; those of another analysis lie beside them.

    Parameters
    ----------
    source
        Where the study came from.
    provenance
        The analysis that measured it.
    writing
        What is written, and for whom.
    results, pictures
        Folders.
    again
        Results were written before, and may be on their way: what is there stays as it is, byte for byte.
    """
    result = study.result
    for uid, picture in study.pictures.items():
        save_picture(picture, picture_path(pictures, result.study_instance_uid, provenance.algorithm, uid))
    for image in result.images:
        uid = image.header.sop_instance_uid
        if uid in study.greys:
            grey = study.greys[uid]
            overlay = overlay_of(image, hung(image, grey.shape[0]))
            save_plain(grey, overlay, plain_path(pictures, result.study_instance_uid, provenance.algorithm, uid))
    failure, detail = None, ""
    objects: tuple[AuthoredObject, ...] = ()
    unwritten: Mapping[str, str] = {}
    if not any(image.succeeded for image in result.images):
        failure = result.rejected[0].reason if result.rejected else Reason.MEASUREMENT_FAILED
        detail = "no image of this study could be measured"
    if result.images:
        objects, unwritten = _author(study, provenance, writing, results / _AGAIN if again else results)
        if again:
            objects = tuple(_beside(item, results) for item in objects)
            rmtree(results / _AGAIN, ignore_errors=True)
    kinds = [finding.kind for _, finding in result.marks]
    letters = [side.category for side in (result.left, result.right) if side is not None]
    return StudyOutcome(
        study_instance_uid=result.study_instance_uid,
        revision=result.revision,
        woman=result.woman,
        source=source,
        provenance=provenance,
        views=views_label(result),
        category=max(letters, default=""),
        percent_density=result.density.percent_density if result.density else None,
        mass_marks=kinds.count(FindingKind.MASS),
        calcification_marks=kinds.count(FindingKind.CALCIFICATION),
        seconds=sum(image.seconds for image in result.images),
        rejected=result.rejected,
        objects=objects,
        failure=failure,
        detail=detail,
        unwritten=unwritten,
    )


def _beside(item: AuthoredObject, folder: Path) -> AuthoredObject:
    """Move an object to the others; one that is there already, and may have been sent, is not touched."""
    place = folder / item.path.name
    if place.exists():
        item.path.unlink()
    else:
        item.path.replace(place)
    return replace(item, path=place)


def _author(
    study: RereadStudy, provenance: Provenance, writing: Writing, folder: Path
) -> tuple[tuple[AuthoredObject, ...], Mapping[str, str]]:
    """What was written, and by form why something could not be."""
    algorithm = provenance.algorithm
    try:
        authored = author_for(
            ResultCase(
                result=study.result,
                provenance=provenance,
                sources=study.sources,
                unmeasured=unmeasured_images(study.result, study.sources),
                pictures=study.pictures,
                greys=study.greys,
                language=writing.language,
                earlier=writing.earlier.get(algorithm, ()),
            ),
            writing.recipients,
            folder,
            writing.predecessors.get(algorithm, ()),
        )
    except AuthoringFailed as error:
        return (), dict.fromkeys(_forms(writing), str(error))
    except Exception as error:  # a dirty header breaks writers in many ways
        return (), dict.fromkeys(_forms(writing), type(error).__name__)
    return authored.objects, dict(authored.problems)


def _forms(writing: Writing) -> list[str]:
    return sorted({form for recipient in writing.recipients for form in recipient.formats})
