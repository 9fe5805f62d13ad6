"""Results go out once, and failures are tried again until they are given up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from made_dicom import made, write

from reread.analytics.errors import ArchiveRefused, ArchiveUnreachable
from reread.connectors.archive import CommitmentOutcome, StoreOutcome
from reread.connectors.archive_server import ArchiveServer
from reread.connectors.commitment import CommitmentResult
from reread.connectors.dimse import DimseArchive
from reread.connectors.ledger import open_ledger
from reread.connectors.outbox import OutboxPolicy, send_due
from reread.connectors.peers import Peer
from reread.connectors.states import DeliveryState

START = datetime(2026, 1, 2, tzinfo=UTC)
POLICY = OutboxPolicy(retry_interval_s=60, retry_duration_s=600, commitment_limit_s=100)
SC = "1.2.840.10008.5.1.4.1.1.7"


class Moody:
    """Stores and commits as it is told."""

    name = "pacs"

    def __init__(self) -> None:
        self.status, self.unreachable, self.commitment, self.stored = 0x0000, False, "yes", []

    def store(self, paths):
        if self.unreachable:
            raise ArchiveUnreachable("gone")
        self.stored += paths
        return tuple(StoreOutcome(path, SC, path.name, self.status) for path in paths)

    def commit(self, references, transaction_uid):
        if self.commitment == "refused":
            raise ArchiveRefused("N-ACTION", 0x0110)
        if self.commitment == "unreachable":
            raise ArchiveUnreachable("gone")
        if self.commitment == "silent":
            return CommitmentOutcome(transaction_uid, None)
        failed = {} if self.commitment == "yes" else {item.sop_instance_uid: 0x0112 for item in references}
        committed = tuple(references) if self.commitment == "yes" else ()
        return CommitmentOutcome(transaction_uid, CommitmentResult(transaction_uid, committed, failed))


@pytest.fixture
def world(tmp_path):
    class World:
        now = START
        archive = Moody()

        def round(self):
            return send_due(self.archive, self.ledger, lambda path: tmp_path / path, POLICY, self.now)

        def state(self):
            return self.ledger.deliveries()[0].state

    made_world = World()
    with open_ledger(f"sqlite:///{tmp_path / 'l.sqlite'}", lambda: made_world.now) as ledger:
        made_world.ledger = ledger
        ledger.add_delivery(
            sop_instance_uid="1.2.50",
            sop_class_uid=SC,
            study_instance_uid="1.2",
            revision=1,
            destination="pacs",
            path="1.2.50",
        )
        yield made_world


def test_sent_committed_and_never_again(world):
    world.archive.stored.clear()
    report = world.round()
    assert (report.sent, report.committed, world.state()) == (1, 1, DeliveryState.COMMITTED)
    assert world.round().sent == 0 and len(world.archive.stored) == 1


@pytest.mark.parametrize("status", [0xB000, 0xB006, 0xB007])
def test_a_warning_is_success(world, status):
    world.archive.status = status
    assert world.round().committed == 1


def test_unreachable_is_tried_again_after_the_interval_and_given_up_after_the_duration(world):
    world.archive.unreachable = True
    assert world.round().failed == 1
    world.now += timedelta(seconds=59)
    assert world.round().failed == 0
    rounds = 0
    while world.state() is DeliveryState.FAILED:
        world.now += timedelta(seconds=60)
        world.round()
        rounds += 1
    assert world.state() is DeliveryState.GIVEN_UP and rounds == 10
    world.archive.unreachable = False
    world.now += timedelta(days=1)
    assert world.round().sent == 0


@pytest.mark.parametrize("mood", ["no", "refused"])
def test_a_refused_commitment_is_sent_again(world, mood):
    world.archive.commitment = mood
    report = world.round()
    assert (report.sent, report.committed, report.failed) == (1, 0, 1)
    world.archive.commitment = "yes"
    world.now += timedelta(seconds=60)
    assert world.round().committed == 1


def test_a_commitment_that_could_not_be_asked_for_is_asked_again_without_sending(world):
    world.archive.commitment = "unreachable"
    world.archive.stored.clear()
    assert world.round().awaiting == 1
    world.archive.commitment = "yes"
    assert world.round().committed == 1 and len(world.archive.stored) == 1


def test_silence_is_waited_for_then_sent_again(world):
    world.archive.commitment = "silent"
    assert world.round().awaiting == 1 and world.state() is DeliveryState.SENT
    assert world.round().sent == 0
    world.now += timedelta(seconds=100)
    world.round()
    assert world.state() is DeliveryState.FAILED
    world.archive.commitment = "yes"
    world.now += timedelta(seconds=60)
    assert world.round().committed == 1


def test_a_file_that_is_gone_or_another_fails_alone(tmp_path):
    us = Peer("us", "REREAD", "127.0.0.1", 0)
    with (
        ArchiveServer(tmp_path / "pacs", "PACS", [us]) as server,
        open_ledger(f"sqlite:///{tmp_path / 'l.sqlite'}") as ledger,
    ):
        write(made(1), tmp_path / "good.dcm")
        write(made(3), tmp_path / "other.dcm")
        for number, name in ((1, "good.dcm"), (2, "gone.dcm"), (4, "other.dcm")):
            ledger.add_delivery(
                sop_instance_uid=f"2.25.1.{number}",
                sop_class_uid="1.2.840.10008.5.1.4.1.1.1.2",
                study_instance_uid="2.25.1",
                revision=1,
                destination="pacs",
                path=name,
            )
        archive = DimseArchive(Peer("pacs", "PACS", "127.0.0.1", server.port), "REREAD")
        report = send_due(archive, ledger, lambda path: tmp_path / path, OutboxPolicy(), datetime.now(UTC))
        assert (report.sent, report.committed, report.failed) == (1, 1, 2)
        states = {item.path: (item.state, item.detail) for item in ledger.deliveries()}
        assert states["good.dcm"][0] is DeliveryState.COMMITTED
        assert "not sent" in states["gone.dcm"][1] and "another SOP Instance UID" in states["other.dcm"][1]


def test_the_archive_keeps_what_it_was_sent(tmp_path):
    us = Peer("us", "REREAD", "127.0.0.1", 0)
    path = write(made(1, manufacturer="Reread"), tmp_path / "r.dcm")
    for round_number in range(2):
        with ArchiveServer(tmp_path / "pacs", "PACS", [us]) as server:
            assert len(server.stored_instances()) == round_number
            archive = DimseArchive(Peer("pacs", "PACS", "127.0.0.1", server.port), "REREAD")
            assert archive.store([path])[0].stored
            assert [item.sop_instance_uid for item in server.stored_instances()] == ["2.25.1.1"]
