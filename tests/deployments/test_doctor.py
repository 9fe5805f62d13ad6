"""The doctor: each line ok, or what to do."""

from __future__ import annotations

import http.server
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from loopback import free_port

from reread.connectors.archive_server import ArchiveServer
from reread.connectors.ledger import open_ledger
from reread.connectors.peers import Peer
from reread.deployments.doctor import Check, examine
from reread.deployments.settings import ListenerGroup, PeerGroup, Settings


@pytest.fixture(autouse=True)
def no_prefect_url(monkeypatch):
    monkeypatch.delenv("PREFECT_API_URL", raising=False)


def site(data, **changes) -> Settings:
    return Settings(data=data, **{"listener": ListenerGroup(port=free_port()), **changes})


def checks(settings: Settings) -> dict[str, Check]:
    return {check.name: check for check in examine(settings)}


@contextmanager
def taken_port() -> Iterator[int]:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def test_a_fresh_site_is_healthy(tmp_path):
    found = checks(site(tmp_path / "data"))
    assert [check for check in found.values() if not check.ok] == []
    assert found["ledger"].text == "will be made at first use"
    assert "is free" in found["listener port"].text
    assert found["peers"].text.startswith("none configured")
    assert "server of its own" in found["Prefect"].text
    assert len([name for name in found if name.startswith("codec ")]) >= 5
    assert list(tmp_path.iterdir()) == []  # a look changes nothing


def test_a_taken_port(tmp_path):
    with taken_port() as port:
        found = checks(site(tmp_path, listener=ListenerGroup(port=port)))["listener port"]
    assert not found.ok
    assert f":{port} cannot be taken" in found.text
    assert "choose another listener.port" in found.text


def test_peers_that_answer_and_do_not(tmp_path):
    us = Peer("reread", "REREAD", "127.0.0.1", 1)
    with ArchiveServer(tmp_path / "archive", "PACS", (us,)) as archive:
        peers = (
            PeerGroup(name="there", ae_title="PACS", host="127.0.0.1", port=archive.port),
            PeerGroup(name="gone", ae_title="GONE", host="127.0.0.1", port=free_port()),
            PeerGroup(name="misnamed", ae_title="OTHER", host="127.0.0.1", port=archive.port),
        )
        found = checks(site(tmp_path / "data", peers=peers))
    assert found["peer there"].ok
    assert "answers C-ECHO" in found["peer there"].text
    for name in ("gone", "misnamed"):
        assert not found[f"peer {name}"].ok
        assert "does not answer C-ECHO" in found[f"peer {name}"].text


def test_too_little_disk(tmp_path):
    found = checks(site(tmp_path, limits={"min_free_disk_gib": 1e9}))["disk"]
    assert not found.ok
    assert "limits.min_free_disk_gib" in found.text


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written(tmp_path):
    tmp_path.chmod(0o500)
    try:
        found = checks(site(tmp_path / "data"))["disk"]
    finally:
        tmp_path.chmod(0o700)
    assert not found.ok
    assert "not writable" in found.text


def test_a_ledger_that_is_there_and_one_that_is_none(tmp_path):
    with open_ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}"):
        pass
    assert checks(site(tmp_path))["ledger"].text == "0 study revisions"
    (tmp_path / "ledger.sqlite").write_bytes(b"this is no database" * 100)
    assert not checks(site(tmp_path))["ledger"].ok


@pytest.mark.parametrize("kind", ["postgresql+psycopg", "nosuch", "no url at all "])
def test_a_ledger_server_that_cannot_be_used_is_named_without_its_password(tmp_path, kind):
    url = f"{kind}://reread:geheim@127.0.0.1:{free_port()}/ledger"
    found = checks(site(tmp_path, ledger_url=url))["ledger"]
    assert not found.ok
    assert found.text
    assert "geheim" not in found.text


class Healthy(http.server.BaseHTTPRequestHandler):
    """Answers like the health page of a Prefect server."""

    def do_GET(self):
        self.send_response(200 if self.path == "/api/health" else 404)
        self.end_headers()

    def log_message(self, *_):
        pass


def test_the_sites_own_prefect_server(tmp_path, monkeypatch):
    server = http.server.HTTPServer(("127.0.0.1", 0), Healthy)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}/api"
    monkeypatch.setenv("PREFECT_API_URL", url)
    try:
        there = checks(site(tmp_path))["Prefect"]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert (there.ok, there.text) == (True, f"the server at {url} answers")
    gone = checks(site(tmp_path))["Prefect"]
    assert not gone.ok
    assert "unset PREFECT_API_URL" in gone.text
    monkeypatch.setenv("PREFECT_API_URL", "nonsense")
    assert not checks(site(tmp_path))["Prefect"].ok
