"""One shard of studies: measure, author, record. The Prefect task that runs on the workers.

A shard carries paths and UIDs and gives back small records; pixels never travel. It touches no ledger:
the flow books what the report says, so a worker needs the folders and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
from prefect import task
from prefect.cache_policies import NO_CACHE

from reread.analytics.errors import RereadError
from reread.analytics.measurement import Analysis
from reread.analytics.reasons import Reason
from reread.analytics.records import StudyResult
from reread.analytics.schema import TABLES
from reread.analytics.tables import tables
from reread.connectors.ledger_records import Instance, StudyWork
from reread.connectors.mammograms import ReadLimits
from reread.connectors.onnx_models import OnnxModel, analysis_of
from reread.connectors.results.recipients import Writing
from reread.connectors.warehouse import Warehouse
from reread.tasks.outcomes import StudyOutcome, finish_study, provenance_of
from reread.tasks.plans import Folders
from reread.tasks.rereading import RereadStudy, gather_study, refusal, reread_image


@dataclass(frozen=True, slots=True)
class Shard:
    """Some studies for one worker."""

    name: str
    """names the Parquet part, so a repeated shard replaces its own rows"""
    run_id: str
    folders: Folders
    works: tuple[StudyWork, ...]
    writings: tuple[Writing, ...]
    """what is written of each of `works`"""
    limits: ReadLimits
    deadly: tuple[str, ...] = ()
    """SOP Instance UIDs on which a worker died before: named, not measured again"""
    models: tuple[OnnxModel | None, ...] = (None,)
    """what measures each of `works`; None: the built-in analysis"""
    again: bool = False
    """the numbers were recorded before; only what could not be written then is missing"""

    def halves(self) -> tuple[Shard, ...]:
        """Two smaller shards: of fewer studies, or of fewer analyses of one; empty when it is one of each."""
        if len(self.works) < 2:
            middle = len(self.models) // 2
            return (
                (
                    replace(self, name=f"{self.name}a", models=self.models[:middle]),
                    replace(self, name=f"{self.name}b", models=self.models[middle:]),
                )
                if self.works and middle
                else ()
            )
        middle = len(self.works) // 2
        return (
            replace(self, name=f"{self.name}a", works=self.works[:middle], writings=self.writings[:middle]),
            replace(self, name=f"{self.name}b", works=self.works[middle:], writings=self.writings[middle:]),
        )


@dataclass(frozen=True, slots=True)
class ShardReport:
    """What became of a shard."""

    outcomes: tuple[StudyOutcome, ...]


@task(name="reread-shard", task_run_name="shard-{shard.name}", cache_policy=NO_CACHE, retries=0)
def reread_shard(shard: Shard) -> ShardReport:
    """Measure the studies of a shard, write their objects, record their numbers."""
    return run_shard(shard)


@task(name="probe-image", cache_policy=NO_CACHE, retries=0)
def probe_image(shard: Shard, instance: Instance) -> bool:
    """Measure one image for nothing but to see whether the worker survives it."""
    reread_image(shard.folders.spool / instance.path, _analyses(shard), shard.limits)
    return True


def run_shard(shard: Shard) -> ShardReport:
    """The work of `reread_shard` without Prefect."""
    analyses = _analyses(shard)
    stamps = [provenance_of(analysis, shard.run_id) for analysis in analyses]
    results: list[list[StudyResult]] = [[] for _ in analyses]
    outcomes: list[StudyOutcome] = []
    names: dict[str, str] = {}
    for work, writing in zip(shard.works, shard.writings, strict=True):
        for study, provenance, of_analysis in zip(_reread(shard, work, analyses), stamps, results, strict=True):
            of_analysis.append(study.result)
            names |= {uid: path.name for uid, path in study.sources.items()}
            outcomes.append(
                finish_study(
                    study,
                    source=work.instances[0].source if work.instances else "",
                    provenance=provenance,
                    writing=writing,
                    results=_result_folder(shard.folders, work),
                    pictures=shard.folders.pictures,
                    again=shard.again,
                )
            )
    if shard.again:
        return ShardReport(tuple(outcomes))
    parts = [tables(rows, stamp, sources=names) for rows, stamp in zip(results, stamps, strict=True)]
    joined = {name: pa.concat_tables([part[name] for part in parts]) for name in TABLES}
    # one part for all analyses, which is there as a whole or not at all
    Warehouse(shard.folders.warehouse).record(joined, part=f"{shard.run_id}-{shard.name}")
    return ShardReport(tuple(outcomes))


def _analyses(shard: Shard) -> list[Analysis]:
    return [analysis_of(model) for model in shard.models]


def _reread(shard: Shard, work: StudyWork, analyses: list[Analysis]) -> list[RereadStudy]:
    """What each analysis made of a study."""
    images, refused = [], []
    for instance in work.instances:
        path = shard.folders.spool / instance.path
        if work.two_patients:
            refused.append(refusal(path, Reason.TWO_PATIENTS, "", shown_as=instance.path))
        elif instance.sop_instance_uid in shard.deadly:
            refused.append(refusal(path, Reason.WORKER_DIED, "", shown_as=instance.path))
        else:
            images.append(reread_image(path, analyses, shard.limits, shown_as=instance.path))
    return [
        gather_study(
            [of_image[number] for of_image in images],
            study_instance_uid=work.study_instance_uid,
            revision=work.revision,
            woman=work.woman,
            study_date=work.study_date,
            rejected=tuple(refused),
        )
        for number in range(len(analyses))
    ]


def _result_folder(folders: Folders, work: StudyWork) -> Path:
    # the UID was checked by the spool before it became a name
    return folders.results / work.study_instance_uid / str(work.revision)


def cut_shards(
    works: tuple[StudyWork, ...],
    writings: tuple[Writing, ...],
    *,
    run_id: str,
    folders: Folders,
    limits: ReadLimits,
    studies_per_shard: int,
    workers: int,
    models: tuple[OnnxModel | None, ...] = (None,),
    prefix: str = "",
    again: bool = False,
) -> tuple[Shard, ...]:
    """Cut the night's studies so that every worker has some, and no shard is too large to lose.

    Parameters
    ----------
    models
        The analyses that each study is still to be measured with.
    prefix
        Begins the names; those of two groups of studies in one night must not meet.
    again
        They were measured before; results that could not be written are missing.

    Raises
    ------
    RereadError
        When `studies_per_shard` or `workers` is below 1.
    """
    if studies_per_shard < 1 or workers < 1:
        raise RereadError("a shard holds at least one study, and there is at least one worker")
    size = min(studies_per_shard, max(1, -(-len(works) // (4 * workers))))
    return tuple(
        Shard(
            name=f"{prefix}{start // size:05d}",
            run_id=run_id,
            folders=folders,
            works=works[start : start + size],
            writings=writings[start : start + size],
            limits=limits,
            models=models,
            again=again,
        )
        for start in range(0, len(works), size)
    )
