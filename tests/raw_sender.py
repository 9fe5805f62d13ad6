"""A sender that writes every byte itself (PS3.8 9.3, PS3.7 9.3.1): nothing is re-encoded, and anything can be wrong."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

VERIFICATION = "1.2.840.10008.1.1"
IMPLICIT = "1.2.840.10008.1.2"
A_ASSOCIATE_AC, A_ASSOCIATE_RJ, P_DATA, A_RELEASE_RQ, A_RELEASE_RP, A_ABORT = 2, 3, 4, 5, 6, 7
COMMAND, LAST = 1, 2
"""bits of the message control header"""


class PeerGone(Exception):
    """The other side closed or aborted."""


def pdu(kind: int, body: bytes, stated: int | None = None) -> bytes:
    """One PDU; `stated` is what its length field says, if that is to be a lie."""
    return struct.pack(">BxI", kind, len(body) if stated is None else stated) + body


def associate_rq(contexts: Sequence[tuple[str, str]], calling: str, called: str, max_pdu: int = 16384) -> bytes:
    """A-ASSOCIATE-RQ with one transfer syntax a context; context IDs 1, 3, 5, …"""
    items = _item(0x10, b"1.2.840.10008.3.1.1.1")
    for number, (abstract, syntax) in enumerate(contexts):
        body = bytes([2 * number + 1, 0, 0, 0]) + _item(0x30, abstract.encode()) + _item(0x40, syntax.encode())
        items += _item(0x20, body)
    items += _item(0x50, _item(0x51, struct.pack(">I", max_pdu)) + _item(0x52, b"2.25.1234"))
    fixed = struct.pack(">HH16s16s32x", 1, 0, called.encode().ljust(16), calling.encode().ljust(16))
    return pdu(1, fixed + items)


def pdv(context: int, control: int, fragment: bytes, stated: int | None = None) -> bytes:
    """One presentation data value; `stated` as above."""
    return struct.pack(">IBB", len(fragment) + 2 if stated is None else stated, context, control) + fragment


def store_command(sop_class: str, sop_instance: str | bytes, message_id: int = 1) -> bytes:
    """C-STORE-RQ, Implicit VR Little Endian with its group length."""
    uid = sop_instance if isinstance(sop_instance, bytes) else sop_instance.encode()
    return _command(
        (0x0002, _padded(sop_class.encode())),
        (0x0100, struct.pack("<H", 1)),
        (0x0110, struct.pack("<H", message_id)),
        (0x0700, struct.pack("<H", 0)),
        (0x0800, struct.pack("<H", 1)),
        (0x1000, _padded(uid)),
    )


def echo_command() -> bytes:
    """C-ECHO-RQ."""
    return _command(
        (0x0002, _padded(VERIFICATION.encode())),
        (0x0100, struct.pack("<H", 0x30)),
        (0x0110, struct.pack("<H", 1)),
        (0x0800, struct.pack("<H", 0x0101)),
    )


def message(context: int, command: bytes, content: bytes | None, fragment_bytes: int = 16000) -> Iterator[bytes]:
    """The PDUs of a message."""
    yield pdu(P_DATA, pdv(context, COMMAND | LAST, command))
    if content is not None:
        for start in range(0, max(len(content), 1), fragment_bytes):
            last = LAST if start + fragment_bytes >= len(content) else 0
            yield pdu(P_DATA, pdv(context, last, content[start : start + fragment_bytes]))


class RawSender:
    """One association, negotiated when made; a context manager that just closes the connection."""

    def __init__(
        self,
        port: int,
        contexts: Sequence[tuple[str, str]] = ((VERIFICATION, IMPLICIT),),
        *,
        calling: str = "SENDER",
        called: str = "REREAD",
        timeout_s: float = 20.0,
    ) -> None:
        self.contexts = list(contexts)
        self.socket = socket.create_connection(("127.0.0.1", port), timeout_s)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self.socket.sendall(associate_rq(contexts, calling, called))
            kind, body = self.read_pdu()
            if kind != A_ASSOCIATE_AC:
                raise PeerGone(f"PDU type {kind} instead of an acceptance")
        except BaseException:
            self.socket.close()
            raise
        self.max_pdu = _max_pdu(body)
        self.refused = _refused(body)
        """IDs of the presentation contexts that were not accepted"""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.socket.close()

    def send(self, content: bytes) -> None:
        """Send these bytes (PeerGone when nobody takes them)."""
        try:
            self.socket.sendall(content)
        except (ConnectionError, TimeoutError) as error:
            raise PeerGone(str(error)) from error

    def read_pdu(self) -> tuple[int, bytes]:
        """Type and body of the next PDU (PeerGone at the end of the connection; TimeoutError)."""
        kind, length = struct.unpack(">BxI", self._read(6))
        return kind, self._read(length)

    def status(self) -> int:
        """The status of the next response (PeerGone if something else comes)."""
        kind, body = self.read_pdu()
        if kind != P_DATA:
            raise PeerGone(f"PDU type {kind} instead of a response")
        at = body.index(struct.pack("<HHI", 0, 0x0900, 2))
        return int(struct.unpack_from("<H", body, at + 8)[0])

    def ends_within(self, seconds: float) -> bool:
        """Whether the other side aborts or closes before this time is over."""
        self.socket.settimeout(seconds)
        try:
            while self.read_pdu()[0] != A_ABORT:
                pass
        except TimeoutError:
            return False
        except PeerGone:
            pass
        return True

    def store(self, sop_class: str, sop_instance: str | bytes, content: bytes, context: int = 1) -> int:
        """Send a data set as it is; the status."""
        for one in message(context, store_command(sop_class, sop_instance), content):
            self.send(one)
        return self.status()

    def echo(self, context: int = 1) -> int:
        """Verify; the status."""
        self.send(next(message(context, echo_command(), None)))
        return self.status()

    def release(self) -> None:
        """Say goodbye and hear it."""
        self.send(pdu(A_RELEASE_RQ, bytes(4)))
        kind, _ = self.read_pdu()
        if kind != A_RELEASE_RP:
            raise PeerGone(f"PDU type {kind} instead of a release")

    def _read(self, count: int) -> bytes:
        content = b""
        while len(content) < count:
            try:
                more = self.socket.recv(count - len(content))
            except ConnectionError as error:
                raise PeerGone(str(error)) from error
            if not more:
                raise PeerGone("closed")
            content += more
        return content


def part10_pieces(path: Path) -> tuple[str, str, str, bytes]:
    """SOP class, SOP instance, transfer syntax (of the file meta information) and the data set's bytes as they are.

    ValueError if there is no such information.
    """
    content = path.read_bytes()
    if content[128:132] != b"DICM":
        raise ValueError("no Part 10 file")
    at, values = 132, {}
    while at + 8 <= len(content) and content[at : at + 2] == b"\2\0":
        element, representation, length = struct.unpack_from("<H2sH", content, at + 2)
        at += 8
        if representation in (b"OB", b"UN"):
            length = struct.unpack_from("<I", content, at)[0]
            at += 4
        values[element] = content[at : at + length].rstrip(b"\0 ").decode("ascii", "replace")
        at += length
    return values.get(2, ""), values.get(3, ""), values.get(0x10, ""), content[at:]


def _item(kind: int, body: bytes) -> bytes:
    return struct.pack(">BxH", kind, len(body)) + body


def _padded(value: bytes) -> bytes:
    return value + b"\0" * (len(value) % 2)


def _command(*elements: tuple[int, bytes]) -> bytes:
    body = b"".join(struct.pack("<HHI", 0, element, len(value)) + value for element, value in elements)
    return struct.pack("<HHII", 0, 0, 4, len(body)) + body


def _refused(body: bytes) -> set[int]:
    at, found = 68, set()
    while at + 8 <= len(body):
        kind, length = struct.unpack_from(">BxH", body, at)
        if kind == 0x21 and body[at + 6] != 0:
            found.add(body[at + 4])
        at += 4 + length
    return found


def _max_pdu(body: bytes) -> int:
    at = 68
    while at + 4 <= len(body):
        kind, length = struct.unpack_from(">BxH", body, at)
        if kind == 0x50:
            at += 4  # into the user information
            continue
        if kind == 0x51:
            return int(struct.unpack_from(">I", body, at + 4)[0])
        at += 4 + length
    return 0
