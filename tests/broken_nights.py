"""What the fault tests share: a listener process that can be killed, a few objects, and the audit afterwards."""

from __future__ import annotations

import contextlib
import hashlib
import os
import select
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from blake3 import blake3
from made_dicom import MAMMOGRAM, made, write
from pydicom.uid import ExplicitVRLittleEndian
from raw_sender import IMPLICIT, VERIFICATION, RawSender, part10_pieces

CONTEXTS = ((VERIFICATION, IMPLICIT), (MAMMOGRAM, str(ExplicitVRLittleEndian)))
STORE = 3
"""ID of the storage context in CONTEXTS"""


@dataclass(frozen=True)
class MadeObject:
    """One object: its UID and its data set's bytes."""

    uid: str
    content: bytes

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


def made_object(folder: Path, number: int, *, size: int = 32, study: str = "2.25.1") -> MadeObject:
    """A mammogram of size x size bytes, noise that no other has."""
    dataset = made(number, study=study, size=size)
    noise = hashlib.sha256(f"{study}.{number}".encode()).digest()
    dataset.PixelData = (noise * (size * size // 32 + 1))[: size * size]
    _, uid, _, content = part10_pieces(write(dataset, folder / f"{study}.{number}.dcm"))
    return MadeObject(uid, content)


def send(sender: RawSender, one: MadeObject) -> int:
    """C-STORE; the status."""
    return sender.store(MAMMOGRAM, one.uid, one.content, STORE)


class ListenerProcess:
    """`listener_process.py` in a session of its own."""

    def __init__(self, folder: Path, *, port: int = 0, timeout_s: float = 60.0, limit: int = 10) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._log = (folder / "listener.log").open("ab")
        script = Path(__file__).with_name("listener_process.py")
        options = ["--port", str(port), "--timeout-s", str(timeout_s), "--limit", str(limit)]
        self.process = subprocess.Popen(
            [sys.executable, script, folder, *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            start_new_session=True,
        )
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], 60.0)
        line = self.process.stdout.readline() if ready else b""
        if not line.startswith(b"listening "):
            self.kill()
            raise AssertionError((folder / "listener.log").read_text(errors="replace")[-2000:])
        self.port = int(line.split()[1])

    def kill(self) -> None:
        """SIGKILL, whatever it is doing."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self._end()

    def stop(self) -> None:
        """As an operator would; AssertionError if it died before or does not end."""
        assert self.process.poll() is None, self.log()[-2000:]
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            assert self.process.wait(20) == 0
        finally:
            self.kill()

    def log(self) -> str:
        return (self.folder / "listener.log").read_text(errors="replace")

    def sender(self, timeout_s: float = 20.0) -> RawSender:
        return RawSender(self.port, CONTEXTS, timeout_s=timeout_s)

    def cpu_seconds(self) -> float:
        """Processor time so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")

    def peak_mib(self) -> float:
        """The largest resident memory so far."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return int(next(line.split()[1] for line in lines if line.startswith("VmHWM"))) / 1024

    def _end(self) -> None:
        self.process.wait(20)
        for stream in (self.process.stdin, self.process.stdout, self._log):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()


@contextmanager
def listener_process(folder: Path, *, timeout_s: float = 60.0, limit: int = 10) -> Iterator[ListenerProcess]:
    """Start one, and stop it at the end of the block; it must have lived until then."""
    process = ListenerProcess(folder, timeout_s=timeout_s, limit=limit)
    try:
        yield process
        process.stop()
    finally:
        process.kill()


def still_answers(port: int, folder: Path, number: int = 9000) -> MadeObject:
    """C-ECHO and C-STORE work; the object that was stored for it."""
    one = made_object(folder, number)
    with RawSender(port, CONTEXTS) as sender:
        assert sender.echo() == 0
        assert send(sender, one) == 0
        sender.release()
    return one


def audit(root: Path, acknowledged: Iterable[MadeObject], sent: Iterable[MadeObject] = ()) -> None:
    """Nothing acknowledged is missing, nothing half is visible, the ledger is consistent.

    `sent` is what may lie in the spool without having been acknowledged.
    """
    spool = root / "spool"
    with contextlib.closing(sqlite3.connect(root / "ledger.sqlite")) as ledger:
        assert ledger.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert not ledger.execute("PRAGMA foreign_key_check").fetchall()
        rows = ledger.execute("SELECT sop_instance_uid, path, dataset_digest, size_bytes FROM instances").fetchall()
        studies = ledger.execute("SELECT DISTINCT study_instance_uid FROM study_revisions").fetchall()
        queued = ledger.execute("SELECT DISTINCT study_instance_uid FROM instances WHERE revision IS NOT NULL")
        assert set(queued.fetchall()) <= set(studies)
    expected = {one.uid: one for one in acknowledged}
    possible = {one.digest for one in (*expected.values(), *sent)}
    booked = {}
    for uid, relative, digest, size in rows:
        _, named, syntax, content = part10_pieces(spool / relative)
        found = blake3(syntax.encode() + b"\0" + content).hexdigest()
        assert (found, (spool / relative).stat().st_size, named) == (digest, size, uid)
        booked[uid] = hashlib.sha256(content).hexdigest()
    assert {uid: booked.get(uid) for uid in expected} == {uid: one.digest for uid, one in expected.items()}
    for path in (spool / "objects").rglob("*"):
        if path.is_file():
            assert hashlib.sha256(part10_pieces(path)[3]).hexdigest() in possible, f"half or foreign: {path.name}"
