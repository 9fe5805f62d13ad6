"""A night's shards on a real Dask cluster in which one image kills its worker. Run as a script by its test.

A script, because what it defines must reach the workers by value: they cannot import a test module.
"""

import asyncio
import json
import os
import sys
from pathlib import Path

DEADLY = "1.13"


def main(home: Path) -> None:
    from reread.deployments.orchestration import prefect_api, quiet_prefect

    quiet_prefect(home)
    with prefect_api(home) as server:
        if server is not None:
            server.wait()
        from prefect import flow, task
        from prefect.settings import PREFECT_API_URL, temporary_settings

        from reread.analytics.records import Provenance
        from reread.connectors.ledger_records import Instance, StudyWork
        from reread.connectors.mammograms import ReadLimits
        from reread.deployments.clusters import task_runner
        from reread.deployments.settings import ClusterGroup
        from reread.tasks.outcomes import StudyOutcome
        from reread.tasks.plans import Folders
        from reread.tasks.settling import settle
        from reread.tasks.shards import Shard, ShardReport

        stamp = Provenance("a", "1", "0" * 16, "run", "2026-11-21T00:00:00Z")

        @task
        def work(shard):
            uids = {instance.sop_instance_uid for each in shard.works for instance in each.instances}
            if DEADLY in uids - set(shard.deadly):
                os._exit(1)  # as a codec that crashes does
            left_out = ",".join(shard.deadly)
            return ShardReport(
                tuple(
                    StudyOutcome(each.study_instance_uid, 1, "w", "s", stamp, detail=left_out) for each in shard.works
                )
            )

        @task
        def probe(shard, instance):
            if instance.sop_instance_uid == DEADLY:
                os._exit(1)
            return True

        def study(number):
            instances = tuple(
                Instance(f"1.{4 * number + k}", "", "", "", "w", "", "MG", "", "", 0, "", "", "s") for k in range(4)
            )
            return StudyWork(f"9.{number}", 1, "w", "", instances)

        works = tuple(study(number) for number in range(6))
        shards = tuple(
            Shard(f"{k}", "run", Folders(home), works[2 * k : 2 * k + 2], ((), ()), ReadLimits()) for k in range(3)
        )
        reports = []

        @flow
        async def night():
            settle(shards, work.submit, probe.submit, reports.append)

        with temporary_settings({PREFECT_API_URL: server.api_url} if server else {}):
            asyncio.run(night.with_options(task_runner=task_runner(ClusterGroup(workers=2)))())
    outcomes = {o.study_instance_uid: [o.failure, o.detail] for report in reports for o in report.outcomes}
    sys.stdout.write(json.dumps(outcomes) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
