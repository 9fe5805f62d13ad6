"""A night's shards on a real Dask cluster in which an image, and a model on another, kill their worker.

Run as a script by its test.

A script, because what it defines must reach the workers by value: they cannot import a test module.
"""

import asyncio
import json
import os
import sys
from pathlib import Path

DEADLY = "1.13"
DEADLY_FOR_THE_MODEL = "1.17"


def main(home: Path) -> None:
    from reread.deployments.orchestration import prefect_api, quiet_prefect

    quiet_prefect(home)
    with prefect_api(home) as server:
        if server is not None:
            server.wait()
        from prefect import flow, task
        from prefect.settings import PREFECT_API_URL, temporary_settings

        from reread.analytics.model_input import InputPreparation
        from reread.analytics.model_output import OutputKind, OutputMapping
        from reread.analytics.records import Provenance
        from reread.connectors.ledger_records import Instance, StudyWork
        from reread.connectors.mammograms import ReadLimits
        from reread.connectors.onnx_models import OnnxModel
        from reread.deployments.clusters import task_runner
        from reread.deployments.settings import ClusterGroup
        from reread.tasks.outcomes import StudyOutcome
        from reread.tasks.plans import Folders
        from reread.tasks.settling import settle
        from reread.tasks.shards import Shard, ShardReport

        output = OutputMapping(OutputKind.IMAGE_SCORE)
        model = OnnxModel("own", "1", home, "0" * 64, InputPreparation(32, 32), output)

        def stamp(model):
            return Provenance("own" if model else "built-in", "1", "0" * 16, "run", "2026-11-21T00:00:00Z")

        def deadly(shard):
            return {DEADLY, DEADLY_FOR_THE_MODEL} if any(shard.models) else {DEADLY}

        @task
        def work(shard):
            uids = {instance.sop_instance_uid for each in shard.works for instance in each.instances}
            if deadly(shard) & (uids - set(shard.deadly)):
                os._exit(1)  # as a codec that crashes does
            left_out = ",".join(shard.deadly)
            return ShardReport(
                tuple(
                    StudyOutcome(each.study_instance_uid, 1, "w", "s", stamp(model), detail=left_out)
                    for each in shard.works
                    for model in shard.models
                )
            )

        @task
        def probe(shard, instance):
            if instance.sop_instance_uid in deadly(shard):
                os._exit(1)
            return True

        def study(number):
            instances = tuple(
                Instance(f"1.{4 * number + k}", "", "", "", "w", "", "MG", "", "", 0, "", "", "s") for k in range(4)
            )
            return StudyWork(f"9.{number}", 1, "w", "", instances)

        works = tuple(study(number) for number in range(5))
        # each death costs seconds: the own model measures the last study only
        cuts = ((works[:2], (None,)), (works[2:4], (None,)), (works[4:], (None, model)))
        shards = tuple(
            Shard(f"{k}", "run", Folders(home), some, ((),) * len(some), ReadLimits(), models=models)
            for k, (some, models) in enumerate(cuts)
        )
        reports = []

        @flow
        async def night():
            settle(shards, work.submit, probe.submit, reports.append)

        with temporary_settings({PREFECT_API_URL: server.api_url} if server else {}):
            asyncio.run(night.with_options(task_runner=task_runner(ClusterGroup(workers=2)))())
    outcomes = {
        f"{o.study_instance_uid} {o.provenance.algorithm}": [o.failure, o.detail]
        for report in reports
        for o in report.outcomes
    }
    sys.stdout.write(json.dumps(outcomes) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
