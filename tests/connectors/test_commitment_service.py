"""We answer for what we hold: booked before it is answered, reported until it is taken (R4.554, R1.82 to R1.87)."""

from __future__ import annotations

import base64
import json
import os
import queue
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from certificates import Authority
from loopback import House, free_port, house
from made_dicom import MAMMOGRAM, study
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom import AE, build_context, build_role, evt
from pynetdicom.sop_class import (
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
    Verification,
)

from reread.analytics.errors import LedgerError
from reread.connectors.commitment import (
    CommitmentResult,
    HeldCopy,
    Reference,
    judge,
    read_result,
    request_dataset,
)
from reread.connectors.dimse import DimseArchive
from reread.connectors.ledger import Ledger, open_ledger
from reread.connectors.ledger_commitments import RequestOutcome, RequestState
from reread.connectors.ledger_store import utc_now
from reread.connectors.peers import Peer, PeerTls
from reread.connectors.tls import ListenerTls, server_context

UNCOMPRESSED = ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2"]
CT = "1.2.840.10008.5.1.4.1.1.2"
ORTHANC = Path("/usr/sbin/Orthanc")


class Modality:
    """A modality that asks for commitment and listens for the answers."""

    def __init__(self, ae_title: str = "MODALITY") -> None:
        self.ae_title = ae_title
        self.port = free_port()
        self.results: queue.Queue[tuple[int, CommitmentResult, str]] = queue.Queue()
        self.status = 0x0000
        self.ssl_context: Any = None
        self._server: Any = None

    @property
    def peer(self) -> Peer:
        return Peer("modality", self.ae_title, "127.0.0.1", self.port)

    def __enter__(self) -> Modality:
        ae = AE(self.ae_title)
        # the peer must propose the role of SCP, or it cannot report (R4.236)
        ae.add_supported_context(StorageCommitmentPushModel, UNCOMPRESSED, scu_role=False, scp_role=True)
        ae.add_supported_context(Verification)
        handlers = [(evt.EVT_N_EVENT_REPORT, self.on_report)]
        self._server = ae.start_server(
            ("127.0.0.1", self.port), block=False, evt_handlers=handlers, ssl_context=self.ssl_context
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()

    def on_report(self, event: Any) -> tuple[int, None]:
        if self.status == 0x0000:
            way = "same" if event.assoc.is_requestor else str(event.assoc.requestor.ae_title)
            self.results.put((event.event_type, read_result(event.event_information), way))
        return self.status, None

    def ask(self, port: int, transaction: str, references: list[Reference], *, wait_s: float = 0.0) -> int | None:
        """Status of the N-ACTION; the association stays open for `wait_s`."""
        with self.associated(port) as association:
            status, _ = association.send_n_action(
                request_dataset(transaction, references),
                1,
                StorageCommitmentPushModel,
                StorageCommitmentPushModelInstance,
            )
            until = time.monotonic() + wait_s
            while self.results.empty() and time.monotonic() < until:
                time.sleep(0.02)
            time.sleep(0.1 if wait_s else 0.0)  # the answer to a report goes out after its handler
        return status.get("Status")

    @contextmanager
    def associated(self, port: int) -> Iterator[Any]:
        association = AE(self.ae_title).associate(
            "127.0.0.1",
            port,
            contexts=[build_context(StorageCommitmentPushModel, UNCOMPRESSED)],
            ae_title="REREAD",
            evt_handlers=[(evt.EVT_N_EVENT_REPORT, self.on_report)],
        )
        assert association.is_established
        yield association
        association.release()

    def result(self, timeout_s: float = 10.0) -> tuple[int, CommitmentResult, str]:
        return self.results.get(timeout=timeout_s)


def stored(node: House, folder: Path, count: int = 2) -> list[Reference]:
    """Some objects that the node holds."""
    archive = DimseArchive(Peer("us", "REREAD", "127.0.0.1", node.listener.port), "MODALITY", timeout_s=20.0)
    assert {item.status for item in archive.store(study(folder, count))} == {0}
    return [Reference(MAMMOGRAM, f"2.25.1.{number}") for number in range(1, count + 1)]


def state_of(ledger: Ledger, transaction: str) -> list[tuple[str, bool, int]]:
    from sqlalchemy import select

    from reread.connectors.ledger_tables import COMMITMENT_REQUESTS as requests

    with ledger._read() as connection:
        query = select(requests.c.state, requests.c.duplicate, requests.c.attempts)
        rows = connection.execute(query.where(requests.c.transaction_uid == transaction).order_by(requests.c.number))
        return [(row.state, row.duplicate, row.attempts) for row in rows]


def test_all_is_committed_and_reported_on_an_association_of_our_own(tmp_path):
    with Modality() as modality, house(tmp_path, modality.peer) as node:
        references = stored(node, tmp_path / "out")
        assert modality.ask(node.listener.port, "2.25.77", references) == 0x0000
        kind, result, way = modality.result()
        assert (kind, way) == (1, "REREAD")
        assert result == CommitmentResult("2.25.77", tuple(references))
        for _ in range(100):
            if state_of(node.ledger, "2.25.77") == [("reported", False, 1)]:
                break
            time.sleep(0.05)
        assert state_of(node.ledger, "2.25.77") == [("reported", False, 1)]


def test_what_is_not_held_is_named_with_its_reason(tmp_path):
    with Modality() as modality, house(tmp_path, modality.peer) as node:
        held = stored(node, tmp_path / "out", 4)
        lost, damaged, mistaken = held[1], held[2], Reference(CT, held[3].sop_instance_uid)
        node.ledger.close_study("2.25.1", "test")
        files = {
            item.sop_instance_uid: node.spool.resolve(item.path)
            for item in node.ledger.studies_to_measure()[0].instances
        }
        files[lost.sop_instance_uid].unlink()
        with files[damaged.sop_instance_uid].open("ab") as file:
            file.write(b"\0")
        unknown, foreign = Reference(CT, "2.25.404"), Reference("1.2.840.10008.5.1.4.38.1", "2.25.405")
        asked = [held[0], lost, damaged, mistaken, unknown, foreign]
        assert modality.ask(node.listener.port, "2.25.78", asked) == 0x0000
        kind, result, _ = modality.result()
    assert kind == 2
    assert result.committed == (held[0],)
    assert result.failed == {
        lost.sop_instance_uid: 0x0112,
        damaged.sop_instance_uid: 0x0110,
        mistaken.sop_instance_uid: 0x0119,
        "2.25.404": 0x0112,
        "2.25.405": 0x0122,
    }


def test_on_the_association_that_asked_where_the_peer_wants_that(tmp_path):
    with Modality() as modality:
        peer = replace(modality.peer, report_on_same_association=True, port=1)  # it could not be called
        with house(tmp_path, peer) as node:
            references = stored(node, tmp_path / "out")
            assert modality.ask(node.listener.port, "2.25.79", references, wait_s=10.0) == 0x0000
            assert modality.result() == (1, CommitmentResult("2.25.79", tuple(references)), "same")


def test_and_on_one_of_our_own_when_that_one_has_gone(tmp_path):
    with Modality() as modality, house(tmp_path, replace(modality.peer, report_on_same_association=True)) as node:
        with modality.associated(node.listener.port) as association:
            (reference,) = stored(node, tmp_path / "out", 1)
            node.spool.resolve = lambda relative, resolve=node.spool.resolve: (time.sleep(0.5), resolve(relative))[1]
            association.send_n_action(
                request_dataset("2.25.80", [reference]),
                1,
                StorageCommitmentPushModel,
                StorageCommitmentPushModelInstance,
            )
        assert modality.result()[2] == "REREAD"


def test_a_report_survives_a_restart_and_is_repeated_until_it_is_taken(tmp_path):
    modality = Modality()
    settings = {"retry_interval_s": 0.3, "retry_duration_s": 60.0}
    with house(tmp_path, modality.peer, **settings) as node:
        references = stored(node, tmp_path / "out")
        assert modality.ask(node.listener.port, "2.25.81", references) == 0x0000  # it does not listen yet
        time.sleep(1.0)
        assert state_of(node.ledger, "2.25.81")[0][0] == "pending"
    modality.status = 0x0110
    with modality, house(tmp_path, modality.peer, **settings) as node:
        before = state_of(node.ledger, "2.25.81")[0][2]
        for _ in range(100):
            if state_of(node.ledger, "2.25.81")[0][2] > before + 1:
                break
            time.sleep(0.1)
        assert state_of(node.ledger, "2.25.81")[0][0] == "pending"  # a refused report counts for nothing
        modality.status = 0x0000
        assert modality.result()[1].committed == tuple(references)


def test_a_report_is_given_up_in_the_end(tmp_path):
    nobody = Peer("modality", "MODALITY", "127.0.0.1", free_port())
    with house(tmp_path, nobody, retry_interval_s=0.1, retry_duration_s=0.5) as node:
        references = stored(node, tmp_path / "out")
        Modality().ask(node.listener.port, "2.25.82", references)
        for _ in range(200):
            if state_of(node.ledger, "2.25.82")[0][0] == RequestState.GIVEN_UP:
                break
            time.sleep(0.05)
        assert state_of(node.ledger, "2.25.82")[0][0] == RequestState.GIVEN_UP


def test_a_repeated_request_is_reported_again(tmp_path):
    with Modality() as modality, house(tmp_path, modality.peer) as node:
        references = stored(node, tmp_path / "out")
        for _ in range(2):
            assert modality.ask(node.listener.port, "2.25.83", references) == 0x0000
            assert modality.result()[1].committed == tuple(references)
        assert len(state_of(node.ledger, "2.25.83")) == 1


def test_a_transaction_uid_that_is_in_use_for_other_objects(tmp_path):
    with Modality() as modality, house(tmp_path, modality.peer) as node:
        first, second = stored(node, tmp_path / "out")
        assert modality.ask(node.listener.port, "2.25.84", [first]) == 0x0000
        assert modality.result()[1].committed == (first,)
        assert modality.ask(node.listener.port, "2.25.84", [second]) == 0x0000
        kind, result, _ = modality.result()
        assert (kind, result.committed, result.failed) == (2, (), {second.sop_instance_uid: 0x0131})


def broken(**elements: object) -> Dataset:
    dataset = request_dataset("2.25.85", [Reference(MAMMOGRAM, "2.25.1.1")])
    for keyword, value in elements.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    return dataset


@pytest.mark.parametrize(
    ("dataset", "action", "instance", "status"),
    [
        (broken(), 2, StorageCommitmentPushModelInstance, 0x0123),
        (broken(), 1, "2.25.1", 0x0112),
        (broken(TransactionUID=None), 1, StorageCommitmentPushModelInstance, 0x0115),
        (broken(ReferencedSOPSequence=None), 1, StorageCommitmentPushModelInstance, 0x0115),
        (broken(ReferencedSOPSequence=[]), 1, StorageCommitmentPushModelInstance, 0x0115),
        (broken(ReferencedSOPSequence=[Dataset()]), 1, StorageCommitmentPushModelInstance, 0x0115),
    ],
)
def test_requests_that_are_refused(tmp_path, dataset, action, instance, status):
    modality = Modality()
    with house(tmp_path, modality.peer) as node, modality.associated(node.listener.port) as association:
        answer, _ = association.send_n_action(dataset, action, StorageCommitmentPushModel, instance)
        assert answer.Status == status
        assert state_of(node.ledger, "2.25.85") == []


def test_nothing_is_promised_that_is_not_booked(tmp_path, monkeypatch):
    modality = Modality()
    with house(tmp_path, modality.peer) as node:

        def full(*_: object) -> None:
            raise LedgerError("database or disk is full")

        monkeypatch.setattr(node.ledger, "add_commitment_request", full)
        assert modality.ask(node.listener.port, "2.25.86", [Reference(MAMMOGRAM, "2.25.1.1")]) == 0x0110


def test_many_requests_at_the_same_time(tmp_path):
    with Modality() as modality, house(tmp_path, modality.peer) as node:
        references = stored(node, tmp_path / "out")
        uids = [str(generate_uid()) for _ in range(12)]
        threads = [
            threading.Thread(target=modality.ask, args=(node.listener.port, uid, references)) for uid in uids[:6]
        ]
        for thread in threads:
            thread.start()
        with modality.associated(node.listener.port) as association:
            for uid in uids[6:]:
                association.send_n_action(
                    request_dataset(uid, references), 1, StorageCommitmentPushModel, StorageCommitmentPushModelInstance
                )
        for thread in threads:
            thread.join()
        assert {modality.result()[1].transaction_uid for _ in uids} == set(uids)


def test_our_own_two_halves_understand_each_other(tmp_path):
    """One node asks the other, which calls back: role selection on both sides (R4.236)."""
    port = free_port()
    us, them = Peer("us", "REREAD", "127.0.0.1", port), Peer("them", "REREAD", "127.0.0.1", free_port())
    with house(tmp_path / "a", them, port=port) as asking, house(tmp_path / "b", us, port=them.port) as holding:
        archive = DimseArchive(them, "REREAD", timeout_s=20.0, commitment_timeout_s=0.2)
        archive.store(study(tmp_path / "out", 1))
        asking.ledger.add_delivery(
            sop_instance_uid="2.25.1.1",
            sop_class_uid=MAMMOGRAM,
            study_instance_uid="2.25.1",
            revision=1,
            destination="them",
            path="x",
        )
        (delivery,) = asking.ledger.mark_sending(asking.ledger.pending_deliveries(utc_now()))
        asking.ledger.mark_sent(delivery.sop_instance_uid, "them")
        asking.ledger.open_transaction("2.25.87", "them", [delivery.sop_instance_uid])
        archive.commit([Reference(MAMMOGRAM, "2.25.1.1")], "2.25.87")
        for _ in range(100):
            if asking.ledger.deliveries()[0].state == "committed":
                break
            time.sleep(0.05)
        assert asking.ledger.deliveries()[0].state == "committed"
        assert holding.ledger.known_instances("2.25.1") == {"2.25.1.1"}


def test_reports_go_out_over_tls(tmp_path):
    authority = Authority(tmp_path / "pki")
    identity = authority.issue("modality", "127.0.0.1")
    modality = Modality()
    modality.ssl_context = server_context(ListenerTls(identity.certificate, identity.key))
    peer = replace(modality.peer, tls=PeerTls(authorities=authority.file))
    with modality, house(tmp_path, peer) as node:
        (reference,) = stored(node, tmp_path / "out", 1)
        modality.ask(node.listener.port, "2.25.88", [reference])
        assert modality.result()[1].committed == (reference,)


@pytest.mark.skipif(not ORTHANC.is_file(), reason="Orthanc is not installed")
def test_orthanc_asks_us(tmp_path):
    """Orthanc sends a study, asks for commitment and waits for our call."""
    folder, port, http = tmp_path / "orthanc", free_port(), free_port()
    folder.mkdir()
    pacs = Peer("pacs", "ORTHANC", "127.0.0.1", port)
    with house(tmp_path, pacs) as node:
        settings = {
            "StorageDirectory": str(folder),
            "IndexDirectory": str(folder),
            "DicomPort": port,
            "DicomAet": "ORTHANC",
            "HttpPort": http,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": True,
            "RegisteredUsers": {"test": "test"},
            "Plugins": [],
            "DicomModalities": {"reread": ["REREAD", "127.0.0.1", node.listener.port]},
        }
        (folder / "orthanc.json").write_text(json.dumps(settings))

        def rest(path: str, body: object = None) -> Any:
            data = None if body is None else json.dumps(body).encode()
            request = urllib.request.Request(f"http://127.0.0.1:{http}{path}", data=data)
            request.add_header("Authorization", "Basic " + base64.b64encode(b"test:test").decode())
            with urllib.request.urlopen(request, timeout=20) as answer:
                return json.loads(answer.read())

        with (
            (tmp_path / "log").open("wb") as log,
            subprocess.Popen(
                [ORTHANC, folder / "orthanc.json"], stdout=log, stderr=log, env={**os.environ, "TCP_NODELAY": "1"}
            ) as process,
        ):
            try:
                archive = DimseArchive(pacs, "REREAD", timeout_s=20.0)
                for _ in range(200):
                    try:
                        archive.store(study(tmp_path / "out", 2))
                        rest("/system")
                        break
                    except OSError:
                        time.sleep(0.05)
                sent = rest("/modalities/reread/store", {"Resources": rest("/studies"), "StorageCommitment": True})
                for _ in range(200):
                    report = rest(f"/storage-commitment/{sent['StorageCommitmentTransactionUID']}")
                    if report["Status"] != "Pending":
                        break
                    time.sleep(0.05)
                assert report["Status"] == "Success"
                assert len(report["Success"]) == 2
            finally:
                process.terminate()


def test_the_judgement_alone():
    sizes = {"a": 10, "b": 20}.get
    reference = Reference(CT, "1.2.3")

    def judged(*copies: HeldCopy) -> int | None:
        return judge(reference, copies, sizes, {CT}.__contains__)

    assert judged(HeldCopy(CT, "a", 10)) is None
    assert judged() == 0x0112
    assert judge(Reference("1.2.9", "1.2.3"), (), sizes, {CT}.__contains__) == 0x0122
    assert judged(HeldCopy(MAMMOGRAM, "a", 10)) == 0x0119
    assert judged(HeldCopy(CT, "a", 11)) == 0x0110
    assert judged(HeldCopy(CT, "gone", 10)) == 0x0112
    # two data sets under one UID: both are kept, so both have to be there
    assert judged(HeldCopy(CT, "a", 10), HeldCopy(CT, "b", 20)) is None
    assert judged(HeldCopy(CT, "a", 10), HeldCopy(CT, "gone", 20)) == 0x0112


def test_a_claim_is_for_one_process_and_comes_back(tmp_path):
    now = utc_now()
    clock = [now]
    references = (Reference(CT, "1.2.3"), Reference(CT, "1.2.4"))
    url = f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    retry = {"retry_interval_s": 60.0, "retry_duration_s": 3600.0}
    with open_ledger(url, lambda: clock[0]) as one, open_ledger(url, lambda: clock[0]) as two:
        number, outcome = one.add_commitment_request("modality", "REREAD", "1.2.5", references)
        assert outcome is RequestOutcome.NEW
        assert one.claim_commitment_request(30.0) is None  # the N-ACTION is being answered
        one.report_now(number)
        claimed = two.claim_commitment_request(30.0)
        assert claimed is not None
        assert (claimed.peer, claimed.references, claimed.duplicate) == ("modality", references, False)
        assert one.claim_commitment_request(30.0) is None
        clock[0] += timedelta(seconds=31)  # the process died
        assert one.claim_commitment_request(30.0) == claimed
        assert one.settle_commitment_request(number, False, **retry) is RequestState.PENDING
        assert one.claim_commitment_request(30.0) is None
        clock[0] += timedelta(seconds=61)
        assert one.claim_commitment_request(30.0) == claimed
        clock[0] += timedelta(seconds=3600)
        assert one.settle_commitment_request(number, False, **retry) is RequestState.GIVEN_UP
        assert one.claim_commitment_request(30.0) is None
        # another peer may use the same transaction UID
        assert one.add_commitment_request("other", "REREAD", "1.2.5", references[:1])[1] is RequestOutcome.NEW
        assert one.add_commitment_request("modality", "REREAD", "1.2.5", references[:1])[1] is RequestOutcome.DUPLICATE
        assert one.add_commitment_request("modality", "REREAD", "1.2.5", references[::-1])[1] is RequestOutcome.REPEATED


def test_role_selection_is_needed_to_report_to_us(tmp_path):
    """The peer gets the role of SCP when it proposes it, and no other time."""
    with house(tmp_path, Peer("pacs", "PACS", "127.0.0.1", 11999)) as node:
        association = AE("PACS").associate(
            "127.0.0.1",
            node.listener.port,
            contexts=[build_context(StorageCommitmentPushModel, UNCOMPRESSED)],
            ae_title="REREAD",
            ext_neg=[build_role(StorageCommitmentPushModel, scu_role=True, scp_role=True)],
        )
        (context,) = association.accepted_contexts
        association.release()
    assert (context.as_scu, context.as_scp) == (True, True)
