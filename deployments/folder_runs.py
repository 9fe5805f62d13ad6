"""`reread measure`: files in, Parquet and DICOM results out. No PACS, no Prefect, no database."""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import pyarrow as pa

from reread.analytics.errors import InputError
from reread.analytics.reasons import Reason
from reread.analytics.records import Provenance, RejectedImage
from reread.analytics.schema import TABLES
from reread.analytics.tables import tables
from reread.connectors.dicom_parts import identify, patient_identity
from reread.connectors.mammograms import ReadLimits
from reread.connectors.onnx_models import analysis_of
from reread.connectors.pseudonyms import Pseudonyms
from reread.connectors.results.authoring import ResultFormat
from reread.connectors.spool import sha256_of
from reread.connectors.warehouse import write_flat
from reread.deployments.model_settings import usable_model
from reread.tasks.outcomes import StudyOutcome, finish_study, provenance_of
from reread.tasks.progress import report_progress
from reread.tasks.rereading import RereadImage, gather_study, refusal, reread_file

RereadFile = Callable[[Path, ReadLimits], RereadImage]


@dataclass(frozen=True, slots=True)
class FolderOutcome:
    """What `measure` did."""

    outcomes: tuple[StudyOutcome, ...]
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
    formats: tuple[ResultFormat, ...] = tuple(ResultFormat),
    reread: RereadFile = reread_file,
    model: Path | None = None,
) -> FolderOutcome:
    """Measure files and folders.

    Parameters
    ----------
    paths
        DICOM files, or folders that are searched at any depth.
    out
        Gets ``findings.parquet``, ``density.parquet``, ``images.parquet``, ``studies.parquet``, the DICOM results under
        ``dicom/``, pictures under ``pictures/`` and the key of the pseudonyms.
    workers
        Processes.
    reread
        What a worker does with a file; importable by name, as it travels to other processes.
    model
        File that describes an own model, which measures instead of the built-in analysis and of `reread`.

    Raises
    ------
    SettingsInvalid
        The model cannot be used; nothing was measured.
    """
    own = usable_model(model) if model else None
    limits = limits or ReadLimits()
    out.mkdir(parents=True, exist_ok=True)
    provenance = provenance_of(analysis_of(own), secrets.token_hex(8))
    cases, orphans = _sort(_files(paths, out), Pseudonyms.load_or_create(out / "pseudonym.key"))
    case_of = {path: case for case in cases for path in case.paths}
    arrived: dict[str, list[RereadImage]] = {case.study_instance_uid: [] for case in cases}
    finished: dict[str, tuple[StudyOutcome, dict[str, pa.Table]]] = {}
    with _Pool(workers, limits, partial(reread_file, model=own) if own else reread) as pool:
        for done, image in enumerate(pool.reread(tuple(case_of)), 1):
            case = case_of[image.path]
            images = arrived[case.study_instance_uid]
            images.append(image)
            if len(images) == len(case.paths):
                del arrived[case.study_instance_uid]  # with its pictures
                images.sort(key=lambda item: case.paths.index(item.path))
                finished[case.study_instance_uid] = _finish(case, images, out, provenance, formats)
            report_progress("measuring", done, len(case_of))
    in_order = [finished[case.study_instance_uid] for case in cases]
    outcomes = tuple(outcome for outcome, _ in in_order)
    parts = [tables((), provenance, orphans=orphans), *(part for _, part in in_order)]
    joined = {name: pa.concat_tables([part[name] for part in parts]) for name in TABLES}
    rejected = (*orphans, *(image for outcome in outcomes for image in outcome.rejected))
    return FolderOutcome(outcomes, rejected, write_flat(joined, out))


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
    image = reread_file(path, ReadLimits())
    return image.rejected or refusal(path, Reason.NOT_DICOM, "no SOP Instance UID or Study Instance UID")


def _finish(
    case: _Case,
    images: list[RereadImage],
    out: Path,
    provenance: Provenance,
    formats: tuple[ResultFormat, ...],
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
        formats=formats,
        results=out / "dicom",
        pictures=out / "pictures",
    )
    names = {uid: path.name for uid, path in study.sources.items()}
    return outcome, tables([study.result], provenance, sources=names)


class _Pool:
    """Worker processes that outlive a codec which crashes: the image is named, the rest goes on."""

    def __init__(self, workers: int, limits: ReadLimits, reread: RereadFile) -> None:
        self._workers = workers
        self._reread = reread
        self._limits = limits
        self._executor: ProcessPoolExecutor | None = None

    def __enter__(self) -> _Pool:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def reread(self, paths: tuple[Path, ...]) -> Iterator[RereadImage]:
        """Each image, in about this order; a few are in work ahead of the one that is handed out."""
        waiting, running = deque(paths), deque[tuple[Path, Future[RereadImage]]]()
        while waiting or running:
            suspects: list[Path] = []
            while waiting and not suspects and len(running) < 2 * self._workers:
                path = waiting.popleft()
                try:
                    running.append((path, self._running().submit(self._reread, path, self._limits)))
                except BrokenProcessPool:  # a worker died while we were still handing out
                    suspects.append(path)
            while running:
                path, future = running.popleft()
                try:
                    yield _settled(path, future)
                except BrokenProcessPool:
                    suspects.append(path)
                if not suspects and waiting:
                    break
            if suspects:
                self._stop()
            yield from map(self._alone, suspects)

    def _alone(self, path: Path) -> RereadImage:
        """One of these killed the worker: each alone, in a process that nothing else depends on."""
        try:
            return _settled(path, self._running().submit(self._reread, path, self._limits))
        except BrokenProcessPool:
            self._stop()
            return RereadImage(path, None, refusal(path, Reason.WORKER_DIED, ""), None)

    def _running(self) -> ProcessPoolExecutor:
        if self._executor is None:
            # spawned, not forked: OpenCV and pyarrow have threads
            self._executor = ProcessPoolExecutor(self._workers, mp_context=get_context("spawn"))
        return self._executor

    def _stop(self) -> None:
        if self._executor is not None:
            self._executor.shutdown(cancel_futures=True)
            self._executor = None


def _settled(path: Path, future: Future[RereadImage]) -> RereadImage:
    """The result; an error of ours on one image is named and never stops its neighbours."""
    try:
        return future.result()
    except BrokenProcessPool:
        raise
    except Exception as error:
        return RereadImage(path, None, refusal(path, Reason.MEASUREMENT_FAILED, type(error).__name__), None)
