"""The message stream of one incoming association: C-STORE requests are received here, the rest by the toolkit.

An object goes from the socket to the disk through one block of memory, whatever its size and the size of
the sender's PDUs; its answer leaves from the same thread. Bounds hold before memory is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from reread.analytics.errors import NotDicom
from reread.analytics.reasons import Reason
from reread.connectors.command_set import StoreCommand, command_pdu, read_store_command, store_answer
from reread.connectors.incoming import Incoming

BLOCK_BYTES = 1 << 18
"""stays in the cache of a core between reading, digesting and writing"""
_MAX_COMMAND_BYTES = 1 << 16
_MAX_IDENTIFIER_BYTES = 1 << 26
"""of every data set that is not stored: an identifier with a million UIDs"""
_COMMAND, _LAST = 1, 2
"""bits of the message control header (PS3.8 E.2)"""


@dataclass(frozen=True, slots=True)
class StoreArrival:
    """One object that was received whole."""

    association: Any
    """the toolkit's; for who sent it"""
    command: StoreCommand
    abstract_syntax: str
    """of the presentation context"""
    transfer_syntax: str
    incoming: Incoming
    """closed; belongs to whoever answers"""


@dataclass(frozen=True, slots=True)
class StoreAnswer:
    """Status and what explains it."""

    status: int
    comment: str = ""
    offending_element: int | None = None


class Wire(Protocol):
    """What the lane needs of a connection."""

    def read_into(self, block: memoryview) -> None:
        """Fill the block from the peer (OSError if it has gone or is too slow)."""
        ...

    def send(self, pdu: bytes) -> None:
        """Send one PDU."""
        ...


class StoreLane:
    """Takes presentation data values one after the other.

    Parameters
    ----------
    association
        Handed on with each arrival.
    contexts
        Accepted presentation contexts: ID to abstract and transfer syntax; asked for each message.
    open_incoming
        Makes the file for one object.
    answer
        Decides about a whole object; must not raise.
    to_toolkit
        Gets context ID and message control header plus fragment of every other message.
    """

    def __init__(
        self,
        association: Any,
        contexts: Callable[[], Mapping[int, tuple[str, str]]],
        open_incoming: Callable[[StoreCommand, str], Incoming],
        answer: Callable[[StoreArrival], StoreAnswer],
        to_toolkit: Callable[[int, bytes], None],
    ) -> None:
        self._association = association
        self._contexts = contexts
        self._open_incoming = open_incoming
        self._answer = answer
        self._to_toolkit = to_toolkit
        self._command = b""
        self._identifier_bytes = 0
        self._current: tuple[int, StoreCommand, str, str, Incoming] | None = None
        self._block: memoryview | None = None
        self._filled = 0

    @property
    def receiving(self) -> bool:
        """Inside an object."""
        return self._current is not None

    def take(self, context_id: int, control: int, length: int, wire: Wire) -> None:
        """Read and use one fragment of `length` bytes.

        Raises
        ------
        OSError
            The connection ended.
        NotDicom
            The peer breaks the protocol; the association has to end.
        """
        if control & _COMMAND:
            self._take_command(context_id, control, length, wire)
        elif self._current is None:
            self._identifier_bytes += length
            if self._identifier_bytes > _MAX_IDENTIFIER_BYTES:
                raise NotDicom(Reason.NOT_DICOM, "a data set that is too large for its message")
            self._to_toolkit(context_id, bytes([control]) + _read(wire, length))
        else:
            self._take_data(context_id, control, length, wire)

    def abandon(self) -> bool:
        """The association is over: remove what is half received; True if there was something."""
        if self._current is None:
            return False
        self._current[-1].discard()
        self._current, self._filled = None, 0
        return True

    def _take_command(self, context_id: int, control: int, length: int, wire: Wire) -> None:
        if self._current is not None:
            raise NotDicom(Reason.NOT_DICOM, "a command inside a data set")
        if len(self._command) + length > _MAX_COMMAND_BYTES:
            raise NotDicom(Reason.NOT_DICOM, "a command set that is too large")
        self._command += _read(wire, length)
        if not control & _LAST:
            return
        whole, self._command, self._identifier_bytes = self._command, b"", 0
        command = read_store_command(whole)
        if command is None:
            self._to_toolkit(context_id, bytes([control]) + whole)
            return
        syntaxes = self._contexts().get(context_id)
        if syntaxes is None:
            raise NotDicom(Reason.NOT_DICOM, "a message in a presentation context that was not accepted")
        self._current = (context_id, command, *syntaxes, self._open_incoming(command, syntaxes[1]))

    def _take_data(self, context_id: int, control: int, length: int, wire: Wire) -> None:
        assert self._current is not None
        mine, command, abstract_syntax, transfer_syntax, incoming = self._current
        if context_id != mine:
            raise NotDicom(Reason.NOT_DICOM, "a data set in another presentation context than its command")
        while length:
            block = self._block = self._block or memoryview(bytearray(BLOCK_BYTES))
            count = min(length, BLOCK_BYTES - self._filled)
            wire.read_into(block[self._filled : self._filled + count])
            self._filled += count
            length -= count
            if self._filled == BLOCK_BYTES:
                self._write_block(incoming)
        if not control & _LAST:
            return
        self._write_block(incoming)
        self._current = None
        incoming.close()
        try:
            answer = self._answer(StoreArrival(self._association, command, abstract_syntax, transfer_syntax, incoming))
        finally:
            incoming.discard()
        wire.send(
            command_pdu(
                context_id,
                store_answer(
                    command, answer.status, comment=answer.comment, offending_element=answer.offending_element
                ),
            )
        )

    def _write_block(self, incoming: Incoming) -> None:
        if self._block is not None and self._filled:
            incoming.write_all(self._block[: self._filled])
            self._filled = 0


def _read(wire: Wire, length: int) -> bytes:
    block = bytearray(length)
    wire.read_into(memoryview(block))
    return bytes(block)
