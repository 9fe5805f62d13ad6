"""`reread listen` as it is installed: its first process killed in the middle, started again, nothing lost."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from broken_nights import CONTEXTS, MadeObject, audit, made_object, send, still_answers
from loopback import free_port
from raw_sender import PeerGone, RawSender


def started(folder: Path, port: int) -> subprocess.Popen[bytes]:
    settings = folder / "site.toml"
    settings.write_text(
        f'data = "{folder / "data"}"\n[listener]\nport = {port}\nprocesses = 2\n[limits]\nmin_free_disk_gib = 0.01\n'
        '[[peers]]\nname = "sender"\nae_title = "SENDER"\nhost = "127.0.0.1"\nport = 11999\nroles = ["source"]\n'
    )
    with (folder / "listen.log").open("ab") as log:
        process = subprocess.Popen(
            [Path(sys.executable).with_name("reread"), "listen", "--settings", settings],
            stdout=log,
            stderr=log,
            start_new_session=True,
            env={name: value for name, value in os.environ.items() if not name.startswith("REREAD_")},
        )
    until(lambda: process.poll() is not None or listens(port), 60.0)
    assert process.poll() is None, (folder / "listen.log").read_text(errors="replace")[-2000:]
    return process


def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"nothing happened within {seconds} s"
        time.sleep(0.05)


def listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0):
        return True
    return False


def family(pid: int) -> list[int]:
    """The process and its descendants."""
    found = [pid]
    for one in found:
        for task in Path(f"/proc/{one}/task").glob("*"):
            with contextlib.suppress(OSError):
                found += map(int, (task / "children").read_text().split())
    return found


def alive(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    return False


def send_all(port: int, objects: list[MadeObject], acknowledged: dict[str, MadeObject]) -> None:
    with contextlib.suppress(PeerGone, OSError), RawSender(port, CONTEXTS) as sender:
        for one in objects:
            if send(sender, one) == 0:
                acknowledged[one.uid] = one
        sender.release()


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs /proc to find the processes")
def test_the_first_process_killed_and_started_again(tmp_path):
    objects = [made_object(tmp_path / "out", n, size=400 if n % 3 else 1500) for n in range(1, 241)]
    port, acknowledged = free_port(), dict[str, MadeObject]()
    process = started(tmp_path, port)
    everybody = [process.pid]
    try:
        # one that watches, forks, tracks, and two that receive; callers may wait in line before they are there
        until(lambda: len(family(process.pid)) >= 5)
        everybody = family(process.pid)
        lanes = [threading.Thread(target=send_all, args=(port, objects[first::3], acknowledged)) for first in range(3)]
        for lane in lanes:
            lane.start()
        until(lambda: len(acknowledged) >= 20)
        process.kill()
        process.wait(20)
        # the others notice, each ends, and the port is free for the next start
        until(lambda: not any(map(alive, everybody)))
        for lane in lanes:
            lane.join(30)
            assert not lane.is_alive()
        audit(tmp_path / "data", acknowledged.values(), objects)

        process = started(tmp_path, port)
        everybody += family(process.pid)
        send_all(port, [one for one in objects if one.uid not in acknowledged], acknowledged)
        assert len(acknowledged) == len(objects)
        last = still_answers(port, tmp_path / "out")
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        until(lambda: not any(map(alive, everybody)))
        audit(tmp_path / "data", [*objects, last])
        assert not list((tmp_path / "data" / "spool" / "incoming").iterdir())
        log = (tmp_path / "listen.log").read_text(errors="replace")
        assert "Traceback" not in log and "Secret" not in log
    finally:
        for pid in filter(alive, everybody):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait(20)
