"""Sending held objects on an association: as they lie where that is accepted, else written uncompressed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Any

from reread.analytics.errors import InputError
from reread.connectors.catalogue import HeldObject
from reread.connectors.outgoing import SEND_HELD, Outcome
from reread.connectors.plain_objects import can_write_plain, lacks_padding, write_padded, write_plain
from reread.connectors.retrieve_contexts import syntax_to_send

LOG = logging.getLogger(__name__)

_MESSAGES = 65535


class Sent(StrEnum):
    """What became of one C-STORE sub-operation."""

    COMPLETED = "completed"
    WARNING = "warning"
    FAILED = "failed"


_SENT = {Outcome.DONE: Sent.COMPLETED, Outcome.WARNING: Sent.WARNING}


class ObjectSender:
    """Sends on one established association.

    Parameters
    ----------
    association
        pynetdicom's; we are SCU of the storage classes in it.
    scratch
        Gives a fresh path for an object that has to be written anew; in the spool, it holds patient data.
    first_message_id
        Message IDs count up from it.
    originator
        AE title and Message ID of the C-MOVE that asks for this (PS3.7 9.1.1.1); None for C-GET.
    """

    def __init__(
        self,
        association: Any,
        scratch: Callable[[], Path],
        first_message_id: int = 1,
        originator: tuple[str, int] | None = None,
    ) -> None:
        self._association = association
        self._scratch = scratch
        self._message_id = first_message_id
        self._originator = originator
        self._accepted = frozenset(
            (str(context.abstract_syntax), str(context.transfer_syntax[0]))
            for context in association.accepted_contexts
            if context.as_scu
        )

    @property
    def is_over(self) -> bool:
        """Whether the association has ended."""
        association = self._association
        # pynetdicom notices an abort a moment after it has come
        return not association.is_established or association.acse.is_aborted() or not association.dul.is_alive()

    def send(self, held: HeldObject) -> Sent:
        """One object; nothing that is wrong with it or with the peer raises."""
        syntax = syntax_to_send((held.sop_class_uid, held.transfer_syntax_uid), self._accepted, can_write_plain)
        if syntax is None:
            LOG.warning("%s: the receiver takes no transfer syntax that we can send it in", held.sop_instance_uid)
            return Sent.FAILED
        if not held.path.is_file():
            LOG.warning("%s: its file is not there", held.sop_instance_uid)
            return Sent.FAILED
        as_it_lies = syntax == held.transfer_syntax_uid
        scratch = self._scratch()
        try:
            if not as_it_lies:
                write_plain(held.path, scratch, syntax)
            elif lacks_padding(held.path, syntax):
                write_padded(held.path, scratch)
            else:
                return self._store(held.path, held)
            return self._store(scratch, held)
        except (InputError, OSError) as error:
            detail = error.detail if isinstance(error, InputError) else type(error).__name__
            LOG.warning("%s could not be sent: %s", held.sop_instance_uid, detail)
            return Sent.FAILED
        finally:
            scratch.unlink(missing_ok=True)

    def _store(self, path: Path, held: HeldObject) -> Sent:
        self._message_id = self._message_id % _MESSAGES + 1
        title, number = self._originator or (None, None)
        try:
            answer = self._association.send_c_store(
                path, msg_id=self._message_id, originator_aet=title, originator_id=number
            )
        except (ValueError, AttributeError, RuntimeError) as error:
            # no context, no file meta information, no association any more
            LOG.warning("%s could not be sent: %s", held.sop_instance_uid, type(error).__name__)
            return Sent.FAILED
        except OSError as error:
            # perhaps in the middle of a message: nothing more can be said on this association
            LOG.warning("%s could not be sent: %s; the association is aborted", held.sop_instance_uid, error)
            self._association.abort()
            return Sent.FAILED
        status = int(answer.Status) if "Status" in answer else None
        outcome = SEND_HELD.outcome(status) if status is not None else Outcome.REFUSED
        if outcome in _SENT:
            return _SENT[outcome]
        what = "nothing" if status is None else f"0x{status:04X}"
        LOG.warning("%s: the receiver answered %s", held.sop_instance_uid, what)
        return Sent.FAILED
