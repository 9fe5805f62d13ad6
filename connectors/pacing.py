"""Sending at the pace of the peer: pynetdicom's queue of outgoing PDUs has no bound, and its PDUs may be whole objects.

A file sent in chunks would lie in that queue as a whole before the peer has taken its first byte, and while
the queue is not empty nothing is read, so that a C-CANCEL waits for the last answer. `pace` bounds the
queue of one association and the size of its PDUs. The names of pynetdicom that are used are checked when
this module is imported.
"""

from __future__ import annotations

import inspect
import queue
import threading
import time
from typing import Any

import pynetdicom
from pynetdicom import evt
from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dul import DULServiceProvider
from pynetdicom.pdu import P_DATA_TF
from pynetdicom.pdu_primitives import P_DATA

from reread.connectors.direct_sending import can_send, send_file

LARGEST_PDU_BYTES = 1 << 18
"""what we send at most in one, whatever the peer would take"""
_WAITING_PDUS = 8
_LOOK_S = 0.2


class _PacedMessages(DIMSEServiceProvider):
    """Splits messages into PDUs of a bounded size; files take the short way; nobody else takes the answer."""

    @property
    def maximum_pdu_size(self) -> int:
        # 0: the peer has no limit
        return min(super().maximum_pdu_size or LARGEST_PDU_BYTES, LARGEST_PDU_BYTES)

    _awaiting = False
    """a request is out: its answer belongs to whoever sent it"""

    def get_msg(self, block: bool = False) -> Any:
        # pynetdicom's reactor, which asks without blocking, may be past its checkpoint when it is paused, and
        # would take the answer to a request that is quick
        if block:
            found = super().get_msg(block)
            self._awaiting = False
            return found
        if self._awaiting:
            return None, None
        try:
            found = self.msg_queue.get(block=False)
        except queue.Empty:
            return None, None
        if self._awaiting:
            self.msg_queue.put(found)
            return None, None
        return found

    def send_msg(self, primitive: Any, context_id: int) -> None:
        if primitive.MessageIDBeingRespondedTo is None:
            self._awaiting = True
        if not can_send(self.assoc, primitive):
            super().send_msg(primitive, context_id)
            return
        own = pace(self.assoc)
        own.check()
        own.wait(1)  # the connection is free for this thread
        send_file(self.assoc, primitive, context_id, self.maximum_pdu_size)


class Pace:
    """Holds whoever sends on an association until the peer has taken enough."""

    def __init__(self, association: Any, stall_s: float) -> None:
        self._association = association
        self._stall_s = stall_s
        self._taken = threading.Condition()
        self._send = association.dul.send_pdu
        self._given = self._gone = 0
        self._serve = association._serve_request
        self._door = threading.Condition()
        self._serving, self._closed = 0, False

    def send_pdu(self, primitive: Any) -> None:
        """As `DULServiceProvider.send_pdu` (ConnectionError when the peer has gone or takes nothing for too long)."""
        if isinstance(primitive, P_DATA):
            self.check()
            self.wait(_WAITING_PDUS)
            self._given += 1
        self._send(primitive)

    def serve(self, message: Any, context_id: int) -> None:
        """As `Association._serve_request`, which answers a request of the peer; nothing after `serve_no_more`."""
        with self._door:
            if self._closed:
                return
            self._serving += 1
        try:
            self._serve(message, context_id)
        finally:
            with self._door:
                self._serving -= 1
                self._door.notify_all()

    def serve_no_more(self, patience_s: float) -> None:
        """Wait until the requests that are being answered have their answers, and take no other."""
        with self._door:
            self._closed = True
            self._door.wait_for(lambda: not self._serving, patience_s)

    def check(self) -> None:
        """ConnectionError if the association has ended; pynetdicom would wait its whole time-out for an answer."""
        if not self._association.is_established:
            raise ConnectionError("the association has ended")

    def wait(self, waiting: int) -> None:
        """Until fewer than this many PDUs have not left yet (ConnectionError if that never comes)."""
        deadline, before = time.monotonic() + self._stall_s, self._gone
        with self._taken:
            while self._given - self._gone >= waiting:
                self._taken.wait(_LOOK_S)
                if not self._association.dul.is_alive():
                    raise ConnectionError("the association has ended")
                if self._gone != before:
                    deadline, before = time.monotonic() + self._stall_s, self._gone
                elif time.monotonic() > deadline:
                    raise ConnectionError("the peer takes nothing any more")

    def on_sent(self, event: Any) -> None:
        """A PDU has left."""
        if isinstance(event.pdu, P_DATA_TF):
            with self._taken:
                self._gone += 1
                self._taken.notify_all()


def pace(association: Any, stall_s: float = 90.0) -> Pace:
    """Bound what waits to be sent on an association; a second call changes nothing.

    Parameters
    ----------
    association
        An established one of pynetdicom.
    stall_s
        Whoever sends to a peer that takes nothing for so long gets a ConnectionError, and has to abort.
    """
    present = getattr(association.dul.send_pdu, "__self__", None)
    if isinstance(present, Pace):
        return present
    made = Pace(association, stall_s)
    association.dimse.__class__ = _PacedMessages
    association.dul.send_pdu = made.send_pdu
    association._serve_request = made.serve
    association.bind(evt.EVT_PDU_SENT, made.on_sent)
    return made


def serve_no_more(association: Any, patience_s: float = 30.0) -> None:
    """Before a release on a paced association: an answer after it would break the protocol (PS3.8 9.2.3, Sta7).

    pynetdicom answers an N-EVENT-REPORT in a thread that its release does not wait for; its state machine then dies
    of the answer (Evt9 in Sta7), and the peer gets neither the answer nor the release.
    """
    pace(association).serve_no_more(patience_s)


def _check() -> None:
    if (
        not isinstance(inspect.getattr_static(DIMSEServiceProvider, "maximum_pdu_size"), property)
        or list(inspect.signature(DULServiceProvider.send_pdu).parameters) != ["self", "primitive"]
        or list(inspect.signature(Association._serve_request).parameters) != ["self", "msg", "context_id"]
    ):  # pragma: no cover
        raise ImportError(f"pynetdicom {pynetdicom.__version__} sends differently; pacing.py has to be adapted")


_check()
