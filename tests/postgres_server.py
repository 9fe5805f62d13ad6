"""A real PostgreSQL server on a free loopback port, for the tests that need one; it is made, used and thrown away."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

from loopback import free_port

OWNER = "reread"


def programs() -> Path | None:
    """Where initdb and postgres are; Debian keeps them off the path."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda found: int(found.parent.name), reverse=True)
    on_path = shutil.which("initdb")
    places = ([Path(on_path).parent] if on_path else []) + debian
    return next((place for place in places if (place / "initdb").exists() and (place / "postgres").exists()), None)


def why_not() -> str:
    """Why no server can be started here; empty if one can."""
    if programs() is None:
        return "PostgreSQL is not installed: apt-get install postgresql"
    if find_spec("psycopg") is None:
        return "the extra postgres is not installed: psycopg"
    if os.geteuid() == 0 and _account() is None:
        return "PostgreSQL does not run as root, and there is no account postgres or nobody"
    return ""


def _account() -> pwd.struct_passwd | None:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    return None


class PostgresServer:
    """Start with `start`, end with `stop`; databases are empty and one test's own.

    Raises
    ------
    RuntimeError
        It does not start; the text has its log.
    """

    def __init__(self) -> None:
        found = programs()
        assert found is not None
        self._bin = found
        self._as = _account() if os.geteuid() == 0 else None
        # of its own: pytest's folders are closed to other accounts
        self._root = Path(tempfile.mkdtemp(prefix="reread-postgres-"))
        if self._as is not None:
            os.chown(self._root, self._as.pw_uid, self._as.pw_gid)
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = count(1)
        self.port = free_port()
        self._run("initdb", "-D", self._root / "data", "-U", OWNER, "-A", "trust", "-E", "UTF8", "--locale=C", "-N")

    def start(self) -> None:
        """Start, and wait until it answers."""
        options = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            # durable across its own death, which is what tests can bring about; not across a power cut
            "fsync": "off",
            "max_connections": "200",
            "timezone": "Asia/Kathmandu",  # nothing may depend on the server's zone
            "log_min_messages": "fatal",
        }
        with (self._root / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    self._bin / "postgres",
                    "-D",
                    self._root / "data",
                    "-p",
                    str(self.port),
                    *(part for name, value in options.items() for part in ("-c", f"{name}={value}")),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                **self._identity(),
            )
        until = time.monotonic() + 60
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > until:
                raise RuntimeError((self._root / "log").read_text(errors="replace")[-2000:])
            time.sleep(0.05)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it: SIGINT cuts every client off; SIGQUIT is as a crash, and the next start recovers."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(60)
            self._process = None

    def remove(self) -> None:
        """End it and delete all it had."""
        self.stop()
        shutil.rmtree(self._root, ignore_errors=True)

    def database(self) -> str:
        """SQLAlchemy URL of a new, empty database."""
        name = f"ledger_{next(self._numbers)}"
        with self.connect() as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return f"postgresql+psycopg://{OWNER}@127.0.0.1:{self.port}/{name}"

    def connect(self, database: str = "postgres") -> Any:
        """A connection of the test's own, each statement a transaction."""
        import psycopg

        return psycopg.connect(
            host="127.0.0.1", port=self.port, user=OWNER, dbname=database, autocommit=True, connect_timeout=10
        )

    def _answers(self) -> bool:
        import psycopg

        try:
            self.connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def _run(self, program: str, *arguments: object) -> None:
        done = subprocess.run(
            [self._bin / program, *map(str, arguments)], capture_output=True, text=True, **self._identity()
        )
        if done.returncode:
            raise RuntimeError(done.stderr[-2000:])

    def _identity(self) -> dict[str, object]:
        # an account of its own must be able to stand where it starts
        where: dict[str, object] = {"cwd": self._root}
        if self._as is not None:
            where |= {"user": self._as.pw_uid, "group": self._as.pw_gid, "extra_groups": []}
        return where
