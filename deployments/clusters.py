"""Who computes: the settings word becomes a Prefect task runner. Nothing else knows about clusters."""

from __future__ import annotations

import dask
from prefect_dask.task_runners import DaskTaskRunner

from reread.deployments.settings import ClusterGroup, ClusterWord
from reread.deployments.workers import worker_count

# A worker that dies takes its task down after this many deaths; the flow then isolates the image
# (tasks.settling). The default of 3 would kill four workers first.
_ALLOWED_FAILURES = 1
# A local cluster forgets a worker that is not there this long after a death, and a night without workers never
# ends. The default of 15 s is too short for one that dies again, or starts on a busy machine; its nanny restarts it.
_LOST_WORKER_TIMEOUT = "12h"


def task_runner(cluster: ClusterGroup) -> DaskTaskRunner:
    """The runner for the flow's shards.

    A local cluster is made for one run and goes with it: a long-lived scheduler keeps every Prefect
    task object (PrefectHQ/prefect#21697).
    """
    dask.config.set(
        {
            "distributed.scheduler.allowed-failures": _ALLOWED_FAILURES,
            "distributed.deploy.lost-worker-timeout": _LOST_WORKER_TIMEOUT,
            "logging": {"distributed": "error"},  # a worker that is closed on purpose is no news
        }
    )
    if cluster.kind is ClusterWord.ADDRESS:
        return DaskTaskRunner(address=cluster.address)
    return DaskTaskRunner(
        cluster_class="distributed.LocalCluster",
        cluster_kwargs={
            "n_workers": worker_count(cluster),
            "threads_per_worker": 1,  # the measurements hold the GIL in part, and a crash takes one image only
            "memory_limit": f"{cluster.worker_memory_gib}GiB",
            "dashboard_address": "127.0.0.1:0",  # a free port: several nights may run on one machine
            "host": "127.0.0.1",
        },
    )
