"""The receivers that `receive` compares, each as a real process, and what /proc says about them."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
SENDER_AE = "SENDER"
STORESCU = Path("/usr/bin/storescu")
STORESCP = Path("/usr/bin/storescp")
ORTHANC = Path("/usr/sbin/Orthanc")


@dataclass(frozen=True, slots=True)
class Receiver:
    """A running receiver."""

    name: str
    ae_title: str
    port: int
    pid: int
    folder: Path
    """objects lie somewhere below"""

    def stored_files(self) -> list[Path]:
        """The objects on the disk, however it names them."""
        return [path for path in self.folder.rglob("*") if path.is_file() and not path.name.startswith("index")]


def peer_environment() -> dict[str, str]:
    """For dcmtk and what is built on it: without TCP_NODELAY Nagle's algorithm costs 45 ms a message."""
    return {**os.environ, "TCP_NODELAY": "1"}


@contextmanager
def reread(root: Path) -> Iterator[Receiver]:
    """`reread listen` with a settings file, ledger and spool below `root`."""
    port = _free_port()
    data = root / "reread"
    data.mkdir()
    settings = root / "site.toml"
    settings.write_text(
        f'ae_title = "REREAD"\ndata = "{data}"\n'
        f"[listener]\nport = {port}\nmax_associations = 64\n[limits]\nmin_free_disk_gib = 0.1\n"
        f'[[peers]]\nname = "sender"\nae_title = "{SENDER_AE}"\nhost = "127.0.0.1"\nport = 11999\nroles = ["source"]\n'
    )
    program = Path(sys.executable).with_name("reread")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("REREAD_")}
    command = [str(program), "listen", "--settings", str(settings)]
    with _running(command, port, root / "reread.log", environment) as pid:
        yield Receiver("reread", "REREAD", port, pid, data / "spool" / "objects")


@contextmanager
def storescp(root: Path) -> Iterator[Receiver]:
    """dcmtk's receiver with its fastest options; it never syncs and keeps no index."""
    port, folder = _free_port(), root / "storescp"
    folder.mkdir()
    command = [str(STORESCP), "--fork", "-pdu", "131072", "+B", "-pm", "-od", str(folder), str(port)]
    with _running(command, port, root / "storescp.log", peer_environment()) as pid:
        yield Receiver("storescp", "STORESCP", port, pid, folder)


@contextmanager
def orthanc(root: Path) -> Iterator[Receiver]:
    """Orthanc: SQLite index, no plug-in, no compression, no MD5; SyncStorageArea as it comes (on)."""
    port, folder = _free_port(), root / "orthanc"
    folder.mkdir()
    settings = {
        "StorageDirectory": str(folder),
        "IndexDirectory": str(folder),
        "DicomPort": port,
        "DicomAet": "ORTHANC",
        "HttpServerEnabled": False,
        "Plugins": [],
        "StorageCompression": False,
        "StoreMD5ForAttachments": False,
        "MaximumPduLength": 131072,
    }
    (root / "orthanc.json").write_text(json.dumps(settings))
    with _running([str(ORTHANC), str(root / "orthanc.json")], port, root / "orthanc.log", peer_environment()) as pid:
        yield Receiver("orthanc", "ORTHANC", port, pid, folder)


def send(receiver: Receiver, shares: list[list[Path]]) -> float:
    """Send with one storescu for each share at the same time; seconds until the last one has ended."""
    options = ["-R", "-pdu", "131072", "-aet", SENDER_AE, "-aec", receiver.ae_title]
    address = ["127.0.0.1", str(receiver.port)]
    start = time.perf_counter()
    senders = [
        subprocess.Popen(
            [STORESCU, *options, *address, *share],
            env=peer_environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        for share in shares
    ]
    complaints = [sender.communicate()[1] for sender in senders]
    seconds = time.perf_counter() - start
    for sender, complaint in zip(senders, complaints, strict=True):
        if sender.returncode:
            text = complaint.decode(errors="replace")[-500:]
            raise SystemExit(f"{receiver.name}: storescu ended with {sender.returncode}: {text}")
    return seconds


def cpu_seconds(pid: int) -> float:
    """Processor time of a process and its descendants, the dead ones included."""
    ticks = 0
    for one in _tree(pid):
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(map(int, fields[11:15]))  # utime, stime, and those of reaped children
    return ticks / _TICKS


def pss_mb(pid: int) -> float:
    """Proportional set size of a process and its descendants: shared pages count once."""
    total = 0
    for one in _tree(pid):
        with contextlib.suppress(OSError, StopIteration):
            lines = Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()
            total += int(next(line.split()[1] for line in lines if line.startswith("Pss:")))
    return total * 1024 / 1e6


def largest_process_mb(pid: int) -> float:
    """Resident memory of the largest of these processes, shared pages and all."""
    pages = [0]
    for one in _tree(pid):
        with contextlib.suppress(OSError):
            pages.append(int(Path(f"/proc/{one}/statm").read_text().split()[1]))
    return max(pages) * os.sysconf("SC_PAGE_SIZE") / 1e6


class Watch:
    """The largest memory within a `with` block, looked at every 20 ms."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self.idle_mb = pss_mb(pid)
        self.peak_mb = self.idle_mb
        self.peak_process_mb = largest_process_mb(pid)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.02):
            self.peak_mb = max(self.peak_mb, pss_mb(self._pid))
            self.peak_process_mb = max(self.peak_process_mb, largest_process_mb(self._pid))


def _tree(pid: int) -> list[int]:
    found = [pid]
    for one in found:
        for task in Path(f"/proc/{one}/task").glob("*"):
            with contextlib.suppress(OSError):
                found += map(int, (task / "children").read_text().split())
    return found


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def _running(command: list[str], port: int, log: Path, environment: dict[str, str]) -> Iterator[int]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environment, cwd=log.parent)
    try:
        for _ in range(600):
            if process.poll() is not None:
                raise SystemExit(f"{command[0]} did not start: {log.read_text(errors='replace')[-500:]}")
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0):
                break
            time.sleep(0.05)
        else:
            raise SystemExit(f"{command[0]} does not listen after 30 s")
        time.sleep(0.5)
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_bytes(folder: Path) -> int:
    """Free space where the benchmark writes."""
    return shutil.disk_usage(folder).free
