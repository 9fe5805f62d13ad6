"""TLS in both directions, with certificates made here; real peers: dcmtk and Orthanc (PS3.15 B.12, R4.557)."""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from certificates import Authority, Identity
from loopback import free_port, house
from made_dicom import made, study, write

from reread.analytics.errors import ArchiveUnreachable, SettingsInvalid
from reread.connectors.archive_server import ArchiveServer
from reread.connectors.dimse import DimseArchive
from reread.connectors.peers import Peer, PeerTls
from reread.connectors.tls import ListenerTls, client_context, names_in_certificate, server_context, why_no_tls

BIN = Path("/usr/bin")
ECHOSCU, STORESCU, STORESCP, ORTHANC = BIN / "echoscu", BIN / "storescu", BIN / "storescp", Path("/usr/sbin/Orthanc")
NODELAY = {**os.environ, "TCP_NODELAY": "1"}
needs_dcmtk = pytest.mark.skipif(not STORESCU.is_file() or not STORESCP.is_file(), reason="dcmtk is not installed")


@dataclass(frozen=True)
class Pki:
    """One good authority and one that nobody trusts."""

    authority: Path
    node: Identity
    """ours: 127.0.0.1 and localhost"""
    caller: Identity
    """named SENDER"""
    elsewhere: Identity
    """for another host"""
    expired: Identity
    stranger: Identity
    """from the other authority"""
    other_authority: Path


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    good = Authority(tmp_path_factory.mktemp("good"))
    bad = Authority(tmp_path_factory.mktemp("bad"), "other authority")
    return Pki(
        authority=good.file,
        node=good.issue("node", "127.0.0.1", "localhost"),
        caller=good.issue("SENDER", "sender.example.org"),
        elsewhere=good.issue("elsewhere", "elsewhere.example.org"),
        expired=good.issue("expired", "127.0.0.1", expired=True),
        stranger=bad.issue("stranger", "127.0.0.1"),
        other_authority=bad.file,
    )


def listener_tls(pki: Pki, *, clients: bool = False, identity: Identity | None = None, **more: float) -> ListenerTls:
    mine = identity or pki.node
    return ListenerTls(mine.certificate, mine.key, pki.authority if clients else None, **more)


def caller_tls(pki: Pki, identity: Identity | None = None, **more: object) -> PeerTls:
    return PeerTls(
        authorities=pki.authority,
        certificate=identity.certificate if identity else None,
        key=identity.key if identity else None,
        **more,  # type: ignore[arg-type]
    )


SENDER = Peer("sender", "SENDER", "127.0.0.1", 11999)


def archive(port: int, tls: PeerTls | None, host: str = "127.0.0.1") -> DimseArchive:
    return DimseArchive(Peer("us", "REREAD", host, port, tls=tls), "SENDER", timeout_s=5.0)


def test_objects_come_in_over_tls(tmp_path, pki):
    """More than one TLS record and more than one PDU; and the bytes are those that were sent."""
    paths = [*study(tmp_path / "out", 2), write(made(9, size=1500), tmp_path / "large.dcm")]
    with house(tmp_path, SENDER, tls=listener_tls(pki)) as node:
        assert [item.status for item in archive(node.listener.port, caller_tls(pki)).store(paths)] == [0, 0, 0]
        node.ledger.close_study("2.25.1", "test")
        images = node.ledger.studies_to_measure()[0].instances
        assert [node.spool.resolve(item.path).read_bytes()[-500:] for item in images] == [
            path.read_bytes()[-500:] for path in paths
        ]


def test_without_tls_nobody_gets_in(tmp_path, pki):
    with house(tmp_path, SENDER, tls=listener_tls(pki)) as node:
        with pytest.raises(ArchiveUnreachable):
            archive(node.listener.port, None).echo()
        archive(node.listener.port, caller_tls(pki)).echo()


def test_tls_with_a_peer_that_has_none(tmp_path, pki):
    with house(tmp_path, SENDER) as node, pytest.raises(ArchiveUnreachable, match=r"TLS|no answer"):
        archive(node.listener.port, caller_tls(pki)).echo()


@pytest.mark.parametrize(
    ("whose", "words"),
    [
        ("elsewhere", "IP address mismatch"),
        ("expired", "certificate has expired"),
        ("stranger", "unable to get local issuer certificate|self.signed certificate"),
    ],
)
def test_a_server_whose_certificate_is_no_good(tmp_path, pki, whose, words):
    with house(tmp_path, SENDER, tls=listener_tls(pki, identity=getattr(pki, whose))) as node:
        with pytest.raises(ArchiveUnreachable, match=f"its certificate is not accepted: .*({words})"):
            archive(node.listener.port, caller_tls(pki)).echo()
        if whose == "elsewhere":  # a site may do without the host name, never without the authority
            archive(node.listener.port, caller_tls(pki, check_host=False)).echo()


def test_the_host_name_counts(tmp_path, pki):
    with house(tmp_path, SENDER, tls=listener_tls(pki)) as node:
        archive(node.listener.port, caller_tls(pki), "localhost").echo()


@pytest.mark.parametrize("whose", ["none", "stranger", "expired"])
def test_callers_have_to_show_a_good_certificate(tmp_path, pki, whose):
    with house(tmp_path, SENDER, tls=listener_tls(pki, clients=True)) as node:
        identity = None if whose == "none" else getattr(pki, whose)
        with pytest.raises(ArchiveUnreachable, match=r"TLS: .*(certificate|ca)"):
            archive(node.listener.port, caller_tls(pki, identity)).echo()
        archive(node.listener.port, caller_tls(pki, pki.caller)).echo()


@pytest.mark.parametrize(
    ("names", "let_in"),
    [(("SENDER",), True), (("sender.example.org", "x"), True), (("other.example.org",), False)],
)
def test_a_certificate_is_that_of_the_peer(tmp_path, pki, names, let_in):
    """A certificate of the right authority, but of somebody else, does not make one this peer."""
    peer = replace(SENDER, tls=PeerTls(outgoing=False, names=names))
    with house(tmp_path, peer, tls=listener_tls(pki, clients=True)) as node:
        mine = archive(node.listener.port, caller_tls(pki, pki.caller))
        if let_in:
            mine.echo()
        else:
            with pytest.raises(ArchiveUnreachable, match="result 1, source 1, reason 3"):
                mine.echo()


def test_a_name_is_asked_for_and_there_is_no_tls(tmp_path):
    peer = replace(SENDER, tls=PeerTls(outgoing=False, names=("SENDER",)))
    with house(tmp_path, peer) as node, pytest.raises(ArchiveUnreachable, match="result 1, source 1, reason 3"):
        archive(node.listener.port, None).echo()


def test_a_silent_caller_blocks_nobody_and_is_disconnected(tmp_path, pki):
    with house(tmp_path, SENDER, tls=listener_tls(pki, handshake_s=2.0)) as node:
        address = ("127.0.0.1", node.listener.port)
        silent = [socket.create_connection(address, timeout=10.0) for _ in range(5)]
        try:
            archive(node.listener.port, caller_tls(pki)).echo()
            silent[0].sendall(b"\x16\x03\x01")  # the beginning of a handshake
            assert [one.recv(100) for one in silent] == [b""] * 5  # closed by the listener
        finally:
            for one in silent:
                one.close()
        archive(node.listener.port, caller_tls(pki)).echo()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_versions(tmp_path, pki, version):
    context = client_context(replace(SENDER, tls=caller_tls(pki)))
    assert context is not None
    context.minimum_version = context.maximum_version = version
    with (
        house(tmp_path, SENDER, tls=listener_tls(pki)) as node,
        socket.create_connection(("127.0.0.1", node.listener.port)) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as connection,
    ):
        assert connection.version() == {2: "TLSv1.2", 3: "TLSv1.3"}[version.value - ssl.TLSVersion.TLSv1_1.value + 1]
        cipher = connection.cipher()
        assert cipher is not None and ("GCM" in cipher[0] or "CHACHA20" in cipher[0])


@pytest.mark.filterwarnings("ignore:.*TLSv1.*:DeprecationWarning")
def test_older_versions_are_refused(tmp_path, pki):
    """RFC 8996."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with (
        house(tmp_path, SENDER, tls=listener_tls(pki)) as node,
        socket.create_connection(("127.0.0.1", node.listener.port)) as plain,
        pytest.raises(ssl.SSLError),
    ):
        context.wrap_socket(plain)


def test_files_that_cannot_be_used_are_named(tmp_path, pki):
    rubbish = tmp_path / "rubbish.pem"
    rubbish.write_text("no certificate")
    for tls in (
        ListenerTls(tmp_path / "missing.pem", pki.node.key),
        ListenerTls(rubbish, pki.node.key),
        ListenerTls(pki.node.certificate, pki.caller.key),
        ListenerTls(pki.node.certificate, pki.node.key, rubbish),
    ):
        with pytest.raises(SettingsInvalid, match=r"TLS: .*cannot be used"):
            server_context(tls)
    with pytest.raises(SettingsInvalid, match="rubbish"):
        client_context(replace(SENDER, tls=PeerTls(authorities=rubbish)))
    with pytest.raises(SettingsInvalid, match="key"):
        PeerTls(certificate=pki.node.certificate)


def test_why():
    assert why_no_tls(SENDER) == ""
    assert names_in_certificate({}) == frozenset()


def test_a_move_goes_out_over_tls(tmp_path, pki):
    """The archive sends to us as its peer settings say."""
    study(tmp_path / "pacs", 2)
    port = free_port()
    us = Peer("us", "REREAD", "127.0.0.1", port, tls=caller_tls(pki, pki.caller))
    with ArchiveServer(tmp_path / "pacs", "PACS", [us]) as server:
        source = Peer("pacs", "PACS", "127.0.0.1", server.port)
        with house(tmp_path, source, port=port, tls=listener_tls(pki, clients=True)) as node:
            report = DimseArchive(source, "REREAD").fetch_study("2.25.1")
            assert (report.completed, report.failed) == (2, 0)
            assert len(node.ledger.known_instances("2.25.1")) == 2


@needs_dcmtk
@pytest.mark.parametrize("profile", ["+py", "+px", "+pz"])
def test_dcmtk_calls_us(tmp_path, pki, profile):
    """Its profiles: non-downgrading BCP 195, BCP 195, extended BCP 195 (PS3.15 B.9 to B.11)."""
    paths = study(tmp_path / "out", 2)
    ours = ["-aet", "SENDER", "-aec", "REREAD"]
    trust = ["+tls", pki.caller.key, pki.caller.certificate, "+cf", pki.authority, profile]
    with house(tmp_path, SENDER, tls=listener_tls(pki, clients=True)) as node:
        where = ["127.0.0.1", str(node.listener.port)]
        echo = subprocess.run([ECHOSCU, *ours, *trust, *where], env=NODELAY, timeout=60, capture_output=True, text=True)
        assert echo.returncode == 0, echo.stderr
        subprocess.run([STORESCU, *ours, *trust, *where, *paths], env=NODELAY, timeout=60, check=True)
        assert len(node.ledger.known_instances("2.25.1")) == 2


@needs_dcmtk
def test_dcmtk_without_certificate_is_refused(tmp_path, pki):
    call = [ECHOSCU, "-aet", "SENDER", "-aec", "REREAD", "+tla", "+cf", pki.authority, "127.0.0.1"]
    with house(tmp_path, SENDER, tls=listener_tls(pki, clients=True)) as node:
        refused = subprocess.run([*call, str(node.listener.port)], env=NODELAY, timeout=60, capture_output=True)
        assert refused.returncode != 0
    with house(tmp_path / "open", SENDER, tls=listener_tls(pki)) as node:
        subprocess.run([*call, str(node.listener.port)], env=NODELAY, timeout=60, check=True)


@contextmanager
def storescp(folder: Path, pki: Pki, identity: Identity) -> Iterator[int]:
    port = free_port()
    folder.mkdir()
    command = [STORESCP, "+tls", identity.key, identity.certificate, "+cf", pki.authority, "-od", folder, str(port)]
    with subprocess.Popen(command, env=NODELAY) as process:
        try:
            wait_for(port)
            yield port
        finally:
            process.terminate()


def wait_for(port: int) -> None:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
            return
        except OSError:
            time.sleep(0.05)
    pytest.fail("the peer did not start")


@needs_dcmtk
def test_we_call_dcmtk(tmp_path, pki):
    paths = study(tmp_path / "out", 2)
    with storescp(tmp_path / "scp", pki, pki.node) as port:
        with_certificate = archive(port, caller_tls(pki, pki.caller))
        with_certificate.echo()
        assert [item.status for item in with_certificate.store(paths)] == [0, 0]
        with pytest.raises(ArchiveUnreachable, match=r"TLS: .*certificate"):
            archive(port, caller_tls(pki)).echo()
    assert len(list((tmp_path / "scp").iterdir())) == 2
    with (
        storescp(tmp_path / "wrong", pki, pki.elsewhere) as port,
        pytest.raises(ArchiveUnreachable, match="IP address mismatch"),
    ):
        archive(port, caller_tls(pki, pki.caller)).echo()


@pytest.mark.skipif(not ORTHANC.is_file(), reason="Orthanc is not installed")
def test_orthanc_in_both_directions(tmp_path, pki):
    """Orthanc asks callers for certificates and shows its own."""
    folder, port, listener_port = tmp_path / "orthanc", free_port(), free_port()
    folder.mkdir()
    settings = {
        "StorageDirectory": str(folder),
        "IndexDirectory": str(folder),
        "DicomPort": port,
        "DicomAet": "ORTHANC",
        "HttpServerEnabled": False,
        "Plugins": [],
        "DicomTlsEnabled": True,
        "DicomTlsCertificate": str(pki.node.certificate),
        "DicomTlsPrivateKey": str(pki.node.key),
        "DicomTlsTrustedCertificates": str(pki.authority),
        "DicomModalities": {
            "reread": {"AET": "REREAD", "Host": "127.0.0.1", "Port": listener_port, "UseDicomTls": True}
        },
    }
    (folder / "orthanc.json").write_text(json.dumps(settings))
    tls = caller_tls(pki, pki.caller)
    pacs = Peer("pacs", "ORTHANC", "127.0.0.1", port, tls=tls)
    with (
        (tmp_path / "log").open("wb") as log,
        subprocess.Popen([ORTHANC, folder / "orthanc.json"], stdout=log, stderr=log, env=NODELAY) as process,
    ):
        try:
            wait_for(port)
            orthanc = DimseArchive(pacs, "REREAD", timeout_s=20.0)
            orthanc.echo()
            assert [item.status for item in orthanc.store(study(tmp_path / "out", 3))] == [0, 0, 0]
            with house(tmp_path, pacs, port=listener_port, tls=listener_tls(pki, clients=True)) as node:
                assert orthanc.fetch_study("2.25.1").completed == 3
                assert len(node.ledger.known_instances("2.25.1")) == 3
        finally:
            process.terminate()
