"""Sending at the pace of the peer: pynetdicom's queue of outgoing PDUs has no bound, and its PDUs may be whole objects.

A file sent in chunks would lie in that queue as a whole before the peer has taken its first byte, and while
the queue is not empty nothing is read, so that a C-CANCEL waits for the last answer. `pace` bounds the
queue of one association and the size of its PDUs. The names of pynetdicom that are used are checked when
this module is imported.
"""

from __future__ import annotations

import inspect
import threading
import time
from typing import Any

import pynetdicom
from pynetdicom import evt
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dul import DULServiceProvider
from pynetdicom.pdu_primitives import P_DATA

LARGEST_PDU_BYTES = 1 << 18
"""what we send at most in one, whatever the peer would take"""
_WAITING_PDUS = 8
_LOOK_S = 0.2


class _PacedMessages(DIMSEServiceProvider):
    """Splits messages into PDUs of a bounded size."""

    @property
    def maximum_pdu_size(self) -> int:
        # 0: the peer has no limit
        return min(super().maximum_pdu_size or LARGEST_PDU_BYTES, LARGEST_PDU_BYTES)


class Pace:
    """Holds whoever sends on an association until the peer has taken enough."""

    def __init__(self, association: Any, stall_s: float) -> None:
        self._association = association
        self._stall_s = stall_s
        self._taken = threading.Condition()
        self._send = association.dul.send_pdu

    def send_pdu(self, primitive: Any) -> None:
        """As `DULServiceProvider.send_pdu` (ConnectionError when the peer has gone or takes nothing for too long)."""
        if isinstance(primitive, P_DATA):
            # pynetdicom would wait its whole time-out for an answer to what nobody sends
            if not self._association.is_established:
                raise ConnectionError("the association has ended")
            self.wait(_WAITING_PDUS)
        self._send(primitive)

    def wait(self, waiting: int) -> None:
        """Until fewer than this many PDUs wait (ConnectionError if that never comes)."""
        dul = self._association.dul
        queue = dul.to_provider_queue
        deadline, before = time.monotonic() + self._stall_s, queue.qsize()
        while before >= waiting:
            with self._taken:
                self._taken.wait(_LOOK_S)
            if not dul.is_alive():
                raise ConnectionError("the association has ended")
            if queue.qsize() != before:
                deadline = time.monotonic() + self._stall_s
            elif time.monotonic() > deadline:
                raise ConnectionError("the peer takes nothing any more")
            before = queue.qsize()

    def on_sent(self, event: Any) -> None:
        """A PDU has left."""
        with self._taken:
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
    association.bind(evt.EVT_PDU_SENT, made.on_sent)
    return made


def _check() -> None:
    if not isinstance(inspect.getattr_static(DIMSEServiceProvider, "maximum_pdu_size"), property) or list(
        inspect.signature(DULServiceProvider.send_pdu).parameters
    ) != ["self", "primitive"]:  # pragma: no cover
        raise ImportError(f"pynetdicom {pynetdicom.__version__} sends differently; pacing.py has to be adapted")


_check()
