"""The Prefect server of a run: our own on loopback, or the site's."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from reread.analytics.errors import RereadError
from reread.deployments import orchestration
from reread.deployments.orchestration import PrefectServer, PrefectUnavailable, prefect_api, quiet_prefect
from reread.deployments.settings import Settings
from reread.deployments.site_services import only_night


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """What `quiet_prefect` sets goes with the test."""
    for name in list(os.environ):
        if name.startswith("PREFECT"):
            monkeypatch.delenv(name)
    monkeypatch.setattr(os, "environ", os.environ.copy())


def popen_of(monkeypatch, *command: str) -> list[subprocess.Popen]:
    """Start `command` in place of the Prefect server; gives the processes."""
    started: list[subprocess.Popen] = []
    real = subprocess.Popen

    def start(_, **options):
        started.append(real([sys.executable, "-c", *command], **options))
        return started[-1]

    monkeypatch.setattr(orchestration.subprocess, "Popen", start)
    return started


def test_a_server_that_ends_early_is_named_with_its_log(tmp_path, monkeypatch):
    popen_of(monkeypatch, "import sys; sys.exit('no such table')")
    server = PrefectServer(tmp_path / "prefect")
    try:
        with pytest.raises(PrefectUnavailable, match="ended with 1") as caught:
            server.wait()
    finally:
        server.stop()
    assert str(server.log_path) in str(caught.value)
    assert isinstance(caught.value, RereadError)
    assert "no such table" in server.log_path.read_text()


def test_a_silent_server_is_given_up_and_stopped(tmp_path, monkeypatch):
    processes = popen_of(monkeypatch, "import time; time.sleep(600)")
    monkeypatch.setattr(orchestration, "_START_TIMEOUT_S", 0.3)
    with pytest.raises(PrefectUnavailable, match="silent"), prefect_api(tmp_path / "prefect") as server:
        server.wait()
    assert processes[0].poll() is not None
    server.stop()  # harmless twice


def test_the_sites_own_server_is_used(tmp_path, monkeypatch):
    started = popen_of(monkeypatch, "")
    os.environ["PREFECT_API_URL"] = "http://prefect.example.org/api"
    with prefect_api(tmp_path / "prefect") as server:
        assert server is None
    assert started == []
    assert os.environ["PREFECT_API_URL"] == "http://prefect.example.org/api"


def test_prefect_is_told_to_stay_quiet_and_at_home(tmp_path):
    os.environ["PREFECT_LOGGING_LEVEL"] = "DEBUG"  # what the person has set is kept
    quiet_prefect(tmp_path / "prefect")
    assert os.environ["PREFECT_HOME"] == str(tmp_path / "prefect")
    assert (os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"], os.environ["DO_NOT_TRACK"]) == ("false", "1")
    assert os.environ["PREFECT_LOGGING_LEVEL"] == "DEBUG"


def test_one_night_at_a_time(tmp_path):
    site = Settings(data=tmp_path)
    with only_night(site), pytest.raises(RereadError, match="another night is running"), only_night(site):
        pass
    with only_night(site):
        pass
