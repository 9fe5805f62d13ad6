"""`reread measure`: files in, Parquet and DICOM results out. No PACS, no Prefect, no database."""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import pyarrow as pa

from reread.analytics.errors import InputError, SettingsInvalid
from reread.analytics.reasons import Reason
from reread.analytics.records import Provenance, RejectedImage
from reread.analytics.schema import TABLES
from reread.analytics.tables import tables
from reread.connectors.dicom_parts import identify, patient_identity
from reread.connectors.mammograms import ReadLimits
from reread.connectors.onnx_models import OnnxModel, analysis_of
from reread.connectors.pseudonyms import Pseudonyms
from reread.connectors.results.case_page import case_page, write_case_page
from reread.connectors.results.case_page_facts import CaseNotFound, case_facts, tables_at
from reread.connectors.results.page_language import words
from reread.connectors.results.recipients import Recipient, Writing
from reread.connectors.spool import sha256_of
from reread.connectors.warehouse import write_flat
from reread.deployments.model_settings import usable_model
from reread.deployments.settings_results import (
    DEFAULT_FORMATS,
    checked_format,
    checked_formats,
    checked_language,
    options_of,
)
from reread.tasks.outcomes import StudyOutcome, finish_study, provenance_of, unusable_images
from reread.tasks.progress import report_progress
from reread.tasks.rereading import RereadImage, gather_study, refusal, reread_file

Models = tuple[OnnxModel | None, ...]
RereadFile = Callable[[Path, ReadLimits, Models], tuple[RereadImage, ...]]


@dataclass(frozen=True, slots=True)
class FolderOutcome:
    """What `measure` did."""

    outcomes: tuple[StudyOutcome, ...]
    """one for each study and analysis"""
    rejected: tuple[RejectedImage, ...]
    """everything that was not measured, with its reason"""
    files: tuple[Path, ...]
    """the tables"""


@dataclass(frozen=True, slots=True)
class _Case:
    study_instance_uid: str
    woman: str
    paths: tuple[Path, ...]


def measure_paths(
    paths: Sequence[Path],
    out: Path,
    *,
    workers: int,
    limits: ReadLimits | None = None,
    formats: tuple[str, ...] = DEFAULT_FORMATS,
    language: str = "en",
    report_options: Sequence[str] = (),
    pages: bool = False,
    reread: RereadFile = reread_file,
    models: Sequence[Path] = (),
    built_in: bool = False,
) -> FolderOutcome:
    """Measure files and folders; each file is read once, whatever measures it.

    Parameters
    ----------
    paths
        DICOM files, or folders that are searched at any depth.
    out
        Gets ``findings.parquet``, ``density.parquet``, ``images.parquet``, ``studies.parquet``, the DICOM results under
        ``dicom/``, pictures under ``pictures/`` and the key of the pseudonyms.
    workers
        Processes.
    formats
        Names of forms of results.
    language
        Of their texts.
    report_options
        What of `[peers.report]` differs from its default, each as ``name=value``.
    pages
        Write a page of each case to ``cases/``.
    reread
        What a worker does with a file; importable by name, as it travels to other processes.
    models
        Files that each describe an own model; they measure instead of the built-in analysis.
    built_in
        The built-in analysis measures too.

    Raises
    ------
    SettingsInvalid
        A model cannot be used, two have one name, or a form, option or language is not known; nothing was measured.
    """
    writing = _writing(formats, language, report_options)
    analyses = _analyses(models, built_in)
    limits = limits or ReadLimits()
    out.mkdir(parents=True, exist_ok=True)
    run_id = secrets.token_hex(8)
    stamps = tuple(provenance_of(analysis_of(model), run_id) for model in analyses)
    cases, orphans = _sort(_files(paths, out), Pseudonyms.load_or_create(out / "pseudonym.key"))
    case_of = {path: case for case in cases for path in case.paths}
    arrived: dict[str, list[tuple[RereadImage, ...]]] = {case.study_instance_uid: [] for case in cases}
    finished: dict[str, list[tuple[StudyOutcome, dict[str, pa.Table]]]] = {}
    with _Pool(workers, limits, reread, analyses) as pool:
        for done, image in enumerate(pool.reread(tuple(case_of)), 1):
            case = case_of[image[0].path]
            images = arrived[case.study_instance_uid]
            images.append(image)
            if len(images) == len(case.paths):
                del arrived[case.study_instance_uid]  # with its pictures
                images.sort(key=lambda item: case.paths.index(item[0].path))
                finished[case.study_instance_uid] = [
                    _finish(case, list(of_analysis), out, stamp, writing)
                    for of_analysis, stamp in zip(zip(*images, strict=True), stamps, strict=True)
                ]
            report_progress("measuring", done, len(case_of))
    in_order = [each for case in cases for each in finished[case.study_instance_uid]]
    outcomes = tuple(outcome for outcome, _ in in_order)
    parts = [tables((), stamps[0], orphans=orphans), *(part for _, part in in_order)]
    joined = {name: pa.concat_tables([part[name] for part in parts]) for name in TABLES}
    files = write_flat(joined, out)
    if pages:
        files = (*files, *_write_pages(cases, out, language))
    return FolderOutcome(outcomes, (*orphans, *unusable_images(outcomes)), files)


def _writing(formats: Sequence[str], language: str, report_options: Sequence[str]) -> Writing:
    try:
        checked = checked_formats(tuple(checked_format(name) for name in formats))
        options = options_of(report_options)
        return Writing((Recipient("", checked, options),), checked_language(language))
    except ValueError as error:
        raise SettingsInvalid(str(error)) from None


def _write_pages(cases: Sequence[_Case], out: Path, language: str) -> tuple[Path, ...]:
    """One page of each study that stands in the tables."""
    query, said = tables_at(out), words(language)
    written = []
    for done, case in enumerate(cases):
        report_progress("writing pages", done, len(cases))
        try:
            facts = case_facts(query, case.study_instance_uid)
        except CaseNotFound:  # nothing of it could be measured
            continue
        path = out / "cases" / f"{case.study_instance_uid}.html"
        write_case_page(case_page(facts, out / "pictures", said), path)
        written.append(path)
    return tuple(written)


def _analyses(models: Sequence[Path], built_in: bool) -> Models:
    """What measures, the built-in analysis first."""
    own = tuple(usable_model(path) for path in models)
    for model in own:
        if sum(other.name == model.name for other in own) > 1:
            raise SettingsInvalid(f"two models are named {model.name}")
    return (None, *own) if built_in or not own else own


def _files(paths: Sequence[Path], out: Path) -> list[Path]:
    """Every file once, in a stable order; what an earlier run wrote into `out` is no input."""
    found: dict[Path, None] = {}
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(f"no such file or folder: {path}")
        inside = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in inside:
            if file.is_file() and not file.resolve().is_relative_to(out.resolve()):
                found[file] = None
    return list(found)


def _sort(files: list[Path], pseudonyms: Pseudonyms) -> tuple[list[_Case], list[RejectedImage]]:
    """Files into cases; what belongs to none, is there twice or mixes two patients is named."""
    orphans: list[RejectedImage] = []
    seen: dict[str, Path] = {}
    cases: dict[str, dict[str, list[Path]]] = {}
    for done, path in enumerate(files):
        report_progress("looking at the files", done, len(files))
        identity = identify(path)
        if not (identity.sop_instance_uid and identity.study_instance_uid):
            orphans.append(_unreadable(path))
            continue
        first = seen.setdefault(identity.sop_instance_uid, path)
        if first is not path:
            same = sha256_of(first) == sha256_of(path)
            orphans.append(refusal(path, Reason.DUPLICATE if same else Reason.CONFLICT, ""))
            continue
        try:
            woman = pseudonyms.woman(patient_identity(path))
        except InputError as error:
            orphans.append(refusal(path, error.reason, error.detail))
            continue
        cases.setdefault(identity.study_instance_uid, {}).setdefault(woman, []).append(path)
    kept = []
    for study, women in cases.items():
        if len(women) > 1:
            orphans += [refusal(path, Reason.TWO_PATIENTS, "") for paths in women.values() for path in paths]
            continue
        ((woman, paths),) = women.items()
        kept.append(_Case(study, woman, tuple(paths)))
    return kept, orphans


def _unreadable(path: Path) -> RejectedImage:
    """Let the reader say why a file without identifiers cannot be used."""
    (image,) = reread_file(path, ReadLimits())
    return image.rejected or refusal(path, Reason.NOT_DICOM, "no SOP Instance UID or Study Instance UID")


def _finish(
    case: _Case,
    images: list[RereadImage],
    out: Path,
    provenance: Provenance,
    writing: Writing,
) -> tuple[StudyOutcome, dict[str, pa.Table]]:
    headers = [image.result.header for image in images if image.result is not None]
    study = gather_study(
        images,
        study_instance_uid=case.study_instance_uid,
        revision=1,
        woman=case.woman,
        study_date=headers[0].study_date if headers else "",
    )
    outcome = finish_study(
        study,
        source="folder",
        provenance=provenance,
        writing=writing,
        results=out / "dicom",
        pictures=out / "pictures",
    )
    names = {uid: path.name for uid, path in study.sources.items()}
    return outcome, tables([study.result], provenance, sources=names)


class _Pool:
    """Worker processes that outlive a codec which crashes: the image is named, the rest goes on.

    So do they outlive an analysis that crashes, or fails in a way of its own: the others measure the image.
    """

    def __init__(self, workers: int, limits: ReadLimits, reread: RereadFile, models: Models) -> None:
        self._workers = workers
        self._reread = reread
        self._models = models
        self._limits = limits
        self._executor: ProcessPoolExecutor | None = None

    def __enter__(self) -> _Pool:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def reread(self, paths: tuple[Path, ...]) -> Iterator[tuple[RereadImage, ...]]:
        """Each image, in about this order, as each analysis sees it; a few are in work ahead of the one handed out."""
        waiting, running = deque(paths), deque[tuple[Path, Future[tuple[RereadImage, ...]]]]()
        while waiting or running:
            suspects: list[Path] = []
            while waiting and not suspects and len(running) < 2 * self._workers:
                path = waiting.popleft()
                try:
                    running.append((path, self._submit(path, self._models)))
                except BrokenProcessPool:  # a worker died while we were still handing out
                    suspects.append(path)
            while running:
                path, future = running.popleft()
                try:
                    yield future.result()
                except BrokenProcessPool:
                    suspects.append(path)
                except Exception as error:  # of ours: named, it never stops its neighbours
                    if len(self._models) > 1:
                        suspects.append(path)
                    else:
                        yield self._apart(path, self._models, Reason.MEASUREMENT_FAILED, type(error).__name__)
                if not suspects and waiting:
                    break
            if suspects:
                self._stop()
            # one of these killed the worker: each alone, in a process that nothing else depends on
            yield from (self._alone(path, self._models) for path in suspects)

    def _alone(self, path: Path, models: Models) -> tuple[RereadImage, ...]:
        try:
            return self._submit(path, models).result()
        except BrokenProcessPool:
            self._stop()
            return self._apart(path, models, Reason.WORKER_DIED, "")
        except Exception as error:
            return self._apart(path, models, Reason.MEASUREMENT_FAILED, type(error).__name__)

    def _apart(self, path: Path, models: Models, reason: Reason, detail: str) -> tuple[RereadImage, ...]:
        """Something failed with these analyses: each by itself; with a single one the image is named."""
        if len(models) > 1:
            return tuple(image for model in models for image in self._alone(path, (model,)))
        return (RereadImage(path, None, refusal(path, reason, detail), None),)

    def _submit(self, path: Path, models: Models) -> Future[tuple[RereadImage, ...]]:
        return self._running().submit(self._reread, path, self._limits, models)

    def _running(self) -> ProcessPoolExecutor:
        if self._executor is None:
            # spawned, not forked: OpenCV and pyarrow have threads
            self._executor = ProcessPoolExecutor(self._workers, mp_context=get_context("spawn"))
        return self._executor

    def _stop(self) -> None:
        if self._executor is not None:
            self._executor.shutdown(cancel_futures=True)
            self._executor = None
