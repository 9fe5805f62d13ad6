"""The part of the ledger that knows what peers asked us to commit to, and whether they know our answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, and_, insert, select, update

from reread.connectors.commitment import HeldCopy, Reference
from reread.connectors.ledger_store import LedgerStore
from reread.connectors.ledger_tables import COMMITMENT_REFERENCES, COMMITMENT_REQUESTS, INSTANCES

_Q, _F, _I = COMMITMENT_REQUESTS.c, COMMITMENT_REFERENCES.c, INSTANCES.c
_CHUNK = 500
_GRACE_S = 1.0
"""a request is not reported before its N-ACTION had time to be answered"""


class RequestState(StrEnum):
    """Of a storage commitment request of a peer."""

    PENDING = "pending"
    REPORTED = "reported"
    GIVEN_UP = "given_up"


class RequestOutcome(StrEnum):
    """What the ledger said to a request."""

    NEW = "new"
    REPEATED = "repeated"
    """the same request was here before; it is reported once more"""
    DUPLICATE = "duplicate"
    """another request had this transaction UID first; all of it will be reported as failed, 0131"""


@dataclass(frozen=True, slots=True)
class CommitmentRequest:
    """A request of a peer."""

    number: int
    peer: str
    """name of the peer"""
    called_ae_title: str
    """which of our AE titles it asked"""
    transaction_uid: str
    duplicate: bool
    references: tuple[Reference, ...]


class CommitmentBook(LedgerStore):
    """Requests of peers, and what there is to answer from."""

    def add_commitment_request(
        self, peer: str, called_ae_title: str, transaction_uid: str, references: Sequence[Reference]
    ) -> tuple[int, RequestOutcome]:
        """Book a request; when this returns, it is durable. Its number, and what it is."""
        with self._write() as connection:
            now = self._now()
            first = connection.execute(
                select(_Q.number, _Q.state)
                .where(_Q.transaction_uid == transaction_uid, _Q.peer == peer, _Q.duplicate.is_(False))
                .order_by(_Q.number)
            ).first()
            if first is not None and set(_references(connection, first.number)) == set(references):
                again = {"state": RequestState.PENDING.value, "requested_at": now, "next_attempt_at": now + _GRACE_S}
                connection.execute(update(COMMITMENT_REQUESTS).where(_Q.number == first.number).values(again))
                return int(first.number), RequestOutcome.REPEATED
            inserted = connection.execute(
                insert(COMMITMENT_REQUESTS).values(
                    peer=peer,
                    called_ae_title=called_ae_title,
                    transaction_uid=transaction_uid,
                    duplicate=first is not None,
                    state=RequestState.PENDING.value,
                    requested_at=now,
                    next_attempt_at=now + _GRACE_S,
                )
            )
            assert inserted.inserted_primary_key is not None
            number = int(inserted.inserted_primary_key[0])
            rows = [
                {
                    "request": number,
                    "position": position,
                    "sop_class_uid": reference.sop_class_uid,
                    "sop_instance_uid": reference.sop_instance_uid,
                }
                for position, reference in enumerate(references)
            ]
            connection.execute(insert(COMMITMENT_REFERENCES), rows)
            return number, RequestOutcome.NEW if first is None else RequestOutcome.DUPLICATE

    def report_now(self, number: int) -> None:
        """The N-ACTION was answered: its report need not wait any longer."""
        with self._write() as connection:
            connection.execute(
                update(COMMITMENT_REQUESTS)
                .where(_Q.number == number, _Q.state == RequestState.PENDING, _Q.attempts == 0)
                .values(next_attempt_at=self._now())
            )

    def claim_commitment_request(self, lease_s: float) -> CommitmentRequest | None:
        """A request that is due, for this process alone for `lease_s` seconds; None if there is none."""
        due = and_(_Q.state == RequestState.PENDING, _Q.next_attempt_at <= self._now())
        with self._read() as connection:  # most times there is nothing, and then nobody is locked out
            if connection.execute(select(_Q.number).where(due).limit(1)).first() is None:
                return None
        with self._write() as connection:
            row = connection.execute(select(COMMITMENT_REQUESTS).where(due).order_by(_Q.next_attempt_at)).first()
            if row is None:
                return None
            connection.execute(
                update(COMMITMENT_REQUESTS)
                .where(_Q.number == row.number)
                .values(next_attempt_at=self._now() + lease_s, attempts=row.attempts + 1)
            )
            return CommitmentRequest(
                number=row.number,
                peer=row.peer,
                called_ae_title=row.called_ae_title,
                transaction_uid=row.transaction_uid,
                duplicate=row.duplicate,
                references=_references(connection, row.number),
            )

    def settle_commitment_request(
        self, number: int, reported: bool, *, retry_interval_s: float, retry_duration_s: float
    ) -> RequestState:
        """Note whether the peer knows our answer; if not, it is told again until the duration is over."""
        with self._write() as connection:
            now = self._now()
            asked_at = connection.execute(select(_Q.requested_at).where(_Q.number == number)).scalar_one()
            if reported:
                state = RequestState.REPORTED
            else:
                state = RequestState.GIVEN_UP if now - asked_at >= retry_duration_s else RequestState.PENDING
            connection.execute(
                update(COMMITMENT_REQUESTS)
                .where(_Q.number == number)
                .values(
                    state=state.value,
                    next_attempt_at=now + retry_interval_s,
                    settled_at=None if state is RequestState.PENDING else now,
                )
            )
            return state

    def held_copies(self, sop_instance_uids: Iterable[str]) -> dict[str, tuple[HeldCopy, ...]]:
        """What was received and acknowledged under these SOP Instance UIDs, conflicting ones included."""
        found: dict[str, tuple[HeldCopy, ...]] = {}
        wanted = list(dict.fromkeys(sop_instance_uids))
        with self._read() as connection:
            for start in range(0, len(wanted), _CHUNK):
                query = select(_I.sop_instance_uid, _I.sop_class_uid, _I.path, _I.size_bytes).where(
                    _I.sop_instance_uid.in_(wanted[start : start + _CHUNK])
                )
                for row in connection.execute(query):
                    copy = HeldCopy(row.sop_class_uid, row.path, int(row.size_bytes))
                    found[row.sop_instance_uid] = (*found.get(row.sop_instance_uid, ()), copy)
        return found


def _references(connection: Connection, number: int) -> tuple[Reference, ...]:
    rows = connection.execute(
        select(_F.sop_class_uid, _F.sop_instance_uid).where(_F.request == number).order_by(_F.position)
    )
    return tuple(Reference(row.sop_class_uid, row.sop_instance_uid) for row in rows)
