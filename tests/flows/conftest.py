"""One Prefect server for all flow tests: it takes seconds to start."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from reread.deployments.orchestration import PrefectServer, prefect_api


@pytest.fixture(scope="session")
def prefect_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a running Prefect API; the environment of this process is as it was while tests run."""
    before = os.environ.copy()
    for name in list(os.environ):
        if name.startswith("PREFECT"):
            del os.environ[name]
    api = prefect_api(tmp_path_factory.mktemp("prefect"))
    try:
        server = api.__enter__()
    finally:
        os.environ.clear()
        os.environ.update(before)
    assert isinstance(server, PrefectServer)
    try:
        server.wait()
        yield server.api_url
    finally:
        api.__exit__(None, None, None)
