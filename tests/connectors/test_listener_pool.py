"""Several processes on one port: shared out, counted together, started again."""

from __future__ import annotations

import os
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loopback import POLICY
from made_dicom import study
from pynetdicom import AE, build_context
from pynetdicom.sop_class import Verification

from reread.analytics.errors import ArchiveUnreachable
from reread.connectors.dimse import DimseArchive
from reread.connectors.ledger import open_ledger
from reread.connectors.listener import ListenerSettings
from reread.connectors.listener_pool import ListenerPool, Premises
from reread.connectors.peers import Peer
from reread.connectors.pseudonyms import Pseudonyms
from reread.connectors.shared_counts import Loads, SharedSlots
from reread.connectors.spool import Spool

SENDER = Peer("sender", "SENDER", "127.0.0.1", 11999)


def pool(root: Path, limit: int = 20) -> ListenerPool:
    premises = Premises(root / "spool", f"sqlite:///{root / 'ledger.sqlite'}", root / "key")
    Pseudonyms.load_or_create(premises.pseudonym_key)
    settings = ListenerSettings("REREAD", port=0, peers=(SENDER,), policy=POLICY, max_associations=limit)
    return ListenerPool(settings, premises, 2)


def archive(port: int) -> DimseArchive:
    return DimseArchive(Peer("us", "REREAD", "127.0.0.1", port), "SENDER", timeout_s=20.0)


@pytest.mark.slow
def test_many_senders_one_of_the_processes_killed(tmp_path):
    studies = [study(tmp_path / "out", 6, study=f"2.25.{n}") for n in range(1, 7)]
    with pool(tmp_path) as listener:
        port, (first, second) = listener.port, listener.process_ids
        assert first != second
        with ThreadPoolExecutor(6) as senders:
            outcomes = list(senders.map(lambda paths: archive(port).store(paths), studies[:5]))
        assert {item.status for group in outcomes for item in group} == {0x0000}
        os.kill(first, signal.SIGKILL)
        for _ in range(200):  # in between the other one answers, or nobody: the sender tries again
            try:
                assert {item.status for item in archive(port).store(studies[5])} == {0x0000}
                break
            except ArchiveUnreachable:
                time.sleep(0.1)
        for _ in range(200):
            if len(set(listener.process_ids) - {first}) == 2:
                break
            time.sleep(0.1)
        assert len(set(listener.process_ids) - {first}) == 2
        for _ in range(4):
            archive(port).echo()
    with open_ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}") as ledger:
        assert sum(ledger.counts().instances.values()) == 36
        spool = Spool(tmp_path / "spool")
        for work in (ledger.study_work(f"2.25.{n}", 1) for n in range(1, 7)):
            assert len(work.instances) == 6 and all(spool.holds(item.path) for item in work.instances)
        assert not list(spool.incoming.iterdir())


def test_a_parent_that_dies_before_it_hears_that_we_are_ready_is_no_error(tmp_path):
    waiting = pool(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        waiting._listening = listening
        process, line = waiting._spawn(0)
        assert line.poll(60.0)
        line.close()  # as the system does it for the dead: with the word unread, which resets the line
        process.join(20.0)
    assert process.exitcode == 0


@pytest.mark.slow
def test_places_are_counted_over_all_processes_and_connections_shared_out(tmp_path):
    with pool(tmp_path, limit=4) as listener:
        ae = AE("SENDER")
        contexts = [build_context(Verification)]
        open_ones = [ae.associate("127.0.0.1", listener.port, contexts, ae_title="REREAD") for _ in range(4)]
        assert all(one.is_established for one in open_ones)
        assert list(listener._counts.connections) == [2, 2]
        with pytest.raises(ArchiveUnreachable, match="result 2, source 3, reason 1"):
            archive(listener.port).echo()
        for one in open_ones:
            one.release()
        for _ in range(100):
            if sum(listener._counts.connections) == sum(listener._counts.associations) == 0:
                break
            time.sleep(0.05)
        archive(listener.port).echo()


def test_a_taken_port_is_said(tmp_path):
    with pool(tmp_path) as listener:
        again = ListenerPool(
            ListenerSettings("REREAD", port=listener.port), Premises(tmp_path / "b", "sqlite:////x", tmp_path / "k"), 1
        )
        with pytest.raises(OSError, match="in use"):
            again.start()


@given(st.lists(st.sampled_from(["take", "give"]), max_size=40), st.integers(1, 5))
def test_places_never_exceed_their_number(steps, limit):
    counts = get_context("spawn").Array("i", 2)
    ours, theirs = SharedSlots(counts, 0, limit), SharedSlots(counts, 1, limit)
    taken = 0
    assert theirs.acquire(0)
    for step in steps:
        if step == "take":
            got = ours.acquire(0)
            assert got == (taken + 1 < limit)
            taken += got
        elif taken:
            ours.release()
            taken -= 1
        assert ours.taken == taken + 1 <= limit


def test_the_next_connection_is_for_the_process_with_the_fewest():
    counts = get_context("spawn").Array("i", 2)
    ours, theirs = Loads(counts, 0), Loads(counts, 1)
    assert ours.is_ours() and theirs.is_ours()
    ours.opened()
    assert theirs.is_ours() and not ours.is_ours()
    theirs.opened()
    theirs.opened()
    theirs.closed()
    assert ours.is_ours()
