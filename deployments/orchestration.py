"""The Prefect server that a run needs: the site's own, or one on loopback for the time of the run.

Prefect is told before its first import not to phone home, and keeps its files in our data folder.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reread.analytics.errors import RereadError

_START = (sys.executable, "-m", "prefect", "server", "start", "--no-ui")
_START_TIMEOUT_S = 120.0


class PrefectUnavailable(RereadError):
    """The Prefect server did not come up."""


def quiet_prefect(home: Path) -> None:
    """Set what Prefect reads at import: no telemetry, own home folder, warnings only on the terminal.

    Must run before `prefect` is imported. What the person has set is kept.
    """
    home.mkdir(parents=True, exist_ok=True)
    defaults = {
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_HOME": str(home.resolve()),
        "PREFECT_LOGGING_LEVEL": "WARNING",
        "PREFECT_CLI_WRAP_LINES": "false",
    }
    for name, value in defaults.items():
        os.environ.setdefault(name, value)


class PrefectServer:
    """A `prefect server` on loopback, started at once and waited for when needed.

    Parameters
    ----------
    home
        Folder for its database and its log.
    """

    def __init__(self, home: Path) -> None:
        quiet_prefect(home)
        self.log_path = home / "server.log"
        port = _free_port()
        self.api_url = f"http://127.0.0.1:{port}/api"
        with self.log_path.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "prefect",
                    "server",
                    "start",
                    "--host",
                    "127.0.0.1",
                    "--port",
                    str(port),
                    "--no-ui",
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    def wait(self) -> None:
        """Block until it answers.

        Raises
        ------
        PrefectUnavailable
            When it ends or stays silent; the text names its log.
        """
        deadline = time.monotonic() + _START_TIMEOUT_S
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise PrefectUnavailable(
                    f"the Prefect server ended with {self._process.returncode}; see {self.log_path}"
                )
            try:
                with urllib.request.urlopen(f"{self.api_url}/health", timeout=2):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        raise PrefectUnavailable(f"the Prefect server was silent for {_START_TIMEOUT_S:.0f} s; see {self.log_path}")

    def stop(self) -> None:
        """End it; harmless twice."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


@contextmanager
def prefect_api(home: Path) -> Iterator[PrefectServer | None]:
    """A Prefect API for the block: the one in ``PREFECT_API_URL`` if set, else a server of our own.

    Yields
    ------
    PrefectServer or None
        Call its `wait` before the first flow; None when the site has its own server.
    """
    if os.environ.get("PREFECT_API_URL"):
        quiet_prefect(home)
        yield None
        return
    server = PrefectServer(home)
    try:
        yield server
    finally:
        server.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
