"""The ledger on a PostgreSQL server that restarts, crashes, is busy or is gone. SQLite has no server to lose."""

from __future__ import annotations

import signal
import threading
import time

import pytest
from loopback import house
from made_dicom import study
from made_nights import night_plan, phantom_study, take_in

from reread.analytics.errors import LedgerError
from reread.connectors import ledger_store
from reread.connectors.archive_server import ArchiveServer
from reread.connectors.dimse import DimseArchive
from reread.connectors.ledger import open_ledger
from reread.connectors.ledger_records import Instance, Outcome
from reread.connectors.peers import Peer
from reread.connectors.states import StudyState
from reread.connectors.warehouse import Warehouse
from reread.deployments.doctor import examine
from reread.deployments.settings import Settings
from reread.tasks.bookings import book_report
from reread.tasks.deliveries import deliver_results
from reread.tasks.nights import cut_night
from reread.tasks.shards import run_shard


def image(number: int) -> Instance:
    return Instance(
        sop_instance_uid=f"1.2.{number}",
        sop_class_uid="1.1",
        series_instance_uid="1.2.9",
        study_instance_uid="1.2",
        woman="w",
        study_date="20260102",
        modality="MG",
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        path=f"objects/{number}",
        size_bytes=1,
        dataset_digest="d",
        source="pacs",
    )


@pytest.fixture
def url(postgres):
    return postgres.database()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["restart", "crash"])
def test_after_a_restart_the_same_ledger_goes_on(postgres, url, how):
    with open_ledger(url) as ledger:
        ledger.add_instance(image(1))
        postgres.stop(how)
        with pytest.raises(LedgerError, match="does not answer"):
            ledger.add_instance(image(2))
        with pytest.raises(LedgerError, match="does not answer"):
            ledger.counts()
        postgres.start()
        assert ledger.add_instance(image(2)) is Outcome.NEW
        assert ledger.known_instances("1.2") == {"1.2.1", "1.2.2"}


def test_what_was_booked_is_there_after_crashes_under_load(postgres, url):
    booked: list[str] = []
    stop = threading.Event()

    def arrive(first: int) -> None:
        number = first
        while not stop.is_set():
            one = image(number)
            try:
                ledger.add_instance(one)
            except LedgerError:
                time.sleep(0.01)  # the sender sends it again
                continue
            booked.append(one.sop_instance_uid)
            number += 4

    with open_ledger(url) as ledger:
        threads = [threading.Thread(target=arrive, args=(first,)) for first in range(4)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(3):
                before = len(booked)
                while len(booked) < before + 20:
                    time.sleep(0.01)
                postgres.stop(signal.SIGQUIT)
                postgres.start()
            before = len(booked)
            while len(booked) < before + 20:
                time.sleep(0.01)
        finally:
            stop.set()
            for thread in threads:
                thread.join(60)
        assert len(booked) == len(set(booked)) > 80
        assert ledger.known_instances("1.2") >= set(booked)
        assert ledger.counts().studies[StudyState.OPEN] == 1


def test_a_writer_that_hangs_is_waited_for_and_then_named(postgres, url, monkeypatch):
    monkeypatch.setattr(ledger_store, "_BUSY_S", 0.5)
    with open_ledger(url) as ledger, postgres.connect(url.rpartition("/")[2]) as other:
        other.execute(f"SELECT pg_advisory_lock({ledger_store._ADVISORY_LOCK})")
        with pytest.raises(LedgerError, match="lock timeout"):
            ledger.add_instance(image(1))
        assert ledger.counts().duplicates == 0  # whoever reads does not wait
        other.execute("SELECT pg_advisory_unlock_all()")
        assert ledger.add_instance(image(1)) is Outcome.NEW


def test_a_commit_is_on_the_disk_whatever_the_server_is_set_to(postgres, url):
    with postgres.connect(url.rpartition("/")[2]) as other:
        other.execute("ALTER ROLE reread SET synchronous_commit = off")
        try:
            with open_ledger(url) as ledger, ledger._read() as connection:
                assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"
        finally:
            other.execute("ALTER ROLE reread RESET synchronous_commit")


def test_a_server_that_is_gone_is_named_without_the_password(postgres, url):
    wrong = url.replace("reread@", "reread:geheim@").replace("/ledger_", "/no_such_")
    with pytest.raises(LedgerError) as caught:
        open_ledger(wrong)
    assert "geheim" not in str(caught.value) and "no_such_" in str(caught.value)


def test_a_sender_is_told_to_send_again_while_the_server_is_gone(postgres, url, tmp_path):
    first, second = study(tmp_path / "in", 2, study="2.25.1")
    sender = Peer("sender", "SENDER", "127.0.0.1", 0)
    with house(tmp_path, sender, ledger_url=url) as node:
        ours = DimseArchive(Peer("us", "REREAD", "127.0.0.1", node.listener.port), "SENDER", timeout_s=20.0)
        assert [item.status for item in ours.store([first])] == [0x0000]
        postgres.stop()
        refused = [item.status for item in ours.store([second])]
        postgres.start()
        assert refused == [0xA710]
        assert [item.status for item in ours.store([second])] == [0x0000]
        assert len(node.ledger.known_instances("2.25.1")) == 2


def test_a_night_goes_through_and_doctor_finds_its_ledger(postgres, url, tmp_path):
    us = Peer("reread", "REREAD", "127.0.0.1", 11114)
    with ArchiveServer(tmp_path / "pacs", "PACS", (us,)) as pacs:
        peer = Peer("pacs", "PACS", "127.0.0.1", pacs.port, commits=False)
        plan = night_plan(tmp_path / "data", peer, sources=(), ledger_url=url)
        Warehouse(plan.folders.warehouse).prepare()
        with open_ledger(plan.ledger_url) as ledger:
            take_in(plan, ledger, phantom_study(tmp_path / "in", count=2))
            shards = cut_night(ledger, plan, "run-1")
            postgres.stop()
            reports = [run_shard(shard) for shard in shards]  # workers need no ledger
            postgres.start()
            for report in reports:
                book_report(ledger, plan, report, "run-1")
            assert deliver_results(plan).sent == 2
            assert ledger.study_work("2.25.1001", 1).state is StudyState.DELIVERED
    found = {check.name: check for check in examine(Settings(data=tmp_path / "data", ledger_url=url))}
    assert (found["ledger"].ok, found["ledger"].text) == (True, "1 study revisions")
