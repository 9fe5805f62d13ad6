"""How many processes may compute."""

from __future__ import annotations

import os

from reread.deployments.settings import ClusterGroup


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


def worker_count(cluster: ClusterGroup) -> int:
    """Worker processes of a local cluster: the setting, else one per core that we may use."""
    return cluster.workers or available_cores()
