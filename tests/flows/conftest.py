"""One Prefect server for all flow tests: it takes seconds to start."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from reread.deployments.orchestration import prefect_api


@pytest.fixture(scope="session")
def prefect_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a running Prefect API; this process's own environment stays as it was."""
    before = os.environ.copy()
    for name in list(os.environ):
        if name.startswith("PREFECT"):
            del os.environ[name]
    try:
        with prefect_api(tmp_path_factory.mktemp("prefect")) as server:
            assert server is not None
            server.wait()
            yield server.api_url
    finally:
        os.environ.clear()
        os.environ.update(before)
